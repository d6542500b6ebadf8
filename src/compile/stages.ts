/**
 * Pass: the graph of stages.
 *
 * Reason: what a stage waits for decides what is certain to have happened before each of its nodes.
 */
import type { ReleaseModel, StageModel } from '../definition/model.ts'
import { reduceTransitively, sortTopologically } from '../graph/graph.ts'
import type { CompileContext } from './context.ts'

export interface ResolvedStage {
  readonly model: StageModel
  /** The stages that it waits for directly; none of them is an ancestor of another. */
  readonly after: readonly string[]
}

/** Stages in an order in which none stands before one that it waits for. */
export function resolveStages(model: ReleaseModel, context: CompileContext): readonly ResolvedStage[] {
  const stages = new Map<string, StageModel>()
  for (const stage of model.stages) if (!stages.has(stage.name)) stages.set(stage.name, stage)
  const graph = waitsOfAll(stages, context).map(([key, needs]) => ({ key, needs: [...new Set(needs)] }))
  const sorted = sortTopologically(graph)
  if (!sorted.ok) {
    reportCycle(sorted.cycle, stages, context)
    return []
  }
  const reduced = new Map(reduceTransitively(graph).map(({ key, needs }) => [key, needs]))
  return sorted.order.map(name => ({ model: stages.get(name)!, after: reduced.get(name)! }))
}

/**
 * A stage without `after` waits for all that are written before it. It is enough to name those of them for which
 * none of the others waits: naming all would make a chain of thousands quadratic.
 */
function waitsOfAll(
  stages: ReadonlyMap<string, StageModel>,
  context: CompileContext,
): readonly (readonly [string, readonly string[]])[] {
  const ends = new Set<string>()
  return [...stages].map(([name, stage]) => {
    const waits = stage.after === null ? [...ends] : knownOf(stage, stage.after, stages, context)
    for (const wait of waits) ends.delete(wait)
    ends.add(name)
    return [name, waits]
  })
}

function knownOf(
  stage: StageModel,
  after: readonly string[],
  stages: ReadonlyMap<string, StageModel>,
  context: CompileContext,
): readonly string[] {
  return after.filter(name => {
    if (stages.has(name)) return true
    context.report({
      code: 'unknown-stage',
      message: `the stage "${stage.name}" is after "${name}", and there is no such stage: it could never be reached`,
      hint: `The stages are ${[...stages.keys()].map(s => `'${s}'`).join(', ')}.`,
      at: stage.at,
    })
    return false
  })
}

function reportCycle(
  cycle: readonly string[],
  stages: ReadonlyMap<string, StageModel>,
  context: CompileContext,
): void {
  context.report({
    code: 'stage-cycle',
    message: `stages wait for each other in a circle and could never be reached: ${cycle.join(' → ')}`,
    hint: "Take one of these names out of its stage's `after`.",
    at: stages.get(cycle[0]!)!.at,
  })
}
