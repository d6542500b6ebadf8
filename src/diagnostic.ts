/**
 * Expected problems as data.
 *
 * Role: the one shape in which anything wrong with a definition, an argument or an input is said.
 * Boundary: open to every part; knows none of them.
 */

/** A place in a source file. Lines and columns count from 1; `file` is relative to the project's folder. */
export interface Span {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine?: number
  readonly endColumn?: number
}

export type Severity = 'error' | 'warning'

/** One finding: what is wrong, where, and what would mend it. */
export interface Diagnostic {
  /** Stable, kebab-case, searchable: `unknown-stage`. */
  readonly code: string
  readonly severity: Severity
  /** What happened, as a sentence. */
  readonly message: string
  readonly span?: Span
  /** What to do about it. */
  readonly hint?: string
  readonly related?: readonly { readonly message: string; readonly span?: Span }[]
}

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some(d => d.severity === 'error')
