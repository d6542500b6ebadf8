/**
 * One metric of one target while it is watched: its measurements, and what they come to.
 */
import {
  type AnalysisRule,
  type AnalysisState,
  advanceAnalysis,
  beginAnalysis,
  errorRetryDelay,
  verdictOf,
} from '../../src/judge/analysis.ts'
import { formatCondition } from '../../src/judge/condition.ts'
import { type Sight, WatchedComparison } from '../../src/judge/looks.ts'
import { type Measurement, readingOf } from '../../src/judge/measurement.ts'
import type { Gap } from '../../src/judge/score.ts'
import { countOf } from '../../src/judge/unit.ts'
import type { MeasureTarget, PlanExpectation, PlanMetric } from '../../src/plan/plan.ts'
import { metricText } from '../../src/plan/render/wording.ts'
import { type EvidencePoint, type EvidenceSeries, MOST_POINTS } from '../../src/run/evidence.ts'
import type { Meter, Metrics } from '../../src/run/ports.ts'

export interface SeriesOptions {
  readonly metric: PlanMetric
  readonly target: MeasureTarget
  /** What is measured beside it, for comparison and for charts; null: nothing. */
  readonly beside: MeasureTarget | null
  /** It says who won an experiment, and fails nothing. */
  readonly decides: boolean
  readonly metrics: Metrics
  readonly started: number
  /** How long it is watched, in milliseconds. */
  readonly duration: number
  readonly signal: AbortSignal
}

export interface Series {
  readonly metric: PlanMetric
  readonly target: MeasureTarget
  readonly decides: boolean
  readonly points: Measurement[]
  /** When to measure next, in milliseconds since 1970. */
  next: number | null
  requests: number
  judgement(at?: 'so far' | 'ended'): Sight
  /** Whether it can be told before its time is over. */
  isDecided(): boolean
  /** Of what holds in a comparison, whether the canary is better, and not just no worse; left out: it is not compared. */
  isBetter?(): boolean
  /** Of a comparison: what it means for a score that it is not measured, if it is not. */
  gap?(): Gap
  /** How often it was as it has to be: `held 9 of 10 times`. */
  heldText(): string
  /** Its time is over, and so much of the patience, from 0 to 1. */
  close(waited: number): void
  readonly read: (signal: AbortSignal) => Promise<Pair>
  readonly take: (pair: Pair) => void
}

/** What was measured at the same time on both sides. */
interface Pair {
  readonly measured: Measurement
  /** null: nothing is measured beside it. */
  readonly other: Measurement | null
}

/** Opens the meters and begins to count. */
export async function openSeries(options: SeriesOptions): Promise<Series> {
  const { metric, target, beside, metrics, signal } = options
  const open = (of: MeasureTarget): Promise<Meter> =>
    metrics.open(
      { measure: metric.measure, provider: metric.provider, target: of, interval: metric.interval },
      signal,
    )
  const [meter, other] = await Promise.all([open(target), beside === null ? null : open(beside)])
  const read = async (signal: AbortSignal): Promise<Pair> => {
    const [measured, besides] = await Promise.all([meter.read(signal), other?.read(signal) ?? null])
    return { measured, other: besides }
  }
  return metric.expected.kind === 'comparison'
    ? comparison(options, metric.expected, read)
    : conditioned(options, metric.expected.condition, read)
}

type Read = Series['read']

function conditioned(
  { metric, target, decides, started }: SeriesOptions,
  condition: AnalysisRule['condition'],
  read: Read,
): Series {
  const rule: AnalysisRule = {
    measure: metric.name,
    unit: metric.unit,
    condition,
    interval: metric.interval,
    initialDelay: metric.delay,
    failureLimit: metric.failureLimit,
    consecutiveErrorLimit: metric.consecutiveErrorLimit,
    inconclusiveLimit: metric.inconclusiveLimit ?? 'half',
    minRequests: metric.minRequests,
    noData: metric.noData,
    ...(metric.count !== undefined && { count: metric.count }),
  }
  let state: AnalysisState = beginAnalysis(started)
  const series: Series = {
    metric,
    target,
    decides,
    points: [],
    next: started + metric.delay + metric.interval,
    requests: 0,
    read,
    take(pair) {
      state = advanceAnalysis(rule, state, needsOther(condition) ? withErrorOf(pair) : pair.measured)
      series.next = verdictOf(rule, state, { now: pair.measured.at }).next
    },
    isDecided: () => verdictOf(rule, state, { now: state.lastAt ?? started }).verdict !== 'running',
    heldText: () => heldText(state),
    close: () => {},
    judgement(at = 'so far') {
      const judged = verdictOf(rule, state, { now: state.lastAt ?? started, ended: at === 'ended' })
      if (at === 'ended' && judged.verdict !== 'running')
        return { verdict: judged.verdict, reason: judged.reason }
      const decided = judged.verdict === 'running' ? judged.soFar : judged.verdict
      return {
        verdict: decided === 'fail' && judged.verdict === 'running' ? 'inconclusive' : decided,
        reason: judged.reason,
      }
    },
  }
  return series
}

const needsOther = (condition: AnalysisRule['condition']): boolean =>
  condition.kind === 'within' && condition.baseline.kind === 'stable'

/** What is compared cannot be, where the other side could not be measured. */
function withErrorOf({ measured, other }: Pair): Measurement {
  const reading = other === null ? null : readingOf(other)
  if (reading?.kind !== 'error' || measured.error !== undefined) return measured
  return { ...measured, error: `of the stable side, ${reading.error}` }
}

function heldText({ passes, points }: AnalysisState): string {
  if (points === 0) return 'was not measured'
  if (passes < points) return `held ${passes} of ${points} times`
  return points === 1 ? 'held once' : `held ${points} times`
}

function comparison(
  { metric, target, decides, started, duration }: SeriesOptions,
  expected: Extract<PlanExpectation, { kind: 'comparison' }>,
  read: Read,
): Series {
  const { direction, tolerance: effect, confidence, with: other } = expected
  const { name: measure, unit, interval, delay, minRequests, consecutiveErrorLimit, noData } = metric
  const compared = new WatchedComparison({
    ...{ measure, unit, direction, effect, confidence, other },
    ...(expected.floor !== undefined && { floor: expected.floor }),
    ...{ minRequests, consecutiveErrorLimit, noData, started, duration },
    // What is critical fails all by itself, and is looked at as what has no group is.
    counts: expected.group !== undefined && expected.critical === undefined,
  })
  const series: Series = {
    metric,
    target,
    decides,
    points: [],
    next: started + delay + interval,
    requests: 0,
    read,
    take({ measured, other }) {
      compared.take(measured, other)
      series.next = measured.at + (compared.isDisturbed ? Math.min(interval, errorRetryDelay) : interval)
    },
    isDecided: () => compared.isDecided(),
    isBetter: () => compared.isBetter(),
    gap: () => compared.gap,
    heldText: () => `held over ${countOf(compared.points, 'point')}`,
    close: waited => compared.close(waited),
    judgement: (at = 'so far') => compared.sight(at),
  }
  return series
}

/** Measures once more and takes it in. */
export async function advance(
  series: Series,
  { now, signal }: { readonly now: () => number; readonly signal: AbortSignal },
): Promise<void> {
  const { measured: read, other } = await series.read(signal)
  const at = Math.max(read.at, series.points.at(-1)?.at ?? 0)
  const measured = { ...read, at, ...(other !== null && { baseline: knownOf(other) }) }
  series.points.push(measured)
  series.requests += measured.requests ?? 0
  series.take({ measured, other: other === null ? null : { ...other, at } })
  if (series.next !== null && series.next <= now()) series.next = now() + series.metric.interval
}

function knownOf(measurement: Measurement): number | null {
  const reading = readingOf(measurement)
  return reading.kind === 'value' ? reading.value : null
}

/** `so far`: only what is certain already is a failure. `ended`: no measurement follows. */
export const standingOf = (series: Series, at: 'so far' | 'ended'): Sight['verdict'] =>
  series.judgement(at).verdict

export function evidenceOf(series: Series): EvidenceSeries {
  const { metric, target } = series
  const { verdict, reason } = series.judgement('ended')
  return {
    name: metric.name,
    unit: metric.unit,
    target,
    threshold: thresholdOf(metric.expected),
    ...marginOf(metric.expected),
    expected: expectedText(metric),
    verdict,
    reason,
    points: thinned(series.points.map(pointOf)),
    ...(series.points.some(({ requests }) => requests != null) && { requests: series.requests }),
  }
}

function thresholdOf(expected: PlanExpectation): number | null {
  if (expected.kind !== 'condition') return null
  return expected.condition.kind === 'within' ? null : expected.condition.threshold
}

function marginOf(expected: PlanExpectation): Pick<EvidenceSeries, 'margin'> {
  const compared = expected.kind === 'comparison' ? expected : expected.condition
  if (compared.kind !== 'comparison' && compared.kind !== 'within') return {}
  const { tolerance, floor = 0, direction = 'either' } = compared
  const fixed = compared.kind === 'within' && compared.baseline.kind === 'fixed'
  return { margin: { tolerance, floor, direction, around: fixed ? compared.baseline.value : null } }
}

const expectedText = (metric: PlanMetric): string =>
  metric.expected.kind === 'condition'
    ? formatCondition({ condition: metric.expected.condition, unit: metric.unit })
    : metricText(metric)

const pointOf = ({ at, value, baseline, requests }: Measurement): EvidencePoint => [
  at,
  value,
  baseline ?? null,
  requests ?? null,
]

/** Every second, every fourth, …: until they are few enough; the last one stays. */
function thinned(points: readonly EvidencePoint[]): readonly EvidencePoint[] {
  let kept = points
  while (kept.length > MOST_POINTS) {
    const last = kept.length - 1
    kept = kept.filter((_, i) => i % 2 === 0 || i === last)
  }
  return kept
}
