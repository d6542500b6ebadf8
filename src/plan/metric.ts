/**
 * What a plan measures, where that comes from, and what it has to be.
 *
 * Boundary: data, part of the plan's format. What a measurement means is judged in src/judge.
 */
import type { Condition } from '../judge/condition.ts'
import type { Unit } from '../judge/unit.ts'
import type { EnvValue, Millis, PlanCommand } from './plan.ts'
import type { Side } from './traffic.ts'

/** What is measured: a component's requests on one side, or on all of them. */
export interface MeasureTarget {
  readonly environment: string
  readonly component: string
  readonly side: Side | 'all'
  readonly version: string
}

/** What is measured and what it has to be. */
export interface PlanMetric {
  /** As people call it, unique in its analysis: `error rate`, `latency p95`. */
  readonly name: string
  readonly unit: Unit
  readonly measure: PlanMeasure
  readonly provider: PlanProvider
  readonly expected: PlanExpectation
  readonly interval: Millis
  readonly delay: Millis
  /** So many measurements may fail. */
  readonly failureLimit: number
  /** So many errors of the provider in a row may happen. */
  readonly consecutiveErrorLimit: number
  /** No verdict before it rests on so many requests. */
  readonly minRequests: number
  readonly noData: 'fail' | 'hold' | 'ignore'
  /**
   * So many measurements may have nothing to be compared with; one more is a failure. Left out: at the end no more than there
   * are others, and not the last three.
   */
  readonly inconclusiveLimit?: number
  /** It is measured so often and no more, and passes on no fewer. Left out: as often as there is time. */
  readonly count?: number
}

export type PlanExpectation =
  /** Each measurement has to meet it. */
  | { readonly kind: 'condition'; readonly condition: Condition }
  /**
   * The measurements of the canary are compared with those of the side beside it, as distributions: a difference in the
   * bad direction that is larger than `tolerance` (a fraction of the other side's) and is no chance at `confidence` is a failure; too few
   * measurements to see one are no verdict.
   */
  | {
      readonly kind: 'comparison'
      readonly with: 'stable' | 'baseline'
      readonly direction: 'increase' | 'decrease' | 'either'
      readonly tolerance: number
      /** A difference of at most this, in the measure's unit, never matters. Left out: 0. */
      readonly floor?: number
      readonly confidence: number
      /** It counts to its analysis's score, in this group; left out: it has to hold by itself. */
      readonly group?: string
      /** It counts, and fails the whole by itself all the same. */
      readonly critical?: true
    }

export type PlanMeasure =
  /** Share of requests answered with 500 or more, or not at all. */
  | { readonly kind: 'error-rate' }
  /** Share of requests that an instance answered, whatever it said: no broken connection, no answer in time. */
  | { readonly kind: 'availability' }
  /** Requests a second. */
  | { readonly kind: 'throughput' }
  | { readonly kind: 'latency'; readonly quantile: number }
  /** Share of mirrored requests whose answer differed. */
  | { readonly kind: 'mismatch' }
  /** Processors in use by the instances, the most of any one of them: 1 is one whole processor. */
  | { readonly kind: 'cpu' }
  /** Resident memory of the instances in bytes, the most of any one of them. */
  | { readonly kind: 'memory' }
  /** `{component}`, `{environment}`, `{side}`, `{version}` and `{window}` are filled in. */
  | { readonly kind: 'promql'; readonly query: string }
  /** A number in a JSON document: `pointer` is a JSON Pointer (RFC 6901). `url` is filled in as `promql` is. */
  | { readonly kind: 'json'; readonly url: EnvValue; readonly pointer: string }
  /** The last line that a command prints is the number; nothing printed is no data. */
  | { readonly kind: 'command'; readonly command: PlanCommand }

export type PlanProvider =
  /** What the environment's router counts, and what the platform knows of its processes. */
  | { readonly kind: 'router' }
  /** `queries` replace those that the named measures ask by default. */
  | {
      readonly kind: 'prometheus'
      readonly url: EnvValue
      readonly queries: Readonly<Partial<Record<PlanMeasure['kind'], string>>>
    }
