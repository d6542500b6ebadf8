/**
 * A canary against its baseline, one measure at a time.
 *
 * The rule is Kayenta's (Mann and Whitney's test, and Hodges and Lehmann's interval of the shift that has to lie
 * beyond a quarter of the shift itself), with what it lacks: the smallest effect that matters is part of the
 * question, and a comparison that could not have seen it says so.
 *
 *     bad          the test finds a difference, and
 *                  · the shift is at least the effect, or
 *                  · its interval lies beyond the tolerance and reaches the effect, or
 *                  · more values than chance allows lie beyond the effect above everything the baseline measured
 *     pass         not bad, and the whole interval of the shift lies within the effect
 *     inconclusive neither: too few points, or too wild ones
 *
 *  CP1. Of two like sides at most 1 − confidence are found to differ, however many points there are: nothing is bad
 *       without the test. At two points a side the test finds nothing, so nothing is said. And of canaries that
 *       are worse by just the effect, at most about as many pass.
 *  CP2. Data that never change are judged like any other.
 *  CP3. A side without a value has no data, a side of errors is an error; neither is a pass.
 *
 * Sources: Mann and Whitney 1947, Hodges and Lehmann 1963 (statistics/), and for the values beyond the baseline's
 * greatest S. Rosenbaum, "Tables for a Nonparametric Test of Location", Annals of Mathematical Statistics 25, 1954.
 */
import { allowedText, type Direction } from './condition.ts'
import { type Measurement, readingOf } from './measurement.ts'
import { pointsNeeded } from './power.ts'
import { lnChoose } from './statistics/beta.ts'
import { mannWhitney } from './statistics/mann-whitney.ts'
import { mad, median } from './statistics/order.ts'
import { shiftOf } from './statistics/shift.ts'
import { countOf, formatApart, formatValue, type Unit } from './unit.ts'

/** What is compared, and which difference matters. */
export interface ComparisonRule {
  /** As people call it: `latency p95`. */
  readonly measure: string
  readonly unit: Unit
  /** Which difference is bad. */
  readonly direction: Direction
  /** The least shift that matters, as a share of the baseline's median. Left out: 0.2. */
  readonly effect?: number
  /** A shift of at most this, in the measure's unit, never matters. Left out: 0. */
  readonly floor?: number
  /** Kayenta's tolerance, as a share of the shift. Left out: 0.25. */
  readonly tolerance?: number
  /** Left out: 0.98. */
  readonly confidence?: number
}

/** One side's measurements, oldest first. */
export interface Series {
  readonly canary: readonly Measurement[]
  readonly baseline: readonly Measurement[]
}

/** What a comparison has come to. JSON. */
export interface Comparison {
  readonly measure: string
  readonly verdict: 'pass' | 'high' | 'low' | 'inconclusive' | 'no-data' | 'error'
  /** For people, a sentence without its full stop. */
  readonly reason: string
  readonly canary: Side
  readonly baseline: Side
  /** Null where a side has no value. */
  readonly shift: {
    readonly estimate: number
    readonly lower: number | null
    readonly upper: number | null
  } | null
  /** How often chance alone shows so much of the bad difference; null where nothing was tested. */
  readonly p: number | null
  /** How many points on each side it takes to tell, by the noise that was seen; null where that cannot be said. */
  readonly needed: number | null
}

/** What one side consists of. */
export interface Side {
  readonly points: number
  readonly missing: number
  readonly errors: number
  readonly median: number | null
}

/** Compares the canary's measurements with the baseline's. */
export function compareSeries(rule: ComparisonRule, series: Series): Comparison {
  const canary = sideOf(series.canary)
  const baseline = sideOf(series.baseline)
  const known = { measure: rule.measure, canary: canary.side, baseline: baseline.side }
  const nothing = { ...known, shift: null, p: null, needed: null }
  const missing = whatIsMissing(rule, canary.side, baseline.side)
  if (missing !== null) return { ...nothing, ...missing }
  return { ...known, ...compareValues(rule, canary.values, baseline.values) }
}

function sideOf(measurements: readonly Measurement[]): { readonly values: number[]; readonly side: Side } {
  const readings = measurements.map(readingOf)
  const values = readings.flatMap(reading => (reading.kind === 'value' ? [reading.value] : []))
  const count = (kind: string): number => readings.filter(reading => reading.kind === kind).length
  const side = {
    points: values.length,
    missing: count('no-data'),
    errors: count('error'),
    median: values.length === 0 ? null : median(values),
  }
  return { values, side }
}

function whatIsMissing(
  { measure }: ComparisonRule,
  canary: Side,
  baseline: Side,
): Pick<Comparison, 'verdict' | 'reason'> | null {
  const named = [
    ['canary', canary],
    ['baseline', baseline],
  ] as const
  const failed = named.find(([, side]) => side.points === 0 && side.errors > 0)
  if (failed !== undefined)
    return {
      verdict: 'error',
      reason: `${measure} of the ${failed[0]} could not be measured: ${countOf(failed[1].errors, 'error')}`,
    }
  const empty = named.find(([, side]) => side.points === 0)
  return empty === undefined
    ? null
    : { verdict: 'no-data', reason: `${measure} of the ${empty[0]} has no data` }
}

type Values = readonly number[]

/** How far a shift may go, how often chance may fool us, and on which sides. */
interface Terms {
  /** As a share of each of the baseline's values, and at least so much. */
  readonly effect: number
  readonly floor: number
  readonly tolerance: number
  /** Of each side that is looked at. */
  readonly error: number
}

/** Compares values that are there. Neither side is empty. */
export function compareValues(
  rule: ComparisonRule,
  canary: Values,
  baseline: Values,
): Pick<Comparison, 'verdict' | 'reason' | 'shift' | 'p' | 'needed'> {
  const { direction, effect = 0.2, floor = 0, tolerance = 0.25, confidence = 0.98 } = rule
  const error = direction === 'either' ? (1 - confidence) / 2 : 1 - confidence
  const terms = { effect, floor, tolerance, error }
  const up = direction === 'decrease' ? null : judgeSide(canary, baseline, terms)
  const down = direction === 'increase' ? null : judgeSide(negated(canary), negated(baseline), terms)
  const verdict =
    up?.verdict === 'bad'
      ? 'high'
      : down?.verdict === 'bad'
        ? 'low'
        : [up, down].some(side => side?.verdict === 'open')
          ? 'inconclusive'
          : 'pass'
  const told = {
    verdict,
    shift: shiftOf(canary, baseline, 1 - 2 * error),
    p: Math.min(1, Math.min(up?.p ?? 1, down?.p ?? 1) * (direction === 'either' ? 2 : 1)),
    needed: neededFor(baseline, terms),
  } as const
  const decisive = verdict === 'low' ? down : up
  return { ...told, reason: reasonOf(rule, { ...told, canary, baseline, beyond: decisive?.beyond ?? 0 }) }
}

/** The shift upwards alone, judged. */
interface JudgedSide {
  readonly verdict: 'bad' | 'fine' | 'open'
  readonly p: number
  /** How many values decide by themselves, lying beyond the effect above all of the baseline's; 0: they do not. */
  readonly beyond: number
}

function judgeSide(canary: Values, baseline: Values, terms: Terms): JudgedSide {
  const { tolerance, error } = terms
  const { p } = mannWhitney(canary, baseline, { alternative: 'greater', ties: 'exact' })
  const { estimate, lower } = shiftOf(canary, baseline, 1 - 2 * error)
  // Raising the baseline by the effect, rather than its median alone, counts in that the median is not known either.
  const raised = baseline.map(value => value + marginOf(value, terms))
  const beyondEffect = shiftOf(canary, raised, 1 - 2 * error)
  const within = beyondEffect.upper !== null && beyondEffect.upper <= 0
  const differs = p <= error
  const large = estimate > 0 && beyondEffect.estimate >= 0
  const beyondTolerance = lower !== null && lower > tolerance * Math.abs(estimate) && !within
  if (differs && (large || beyondTolerance)) return { verdict: 'bad', p, beyond: 0 }
  const beyond = countAbove(canary, raised)
  if (differs && chanceOfBeyond(beyond, canary.length, baseline.length) <= error)
    return { verdict: 'bad', p, beyond }
  return { verdict: within ? 'fine' : 'open', p, beyond: 0 }
}

const marginOf = (value: number, { effect, floor }: Terms): number =>
  Math.max(effect * Math.abs(value), floor)

function countAbove(canary: Values, baseline: Values): number {
  const top = baseline.reduce((most, value) => Math.max(most, value))
  return canary.filter(value => value > top).length
}

/** Rosenbaum's: how often the greatest `beyond` of all values all come from the `n`, and not from the `m`. */
const chanceOfBeyond = (beyond: number, n: number, m: number): number =>
  Math.exp(lnChoose(n + m - beyond, m) - lnChoose(n + m, m))

/** Noise is the baseline's own spread: the canary's may be what is wrong with it. */
function neededFor(baseline: Values, terms: Terms): number | null {
  const spread = spreadOf(baseline)
  const margin = marginOf(median(baseline), terms)
  return spread === 0 || margin === 0 ? null : pointsNeeded({ spreads: margin / spread, error: terms.error })
}

const spreadOf = (values: Values): number => {
  const robust = mad(values)
  const centre = values.reduce((sum, value) => sum + value, 0) / values.length
  if (robust > 0 || values.length < 2) return robust
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1))
}

const negated = (values: Values): Values => values.map(value => -value)

// ── words ───────────────────────────────────────────────────────────────────────────────────────

interface Told {
  readonly verdict: Comparison['verdict']
  readonly shift: { readonly estimate: number }
  readonly needed: number | null
  readonly beyond: number
  readonly canary: Values
  readonly baseline: Values
}

function reasonOf({ measure, unit, effect = 0.2, floor = 0 }: ComparisonRule, told: Told): string {
  const { verdict, shift, beyond, canary, baseline, needed } = told
  const [here, there] = formatApart(median(canary), median(baseline), unit)
  const medians = `${measure} of the canary is ${here} where the baseline's is ${there}`
  const allowed = allowedText({ tolerance: effect, floor }, unit)
  const sizes = `${canary.length} and ${countOf(baseline.length, 'point')}`
  switch (verdict) {
    case 'high':
    case 'low': {
      const how = verdict === 'high' ? 'above' : 'below'
      if (beyond > 0)
        return `${medians}, and ${beyond} of ${countOf(canary.length, 'point')} lie ${how} all that the baseline measured`
      return `${medians}: ${formatValue(Math.abs(shift.estimate), unit)} ${verdict === 'high' ? 'higher' : 'lower'}, by ${sizes}`
    }
    case 'pass':
      return `${medians}, surely within ${allowed} of it, by ${sizes}`
    default: {
      const asked =
        needed !== null && needed > Math.min(canary.length, baseline.length)
          ? `, and it takes about ${needed} a side`
          : ''
      return `${medians}; whether it is within ${allowed} cannot be told by ${sizes}${asked}`
    }
  }
}
