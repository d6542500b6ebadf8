/**
 * The watch over a release that is done: what is measured, and when the release is taken back.
 *
 * Boundary: data, part of the plan's format. When a trigger fires is judged in src/judge/window.ts.
 */
import type { NoData } from '../judge/analysis.ts'
import type { Condition } from '../judge/condition.ts'
import type { Unit } from '../judge/unit.ts'
import type { Window } from '../judge/window.ts'
import type { PlanMeasure, PlanProvider } from './metric.ts'
import type { Millis } from './plan.ts'

export interface PlanGuard {
  /** For how long it watches. */
  readonly duration: Millis
  /** From one round of measurements to the next. */
  readonly interval: Millis
  /** The protected environments that the release goes to; where none is, the last one that it goes to. */
  readonly places: readonly PlanGuardPlace[]
  /** What is unusual is told, and nothing is done about it; null: it is not looked for. */
  readonly anomalies: PlanAnomalies | null
}

/** One environment, with the sources of measures that it has. */
export interface PlanGuardPlace {
  readonly environment: string
  readonly components: readonly { readonly component: string; readonly version: string }[]
  /** Measured in every round and told. */
  readonly watched: readonly PlanReading[]
  readonly triggers: readonly PlanTrigger[]
}

/** What is measured, and where that comes from. */
export interface PlanReading {
  /** As people call it: `error rate`. */
  readonly name: string
  readonly unit: Unit
  readonly measure: PlanMeasure
  readonly provider: PlanProvider
}

export interface PlanTrigger extends PlanReading {
  /** What is healthy: the opposite of what the trigger says. */
  readonly condition: Condition
  /** How often, or for how long, the opposite has to hold. */
  readonly window: Window
  readonly noData: NoData
  /** A measurement that rests on fewer requests waits for more; a period that does is no data. */
  readonly minRequests: number
  /** So many errors in a row are let go by; left out: 4. */
  readonly consecutiveErrorLimit?: number
}

/** When a value is unusual. */
export interface PlanAnomalies {
  /** So many spreads from what was usual, as median and MAD have it. */
  readonly deviations: number
  /** So many measurements of before say what is usual. */
  readonly points: number
}
