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
  // Midranks are whole or half: doubled, where one is half, they are whole.
  const scale = ranks.every(Number.isInteger) ? 1 : 2
  const scores = ranks.map(rank => rank * scale).sort()
  const counts = countSums(scores, n)
  const total = counts.reduce((sum, count) => sum + count, 0)
  return cumulated(
    counts.map(count => count / total),
    { least: (-n * (n + 1)) / 2, step: 1 / scale },
  )
}

/** For each sum, in how many ways `n` of the scores have it. The scores are whole and in ascending order. */
function countSums(scores: Float64Array, n: number): Float64Array {
  const first = new Float64Array(scores.length + 1)
  for (let i = 0; i < scores.length; i += 1) first[i + 1] = first[i]! + scores[i]!
  /** The greatest sum of so many of the first so many. */
  const mostOf = (chosen: number, among: number): number => first[among]! - first[among - chosen]!
  const counts = Array.from({ length: n + 1 }, () => new Float64Array(mostOf(n, scores.length) + 1))
  counts[0]![0] = 1
  for (let i = 0; i < scores.length; i += 1) {
    const score = scores[i]!
    // Fewer than this cannot become n with what is left.
    const fewest = Math.max(1, n - (scores.length - 1 - i))
    for (let chosen = Math.min(n, i + 1); chosen >= fewest; chosen -= 1) {
      const [to, from] = [counts[chosen]!, counts[chosen - 1]!]
      const most = mostOf(chosen, i + 1)
      for (let sum = Math.max(score, first[chosen]!); sum <= most; sum += 1) to[sum]! += from[sum - score]!
    }
  }
  return counts[n]!
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
