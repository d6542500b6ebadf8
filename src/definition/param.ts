/**
 * Params: typed inputs of a release, given with `--param name=value`.
 *
 * Role: `param()`, and `pick`, by which a param decides between values when the definition is compiled.
 * Boundary: a param's value is not known while the definition is evaluated; nothing here reads one.
 */
import { callSite } from './call-site.ts'
import { copyOf, type Handle, handle, model } from './handle.ts'
import type { Value as ModelValue, ParamModel, ParamValue, PickModel } from './model.ts'
import { brand } from './model.ts'

/** One of several values, chosen by a param when the release is planned. Made by {@link Param.pick}. */
export interface Picked<T> extends Handle<PickModel<T>> {}

/**
 * A typed input of the release: what `param()` returns.
 *
 * It stands for its value wherever the language takes one, and steps read it as `params.NAME`.
 */
export interface Param<Name extends string = string, T = ParamValue>
  extends Handle<ParamModel & { readonly default: T | null }> {
  readonly name: Name

  /**
   * Chooses by this param's value, when the release is planned.
   *
   * @param options one entry for each of the param's choices.
   * @example
   * import { param, release } from 'release-as-code'
   *
   * const pace = param('pace', { choices: ['quick', 'real'], default: 'real' })
   *
   * export default release('phoenix', { version: '3.0.0', params: [pace] })
   *   .stage('settle', s => s.wait(pace.pick({ quick: '2s', real: '30m' })))
   */
  pick<const Options extends { readonly [Choice in ChoiceOf<T>]: unknown }>(
    options: OptionsOf<Options, ChoiceOf<T>>,
  ): Picked<Options[keyof Options]>
}

/** `Options` where each is one of the choices; otherwise the sentence that the editor shows. */
type OptionsOf<Options, Choice> = [Exclude<keyof Options, Choice>] extends [never]
  ? Options
  : `'${Exclude<keyof Options, Choice> & string}' is none of the param's choices: leave it out`

type ChoiceOf<T> = T extends ParamValue ? `${T}` : string

type TypeName = 'string' | 'number' | 'boolean'

type TypeNamed<Type> = Type extends 'number' ? number : Type extends 'boolean' ? boolean : string

type Widened<T> = T extends string ? string : T extends number ? number : T extends boolean ? boolean : never

/** What a param holds: one of its choices, or what its default is, or what its `type` says, or a string. */
export type ParamValueOf<Choice, Default, Type> = [Choice] extends [never]
  ? [Default] extends [never]
    ? TypeNamed<Type>
    : Widened<Default>
  : Choice

type DefaultOf<Default, Choice> = [Choice] extends [never]
  ? Default
  : Default extends Choice
    ? Default
    : Default extends string | number | boolean
      ? `the default '${Default}' is none of the choices: take one of them`
      : never

export interface ParamOptions<Choice, Default, Type> {
  /** Taken where no `--param` says otherwise. A param without one must be given. */
  readonly default?: DefaultOf<Default, Choice>
  /** The only values allowed. */
  readonly choices?: readonly Choice[]
  /** One line for people. */
  readonly help?: string
  /** Needed only where neither `default` nor `choices` shows it; `'string'` if left out. */
  readonly type?: Type
}

/** A param's type name, from what its options show. */
const typeOf = (options: {
  readonly default?: unknown
  readonly choices?: readonly unknown[]
  readonly type?: unknown
}) => {
  const shown = typeof (options.choices?.[0] ?? options.default)
  return (options.type ?? (shown === 'number' || shown === 'boolean' ? shown : 'string')) as TypeName
}

/**
 * Declares an input of the release, given on the command line with `--param name=value`.
 *
 * Its type follows from `choices`, `default` or `type`; with none of these it is a string. List it in the
 * release's `params`. A param without a default must be given; `release plan` says so otherwise.
 *
 * @example
 * import { param } from 'release-as-code'
 *
 * const version = param('version', { default: '3.0.0', help: 'what is released' })
 * const pace = param('pace', { choices: ['quick', 'real'], default: 'real' })
 * const shards = param('shards', { type: 'number' })
 */
export function param<
  const Name extends string,
  const Choice extends ParamValue = never,
  const Default extends ParamValue = never,
  const Type extends TypeName = 'string',
>(
  name: Name,
  options: ParamOptions<Choice, Default, Type> = {},
): Param<Name, ParamValueOf<Choice, Default, Type>> {
  const written: ParamModel = {
    [brand]: 'param',
    name,
    type: typeOf(options),
    default: (options.default as ParamValue | undefined) ?? null,
    choices: options.choices === undefined ? null : [...options.choices],
    help: options.help ?? null,
    at: callSite(param),
  }
  const pick = (options: Readonly<Record<string, unknown>>) => {
    const picked: PickModel = {
      [brand]: 'pick',
      param: written,
      options: copyOf(options),
      at: callSite(pick),
    }
    return handle<Picked<unknown>>({}, picked)
  }
  return handle({ name, pick }, written)
}

/** A value as the models hold it: what a param decides, by its model. */
export const valueModel = <T>(value: unknown): ModelValue<T> => {
  const carried = typeof value === 'object' && value !== null && model in value ? value[model] : value
  return carried as ModelValue<T>
}
