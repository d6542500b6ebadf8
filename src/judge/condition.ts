/**
 * What a measurement has to be, and whether it is.
 *
 *  CO1. A condition says what is healthy; a breach is its opposite. Every value is one or the other.
 *  CO2. A comparison whose baseline has no data is neither: it is inconclusive.
 */
import { type Measurement, readingOf } from './measurement.ts'
import { formatApart, formatDifference, formatDuration, formatValue, type Unit } from './unit.ts'

/** What a value is compared with. `stable` and `before` come with each measurement as its `baseline`. */
export type Baseline =
  | { readonly kind: 'fixed'; readonly value: number }
  /** What the version that was live before measures at the same time. */
  | { readonly kind: 'stable' }
  /** What the same measure showed so many milliseconds earlier. */
  | { readonly kind: 'before'; readonly offset: number }

/** Which way a difference has to go to be bad. */
export type Direction = 'increase' | 'decrease' | 'either'

/** What is healthy. Thresholds are in the measure's unit; a ratio's 1 % is 0.01. */
export type Condition =
  | { readonly kind: 'below'; readonly threshold: number }
  | { readonly kind: 'at-most'; readonly threshold: number }
  | { readonly kind: 'above'; readonly threshold: number }
  | { readonly kind: 'at-least'; readonly threshold: number }
  | WithinCondition

/** Not further from the baseline than a share of it. */
export interface WithinCondition {
  readonly kind: 'within'
  /** As a fraction of the baseline: 0.1 allows a tenth. */
  readonly tolerance: number
  readonly baseline: Baseline
  /** Left out: either. */
  readonly direction?: Direction
  /** A difference of at most this, in the measure's unit, is never a breach: a tenth of nearly nothing is nothing. */
  readonly floor?: number
}

/** One measurement, judged. `text` is a sentence without its full stop. */
export type Judged =
  | { readonly kind: 'met'; readonly text: string }
  | { readonly kind: 'breached'; readonly text: string }
  | { readonly kind: 'inconclusive'; readonly text: string }
  | { readonly kind: 'no-data'; readonly text: string }
  | { readonly kind: 'error'; readonly text: string }

/** What is measured, what it is called, and what it has to be. */
export interface Expectation {
  /** As people call it: `error rate`. */
  readonly measure: string
  readonly unit: Unit
  readonly condition: Condition
}

/** Judges one measurement: `error rate 3.2% is not below 1%`. */
export function judgeMeasurement(expectation: Expectation, measurement: Measurement): Judged {
  const { measure } = expectation
  const reading = readingOf(measurement)
  switch (reading.kind) {
    case 'error':
      return { kind: 'error', text: `${measure} could not be measured: ${reading.error}` }
    case 'no-data':
      return { kind: 'no-data', text: `${measure} has no data` }
    case 'value':
      return judgeValue(expectation, reading.value, measurement.baseline ?? null)
    default:
      return reading satisfies never
  }
}

/** Judges a value. `baseline` is what it is compared with; null where there is none. */
export function judgeValue(expectation: Expectation, value: number, baseline: number | null = null): Judged {
  const { condition } = expectation
  if (condition.kind === 'within') return judgeWithin(expectation, condition, value, baseline)
  const met = isMet(condition, value)
  return {
    kind: met ? 'met' : 'breached',
    text: thresholdText(expectation, condition, value, met ? 'is' : 'is not'),
  }
}

/** The condition in words: `below 1%`, `within 10% of the stable version`. */
export function formatCondition({ condition, unit }: Omit<Expectation, 'measure'>): string {
  if (condition.kind !== 'within')
    return `${wordOf(condition.kind)} ${formatValue(condition.threshold, unit)}`
  return withinText(condition, baselineText(condition.baseline, unit), unit)
}

type Threshold = Exclude<Condition, WithinCondition>

function isMet({ kind, threshold }: Threshold, value: number): boolean {
  switch (kind) {
    case 'below':
      return value < threshold
    case 'at-most':
      return value <= threshold
    case 'above':
      return value > threshold
    case 'at-least':
      return value >= threshold
    default:
      return kind satisfies never
  }
}

const wordOf = (kind: Threshold['kind']): string => kind.replace('-', ' ')

function thresholdText(
  { measure, unit }: Expectation,
  { kind, threshold }: Threshold,
  value: number,
  is: 'is' | 'is not',
): string {
  const [shown, mark] = formatApart(value, threshold, unit)
  return `${measure} ${shown} ${is} ${wordOf(kind)} ${mark}`
}

function judgeWithin(
  { measure, unit }: Expectation,
  condition: WithinCondition,
  value: number,
  measured: number | null,
): Judged {
  const { tolerance, baseline, floor = 0 } = condition
  const base = baseline.kind === 'fixed' ? baseline.value : measured
  if (base === null || !Number.isFinite(base))
    return {
      kind: 'inconclusive',
      text: `${measure} ${formatValue(value, unit)} has nothing to be compared with: its baseline has no data`,
    }
  const met = farther(condition, value - base) <= Math.max(Math.abs(base) * tolerance, floor)
  const [shown, mark] = formatApart(value, base, unit)
  const than = baseline.kind === 'fixed' ? mark : `${baselineText(baseline, unit)} (${mark})`
  return {
    kind: met ? 'met' : 'breached',
    text: `${measure} ${shown} is ${met ? '' : 'not '}${withinText(condition, than, unit)}`,
  }
}

/** How far the value went the bad way. */
function farther({ direction = 'either' }: WithinCondition, difference: number): number {
  switch (direction) {
    case 'increase':
      return difference
    case 'decrease':
      return -difference
    case 'either':
      return Math.abs(difference)
    default:
      return direction satisfies never
  }
}

/** How far is not too far: `10%`, or `10% or 5ms` where less than that never is. */
export const allowedText = (
  { tolerance, floor = 0 }: Pick<WithinCondition, 'tolerance' | 'floor'>,
  unit: Unit,
): string => `${formatValue(tolerance, 'ratio')}${floor > 0 ? ` or ${formatDifference(floor, unit)}` : ''}`

function withinText(condition: WithinCondition, than: string, unit: Unit): string {
  const { direction = 'either' } = condition
  const share = allowedText(condition, unit)
  switch (direction) {
    case 'increase':
      return `at most ${share} above ${than}`
    case 'decrease':
      return `at most ${share} below ${than}`
    case 'either':
      return `within ${share} of ${than}`
    default:
      return direction satisfies never
  }
}

function baselineText(baseline: Baseline, unit: Unit): string {
  switch (baseline.kind) {
    case 'fixed':
      return formatValue(baseline.value, unit)
    case 'stable':
      return 'the stable version'
    case 'before':
      return `what it was ${formatDuration(baseline.offset)} before`
    default:
      return baseline satisfies never
  }
}
