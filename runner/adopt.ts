/**
 * `resume --adopt`: the definition as it is now takes the place of the one that the run began with.
 *
 * Only where all that is done already is the same in it: a node that was started has to stand in the new plan
 * with the same operation and undo. Everything that has not begun may change.
 *
 * The new plan and bundle are kept beside the old ones, under the plan's hash; which of them counts is said by the
 * journal alone, so that a crash between the two leaves the run as it was.
 */
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ReleaseModel } from '../src/definition/model.ts'
import { InputError } from '../src/errors.ts'
import { canonicalJson, sealPlan } from '../src/plan/canonical.ts'
import type { Plan, PlanNode } from '../src/plan/plan.ts'
import { planText } from '../src/plan/render/json.ts'
import { syncFolder, writeFileDurably } from './journal/durable-file.ts'
import { onState } from './journal/on-state.ts'
import { adoptedFolder } from './journal/run-store.ts'
import { sha256OfPieces } from './load/fingerprint.ts'
import { findProject } from './load/project.ts'
import type { OpenedRun } from './open-run.ts'
import { requirePlan } from './plan-release.ts'

export interface Adopted {
  readonly plan: Plan
  readonly definition: ReleaseModel
}

/** @throws InputError `cannot-adopt` with every node that has begun and would be another */
export async function adoptPlan(opened: OpenedRun): Promise<Adopted> {
  const { meta, plan: old, folder } = opened
  const project = await findProject(meta.definition, { cwd: meta.root })
  const params = Object.entries(old.params).map(([name, value]) => `${name}=${String(value)}`)
  const { plan: made, loaded } = await requirePlan({ project, params, concurrency: null })
  // What runs now is what this run has made of it; what the plan began from stays what it was.
  const plan = sealPlan({ ...made, facts: { ...made.facts, live: old.facts.live } }, sha256OfPieces)
  refuseChanged(opened, plan)
  const kept = adoptedFolder(folder, plan.hash)
  await onState(folder.path, async () => {
    await mkdir(kept.path, { recursive: true })
    await writeFileDurably(kept.bundle, loaded.bundle.code)
    await copyFile(loaded.bundle.mapPath, kept.bundleMap)
    await writeFileDurably(kept.plan, planText(plan))
    await syncFolder(dirname(kept.path))
    await syncFolder(folder.path)
  })
  return { plan, definition: loaded.definition }
}

function refuseChanged({ state }: OpenedRun, plan: Plan): void {
  const nodes = new Map(plan.nodes.map(node => [node.key, node]))
  const begun = [...state.works.values()].filter(
    work =>
      work.rollback === null &&
      work.node.operation.kind !== 'join' &&
      (work.attempts > 0 || work.doneOrder > 0 || work.status.type === 'waiting'),
  )
  const changed = begun.filter(work => !isSame(work.node, nodes.get(work.key)))
  if (changed.length === 0) return
  throw new InputError(
    changed.map(({ key }) => ({
      code: 'cannot-adopt',
      severity: 'error' as const,
      message: `${key} has begun already and is ${nodes.has(key) ? 'another' : 'missing'} in the definition as it is now`,
      hint: 'Resume without --adopt, or roll the run back and start a new one.',
    })),
  )
}

const isSame = (old: PlanNode, now: PlanNode | undefined): boolean =>
  now !== undefined && canonicalJson(essence(old)) === canonicalJson(essence(now))

const essence = ({ operation, undo, component, environment }: PlanNode): unknown => ({
  operation,
  undo,
  component: component ?? null,
  environment: environment ?? null,
})
