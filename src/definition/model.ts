/**
 * A definition as data: what the fluent language builds and the compiler lowers.
 *
 * Boundary: frozen objects without behaviour, except the team's own functions in steps and gates.
 * Everything that came from the team as written (durations, percentages, commands) is still as written
 * here: the compiler reads it and says what is wrong with it, all at once.
 */

import type { GuardModel, RollbackStrategyName } from './guard-model.ts'
import type { AnalysisModel, ProviderModel, StrategyModel } from './strategy-model.ts'

export type * from './guard-model.ts'
export type * from './strategy-model.ts'

/** Where in the team's code something was asked for: V8's stack text, mapped to the source by the loader. */
export interface CallSite {
  readonly stack: string
}

/** Objects of the language are known by this brand, because a bundle holds a second copy of every class. */
export const brand: unique symbol = Symbol.for('release-as-code/kind') as never

export type ParamValue = string | number | boolean

/** A typed input of the release, given with `--param name=value`. */
export interface ParamModel {
  readonly [brand]: 'param'
  readonly name: string
  readonly type: 'string' | 'number' | 'boolean'
  readonly default: ParamValue | null
  readonly choices: readonly ParamValue[] | null
  readonly help: string | null
  readonly at: CallSite
}

/** One of several values, chosen by a param when the definition is compiled. */
export interface PickModel<T = unknown> {
  readonly [brand]: 'pick'
  readonly param: ParamModel
  readonly options: Readonly<Record<string, T>>
  readonly at: CallSite
}

/** A value, or something that a param decides. */
export type Value<T> = T | ParamModel | PickModel<T>

export interface SecretModel {
  readonly [brand]: 'secret'
  readonly name: string
  readonly from:
    | { readonly kind: 'env'; readonly variable: string }
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'command'; readonly argv: readonly string[] }
  readonly at: CallSite
}

export interface NeedModel {
  readonly component: ComponentModel
  /** A SemVer range, as written. */
  readonly range: string | null
  readonly at: CallSite
}

export interface HealthModel {
  readonly path: string
  readonly timeout: string | null
  readonly interval: string | null
}

export interface ComponentModel {
  readonly [brand]: 'component'
  readonly type: 'service' | 'app'
  readonly name: string
  readonly platform: string | null
  readonly critical: boolean
  readonly needs: readonly NeedModel[]
  readonly group: number | null
  /** null: the release's. */
  readonly version: Value<string> | null
  /** A number, or one per environment by name; environments left out have one. */
  readonly instances: number | Readonly<Record<string, number>>
  readonly env: Readonly<Record<string, Value<ParamValue> | SecretModel>>
  /** Folder relative to the definition's file, `{name}` and `{version}` filled in; null: the platform's convention. */
  readonly source: string | null
  /** A command line or its arguments; null: the `start` script of the package.json in the source. */
  readonly start: string | readonly string[] | null
  readonly health: HealthModel | null
  readonly at: CallSite
}

export interface PlatformModel {
  readonly [brand]: 'platform'
  readonly kind: 'local'
  /** null: the release's name. */
  readonly cluster: string | null
  /** null: the platform's own gateway. */
  readonly router: RouterModel | null
}

export interface RouterModel {
  readonly [brand]: 'router'
  readonly kind: 'haproxy'
}

export interface EnvironmentModel {
  readonly [brand]: 'environment'
  readonly name: string
  readonly on: PlatformModel
  readonly protect: boolean
  /** In the order written; null: the environment is one place. */
  readonly regions: Value<readonly RegionModel[]> | null
  /** Where measures come from that do not say; null: its router. */
  readonly metrics: ProviderModel | null
  readonly at: CallSite
}

/** One of an environment's places: released in its wave, with its own weights and bake. */
export interface RegionModel {
  readonly name: string
  /** From 1; regions of one wave are released together, after all of the wave before. */
  readonly wave: number
  /** Percent, in place of the strategy's steps; null: the strategy's. */
  readonly weights: readonly number[] | null
  /** Names; null: all that is deployed. */
  readonly components: readonly string[] | null
  /** Watched for that long before the next wave; null: not. */
  readonly bake: Value<string> | null
  /** How it is watched meanwhile; null: as the strategy says. */
  readonly watched: AnalysisModel | null
}

export type FailurePolicyName = 'stop' | 'rollback-all' | 'rollback-dependents' | 'continue-partial'

export interface RetryModel {
  /** Attempts after the first. */
  readonly limit: number
  readonly delay: string | null
  readonly maxDelay: string | null
}

/** What a team's own function is given when it runs. The public, precisely typed form is in step.ts. */
export interface RuntimeContext {
  readonly $: unknown
  readonly outputs: Readonly<Record<string, unknown>>
  readonly params: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, unknown>>
  readonly log: (message: string) => void
  readonly signal: AbortSignal
  readonly version: string
  readonly fence: number
}

export type CheckModel =
  | { readonly [brand]: 'check'; readonly kind: 'command'; readonly command: CommandModel }
  | {
      readonly [brand]: 'check'
      readonly kind: 'coverage'
      readonly command: CommandModel
      readonly metric: 'lines' | 'branches' | 'functions' | 'statements'
      readonly report: string | null
      readonly atLeast: number
    }
  | {
      readonly [brand]: 'check'
      readonly kind: 'http'
      readonly target:
        | string
        | {
            readonly component: ComponentModel
            readonly environment: EnvironmentModel
            readonly path: string
          }
      readonly method: string
      readonly status: number
    }

/** A team's own check: true or false, or a verdict with a line for people. */
export type CheckFunction = (
  context: RuntimeContext,
) => boolean | VerdictModel | Promise<boolean | VerdictModel>

export interface VerdictModel {
  readonly passed: boolean
  readonly summary?: string
}

export interface CommandModel {
  /** A command line (split into arguments by the compiler, never by a shell) or its arguments. */
  readonly line: string | readonly string[]
  /** Relative to the folder of the nearest package.json above the definition. */
  readonly cwd: string | null
}

export type ItemModel =
  | GateModel
  | ApprovalModel
  | StepModel
  | DeployModel
  | WaitModel
  | BakeModel
  | NotifyModel
  | ParallelModel
  | SequenceModel

export interface GateModel {
  readonly kind: 'gate'
  readonly name: string
  readonly check: CheckModel | CheckFunction
  readonly required: boolean
  readonly timeout: Value<string> | null
  readonly retry: RetryModel | null
  readonly at: CallSite
}

export interface ApprovalModel {
  readonly kind: 'approval'
  readonly name: string
  readonly from: Readonly<Record<string, number>>
  readonly expires: Value<string> | null
  readonly self: boolean
  readonly at: CallSite
}

export interface StepModel {
  readonly kind: 'step'
  readonly name: string
  readonly run: (context: RuntimeContext) => unknown
  readonly timeout: Value<string> | null
  readonly retry: RetryModel | null
  /** 'none': nothing can undo it. 'not-needed': it has no effect that lasts. null: it did not say. */
  readonly undo:
    | ((context: RuntimeContext & { readonly value: unknown }) => unknown)
    | 'none'
    | 'not-needed'
    | null
  /** Returns the step's value where it is already done, and undefined where it is not. */
  readonly observe: ((context: RuntimeContext) => unknown) | null
  readonly idempotent: boolean
  readonly at: CallSite
}

export interface DeployModel {
  readonly kind: 'deploy'
  readonly components: readonly ComponentModel[]
  readonly to: EnvironmentModel
  readonly with: StrategyModel
  readonly order: 'needs' | 'lockstep'
  readonly at: CallSite
}

/** Watches what was deployed before it. */
export interface BakeModel {
  readonly kind: 'bake'
  readonly duration: Value<string>
  readonly analysis: AnalysisModel
  readonly at: CallSite
}

export interface WaitModel {
  readonly kind: 'wait'
  readonly duration: Value<string>
  readonly at: CallSite
}

export interface ChannelModel {
  readonly [brand]: 'channel'
  readonly kind: 'webhook' | 'slack'
  readonly url: string | SecretModel
  /** Slack's channel; null for a webhook. */
  readonly channel: string | null
}

export interface NotifyModel {
  readonly kind: 'notify'
  readonly channel: ChannelModel
  readonly message: string | null
  /** Whether its failure is a failure of the release; otherwise it is a warning. */
  readonly required: boolean
  readonly at: CallSite
}

export interface ParallelModel {
  readonly kind: 'parallel'
  readonly items: readonly ItemModel[]
  readonly at: CallSite
}

export interface SequenceModel {
  readonly kind: 'sequence'
  readonly items: readonly ItemModel[]
  readonly at: CallSite
}

export interface StageModel {
  readonly name: string
  /** null: every stage written before it. */
  readonly after: readonly string[] | null
  readonly onFailure: FailurePolicyName | null
  readonly items: readonly ItemModel[]
  readonly at: CallSite
}

export interface ReleaseModel {
  readonly [brand]: 'release'
  readonly name: string
  readonly version: Value<string>
  readonly codename: string | null
  readonly targetDate: string | null
  readonly components: readonly ComponentModel[]
  readonly params: readonly ParamModel[]
  readonly secrets: readonly SecretModel[]
  /** An allowed-signers file relative to the definition's file, or people by role; null: approvals are unsigned. */
  readonly approvers: string | Readonly<Record<string, readonly ApproverModel[]>> | null
  readonly stages: readonly StageModel[]
  readonly onFailure: FailurePolicyName | null
  /** How a failure's rollback goes; null: service by service. */
  readonly rollback: RollbackStrategyName | null
  /** What is watched after the release; null: nothing is. */
  readonly guard: GuardModel | null
  /** How many effects may be in flight at once; null: the product's default. */
  readonly concurrency: number | null
  readonly at: CallSite
}

export interface ApproverModel {
  readonly person: string
  /** `ssh-ed25519 AAAA…` */
  readonly key: string
}
