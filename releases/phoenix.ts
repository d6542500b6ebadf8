/**
 * Phoenix: TechCorp's platform 3.0.0, eight services and the web app that stands on them.
 *
 *     npm run phoenix
 *
 * runs it from nothing: 2.9.0 first, then 3.0.0 while customers are served. What is released lies in
 * `phoenix/<component>/<version>`, its tests and tools in `phoenix/tests` and `phoenix/scripts`.
 */
import {
  allAtOnce,
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
} from 'release-as-code'

const version = param('version', { default: '3.0.0', help: 'what is released: 2.9.0 or 3.0.0' })
const fault = param('fault', {
  choices: [
    'none',
    'auth-service',
    'payment-service',
    'inventory-service',
    'user-service',
    'order-service',
    'shipping-service',
    'notification-service',
    'analytics-service',
    'web-app',
  ],
  default: 'none',
  help: 'the component whose 3.0.0 never gets healthy, to see the release roll itself back',
})
const faultIn = param('fault-in', {
  choices: ['anywhere', 'staging', 'production'],
  default: 'anywhere',
  help: 'where that shows: what staging does not show fails in production, under customers',
})

// A signature under what services and versions hand to each other; a password for the customers that we play.
const signingKey = secret('TECHCORP_KEY', {
  command: ['node', 'releases/phoenix/scripts/print-key.js', 'signing-key'],
})
const syntheticPassword = secret('SYNTHETIC_PASSWORD', {
  command: ['node', 'releases/phoenix/scripts/print-key.js', 'synthetic-password'],
})

const env = { TECHCORP_KEY: signingKey, PHOENIX_FAULT: fault, PHOENIX_FAULT_IN: faultIn }
const health = { timeout: '10s', interval: '100ms' } as const
const two = { production: 2 }

const auth = service('auth-service', {
  critical: true,
  instances: two,
  health,
  env: { ...env, SYNTHETIC_PASSWORD: syntheticPassword },
})
const payment = service('payment-service', { critical: true, instances: two, needs: [auth], health, env })
const inventory = service('inventory-service', { needs: [auth], health, env })
const user = service('user-service', { needs: [auth], health, env })
const order = service('order-service', {
  critical: true,
  instances: two,
  needs: [auth.range('>=2.9.0 <4.0.0'), payment, inventory],
  health,
  env,
})
const shipping = service('shipping-service', { needs: [auth, order], health, env })
const notification = service('notification-service', { needs: [auth], health, env })
const analytics = service('analytics-service', { needs: [auth, user, order], health, env })

const services = [auth, payment, inventory, user, order, shipping, notification, analytics]
const web = app('web-app', { platform: 'web', instances: two, needs: [auth, payment, order], health, env })

const staging = environment('staging', { on: local({ cluster: 'techcorp' }) })
const production = environment('production', { on: local({ cluster: 'techcorp' }), protect: true })

export default release('phoenix', {
  version,
  codename: 'Phoenix',
  targetDate: '2024-03-15',
  components: [...services, web],
  params: [version, fault, faultIn],
  approvers: 'phoenix/approvers',
})
  .stage('preflight', s =>
    s.parallel(p =>
      p
        .gate(
          'unit tests',
          coverage('node releases/phoenix/scripts/unit-tests.js', {
            report: 'coverage/phoenix/lcov.info',
          }).atLeast(90),
          { timeout: '2m' },
        )
        .gate('security scan', command('node releases/phoenix/scripts/scan.js').passes(), { timeout: '30s' })
        .gate('dependency audit', command('node releases/phoenix/scripts/audit.js').passes(), {
          required: false,
          timeout: '30s',
        }),
    ),
  )

  .stage('staging', s =>
    s
      .deploy(services, { to: staging, with: rolling({ batch: 1 }) })
      .deploy([web], { to: staging, with: allAtOnce() })
      .step(
        'smoke',
        async ({ $ }) => ({ served: await $`node releases/phoenix/scripts/smoke.js staging`.lines() }),
        { idempotent: true, undo: 'not-needed', timeout: '1m' },
      ),
  )

  .stage('go-live', s =>
    s.approval('go-live', { from: { 'release-manager': 1, 'platform-owner': 1 }, expires: '3d' }),
  )

  .stage('production', s =>
    s
      .deploy(services, { to: production, with: rolling({ batch: 1 }) })
      .deploy([web], { to: production, with: rolling({ batch: 1 }) })
      .step(
        'production smoke',
        async ({ $ }) => ({ served: await $`node releases/phoenix/scripts/smoke.js production`.lines() }),
        { idempotent: true, undo: 'not-needed', timeout: '1m' },
      ),
  )

  .stage('announce', s =>
    s.step(
      'release record',
      async ({ $ }) =>
        $`node releases/phoenix/scripts/release-record.js write`.json<{
          version: string
          changed: boolean
        }>(),
      {
        // Whoever was cut off cannot know whether the record is new: it is where it names this version.
        observe: async ({ $, version }) => {
          const found = await $`node releases/phoenix/scripts/release-record.js show`.json<{
            version: string
          } | null>()
          return found?.version === version ? { version, changed: true } : undefined
        },
        undo: async ({ $, value }) => {
          if (value?.changed !== false) await $`node releases/phoenix/scripts/release-record.js undo`
        },
        timeout: '30s',
      },
    ),
  )

  .onFailure('rollback-all')
