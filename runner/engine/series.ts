/**
 * One metric of one target while it is watched: its measurements, and what they come to.
 */
import {
  type AnalysisRule,
  type AnalysisState,
  advanceAnalysis,
  beginAnalysis,
  type Judgement,
  type Verdict,
  verdictOf,
} from '../../src/judge/analysis.ts'
import { type Comparison, compareSeries } from '../../src/judge/compare.ts'
import { formatCondition } from '../../src/judge/condition.ts'
import { type Measurement, valuesOf } from '../../src/judge/measurement.ts'
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

/** What is said of the measurements so far. */
export type Sight = Pick<Judgement, 'reason'> & { readonly verdict: Exclude<Verdict, 'running'> }

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
  /** How often it was as it has to be: `held 9 of 10 times`. */
  heldText(): string
  readonly read: (signal: AbortSignal) => Promise<Measurement>
  readonly take: (measurement: Measurement) => void
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
  const read = async (signal: AbortSignal): Promise<Measurement> => {
    const [measured, baseline] = await Promise.all([meter.read(signal), other?.read(signal) ?? null])
    return baseline === null ? measured : { ...measured, baseline: baseline.value }
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
    inconclusiveLimit: Number.MAX_SAFE_INTEGER,
    minRequests: metric.minRequests,
    noData: metric.noData,
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
    take(measurement) {
      state = advanceAnalysis(rule, state, measurement)
      series.next = verdictOf(rule, state, { now: measurement.at }).next
    },
    isDecided: () => verdictOf(rule, state, { now: state.lastAt ?? started }).verdict === 'fail',
    heldText: () => heldText(state),
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

function heldText({ passes, points }: AnalysisState): string {
  if (points === 0) return 'was not measured'
  if (passes < points) return `held ${passes} of ${points} times`
  return points === 1 ? 'held once' : `held ${points} times`
}

/**
 * How often a comparison is looked at. Each look doubts less, so that all together err no more often than one would
 * (Bonferroni): half of the doubt is for the looks before the end, and half for the end.
 */
const LOOKS = 4

const VERDICTS: Readonly<Record<Comparison['verdict'], Sight['verdict']>> = {
  pass: 'pass',
  high: 'fail',
  low: 'fail',
  inconclusive: 'inconclusive',
  'no-data': 'unmeasured',
  error: 'unmeasured',
}

function comparison(
  { metric, target, decides, started, duration }: SeriesOptions,
  expected: Extract<PlanExpectation, { kind: 'comparison' }>,
  read: Read,
): Series {
  const doubt = (1 - expected.confidence) / 2
  // Two distributions are compared at each look and once more at the end, however often one asks.
  let looks = 0
  let early: Sight = { verdict: 'inconclusive', reason: `${metric.name} has not been compared yet` }
  let last: (Sight & { readonly points: number }) | null = null
  const compared = (confidence: number): Sight => {
    const { direction, tolerance: effect } = expected
    const rule = { measure: metric.name, unit: metric.unit, direction, effect, confidence }
    const baseline = series.points.map(({ at, baseline: value = null }) => ({ at, value }))
    const { verdict, reason } = compareSeries(rule, { canary: series.points, baseline })
    return { verdict: VERDICTS[verdict], reason }
  }
  const series: Series = {
    metric,
    target,
    decides,
    points: [],
    next: started + metric.delay + metric.interval,
    requests: 0,
    read,
    take(measurement) {
      series.next = measurement.at + metric.interval
      const look = Math.floor(((measurement.at - started) * LOOKS) / Math.max(1, duration))
      if (look > looks && look < LOOKS) early = compared(1 - doubt / (LOOKS - 1))
      looks = Math.max(looks, look)
    },
    isDecided: () => early.verdict === 'pass' || early.verdict === 'fail',
    heldText: () => `held over ${countOf(valuesOf(series.points).length, 'point')}`,
    judgement(at = 'so far') {
      if (at === 'so far') return early
      const { length } = series.points
      if (last?.points !== length) last = { ...compared(1 - doubt), points: length }
      return last
    },
  }
  return series
}

/** Measures once more and takes it in. */
export async function advance(
  series: Series,
  { now, signal }: { readonly now: () => number; readonly signal: AbortSignal },
): Promise<void> {
  const measured = await series.read(signal)
  const at = Math.max(measured.at, series.points.at(-1)?.at ?? 0)
  const measurement = { ...measured, at }
  series.points.push(measurement)
  series.requests += measured.requests ?? 0
  series.take(measurement)
  if (series.next !== null && series.next <= now()) series.next = now() + series.metric.interval
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
