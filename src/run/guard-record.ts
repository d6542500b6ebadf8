/**
 * What a guard writes down while it watches a release that is done: one JSON object a line.
 *
 * Role: `release watch RUN --guard --json` prints these, the run's folder keeps them, and the report folds them.
 * Boundary: only data; schemas/guard.schema.json says the same. A watch is no part of the run: what it does to the run,
 * a rollback, stands in the run's own journal, with the breach.
 */
import type { Unit } from '../judge/unit.ts'
import type { Millis } from '../plan/plan.ts'
import type { AppliedRecovery } from './validation.ts'

export interface GuardedPlace {
  readonly environment: string
  readonly component: string
}

/** Why a release was taken back: the measurements that made a trigger fire. */
export interface GuardBreach extends GuardedPlace {
  readonly version: string
  /** As people call it: `error rate`. */
  readonly measure: string
  readonly unit: Unit
  /** What it had to be: `at most 5%`. */
  readonly expected: string
  /** The line that a chart draws, in the measure's unit; null where there is no fixed one. */
  readonly threshold: number | null
  /** A sentence without its full stop: `error rate 40% is not at most 5%, in 3 of 3 periods of 2m`. */
  readonly reason: string
  /** When it fired. */
  readonly firedAt: number
  /** The latest measurements up to then, oldest first; value null: no data. */
  readonly measurements: readonly GuardPoint[]
}

export type GuardPoint = readonly [at: number, value: number | null, requests: number | null]

/** Measurements of a breach at most. */
export const MOST_BREACH_POINTS = 120

export interface GuardMeasured {
  readonly name: string
  readonly unit: Unit
  /** null: no data. */
  readonly value: number | null
  readonly requests?: number
  readonly error?: string
}

export interface GuardTarget extends GuardedPlace {
  readonly version: string
  readonly measured: readonly GuardMeasured[]
  /** How many instances should run, and how many of these are there and healthy; null: nobody could see. */
  readonly instances: { readonly healthy: number; readonly of: number } | null
}

/** A trigger that is on its way. */
export interface GuardTriggerState extends GuardedPlace {
  readonly measure: string
  readonly verdict: 'fired' | 'breaching' | 'cooling' | 'unmeasured'
  readonly breaches: number
  readonly needed: number
  readonly reason: string
}

interface At {
  readonly at: number
}

export type GuardLine =
  /** Always the first. */
  | (At & {
      readonly type: 'guard-started'
      readonly run: string
      readonly release: string
      readonly version: string
      readonly who: string
      readonly pid: number
      /** When its time is over. */
      readonly until: number
      readonly interval: Millis
      readonly targets: readonly (GuardedPlace & { readonly version: string })[]
    })
  | (At & {
      readonly type: 'guard-round'
      readonly round: number
      readonly targets: readonly GuardTarget[]
      /** Those that are not quiet. */
      readonly triggers: readonly GuardTriggerState[]
    })
  /** Something unusual: told, and nothing is done about it. */
  | (At &
      GuardedPlace & {
        readonly type: 'guard-anomaly'
        readonly measure: string
        /** outlier: one value far from the usual ones. drift: it creeps. */
        readonly kind: 'outlier' | 'drift'
        readonly reason: string
      })
  | (At & AppliedRecovery & { readonly type: 'guard-recovery' })
  /** From here on it acts: what it does stands in the run's journal. */
  | (At & { readonly type: 'guard-fired'; readonly breach: GuardBreach })
  /** A runner died while traffic was divided, and nobody goes on with the run. */
  | (At & {
      readonly type: 'guard-decided'
      readonly components: readonly string[]
      /** What is done about it, and why. */
      readonly reason: string
    })
  /** What stands in its way; told once, until it has gone. */
  | (At & {
      readonly type: 'guard-hindered'
      /**
       * stopped: somebody has stopped what was released, and it is not started again. unmeasured: a trigger's source fails
       * again and again. held: somebody else has what it needs to act, and it waits.
       */
      readonly about: 'stopped' | 'unmeasured' | 'held'
      readonly reason: string
    })
  | (At & {
      readonly type: 'guard-ended'
      /**
       * quiet: its time was over, and no trigger had fired. unmeasured: its time was over, and not every trigger could be
       * judged. rolled-back, rollback-failed: it has acted. gone: the release stands no more, by somebody else's doing.
       * interrupted: it was told to stop.
       */
      readonly outcome: 'quiet' | 'unmeasured' | 'rolled-back' | 'rollback-failed' | 'gone' | 'interrupted'
      readonly reason: string
      readonly rounds: number
    })

export type GuardLineType = GuardLine['type']

/** What one watch came to: the fold of its lines. */
export interface GuardSummary {
  readonly startedAt: number
  readonly who: string
  readonly until: number
  readonly endedAt: number | null
  /** null: it was cut off, or goes on. */
  readonly outcome: Extract<GuardLine, { type: 'guard-ended' }>['outcome'] | null
  readonly reason: string | null
  readonly rounds: number
  readonly breach: GuardBreach | null
  readonly anomalies: readonly (GuardedPlace & At & { readonly measure: string; readonly reason: string })[]
  readonly recoveries: readonly (AppliedRecovery & At)[]
}

/** null: nothing was written down that begins a watch. */
export function foldGuard(lines: readonly GuardLine[]): GuardSummary | null {
  const [first] = lines
  if (first?.type !== 'guard-started') return null
  const of = <Type extends GuardLineType>(type: Type): readonly Extract<GuardLine, { type: Type }>[] =>
    lines.filter((line): line is Extract<GuardLine, { type: Type }> => line.type === type)
  const ended = of('guard-ended').at(-1)
  return {
    startedAt: first.at,
    who: first.who,
    until: of('guard-started').at(-1)!.until,
    endedAt: ended?.at ?? null,
    outcome: ended?.outcome ?? null,
    reason: ended?.reason ?? of('guard-decided').at(-1)?.reason ?? null,
    rounds: of('guard-round').at(-1)?.round ?? 0,
    breach: of('guard-fired').at(-1)?.breach ?? null,
    anomalies: of('guard-anomaly').map(({ type: _type, kind: _kind, ...told }) => told),
    recoveries: of('guard-recovery').map(({ type: _type, ...told }) => told),
  }
}

/**
 * When the time of a watch is over that did not come to its end: the latest one, where it was cut off or told to stop.
 * null: there is none to go on with.
 */
export function cutOffUntil(guards: readonly (GuardSummary | null)[]): number | null {
  const last = guards.findLast(guard => guard !== null && guard.until > guard.startedAt)
  if (last == null || (last.outcome !== null && last.outcome !== 'interrupted')) return null
  return last.until
}
