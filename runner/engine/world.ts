/**
 * What a run may touch: the adapters, wired for one plan.
 */
import type { RuntimeContext, StepModel, VerdictModel } from '../../src/definition/model.ts'
import type { Millis, NotifyOperation, PlanCheck } from '../../src/plan/plan.ts'
import type { Failure } from '../../src/run/events.ts'
import type { Metrics, Platform, Secrets } from '../../src/run/ports.ts'
import type { Clock } from './clock.ts'

/** How an adapter's work on a node is told: to the view and to the node's log. */
export interface NodeLog {
  /** A line of our own. */
  readonly line: (text: string) => void
  /** Output of a command, as it comes. */
  readonly chunk: (text: string) => void
}

export interface GateRequest {
  readonly check: PlanCheck
  readonly signal: AbortSignal
  readonly log: NodeLog
  readonly key: string
  /** The team's own function, where the check is one. */
  readonly run: (() => Promise<boolean | VerdictModel>) | null
}

export interface GateVerdict {
  readonly passed: boolean
  readonly summary: string
  readonly failure?: Failure
}

export interface NotifyRequest {
  readonly operation: NotifyOperation
  readonly message: string
  readonly signal: AbortSignal
  /** The same for every attempt at one node, so that a receiver can tell a repetition. */
  readonly idempotencyKey: string
}

export interface World {
  readonly now: () => Millis
  /** What time limits are kept by; left out, the system's timers. */
  readonly after?: Clock['after']
  readonly run: string
  /** The project's folder, absolute. */
  readonly root: string
  readonly platform: (environment: string) => Platform
  /** The fencing token of a component's lock. */
  readonly fence: (environment: string, component: string) => number
  readonly secrets: Secrets
  readonly metrics: Metrics
  readonly log: (node: string) => NodeLog
  /** The team's functions, from the bundle that is kept with the run. */
  readonly steps: ReadonlyMap<string, StepModel>
  readonly checks: ReadonlyMap<string, (context: RuntimeContext) => unknown>
  readonly shell: (options: {
    readonly key: string
    readonly signal: AbortSignal
    readonly log: NodeLog
  }) => Promise<unknown>
  readonly gate: (request: GateRequest) => Promise<GateVerdict>
  readonly notify: (request: NotifyRequest) => Promise<string>
}
