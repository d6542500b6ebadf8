/**
 * Options of a measure that say nothing where it stands.
 *
 * Reason: one measure serves an analysis, a comparison and a guard, and not all that can be said of it means something in
 * each. What is passed over in silence is believed to hold.
 */
import type { CallSite, MetricModel } from '../definition/model.ts'
import type { CompileContext } from './context.ts'

/** Options that are told to mean nothing. */
type Option = keyof Pick<MetricModel, 'interval' | 'delay' | 'failureLimit' | 'inconclusiveLimit' | 'count'>

const isGiven = (model: MetricModel, option: Option): boolean =>
  model[option] !== (option === 'failureLimit' ? 0 : null)

interface Place {
  readonly options: readonly Option[]
  /** Where they mean nothing: `a comparison`. */
  readonly where: string
  readonly hint: string
  readonly at: CallSite
}

function warn(context: CompileContext, model: MetricModel, { options, where, hint, at }: Place): void {
  const given = options.filter(option => isGiven(model, option))
  if (given.length === 0) return
  context.report({
    code: 'option-without-effect',
    severity: 'warning',
    message: `${model.name} is given ${listed(given)}, which ${given.length === 1 ? 'means' : 'mean'} nothing in ${where}`,
    hint,
    at,
  })
}

/** `interval, delay and count` */
const listed = (names: readonly string[]): string =>
  names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`

/** Of a metric in an analysis. */
export function checkOptions(context: CompileContext, model: MetricModel): void {
  const { expected, at } = model
  if (expected.kind === 'comparison')
    warn(context, model, {
      options: ['failureLimit', 'inconclusiveLimit', 'count'],
      where: 'a comparison, which judges all measurements together',
      hint: 'Leave them out; how much worse and how certain it may be is said by tolerance and confidence.',
      at,
    })
  else if (expected.kind !== 'within' || expected.of !== 'stable')
    warn(context, model, {
      options: ['inconclusiveLimit'],
      where: 'a condition that always has its mark',
      hint: "Leave it out; it is for what is compared with another side, as in .within('10%').of('stable').",
      at,
    })
}

/** Of a trigger's metric. */
export const checkTriggerOptions = (context: CompileContext, model: MetricModel, at: CallSite): void =>
  warn(context, model, {
    options: ['interval', 'delay', 'failureLimit', 'inconclusiveLimit', 'count'],
    where: 'a trigger',
    hint: "Leave them out: a guard measures `every` so often, and the trigger's period, breaches, within or lasting say how bad it may get.",
    at,
  })
