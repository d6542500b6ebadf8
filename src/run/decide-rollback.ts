/**
 * What a halt takes back, how a rollback in stages goes on, and what one that was asked for comes to.
 *
 * Boundary: deterministic, as all of decide.ts, whose part it is.
 */
import type { RollbackStrategy } from '../plan/plan.ts'
import type { Outcome, RollbackScope, Unstamped } from './events.ts'
import { fallingWith, judgeFailure, matesOf } from './policy.ts'
import { computeRollback } from './rollback.ts'
import type { RollbackState, RunState, Work } from './state.ts'

export interface Wanted {
  readonly scope: RollbackScope
  readonly because: string
  readonly including?: readonly string[]
  readonly strategy?: RollbackStrategy | undefined
  readonly infeasible?: ReadonlyMap<string, string>
  readonly through?: boolean
}

/** The event that plans a rollback. */
export function plannedRollback(
  state: RunState,
  { because, ...request }: Wanted,
): Extract<Unstamped, { type: 'rollback-planned' }> {
  const { scope } = request
  return { type: 'rollback-planned', because, scope, ...computeRollback(state, request) }
}

/**
 * The next environment of a rollback in stages; null: there is none, or the one before is not as it should be, and what
 * it stands on stays.
 */
export function nextStage(state: RunState, because: string, including: readonly string[]): Unstamped | null {
  const last = state.rollbacks.findLast(rollback => rollback.because === because)
  if (last?.strategy !== 'staged' || last.works.length === 0) return null
  if (last.validated?.ok === false || !last.works.every(({ status }) => status.type === 'succeeded'))
    return null
  const infeasible = new Map(last.kept.map(({ node, reason }) => [node, reason]))
  const { scope, strategy } = last
  const next = plannedRollback(state, { scope, because, including, strategy, infeasible })
  return next.nodes.length === 0 ? null : next
}

/**
 * One that was asked for is a success when nothing of what was to be taken back is left, and what runs is what should.
 * Traffic that it left divided was decided after it: that is no part of what was asked.
 */
export function outcomeOf(state: RunState, because: string): Outcome {
  const all = state.rollbacks.filter(rollback => rollback.because === because)
  const last = all.findLastIndex(({ scope }) => scope.kind !== 'traffic')
  const asked = all[last]
  // What divided traffic is back; the rest of a run that nobody had finished is not.
  if (asked === undefined || all.slice(last).some(({ validated }) => validated?.ok === false)) return 'failed'
  return computeRollback(state, { scope: asked.scope }).nodes.length === 0 ? 'rolled-back' : 'failed'
}

/** What failed and asks for more than a stop: the halt's cause, and what was still running then and failed as well. */
export const haltingFailures = (state: RunState): readonly Work[] =>
  [...state.works.values()].filter(work => {
    if (work.rollback !== null || work.status.type !== 'failed') return false
    const consequence = judgeFailure(state.plan, work.node)
    return consequence.kind === 'halt' && consequence.policy !== 'stop'
  })

export function haltScope(state: RunState, failed: readonly Work[]): RollbackScope {
  if (state.halt!.policy === 'rollback-all') return { kind: 'all' }
  const components = failed.flatMap(({ node }) => matesOf(state.plan, node))
  return { kind: 'components', components: fallingWith(state.plan, components) }
}

/** See what runs now that a rollback has ended: its outcome is `rollback-finished`. */
export interface Validating {
  readonly type: 'validate'
  readonly rollback: RollbackState
}

/** Where nobody can see what runs, a rollback ends with its last node. */
export function rollbacksDone(state: RunState): Unstamped[] {
  if (state.validates) return []
  return state.rollbacks
    .filter(rollback => rollback.left === 0 && !rollback.finished)
    .map(rollback => ({ type: 'rollback-finished', rollback: rollback.number }))
}

/** Where somebody can see what runs, a rollback ends with what is found. */
export function validations(state: RunState): readonly Validating[] {
  if (!state.validates || state.stop === 'interrupt' || state.aborted) return []
  const due = state.rollbacks.filter(
    ({ left, finished, validating }) => left === 0 && !finished && !validating,
  )
  for (const rollback of due) rollback.validating = true
  return due.map(rollback => ({ type: 'validate', rollback }))
}
