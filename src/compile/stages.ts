/**
 * Pass: the graph of stages.
 *
 * Reason: what a stage waits for decides what is certain to have happened before each of its nodes.
 */
import type { ReleaseModel, StageModel } from '../definition/model.ts'
import { sortTopologically } from '../graph/graph.ts'
import type { CompileContext } from './context.ts'

export interface ResolvedStage {
  readonly model: StageModel
  /** The stages that it waits for directly; none of them is an ancestor of another. */
  readonly after: readonly string[]
  /** All stages that have ended before it begins. */
  readonly ancestors: ReadonlySet<string>
}

/** Stages in an order in which none stands before one that it waits for. */
export function resolveStages(model: ReleaseModel, context: CompileContext): readonly ResolvedStage[] {
  const stages = new Map<string, StageModel>()
  for (const stage of model.stages) if (!stages.has(stage.name)) stages.set(stage.name, stage)
  const waits = new Map([...stages.values()].map(stage => [stage.name, waitsOf(stage, stages, context)]))
  const order = orderOf(stages, waits, context)
  const resolved = new Map<string, ResolvedStage>()
  for (const name of order) resolved.set(name, resolve(stages.get(name)!, waits.get(name)!, resolved))
  return [...resolved.values()]
}

function waitsOf(
  stage: StageModel,
  stages: ReadonlyMap<string, StageModel>,
  context: CompileContext,
): readonly string[] {
  if (stage.after === null) return [...stages.keys()].slice(0, [...stages.keys()].indexOf(stage.name))
  return stage.after.filter(name => {
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

function orderOf(
  stages: ReadonlyMap<string, StageModel>,
  waits: ReadonlyMap<string, readonly string[]>,
  context: CompileContext,
): readonly string[] {
  const sorted = sortTopologically([...waits].map(([key, needs]) => ({ key, needs: [...new Set(needs)] })))
  if (sorted.ok) return sorted.order
  context.report({
    code: 'stage-cycle',
    message: `stages wait for each other in a circle and could never be reached: ${sorted.cycle.join(' → ')}`,
    hint: "Take one of these names out of its stage's `after`.",
    at: stages.get(sorted.cycle[0]!)!.at,
  })
  return []
}

function resolve(
  model: StageModel,
  waits: readonly string[],
  earlier: ReadonlyMap<string, ResolvedStage>,
): ResolvedStage {
  const ancestors = new Set<string>()
  for (const name of waits) {
    ancestors.add(name)
    for (const ancestor of earlier.get(name)!.ancestors) ancestors.add(ancestor)
  }
  const indirect = new Set(waits.flatMap(name => [...earlier.get(name)!.ancestors]))
  return { model, after: [...new Set(waits)].filter(name => !indirect.has(name)), ancestors }
}
