/**
 * The definition that the language was designed with, in the words that exist: it compiles without an error.
 */
import {
  app,
  command,
  coverage,
  environment,
  local,
  param,
  release,
  rolling,
  secret,
  service,
  slack,
} from 'release-as-code'

const version = param('version', { default: '3.0.0', help: 'what is released' })
const pace = param('pace', { choices: ['quick', 'real'], default: 'real', help: 'how long waits last' })

const auth = service('auth-service', { critical: true, instances: 2 })
const payment = service('payment-service', { critical: true, needs: [auth] })
const inventory = service('inventory-service', { needs: [auth] })
const user = service('user-service', { needs: [auth] })
const order = service('order-service', { critical: true, needs: [auth.range('^3.0.0'), payment, inventory] })
const shipping = service('shipping-service', { needs: [order] })
const notification = service('notification-service', { needs: [auth] })
const analytics = service('analytics-service', { needs: [user, order] })

const services = [auth, payment, inventory, user, order, shipping, notification, analytics]
const web = app('web-app', { platform: 'web', needs: [auth, payment, order] })

const staging = environment('staging', { on: local() })
const production = environment('production', { on: local(), protect: true })

export default release('phoenix', {
  version,
  codename: 'Phoenix',
  targetDate: '2024-03-15',
  components: [...services, web],
  params: [version, pace],
  approvers: 'phoenix/approvers',
})
  .stage('preflight', s =>
    s
      .gate('unit tests', coverage('npm test -- --coverage').atLeast(90))
      .gate('security scan', command('npm run scan').passes())
      .gate('dependency audit', command('npm run audit').passes(), { required: false }),
  )

  .stage('staging', s =>
    s.deploy(services, { to: staging, with: rolling({ batch: 1 }) }).step(
      'smoke',
      async ({ $ }) => {
        await $`npm run smoke`
      },
      { idempotent: true },
    ),
  )

  .stage('go-live', s =>
    s.approval('go live', { from: { 'release-manager': 1, 'platform-owner': 1 }, expires: '3d' }),
  )

  .stage('production', s =>
    s
      .deploy(services, { to: production, with: rolling({ batch: '50%' }) })
      .wait(pace.pick({ quick: '2s', real: '30m' }))
      .deploy([web], { to: production }),
  )

  .stage('announce', { onFailure: 'stop' }, s => s.notify(slack(secret('SLACK_WEBHOOK'), '#releases')))

  .onFailure('rollback-all')
