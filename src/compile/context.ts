/**
 * What the passes of the compiler share: the findings so far, and the values that the params have.
 */
import type { CallSite, ParamModel, PickModel, SecretModel, Value } from '../definition/model.ts'
import { brand } from '../definition/model.ts'
import type { Diagnostic, Span } from '../diagnostic.ts'
import type { Json, Millis } from '../plan/plan.ts'
import { parseDuration } from './units.ts'

export interface Finding {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly at?: CallSite
  readonly severity?: Diagnostic['severity']
  readonly related?: readonly { readonly message: string; readonly at?: CallSite }[]
}

export class CompileContext {
  readonly diagnostics: Diagnostic[] = []
  /** Every param's value, by name; filled by the first pass. */
  readonly params = new Map<string, Json>()
  readonly #locate: (at: CallSite) => Span | undefined
  readonly #said = new Set<string>()
  readonly #faulty = new Set<CallSite>()

  constructor(locate: (at: CallSite) => Span | undefined) {
    this.#locate = locate
  }

  span(at: CallSite): Span | undefined {
    return this.#locate(at)
  }

  /** What is wrong with a component is found at each of its deployments, and said once. */
  report(finding: Finding): void {
    const diagnostic = this.#diagnosticOf(finding)
    if (finding.at !== undefined && diagnostic.severity === 'error') this.#faulty.add(finding.at)
    const text = JSON.stringify(diagnostic)
    if (this.#said.has(text)) return
    this.#said.add(text)
    this.diagnostics.push(diagnostic)
  }

  /** Whether something there is an error already. */
  isFaulty(at: CallSite): boolean {
    return this.#faulty.has(at)
  }

  #diagnosticOf(finding: Finding): Diagnostic {
    return {
      code: finding.code,
      severity: finding.severity ?? 'error',
      message: finding.message,
      ...this.#spanOf(finding.at),
      ...(finding.hint === undefined ? {} : { hint: finding.hint }),
      ...(finding.related === undefined
        ? {}
        : { related: finding.related.map(r => ({ message: r.message, ...this.#spanOf(r.at) })) }),
    }
  }

  #spanOf(at: CallSite | undefined): { span?: Span } {
    const span = at === undefined ? undefined : this.#locate(at)
    return span === undefined ? {} : { span }
  }

  /** What a param has decided, or the value itself. */
  value<T>(value: Value<T>): T {
    if (isParam(value)) return this.#param(value) as T
    if (isPick<T>(value)) return value.options[String(this.#param(value.param))] as T
    return value
  }

  #param(param: ParamModel): Json {
    if (!this.params.has(param.name)) {
      this.report({
        code: 'param-not-listed',
        message: `the param "${param.name}" is used, but the release does not list it`,
        hint: `Add it to the release: params: [${param.name}].`,
        at: param.at,
      })
      this.params.set(param.name, param.default ?? '')
    }
    return this.params.get(param.name)!
  }

  /** A duration in milliseconds; `fallback` where none was written or what was written is none (which is reported). */
  duration<F extends Millis | null>(
    value: Value<string> | null,
    what: { readonly name: string; readonly at: CallSite; readonly fallback: F },
  ): Millis | F {
    if (value === null) return what.fallback
    const text = this.value(value)
    const millis = typeof text === 'string' ? parseDuration(text) : null
    if (millis !== null) return millis
    this.report({
      code: 'not-a-duration',
      message: `${what.name} is ${JSON.stringify(text)}, which is no duration`,
      hint: "Write a number and a unit: ms, s, m, h or d, as in '90s' or '3d'.",
      at: what.at,
    })
    return what.fallback
  }
}

const branded = (value: unknown, kind: string): boolean =>
  typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === kind

export const isParam = (value: unknown): value is ParamModel => branded(value, 'param')
export const isPick = <T>(value: unknown): value is PickModel<T> => branded(value, 'pick')
export const isSecret = (value: unknown): value is SecretModel => branded(value, 'secret')
export const isCheck = (value: unknown): boolean => branded(value, 'check')
