/** The plan as a whole: one text for one input, as its schema says, in an order that can be run, in good time. */
import { describe, expect, test } from 'vitest'
import { validate } from '../../runner/load/validate.ts'
import {
  command,
  coverage,
  environment,
  http,
  local,
  modelOf,
  param,
  release,
  rolling,
  secret,
  service,
  slack,
} from '../../src/index.ts'
import { canonicalJson, isIntact } from '../../src/plan/canonical.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { people, planOf, sha256 } from './compile-rig.ts'

const digest = 'a'.repeat(64)

/** A definition with something of everything, made anew at each call. */
const everything = () => {
  const version = param('version', { default: '3.0.0' })
  const pace = param('pace', { choices: ['quick', 'real'], default: 'real' })
  const hook = secret('HOOK', { command: ['pass', 'show', 'hook'] })
  const auth = service('auth', {
    critical: true,
    instances: { production: 2 },
    env: { HOOK: hook, PACE: pace },
  })
  const pay = service('pay', { needs: [auth.range('^3.0.0')], group: 3 })
  const web = service('web', { needs: [auth, pay], start: ['node', 'web.js'], health: '/up' })
  const staging = environment('staging', { on: local() })
  const production = environment('production', { on: local({ cluster: 'c' }), protect: true })
  const step = { undo: 'not-needed', idempotent: true } as const
  return release('everything', {
    version,
    codename: 'All',
    targetDate: '2026-11-21',
    components: [web, auth, pay],
    params: [version, pace],
    secrets: [secret('FILE', { file: 'token' })],
    approvers: 'approvers',
    concurrency: 3,
  })
    .stage('preflight', s =>
      s.parallel(p =>
        p
          .gate('tests', coverage('npm test').atLeast(90))
          .gate('scan', command('npm run scan').passes(), { required: false })
          .gate('page', http('https://techcorp.example/').answers(), { retry: 2 })
          .gate('own', () => true),
      ),
    )
    .stage('staging', s =>
      s
        .deploy([auth, pay, web], { to: staging })
        .gate('up', http({ component: web, in: staging, path: '/' }).answers())
        .step('smoke', () => {}, step),
    )
    .stage('docs', { after: ['preflight'], onFailure: 'stop' }, s => s.step('docs', () => {}, step))
    .stage('go', s => s.approval('go', { from: { boss: 1 }, expires: '3d' }))
    .stage('production', s =>
      s.deploy([auth, pay, web], { to: production, with: rolling({ batch: '50%', maxUnavailable: 1 }) }),
    )
    .stage('announce', s =>
      s.wait(pace.pick({ quick: '1s', real: '30m' })).notify(slack(hook, '#all'), { message: '{version}' }),
    )
    .onFailure('rollback-dependents')
}
const world = {
  approvers: people({ 'alice@x': ['boss'] }),
  live: {
    staging: { auth: { version: '2.9.0', digest }, pay: null, web: null },
    production: { auth: null, pay: null, web: { version: '2.9.0', digest } },
  },
}
const planned = (params = {}) => planOf(everything(), { ...world, params })

describe('one text for one input', () => {
  test('made twice, the plan is the same to the last byte', () => {
    const [once, again] = [planned(), planned()]
    expect(JSON.stringify(again)).toBe(JSON.stringify(once))
    expect(canonicalJson(again)).toBe(canonicalJson(once))
    expect(isIntact(once, sha256)).toBe(true)
  })

  test('another param, another live version, another source, another bundle: another hash', () => {
    const live = { ...world.live, staging: { ...world.live.staging, auth: null } }
    const hashes = [
      planned().hash,
      planned({ version: '3.0.1' }).hash,
      planned({ pace: 'quick' }).hash,
      planOf(everything(), { ...world, live }).hash,
      planOf(everything(), { ...world, approvers: people({ 'bob@x': ['boss'] }) }).hash,
    ]
    expect(new Set(hashes).size).toBe(hashes.length)
  })

  test('nothing of a definition is changed by compiling it', () => {
    const definition = everything()
    const before = JSON.stringify(modelOf(definition))
    planOf(definition, world)
    expect(JSON.stringify(modelOf(definition))).toBe(before)
  })
})

describe('a plan', () => {
  test('is as its schema says', async () => {
    expect(await validate('plan', JSON.parse(JSON.stringify(planned())))).toEqual([])
  })

  test('holds no function and no secret value, and every place', () => {
    const plan = planned()
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
    expect(plan.secrets).toEqual([
      { name: 'FILE', from: 'file', path: 'token' },
      { name: 'HOOK', from: 'command', argv: ['pass', 'show', 'hook'] },
    ])
    const placed = new Set(Object.keys(plan.positions))
    const without = plan.nodes.filter(({ key, operation }) => operation.kind !== 'join' && !placed.has(key))
    expect(without).toEqual([])
    expect(plan.stages.filter(({ name }) => !placed.has(`stage:${name}`))).toEqual([])
    expect(plan.components.filter(({ name }) => !placed.has(`component:${name}`))).toEqual([])
  })

  test('has no node before one that it waits for, and no key twice', () => {
    expect(disorder(planned())).toEqual([])
  })
})

/** Nodes that stand before one that they wait for, wait for one that is not there, or stand twice. */
function disorder(plan: Plan): readonly string[] {
  const seen = new Set<string>()
  return plan.nodes.flatMap(({ key, needs, after }) => {
    const wrong = [...needs, ...after].some(other => !seen.has(other)) || seen.has(key)
    seen.add(key)
    return wrong ? [key] : []
  })
}

describe('big definitions', () => {
  const timed = (name: string, make: () => unknown): Plan => {
    const definition = make()
    const start = performance.now()
    const plan = planOf(definition)
    const millis = performance.now() - start
    const edges = plan.nodes.reduce((sum, { needs, after }) => sum + needs.length + after.length, 0)
    console.log(`${name}: ${plan.nodes.length} nodes, ${edges} edges in ${millis.toFixed(0)} ms`)
    return plan
  }
  const chain = (length: number) => () => {
    let made = release('chain', { version: '1.0.0' }) as unknown as {
      stage(
        name: string,
        build: (s: { gate(name: string, check: () => boolean): unknown }) => unknown,
      ): typeof made
    }
    for (let i = 0; i < length; i += 1) made = made.stage(`s${i}`, s => s.gate(`g${i}`, () => true))
    return made
  }

  test('a chain of 2,000 stages has 1,999 edges, each to the stage before', () => {
    timed('500 stages', chain(500))
    const plan = timed('2,000 stages', chain(2000))
    expect(
      plan.stages.every(({ after }, i) => (i === 0 ? after.length === 0 : after[0] === `s${i - 1}`)),
    ).toBe(true)
    expect(plan.nodes.flatMap(({ needs }) => needs)).toHaveLength(1999)
    expect(disorder(plan)).toEqual([])
  })

  test('100 components of 5 instances in two environments', () => {
    const many: ReturnType<typeof service>[] = []
    for (let i = 0; i < 100; i += 1) {
      const needs = [i - 1, i - 10, i - 17].flatMap(n => (many[n] === undefined ? [] : [many[n]]))
      many.push(service(`c${i}`, { instances: 5, needs }))
    }
    const plan = timed('100 components', () =>
      release('many', { version: '1.0.0', components: many })
        .stage('staging', s => s.deploy(many, { to: environment('staging', { on: local() }) }))
        .stage('production', s => s.deploy(many, { to: environment('production', { on: local() }) })),
    )
    expect(plan.nodes).toHaveLength(2 * 100 * 7 + 1)
    expect(disorder(plan)).toEqual([])
  })
})
