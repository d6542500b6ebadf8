/**
 * The distribution of Mann and Whitney's U where nothing differs: what chance alone would do.
 *
 * Sources: H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18, 1947, for the recursion; B. Streitberg
 * and J. Röhmel, Statistical Software Newsletter 12, 1986, for the shift algorithm, which holds with ties too.
 *
 *  RD1. Every step adds what is positive, so that no digit is lost however small a tail is.
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

/** U of `n` against `m` values without ties: from 0 to n·m. */
export function untiedDistribution(n: number, m: number): Distribution {
  let row: Float64Array[] = Array.from({ length: m + 1 }, () => Float64Array.of(1))
  for (let i = 1; i <= n; i += 1) {
    const next: Float64Array[] = [Float64Array.of(1)]
    for (let j = 1; j <= m; j += 1) next.push(mixed(row[j]!, j, next[j - 1]!, i / (i + j)))
    row = next
  }
  return cumulated(row[m]!, { least: 0, step: 1 })
}

/** The greatest of all values comes from the first sample with probability `share`, and then beats `by` of the other. */
function mixed(withOneLess: Float64Array, by: number, withOther: Float64Array, share: number): Float64Array {
  const sum = new Float64Array(withOneLess.length + by)
  for (let u = 0; u < withOneLess.length; u += 1) sum[u + by]! += share * withOneLess[u]!
  for (let u = 0; u < withOther.length; u += 1) sum[u]! += (1 - share) * withOther[u]!
  return sum
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
  const index = below.findIndex(probability => probability >= p)
  return least + step * (index === -1 ? below.length - 1 : index)
}
