/**
 * Where a guard sees nothing: triggers whose source does not answer, or that never had anything to judge.
 *
 *  BL1. What measured nothing is never called quiet: a source that was in error at the end may have hidden anything.
 *  BL2. A few errors in a row are a source's own affair, as in an analysis; more than the metric allows are told at once.
 */
import { CONSECUTIVE_ERROR_LIMIT } from '../../src/judge/analysis.ts'
import { readingOf } from '../../src/judge/measurement.ts'
import { countOf } from '../../src/judge/unit.ts'
import type { JudgedTrigger } from './readings.ts'

/** The trigger is blind since so long that it is told: why, a sentence without its full stop; null: it sees. */
export function whyBlind({ target, trigger, points }: JudgedTrigger): string | null {
  const good = points.findLastIndex(point => readingOf(point).kind !== 'error')
  const errors = points.length - 1 - good
  if (errors <= (trigger.consecutiveErrorLimit ?? CONSECUTIVE_ERROR_LIMIT)) return null
  const last = readingOf(points.at(-1)!)
  const error = last.kind === 'error' ? last.error : ''
  return `${trigger.name} of ${target.component} in ${target.environment} cannot be measured, ${countOf(errors, 'time')} in a row: ${error}`
}

/** Why the watch, at its end, cannot call a trigger quiet; null: it can. */
export function whyUnmeasured(judged: JudgedTrigger): string | null {
  const blind = whyBlind(judged)
  if (blind !== null) return blind
  const { target, trigger, judgement, points } = judged
  if (judgement.verdict !== 'unmeasured') return null
  const of = `${trigger.name} of ${target.component} in ${target.environment}`
  if (points.length === 0) return `${of} was never measured`
  return `${of} was measured ${countOf(points.length, 'time')}, and never so that it could be judged`
}
