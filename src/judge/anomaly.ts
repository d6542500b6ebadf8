/**
 * What is unusual about a measure: one value far from those of before, or a trend.
 *
 *     outlier   the latest value, by median and MAD of those before it (Iglewicz and Hoaglin)
 *     drift     all of the latest, by Mann and Kendall, and Theil and Sen (drift.ts)
 *
 *  AM1. An anomaly is told and decides nothing: what is unusual may be right.
 *  AM2. What differs by less than people would care about is none, however unlikely it is: a tenth of what is usual, and
 *       at least a floor in the measure's unit.
 *  AM3. Fewer values than asked for are nothing to compare with, and say nothing.
 */
import { judgeDrift } from './drift.ts'
import { type Measurement, readingOf } from './measurement.ts'
import { scoreOfValue, usualOf } from './statistics/control.ts'
import { formatApart, formatValue, type Unit } from './unit.ts'

export interface AnomalyRule {
  readonly measure: string
  readonly unit: Unit
  /** So many spreads from what was usual. */
  readonly deviations: number
  /** So many values of before say what is usual. */
  readonly points: number
}

export interface Anomaly {
  readonly kind: 'outlier' | 'drift'
  /** A sentence without its full stop. */
  readonly reason: string
}

/** A difference below this means nothing to anybody, in each unit. */
const FLOORS: Readonly<Record<Unit, number>> = {
  ratio: 0.01,
  ms: 10,
  count: 1,
  'per-second': 1,
  bytes: 4 * 1024 * 1024,
  number: 0.1,
}

/** A share of what is usual below which a difference means nothing. */
const SHARE = 0.1

/** A trend is looked for in so many values, however many there are. */
const TREND_POINTS = 120

/** What is unusual about the latest measurement; null: nothing. Oldest first. */
export function outlierIn(rule: AnomalyRule, measurements: readonly Measurement[]): Anomaly | null {
  const values = measurements.flatMap(each => {
    const reading = readingOf(each)
    return reading.kind === 'value' ? [reading.value] : []
  })
  const latest = measurements.at(-1)
  const value = values.at(-1)
  if (latest === undefined || value === undefined || readingOf(latest).kind !== 'value') return null
  const before = values.slice(-1 - rule.points, -1)
  if (before.length < rule.points) return null
  const usual = usualOf(before)
  const far = Math.abs(value - usual.middle)
  if (far < matters(rule.unit, usual.middle) || Math.abs(scoreOfValue(usual, value)) <= rule.deviations)
    return null
  const [shown, middle] = formatApart(value, usual.middle, rule.unit)
  return {
    kind: 'outlier',
    reason: `${rule.measure} is ${shown}, where the ${rule.points} measurements before it lie around ${middle}`,
  }
}

/** Whether it creeps, in the direction that is bad; null: it does not, or nobody can tell. */
export function driftIn(
  rule: AnomalyRule & { readonly direction: 'increase' | 'decrease' },
  measurements: readonly Measurement[],
): Anomaly | null {
  const kept = thinned(measurements.filter(each => readingOf(each).kind === 'value'))
  const first = kept[0]
  const last = kept.at(-1)
  if (first === undefined || last === undefined || last.at === first.at) return null
  const usual = usualOf(kept.map(({ value }) => value ?? 0))
  // So fast that it would have mattered within the time that was looked at.
  const perHour = (matters(rule.unit, usual.middle) * 3_600_000) / (last.at - first.at)
  const { verdict, reason } = judgeDrift({ ...rule, perHour, minPoints: rule.points }, kept)
  return verdict === 'fail' ? { kind: 'drift', reason } : null
}

const matters = (unit: Unit, middle: number): number => Math.max(FLOORS[unit], SHARE * Math.abs(middle))

/** The latest value is kept, and before it one in so many, evenly. */
function thinned(measurements: readonly Measurement[]): readonly Measurement[] {
  const every = Math.ceil(measurements.length / TREND_POINTS)
  const last = measurements.length - 1
  return every <= 1 ? measurements : measurements.filter((_, index) => (last - index) % every === 0)
}

/** How a value is told beside its name: `error rate 0.2%`, `memory 61.2 MiB`. */
export const measuredText = (name: string, unit: Unit, value: number | null): string =>
  value === null ? `${name} –` : `${name} ${formatValue(value, unit)}`
