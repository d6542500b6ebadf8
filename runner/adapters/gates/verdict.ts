/**
 * What every gate is given, and the verdict that it comes back with.
 */
import type { Failure } from '../../../src/run/events.ts'
import type { Commands } from '../../../src/run/ports.ts'

/** A team's own verdict. */
export type OwnVerdict = boolean | { readonly passed: boolean; readonly summary?: string }

export interface GateContext {
  readonly commands: Commands
  /** Aborted when the gate is cancelled or its time limit is over. */
  readonly signal: AbortSignal
  /** The node's log. */
  readonly write: (text: string) => void
  /** The node's key. */
  readonly node: string
  /** The project's folder, absolute. */
  readonly root: string
  /** The team's function; null where the bundle has none for this gate. */
  readonly run: (() => Promise<OwnVerdict>) | null
  /** An environment's gateway: `http://127.0.0.1:40123`. */
  readonly gateway: (environment: string) => Promise<string>
  /** How long one answer may take, in milliseconds. */
  readonly httpTimeout?: number
}

export interface GateResult {
  readonly passed: boolean
  /** A line for people: `91.4 % of lines, at least 90 asked`. */
  readonly summary: string
  /** Why it did not pass. */
  readonly failure?: Failure
}

/** A verdict against. */
export const failed = (failure: Failure): GateResult => ({ passed: false, summary: failure.message, failure })
