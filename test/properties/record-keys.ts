/**
 * Keys of a run's record, and the order that a sketch gives its nodes.
 */
import type { Sketch } from './sketch.ts'

/** The plan's node, of a rollback's too. */
export const targetOf = (key: string): string => key.replace(/^rollback\/\d+\//, '')

export const numberOf = (key: string): number => Number(key.split('/')[1])
export const isRollback = (key: string): boolean => key.startsWith('rollback/')

/** By node, all that come after it, directly or through others. */
export function laterOf(sketch: Sketch): ReadonlyMap<string, ReadonlySet<string>> {
  const later = new Map<string, Set<string>>(sketch.nodes.map(({ key }) => [key, new Set()]))
  for (const node of [...sketch.nodes].reverse()) {
    for (const before of [...node.needs, ...node.after]) {
      const set = later.get(before)!
      set.add(node.key)
      for (const key of later.get(node.key)!) set.add(key)
    }
  }
  return later
}
