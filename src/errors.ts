/**
 * The exceptions of the product: one class, and a subclass for each way of handling.
 *
 * Known by a `Symbol.for` brand rather than `instanceof`, because a bundled definition carries a second
 * copy of every class.
 */
import type { Diagnostic } from './diagnostic.ts'

const brand = Symbol.for('release-as-code/error')

/** A failure that says what happened, where, and what to do. `code` is stable and kebab-case. */
export class ReleaseError extends Error {
  readonly [brand] = true
  readonly code: string
  /** What to do about it. */
  readonly hint: string | undefined
  /** The process's exit code, should this reach the command line. */
  readonly exitCode: number
  /** The last lines of output, where there were any; secrets scrubbed. */
  readonly tail: string | undefined

  constructor(
    code: string,
    message: string,
    options: {
      cause?: unknown
      hint?: string | undefined
      exitCode?: number
      tail?: string | undefined
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ReleaseError'
    this.code = code
    this.hint = options.hint
    this.exitCode = options.exitCode ?? 1
    this.tail = options.tail
  }
}

/** The definition, the arguments or an input is wrong; nothing was changed. Exit code 2. */
export class InputError extends ReleaseError {
  readonly diagnostics: readonly Diagnostic[]

  constructor(diagnostics: readonly Diagnostic[]) {
    const first = diagnostics.find(d => d.severity === 'error') ?? diagnostics[0]
    super(first?.code ?? 'input', first?.message ?? 'the input is wrong', {
      hint: first?.hint,
      exitCode: 2,
    })
    this.name = 'InputError'
    this.diagnostics = diagnostics
  }
}

/** The state is in use by another runner or run, or is damaged. Exit code 4. */
export class StateError extends ReleaseError {
  constructor(code: string, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(code, message, { ...options, exitCode: 4 })
    this.name = 'StateError'
  }
}

export const isReleaseError = (value: unknown): value is ReleaseError =>
  typeof value === 'object' && value !== null && brand in value
