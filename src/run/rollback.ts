/**
 * A rollback is itself a plan: computed from what was done, newest first along the graph.
 *
 * A step that failed or was cut off may have had half of its effect, so its `undo` is called as well and has
 * to cope with that: the compensation is owed from the moment the effect may have begun (the saga rule).
 */
import type { RollbackNode, RollbackScope } from './events.ts'
import { prefixOf } from './evolve.ts'
import type { RunState, Work } from './state.ts'

export interface RollbackPlan {
  readonly rollback: number
  /** In the order in which they run, dependants first. */
  readonly nodes: readonly RollbackNode[]
  /** What was done and stays: each with the reason. */
  readonly kept: readonly { readonly node: string; readonly reason: string }[]
}

export interface RollbackRequest {
  readonly scope: RollbackScope
  /** A node that is taken back although the scope does not name its component: the failed step itself. */
  readonly including?: string
}

/** What would be taken back now; changes nothing. Used by the engine and by `rollback --dry-run`. */
export function computeRollback(state: RunState, request: RollbackRequest): RollbackPlan {
  const rollback = state.rollbacks.length + 1
  const prefix = prefixOf(rollback)
  const inScope = scopeOf(state, request)
  const works = [...state.works.values()].filter(work => work.rollback === null)
  const owed = works.filter(work => work.owed && inScope(work))
  const undoable = new Set(owed.filter(work => ['step', 'restore'].includes(work.node.undo.kind)))
  const kept = owed.flatMap(work =>
    work.node.undo.kind === 'irreversible' ? [{ node: work.key, reason: work.node.undo.reason }] : [],
  )
  const before = new Map<Work, ReadonlySet<string>>()
  const nodes: RollbackNode[] = []
  for (const work of works.reverse()) {
    const tails = tailsOf(work, undoable, before, prefix)
    before.set(work, tails)
    if (undoable.has(work)) nodes.push({ key: prefix + work.key, undoes: work.key, after: [...tails] })
  }
  return { rollback, nodes, kept }
}

/** Keys of the rollback nodes that come before the undoing of `work`: those of the nearest undoable dependants. */
function tailsOf(
  work: Work,
  undoable: ReadonlySet<Work>,
  before: ReadonlyMap<Work, ReadonlySet<string>>,
  prefix: string,
): ReadonlySet<string> {
  const tails = new Set<string>()
  for (const dependent of work.dependents) {
    if (dependent.rollback !== null) continue
    if (undoable.has(dependent)) tails.add(prefix + dependent.key)
    else for (const key of before.get(dependent) ?? []) tails.add(key)
  }
  return tails
}

function scopeOf(state: RunState, request: RollbackRequest): (work: Work) => boolean {
  const { scope, including } = request
  switch (scope.kind) {
    case 'all':
      return () => true
    case 'components': {
      const names = new Set(scope.components)
      return work =>
        work.key === including || (work.node.component !== undefined && names.has(work.node.component))
    }
    case 'to': {
      const target = state.works.get(scope.node)?.doneOrder ?? 0
      return work => work.status.type !== 'succeeded' || work.doneOrder > target
    }
  }
}
