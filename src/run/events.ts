/**
 * What can happen in a run, as a closed union of JSON objects.
 *
 * Role: the journal stores these, a run's state is their fold, and every view is a fold of them too.
 * Boundary: only data; schemas/event.schema.json says the same and a test holds the two together.
 *
 * `at` is always milliseconds since 1970, read by the ground that recorded the event.
 */
import type { Json, RollbackStrategy, Sha256 } from '../plan/plan.ts'
import type { GuardBreach } from './guard-record.ts'
import type { Validation } from './validation.ts'

/** Why something failed, as data that can be written down. Never holds a secret's value. */
export interface Failure {
  /** Stable and kebab-case: `health-timeout`, `exit-code`, `time-limit`. */
  readonly code: string
  readonly message: string
  /** What to do about it. */
  readonly hint?: string
  /** The last lines of output, where there were any. */
  readonly tail?: string
}

interface At {
  readonly at: number
}

/** Of one node. `node` is its key in the plan, or a rollback's own key (`rollback/1/…`). Attempts count from 1. */
interface OfNode extends At {
  readonly node: string
}

export type RunEvent =
  /** Always the first. */
  | (At & {
      readonly type: 'run-started'
      readonly run: string
      readonly release: string
      readonly version: string
      readonly plan: Sha256
      readonly bundle: Sha256
      /** Who started it: `alice@techcorp.example`. */
      readonly who: string
      /** Only these stages run, and what guards them; null: all. */
      readonly only: readonly string[] | null
    })
  /** A runner took the run over, at first or by `resume`. */
  | (At & {
      readonly type: 'runner-attached'
      readonly who: string
      readonly host: string
      readonly pid: number
      /** Version of the engine that decides from here on. */
      readonly interpreter: number
    })
  /** Another plan takes the place of the one the run began with (`resume --adopt`). */
  | (At & {
      readonly type: 'plan-adopted'
      readonly plan: Sha256
      readonly bundle: Sha256
      readonly who: string
    })
  /** Written before the effect: from here on the node may have happened. */
  | (OfNode & { readonly type: 'node-started'; readonly attempt: number })
  /** An approval asks, or a wait begins. `until` is an expiry or the end of the wait. */
  | (OfNode & {
      readonly type: 'node-waiting'
      readonly for: 'person' | 'time'
      readonly until: number | null
    })
  | (OfNode & {
      readonly type: 'node-succeeded'
      readonly attempt: number
      /** What it returned; read by later nodes and by its undo. */
      readonly value: Json
      /** A line for people: `91.4 % of lines, at least 90 asked`. */
      readonly summary: string | null
      /** It passed but should be looked at: a gate that is not required and failed. */
      readonly warning: string | null
      /** performed: its effect ran. observed: it was found to be so already. given: a person said so (`resume --skip`). */
      readonly how: 'performed' | 'observed' | 'given'
    })
  /** An attempt failed and another follows at `until`. */
  | (OfNode & {
      readonly type: 'node-retrying'
      readonly attempt: number
      readonly failure: Failure
      readonly until: number
    })
  /** A root cause. */
  | (OfNode & {
      readonly type: 'node-failed'
      readonly attempt: number
      readonly failure: Failure
      /** What it had measured when it failed. */
      readonly evidence?: Json
    })
  /** Stopped by us while it ran or waited, as a consequence. */
  | (OfNode & {
      readonly type: 'node-cancelled'
      readonly because: string
      /** What it had measured by then. */
      readonly evidence?: Json
    })
  /** Never started, as a consequence of `because`, a node's key or `only`. */
  | (OfNode & { readonly type: 'node-skipped'; readonly because: string })
  /** Its attempt was cut off by a crash and nobody can tell whether its effect happened: a person must say. */
  | (OfNode & { readonly type: 'node-uncertain'; readonly attempt: number })
  /** A person said that an uncertain node is to run again (`resume --rerun`). */
  | (OfNode & { readonly type: 'node-rerun'; readonly who: string })
  | (OfNode & {
      readonly type: 'approval-given'
      readonly person: string
      readonly role: string
      /** SHA256 fingerprint of the key that signed; null where the release has no approvers. */
      readonly key: string | null
      /** The signed text and its armoured SSH signature, so that `verify` can check it again. */
      readonly statement: string
      readonly signature: string | null
    })
  | (OfNode & { readonly type: 'approval-refused'; readonly person: string; readonly reason: string })
  | (OfNode & {
      readonly type: 'approval-rejected'
      readonly person: string
      readonly role: string
      readonly reason: string
      readonly key: string | null
      readonly statement: string
      readonly signature: string | null
    })
  /** A rollback was planned from what the journal says was done. Its nodes are the run's own from here on. */
  | (At & {
      readonly type: 'rollback-planned'
      readonly rollback: number
      /** The root cause's node, `person` where somebody asked for it, or `guard` where the watch after the release did. */
      readonly because: string
      readonly scope: RollbackScope
      /** In which order; left out, as all journals of before: service by service. */
      readonly strategy?: RollbackStrategy
      /** What the guard had measured, and against which threshold; left out where it only decides what a dead runner left. */
      readonly breach?: GuardBreach
      readonly nodes: readonly RollbackNode[]
      /** What was done and stays: each with the reason. */
      readonly kept: readonly { readonly node: string; readonly reason: string }[]
    })
  | (At & {
      readonly type: 'rollback-finished'
      readonly rollback: number
      /** What runs now, held against what should; left out where nobody looked. */
      readonly validated?: Validation
    })
  /** Nothing new starts from here on: the first Ctrl-C, or `release cancel`. */
  | (At & { readonly type: 'stop-asked'; readonly by: 'interrupt' | 'cancel'; readonly who: string })
  /** The runner leaves an unfinished run that can be resumed. */
  | (At & {
      readonly type: 'run-left'
      readonly why: 'interrupted' | 'waiting'
      /** What it waits for: keys of approvals, waits, uncertain nodes. */
      readonly waiting: readonly string[]
    })
  /** A failed or partial run is gone on with: these nodes are pending again (`resume` of a finished run). */
  | (At & { readonly type: 'run-reopened'; readonly who: string; readonly nodes: readonly string[] })
  /** Terminal, until `resume` or `rollback` opens the run again. */
  | (At & { readonly type: 'run-finished'; readonly outcome: Outcome; readonly cause: string | null })

export type RunEventType = RunEvent['type']

/** succeeded: exit 0. failed: 1. partial: 5. cancelled: 1. rolled-back: it was asked for after the release and all is back, exit 0. */
export type Outcome = 'succeeded' | 'failed' | 'partial' | 'cancelled' | 'rolled-back'

/**
 * all: everything the run did. components: what was done for these components. to: everything after that node.
 * traffic: what divides these components' traffic, and what was started for it, so that no request stays undecided.
 */
export type RollbackScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'components'; readonly components: readonly string[] }
  | { readonly kind: 'to'; readonly node: string }
  | { readonly kind: 'traffic'; readonly components: readonly string[] }

export interface RollbackNode {
  /** `rollback/1/production/payment-service/rolling/1` */
  readonly key: string
  /** The node whose effect it takes back. */
  readonly undoes: string
  /** Rollback nodes that must have ended before it starts. */
  readonly after: readonly string[]
}

/** Distributes over the union: an event without its time, as the engine hands it to the ground. */
export type Unstamped = RunEvent extends infer E ? (E extends RunEvent ? Omit<E, 'at'> : never) : never
