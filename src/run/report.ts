/**
 * What a run's report says: who, what, when, measured how, the one root cause, and what was taken back.
 *
 * Boundary: only data; a fold of the plan and the run's events makes it, renderers read it, and
 * schemas/report.schema.json says the same. Times are milliseconds since 1970, durations milliseconds.
 *
 * Invariants:
 *  R1. `cause` is the one node that failed by itself first; what was skipped or cancelled for it stands in
 *      `consequences` and is never called a failure.
 *  R2. Every node of the plan stands in `stages`, once, in plan order.
 *  R3. Whatever the run did and a rollback did not take back stands in `notRolledBack`, with the reason.
 */
import type { Span } from '../diagnostic.ts'
import type { Json, Millis, RollbackStrategy, Sha256 } from '../plan/plan.ts'
import type { Failure, Outcome } from './events.ts'
import type { Evidence, EvidenceSeries } from './evidence.ts'
import type { GuardBreach, GuardSummary } from './guard-record.ts'
import type { Validation } from './validation.ts'

/** The current version of the report's format. */
export const REPORT_FORMAT = 1

export interface Report {
  readonly format: typeof REPORT_FORMAT
  readonly run: string
  readonly release: string
  readonly version: string
  /** Hash of the plan that the run follows now. */
  readonly plan: Sha256
  /** What the release was asked for with. */
  readonly params: Readonly<Record<string, Json>>
  readonly outcome: RunStanding
  /** Who started it. */
  readonly who: string
  readonly startedAt: number
  readonly finishedAt: number | null
  /** From the start to the end, waits and interruptions included; null while it is not finished. */
  readonly duration: Millis | null
  readonly stages: readonly ReportStage[]
  readonly gates: readonly ReportGate[]
  /** Every person's word that counted, oldest first. */
  readonly approvals: readonly ReportApproval[]
  /** Every analysis that came to an end, oldest first. */
  readonly analyses: readonly ReportAnalysis[]
  /** Every moment at which requests went elsewhere, oldest first. */
  readonly traffic: readonly ReportTraffic[]
  /** The one root cause; null where nothing failed. */
  readonly cause: ReportCause | null
  /** What did not run, or was stopped, because of the cause or by choice. */
  readonly consequences: readonly ReportConsequence[]
  readonly rolledBack: readonly ReportUndone[]
  readonly notRolledBack: readonly { readonly node: string; readonly reason: string }[]
  /** Each rollback: why, in which order, and what ran afterwards. Left out where there was none. */
  readonly rollbacks?: readonly ReportRollback[]
  /** Each watch after the release: what it saw and did, oldest first. Left out where there was none. */
  readonly guards?: readonly GuardSummary[]
  /** What the run did that nothing can take back, whether or not a rollback was wanted. */
  readonly irreversible: readonly { readonly node: string; readonly title: string; readonly reason: string }[]
  /** When nobody was running it, and why. */
  readonly interruptions: readonly ReportInterruption[]
  /** Who asked for it to stop, and how. */
  readonly stops: readonly {
    readonly at: number
    readonly by: 'interrupt' | 'cancel'
    readonly who: string
  }[]
}

/** How a run stands: an outcome, or what an unfinished run was last known to do. */
export type RunStanding = Outcome | 'running' | 'waiting' | 'interrupted'

export type NodeStanding =
  | 'pending'
  | 'running'
  | 'waiting'
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  | 'skipped'
  | 'uncertain'

export interface ReportStage {
  readonly name: string
  /** failed: a node of it failed. skipped: none of its nodes ran. */
  readonly outcome: NodeStanding
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly nodes: readonly ReportNode[]
}

export interface ReportNode {
  readonly key: string
  readonly title: string
  readonly outcome: NodeStanding
  /** How often it was started; 0 where it never was. */
  readonly attempts: number
  /** Of the first attempt, or the begin of the wait. */
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly duration: Millis | null
  /** A line for people: `91.4 % of lines, at least 90 asked`. */
  readonly summary: string | null
  readonly warning: string | null
  /** Of the last attempt that failed, also where a later one succeeded. */
  readonly failure?: Failure
}

export interface ReportGate {
  readonly node: string
  readonly name: string
  readonly required: boolean
  /** null: it never came to a verdict. */
  readonly passed: boolean | null
  /** The figure for people. */
  readonly summary: string | null
  /** What the gate recorded. */
  readonly value: Json
  readonly at: number | null
}

export interface ReportApproval {
  readonly node: string
  readonly name: string
  readonly verdict: 'approved' | 'rejected'
  readonly person: string
  readonly role: string
  /** SHA256 fingerprint of the key that signed; null where the release has no approvers. */
  readonly key: string | null
  /** Why, for a rejection. */
  readonly reason: string | null
  readonly at: number
}

/** What was measured between two moments, and what it came to. */
export interface ReportAnalysis {
  readonly node: string
  readonly title: string
  readonly passed: boolean
  /** It was stopped before it came to an end, as a consequence of something else. */
  readonly cancelled?: true
  readonly startedAt: number
  readonly finishedAt: number
  /** Requests that it rests on, each counted once. */
  readonly requests: number
  readonly measures: readonly ReportMeasure[]
  /** Of an experiment: the side that won. */
  readonly winner?: NonNullable<Evidence['winner']>
  /** Of comparisons that count together: what each component's have come to. */
  readonly scores?: NonNullable<Evidence['scores']>
}

/** One metric of one component, measured again and again. */
export interface ReportMeasure extends Omit<EvidenceSeries, 'requests'> {
  /** The last value that was measured, in the metric's unit; null: none was. */
  readonly last: number | null
  /** Requests that it rests on; null where nobody counted. */
  readonly requests: number | null
}

/** From this moment on a component's requests were divided so. */
export interface ReportTraffic {
  readonly at: number
  /** Key of the node that did it: the plan's, or a rollback's. */
  readonly node: string
  /** promoted: the new version's instances became the ones that callers are on. */
  readonly kind: 'shifted' | 'promoted' | 'taken-back'
  readonly component: string
  readonly environment: string
  /** The deployment whose components shift together; null: each alone. */
  readonly lockstep: string | null
  /** Percent of the requests that go to the new version. */
  readonly canary: number
  /** Percent of the requests that go to the old version's instances that were started for a comparison. */
  readonly baseline: number
  /** Percent of the requests that the new version gets a copy of. */
  readonly mirror: number
  /** Requests with certain headers or cookies go to the new version, whatever its share. */
  readonly matched: boolean
}

export interface ReportCause {
  readonly node: string
  readonly title: string
  readonly failure: Failure
  /** The line of the definition that asked for the node. */
  readonly position?: Span
}

export interface ReportConsequence {
  readonly node: string
  readonly outcome: 'skipped' | 'cancelled'
  /** A node's key, or `only` where the stage was left out on purpose. */
  readonly because: string
}

/** One effect that was taken back, or that should have been. */
export interface ReportUndone {
  /** Key of the rollback's node. */
  readonly node: string
  /** The node whose effect it takes back. */
  readonly undoes: string
  readonly outcome: NodeStanding
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly duration: Millis | null
  readonly failure?: Failure
}

export interface ReportRollback {
  readonly number: number
  /** The root cause's node, `person` or `guard`. */
  readonly because: string
  readonly strategy: RollbackStrategy
  readonly plannedAt: number
  readonly finishedAt: number | null
  /** What runs, held against what should; null: nobody looked, or it has not finished. */
  readonly validated: Validation | null
  /** What the guard had measured. */
  readonly breach: GuardBreach | null
}

export interface ReportInterruption {
  /** When the runner left; for a crash, the last time that it was heard of. */
  readonly from: number
  /** When a runner took the run over again; null where none has yet. */
  readonly until: number | null
  readonly why: 'interrupted' | 'waiting' | 'crashed'
  /** Who went on with it. */
  readonly resumedBy: string | null
}
