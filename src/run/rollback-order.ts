/**
 * Rollbacks in another order than along the graph.
 *
 *     immediate  traffic of every place ──▶ all places at once, each its newest first
 *     staged     the last environment's nodes ──validated──▶ those of the one before ──▶ …
 *
 * Boundary: which nodes and which edges; what is undone at all is decided in rollback.ts.
 */
import type { RollbackNode } from './events.ts'
import type { Work } from './state.ts'

interface Numbering {
  readonly prefix: string
  /** By the undone node's key, the earlier rollback's node that is still to take it back. */
  readonly pending: ReadonlyMap<string, string>
}

/**
 * All traffic first, then everything at once. Within one component of one environment the newest still goes first, for
 * there one effect stands on the other, and a platform has one writer a component.
 */
export function immediateNodes(newestFirst: readonly Work[], numbering: Numbering): readonly RollbackNode[] {
  const isTraffic = ({ node }: Work): boolean => node.undo.kind === 'traffic'
  const traffic = chains(newestFirst.filter(isTraffic), { ...numbering, after: [] })
  const rest = chains(
    newestFirst.filter(work => !isTraffic(work)),
    { ...numbering, after: traffic.ends },
  )
  return [...traffic.nodes, ...rest.nodes]
}

interface Chains {
  readonly nodes: readonly RollbackNode[]
  /** The last of each chain. */
  readonly ends: readonly string[]
}

/** One chain a place; what has no place stands for itself. */
function chains(
  newestFirst: readonly Work[],
  { prefix, after, pending }: Numbering & { readonly after: readonly string[] },
): Chains {
  const last = new Map<string, string>()
  const nodes = newestFirst.map((work): RollbackNode => {
    const key = prefix + work.key
    const place = placeOf(work)
    const before = last.get(place)
    last.set(place, key)
    const earlier = work.dependents.flatMap(({ key }) => pending.get(key) ?? [])
    return { key, undoes: work.key, after: [...(before === undefined ? after : [before]), ...earlier] }
  })
  return { nodes, ends: [...last.values()] }
}

const placeOf = ({ key, node }: Work): string =>
  node.environment === undefined || node.component === undefined
    ? `node ${key}`
    : `place ${node.environment}/${node.component}`

/**
 * What is taken back first when it goes environment by environment: the environment that the plan comes to last, and of
 * what has no environment all that came after it. What else has none goes with the last that is left.
 */
export function lastEnvironmentOf(undoable: readonly Work[], inPlanOrder: readonly Work[]): readonly Work[] {
  const names = new Set(undoable.flatMap(({ node }) => node.environment ?? []))
  const last = inPlanOrder.findLast(({ node }) => names.has(node.environment ?? ''))?.node.environment
  if (last === undefined || names.size === 1) return undoable
  const of = (isOf: (environment: string) => boolean): readonly Work[] =>
    undoable.filter(({ node }) => node.environment !== undefined && isOf(node.environment))
  const after = followersOf(
    of(environment => environment === last),
    inPlanOrder,
  )
  const before = ancestorsOf(
    of(environment => environment !== last),
    inPlanOrder,
  )
  return undoable.filter(work =>
    work.node.environment === undefined
      ? after.has(work) && !before.has(work)
      : work.node.environment === last,
  )
}

/** Everything that one of these waited for, directly or through others. */
function ancestorsOf(works: readonly Work[], inPlanOrder: readonly Work[]): ReadonlySet<Work> {
  const targets = new Set(works)
  const found = new Set<Work>()
  for (const work of inPlanOrder.toReversed()) {
    if (work.dependents.some(next => targets.has(next) || found.has(next))) found.add(work)
  }
  return found
}

/** Everything that waited for one of these, directly or through others. */
function followersOf(works: readonly Work[], inPlanOrder: readonly Work[]): ReadonlySet<Work> {
  const sources = new Set(works)
  const found = new Set<Work>()
  for (const work of inPlanOrder) {
    if (sources.has(work) || found.has(work)) for (const next of work.dependents) found.add(next)
  }
  return found
}
