/**
 * An analysis with measurements that a test writes, in time that jumps from one look to the next.
 */
import { analyse } from '../../runner/engine/analyse.ts'
import type { Attempt } from '../../runner/engine/operations.ts'
import { VirtualClock } from '../../runner/engine/virtual-clock.ts'
import type { World } from '../../runner/engine/world.ts'
import { ReleaseError } from '../../src/errors.ts'
import type { Measurement } from '../../src/judge/measurement.ts'
import {
  ALL_STABLE,
  type AnalyseOperation,
  type MeasureTarget,
  type PlanMetric,
} from '../../src/plan/plan.ts'
import type { Evidence } from '../../src/run/evidence.ts'
import type { Instance, MeterRequest, Metrics, Observed, Platform } from '../../src/run/ports.ts'
import { initialState, type Status } from '../../src/run/state.ts'
import { planOf } from '../properties/sketch.ts'
import { node } from './run-driver.ts'

const START = 1_000_000
const UNTIL = 's/one/canary/100/analyse'

export const canaryOf = (component: string): MeasureTarget => ({
  environment: 's',
  component,
  side: 'canary',
  version: '2.0.0',
})

/** Each second; below 1 %, on at least ten requests. */
export const errorRate = (more: Partial<PlanMetric> = {}): PlanMetric => ({
  name: 'error rate',
  unit: 'ratio',
  measure: { kind: 'error-rate' },
  provider: { kind: 'router' },
  expected: { kind: 'condition', condition: { kind: 'below', threshold: 0.01 } },
  interval: 1000,
  delay: 0,
  failureLimit: 0,
  consecutiveErrorLimit: 2,
  minRequests: 10,
  noData: 'hold',
  ...more,
})

/** Not worse than the side beside it by more than a tenth. */
export const latencyCompared = (more: Partial<PlanMetric> = {}): PlanMetric =>
  errorRate({
    name: 'latency p95 compared',
    unit: 'ms',
    measure: { kind: 'latency', quantile: 0.95 },
    expected: {
      kind: 'comparison',
      with: 'stable',
      direction: 'increase',
      tolerance: 0.1,
      confidence: 0.98,
    },
    minRequests: 0,
    ...more,
  })

export type Reading = Partial<Measurement>

export interface Watched extends Partial<AnalyseOperation> {
  /** What the n-th reading of a meter says, from 1; of good requests, 100, where it says nothing. */
  readonly says?: (request: MeterRequest, n: number) => Reading
  /** Whether the canary's instance is well when it is looked at for the n-th time, from 1; it is, left out. */
  readonly isWell?: (n: number) => boolean | null
  /** What happens when so many seconds are over. */
  readonly meanwhile?: Readonly<Record<number, (scene: Scene) => void>>
}

export interface Scene {
  readonly abort: () => void
  /** The node that a background watches until it ends, ends. */
  readonly end: (status: Status['type']) => void
}

export interface Seen {
  /** Seconds from its begin to its end. */
  readonly after: number
  readonly code: 'passed' | string
  readonly said: string
  readonly evidence: Evidence
  /** Meters that were opened: `error-rate of canary`. */
  readonly meters: readonly string[]
  /** The node's log. */
  readonly lines: readonly string[]
}

export async function watch({ says, isWell, meanwhile = {}, ...operation }: Watched = {}): Promise<Seen> {
  const clock = new VirtualClock(START)
  const controller = new AbortController()
  const meters: string[] = []
  const lines: string[] = []
  const attempt = attemptOf(clock, controller.signal, {
    metrics: metricsOf(clock, says, meters),
    platform: platformOf(isWell),
    log: () => ({ line: text => lines.push(text), chunk: () => {} }),
  })
  const scene: Scene = {
    abort: () => controller.abort(),
    end: type => {
      attempt.task.state.works.get(UNTIL)!.status = { type, warning: null } as Status
    },
  }
  for (const [seconds, happens] of Object.entries(meanwhile)) {
    if (seconds === '0') happens(scene)
    else clock.after(Number(seconds) * 1000, () => happens(scene))
  }
  const running = analyse(attempt, { ...plain, ...operation }).then(
    ({ value, summary }) => ({ code: 'passed', said: summary ?? '', evidence: value as unknown as Evidence }),
    failed,
  )
  const seen = await inVirtualTime(clock, running)
  return { ...seen, after: (clock.now() - START) / 1000, meters, lines }
}

/** The node whose end ends a background. */
export const untilTheLastStep = UNTIL

const plain: AnalyseOperation = {
  kind: 'analyse',
  targets: [canaryOf('one')],
  metrics: [errorRate()],
  duration: 10_000,
  requests: 0,
  patience: 5_000,
  until: null,
  decides: null,
}

function failed(error: unknown): Omit<Seen, 'after' | 'meters' | 'lines'> {
  if (!(error instanceof ReleaseError)) throw error
  const { evidence } = error as ReleaseError & { evidence: Evidence }
  return { code: error.code, said: error.message, evidence }
}

/** Time goes on only when nothing else can. */
async function inVirtualTime<T>(clock: VirtualClock, running: Promise<T>): Promise<T> {
  let isOver = false
  void running
    .finally(() => {
      isOver = true
    })
    .catch(() => {})
  for (;;) {
    await new Promise(resolve => setImmediate(resolve))
    if (isOver) return running
    if (!clock.jump()) throw new Error('the analysis waits for nothing')
  }
}

function metricsOf(clock: VirtualClock, says: Watched['says'], meters: string[]): Metrics {
  return {
    open(request) {
      meters.push(`${request.measure.kind} of ${request.target.side} ${request.target.component}`)
      let n = 0
      const read = (): Promise<Measurement> => {
        n += 1
        return Promise.resolve({ at: clock.now(), value: 0, requests: 100, ...says?.(request, n) })
      }
      return Promise.resolve({ read })
    },
  }
}

/** null: it cannot be asked. */
function platformOf(isWell: (n: number) => boolean | null = () => true): World['platform'] {
  let n = 0
  const observe = async (): Promise<Observed> => {
    n += 1
    const healthy = isWell(n)
    if (healthy === null) throw new Error('nobody answers')
    return { instances: [{ side: 'canary', healthy } as Instance], traffic: ALL_STABLE }
  }
  return () => ({ observe }) as Partial<Platform> as Platform
}

function attemptOf(
  clock: VirtualClock,
  signal: AbortSignal,
  { metrics, platform, log }: Pick<World, 'metrics' | 'platform' | 'log'>,
): Attempt {
  const plan = planOf({
    concurrency: 1,
    components: ['one', 'two'].map(name => ({ name, critical: true, needs: [] })),
    stages: [{ name: 's', after: [], policy: 'stop' }],
    nodes: [node('s/one/canary/background', { component: 'one' }), node(UNTIL, { component: 'one' })],
  })
  const old = { version: '1.0.0', digest: 'old' }
  const state = initialState({ ...plan, facts: { ...plan.facts, live: { s: { one: old, two: old } } } })
  const work = state.works.get('s/one/canary/background')!
  const world: Partial<World> = {
    now: () => clock.now(),
    after: (delay, callback) => clock.after(delay, callback),
    metrics,
    platform,
    log,
  }
  const task: Partial<Attempt['task']> = { state, work, attempt: 1, recover: false }
  return { task: task as Attempt['task'], world: world as World, signal, over: signal }
}
