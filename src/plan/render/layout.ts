/**
 * Where the nodes of a drawing stand: layers from above to below within a stage, stages below those that they wait for.
 *
 *     layer    one more than the deepest of what a node waits for in its stage; a full layer hands on to the next
 *     order    each node near the middle of its neighbours, a few times down and up
 *     place    each node as near to that middle as its neighbours in the layer leave it
 *
 * Boundary: numbers only; knows neither SVG nor what a node does. Nothing recurses.
 *
 *  Y1. A node stands below everything that it waits for.
 *  Y2. No two boxes touch.
 *  Y3. Time is linear in nodes and lines: a line that would pass many layers is drawn straight through them.
 */
import type { Plan } from '../plan.ts'
import type { Drawing, Line } from './drawing.ts'

export const BOX: Readonly<Record<'width' | 'height' | 'across' | 'down', number>> = {
  width: 190,
  height: 42,
  across: 14,
  down: 34,
}
const STAGE = { side: 16, head: 34, foot: 16, between: 28 } as const
/** Boxes side by side at most: wider pictures cannot be read. */
const MOST_ACROSS = 14
/** A bend holds a line's place in a layer that it passes. */
const BEND = 8
const LONGEST_BENT = 12
const MOST_BENDS = 20_000
const SWEEPS = 4

export interface Point {
  readonly x: number
  readonly y: number
}

export interface StageBox extends Point {
  readonly name: string
  readonly width: number
  readonly height: number
}

export interface Layout {
  readonly width: number
  readonly height: number
  /** By key: the upper left corner. */
  readonly boxes: ReadonlyMap<string, Point>
  readonly stages: readonly StageBox[]
  /** From the lower edge of what comes first to the upper edge of what waits, with the bends between. */
  readonly lines: readonly { readonly line: Line; readonly points: readonly Point[] }[]
}

interface Spot {
  readonly key: string | null
  readonly layer: number
  readonly width: number
  /** Of its middle. */
  x: number
  order: number
  readonly above: Spot[]
  readonly below: Spot[]
}

interface Graph {
  readonly layers: Spot[][]
  readonly spots: Map<string, Spot>
  /** By line: its bends, from above. */
  readonly bends: Map<Line, readonly Spot[]>
}

/** Places every node of the drawing. */
export function layoutDrawing(plan: Plan, drawing: Drawing): Layout {
  const byStage = Map.groupBy(drawing.nodes, ({ stage }) => stage)
  const graphs = plan.stages.map(({ name }) => {
    const graph = graphOf(
      (byStage.get(name) ?? []).map(({ key }) => key),
      drawing,
    )
    arrange(graph)
    return graph
  })
  const { stages, width, height } = placeStages(plan, graphs.map(sizeOf))
  const origins = stages.map(({ x, y }) => ({ x: x + STAGE.side, y: y + STAGE.head }))
  const boxes = new Map<string, Point>()
  for (const [i, { spots }] of graphs.entries())
    for (const [key, spot] of spots) boxes.set(key, cornerOf(spot, origins[i]!))
  const bends = new Map<Line, readonly Point[]>()
  for (const [i, graph] of graphs.entries())
    for (const [line, spots] of graph.bends)
      bends.set(
        line,
        spots.map(spot => bendAt(spot, origins[i]!)),
      )
  return { width, height, boxes, stages, lines: linesOf(drawing, boxes, bends) }
}

// ── layers ──────────────────────────────────────────────────────────────────────────────────────

function graphOf(keys: readonly string[], drawing: Drawing): Graph {
  const layers: Spot[][] = []
  const spots = new Map<string, Spot>()
  const bends = new Map<Line, readonly Spot[]>()
  const boxed: number[] = []
  let bent = 0
  for (const key of keys) {
    const lines = drawing.waits.get(key)!.filter(({ from }) => spots.has(from))
    let layer = lines.reduce((deepest, { from }) => Math.max(deepest, spots.get(from)!.layer + 1), 0)
    while ((boxed[layer] ?? 0) >= MOST_ACROSS) layer += 1
    boxed[layer] = (boxed[layer] ?? 0) + 1
    const spot = addSpot(layers, { key, layer, width: BOX.width })
    spots.set(key, spot)
    for (const line of lines) {
      const from = spots.get(line.from)!
      const passed = layer - from.layer - 1
      const isBent = passed <= LONGEST_BENT && bent + passed <= MOST_BENDS
      const way = isBent
        ? Array.from({ length: passed }, (_, i) =>
            addSpot(layers, { key: null, layer: from.layer + 1 + i, width: BEND }),
          )
        : []
      bent += way.length
      bends.set(line, way)
      const all = [from, ...way, spot]
      for (const [i, lower] of all.entries()) {
        if (i === 0) continue
        all[i - 1]!.below.push(lower)
        lower.above.push(all[i - 1]!)
      }
    }
  }
  return { layers, spots, bends }
}

function addSpot(layers: Spot[][], { key, layer, width }: Pick<Spot, 'key' | 'layer' | 'width'>): Spot {
  while (layers.length <= layer) layers.push([])
  const own = layers[layer]!
  const spot: Spot = { key, layer, width, x: 0, order: own.length, above: [], below: [] }
  own.push(spot)
  return spot
}

// ── order and place ─────────────────────────────────────────────────────────────────────────────

function arrange({ layers }: Graph): void {
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const down = sweep % 2 === 0
    for (const layer of down ? layers : layers.toReversed()) {
      reorder(layer, down ? 'above' : 'below')
    }
  }
  for (const layer of layers) spread(layer, () => 0)
  for (let sweep = 0; sweep < SWEEPS * 2; sweep += 1) {
    const side = sweep % 2 === 0 ? 'above' : 'below'
    for (const layer of side === 'above' ? layers : layers.toReversed()) {
      spread(layer, spot => middle(spot, side, 'x') ?? spot.x)
    }
  }
  const left = layers.flat().reduce((least, { x, width }) => Math.min(least, x - width / 2), Infinity)
  for (const layer of layers) for (const spot of layer) spot.x -= left
}

type Side = 'above' | 'below'

/** The mean of the neighbours on one side; null: there are none. */
function middle(spot: Spot, side: Side, of: 'x' | 'order'): number | null {
  const neighbours = spot[side]
  if (neighbours.length === 0) return null
  return neighbours.reduce((sum, one) => sum + one[of], 0) / neighbours.length
}

function reorder(layer: Spot[], side: Side): void {
  const wanted = new Map(layer.map(spot => [spot, middle(spot, side, 'order') ?? spot.order]))
  layer.sort((a, b) => wanted.get(a)! - wanted.get(b)! || a.order - b.order)
  for (const [i, spot] of layer.entries()) spot.order = i
}

/**
 * Puts each spot where it is wanted, as far as the others of its layer let it: pushed once to the right and once to
 * the left, and half way between, which leaves the distances as they have to be.
 */
function spread(layer: readonly Spot[], wanted: (spot: Spot) => number): void {
  const goal = layer.map(wanted)
  const right = [...goal]
  const leftward = [...goal]
  for (let i = 1; i < layer.length; i += 1) right[i] = Math.max(goal[i]!, right[i - 1]! + distance(layer, i))
  for (let i = layer.length - 2; i >= 0; i -= 1)
    leftward[i] = Math.min(goal[i]!, leftward[i + 1]! - distance(layer, i + 1))
  for (const [i, spot] of layer.entries()) spot.x = (right[i]! + leftward[i]!) / 2
}

/** Between the middles of a spot and the one before it. */
const distance = (layer: readonly Spot[], i: number): number =>
  (layer[i - 1]!.width + layer[i]!.width) / 2 + BOX.across

// ── stages ──────────────────────────────────────────────────────────────────────────────────────

interface Size {
  readonly width: number
  readonly height: number
}

function sizeOf({ layers }: Graph): Size {
  const width = layers.flat().reduce((most, { x, width }) => Math.max(most, x + width / 2), BOX.width)
  const height = Math.max(1, layers.length) * (BOX.height + BOX.down) - BOX.down
  return { width: width + 2 * STAGE.side, height: height + STAGE.head + STAGE.foot }
}

/** Stages that wait for the same ones stand side by side; each row is in the middle of the picture. */
function placeStages(plan: Plan, sizes: readonly Size[]): Size & { readonly stages: readonly StageBox[] } {
  const levels = new Map<string, number>()
  for (const { name, after } of plan.stages) {
    levels.set(
      name,
      after.reduce((deepest, other) => Math.max(deepest, (levels.get(other) ?? 0) + 1), 0),
    )
  }
  const boxes = plan.stages.map(({ name }, i) => ({ name, ...sizes[i]!, x: 0, y: 0 }))
  const rows = [...Map.groupBy(boxes, ({ name }) => levels.get(name)!)].toSorted(([a], [b]) => a - b)
  const widthOf = (row: readonly Size[]): number =>
    row.reduce((sum, { width }) => sum + width + STAGE.between, -STAGE.between)
  const width = rows.reduce((most, [, row]) => Math.max(most, widthOf(row)), BOX.width)
  let y = 0
  for (const [, row] of rows) {
    let x = (width - widthOf(row)) / 2
    for (const box of row) {
      Object.assign(box, { x, y })
      x += box.width + STAGE.between
    }
    y += Math.max(...row.map(({ height }) => height)) + STAGE.between
  }
  return { stages: boxes, width, height: Math.max(0, y - STAGE.between) }
}

// ── the drawing ─────────────────────────────────────────────────────────────────────────────────

const cornerOf = ({ x, layer, width }: Spot, origin: Point): Point => ({
  x: origin.x + x - width / 2,
  y: origin.y + layer * (BOX.height + BOX.down),
})

const bendAt = ({ x, layer }: Spot, origin: Point): Point => ({
  x: origin.x + x,
  y: origin.y + layer * (BOX.height + BOX.down) + BOX.height / 2,
})

function linesOf(
  { waits }: Drawing,
  boxes: ReadonlyMap<string, Point>,
  bends: ReadonlyMap<Line, readonly Point[]>,
): Layout['lines'] {
  return [...waits.values()].flat().map(line => {
    const [from, to] = [boxes.get(line.from)!, boxes.get(line.to)!]
    const start = { x: from.x + BOX.width / 2, y: from.y + BOX.height }
    return { line, points: [start, ...(bends.get(line) ?? []), { x: to.x + BOX.width / 2, y: to.y }] }
  })
}
