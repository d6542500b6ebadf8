/**
 * Hodges and Lehmann's shift: by how much one sample lies above another, and within which bounds.
 *
 * Source: J. L. Hodges and E. L. Lehmann, Annals of Mathematical Statistics 34, 1963; the bounds of P. A. P. Moran
 * as in Hollander and Wolfe, "Nonparametric Statistical Methods", 4.3.
 *
 * The differences of all pairs are never written down: they are counted row by row in the two sorted samples, and
 * the wanted ones are closed in on by halving. A thousand values a side are a million differences, found in a
 * few passes over two thousand numbers.
 *
 *  SH1. Every result is a difference of a pair, or the mean of two: nothing is interpolated further.
 *  SH2. A bound that so few values cannot give at that confidence is null, never a guess.
 */
import { exactBelow, spreadOf } from './mann-whitney.ts'
import { normalQuantile } from './normal.ts'
import { sorted } from './order.ts'
import { distributionQuantile, untiedDistribution } from './rank-distribution.ts'

export interface Shift {
  /** The median of all differences x − y. */
  readonly estimate: number
  /** null: too few values for a bound at that confidence. */
  readonly lower: number | null
  readonly upper: number | null
}

/** By how much `x` lies above `y`. `confidence` is of both sides together. Neither sample is empty. */
export function shiftOf(x: readonly number[], y: readonly number[], confidence: number): Shift {
  const pairs = new Differences(sorted(x), sorted(y))
  const place = boundPlace(x.length, y.length, (1 - confidence) / 2)
  const middle = pairs.at(Math.ceil(pairs.size / 2))
  return {
    estimate: pairs.size % 2 === 1 ? middle : (middle + pairs.at(pairs.size / 2 + 1)) / 2,
    lower: place < 1 ? null : pairs.at(place),
    upper: place < 1 ? null : pairs.at(pairs.size + 1 - place),
  }
}

/** Which difference, from 1, bounds the shift with so much error on either side; 0: none does. */
function boundPlace(n: number, m: number, error: number): number {
  if (n < exactBelow && m < exactBelow) return distributionQuantile(untiedDistribution(n, m), error)
  return Math.max(0, Math.floor((n * m) / 2 + normalQuantile(error) * spreadOf(n, m) + 0.5))
}

/** All differences of two sorted samples, by their place in order, without listing them. */
class Differences {
  readonly size: number
  readonly #x: Float64Array
  readonly #y: Float64Array

  constructor(x: Float64Array, y: Float64Array) {
    this.#x = x
    this.#y = y
    this.size = x.length * y.length
  }

  /** The difference in that place, from 1 for the least. */
  at(place: number): number {
    let low = this.#x[0]! - this.#y.at(-1)!
    let high = this.#x.at(-1)! - this.#y[0]!
    const few = 4 * (this.#x.length + this.#y.length)
    let [before, upTo] = [0, this.size]
    if (this.#countUpTo(low) >= place) return low
    // The wanted one is above `low` and not above `high`.
    while (upTo - before > few) {
      const middle = low + (high - low) / 2
      if (middle <= low || middle >= high) return high
      const count = this.#countUpTo(middle)
      if (count >= place) [high, upTo] = [middle, count]
      else [low, before] = [middle, count]
    }
    return sorted(this.#between(low, high))[place - this.#countUpTo(low) - 1]!
  }

  #countUpTo(limit: number): number {
    let count = 0
    let first = 0
    for (const value of this.#x) {
      while (first < this.#y.length && value - this.#y[first]! > limit) first += 1
      count += this.#y.length - first
    }
    return count
  }

  /** Those above `low` and not above `high`. */
  #between(low: number, high: number): number[] {
    const found: number[] = []
    let first = 0
    for (const value of this.#x) {
      while (first < this.#y.length && value - this.#y[first]! > high) first += 1
      for (let j = first; j < this.#y.length && value - this.#y[j]! > low; j += 1)
        found.push(value - this.#y[j]!)
    }
    return found
  }
}
