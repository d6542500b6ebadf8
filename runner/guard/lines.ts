/**
 * What a guard writes down of a round, and of the breach that it acts on.
 *
 * Boundary: data to data.
 */
import { formatCondition } from '../../src/judge/condition.ts'
import {
  type GuardBreach,
  type GuardLine,
  type GuardTarget,
  MOST_BREACH_POINTS,
} from '../../src/run/guard-record.ts'
import type { Health } from './patients.ts'
import type { Guarded, JudgedTrigger, Readings } from './readings.ts'

/** A line without its time. */
export type Unstamped = GuardLine extends infer L ? (L extends GuardLine ? Omit<L, 'at'> : never) : never

interface Round {
  readonly judged: readonly JudgedTrigger[]
  readonly health: ReadonlyMap<string, Health>
  /** Of these nothing was measured: nothing is left of them. */
  readonly empty: ReadonlySet<Guarded>
}

/** What was measured, how many instances are well, and which triggers are on their way. */
export function roundOf(
  round: number,
  all: readonly Readings[],
  { judged, health, empty }: Round,
): Extract<Unstamped, { type: 'guard-round' }> {
  const targets = all.map((readings): GuardTarget => {
    const { environment, component, version } = readings.target
    const instances = health.get(`${environment}/${component}`) ?? null
    return {
      environment,
      component,
      version,
      measured: empty.has(readings.target) ? [] : readings.latest(),
      instances,
    }
  })
  const triggers = judged.flatMap(({ target, trigger, judgement }) => {
    const { verdict, breaches, needed, reason } = judgement
    if (verdict === 'quiet') return []
    const { environment, component } = target
    return [{ environment, component, measure: trigger.name, verdict, breaches, needed, reason }]
  })
  return { type: 'guard-round', round, targets, triggers }
}

/** Why a release is taken back. */
export function breachOf({ target, trigger, judgement, points }: JudgedTrigger): GuardBreach {
  const { condition, unit, name } = trigger
  return {
    environment: target.environment,
    component: target.component,
    version: target.version,
    measure: name,
    unit,
    expected: formatCondition({ condition, unit }),
    threshold: condition.kind === 'within' ? null : condition.threshold,
    reason: judgement.reason,
    firedAt: judgement.at ?? points.at(-1)?.at ?? 0,
    measurements: points
      .slice(-MOST_BREACH_POINTS)
      .map(({ at, value, requests }) => [
        at,
        value !== null && Number.isFinite(value) ? value : null,
        requests ?? null,
      ]),
  }
}
