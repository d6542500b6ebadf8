/**
 * The distribution of Mann and Whitney's U where nothing differs: what chance alone would do.
 *
 * Sources: H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18, 1947, for the generating function;
 * B. Streitberg and J. Röhmel, Statistical Software Newsletter 12, 1986, for the shift algorithm, which holds with
 * ties too.
 *
 *  RD1. No digit is lost however small a tail is: only the rising half is counted, where what is taken away is
 *       less than what is left, and the other half is its mirror; with ties every step adds what is positive.
 */

/** The distribution of a sum of ranks in steps of `step`, as cumulative probabilities from `least` up. */
export interface Distribution {
  readonly least: number
  readonly step: number
  /** P(statistic ≤ least + index × step). */
  readonly below: Float64Array
  /** P(statistic ≥ least + index × step). */
  readonly above: Float64Array
}

/**
 * U of `n` against `m` values without ties: from 0 to n·m. The ways to reach each U are the coefficients of the
 * Gaussian binomial, multiplied out factor by factor.
 */
export function untiedDistribution(n: number, m: number): Distribution {
  const half = Math.floor((n * m) / 2)
  const ways = new Float64Array(half + 1)
  ways[0] = 1
  for (let i = 1; i <= n; i += 1) {
    for (let u = half; u >= m + i; u -= 1) ways[u]! -= ways[u - m - i]!
    for (let u = i; u <= half; u += 1) ways[u]! += ways[u - i]!
  }
  const all = Float64Array.from({ length: n * m + 1 }, (_, u) => ways[Math.min(u, n * m - u)]!)
  const total = all.reduce((sum, count) => sum + count, 0)
  return cumulated(
    all.map(count => count / total),
    { least: 0, step: 1 },
  )
}

/** U of `n` values that take their ranks at random from `ranks`, which may be midranks. */
export function tiedDistribution(ranks: Float64Array, n: number): Distribution {
  // Midranks are whole or half: doubled they are whole.
  const scores = ranks.map(rank => rank * 2).sort()
  const most = scores.subarray(scores.length - n).reduce((sum, score) => sum + score, 0)
  const counts = Array.from({ length: n + 1 }, () => new Float64Array(most + 1))
  counts[0]![0] = 1
  scores.forEach((score, index) => {
    for (let chosen = Math.min(n, index + 1); chosen >= 1; chosen -= 1)
      addShifted(counts[chosen]!, counts[chosen - 1]!, score)
  })
  const total = counts[n]!.reduce((sum, count) => sum + count, 0)
  const probabilities = counts[n]!.map(count => count / total)
  return cumulated(probabilities, { least: (-n * (n + 1)) / 2, step: 0.5 })
}

function addShifted(to: Float64Array, from: Float64Array, by: number): void {
  for (let sum = to.length - 1; sum >= by; sum -= 1) to[sum]! += from[sum - by]!
}

function cumulated(
  probabilities: Float64Array,
  scale: { readonly least: number; readonly step: number },
): Distribution {
  const below = probabilities.slice()
  const above = probabilities.slice()
  for (let i = 1; i < below.length; i += 1) below[i]! += below[i - 1]!
  for (let i = above.length - 2; i >= 0; i -= 1) above[i]! += above[i + 1]!
  return { ...scale, below, above }
}

/** P(U ≤ u). */
export const distributionBelow = ({ below, least, step }: Distribution, u: number): number => {
  const index = Math.floor((u - least) / step + 1e-9)
  return index < 0 ? 0 : Math.min(1, below[Math.min(index, below.length - 1)]!)
}

/** P(U ≥ u). */
export const distributionAbove = ({ above, least, step }: Distribution, u: number): number => {
  const index = Math.ceil((u - least) / step - 1e-9)
  return index >= above.length ? 0 : Math.min(1, above[Math.max(index, 0)]!)
}

/** The least u with P(U ≤ u) ≥ p. */
export function distributionQuantile({ below, least, step }: Distribution, p: number): number {
  // A tail that is p but for rounding is p, whichever sample comes first: R's own allowance.
  const index = below.findIndex(probability => probability >= p - 10 * Number.EPSILON)
  return least + step * (index === -1 ? below.length - 1 : index)
}
