/**
 * A rollback is itself a plan: computed from what was done, newest first along the graph.
 *
 * A step that failed or was cut off may have had half of its effect, so its `undo` is called as well and has
 * to cope with that: the compensation is owed from the moment the effect may have begun (the saga rule).
 */
import type { RollbackStrategy, Undo } from '../plan/plan.ts'
import type { RollbackNode, RollbackScope } from './events.ts'
import { prefixOf } from './evolve.ts'
import { immediateNodes, lastEnvironmentOf } from './rollback-order.ts'
import { isEnded, type RunState, type Work } from './state.ts'
import { undecidedWorks } from './traffic.ts'

const UNDOABLE: ReadonlySet<Undo['kind']> = new Set(['step', 'restore', 'traffic', 'remove'])

export interface RollbackPlan {
  readonly rollback: number
  /** Left out: service by service. */
  readonly strategy?: RollbackStrategy
  /** In the order in which they run, dependants first. */
  readonly nodes: readonly RollbackNode[]
  /** What was done and stays: each with the reason. */
  readonly kept: readonly { readonly node: string; readonly reason: string }[]
}

export interface RollbackRequest {
  readonly scope: RollbackScope
  /** Nodes that are taken back although the scope does not name their component: the failed steps themselves. */
  readonly including?: readonly string[]
  /** Left out: service by service. `staged` gives the nodes of the last environment that has any. */
  readonly strategy?: RollbackStrategy | undefined
  /** What cannot be taken back as the world is, by the node's key, each with the reason: it stays. */
  readonly infeasible?: ReadonlyMap<string, string>
  /** Nothing is frozen: what was built on before something irreversible is taken back as well. A person's word alone. */
  readonly through?: boolean
  /** Left out: all is. For telling what a rollback after this one would take back. */
  readonly isLeft?: (work: Work) => boolean
}

/** What would be taken back now; changes nothing. Used by the engine and by `rollback --dry-run`. */
export function computeRollback(state: RunState, request: RollbackRequest): RollbackPlan {
  const { strategy, infeasible } = request
  const rollback = state.rollbacks.length + 1
  const prefix = prefixOf(rollback)
  const inScope = scopeOf(state, request)
  const works = [...state.works.values()].filter(work => work.rollback === null)
  const owed = works.filter(work => work.owed && inScope(work) && (request.isLeft?.(work) ?? true))
  const pending = pendingUndos(state)
  const frozen = frozenBy(works, request.through === true ? [] : owed)
  const isUndoable = ({ key, node }: Work): boolean => UNDOABLE.has(node.undo.kind) && !pending.has(key)
  const feasible = (work: Work): boolean => !frozen.has(work) && infeasible?.get(work.key) === undefined
  const all = owed.filter(work => feasible(work) && isUndoable(work))
  const undoable = new Set(strategy === 'staged' ? lastEnvironmentOf(all, works) : all)
  const kept = owed.flatMap(work => {
    const by = frozen.get(work)
    if (by !== undefined)
      return [{ node: work.key, reason: `frozen: ${by} came after it and cannot be taken back` }]
    if (work.node.undo.kind === 'irreversible') return [{ node: work.key, reason: work.node.undo.reason }]
    const reason = infeasible?.get(work.key)
    return reason === undefined ? [] : [{ node: work.key, reason }]
  })
  const order = { undoable, pending, before: new Map<Work, ReadonlySet<string>>(), prefix }
  const reversed = works.reverse()
  const nodes =
    strategy === 'immediate'
      ? immediateNodes(
          reversed.filter(work => undoable.has(work)),
          { prefix, pending },
        )
      : nodesAlongGraph(reversed, order)
  return { rollback, ...(strategy === undefined ? {} : { strategy }), nodes, kept }
}

function nodesAlongGraph(
  reversed: readonly Work[],
  order: Order & { readonly before: Map<Work, ReadonlySet<string>> },
): readonly RollbackNode[] {
  const nodes: RollbackNode[] = []
  for (const work of reversed) {
    const tails = tailsOf(work, order)
    order.before.set(work, tails)
    if (order.undoable.has(work))
      nodes.push({ key: order.prefix + work.key, undoes: work.key, after: [...tails] })
  }
  return nodes
}

/**
 * All that a rollback of this strategy would take back, in its order: of a staged one, what each of its environments'
 * rollbacks would, as long as the one before comes to its end.
 */
export function rollbackSteps(state: RunState, request: RollbackRequest): readonly RollbackPlan[] {
  if (request.strategy !== 'staged') return [computeRollback(state, request)]
  const steps: RollbackPlan[] = []
  const done = new Set<string>()
  for (;;) {
    const isLeft = (work: Work): boolean => !done.has(work.key)
    const { nodes, ...step } = computeRollback(state, { ...request, isLeft })
    if (nodes.length === 0) return steps.length > 0 ? steps : [{ ...step, nodes }]
    for (const { undoes } of nodes) done.add(undoes)
    const rollback = step.rollback + steps.length
    const renumbered = (key: string): string => prefixOf(rollback) + key.slice(prefixOf(step.rollback).length)
    steps.push({
      ...step,
      rollback,
      nodes: nodes.map(({ key, undoes, after }) => ({
        key: renumbered(key),
        undoes,
        after: after.map(renumbered),
      })),
    })
  }
}

/**
 * A rollback goes back to what cannot be taken back, and not through it: what that was built on stays, and so do the
 * versions that it has met. It does so from its first attempt on, however that ended: half a migration is there to stay as
 * a whole one is, and whether one that failed had begun its effect nobody can know. A person who does may go through it.
 * Traffic is decided all the same: a share of the requests that is taken back harms nothing.
 */
function frozenBy(works: readonly Work[], owed: readonly Work[]): ReadonlyMap<Work, string> {
  const frozen = new Map<Work, string>()
  const freezing = owed.filter(({ node }) => isFreezing(node.undo))
  if (freezing.length === 0) return frozen
  const predecessors = predecessorsOf(works)
  for (const work of freezing) {
    for (const before of ancestorsOf(work, predecessors)) {
      if (isFreezable(before) && !frozen.has(before)) frozen.set(before, work.key)
    }
  }
  return frozen
}

const isFreezing = (undo: Undo): boolean => undo.kind === 'irreversible' && undo.freezes === true

function predecessorsOf(works: readonly Work[]): ReadonlyMap<Work, readonly Work[]> {
  const predecessors = new Map<Work, Work[]>()
  for (const work of works) {
    for (const dependent of work.dependents) {
      const known = predecessors.get(dependent)
      if (known === undefined) predecessors.set(dependent, [work])
      else known.push(work)
    }
  }
  return predecessors
}

const isFreezable = ({ node, owed }: Work): boolean =>
  owed && (node.undo.kind === 'restore' || node.undo.kind === 'step')

/** Everything that a piece of work waited for, directly or through others. */
function ancestorsOf(work: Work, predecessors: ReadonlyMap<Work, readonly Work[]>): ReadonlySet<Work> {
  const found = new Set<Work>()
  const open = [...(predecessors.get(work) ?? [])]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue
    found.add(next)
    open.push(...(predecessors.get(next) ?? []))
  }
  return found
}

/**
 * What earlier rollbacks have planned to take back and have not yet: by the undone node's key, the rollback's. Nothing
 * is taken back twice side by side; what comes later in the order waits for it.
 */
function pendingUndos(state: RunState): ReadonlyMap<string, string> {
  const pending = new Map<string, string>()
  for (const { works } of state.rollbacks) {
    for (const work of works) if (!isEnded(work.status)) pending.set(work.node.key, work.key)
  }
  return pending
}

interface Order {
  readonly undoable: ReadonlySet<Work>
  readonly pending: ReadonlyMap<string, string>
  readonly before: ReadonlyMap<Work, ReadonlySet<string>>
  readonly prefix: string
}

/** Keys of the rollback nodes that come before the undoing of `work`: those of the nearest undoable dependants. */
function tailsOf(work: Work, { undoable, pending, before, prefix }: Order): ReadonlySet<string> {
  const tails = new Set<string>()
  for (const dependent of work.dependents) {
    if (dependent.rollback !== null) continue
    const earlier = pending.get(dependent.key)
    if (undoable.has(dependent)) {
      tails.add(prefix + dependent.key)
      continue
    }
    // An earlier rollback's undoing does not wait for what only this one takes back: both are waited for here.
    if (earlier !== undefined) tails.add(earlier)
    for (const key of before.get(dependent) ?? []) tails.add(key)
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
        including?.includes(work.key) || (work.node.component !== undefined && names.has(work.node.component))
    }
    case 'traffic': {
      const undecided = new Set(undecidedWorks(state))
      return work => undecided.has(work) || including?.includes(work.key) === true
    }
    case 'to': {
      const target = state.works.get(scope.node)?.doneOrder ?? 0
      const isAfter = (work: Work): boolean => work.status.type !== 'succeeded' || work.doneOrder > target
      // Between two steps of a canary is no place to go back to: nobody would decide it any more.
      const undecided = new Set(undecidedWorks(state, isAfter))
      return work => isAfter(work) || undecided.has(work)
    }
  }
}
