/**
 * Differences that are never a breach: a tenth of nearly nothing is nothing.
 *
 * Reason: beside a stable side without any error, a tolerance that is a share allows nothing at all, and the first bad
 * answer among any number of good ones would fail the release.
 */
import type { WithinCondition } from '../judge/condition.ts'
import type { Unit } from '../judge/unit.ts'
import type { PlanExpectation } from '../plan/plan.ts'

/** Beside another side a share may differ by half a percent of the requests, where the metric does not say. */
const USUAL_FLOOR = 0.005
/** Beside another side a share is judged on so many requests at most, where the metric does not say. */
const ENOUGH_BESIDE = 200

/** With the floor as it is written, in the measure's unit, or as is usual; null: nothing is written. */
export function withFloor(expected: PlanExpectation, unit: Unit, written: number | null): PlanExpectation {
  if (expected.kind === 'comparison') return written === null ? expected : { ...expected, floor: written }
  const { condition } = expected
  if (condition.kind !== 'within') return expected
  const usual = unit === 'ratio' && condition.baseline.kind === 'stable' ? USUAL_FLOOR : null
  const floor = written ?? usual
  return floor === null ? expected : { ...expected, condition: { ...condition, floor } }
}

/** Of a share: so many requests that one bad answer alone is not too far from a side that has none, or from a fixed value. */
export function requestsBeside({ tolerance, baseline, direction, floor = 0 }: WithinCondition): number {
  const best = direction === 'decrease' ? 1 : 0
  // A side without any bad answer is the strictest that there can be: of a share of its errors nothing is left but the floor.
  const from = baseline.kind === 'fixed' ? baseline.value : best
  const allowed = Math.abs(from - best) + Math.max(tolerance * Math.abs(from), floor)
  return allowed <= 0 ? ENOUGH_BESIDE : Math.min(ENOUGH_BESIDE, Math.ceil(1 / allowed))
}
