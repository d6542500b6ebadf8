/**
 * How often the comparison is right, by simulation: normal data whose standard deviation is a fifth of their mean.
 *
 * Kayenta's figures are those of its own judge (Mann and Whitney at 0.98, tolerance 0.25) for the same data.
 */
import { type Comparison, type ComparisonRule, compareValues } from '../../../src/judge/compare.ts'
import { normals, seeded } from './seeded.ts'

/** How often each verdict was given, from 0 to 1. */
export type Rates = Readonly<Partial<Record<Comparison['verdict'], number>>>

/** What is simulated. */
export interface Trial {
  readonly points: number
  /** By how much the canary's mean lies above the baseline's, as a share of it. */
  readonly shift: number
  readonly rounds: number
  readonly seed: number
  readonly direction?: ComparisonRule['direction']
}

/** Runs a trial. The same trial gives the same rates. */
export function ratesOf({ points, shift, rounds, seed, direction = 'increase' }: Trial): Rates {
  const random = seeded(seed)
  const counts: Partial<Record<Comparison['verdict'], number>> = {}
  for (let round = 0; round < rounds; round += 1) {
    const canary = normals(random, { mean: 100 * (1 + shift), sd: 20 }, points)
    const baseline = normals(random, { mean: 100, sd: 20 }, points)
    const { verdict } = compareValues({ measure: 'latency', unit: 'ms', direction }, canary, baseline)
    counts[verdict] = (counts[verdict] ?? 0) + 1 / rounds
  }
  return counts
}

/** Kayenta's, by points a side: how often it finds a shift of +20 %, and one that is not there. */
export const kayenta: Readonly<
  Record<number, { readonly found: number | null; readonly falsely: number | null }>
> = {
  2: { found: null, falsely: 0.227 },
  5: { found: 0.025, falsely: 0.003 },
  20: { found: 0.44, falsely: 0.003 },
  50: { found: 0.96, falsely: 0.003 },
}
