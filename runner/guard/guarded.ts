/**
 * What of a release there is to guard: what it brought to the guarded places, and was not taken back again.
 */
import type { PlanGuard, PlanGuardPlace } from '../../src/plan/plan.ts'
import type { RunState, Work } from '../../src/run/state.ts'
import type { Guarded } from './readings.ts'

export interface GuardedTarget {
  readonly target: Guarded
  readonly place: PlanGuardPlace
}

/** A component that failed, was contained, or lost its experiment, runs what it ran before: that is not this release's. */
export const guardedIn = (guard: PlanGuard, state: RunState): readonly GuardedTarget[] =>
  guard.places.flatMap(place =>
    place.components
      .map(({ component, version }) => ({ environment: place.environment, component, version }))
      .filter(target => isReleased(state, target))
      .map(target => ({ target, place })),
  )

function isReleased(state: RunState, { environment, component }: Guarded): boolean {
  const works = [...state.works.values()].filter(
    ({ node, rollback }) =>
      rollback === null && node.environment === environment && node.component === component,
  )
  const isOf = (work: Work, kind: string): boolean => work.node.operation.kind === kind
  const lost = works.some(work => isOf(work, 'promote') && isKeptStable(work.value))
  const undone = works.some(work => work.undone && (isOf(work, 'replace') || isOf(work, 'promote')))
  return !lost && !undone && works.some(work => isOf(work, 'verify') && work.status.type === 'succeeded')
}

const isKeptStable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (value as { kept?: unknown }).kept === 'stable'
