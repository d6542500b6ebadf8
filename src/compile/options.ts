/**
 * Pass: what a release says of itself.
 *
 * Reason: these go into the plan as they are written, so what makes no sense has to be said before.
 */
import type { ReleaseModel } from '../definition/model.ts'
import type { CompileContext } from './context.ts'

export function checkOptions(model: ReleaseModel, context: CompileContext): void {
  checkTargetDate(model, context)
  checkConcurrency(model, context)
  checkRollback(model, context)
}

/** A policy that takes nothing back has no order to do it in. */
function checkRollback({ rollback, onFailure, at }: ReleaseModel, context: CompileContext): void {
  const known = ['service-by-service', 'staged', 'immediate']
  if (rollback === null || (known.includes(rollback) && onFailure !== 'stop')) return
  context.report({
    code: 'not-a-rollback',
    message: known.includes(rollback)
      ? `a rollback in the order "${rollback}" is asked for, and the policy "stop" takes nothing back`
      : `a rollback in the order ${JSON.stringify(rollback)} is asked for, and there is none`,
    hint: known.includes(rollback)
      ? "Leave it out, or write .onFailure('rollback-all', …)."
      : `There are ${known.map(name => `'${name}'`).join(', ')}.`,
    at,
  })
}

/** ISO dates only, so that a plan means the same day everywhere. */
function checkTargetDate(model: ReleaseModel, context: CompileContext): void {
  const { targetDate } = model
  if (targetDate === null || isDate(targetDate)) return
  context.report({
    code: 'not-a-date',
    message: `the target date is ${JSON.stringify(targetDate)}`,
    hint: "Write it as year, month and day: '2024-03-15'.",
    at: model.at,
  })
}

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (match === null) return false
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1]!
}

function checkConcurrency(model: ReleaseModel, context: CompileContext): void {
  const { concurrency } = model
  if (concurrency === null || (Number.isInteger(concurrency) && concurrency >= 1)) return
  context.report({
    code: 'not-a-count',
    message: `the concurrency is ${concurrency}`,
    hint: 'How many effects may be in flight at once is a whole number from 1.',
    at: model.at,
  })
}
