/**
 * Mann and Whitney's U test: whether values of one sample tend to be greater than those of another.
 *
 * Source: H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18, 1947; the choice between the exact
 * distribution and the normal curve, and its two corrections, as R's `wilcox.test`, against which the tests hold it.
 *
 *  MW1. U counts the pairs in which the first sample is greater, and half of those that are equal.
 *  MW2. Only the order of the values matters: any increasing function of all of them changes nothing.
 */
import { ReleaseError } from '../../errors.ts'
import { normalAbove, normalBelow } from './normal.ts'
import { rank } from './order.ts'
import type { Alternative } from './proportions.ts'
import {
  type Distribution,
  distributionAbove,
  distributionBelow,
  tiedDistribution,
  untiedDistribution,
} from './rank-distribution.ts'

export interface MannWhitney {
  readonly u: number
  /** The share of pairs in which the first sample is greater: 0.5 where nothing differs. */
  readonly superiority: number
  readonly p: number
  readonly method: 'exact' | 'normal'
}

export interface MannWhitneyOptions {
  /** Left out: two-sided. */
  readonly alternative?: Alternative
  /** approximate: with ties the normal curve, as R before 4.5. exact: the exact distribution with ties too, while samples are small. Left out: approximate. */
  readonly ties?: 'approximate' | 'exact'
}

/** R's bound: samples of at least so many are judged by the normal curve. */
export const exactBelow = 50
/** The exact distribution with ties takes time with the fourth power of the size. */
const exactTiesUpTo = 60

/**
 * Tests whether `x` tends to be greater than `y`.
 * @throws ReleaseError `no-values` where a sample is empty
 */
export function mannWhitney(
  x: readonly number[],
  y: readonly number[],
  { alternative = 'two-sided', ties = 'approximate' }: MannWhitneyOptions = {},
): MannWhitney {
  if (x.length === 0 || y.length === 0)
    throw new ReleaseError('no-values', 'a sample without values cannot be compared', {
      hint: 'Ask whether anything was measured on both sides before comparing them.',
    })
  const ranked = rank([...x, ...y])
  const u =
    ranked.ranks.subarray(0, x.length).reduce((sum, value) => sum + value, 0) -
    (x.length * (x.length + 1)) / 2
  const said = { u, superiority: u / (x.length * y.length) }
  const exact = exactDistribution(ranked, x.length, y.length, ties)
  if (exact !== null) return { ...said, p: exactP(exact, u, alternative), method: 'exact' }
  const sigma = spreadOf(x.length, y.length, ranked.ties)
  return { ...said, p: normalP(u - (x.length * y.length) / 2, sigma, alternative), method: 'normal' }
}

/** The standard deviation of U where nothing differs. `ties` are the sizes of the groups of equal values. */
export function spreadOf(n: number, m: number, ties: readonly number[] = []): number {
  const all = n + m
  const tied = ties.reduce((sum, size) => sum + size ** 3 - size, 0) / (all * (all - 1))
  return Math.sqrt(Math.max(0, ((n * m) / 12) * (all + 1 - tied)))
}

function exactDistribution(
  { ranks, ties }: ReturnType<typeof rank>,
  n: number,
  m: number,
  withTies: 'approximate' | 'exact',
): Distribution | null {
  if (ties.length === 0) return n < exactBelow && m < exactBelow ? untiedDistribution(n, m) : null
  return withTies === 'exact' && n + m <= exactTiesUpTo ? tiedDistribution(ranks, n) : null
}

function exactP(distribution: Distribution, u: number, alternative: Alternative): number {
  const below = distributionBelow(distribution, u)
  const above = distributionAbove(distribution, u)
  switch (alternative) {
    case 'greater':
      return above
    case 'less':
      return below
    case 'two-sided':
      return Math.min(1, 2 * Math.min(below, above))
    default:
      return alternative satisfies never
  }
}

function normalP(excess: number, sigma: number, alternative: Alternative): number {
  if (sigma === 0) return 1
  switch (alternative) {
    case 'greater':
      return normalAbove((excess - 0.5) / sigma)
    case 'less':
      return normalBelow((excess + 0.5) / sigma)
    case 'two-sided':
      return Math.min(1, 2 * normalAbove((Math.abs(excess) - 0.5) / sigma))
    default:
      return alternative satisfies never
  }
}
