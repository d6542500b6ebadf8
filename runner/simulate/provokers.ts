/**
 * What has to fail so that a node is taken back.
 *
 * Boundary: a guess from the policies, best first. Whether it was then taken back, or would have been, the run says
 * ({@link hasUndoFailed}).
 */
import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import { type Consequence, judgeFailure } from '../../src/run/policy.ts'
import type { RunState } from '../../src/run/state.ts'
import { type Fault, faultsOf } from './faults.ts'

/** More than these are not tried for one undoing. */
const MOST_TRIED = 12

/** By a node, faults of nodes that come after it, the last and the first of the plan in turn; then its own. */
export function provokersIn(plan: Plan): (node: string) => readonly Fault[] {
  const byKey = new Map(plan.nodes.map((node, order) => [node.key, { node, order }]))
  const failures = faultsOf(plan).filter(fault => isFailure(byKey.get(fault.node)!.node, fault))
  const byNode = Map.groupBy(failures, fault => fault.node)
  const causes = plan.nodes.filter(({ key }) => byNode.has(key))
  const consequences = new Map(causes.map(cause => [cause, judgeFailure(plan, cause)]))
  return key => {
    const { node, order } = byKey.get(key)!
    const followers = followersOf(plan, node)
    const likely = causes.filter(cause => cause !== node && takesBack(consequences.get(cause)!, node))
    const after = likely.filter(one => followers.has(one.key))
    // What runs beside it may fail when it is done, or too early: it comes last.
    const beside = likely.filter(one => !followers.has(one.key) && byKey.get(one.key)!.order > order)
    const nodes = [...fromBothEnds(after), node, ...fromBothEnds(beside)]
    return nodes.flatMap(one => byNode.get(one.key)?.at(-1) ?? []).slice(0, MOST_TRIED)
  }
}

/** Whether an attempt to take it back has failed. */
export const hasUndoFailed = ({ rollbacks }: RunState, node: string): boolean =>
  rollbacks.some(({ works }) => works.some(work => work.node.key === node && work.failures > 0))

/** That an old version wins is no failure, nor is what only warns. */
function isFailure({ operation }: PlanNode, { kind }: Fault): boolean {
  const isMild = (operation.kind === 'gate' || operation.kind === 'notify') && !operation.required
  return !isMild && kind !== 'loses'
}

/** Whether a failure asks for `node` to be taken back, if it was done by then. */
function takesBack(consequence: Consequence, { undo, component }: PlanNode): boolean {
  // However a run ends, traffic that is divided then is taken back.
  if (undo.kind === 'traffic' || undo.kind === 'remove') return true
  if (consequence.kind === 'contain')
    return component !== undefined && consequence.components.includes(component)
  return (
    consequence.policy === 'rollback-all' ||
    (consequence.policy === 'rollback-dependents' && component !== undefined)
  )
}

/** Everything that waits for it, directly or through others. */
function followersOf({ nodes }: Plan, { key }: PlanNode): ReadonlySet<string> {
  const found = new Set([key])
  for (const node of nodes) {
    if ([...node.needs, ...node.after].some(before => found.has(before))) found.add(node.key)
  }
  found.delete(key)
  return found
}

/** The last, the first, the last but one, … */
function fromBothEnds<T>(list: readonly T[]): readonly T[] {
  const half = Math.ceil(list.length / 2)
  const backwards = list.slice(list.length - half).reverse()
  return backwards.flatMap((one, index) => (index < list.length - half ? [one, list[index]!] : [one]))
}
