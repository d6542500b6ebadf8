/**
 * A plan as a drawing: the nodes that are shown and the fewest lines between them that say the same.
 *
 * Role: what every render of the graph is made from.
 *
 * Invariants:
 *  D1. A node is reached from another in the drawing exactly where it waits for it in the plan, and by `needs`
 *      alone exactly where it needs it: no `needs` is left out because it follows from an `after`.
 *  D2. No line follows from others.
 *  D3. A join is drawn through, its lines led on from what it waits for to what waits for it, unless that would
 *      make more lines than allowed: then the join itself is shown.
 */
import { reduceTransitively, type Vertex } from '../../graph/graph.ts'
import type { Plan, PlanNode } from '../plan.ts'

/** needs: must have succeeded. after: must have ended, in whatever way. */
export type LineKind = 'needs' | 'after'

export interface Line {
  readonly from: string
  readonly to: string
  readonly kind: LineKind
}

export interface Drawing {
  /** In plan order. */
  readonly nodes: readonly PlanNode[]
  /** By the node that waits, in plan order: what it waits for. */
  readonly waits: ReadonlyMap<string, readonly Line[]>
}

type Kinds = Map<string, LineKind>

export interface DrawingOptions {
  /** How many lines a join may be replaced by, given how many come in and go out. */
  readonly most: (into: number, outOf: number) => number
}

/** For pictures: a join is drawn through only where that makes no more lines. */
export const fewestLines: DrawingOptions = { most: (into, outOf) => into + outOf }

/** For lists, which name only the first few of what a node waits for. */
export const fewestNodes: DrawingOptions = { most: (into, outOf) => Math.max(into + outOf, 2500) }

export function drawPlan(plan: Plan, options: DrawingOptions): Drawing {
  const waits = withoutWhatFollows(new Map(plan.nodes.map(node => [node.key, kindsOf(node)])))
  const followers = new Map<string, Set<string>>(plan.nodes.map(node => [node.key, new Set()]))
  for (const [to, from] of waits) for (const key of from.keys()) followers.get(key)!.add(to)
  for (const { key, operation } of plan.nodes) {
    if (operation.kind !== 'join') continue
    const into = waits.get(key)!
    const outOf = followers.get(key)!
    if (into.size * outOf.size > options.most(into.size, outOf.size)) continue
    drawThrough(key, { into, outOf, waits, followers })
    waits.delete(key)
  }
  const drawn = withoutWhatFollows(waits)
  return {
    nodes: plan.nodes.filter(node => drawn.has(node.key)),
    waits: new Map([...drawn].map(([key, kinds]) => [key, linesTo(key, kinds)])),
  }
}

/** A node that is in both is needed: that is the stronger of the two. */
const kindsOf = (node: PlanNode): Kinds =>
  new Map([
    ...node.after.map(key => [key, 'after'] as const),
    ...node.needs.map(key => [key, 'needs'] as const),
  ])

function withoutWhatFollows(waits: ReadonlyMap<string, Kinds>): Map<string, Kinds> {
  const vertices = (kind?: LineKind): Vertex[] =>
    [...waits].map(([key, kinds]) => ({
      key,
      needs: [...kinds.keys()].filter(from => kind === undefined || kinds.get(from) === kind),
    }))
  const ofAll = reduceTransitively(vertices())
  const ofNeeds = reduceTransitively(vertices('needs'))
  const keys = [...waits.keys()]
  return new Map(
    keys.map((key, i) => {
      const [all, needs] = [new Set(ofAll[i]!.needs), new Set(ofNeeds[i]!.needs)]
      const kept = [...waits.get(key)!].filter(([from, kind]) => (kind === 'needs' ? needs : all).has(from))
      return [key, new Map(kept)]
    }),
  )
}

/** Leads every line into the join on to all that waits for it. */
function drawThrough(
  join: string,
  around: {
    readonly into: Kinds
    readonly outOf: ReadonlySet<string>
    readonly waits: ReadonlyMap<string, Kinds>
    readonly followers: ReadonlyMap<string, Set<string>>
  },
): void {
  for (const from of around.into.keys()) around.followers.get(from)!.delete(join)
  for (const to of around.outOf) {
    const kinds = around.waits.get(to)!
    const last = kinds.get(join)!
    kinds.delete(join)
    for (const [from, first] of around.into) {
      if (kinds.get(from) !== 'needs') kinds.set(from, first === 'needs' ? last : 'after')
      around.followers.get(from)!.add(to)
    }
  }
}

const linesTo = (to: string, kinds: Kinds): Line[] => [...kinds].map(([from, kind]) => ({ from, to, kind }))

/**
 * For each shown node its wave within its stage, from 1: one more than the highest of what it waits for in the
 * same stage.
 */
export function wavesOf(drawing: Drawing): Map<string, number> {
  const stages = new Map(drawing.nodes.map(node => [node.key, node.stage]))
  const waves = new Map<string, number>()
  for (const { key, stage } of drawing.nodes) {
    let wave = 1
    for (const { from } of drawing.waits.get(key)!) {
      if (stages.get(from) === stage) wave = Math.max(wave, waves.get(from)! + 1)
    }
    waves.set(key, wave)
  }
  return waves
}
