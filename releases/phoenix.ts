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
  availability,
  blueGreen,
  canary,
  command,
  coverage,
  environment,
  errorRate,
  latency,
  local,
  memory,
  param,
  release,
  rolling,
  secret,
  service,
} from 'release-as-code'

const version = param('version', { default: '3.0.0', help: 'what is released: 2.9.0 or 3.0.0' })
const pace = param('pace', {
  choices: ['quick', 'real'],
  default: 'real',
  help: 'how long each step of a canary is watched: quick shows all of it in a minute',
})
const regions = param('regions', {
  choices: ['one', 'many', 'checkout'],
  default: 'one',
  help: 'where production is: in one place, in the four regions, or one region that has the checkout only',
})
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
    'errors-under-load',
    'slow',
    'leak',
    'crash-at-half',
  ],
  default: 'none',
  help: 'the component whose 3.0.0 never gets healthy, or what is wrong with 3.0.0 that only its requests show',
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

const settled = pace.pick({ quick: '2s', real: '1h' })

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
const ordering = [auth, payment, inventory, order]
const web = app('web-app', { platform: 'web', instances: two, needs: [auth, payment, order], health, env })

const staging = environment('staging', { on: local({ cluster: 'techcorp' }) })
const production = environment('production', {
  on: local({ cluster: 'techcorp' }),
  protect: true,
  regions: regions.pick({
    one: [],
    checkout: [{ name: 'checkout', wave: 1, components: [auth, payment, inventory, user, order] }],
    // One box, then the first wave, then the rest. Orders need the inventory, so that it is wherever they are.
    many: [
      { name: 'ap-southeast-1', wave: 1, weights: [3, 50, 100], components: [auth], bake: settled },
      { name: 'us-west-2', wave: 2, weights: [5, 50, 100], components: ordering, bake: settled },
      { name: 'eu-central-1', wave: 2, weights: [5, 50, 100], components: [auth, payment], bake: settled },
      { name: 'us-east-1', wave: 3, weights: [10, 50, 100], components: ordering },
    ],
  }),
})

// A verdict rests on requests: two hundred are a minute of a shop, and a demonstration has fewer customers.
const minRequests = pace.pick({ quick: 20, real: 200 })
const patience = pace.pick({ quick: '45s', real: '30m' })
const healthy = {
  metrics: [
    errorRate({ minRequests }).below('1%'),
    // One slow look in a row of good ones is the machine; two are the version.
    latency('p95', { minRequests, failureLimit: 1 }).below('500ms'),
    availability({ minRequests }).atLeast('99.9%'),
  ],
  patience,
}
// All along, beside every step: what creeps, and what dies.
const alive = {
  metrics: [memory().below(192 * 1024 * 1024), availability({ minRequests: 1 }).atLeast('99.9%')],
  patience,
}

export default release('phoenix', {
  version,
  codename: 'Phoenix',
  targetDate: '2024-03-15',
  components: [...services, web],
  params: [version, pace, regions, fault, faultIn],
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
      .deploy(services, {
        to: production,
        order: 'lockstep',
        with: canary({
          steps: [5, 25, 50, 100],
          every: pace.pick({ quick: '2s', real: '30m' }),
          analysis: healthy,
          background: alive,
        }),
      })
      .deploy([web], {
        to: production,
        with: blueGreen({ keepOld: pace.pick({ quick: '2s', real: '30m' }), analysis: healthy }),
      })
      .step(
        'production smoke',
        async ({ $ }) => ({ served: await $`node releases/phoenix/scripts/smoke.js production`.lines() }),
        { idempotent: true, undo: 'not-needed', timeout: '1m' },
      ),
  )

  .stage('settle', s => s.bake(pace.pick({ quick: '3s', real: '1h' }), { requests: 200, analysis: healthy }))

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
