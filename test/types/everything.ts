/**
 * Every word of the language, used as it is meant: this file compiles without an error.
 */
import {
  allAtOnce,
  app,
  type Check,
  canary,
  command,
  compare,
  coverage,
  environment,
  errorRate,
  http,
  latency,
  local,
  memory,
  type modelOf,
  type Output,
  param,
  release,
  rolling,
  type Shape,
  type Stage,
  secret,
  service,
  slack,
  trigger,
  webhook,
} from 'release-as-code'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_same: Same<A, B>): void => {}

const version = param('version', { default: '3.0.0', help: 'what is released' })
const pace = param('pace', { choices: ['quick', 'real'], default: 'real', help: 'how long waits last' })
const size = param('size', { choices: [1, 2, 4] })
const dry = param('dry', { default: false })
const shards = param('shards', { type: 'number' })
const pause = param('pause', { default: '10s' })

const auth = service('auth-service', {
  critical: true,
  instances: { staging: 1, production: 4 },
  env: {
    PACE: pace,
    LEVEL: pace.pick({ quick: 'debug', real: 'info' }),
    KEY: secret('AUTH_KEY'),
    PORT_BASE: 4000,
  },
})
const payment = service('payment-service', { critical: true, needs: [auth], group: 2, version: '3.1.0' })
const order = service('order-service', {
  needs: [auth.range('^3.0.0'), payment],
  source: 'services/{name}',
  start: ['node', 'main.js'],
  health: { path: '/healthz', timeout: '30s', interval: '250ms' },
  version,
})
const web = app('web-app', {
  platform: 'web',
  needs: [auth, payment, order],
  health: '/',
  start: 'node main.js',
})
const services = [auth, payment, order]

const staging = environment('staging', { on: local() })
const production = environment('production', { on: local({ cluster: 'techcorp' }), protect: true })

const token = secret('TOKEN', { command: ['pass', 'show', 'token'] })
const key = secret('KEY', { file: 'secrets/key' })
const operations = slack(secret('SLACK_WEBHOOK'), '#releases')

const scored = canary({
  analysis: {
    metrics: [
      errorRate().below('1%'),
      compare(errorRate(), { group: 'errors', critical: true }),
      compare(latency('p99'), { group: 'speed', tolerance: '10%' }),
    ],
    score: { weights: { errors: 60, speed: 40 }, pass: 95, marginal: 75 },
  },
  background: { metrics: [compare(memory(), { group: 'memory' })], score: {} },
})

const scanned = (line: string): Check => command(line).passes()

const checked = (s: Stage) =>
  s
    .gate('piece: lint', command('npm run lint').passes())
    .step('lines', async () => 1200, { idempotent: true })

const signed = (s: Stage<Shape, Output<'image', { digest: string }>>) =>
  s.step('signature', ({ outputs }) => ({ of: outputs.image.digest }), { idempotent: true })

const named =
  <const Name extends string>(name: Name) =>
  (s: Stage) =>
    s.step(`named-${name}`, () => name.length, { idempotent: true })

export default release('phoenix', {
  version,
  codename: 'Phoenix',
  targetDate: '2024-03-15',
  components: [...services, web],
  params: [version, pace, size, dry, shards, pause],
  secrets: [token, key],
  approvers: { 'release-manager': [{ person: 'alice@techcorp.example', key: 'ssh-ed25519 AAAA' }] },
  concurrency: 8,
})
  .stage('preflight', s =>
    s
      .gate(
        'unit tests',
        coverage('npm test', { metric: 'branches', report: 'coverage/lcov.info' }).atLeast(90),
      )
      .gate('scan', scanned('npm run scan'), {
        timeout: '10m',
        retry: { limit: 2, delay: '1s', maxDelay: '1m' },
      })
      .gate('audit', command(['npm', 'audit'], { cwd: 'web' }).passes(), { required: false, retry: 1 })
      .gate('old answer', http('https://techcorp.example/health', { method: 'HEAD' }).answers())
      .gate('params fit', ({ params }) => {
        same<
          typeof params,
          {
            readonly version: string
            readonly pace: 'quick' | 'real'
            readonly size: 1 | 2 | 4
            readonly dry: boolean
            readonly shards: number
            readonly pause: string
          }
        >(true)
        return { passed: params.shards % params.size === 0, summary: `${params.shards} shards` }
      })
      .gate('not dry', async ({ params }) => !params.dry),
  )
  .stage('build', { after: ['preflight'] }, s =>
    s
      .step(
        'image',
        async ({ $, log, signal, version, fence, secrets }) => {
          const value = await secrets.TOKEN()
          const shell = $({ cwd: 'web', env: { TOKEN: value }, quiet: true })
          const digest = await shell`npm run image -- ${version} ${['--fence', fence]} ${true}`.text()
          const { exitCode, stdout } = await shell`npm run lint`.nothrow().quiet()
          const lines = await $`git log --oneline`.lines()
          const report = await $`npm run --silent report`.json<{ ok: boolean }>()
          log(`${stdout.length} ${exitCode} ${lines.length} ${report.ok} ${signal.aborted}`)
          return { digest, tags: ['latest', version], pushed: undefined as string | undefined }
        },
        {
          retry: 3,
          timeout: '15m',
          undo: async ({ $, value, outputs }) => {
            same<typeof outputs, { readonly [name in never]: never }>(true)
            if (value) await $`npm run drop -- ${value.digest}`
          },
          observe: async ({ $ }) => {
            const known = (await $`npm run --silent known`.text()).trim()
            return known === '' ? undefined : { digest: known, tags: [], pushed: undefined }
          },
        },
      )
      .use(signed)
      .use(checked)
      .use(named('api'))
      .use(s =>
        s.step('inline', ({ outputs, params }) => `${params.pace} ${outputs.signature.of}`, {
          idempotent: true,
        }),
      )
      .step('told', ({ log }) => log('built'), { undo: 'none', retry: { limit: 1 } })
      .step('readable', ({ outputs }) => {
        same<
          typeof outputs,
          {
            readonly image: { digest: string; tags: string[]; pushed: string | undefined }
            readonly signature: { of: string }
            readonly lines: number
            readonly 'named-api': number
            readonly inline: string
            readonly told: null
          }
        >(true)
      }),
  )
  .stage('audit', { after: [] }, s => s.step('audited', () => true, { idempotent: true }))
  .stage('assets', { after: ['build'], onFailure: 'continue-partial' }, s =>
    s
      .parallel(p =>
        p
          .gate('size', ({ outputs }) => outputs.lines < 5000)
          .each(['css', 'js'], (p, kind) =>
            p.step(`asset-${kind}`, async () => ({ kind, bytes: 10 }), { idempotent: true }),
          )
          .each(['a', 'b'] as const, (p, kind) => p.sequence(s => s.step(`part-${kind}`, () => kind)))
          .sequence(s =>
            s
              .step('first', () => 1, { idempotent: true })
              .step('second', ({ outputs }) => outputs.first + 1, { idempotent: true }),
          )
          .use(named('web'))
          .wait('1s')
          .approval('assets', { from: { designer: 1 } })
          .deploy([web], { to: staging })
          .notify(operations),
      )
      .each(services, (s, item) => s.step(`notes-${item.name}`, () => item.name, { idempotent: true }))
      .sequence(s => s.step('third', ({ outputs }) => outputs.second + 1, { idempotent: true }))
      .step('all', ({ outputs }) => {
        same<(typeof outputs)['asset-css'], { kind: 'css' | 'js'; bytes: number }>(true)
        same<(typeof outputs)['part-a'], 'a' | 'b'>(true)
        same<(typeof outputs)['notes-order-service'], 'auth-service' | 'payment-service' | 'order-service'>(
          true,
        )
        return [outputs.first, outputs.second, outputs.third, outputs['named-web'], outputs['named-api']]
      }),
  )
  .stage('late', { after: ['assets'] }, s =>
    s.gate('sees what assets saw', ({ outputs }) => {
      same<typeof outputs.image.digest, string>(true)
      same<'audited' extends keyof typeof outputs ? true : false, false>(true)
      return outputs.third > outputs.lines
    }),
  )
  .stage('staging', s =>
    s
      .deploy(services, { to: staging, with: rolling({ batch: 1 }) })
      .deploy([web], { to: staging, with: scored })
      .deploy([web], { to: staging, with: allAtOnce({ progressDeadline: '2m' }), order: 'needs' })
      .gate('answers', http({ component: auth, in: staging, path: '/health' }).answers(204))
      .step('smoke', async ({ $, outputs }) => {
        same<typeof outputs.audited, boolean>(true)
        same<(typeof outputs)['asset-js'], { kind: 'css' | 'js'; bytes: number }>(true)
        same<(typeof outputs)['part-b'], 'a' | 'b'>(true)
        same<(typeof outputs)['named-web'], number>(true)
        await $`npm run smoke -- ${outputs.image.digest} ${String(outputs.all.length)}`
      }),
  )
  .stage('go-live', s =>
    s.approval('go live', { from: { 'release-manager': 1, 'platform-owner': 1 }, expires: '3d', self: true }),
  )
  .stage('production', { onFailure: 'rollback-dependents' }, s =>
    s
      .deploy(services, {
        to: production,
        with: rolling({
          batch: '25%',
          maxUnavailable: pace.pick({ quick: 1, real: '10%' }),
          progressDeadline: pause,
        }),
      })
      .wait(pace.pick({ quick: '2s', real: '30m' }))
      .wait(pause)
      .wait('1.5h'),
  )
  .stage('announce', { onFailure: 'stop' }, s =>
    s
      .notify(operations, { message: '{release} {version} is out' })
      .notify(webhook('https://techcorp.example/hook'), { required: true }),
  )
  .onFailure('rollback-all', { rollback: 'staged' })
  .guard({
    for: pace.pick({ quick: '1m', real: '24h' }),
    every: '30s',
    triggers: [
      trigger(errorRate().above('5%'), { period: '2m', breaches: 3 }),
      trigger(errorRate().above('5%'), { period: '2m', breaches: 3, of: 5, aggregate: 'max' }),
      trigger(latency('p95').above('2s'), { within: '10m', breaches: 5 }),
      trigger(memory().atLeast(1024 ** 3), { lasting: '15m' }),
    ],
    anomalies: { deviations: 5, points: 30 },
  })
same<ReturnType<typeof modelOf> extends null | { readonly name: string } ? true : false, true>(true)
