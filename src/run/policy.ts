/**
 * What a failure means for the rest of the release.
 */
import type { FailurePolicy, Plan, PlanNode } from '../plan/plan.ts'

export type Consequence =
  /** Nothing new starts; the policy says what is taken back. */
  | { readonly kind: 'halt'; readonly policy: Exclude<FailurePolicy, 'continue-partial'> }
  /** These components are taken back, what needs them is skipped, and the rest goes on. */
  | { readonly kind: 'contain'; readonly components: readonly string[] }

/**
 * The failure of a component that is not critical is contained, whatever the policy; everything else is
 * decided by the policy of the stage in which it failed. Components in lockstep stand and fall together: one that is
 * critical makes all of them so.
 */
export function judgeFailure(plan: Plan, node: PlanNode): Consequence {
  const names = matesOf(plan, node)
  const policy = plan.stages.find(stage => stage.name === node.stage)?.policy ?? plan.policy
  const critical = plan.components.some(c => c.critical && names.includes(c.name))
  if ((names.length > 0 && !critical) || policy === 'continue-partial')
    return { kind: 'contain', components: fallingWith(plan, names) }
  return { kind: 'halt', policy }
}

/** The components, all that need them, and all that shift in lockstep with one of these, in the plan's order. */
export function fallingWith(plan: Plan, names: readonly string[]): readonly string[] {
  const locksteps = lockstepsOf(plan)
  let found = withDependents(plan, names)
  for (let before = -1; before !== found.length; ) {
    before = found.length
    const mates = locksteps.filter(lockstep => lockstep.some(name => found.includes(name))).flat()
    found = withDependents(plan, [...found, ...mates])
  }
  return found
}

/** By lockstep, the names of its components. */
function lockstepsOf(plan: Plan): readonly (readonly string[])[] {
  const byKey = new Map<string, Set<string>>()
  for (const { lockstep, component } of plan.nodes) {
    if (lockstep === undefined || component === undefined) continue
    const names = byKey.get(lockstep)
    if (names === undefined) byKey.set(lockstep, new Set([component]))
    else names.add(component)
  }
  return [...byKey.values()].map(names => [...names])
}

/** Whether a node belongs to contained components: its own, or all that shift together where it stands for them. */
export const isOf = (plan: Plan, node: PlanNode, components: readonly string[]): boolean =>
  node.component === undefined
    ? node.lockstep !== undefined && matesOf(plan, node).some(name => components.includes(name))
    : components.includes(node.component)

/** The node's component; in a lockstep all that shift with it. */
export function matesOf(plan: Plan, node: PlanNode): readonly string[] {
  if (node.lockstep === undefined) return node.component === undefined ? [] : [node.component]
  const mates = plan.nodes.filter(other => other.lockstep === node.lockstep)
  return [...new Set(mates.flatMap(({ component }) => component ?? []))]
}

/** How much a policy takes back, for comparing: the higher the more. */
export const reachOf = (policy: Exclude<FailurePolicy, 'continue-partial'>): number =>
  ['stop', 'rollback-dependents', 'rollback-all'].indexOf(policy)

/** The components and all that need them, directly or through others, in the plan's order. */
export function withDependents(plan: Plan, names: readonly string[]): readonly string[] {
  const found = new Set(names)
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const component of plan.components) {
      if (component.needs.some(need => found.has(need.component))) found.add(component.name)
    }
  }
  return plan.components.map(c => c.name).filter(name => found.has(name))
}
