/**
 * What a simulation proves and what it refutes, on definitions that are small enough to know the answer.
 */
import { expect, test } from 'vitest'
import { judgeCase } from '../../runner/simulate/judge-case.ts'
import { simulate } from '../../runner/simulate/simulate.ts'
import { simulateCase } from '../../runner/simulate/simulate-case.ts'
import {
  allAtOnce,
  blueGreen,
  canary,
  command,
  environment,
  errorRate,
  latency,
  local,
  release,
  rolling,
  service,
} from '../../src/index.ts'
import type { LiveFact, Plan } from '../../src/plan/plan.ts'
import { planOf } from './compile-rig.ts'

const db = service('db', { critical: true, instances: 2 })
const api = service('api', { critical: true, needs: [db], instances: 2 })
const mail = service('mail', { needs: [db] })
const prod = environment('prod', { on: local() })
const shop = () => release('shop', { version: '2.0.0', components: [db, api, mail] })

const OLD: LiveFact = { version: '1.0.0', digest: 'a'.repeat(64) }
const live = { prod: { db: OLD, api: OLD, mail: OLD } }

async function holesOf(plan: Plan): Promise<readonly string[]> {
  const result = await simulate({ plan, duration: () => 1000, seeds: 2, most: 40 })
  expect(result.byKind.faults.tried).toBe(result.byKind.faults.of)
  return result.holes.map(({ kind, node }) => `${kind} ${node}`)
}

test('a release whose every effect can be taken back has no hole', async () => {
  const plan = planOf(
    shop()
      .stage('check', s => s.gate('tests', command('true').passes()))
      .stage('migrate', s =>
        s.step('migrate', () => ({ from: 1 }), { undo: () => {}, observe: () => undefined }),
      )
      .stage('prod', s => s.deploy([db, api, mail], { to: prod, with: rolling({ batch: 1 }) }))
      .stage('smoke', s => s.step('smoke', () => {}, { idempotent: true, undo: 'not-needed' })),
    { live },
  )
  expect(await holesOf(plan)).toEqual([])
})

test('a migration that nothing can undo, before what can fail, is a hole', async () => {
  const plan = planOf(
    shop()
      .stage('migrate', s => s.step('migrate', () => {}, { undo: 'none', idempotent: true }))
      .stage('prod', s => s.deploy([db, api], { to: prod, with: allAtOnce() })),
    { live },
  )
  expect(await holesOf(plan)).toEqual(['cannot-be-undone migrate/migrate'])
})

test('the same migration is none where what follows stops instead of going back', async () => {
  const plan = planOf(
    shop()
      .stage('migrate', { onFailure: 'stop' }, s =>
        s.step('migrate', () => {}, { undo: 'none', idempotent: true }),
      )
      .stage('prod', { onFailure: 'stop' }, s => s.deploy([db, api], { to: prod, with: allAtOnce() })),
    { live },
  )
  expect(await holesOf(plan)).toEqual([])
})

test('a publication without undo is a hole as long as anything after it can fail', async () => {
  const base = shop().stage('prod', s => s.deploy([db], { to: prod }))
  const publish = { idempotent: true } as const
  const last = planOf(
    base.stage('publish', s => s.step('publish', () => {}, { ...publish, undo: 'none' })),
    { live },
  )
  const before = planOf(
    base
      .stage('publish', s => s.step('publish', () => {}, publish))
      .stage('tell', s => s.step('tell', () => {}, { idempotent: true, undo: 'not-needed' })),
    { live },
  )
  // The last step of all can still fail half-way through itself.
  expect(await holesOf(last)).toEqual(['cannot-be-undone publish/publish'])
  expect(await holesOf(before)).toEqual(['cannot-be-undone publish/publish'])
})

test('a step of which nobody could tell whether it happened is found by killing the runner in it', async () => {
  const plan = planOf(
    shop().stage('once', s => s.step('once', () => {}, { undo: () => {} })),
    { live },
  )
  const result = await simulate({ plan, duration: () => 1000, seeds: 1, most: 5000 })
  expect(result.holes.map(({ kind, node, because }) => ({ kind, node, because }))).toMatchInlineSnapshot(`
    [
      {
        "because": "the runner is killed after write 3",
        "kind": "asks-a-person",
        "node": "once/once",
      },
    ]
  `)
})

test('rollback-dependents leaves what was under way elsewhere on two versions', async () => {
  const other = service('other', { critical: true, instances: 3 })
  const plan = planOf(
    release('two', { version: '2.0.0', components: [db, other] })
      .stage('prod', s => s.deploy([db, other], { to: prod, with: rolling({ batch: 1 }) }))
      .onFailure('rollback-dependents'),
    { live: { prod: { db: OLD, other: OLD } } },
  )
  expect(await holesOf(plan)).toContain('left-half prod/other/verify')
})

test('old instances that are taken out before the new ones are healthy are missed where a failure stops', async () => {
  const plan = (policy: 'stop' | 'rollback-all') =>
    planOf(
      shop()
        .stage('prod', s => s.deploy([db], { to: prod, with: rolling({ batch: 2, maxUnavailable: 2 }) }))
        .onFailure(policy),
      { live },
    )
  expect(await holesOf(plan('stop'))).toEqual(['gone prod/db/verify'])
  expect(await holesOf(plan('rollback-all'))).toEqual([])
})

test('old is as many instances as ran before, and nothing else', async () => {
  const plan = (of: typeof live | undefined) =>
    planOf(
      shop().stage('prod', s => s.deploy([db], { to: prod, with: rolling({ batch: 1 }) })),
      of === undefined ? {} : { live: of },
    )
  const faults = [{ node: 'prod/db/rolling/2', kind: 'never-healthy', undo: false }] as const
  const holesWithout = async (of: typeof live | undefined, ...slots: readonly number[]) => {
    const options = { plan: plan(of), faults, duration: () => 1000, crash: null, seed: 0 }
    const result = await simulateCase(options)
    for (const slot of slots) result.world.placeOf('prod', 'db').stable.delete(slot)
    return judgeCase(options.plan, faults, result).map(({ kind, left }) => `${kind}: ${left}`)
  }
  const said = (count: number) =>
    `gone: db in prod is left with ${count} of the 2 instances that ran before, and none of the new version`
  expect(await holesWithout(live)).toEqual([])
  expect(await holesWithout(live, 1)).toEqual([said(1)])
  expect(await holesWithout(live, 0, 1)).toEqual([said(0)])
  // A first deployment that is taken back leaves nothing.
  expect(await holesWithout(undefined)).toEqual([])
})

test('what needs a failure that the rest goes on from stays old, as it was promised', async () => {
  const plan = planOf(
    shop()
      .stage('check', s => s.gate('tests', command('true').passes()))
      .stage('prod', s => s.deploy([db, api], { to: prod, with: rolling({ batch: 1 }) }))
      .onFailure('continue-partial'),
    { live },
  )
  expect(await holesOf(plan)).toEqual([])
  const faults = [{ node: 'check/tests', kind: 'fails', undo: false }] as const
  const result = await simulateCase({ plan, faults, duration: () => 1000, crash: null, seed: 0 })
  const [slot] = [...result.world.slotsOf('prod', 'db').values()]
  result.world.placeOf('prod', 'db').stable.set(0, { ...slot!, env: {} })
  expect(judgeCase(plan, faults, result).map(({ kind, node }) => `${kind} ${node}`)).toEqual([
    'left-half prod/db/verify',
  ])
})

test('what runs after a rollback is held against the journal, and a difference is a hole', async () => {
  const plan = planOf(
    shop().stage('prod', s => s.deploy([db], { to: prod, with: rolling({ batch: 1 }) })),
    { live },
  )
  const faults = [{ node: 'prod/db/rolling/2', kind: 'never-healthy', undo: false }] as const
  const result = await simulateCase({ plan, faults, duration: () => 1000, crash: null, seed: 0 })
  const [rollback] = result.state.rollbacks
  expect(rollback?.validated?.components.map(({ component, ok }) => ({ component, ok }))).toEqual([
    { component: 'db', ok: true },
  ])
  const [seen] = rollback!.validated!.components
  const differs = [{ ...seen!, ok: false, differs: ['nothing runs in slot 0, where 1.0.0 should'] }]
  rollback!.validated = { ...rollback!.validated!, ok: false, components: differs }
  expect(judgeCase(plan, faults, result).map(({ kind, left }) => ({ kind, left }))).toEqual([
    {
      kind: 'not-as-promised',
      left: 'after the rollback db in prod is not as the journal says: nothing runs in slot 0, where 1.0.0 should',
    },
  ])
  const problem = 'nothing runs in slot 0, where 1.0.0 should'
  const place = { environment: 'prod', component: 'db' }
  const recoveries = [{ ...place, name: 'restart', problem, outcome: 'mended', detail: 'it runs' }] as const
  rollback!.validated = { ok: true, components: [seen!], recoveries }
  expect(judgeCase(plan, faults, result).map(({ left }) => left)).toEqual([
    `after the rollback db in prod had to be mended: ${problem}`,
  ])
})

test('a promotion that fails half-way where a failure stops is mended as the journal says it is', async () => {
  const plan = planOf(
    shop()
      .stage('prod', s =>
        s.deploy([db], { to: prod, with: blueGreen({ analysis: [errorRate().below('1%')] }) }),
      )
      .onFailure('stop'),
    { live },
  )
  const faults = [{ node: 'prod/db/blue-green/promote', kind: 'half-promoted', undo: false }] as const
  const result = await simulateCase({ plan, faults, duration: () => 1000, crash: null, seed: 0 })
  expect(result.state.rollbacks.map(({ scope, validated }) => [scope.kind, validated?.ok])).toEqual([
    ['traffic', true],
  ])
  expect(result.state.rollbacks[0]?.validated?.recoveries[0]?.problem).toContain('slot 0 runs 2.0.0')
  expect(judgeCase(plan, faults, result)).toEqual([])
})

test('a component that is not critical is taken back alone', async () => {
  const plan = planOf(
    shop().stage('prod', s => s.deploy([db, mail], { to: prod, with: rolling({ batch: 1 }) })),
    { live },
  )
  expect(await holesOf(plan)).toEqual([])
})

test('what hangs is ended by its time limit, attempt after attempt', async () => {
  const plan = planOf(
    shop()
      .stage('check', s => s.gate('tests', command('true').passes(), { timeout: '20m', retry: 1 }))
      .stage('migrate', s =>
        s.step('migrate', () => {}, { undo: () => {}, idempotent: true, timeout: '2h', retry: 0 }),
      ),
    { live },
  )
  const ends = async (node: string, kind: 'fails' | 'hangs') => {
    const one = { plan, duration: () => 1000, crash: null, seed: 0 }
    const { events, state, world } = await simulateCase({ ...one, faults: [{ node, kind, undo: false }] })
    const begun = events.filter(event => event.type === 'node-started' && event.node === node)
    const failures = events.flatMap(event =>
      (event.type === 'node-failed' || event.type === 'node-retrying') && event.node === node
        ? [event.failure.code]
        : [],
    )
    const failed = events.find(event => event.type === 'node-failed')!
    return {
      failures,
      minutes: Math.floor((failed.at - begun.at(-1)!.at) / 60_000),
      step: world.stepState('migrate'),
      outcome: state.outcome,
    }
  }
  const failed = { outcome: 'failed' }
  expect(await ends('check/tests', 'fails')).toEqual({
    ...failed,
    failures: ['simulated', 'simulated'],
    minutes: 0,
    step: 'not-begun',
  })
  expect(await ends('check/tests', 'hangs')).toEqual({
    ...failed,
    failures: ['time-limit', 'time-limit'],
    minutes: 20,
    step: 'not-begun',
  })
  expect(await ends('migrate/migrate', 'hangs')).toEqual({
    ...failed,
    failures: ['time-limit'],
    minutes: 120,
    step: 'undone',
  })
})

const analysis = [errorRate().below('1%'), latency('p95').below('500ms')]
const steps = { steps: [10, 100], every: '30m', analysis, background: [errorRate().below('5%')] } as const

test.for([
  { name: 'a canary of each component', with: canary({ ...steps, baseline: true }), order: 'needs' },
  { name: 'a canary in lockstep', with: canary(steps), order: 'lockstep' },
  {
    name: 'a switch',
    with: blueGreen({ preview: { metrics: analysis, for: '1m' }, analysis }),
    order: 'needs',
  },
] as const)('$name leaves no traffic divided, whatever fails', async ({ with: strategy, order }) => {
  const plan = planOf(
    shop().stage('prod', s => s.deploy([db, api], { to: prod, with: strategy, order })),
    { live },
  )
  const result = await simulate({ plan, duration: () => 1000, seeds: 1, most: 30 })
  expect(result.holes).toEqual([])
  expect(result.unwatched).toEqual([])
})

test('a migration that nothing can undo, before a canary, is left to the old version', async () => {
  const plan = planOf(
    shop()
      .stage('migrate', s => s.step('migrate', () => {}, { undo: 'none', idempotent: true }))
      .stage('prod', s => s.deploy([db], { to: prod, with: canary({ steps: [100], every: '1m' }) })),
    { live },
  )
  const result = await simulate({ plan, duration: () => 1000, seeds: 1, most: 40 })
  expect(result.holes.map(({ kind, node }) => `${kind} ${node}`)).toEqual(['freezes migrate/migrate'])
  expect(result.unwatched.map(({ component }) => component)).toEqual(['db'])
})

test('the same plan and seeds give the same answer, with a timeline in virtual time', async () => {
  const plan = planOf(
    shop()
      .stage('wait', s => s.wait('3d'))
      .stage('prod', s => s.deploy([db], { to: prod, with: rolling({ batch: 1 }) })),
    { live },
  )
  const options = { plan, duration: () => 1000, seeds: 1, most: 40 }
  const [one, two] = [await simulate(options), await simulate(options)]
  expect(one).toEqual(two)
  expect(one.expected).toBe(3 * 86_400_000 + 3000)
})

test('of a sample only kills are left out: every fault is tried', async () => {
  const plan = planOf(
    shop().stage('prod', s => s.deploy([db, api, mail], { to: prod })),
    { live },
  )
  const result = await simulate({ plan, duration: () => 1, seeds: 1, most: 10 })
  const { faults, undoFaults, kills, killsAfterFaults } = result.byKind
  expect(faults).toEqual({ tried: 11, of: 11 })
  expect(undoFaults).toEqual({ tried: 5, of: 5 })
  expect(kills).toEqual({ tried: 5, of: 49 })
  expect(killsAfterFaults.tried).toBe(5)
  expect(killsAfterFaults.of).toBeGreaterThan(200)
  expect(result.covered.cases).toBe(1 + 11 + 5 + 10)
  expect(result.covered.of).toBe(1 + 11 + 5 + 49 + killsAfterFaults.of)
})

test('where a failure stops and takes nothing back, what could be is said not to have been tried', async () => {
  const plan = (policy: 'stop' | 'rollback-all') =>
    planOf(
      shop()
        .stage('migrate', { onFailure: policy }, s =>
          s.step('migrate', () => {}, { undo: () => {}, idempotent: true }),
        )
        .stage('prod', { onFailure: 'stop' }, s => s.deploy([db], { to: prod })),
      { live },
    )
  const options = { duration: () => 1000, seeds: 1, most: 2 }
  const stopping = await simulate({ ...options, plan: plan('stop') })
  expect(stopping.byKind.undoFaults).toEqual({ tried: 0, of: 0 })
  const rolled = ['prod/db/rolling/1', 'prod/db/rolling/2']
  expect(stopping.unreached).toEqual(['migrate/migrate', ...rolled])
  // What comes last stops: the step's own failure is what takes it back.
  const some = await simulate({ ...options, plan: plan('rollback-all') })
  expect(some.byKind.undoFaults).toEqual({ tried: 1, of: 1 })
  expect(some.unreached).toEqual(rolled)
})

test('the runner is killed while a failure is taken back as well, and whoever resumes takes back the rest', async () => {
  const plan = planOf(
    shop()
      .stage('migrate', s => s.step('migrate', () => {}, { undo: () => {}, idempotent: true }))
      .stage('prod', s => s.deploy([db], { to: prod, with: rolling({ batch: 1 }) })),
    { live },
  )
  const faults = [{ node: 'prod/db/rolling/2', kind: 'never-healthy', undo: false }] as const
  const one = { plan, duration: () => 1000, faults, seed: 0 }
  const { events } = await simulateCase({ ...one, crash: null })
  const planned = events.findIndex(event => event.type === 'rollback-planned') + 1
  expect(planned).toBeGreaterThan(1)
  for (let written = planned; written < events.length; written += 1) {
    const killed = await simulateCase({ ...one, crash: { written, moment: 'after' } })
    const taken = killed.events.findLastIndex(event => event.type === 'runner-attached') + 1
    expect(taken).toBeGreaterThan(planned)
    expect(judgeCase(plan, faults, killed)).toEqual([])
  }
  const result = await simulate({ plan, duration: () => 1000, seeds: 1, most: 1000 })
  expect(result.covered.cases).toBe(result.covered.of)
  expect(result.byKind.killsAfterFaults.of).toBeGreaterThan(2 * (events.length - planned))
  expect(result.holes).toEqual([])
})
