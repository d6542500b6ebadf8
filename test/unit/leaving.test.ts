/** Runs that are left or cancelled in the middle of a canary: the real engine, in virtual time. */
import { expect, test } from 'vitest'
import { type Ended, runEngine } from '../../runner/engine/engine.ts'
import { createPerformer } from '../../runner/engine/perform.ts'
import { SimulatedRun, simulatedGround } from '../../runner/engine/simulated-ground.ts'
import { ModelWorld } from '../../runner/simulate/model-world.ts'
import { analysisText } from '../../runner/views/report-words.ts'
import { canary, environment, errorRate, local, release, service } from '../../src/index.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { buildReport } from '../../src/run/build-report.ts'
import type { RunEvent, Unstamped } from '../../src/run/events.ts'
import { foldRun } from '../../src/run/fold.ts'
import type { ReportMeasure } from '../../src/run/report.ts'
import { planOf, sha256 } from './compile-rig.ts'

const production = environment('production', { on: local() })
const one = service('one')
const live = { production: { one: { version: '1.0.0', digest: sha256('old') } } }
const START = 1_767_225_600_000
const HOUR = 3_600_000

interface Played {
  readonly ended: Ended
  readonly hours: number
  readonly events: readonly string[]
  readonly journal: readonly RunEvent[]
}

/** One runner without any patience; after an hour somebody cancels. */
async function play(plan: Plan): Promise<Played> {
  const run = new SimulatedRun(START)
  const world = new ModelWorld({ plan, fault: [], duration: () => 1000 })
  const holder = { run: 'r', who: 'ann', host: 'here', pid: 1, cwd: '', since: START }
  const ground = simulatedGround({ run, seed: 1, holder })
  run.post('run', { type: 'stop', by: 'cancel', who: 'ann' }, START + HOUR)
  const ended = await runEngine({
    state: foldRun(plan, []),
    opening: openingOf(plan),
    port: ground,
    perform: task => {
      const undoing = task.work.rollback !== null
      const place = { node: task.work.node, undoing, clock: ground.clock, signal: task.context.signal }
      return createPerformer(world.worldFor(place))(task)
    },
    signatures: { verify: () => Promise.reject(new Error('nobody approves')) },
    patience: 0,
    now: () => ground.clock.now(),
  })
  const events = run.events.flatMap(event =>
    'node' in event ? [`${event.type} ${event.node}`] : [event.type],
  )
  return { ended, hours: (ground.clock.now() - START) / HOUR, events, journal: run.events }
}

const openingOf = ({ hash, bundle, release: { name, version } }: Plan): readonly Unstamped[] => {
  const run = { run: 'r', release: name, version, plan: hash, bundle, who: 'ann', only: null }
  return [
    { type: 'run-started', ...run },
    { type: 'runner-attached', who: 'ann', host: 'here', pid: 1, interpreter: 1 },
  ]
}

const waiting = (share: number): Plan =>
  planOf(
    release('r', { version: '2.0.0', components: [one] })
      .stage('production', s =>
        s.deploy([one], {
          to: production,
          with: canary({
            steps: [
              ...(share < 100 ? [{ weight: share, approval: { name: 'go on', from: { ops: 1 } } }] : []),
              100,
            ],
            every: '1m',
            analysis: [errorRate().below('1%')],
          }),
        }),
      )
      .stage('after', s => s.approval('announce', { from: { ops: 1 } })),
    { live },
  )

test('when all is promoted, a run that waits for a person is left at once', async () => {
  const { ended, hours } = await play(waiting(100))
  expect(ended).toEqual({ type: 'left', why: 'waiting', waiting: ['after/announce'] })
  expect(hours).toBeLessThan(0.5)
})

test('while a person is asked in the middle of a canary it stays, and a cancel takes the traffic back', async () => {
  const { ended, hours, events } = await play(waiting(20))
  expect(ended).toEqual({ type: 'finished', outcome: 'cancelled' })
  expect(hours).toBeGreaterThanOrEqual(1)
  expect(events).not.toContain('run-left')
  expect(events.slice(events.indexOf('stop-asked'))).toMatchInlineSnapshot(`
    [
      "stop-asked",
      "node-cancelled production/one/canary/20/go on",
      "node-skipped production/one/canary/100/shift",
      "node-skipped production/one/canary/100/analyse",
      "node-skipped production/one/canary/promote",
      "node-skipped production/one/verify",
      "rollback-planned",
      "node-started rollback/1/production/one/canary/20/shift",
      "node-succeeded rollback/1/production/one/canary/20/shift",
      "node-started rollback/1/production/one/canary/20/start",
      "node-succeeded rollback/1/production/one/canary/20/start",
      "rollback-finished",
      "node-skipped after/announce",
      "run-finished",
    ]
  `)
})

test('an analysis that is stopped leaves what it had measured, and has decided nothing', async () => {
  const steps = [20, 100].map(weight => ({ weight }))
  const plan = planOf(
    release('r', { version: '2.0.0', components: [one] }).stage('production', s =>
      s.deploy([one], {
        to: production,
        with: canary({ steps, every: '2h', analysis: [errorRate().below('1%')] }),
      }),
    ),
    { live },
  )
  const { ended, journal } = await play(plan)
  expect(ended).toEqual({ type: 'finished', outcome: 'cancelled' })
  const { analyses } = buildReport(plan, journal)
  expect(analyses).toMatchObject([
    { node: 'production/one/canary/20/analyse', passed: false, cancelled: true },
  ])
  const [{ points }] = analyses[0]!.measures as [ReportMeasure]
  expect(points.length).toBeGreaterThan(0)
  expect(analysisText(analyses[0]!)).toMatch(/^stopped after .*, undecided$/)
})
