/**
 * What `--only` chooses: the named stages, and every gate and approval that guards them.
 */
import type { Plan, PlanNode } from '../plan/plan.ts'

export interface Selection {
  /** Names of the chosen stages; null: all. */
  readonly only: readonly string[] | null
  readonly includes: (node: PlanNode) => boolean
}

/**
 * A gate or an approval guards a stage when it stands in a stage that the chosen one waits for, directly or
 * through others: leaving work out must never leave a check out.
 */
export function selectNodes(plan: Plan, only: readonly string[] | null): Selection {
  if (only === null) return { only, includes: () => true }
  const chosen = new Set(only)
  const guarding = stagesBefore(plan, only)
  return {
    only,
    includes: node =>
      chosen.has(node.stage) ||
      (guarding.has(node.stage) && ['gate', 'approval', 'join'].includes(node.operation.kind)),
  }
}

function stagesBefore(plan: Plan, names: readonly string[]): Set<string> {
  const byName = new Map(plan.stages.map(stage => [stage.name, stage]))
  const before = new Set<string>()
  const open = [...names]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const earlier of byName.get(name)?.after ?? []) {
      if (before.has(earlier)) continue
      before.add(earlier)
      open.push(earlier)
    }
  }
  return before
}
