/**
 * What every way of starting a plan's command has in common.
 *
 * Role: the seam between the adapter of the port, which knows plans, outputs and errors for people, and the ways in
 * which a program comes to run. Boundary: types, and what is read from them. Every way passes `test/contract/commands.ts`.
 *
 *  LA1. The program runs in a session and process group of its own, with nothing on its stdin.
 *  LA2. When a launch settles, no process of the group is left, and all that the group printed has been handed over.
 *  LA3. The group is on record from its start to its end where there is a place for records.
 */
import type { ChildrenOptions } from './supervise.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** One program that is to run. */
export interface Start {
  readonly argv: readonly string[]
  /** Absolute. */
  readonly cwd: string
  /** The environment that all commands of a run have in common, as one object that never changes; undefined: not set. */
  readonly base: Environment
  /** What this one has beside it. */
  readonly env: Environment
  readonly signal: AbortSignal
  readonly children: ChildrenOptions | null
  /** The node that it belongs to. */
  readonly node: string | null
  /** Between SIGTERM and SIGKILL when it is ended, in milliseconds. */
  readonly grace: number
  readonly stdout: (chunk: Buffer) => void
  readonly stderr: (chunk: Buffer) => void
}

export type Ending =
  | { readonly kind: 'ended'; readonly exitCode: number | null; readonly signal: string | null }
  /** Nothing ran. `cause` carries the system's code: ENOENT, EACCES, E2BIG … */
  | { readonly kind: 'not-started'; readonly cause: NodeJS.ErrnoException }

/**
 * Runs a program to its end. Rejects with StateError `state-unusable` where it cannot be put on record, with
 * ReleaseError `command-cut-off` where its end cannot be known any more, and with any other error where a process
 * is left in spite of SIGKILL.
 */
export type Launch = (start: Start) => Promise<Ending>
