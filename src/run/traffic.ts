/**
 * Which components' traffic a run has divided and not decided yet.
 *
 * A run never ends, and never leaves of its own accord, while a share of the requests goes to a version that was neither
 * promoted nor taken back.
 */
import type { RunState, Work } from './state.ts'

/** Effects that divide traffic, or that were started for it, of works that have not been promoted. */
export function undecidedWorks(state: RunState): readonly Work[] {
  const works = [...state.works.values()].filter(isDividing)
  if (works.length === 0) return works
  const promoted = new Set<string>()
  for (const work of state.works.values()) {
    if (work.node.operation.kind === 'promote' && work.status.type === 'succeeded' && !work.undone) {
      promoted.add(placeOf(work))
    }
  }
  return works.filter(work => !promoted.has(placeOf(work)))
}

/** Names of the components whose traffic is divided, or may be. */
export const undecidedComponents = (state: RunState): readonly string[] => [
  ...new Set(undecidedWorks(state).map(work => work.node.component!)),
]

const isDividing = (work: Work): boolean =>
  work.rollback === null &&
  work.owed &&
  (work.node.undo.kind === 'traffic' || work.node.undo.kind === 'remove')

const placeOf = ({ node }: Work): string => `${node.stage}/${node.environment}/${node.component}`
