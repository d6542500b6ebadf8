/**
 * The comparisons of an analysis that count together: what those of each component come to when its time is over.
 */
import { ReleaseError } from '../../src/errors.ts'
import { type Gap, type ScoredMeasure, type ScorePolicy, scoreOf } from '../../src/judge/score.ts'
import type { MeasureTarget } from '../../src/plan/plan.ts'
import type { EvidenceScore } from '../../src/run/evidence.ts'
import type { Series } from './series.ts'

/** Its group and whether it is critical; null: it has to hold by itself. */
function placeOf({ metric }: Series): Pick<ScoredMeasure, 'group' | 'critical'> | null {
  const { expected } = metric
  if (expected.kind !== 'comparison' || expected.group === undefined) return null
  return { group: expected.group, critical: expected.critical === true }
}

/** Whether it counts to a score. */
export const isScored = (series: Series): boolean => placeOf(series) !== null

/** Whether a failure of it is one of the whole. */
export const failsAll = (series: Series): boolean => placeOf(series)?.critical ?? true

/** One score for each component that is watched; `isLast`: no measurement follows. */
export function scoresOf(
  policy: ScorePolicy,
  all: readonly Series[],
  { isLast }: { readonly isLast: boolean },
): readonly EvidenceScore[] {
  const byTarget = Map.groupBy(all.filter(isScored), ({ target }) => target)
  return [...byTarget].map(([target, own]) => ({
    target,
    ...scoreOf(
      policy,
      own.map(series => measureOf(series, isLast)),
    ),
  }))
}

function measureOf(series: Series, isLast: boolean): ScoredMeasure {
  const { metric } = series
  const gap: Gap = series.gap?.() ?? 'bad'
  return {
    measure: metric.name,
    ...placeOf(series)!,
    gap: gap === 'waits' && isLast ? 'bad' : gap,
    ...series.judgement('ended'),
  }
}

/** A failed score is one at once; what nobody can tell any more is not waited for. */
export function throwScore(scores: readonly EvidenceScore[]): void {
  const failed = scores.find(({ verdict }) => verdict === 'fail')
  if (failed !== undefined)
    throw new ReleaseError('analysis-failed', `${nameOf(failed)}: ${failed.reason}`, {
      hint: 'The requests go back to the old version. See what the new one logged: `release local status`.',
    })
  const marginal = scores.find(({ verdict }) => verdict === 'marginal')
  if (marginal !== undefined)
    throw new ReleaseError('analysis-unanswered', `${nameOf(marginal)}: ${marginal.reason}`, {
      hint: 'A marginal score never promotes, and longer waiting would not change it: mend what is worse, or ask for less.',
    })
}

/** Of what was not told to the end. */
export const unscored = (score: EvidenceScore): ReleaseError =>
  new ReleaseError('analysis-unanswered', `${nameOf(score)}: ${score.reason}`, {
    hint: 'What was not measured never passes: bring traffic to it, watch it for longer, or give it more patience.',
  })

const nameOf = ({ target }: { readonly target: MeasureTarget }): string =>
  `${target.component} ${target.version} in ${target.environment}`
