/**
 * Strategies, and what they measure, as data.
 *
 * Boundary: frozen, as the team wrote it; the compiler reads durations, shares and thresholds.
 */
import type { brand, CallSite, CommandModel, SecretModel, Value } from './model.ts'

/** Where measurements come from. */
export interface ProviderModel {
  readonly [brand]: 'provider'
  readonly kind: 'prometheus'
  readonly url: string | SecretModel
  /** Queries of one's own for the named measures. */
  readonly queries: Readonly<Partial<Record<NamedMeasure, string>>>
}

export type NamedMeasure =
  | 'error-rate'
  | 'availability'
  | 'throughput'
  | 'latency'
  | 'mismatch'
  | 'cpu'
  | 'memory'

export type MeasureModel =
  | { readonly kind: Exclude<NamedMeasure, 'latency'> }
  | { readonly kind: 'latency'; readonly quantile: number }
  | { readonly kind: 'promql'; readonly query: string }
  | { readonly kind: 'json'; readonly url: string | SecretModel; readonly pointer: string }
  | { readonly kind: 'command'; readonly command: CommandModel }

/** What is measured and what it has to be: what `.below()` and its kind return. */
export interface MetricModel {
  readonly [brand]: 'metric'
  readonly name: string
  readonly unit: 'ratio' | 'ms' | 'count' | 'per-second' | 'bytes' | 'number'
  readonly measure: MeasureModel
  readonly provider: ProviderModel | null
  readonly expected: ExpectationModel
  /** null: what the analysis says. */
  readonly interval: Value<string> | null
  readonly delay: Value<string> | null
  readonly failureLimit: number
  readonly consecutiveErrorLimit: number
  readonly minRequests: Value<number> | null
  readonly noData: 'fail' | 'hold' | 'ignore'
  /** null: what is usual of points that had nothing to be compared with. */
  readonly inconclusiveLimit: number | null
  /** null: as often as there is time. */
  readonly count: number | null
  readonly at: CallSite
}

export type ExpectationModel =
  | {
      readonly kind: 'below' | 'at-most' | 'above' | 'at-least'
      /** As written: a number, a percentage, a duration. */
      readonly threshold: Value<number | string>
    }
  | {
      readonly kind: 'within'
      readonly tolerance: Value<number | string>
      readonly of: number | string | 'stable'
      /** A difference of at most this is never a breach; null: what is usual for the measure. */
      readonly floor: Value<number | string> | null
      readonly direction: 'increase' | 'decrease' | 'either'
    }
  | {
      readonly kind: 'comparison'
      readonly with: 'stable' | 'baseline'
      /** A difference of at most this never matters; null: none. */
      readonly floor: Value<number | string> | null
      readonly direction: 'increase' | 'decrease' | 'either'
      readonly tolerance: Value<number | string>
      readonly confidence: number
      /** What it belongs to where the analysis has a score; null: not said. */
      readonly group: string | null
      /** Whether it fails all by itself where the analysis has a score; null: not said. */
      readonly critical: boolean | null
    }

/** How something is watched: by a canary step, a bake, an experiment. */
export interface AnalysisModel {
  readonly metrics: readonly MetricModel[]
  /** How often is measured where a metric does not say; null: a tenth of the time watched, from 1 s to 60 s. */
  readonly interval: Value<string> | null
  /** Requests that a watch wants to have seen; 0: none asked for. */
  readonly requests: number
  /** How much longer than asked it waits for data and requests. */
  readonly patience: Value<string>
  /** How its comparisons count together; null: each that fails is a failure. */
  readonly score: ScoreModel | null
}

export interface ScoreModel {
  /** By group, in percent; groups that are not named share what is left. */
  readonly weights: Readonly<Record<string, number>>
  readonly pass: number
  readonly marginal: number
  /** null: where what it is part of was asked for. */
  readonly at: CallSite | null
}

export type StrategyModel =
  | {
      readonly [brand]: 'strategy'
      readonly kind: 'rolling'
      /** Instances at a time, or a share of them: `'25%'`. */
      readonly batch: Value<number | string>
      readonly maxUnavailable: Value<number | string>
      /** Time limit of one batch. */
      readonly progressDeadline: Value<string>
    }
  | { readonly [brand]: 'strategy'; readonly kind: 'all-at-once'; readonly progressDeadline: Value<string> }
  | CanaryModel
  | BlueGreenModel
  | AbTestModel
  | MirrorModel

export interface CanaryModel {
  readonly [brand]: 'strategy'
  readonly kind: 'canary'
  readonly steps: readonly CanaryStepModel[]
  /** How long each step is watched; a step may say another time. */
  readonly every: Value<string>
  readonly analysis: AnalysisModel
  /** Watched from the first shift to the last step's end, beside the steps. */
  readonly background: AnalysisModel | null
  /** Instances of the old version are started with the canary's, so that like is compared with like. */
  readonly baseline: boolean
  readonly progressDeadline: Value<string>
}

export interface CanaryStepModel {
  /** Percent. */
  readonly weight: Value<number>
  /** null: the strategy's `every`. */
  readonly every: Value<string> | null
  /** People who let it go on after the step; null: it goes on by itself. */
  readonly approval: { readonly name: string; readonly from: Readonly<Record<string, number>> } | null
}

export interface BlueGreenModel {
  readonly [brand]: 'strategy'
  readonly kind: 'blue-green'
  /** What has to hold before the switch, measured on the side that nobody is on yet; null: health alone. */
  readonly preview: (AnalysisModel & { readonly time: Value<string> }) | null
  /** After the switch, for as long as the old side is kept. */
  readonly analysis: AnalysisModel
  /** How long the old side is kept running after the switch: until then the way back is one change at the router. */
  readonly keepOld: Value<string>
  readonly progressDeadline: Value<string>
}

export interface AbTestModel {
  readonly [brand]: 'strategy'
  readonly kind: 'ab-test'
  readonly to:
    | { readonly kind: 'percent'; readonly percent: Value<number> }
    | { readonly kind: 'header' | 'cookie'; readonly name: string; readonly value: string }
  /** How long the experiment lasts at most. */
  readonly time: Value<string>
  /** Decides who wins: the new version does where it holds. */
  readonly primary: MetricModel
  /** A breach of one of these ends the experiment as a failure. */
  readonly analysis: AnalysisModel
  readonly progressDeadline: Value<string>
}

export interface MirrorModel {
  readonly [brand]: 'strategy'
  readonly kind: 'mirror'
  /** Percent of requests that are copied. */
  readonly percent: Value<number>
  readonly time: Value<string>
  readonly analysis: AnalysisModel
  readonly progressDeadline: Value<string>
}
