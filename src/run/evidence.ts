/**
 * What an analysis measured: its node's value, or the evidence of its failure.
 *
 * Role: what reports draw. Boundary: JSON, and small: a long analysis keeps every second, fourth, … of its points.
 */
import type { Direction } from '../judge/condition.ts'
import type { Score } from '../judge/score.ts'
import type { Unit } from '../judge/unit.ts'
import type { MeasureTarget } from '../plan/plan.ts'

/** Points of one series at most. */
export const MOST_POINTS = 240

/** When, the value, the side's beside it, and the requests it rests on; null: no data. */
export type EvidencePoint = readonly [
  at: number,
  value: number | null,
  baseline: number | null,
  requests: number | null,
]

/** So far is not too far: a share of the other value, and at least the floor, in the measure's unit. */
export interface EvidenceMargin {
  readonly tolerance: number
  readonly floor: number
  /** Which way is bad. */
  readonly direction: Direction
  /** What it is compared with where that is fixed; null: the value beside it. */
  readonly around: number | null
}

export interface EvidenceSeries {
  readonly name: string
  readonly unit: Unit
  readonly target: MeasureTarget
  /** The line that a chart draws; null where there is no fixed one. */
  readonly threshold: number | null
  /** How far it may be from the value beside it; absent where it is compared with nothing. */
  readonly margin?: EvidenceMargin
  /** `below 1%` */
  readonly expected: string
  readonly verdict: 'pass' | 'fail' | 'inconclusive' | 'unmeasured' | 'running'
  readonly reason: string
  readonly points: readonly EvidencePoint[]
  /** Requests that all measurements rest on, those included whose points were left out; absent: nobody counted. */
  readonly requests?: number
}

/** What the comparisons of one component have come to together. */
export interface EvidenceScore extends Score {
  readonly target: MeasureTarget
}

export interface Evidence {
  readonly kind: 'analysis'
  readonly started: number
  readonly ended: number
  readonly requests: number
  readonly series: readonly EvidenceSeries[]
  /** Of an experiment: the side that won, and why. */
  readonly winner?: 'canary' | 'stable'
  /** Where comparisons are scored, and the time to decide had come. */
  readonly scores?: readonly EvidenceScore[]
}

/** Whether a recorded value is what an analysis left. */
export const isEvidence = (value: unknown): value is Evidence =>
  typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'analysis'
