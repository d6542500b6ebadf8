/**
 * What is added to a case once it is drawn, from a draw of its own: so the numbers of older cases keep their meaning.
 *
 * Steps that freeze what they were built on, lone canaries made into mirrors and experiments, and more runners that die.
 */
import type { Seeded } from '../../runner/engine/seeded.ts'
import type { Case } from './case.ts'
import { type Sketch, type SketchNode, stageOf } from './sketch.ts'

export function enrich(kase: Case, random: Seeded): Case {
  const nodes = kase.sketch.nodes.map(node =>
    node.kind === 'step' && node.undo !== 'step' && random.chance(0.15)
      ? ({ ...node, undo: 'freezes' } as const)
      : node,
  )
  const whole = random.chance(0.15) ? Array.from({ length: 2 }, () => 1 + random.below(40)) : kase.crashes
  return { ...kase, crashes: whole, sketch: withTrials({ ...kase.sketch, nodes }, random) }
}

/** Lone canaries of one step, alone in their place: some become a mirror or an experiment. */
function withTrials(sketch: Sketch, random: Seeded): Sketch {
  let { nodes } = sketch
  for (const shift of sketch.nodes.filter(node => isLoneShift(sketch, node))) {
    if (random.chance(0.2)) continue
    const analysis = sketch.nodes.find(
      node => node.kind === 'analyse' && isBeside(node, shift) && !node.until,
    )
    const trial = analysis === undefined || random.chance(0.4) ? 'mirror' : 'experiment'
    nodes = nodes.map(node => {
      if (node.key === shift.key) return { ...node, trial }
      if (trial === 'mirror' || !isBeside(node, shift)) return node
      if (node.key === analysis?.key) return { ...node, trial }
      return node.kind === 'promote' ? { ...node, decidedBy: analysis!.key } : node
    })
  }
  return { ...sketch, nodes }
}

const isBeside = (one: SketchNode, other: SketchNode): boolean =>
  one.component === other.component && stageOf(one.key) === stageOf(other.key)

/** Of a course in which nothing else is shifted and no baseline runs, that is promoted. */
function isLoneShift(sketch: Sketch, node: SketchNode): boolean {
  if (node.kind !== 'shift' || node.lockstep !== undefined) return false
  const course = sketch.nodes.filter(other => isBeside(other, node))
  return (
    course.filter(({ kind }) => kind === 'shift').length === 1 &&
    course.some(({ kind }) => kind === 'promote') &&
    !course.some(({ baseline }) => baseline === true)
  )
}
