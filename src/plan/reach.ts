/**
 * What a comparison can find in the time that it has, as far as that can be said before anything is measured.
 *
 * Boundary: pure; read from the plan alone. How far values spread is not known beforehand: a usual spread is taken, and
 * whoever says the figures says it with them.
 */
import { doubtOfLooks } from '../judge/looks.ts'
import { fewestPoints, pointsNeeded, powerOfPoints } from '../judge/power.ts'
import type { AnalyseOperation, Millis, PlanMetric } from './plan.ts'

/** Of values, as a share of their mean: what latencies of a service at rest show from one measurement to the next. */
export const USUAL_SPREAD = 0.2

/** Points of each side, and how few of them decide nothing whatever they are. */
export interface Points {
  readonly taken: number
  readonly fewest: number
}

export interface Reach {
  readonly ended: Points
  /** With all of its patience. */
  readonly waited: Points
}

type Expected = Extract<PlanMetric['expected'], { kind: 'comparison' }>

/** How many points a comparison has; null: it is none. */
export function reachOf(
  { expected, interval, delay }: Pick<PlanMetric, 'expected' | 'interval' | 'delay'>,
  { duration, patience }: Pick<AnalyseOperation, 'duration' | 'patience'>,
): Reach | null {
  if (expected.kind !== 'comparison') return null
  const doubt = doubtOfLooks(expected.confidence)
  const points = (time: Millis, error: number): Points => ({
    taken: Math.max(0, Math.floor((time - delay) / interval)),
    fewest: fewestPoints(ofOneSide(expected, error)),
  })
  return { ended: points(duration, doubt.ended), waited: points(duration + patience, doubt.waited) }
}

/** Where either way is bad, each way has half of the doubt. */
const ofOneSide = ({ direction }: Expected, error: number): number =>
  direction === 'either' ? error / 2 : error

/** Where a comparison has the fewest points of all phases that it is part of. */
export interface ComparisonReach {
  readonly metric: string
  /** A shift of so much is looked for, as a share of the other side's values. */
  readonly tolerance: number
  readonly points: number
  /** How often they find it, from 0 to 1, where values spread as is usual. */
  readonly power: number
  /** So many would find it four times in five, and take so long; null: none would. */
  readonly needed: { readonly points: number; readonly time: Millis; readonly interval: Millis } | null
}

/** One entry for each comparison, in the order in which they first stand there; those that another node ends have no time of their own. */
export function comparisonsOf(watches: readonly AnalyseOperation[]): readonly ComparisonReach[] {
  const least = new Map<string, ComparisonReach>()
  for (const watch of watches.filter(({ until }) => until === null)) {
    for (const metric of watch.metrics) {
      const reach = comparisonOf(metric, watch)
      const known = least.get(metric.name)
      if (reach !== null && (known === undefined || reach.points < known.points))
        least.set(metric.name, reach)
    }
  }
  return [...least.values()]
}

function comparisonOf(metric: PlanMetric, watch: AnalyseOperation): ComparisonReach | null {
  const { name, expected, interval, delay } = metric
  const reach = reachOf(metric, watch)
  if (reach === null || expected.kind !== 'comparison') return null
  const { tolerance, confidence } = expected
  const { taken, fewest } = reach.ended
  const effect = {
    spreads: tolerance / USUAL_SPREAD,
    error: ofOneSide(expected, doubtOfLooks(confidence).ended),
  }
  const wanted = pointsNeeded(effect)
  const points = wanted === null ? null : Math.max(wanted, fewest)
  return {
    metric: name,
    tolerance,
    points: taken,
    power: taken < fewest ? 0 : powerOfPoints(effect, taken),
    needed: points === null ? null : { points, time: delay + points * interval, interval },
  }
}
