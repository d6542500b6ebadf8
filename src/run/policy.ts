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
  if (names.length > 0 && !critical) return { kind: 'contain', components: withDependents(plan, names) }
  if (policy !== 'continue-partial') return { kind: 'halt', policy }
  return { kind: 'contain', components: withDependents(plan, names) }
}

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
