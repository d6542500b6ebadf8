/**
 * Taking a node's effect back.
 */
import { canonicalJson } from '../../src/plan/canonical.ts'
import type {
  PlanNode,
  PromoteOperation,
  ReplaceOperation,
  Revision,
  VerifyOperation,
} from '../../src/plan/plan.ts'
import type { Desired } from '../../src/run/ports.ts'
import type { RunState } from '../../src/run/state.ts'
import type { Attempt, Done } from './operations.ts'
import { type Prepared, placeOf } from './place.ts'
import { runtimeContext } from './runtime-context.ts'
import { undoShift, undoStart } from './traffic-operations.ts'

const done = (summary: string): Done => ({ value: null, summary, warning: null, how: 'performed' })

/** Performs the undoing of the node that a rollback's work names. */
export async function undo(attempt: Attempt): Promise<Done> {
  const { node } = attempt.task.work
  switch (node.undo.kind) {
    case 'step':
      return undoStep(attempt)
    case 'restore':
      return restore(attempt)
    case 'traffic':
      if (node.operation.kind !== 'shift') throw new Error(`${node.key} shifted nothing`)
      return undoShift(attempt, node.operation)
    case 'remove':
      if (node.operation.kind !== 'start') throw new Error(`${node.key} started nothing`)
      return undoStart(attempt, node.operation)
    case 'nothing':
    case 'irreversible':
      throw new Error(`${node.key} has nothing that could be undone`)
  }
}

async function undoStep(attempt: Attempt): Promise<Done> {
  const { task, world } = attempt
  const { operation, key } = task.work.node
  const model = operation.kind === 'step' ? world.steps.get(operation.name) : undefined
  if (typeof model?.undo !== 'function') throw new Error(`the bundle has no undo for ${key}`)
  const undone = task.state.works.get(key)!
  const value = undone.status.type === 'succeeded' ? undone.value : undefined
  await model.undo({ ...(await runtimeContext(attempt)), value })
  return done('undone')
}

/** The slots that the node changed run again what its deployment's `prepare` found in them. */
async function restore(attempt: Attempt): Promise<Done> {
  const { platform, environment, component, context } = placeOf(attempt)
  const { state, work } = attempt.task
  const ranges = rangesOf(state, work.node)
  for (const range of ranges) {
    await platform.converge({ environment, component, side: 'stable', maxUnavailable: 0, ...range }, context)
  }
  const versions = [...new Set(ranges.map(range => range.revision?.version ?? 'nothing'))]
  return done(ranges.length === 0 ? 'nothing had changed' : `${versions.join(' and ')} again`)
}

type Range = Pick<Desired, 'from' | 'to' | 'revision'>

/** What restoring a node brings each of its slots to; neighbours with one and the same revision together. */
export function rangesOf(state: RunState, { operation }: PlanNode): readonly Range[] {
  if (operation.kind !== 'replace' && operation.kind !== 'verify' && operation.kind !== 'promote') return []
  const prepared = state.works.get(operation.prepared)!
  if (prepared.status.type !== 'succeeded') return []
  const { before } = prepared.value as unknown as Prepared
  const bySlot = new Map(before.map(({ slot, revision }) => [slot, revision]))
  const [from, to] = spanOf(operation, bySlot)
  const ranges: { from: number; to: number; revision: Revision | null }[] = []
  for (let slot = from; slot < to; slot += 1) {
    const revision = bySlot.get(slot) ?? null
    const last = ranges.at(-1)
    if (last !== undefined && canonicalJson(last.revision) === canonicalJson(revision)) last.to = slot + 1
    else ranges.push({ from: slot, to: slot + 1, revision })
  }
  return ranges
}

/** A promotion changed every slot; a `verify` removed only what was beyond its number of instances. */
function spanOf(
  operation: ReplaceOperation | VerifyOperation | PromoteOperation,
  before: ReadonlyMap<number, Revision>,
): readonly [number, number] {
  if (operation.kind === 'replace') return [operation.from, operation.to]
  const end = Math.max(operation.instances, ...[...before.keys()].map(slot => slot + 1))
  return [operation.kind === 'promote' ? 0 : operation.instances, end]
}
