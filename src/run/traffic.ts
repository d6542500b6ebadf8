/**
 * Which components' traffic a run has divided and not decided yet.
 *
 * A run never ends, and never leaves of its own accord, while a share of the requests goes to a version that was neither
 * promoted nor taken back. Components in lockstep are decided together: as long as one of them is not, none is.
 */
import type { RunState, Work } from './state.ts'

/**
 * Effects that divide traffic, or that were started for it, of works that have not been promoted; and all that was done
 * for those that shift together with them. `isTakenBack`: what is taken back already, or is about to be.
 */
export function undecidedWorks(
  state: RunState,
  isTakenBack: (work: Work) => boolean = () => false,
): readonly Work[] {
  const works = [...state.works.values()].filter(work => work.rollback === null && !isTakenBack(work))
  const dividing = works.filter(isDividing)
  if (dividing.length === 0) return []
  const promoted = new Set(works.filter(isPromoted).map(placeOf))
  const undecided = dividing.filter(work => !promoted.has(placeOf(work)))
  const torn = new Set(undecided.flatMap(({ node }) => node.lockstep ?? []))
  const mates = works.filter(work => torn.has(work.node.lockstep ?? '') && isEffective(work))
  return [...new Set([...undecided, ...mates])]
}

/** Names of the components whose traffic is divided, or may be. */
export const undecidedComponents = (state: RunState): readonly string[] => [
  ...new Set(undecidedWorks(state).map(work => work.node.component!)),
]

const isDividing = ({ owed, node }: Work): boolean =>
  owed && (node.undo.kind === 'traffic' || node.undo.kind === 'remove')

const isEffective = (work: Work): boolean =>
  isDividing(work) || (work.owed && work.node.undo.kind === 'restore')

const isPromoted = ({ node, status, undone }: Work): boolean =>
  node.operation.kind === 'promote' && status.type === 'succeeded' && !undone

const placeOf = ({ node }: Work): string => `${node.stage}/${node.environment}/${node.component}`
