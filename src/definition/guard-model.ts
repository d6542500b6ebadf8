/**
 * The watch over a release that is done, as data.
 *
 * Boundary: frozen, as the team wrote it; the compiler reads durations and thresholds.
 */
import type { brand, CallSite, Value } from './model.ts'
import type { MetricModel } from './strategy-model.ts'

export interface GuardModel {
  readonly duration: Value<string>
  readonly interval: Value<string>
  readonly triggers: readonly TriggerModel[]
  /** null: what is unusual is not looked for. */
  readonly anomalies: { readonly deviations: number; readonly points: number } | null
  readonly at: CallSite
}

/** When a release is taken back after its end. */
export interface TriggerModel {
  readonly [brand]: 'trigger'
  /** What is bad: `errorRate().above('5%')`. */
  readonly metric: MetricModel
  readonly window: WindowModel
  readonly at: CallSite
}

export type WindowModel =
  | {
      readonly kind: 'periods'
      readonly period: Value<string>
      readonly breaches: number
      /** Of how many of the latest periods; null: all of them. */
      readonly of: number | null
      readonly aggregate: 'sum' | 'mean' | 'median' | 'max' | 'min'
    }
  | { readonly kind: 'breaches'; readonly within: Value<string>; readonly breaches: number }
  | { readonly kind: 'lasting'; readonly duration: Value<string> }

export type RollbackStrategyName = 'service-by-service' | 'staged' | 'immediate'
