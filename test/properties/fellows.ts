/**
 * Who stands and falls with whom.
 */
import { type Sketch, type SketchNode, stageOf } from './sketch.ts'

/** Names of the components that fail with the node. */
export function matesOf(sketch: Sketch, node: SketchNode): ReadonlySet<string> {
  const mates = sketch.nodes.filter(other => other === node || isLocked(other, node))
  return new Set(mates.flatMap(({ component }) => component ?? []))
}

/** With all that need one of them, and all that shift together with one of these. */
export function fallenWith(sketch: Sketch, names: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set(names)
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const component of sketch.components) {
      if (component.needs.some(need => found.has(need))) found.add(component.name)
    }
    for (const node of sketch.nodes) {
      if (node.lockstep === undefined || !found.has(node.component ?? '')) continue
      for (const mate of matesOf(sketch, node)) found.add(mate)
    }
  }
  return found
}

export const isLocked = (one: SketchNode, other: SketchNode): boolean =>
  one.lockstep !== undefined && one.lockstep === other.lockstep

/** They belong to one course: of a component in its place, or of a lockstep. */
export const isTogether = (one: SketchNode, other: SketchNode): boolean =>
  isLocked(one, other) || (one.component === other.component && stageOf(one.key) === stageOf(other.key))

export interface Failed {
  readonly key: string
  /** contain: it stays with its component. Otherwise the policy that stopped the run. */
  readonly rule: 'contain' | 'stop' | 'rollback-dependents' | 'rollback-all'
}

/** Of two policies the one that takes more back wins. */
export const FORCE = { stop: 0, 'rollback-dependents': 1, 'rollback-all': 2 } as const
