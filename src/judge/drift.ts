/**
 * Whether a measure creeps: memory that leaks, a queue that grows, latency that rises with every hour.
 *
 * A threshold sees a leak when it is too late, and a comparison of two hours may not see it at all. A trend that is
 * there beyond chance (Mann and Kendall), and fast enough to matter (Theil and Sen), is seen long before.
 *
 *  DR1. A trend is bad only if it is both: significant, and at least as fast as is allowed.
 *  DR2. Fewer points than `minPoints` are no verdict, and neither is a series without data.
 */
import { type Measurement, readingOf } from './measurement.ts'
import { normalQuantile } from './statistics/normal.ts'
import { mannKendall, theilSen } from './statistics/trend.ts'
import { countOf, formatDuration, formatValue, type Unit } from './unit.ts'

/** How fast a measure may change. */
export interface DriftRule {
  /** As people call it: `memory`. */
  readonly measure: string
  readonly unit: Unit
  /** Which way is bad. */
  readonly direction: 'increase' | 'decrease'
  /** In the measure's unit an hour; anything slower is no drift. Not negative. */
  readonly perHour: number
  /** Where it must not get to: the verdict then says when it would. In the measure's unit. */
  readonly ceiling?: number
  /** How often a series without a trend may be taken for one that has it. Left out: 0.01. */
  readonly error?: number
  /** Left out: 10. */
  readonly minPoints?: number
}

/** What the trend is. JSON. */
export interface DriftJudgement {
  readonly verdict: 'pass' | 'fail' | 'inconclusive' | 'unmeasured'
  /** For people, a sentence without its full stop. */
  readonly reason: string
  readonly points: number
  /** In the measure's unit an hour; null: not measured. */
  readonly perHour: number | null
  readonly p: number | null
  /** When the ceiling is reached if it goes on so, in milliseconds since 1970; null: it is not, or none was given. */
  readonly reachedAt: number | null
}

const hour = 3_600_000

/** Judges a series, oldest first. At most 5,000 measurements. */
export function judgeDrift(rule: DriftRule, measurements: readonly Measurement[]): DriftJudgement {
  const points = measurements.flatMap(measurement => {
    const reading = readingOf(measurement)
    return reading.kind === 'value' ? [{ at: measurement.at, value: reading.value }] : []
  })
  const { measure, minPoints = 10, error = 0.01 } = rule
  const unknown = { points: points.length, perHour: null, p: null, reachedAt: null }
  if (points.length === 0)
    return { ...unknown, verdict: 'unmeasured', reason: `${measure} was never measured` }
  const least = Math.max(minPoints, 3)
  if (points.length < least)
    return {
      ...unknown,
      verdict: 'inconclusive',
      reason: `${measure} was measured ${countOf(points.length, 'time')}, and a trend takes ${least}`,
    }
  if (points.every(({ at }) => at === points[0]!.at))
    return { ...unknown, verdict: 'inconclusive', reason: `${measure} was measured at one moment only` }
  const sign = rule.direction === 'increase' ? 1 : -1
  const { z, p } = mannKendall(points)
  const { slope, intercept } = theilSen(points)
  const perHour = slope * hour
  // Only one side is bad, so all of the error is on that side.
  const drifts = sign * z >= -normalQuantile(error) && sign * perHour > 0 && sign * perHour >= rule.perHour
  const reachedAt = drifts ? whenReached(rule, { slope, intercept }, sign) : null
  const reason = reasonOf(rule, {
    perHour,
    drifts,
    span: points.at(-1)!.at - points[0]!.at,
    reachedAt,
    last: points.at(-1)!.at,
  })
  return { verdict: drifts ? 'fail' : 'pass', reason, points: points.length, perHour, p, reachedAt }
}

function whenReached(
  { ceiling }: DriftRule,
  { slope, intercept }: { readonly slope: number; readonly intercept: number },
  sign: number,
): number | null {
  if (ceiling === undefined || sign * slope <= 0) return null
  return Math.round((ceiling - intercept) / slope)
}

interface Seen {
  readonly perHour: number
  readonly drifts: boolean
  readonly span: number
  readonly reachedAt: number | null
  readonly last: number
}

function reasonOf({ measure, unit, direction, perHour: allowed, ceiling }: DriftRule, seen: Seen): string {
  const over = `over ${formatDuration(seen.span)}`
  if (!seen.drifts)
    return `${measure} does not ${direction === 'increase' ? 'grow' : 'fall'} by ${formatValue(allowed, unit)} an hour, ${over}`
  const speed = `${measure} ${direction === 'increase' ? 'grows' : 'falls'} by ${formatValue(Math.abs(seen.perHour), unit)} an hour, ${over}`
  if (seen.reachedAt === null || ceiling === undefined) return speed
  const left = seen.reachedAt - seen.last
  const when = left <= 0 ? 'is there already' : `is there in ${formatDuration(left)}`
  return `${speed}; ${formatValue(ceiling, unit)} ${when}`
}
