/**
 * Order statistics: middles and spreads that a few wild values cannot move.
 *
 *  OR1. No function changes the array that it is given.
 */
import { ReleaseError } from '../../errors.ts'

/** The values in ascending order, as a fast array of doubles. */
export const sorted = (values: readonly number[] | Float64Array): Float64Array =>
  Float64Array.from(values).sort()

/**
 * The middle value; of an even number of values the mean of the middle two.
 * @throws ReleaseError `no-values` where there is none
 */
export const median = (values: readonly number[] | Float64Array): number => quantile(values, 0.5)

/**
 * The value below which a share of the values lies, interpolated as R's default (type 7; Hyndman and Fan,
 * "Sample Quantiles in Statistical Packages", The American Statistician 50, 1996).
 * @throws ReleaseError `no-values` where there is none
 */
export function quantile(values: readonly number[] | Float64Array, share: number): number {
  if (values.length === 0)
    throw new ReleaseError('no-values', 'there is no quantile of no values', {
      hint: 'Ask whether anything was measured before asking what it was.',
    })
  const ascending = sorted(values)
  const place = (ascending.length - 1) * share
  const below = ascending[Math.floor(place)]!
  const above = ascending[Math.ceil(place)]!
  return below === above ? below : below + (above - below) * (place - Math.floor(place))
}

/**
 * The median absolute deviation from the median, times 1.4826: for normal data it estimates the standard
 * deviation, as R's `mad` (Hampel, "The Influence Curve and Its Role in Robust Estimation", JASA 69, 1974).
 */
export function mad(values: readonly number[], middle: number = median(values)): number {
  return 1.4826 * median(values.map(value => Math.abs(value - middle)))
}

/** The mean; of no values it is not a number. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** Ranks from 1, the mean rank for values that are equal; and the sizes of the groups of equal values above 1. */
export interface Ranks {
  readonly ranks: Float64Array
  readonly ties: readonly number[]
}

/** Ranks values, those that are equal by the mean of their ranks. */
export function rank(values: readonly number[] | Float64Array): Ranks {
  const order = Uint32Array.from({ length: values.length }, (_, index) => index)
  order.sort((a, b) => values[a]! - values[b]!)
  const ranks = new Float64Array(values.length)
  const ties: number[] = []
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && values[order[to]!] === values[order[from]!]) to += 1
    for (let place = from; place < to; place += 1) ranks[order[place]!] = (from + to + 1) / 2
    if (to - from > 1) ties.push(to - from)
    from = to
  }
  return { ranks, ties }
}
