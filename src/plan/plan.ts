/**
 * The plan: frozen JSON that needs nothing else to be read, diffed, approved and run.
 *
 * Boundary: only data. A plan never holds a function; a step's code is named and found in the bundle.
 *
 * Invariants:
 *  P1. Every node that a run can start is in `nodes`, and every effect belongs to a node.
 *  P2. `nodes` is in plan order: no node stands before one that it waits for.
 *  P3. `hash` covers everything but `positions` and itself (see canonical.ts).
 *  P4. Paths are relative to the project's folder; a secret is a reference, never a value.
 */
import type { Span } from '../diagnostic.ts'
import type { ScorePolicy } from '../judge/score.ts'
import type { PlanGuard } from './guard.ts'
import type { MeasureTarget, PlanMetric } from './metric.ts'
import type { PlanRouter, Traffic } from './traffic.ts'

export type * from './guard.ts'
export type * from './metric.ts'
export * from './traffic.ts'

/** Lower-case hexadecimal sha256. */
export type Sha256 = string

/** Milliseconds. */
export type Millis = number

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** What happens to the rest of a release when something in it has failed. */
export type FailurePolicy = 'stop' | 'rollback-all' | 'rollback-dependents' | 'continue-partial'

/**
 * In which order things are taken back. service-by-service: dependants first, along the graph. staged: environment by
 * environment, the last first, each validated before the next. immediate: all traffic first, then everything at once.
 */
export type RollbackStrategy = 'service-by-service' | 'staged' | 'immediate'

/** The current version of the plan's format. A reader upgrades older ones and refuses newer ones. */
export const PLAN_FORMAT = 1

export interface Plan {
  readonly format: typeof PLAN_FORMAT
  readonly release: PlanRelease
  /** sha256 of the bundled definition that holds the step functions. */
  readonly bundle: Sha256
  readonly params: Readonly<Record<string, Json>>
  readonly policy: FailurePolicy
  /** How a failure's rollback goes; left out: service by service. */
  readonly rollback?: RollbackStrategy
  /** What is watched after the release, and when it is taken back; left out: nothing is. */
  readonly guard?: PlanGuard
  /** How many effects may be in flight at once. */
  readonly concurrency: number
  readonly components: readonly PlanComponent[]
  readonly environments: readonly PlanEnvironment[]
  readonly secrets: readonly PlanSecret[]
  /** Who may approve; null where the release names no approvers, and approvals are recorded unsigned. */
  readonly approvers: readonly PlanApprover[] | null
  readonly facts: PlanFacts
  readonly stages: readonly PlanStage[]
  readonly nodes: readonly PlanNode[]
  readonly hash: Sha256
  /** Which line of the definition asked for each node, stage and component (`stage:NAME`, `component:NAME`). Not hashed. */
  readonly positions: Readonly<Record<string, Span>>
}

export interface PlanRelease {
  readonly name: string
  readonly version: string
  readonly codename?: string
  /** ISO date, as written. */
  readonly targetDate?: string
}

/** A thing with a version that is deployed, and how it is started and asked. */
export interface PlanComponent {
  readonly name: string
  readonly type: 'service' | 'app'
  /** What an app is: `web`, `ios`, `android`, `desktop`. */
  readonly platform?: string
  readonly version: string
  readonly critical: boolean
  /** Names of the components that it needs, in the order written. */
  readonly needs: readonly { readonly component: string; readonly range?: string }[]
  /** Rollout group, from 1: pinned, or one more than the highest of what it needs. */
  readonly group: number
  /** The folder that is deployed, relative to the project's folder. */
  readonly source: string
  readonly env: Readonly<Record<string, EnvValue>>
}

export type EnvValue = { readonly value: string } | { readonly secret: string }

/** Healthy: `GET path` answers with a status from 200 to 299, within `timeout` of the start, asked every `interval`. */
export interface PlanHealth {
  readonly path: string
  readonly timeout: Millis
  readonly interval: Millis
}

export interface PlanEnvironment {
  readonly name: string
  readonly platform: PlanPlatform
  readonly protect: boolean
  /** Where it is one of several places of an environment. */
  readonly region?: { readonly name: string; readonly of: string; readonly wave: number }
}

/** `cluster` scopes environments: definitions that name the same cluster share its environments. */
export type PlanPlatform = { readonly kind: 'local'; readonly cluster: string; readonly router?: PlanRouter }

export type PlanSecret =
  | { readonly name: string; readonly from: 'env'; readonly variable: string }
  | { readonly name: string; readonly from: 'file'; readonly path: string }
  | { readonly name: string; readonly from: 'command'; readonly argv: readonly string[] }

export interface PlanApprover {
  /** The principal, as in SSH's allowed-signers file: `alice@techcorp.example`. */
  readonly person: string
  readonly roles: readonly string[]
  /** `ssh-ed25519 AAAA…`, without comment. */
  readonly keys: readonly string[]
}

/** What the world said when the plan was made. A saved plan is stale when these, read again, differ. */
export interface PlanFacts {
  /** By environment, by component: what runs there. null: nothing does. */
  readonly live: Readonly<Record<string, Readonly<Record<string, LiveFact | null>>>>
  /** By component: the content hash of the folder that would be deployed. */
  readonly sources: Readonly<Record<string, Sha256>>
}

export interface LiveFact {
  readonly version: string
  readonly digest: Sha256
}

export interface PlanStage {
  readonly name: string
  /** The stages that it waits for, directly. */
  readonly after: readonly string[]
  readonly policy: FailurePolicy
}

export interface Retry {
  /** Attempts after the first. */
  readonly limit: number
  /** Wait before the first retry; doubled for each that follows, at most `maxDelay`. */
  readonly delay: Millis
  readonly maxDelay: Millis
}

/** What takes a node's effect back. */
export type Undo =
  /** It has no effect that lasts. */
  | { readonly kind: 'nothing' }
  /**
   * It cannot be taken back; `reason` is for people. `freezes`: nor is what it was built on, once it has begun: a rollback
   * goes back to it and not through it.
   */
  | { readonly kind: 'irreversible'; readonly reason: string; readonly freezes?: true }
  /** The step's own `undo` function. */
  | { readonly kind: 'step' }
  /** The instances that the node replaced run again what they ran before (see the deployment's `prepare` node). */
  | { readonly kind: 'restore' }
  /** All requests go to the stable side again. */
  | { readonly kind: 'traffic' }
  /** The instances of the side that the node started are taken out and ended. */
  | { readonly kind: 'remove' }

export interface PlanNode {
  /** A stable path: `production/payment-service/rolling/1`. */
  readonly key: string
  readonly stage: string
  /** What people read: `payment-service: instance 1 of 2`. */
  readonly title: string
  readonly component?: string
  readonly environment?: string
  /** Must have succeeded before this starts. If one of them does not, this is skipped. */
  readonly needs: readonly string[]
  /** Must have ended, in whatever way, before this starts. */
  readonly after: readonly string[]
  /** The deployment whose components shift together: what is taken back for one of them is taken back for all. */
  readonly lockstep?: string
  /** Time limit of one attempt; null where only a person or an expiry ends it. */
  readonly timeout: Millis | null
  readonly retry: Retry
  readonly undo: Undo
  readonly operation: Operation
}

export type Operation =
  | GateOperation
  | ApprovalOperation
  | StepOperation
  | WaitOperation
  | NotifyOperation
  | PrepareOperation
  | ReplaceOperation
  | VerifyOperation
  | StartOperation
  | ShiftOperation
  | AnalyseOperation
  | PromoteOperation
  | RemoveOperation
  | JoinOperation

export type OperationKind = Operation['kind']

export interface GateOperation {
  readonly kind: 'gate'
  readonly name: string
  /** A gate that is not required only warns. */
  readonly required: boolean
  readonly check: PlanCheck
}

/** A command: arguments as an array, run without a shell in `cwd` (relative to the project's folder; '' is that folder). */
export interface PlanCommand {
  readonly argv: readonly string[]
  readonly cwd: string
}

export type PlanCheck =
  | { readonly kind: 'command'; readonly command: PlanCommand }
  | {
      readonly kind: 'coverage'
      readonly command: PlanCommand
      readonly metric: 'lines' | 'branches' | 'functions' | 'statements'
      /** Percent. */
      readonly atLeast: number
      /** Where the report is, relative to the command's folder; null: the usual places are looked through. */
      readonly report: string | null
    }
  | {
      readonly kind: 'http'
      /** An absolute address, or a component in an environment, asked through its gateway. */
      readonly target:
        | { readonly url: string }
        | { readonly environment: string; readonly component: string; readonly path: string }
      readonly method: string
      readonly status: number
    }
  /** The team's own function, found in the bundle by the gate's name. */
  | { readonly kind: 'function' }

export interface ApprovalOperation {
  readonly kind: 'approval'
  readonly name: string
  /** How many people of each role. */
  readonly from: Readonly<Record<string, number>>
  readonly expires: Millis | null
  /** Whether who started the run counts. */
  readonly self: boolean
}

export interface StepOperation {
  readonly kind: 'step'
  readonly name: string
  readonly idempotent: boolean
  readonly observable: boolean
}

export interface WaitOperation {
  readonly kind: 'wait'
  readonly duration: Millis
}

export interface NotifyOperation {
  readonly kind: 'notify'
  readonly required: boolean
  readonly channel:
    | { readonly kind: 'webhook'; readonly url: EnvValue }
    | { readonly kind: 'slack'; readonly url: EnvValue; readonly channel: string }
  /** What is said, with `{version}`, `{release}`, `{run}` filled in when it is sent; null: a summary of the run so far. */
  readonly message: string | null
}

/** Keeps the component's files under their digest and records what runs in its place now. */
export interface PrepareOperation {
  readonly kind: 'prepare'
  readonly revision: Revision
}

/**
 * Brings the instances `from` (included) to `to` (excluded) to the revision: new ones are started and healthy
 * before the old ones are drained, unless `maxUnavailable` allows them to be stopped first.
 */
export interface ReplaceOperation {
  readonly kind: 'replace'
  readonly revision: Revision
  readonly from: number
  readonly to: number
  readonly maxUnavailable: number
  /** Key of the deployment's `prepare` node, whose recorded value says what ran before. */
  readonly prepared: string
}

/** Removes instances beyond `instances`, reads back what runs, and asks every instance for its health. */
export interface VerifyOperation {
  readonly kind: 'verify'
  readonly revision: Revision
  readonly instances: number
  readonly prepared: string
}

/** Brings instances of another side up beside the stable ones; they get no request before a `shift` says so. */
export interface StartOperation {
  readonly kind: 'start'
  readonly side: 'canary' | 'baseline'
  /** null: what `prepared` found to be live in the stable slots. */
  readonly revision: Revision | null
  readonly from: number
  readonly to: number
  readonly prepared: string
}

/** Divides the component's requests among its sides, and reads the router back. */
export interface ShiftOperation {
  readonly kind: 'shift'
  readonly traffic: Traffic
}

/** Measures for a time, and judges. What it found is its value, or its failure's evidence: {@link Evidence}. */
export interface AnalyseOperation {
  readonly kind: 'analyse'
  readonly targets: readonly MeasureTarget[]
  readonly metrics: readonly PlanMetric[]
  /** How long it watches at least. */
  readonly duration: Millis
  /** How many requests it wants to have seen at least. */
  readonly requests: number
  /** How much longer than `duration` it waits for data and requests; without them by then it has failed. */
  readonly patience: Millis
  /** It watches until this node has ended, however long that is; null: for `duration`. */
  readonly until: string | null
  /** An experiment: which side won is decided by the metric of this name; null: it only passes or fails. */
  readonly decides: string | null
  /** How the comparisons that have a group count together, decided when its time is over; left out: none has one. */
  readonly score?: ScorePolicy
}

/** The canary's instances become the stable ones; the old ones are drained and ended. */
export interface PromoteOperation {
  readonly kind: 'promote'
  readonly revision: Revision
  readonly instances: number
  readonly prepared: string
  /** Key of the experiment whose winner is kept; null: the canary is. */
  readonly decidedBy: string | null
}

/** Takes a side out and ends its instances. */
export interface RemoveOperation {
  readonly kind: 'remove'
  readonly side: 'canary' | 'baseline'
}

/** Has no effect: stands for "all of these", so that two wide groups need not name each other's every node. */
export interface JoinOperation {
  readonly kind: 'join'
}

/** Exactly what an instance is: which files, started how, with what around them. */
export interface Revision {
  readonly component: string
  readonly version: string
  readonly digest: Sha256
  readonly start: readonly string[]
  readonly health: PlanHealth
  readonly env: Readonly<Record<string, EnvValue>>
}
