/**
 * Pass: what every param is worth in this plan.
 *
 * Reason: everything later may depend on a param, so they are read first, and all of them, before anything else is said.
 */
import type { ParamModel, ParamValue, ReleaseModel } from '../definition/model.ts'
import type { CompileContext } from './context.ts'

/** `given` is as typed on the command line, by name. */
export function readParams(
  model: ReleaseModel,
  given: Readonly<Record<string, string>>,
  context: CompileContext,
): void {
  const known = uniqueParams(model, context)
  for (const name of Object.keys(given)) {
    if (!known.has(name)) reportUnknown(name, [...known.keys()], context)
  }
  for (const param of known.values()) {
    const value = readParam(param, Object.hasOwn(given, param.name) ? given[param.name] : undefined, context)
    context.params.set(param.name, value)
  }
}

function uniqueParams(model: ReleaseModel, context: CompileContext): ReadonlyMap<string, ParamModel> {
  const byName = new Map<string, ParamModel>()
  for (const param of model.params) {
    const first = byName.get(param.name)
    if (first === undefined) byName.set(param.name, param)
    else if (first !== param) {
      context.report({
        code: 'duplicate-param',
        message: `two params are named "${param.name}"`,
        hint: 'Define it once and use it by reference.',
        at: param.at,
        related: [{ message: 'the first one', at: first.at }],
      })
    }
  }
  return byName
}

function reportUnknown(name: string, known: readonly string[], context: CompileContext): void {
  context.report({
    code: 'unknown-param',
    message: `--param ${name}: the release has no param of that name`,
    hint: known.length === 0 ? 'It takes no params at all.' : `It takes ${known.join(', ')}.`,
  })
}

function readParam(param: ParamModel, text: string | undefined, context: CompileContext): ParamValue {
  const value = text === undefined ? param.default : parse(param, text, context)
  if (value === null) {
    context.report({
      code: 'param-missing',
      message: `the param "${param.name}" has no value${param.help ? ` (${param.help})` : ''}`,
      hint: `Give it with --param ${param.name}=VALUE, or give it a default.`,
      at: param.at,
    })
    return ''
  }
  checkChoice(param, value, context)
  return value
}

function parse(param: ParamModel, text: string, context: CompileContext): ParamValue {
  if (param.type === 'string') return text
  if (param.type === 'number' && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  if (param.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  context.report({
    code: 'param-type',
    message: `--param ${param.name}=${text}: it has to be a ${param.type}`,
    hint: param.type === 'boolean' ? 'Say true or false.' : 'Say a number.',
    at: param.at,
  })
  return param.default ?? (param.type === 'number' ? 0 : false)
}

function checkChoice(param: ParamModel, value: ParamValue, context: CompileContext): void {
  if (param.choices === null || param.choices.includes(value)) return
  context.report({
    code: 'param-choice',
    message: `the param "${param.name}" is ${JSON.stringify(value)}, which is none of its choices`,
    hint: `Choose one of ${param.choices.join(', ')}.`,
    at: param.at,
  })
}
