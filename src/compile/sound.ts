/**
 * Metrics that cannot do what they are for, found before anything runs.
 *
 * Boundary: what is wrong with a rule is told by src/judge; here a metric becomes its rule, and the finding gets its place.
 */
import type { CallSite } from '../definition/model.ts'
import type { AnalysisRule } from '../judge/analysis.ts'
import { diagnoseRule } from '../judge/soundness.ts'
import type { Millis, PlanMetric } from '../plan/plan.ts'
import { reachOf } from '../plan/reach.ts'
import { countText, durationText } from '../plan/render/wording.ts'
import type { CompileContext } from './context.ts'

export interface SoundOptions {
  /** From the start to the moment at which what was not measured fails; null: another node ends it. */
  readonly limit: Millis | null
  readonly at: CallSite
}

/** Reports what can never fail, never pass, or never be measured in its time. */
export function checkSound(context: CompileContext, metric: PlanMetric, { limit, at }: SoundOptions): void {
  // A threshold that could not be read stands as 0: what follows from that is no finding of its own.
  if (context.isFaulty(at)) return
  for (const { code, message, hint } of diagnoseRule(ruleOf(metric, limit)))
    context.report({ code, message, ...(hint === undefined ? {} : { hint }), at })
}

/** Reports a comparison that has too few points to come to anything, or none before it waits for more. */
export function checkReach(
  context: CompileContext,
  metric: PlanMetric,
  { at, ...time }: { readonly duration: Millis; readonly patience: Millis; readonly at: CallSite },
): void {
  const reach = context.isFaulty(at) ? null : reachOf(metric, time)
  if (reach === null || reach.ended.taken >= reach.ended.fewest) return
  const { ended, waited } = reach
  const isLate = waited.taken >= waited.fewest
  const points = `has ${countText(ended.taken, 'point')} a side in ${durationText(time.duration)}`
  const fewer = `fewer than ${ended.fewest} decide nothing, whatever they are`
  context.report({
    severity: isLate ? 'warning' : 'error',
    code: isLate ? 'compared-late' : 'compared-for-nothing',
    message: isLate
      ? `${metric.name} ${points}, and ${fewer}: it comes to a verdict only where it waits for more, in its patience`
      : `${metric.name} ${points} and ${waited.taken} with its patience, and ${fewer}: it never comes to a verdict`,
    hint: `Measure it more often, such as every ${durationText(often(time.duration))}, or for longer.`,
    at,
  })
}

/** So often that there are twenty points. */
const often = (duration: Millis): Millis => Math.max(1, Math.floor(duration / 20))

/** As the engine judges it: the first measurement ends the first interval after the delay. */
function ruleOf(metric: PlanMetric, limit: Millis | null): AnalysisRule {
  const { name, unit, interval, delay, failureLimit, consecutiveErrorLimit, minRequests, expected } = metric
  const { inconclusiveLimit, count } = metric
  const limits = {
    ...{ failureLimit, consecutiveErrorLimit, minRequests },
    ...(inconclusiveLimit !== undefined && { inconclusiveLimit }),
    ...(count !== undefined && { count }),
  }
  const rule = { measure: name, unit, condition: conditionOf(expected), interval, ...limits }
  return { ...rule, initialDelay: delay + interval, ...(limit === null ? {} : { timeLimit: limit }) }
}

/** A comparison has a tolerance, as what lies within a share of a baseline has. */
function conditionOf(expected: PlanMetric['expected']): AnalysisRule['condition'] {
  if (expected.kind === 'condition') return expected.condition
  return { kind: 'within', tolerance: expected.tolerance, baseline: { kind: 'stable' } }
}
