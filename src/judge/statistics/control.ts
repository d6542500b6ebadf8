/**
 * Control charts: the moment at which a series has left what it used to be.
 *
 *     outliers  one value far from the middle of what was usual
 *     EWMA      a small shift that stays, soon
 *     CUSUM     a small shift that stays, with a known time to a false alarm
 *
 * Sources: B. Iglewicz and D. Hoaglin, "How to Detect and Handle Outliers", 1993; S. W. Roberts, Technometrics 1,
 * 1959, with the limits of Lucas and Saccucci, Technometrics 32, 1990; E. S. Page, Biometrika 41, 1954, in the
 * tabular form of Montgomery, "Introduction to Statistical Quality Control", 9.1.
 *
 *  CT1. What is usual is measured by median and MAD of a baseline, so that a wild value in it widens no limit.
 *  CT2. A baseline that never changed makes any other value one that has left it: its score is infinite, written as
 *       the greatest finite number, because the result is JSON.
 */
import { ReleaseError } from '../../errors.ts'
import { mad, mean, median } from './order.ts'

/** What is usual: a middle, and how far values commonly lie from it (as a standard deviation of normal data would). */
export interface Usual {
  readonly middle: number
  readonly spread: number
}

/**
 * What is usual in a baseline (CT1). Where more than half of it is one value, the mean distance from it takes the
 * MAD's place, as Iglewicz and Hoaglin have it.
 * @throws ReleaseError `no-values` where it is empty
 */
export function usualOf(baseline: readonly number[]): Usual {
  const middle = median(baseline)
  const spread = mad(baseline, middle)
  if (spread > 0) return { middle, spread }
  return { middle, spread: 1.253314 * mean(baseline.map(value => Math.abs(value - middle))) }
}

/** How many spreads a value lies above the middle; below it is negative. */
export function scoreOfValue({ middle, spread }: Usual, value: number): number {
  if (value === middle) return 0
  const score = (value - middle) / spread
  return Number.isFinite(score) ? score : Math.sign(value - middle) * Number.MAX_VALUE
}

export interface Outlier {
  readonly index: number
  readonly value: number
  readonly score: number
}

/** The values that lie further than `limit` spreads from the middle; left out: 3.5, Iglewicz and Hoaglin's. */
export const outliersOf = (
  values: readonly number[],
  usual: Usual,
  limit: number = 3.5,
): readonly Outlier[] =>
  values
    .map((value, index) => ({ index, value, score: scoreOfValue(usual, value) }))
    .filter(({ score }) => Math.abs(score) > limit)

/** The first value at which a chart signals, and on which side; null: it does not. */
export type Signalled = { readonly index: number; readonly side: 'high' | 'low' } | null

/**
 * The exponentially weighted mean leaves `width` of its own standard deviations. `weight` is that of the newest value,
 * above 0 and at most 1. Left out: 0.2 and 3, at which 500 or so values pass before a false alarm.
 */
export function ewma(
  values: readonly number[],
  usual: Usual,
  { weight = 0.2, width = 3 }: { readonly weight?: number; readonly width?: number } = {},
): Signalled {
  checkPositive('weight', weight, 1)
  let smooth = 0
  let kept = 1
  for (const [index, value] of values.entries()) {
    smooth += weight * (clamped(scoreOfValue(usual, value)) - smooth)
    kept *= (1 - weight) ** 2
    const deviation = Math.sqrt((weight / (2 - weight)) * (1 - kept))
    if (Math.abs(smooth) > width * deviation) return { index, side: smooth > 0 ? 'high' : 'low' }
  }
  return null
}

/**
 * The sum of what exceeds `slack` spreads goes over `limit` spreads. Left out: 0.5 and 5, at which 465 values pass
 * on average before a false alarm, and ten before a shift of one spread is seen (Montgomery, table 9.3).
 */
export function cusum(
  values: readonly number[],
  usual: Usual,
  { slack = 0.5, limit = 5 }: { readonly slack?: number; readonly limit?: number } = {},
): Signalled {
  checkPositive('limit', limit, Number.MAX_VALUE)
  let high = 0
  let low = 0
  for (const [index, value] of values.entries()) {
    const score = clamped(scoreOfValue(usual, value))
    high = Math.max(0, high + score - slack)
    low = Math.max(0, low - score - slack)
    if (high > limit || low > limit) return { index, side: high > limit ? 'high' : 'low' }
  }
  return null
}

/** Sums of infinite scores would be no numbers. */
const clamped = (score: number): number => Math.max(-1e9, Math.min(1e9, score))

function checkPositive(name: string, value: number, most: number): void {
  if (value > 0 && value <= most) return
  throw new ReleaseError('chart-setting', `a chart's ${name} is ${value}`, {
    hint: most === 1 ? 'Give a number above 0 and at most 1.' : 'Give a number above 0.',
  })
}
