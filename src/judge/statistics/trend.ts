/**
 * A trend that holds on: whether a measure grows or falls over time, and how fast. Finds a leak long before a
 * threshold does.
 *
 * Sources: H. B. Mann, Econometrica 13, 1945; M. G. Kendall, "Rank Correlation Methods", 1955, for the variance with
 * ties; H. Theil, 1950, and P. K. Sen, JASA 63, 1968, for the slope. As R's `cor.test(method = "kendall")` with its
 * normal curve and continuity correction, against which the tests hold it.
 *
 *  TR1. A wild value moves neither: the slope stands until 29 % of the points are wild.
 *  TR2. Points in a row must not depend on each other for the significance to be right: memory that is collected
 *       now and then does, so a leak is looked for in what is left after a collection, or over long intervals.
 */
import { ReleaseError } from '../../errors.ts'
import { normalAbove } from './normal.ts'
import { median } from './order.ts'

/** A value at a time, in milliseconds or any other even measure of time. */
export interface Point {
  readonly at: number
  readonly value: number
}

export interface Trend {
  /** Pairs that rise less pairs that fall, as a share of what it could be at most: from −1 to 1. */
  readonly tau: number
  readonly z: number
  /** Of both sides: that a series without a trend shows so much of one. */
  readonly p: number
}

/** Pairs of points grow with their square: more than this many would take seconds. */
const mostPoints = 5_000

/**
 * Mann and Kendall's test. Fewer than three points, and points that are all equal, show no trend: p is 1.
 * @throws ReleaseError `too-many-points` above 5,000
 */
export function mannKendall(points: readonly Point[]): Trend {
  const n = points.length
  checkSize(n)
  let score = 0
  eachPair(points, (earlier, later) => {
    score += Math.sign(later.value - earlier.value) * Math.sign(later.at - earlier.at)
  })
  const values = tieSizes(points.map(({ value }) => value))
  const times = tieSizes(points.map(({ at }) => at))
  const variance = varianceOf(n, values, times)
  const pairs = (n * (n - 1)) / 2
  const span = Math.sqrt((pairs - pairsWithin(values)) * (pairs - pairsWithin(times)))
  if (!(variance > 0) || span === 0 || n < 3) return { tau: 0, z: 0, p: 1 }
  const z = (Math.sign(score) * (Math.abs(score) - 1)) / Math.sqrt(variance)
  return { tau: score / span, z: score === 0 ? 0 : z, p: Math.min(1, 2 * normalAbove(Math.abs(z))) }
}

/**
 * Theil and Sen's line: the median of the slopes of all pairs, in value for each unit of time, through the medians.
 * @throws ReleaseError `no-values` where no two points differ in time, `too-many-points` above 5,000
 */
export function theilSen(points: readonly Point[]): { readonly slope: number; readonly intercept: number } {
  checkSize(points.length)
  const slopes: number[] = []
  eachPair(points, (earlier, later) => {
    if (later.at !== earlier.at) slopes.push((later.value - earlier.value) / (later.at - earlier.at))
  })
  const slope = median(slopes)
  return { slope, intercept: median(points.map(({ at, value }) => value - slope * at)) }
}

function eachPair(points: readonly Point[], see: (earlier: Point, later: Point) => void): void {
  for (let later = 1; later < points.length; later += 1)
    for (let earlier = 0; earlier < later; earlier += 1) see(points[earlier]!, points[later]!)
}

/** Kendall's variance with ties in the values and in the times. */
function varianceOf(n: number, values: readonly number[], times: readonly number[]): number {
  const sum = (sizes: readonly number[], of: (size: number) => number): number =>
    sizes.reduce((total, size) => total + of(size), 0)
  const outer = (size: number): number => size * (size - 1) * (2 * size + 5)
  const pair = (size: number): number => size * (size - 1)
  const triple = (size: number): number => size * (size - 1) * (size - 2)
  return (
    (outer(n) - sum(values, outer) - sum(times, outer)) / 18 +
    (sum(values, pair) * sum(times, pair)) / (2 * n * (n - 1)) +
    (n > 2 ? (sum(values, triple) * sum(times, triple)) / (9 * n * (n - 1) * (n - 2)) : 0)
  )
}

const tieSizes = (values: readonly number[]): readonly number[] =>
  [...Map.groupBy(values, value => value).values()].map(group => group.length).filter(size => size > 1)

const pairsWithin = (sizes: readonly number[]): number =>
  sizes.reduce((sum, size) => sum + (size * (size - 1)) / 2, 0)

function checkSize(n: number): void {
  if (n <= mostPoints) return
  throw new ReleaseError('too-many-points', `a trend of ${n} points would take too long`, {
    hint: `Hand over at most ${mostPoints}: the mean of every few of them shows the same trend.`,
  })
}
