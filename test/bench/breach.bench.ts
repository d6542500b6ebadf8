/**
 * From the first bad answer to all requests back on the old version: the figure that a canary is for.
 *
 * Each trial is a whole `release run` of two services, `front` and `back`, under callers who ask fifty times a second on each
 * side. At a random moment of the canary's step `back` of the new version begins to answer with 500. The time begins when
 * the first such answer has come through the router, which is when it can be measured for the first time, and ends when the runner has
 * read back from the router that all requests go to the old version. No call that was sent after it may meet the new one.
 *
 * Nothing can be found out sooner than at the next look, so that the analysis's interval is what a trial is measured against.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { haproxyKind } from '../../runner/adapters/routers/haproxy/haproxy.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { type EvidencePoint, isEvidence } from '../../src/run/evidence.ts'
import { type Callers, startCallers } from '../rig/callers.ts'
import { CLUSTER, canariedDefinition, canariedProject } from '../rig/canaried.ts'
import { seeded } from '../rig/crash.ts'
import { haproxyMissing } from '../rig/haproxy.ts'
import type { TestProject } from '../rig/project.ts'
import { until } from '../rig/wait.ts'
import type { Bench, BenchContext, Row } from './table.ts'

const INTERVALS = [250, 1000]
const ORDERS = ['needs', 'lockstep'] as const
/** Callers a second; half of them are on the canary. */
const PER_SECOND = 100
/** What `errorRate().below('1%')` wants to have seen where nothing else is said. */
const ENOUGH = 100
const SEED = 20_261_121

type RouterName = 'gateway' | 'haproxy'
type Order = (typeof ORDERS)[number]

interface Trial {
  readonly interval: number
  /** Milliseconds from the first bad answer. */
  readonly verdict: number
  readonly back: number
  /** When the verdict would have come had all requests been waited for that it is to rest on. */
  readonly waited: number
}

interface Arena {
  readonly router: RouterName
  readonly on: string
  readonly project: TestProject
  readonly callers: Callers
}

export const rows: Bench = async context => {
  const routers: RouterName[] = ['gateway']
  const missing = await haproxyMissing()
  if (missing === null) routers.push('haproxy')
  else context.progress(missing)
  const found: Row[] = []
  for (const router of routers) {
    const arena = await openArena(router)
    try {
      found.push(...rowsOf(router, await trialsIn(arena, context)))
    } finally {
      await arena.callers.stop()
      await arena.project.dispose()
    }
  }
  return found
}

async function openArena(router: RouterName): Promise<Arena> {
  const on = `local({ cluster: '${CLUSTER}'${router === 'haproxy' ? ', router: haproxy()' : ''} })`
  const project = await canariedProject({ strategy: 'allAtOnce()', platform: on })
  const kind = router === 'haproxy' ? { router: haproxyKind } : {}
  const platform = localPlatform({ home: project.home, cluster: CLUSTER, ...kind })
  return {
    router,
    on,
    project,
    callers: startCallers(await platform.gateway('production'), { perSecond: PER_SECOND }),
  }
}

/** Fifty for each interval, half of them in each order, in turns. */
async function trialsIn(arena: Arena, { quick, progress }: BenchContext): Promise<readonly Trial[]> {
  const random = seeded(SEED)
  const trials: Trial[] = []
  const turns = quick ? 5 : 25
  for (let turn = 1; turn <= turns; turn += 1) {
    progress(`${arena.router}: ${turn} of ${turns}`)
    for (const interval of INTERVALS) {
      for (const order of ORDERS) trials.push(await trial(arena, { order, interval, random }))
    }
  }
  return trials
}

interface Wanted {
  readonly order: Order
  readonly interval: number
  readonly random: () => number
}

async function trial({ project, callers, on }: Arena, { order, interval, random }: Wanted): Promise<Trial> {
  const strategy = `canary({ steps: [50, 100], every: '1m', analysis: { metrics: [errorRate().below('1%')], interval: '${interval}ms', patience: '10s' } })`
  project.write('release.config.ts', canariedDefinition(project.root, { strategy, order, platform: on }))
  project.write('fault', '')
  const before = new Set(project.runs())
  const running = project.start(['run', '--yes'])
  const watched =
    order === 'lockstep' ? 'production/front/canary/50/shift' : 'production/back/canary/50/shift'
  const run = await until('there is a run', () => project.runs().find(id => !before.has(id)))
  await until('the canary has its share', async () => timeOf(await project.events(run), watched))
  await pause(random() * Math.max(1500, 2 * interval))
  const first = callers.calls.length
  project.write('fault', 'back errors\n')
  const { code, stderr } = await running.exit
  if (code !== 1) throw new Error(`the run ended with ${code}:\n${stderr}`)
  const bad = callers.calls.slice(first).find(({ status }) => status >= 500)
  if (bad === undefined) throw new Error('nobody got a bad answer')
  const events = await project.events(run)
  const back = backAt(events)
  const late = callers.calls.filter(
    call => call.sent > back && `${call.front} ${call.back}`.includes('2.0.0'),
  )
  if (late.length > 0) throw new Error(`${late.length} calls met the new version after it was taken back`)
  const failed = events.find(event => event.type === 'node-failed')!
  return {
    interval,
    verdict: failed.at - bad.ended,
    back: back - bad.ended,
    waited: waitedFor(pointsOf(failed), interval) - bad.ended,
  }
}

const timeOf = (events: readonly RunEvent[], node: string): number | undefined =>
  events.find(event => event.type === 'node-succeeded' && event.node === node)?.at

/** When the last of the shares was taken back, and read back from the router. */
function backAt(events: readonly RunEvent[]): number {
  const shifts = events.filter(
    event => event.type === 'node-succeeded' && /^rollback\/1\/.*\/50\/shift$/.test(event.node),
  )
  if (shifts.length === 0) throw new Error('no traffic was taken back')
  return Math.max(...shifts.map(({ at }) => at))
}

function pointsOf(failed: RunEvent): readonly EvidencePoint[] {
  const evidence = 'evidence' in failed ? failed.evidence : null
  if (!isEvidence(evidence)) throw new Error('the failed analysis says nothing of what it had measured')
  return evidence.series[0]!.points
}

/**
 * The measurements that were made, and then others like the last: when there are enough requests for a verdict without
 * one that is certain before. Up to the first bad one, each hundred have made a point that passed.
 */
function waitedFor(points: readonly EvidencePoint[], interval: number): number {
  const last = points.at(-1)!
  let pooled = 0
  let isBad = false
  for (let n = 0; ; n += 1) {
    const [at, value, , requests] = points[n] ?? [
      last[0] + (n + 1 - points.length) * interval,
      1,
      null,
      last[3],
    ]
    pooled += requests ?? 0
    isBad ||= (value ?? 0) > 0
    if (pooled < ENOUGH) continue
    if (isBad) return at
    pooled = 0
  }
}

function rowsOf(router: RouterName, trials: readonly Trial[]): readonly Row[] {
  const each = INTERVALS.map(interval =>
    distribution(
      trials.filter(trial => trial.interval === interval),
      { router, interval },
    ),
  )
  const quick = trials.filter(({ interval }) => interval === INTERVALS[0])
  const verdicts = quick.map(({ verdict }) => verdict)
  return [
    ...each,
    {
      area: AREA,
      name: `verdict after the first bad answer, ${router}, looked at every ${INTERVALS[0]} ms`,
      value: quantile(verdicts, 0.5),
      unit: 'ms',
      ratio: quantile(
        quick.map(({ verdict, waited }) => verdict / waited),
        0.5,
      ),
      against: `waiting for all ${ENOUGH} requests that it rests on`,
    },
  ]
}

const AREA = 'breach to all requests back'

function distribution(
  trials: readonly Trial[],
  { router, interval }: { readonly router: RouterName; readonly interval: number },
): Row {
  const times = trials.map(({ back }) => back)
  const value = quantile(times, 0.5)
  const [most, all] = [0.9, 1].map(share => Math.round(quantile(times, share)))
  return {
    area: AREA,
    name: `${router}, looked at every ${interval} ms: 90 % within ${most} ms, all ${trials.length} within ${all} ms`,
    value,
    unit: 'ms',
    ratio: value / interval,
    against: 'the interval',
    aim: `all within ${interval + 150} ms`,
  }
}

/** The smallest value that so large a share of them is not above. */
const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)]!
