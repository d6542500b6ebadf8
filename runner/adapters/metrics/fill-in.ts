/**
 * What is filled in where a team names its target in a query, an address or an argument.
 *
 * Boundary: text only. `{component}`, `{environment}`, `{side}`, `{version}`, `{window}`, and in a query for latency
 * `{quantile}`; any other text between braces is left as it is, for PromQL and JSON have braces of their own.
 */
import type { MeasureTarget, Millis } from '../../../src/plan/plan.ts'

export interface FillIn {
  readonly target: MeasureTarget
  readonly window: Millis
  readonly quantile?: number
}

/** Fills in; `quote` makes a value fit for where it stands. */
export function fillIn(
  text: string,
  { target, window, quantile }: FillIn,
  quote: (value: string) => string,
): string {
  const values: Readonly<Record<string, string>> = {
    component: target.component,
    environment: target.environment,
    side: target.side,
    version: target.version,
    window: promDuration(window),
    ...(quantile === undefined ? {} : { quantile: String(quantile) }),
  }
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    return value === undefined ? whole : quote(value)
  })
}

/** `90s`, `1500ms`: a duration as PromQL writes it, without a fraction. */
export const promDuration = (duration: Millis): string => {
  const whole = Math.max(1, Math.round(duration))
  return whole % 1000 === 0 ? `${whole / 1000}s` : `${whole}ms`
}

/** For between the quotes of a PromQL text, whichever of `"` and `'` they are. */
export const inQuotes = (value: string): string =>
  value.replace(/[\\"'\p{Cc}]/gu, mark => `\\x${mark.charCodeAt(0).toString(16).padStart(2, '0')}`)

/** For between the quotes of a PromQL text that is read as a regular expression, and means itself there. */
export const inPattern = (value: string): string =>
  inQuotes(value.replace(/[\\^$.*+?()[\]{}|]/g, mark => `\\${mark}`))

/** For an address. */
export const inAddress = (value: string): string => encodeURIComponent(value.toWellFormed())

/** As it is. */
export const asItIs = (value: string): string => value
