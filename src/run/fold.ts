/**
 * A run's state: the fold of its events over its plan.
 */
import type { Plan } from '../plan/plan.ts'
import type { RunEvent } from './events.ts'
import { evolve } from './evolve.ts'
import { initialState, type RunState } from './state.ts'

/**
 * Folds what was recorded. Where the plan was adopted later than the run began, events of nodes that it no longer
 * holds are passed over: `resume --adopt` has made sure that none of them had begun.
 */
export function foldRun(plan: Plan, events: readonly RunEvent[]): RunState {
  const began = events.find(event => event.type === 'run-started')
  const state = initialState(plan)
  const adopted = began !== undefined && began.plan !== plan.hash
  for (const event of events) {
    if (adopted && 'node' in event && !state.works.has(event.node)) continue
    evolve(state, adopted ? withoutForeign(state, event) : event)
  }
  return state
}

/** A run that was reopened under an earlier plan names nodes that this one may not hold. */
function withoutForeign(state: RunState, event: RunEvent): RunEvent {
  if (event.type !== 'run-reopened') return event
  return { ...event, nodes: event.nodes.filter(key => state.works.has(key)) }
}
