/**
 * Directed graphs of named vertices: order, cycles, waves, critical path, reduction, reachability.
 *
 * Boundary: knows no domain; a vertex is a key and the keys that it needs. Nothing here recurses, so that a
 * chain of any length is safe.
 *
 * Invariants:
 *  G1. Every result depends on the input alone; ties are broken by the order of the input.
 *  G2. A key that stands twice, and a need that names no vertex, are errors that are thrown.
 *  G3. Time is linear in vertices and needs, but for the order (a heap: n log n) and the reduction (see there).
 */
import { ReleaseError } from '../errors.ts'

export interface Vertex {
  readonly key: string
  /** Keys of the vertices that come before this one. */
  readonly needs: readonly string[]
}

export type Sorted =
  | { readonly ok: true; readonly order: string[] }
  /** A path along needs that ends where it began: `['a', 'b', 'a']` says that a needs b, and b needs a. */
  | { readonly ok: false; readonly cycle: string[] }

/**
 * Orders the vertices so that none stands before one that it needs. Of several that could come next, the first
 * of the input does: an input that is in order already is returned as it is.
 */
export function sortTopologically(vertices: readonly Vertex[]): Sorted {
  const graph = indexGraph(vertices)
  const order = orderOf(graph)
  if (order.length === graph.size) return { ok: true, order: keysOf(graph, order) }
  return { ok: false, cycle: keysOf(graph, findCycle(graph, order)) }
}

/**
 * Groups the vertices by depth: the first wave needs nothing, each later one only what earlier waves hold.
 * A vertex is in the earliest wave that it can be in.
 * @throws ReleaseError `graph-cycle`
 */
export function waves(vertices: readonly Vertex[]): string[][] {
  const graph = indexGraph(vertices)
  const depths = depthsOf(graph, completeOrder(graph))
  const result: string[][] = []
  for (let v = 0; v < graph.size; v++) {
    const depth = depths[v]!
    while (result.length <= depth) result.push([])
    result[depth]!.push(graph.keys[v]!)
  }
  return result
}

/**
 * The heaviest path along needs, from what comes first to what comes last; it ends where nothing heavier
 * follows. Weights are at least 0.
 * @throws ReleaseError `graph-cycle`
 */
export function criticalPath(
  vertices: readonly Vertex[],
  weight: (key: string) => number,
): { path: string[]; length: number } {
  const graph = indexGraph(vertices)
  const total = new Float64Array(graph.size)
  const via = new Int32Array(graph.size).fill(-1)
  let last = -1
  for (const v of completeOrder(graph)) {
    for (let e = graph.needStart[v]!; e < graph.needStart[v + 1]!; e++) {
      const need = graph.needList[e]!
      if (via[v] === -1 || total[need]! > total[via[v]!]!) via[v] = need
    }
    total[v] = weight(graph.keys[v]!) + (via[v] === -1 ? 0 : total[via[v]!]!)
    if (last === -1 || total[v]! > total[last]!) last = v
  }
  const path: number[] = []
  for (let v = last; v !== -1; v = via[v]!) path.push(v)
  return { path: keysOf(graph, path.reverse()), length: last === -1 ? 0 : total[last]! }
}

/**
 * The same vertices without the needs that follow from others: where a needs b and c, and b needs c, a needs
 * only b. Reachability stays as it was; needs keep the order in which they were written.
 *
 * Linear where the needs of each vertex lie in one wave; otherwise it searches, for each vertex, what lies
 * between its deepest and its shallowest need.
 * @throws ReleaseError `graph-cycle`
 */
export function reduceTransitively(vertices: readonly Vertex[]): Vertex[] {
  const graph = indexGraph(vertices)
  const depths = depthsOf(graph, completeOrder(graph))
  const search = { seenBy: new Int32Array(graph.size).fill(-1), stack: [] as number[] }
  return vertices.map((vertex, v) => {
    const needs = [...new Set(needsOf(graph, v))]
    if (needs.length < 2) return { key: vertex.key, needs: keysOf(graph, needs) }
    const floor = Math.min(...needs.map(need => depths[need]!))
    markBelow(graph, { from: v, needs, depths, floor, ...search })
    return {
      key: vertex.key,
      needs: keysOf(
        graph,
        needs.filter(need => search.seenBy[need] !== v),
      ),
    }
  })
}

/**
 * Everything that needs any of `keys`, directly or not. One of `keys` is in it only where it needs another of
 * them. Cycles do no harm.
 */
export const descendants = (vertices: readonly Vertex[], keys: Iterable<string>): Set<string> => {
  const graph = indexGraph(vertices)
  return reach(graph, keys, { start: graph.dependentStart, list: graph.dependentList })
}

/**
 * Everything that any of `keys` needs, directly or not. One of `keys` is in it only where another of them needs
 * it. Cycles do no harm.
 */
export const ancestors = (vertices: readonly Vertex[], keys: Iterable<string>): Set<string> => {
  const graph = indexGraph(vertices)
  return reach(graph, keys, { start: graph.needStart, list: graph.needList })
}

/** The same vertices with every need turned round: what needed a vertex is now what it needs. */
export function reverse(vertices: readonly Vertex[]): Vertex[] {
  const graph = indexGraph(vertices)
  return graph.keys.map((key, v) => ({
    key,
    needs: keysOf(
      graph,
      graph.dependentList.subarray(graph.dependentStart[v]!, graph.dependentStart[v + 1]!),
    ),
  }))
}

// ── inside: vertices by number, edges in two flat lists ─────────────────────────────────────────

/** What vertex v needs is `needList` from `needStart[v]` to `needStart[v + 1]`; what needs it likewise. */
interface Graph {
  readonly size: number
  readonly keys: readonly string[]
  readonly numbers: ReadonlyMap<string, number>
  readonly needStart: Int32Array
  readonly needList: Int32Array
  readonly dependentStart: Int32Array
  readonly dependentList: Int32Array
}

function indexGraph(vertices: readonly Vertex[]): Graph {
  const size = vertices.length
  const numbers = numberKeys(vertices)
  const needStart = new Int32Array(size + 1)
  for (let v = 0; v < size; v++) needStart[v + 1] = needStart[v]! + vertices[v]!.needs.length
  const needList = new Int32Array(needStart[size]!)
  const dependentStart = new Int32Array(size + 1)
  let edge = 0
  for (const vertex of vertices) {
    for (const key of vertex.needs) {
      const need = numberOf(numbers, key, `needed by "${vertex.key}"`)
      needList[edge++] = need
      dependentStart[need + 1]!++
    }
  }
  for (let v = 0; v < size; v++) dependentStart[v + 1]! += dependentStart[v]!
  const dependentList = new Int32Array(edge)
  const next = dependentStart.slice()
  for (let v = 0; v < size; v++) {
    for (let e = needStart[v]!; e < needStart[v + 1]!; e++) dependentList[next[needList[e]!]!++] = v
  }
  return { size, keys: [...numbers.keys()], numbers, needStart, needList, dependentStart, dependentList }
}

function numberKeys(vertices: readonly Vertex[]): Map<string, number> {
  const numbers = new Map<string, number>()
  for (const { key } of vertices) {
    if (numbers.has(key)) {
      throw new ReleaseError('duplicate-vertex', `the graph holds "${key}" twice`, {
        hint: 'Give every vertex a key of its own.',
      })
    }
    numbers.set(key, numbers.size)
  }
  return numbers
}

function numberOf(numbers: ReadonlyMap<string, number>, key: string, where: string): number {
  const number = numbers.get(key)
  if (number === undefined) {
    throw new ReleaseError('unknown-vertex', `"${key}", ${where}, is not in the graph`, {
      hint: 'Add the vertex, or take the reference to it away.',
    })
  }
  return number
}

const keysOf = (graph: Graph, numbers: ArrayLike<number>): string[] =>
  Array.from(numbers, number => graph.keys[number]!)

const needsOf = (graph: Graph, v: number): Int32Array =>
  graph.needList.subarray(graph.needStart[v]!, graph.needStart[v + 1]!)

/** Topological order; shorter than the graph where there is a cycle. */
function orderOf(graph: Graph): number[] {
  const open = new Int32Array(graph.size)
  const ready: number[] = []
  for (let v = 0; v < graph.size; v++) {
    open[v] = graph.needStart[v + 1]! - graph.needStart[v]!
    // Ascending numbers are a heap already.
    if (open[v] === 0) ready.push(v)
  }
  const order: number[] = []
  while (ready.length > 0) {
    const v = popSmallest(ready)
    order.push(v)
    for (let e = graph.dependentStart[v]!; e < graph.dependentStart[v + 1]!; e++) {
      const dependent = graph.dependentList[e]!
      if (--open[dependent]! === 0) pushInto(ready, dependent)
    }
  }
  return order
}

function completeOrder(graph: Graph): number[] {
  const order = orderOf(graph)
  if (order.length === graph.size) return order
  const cycle = keysOf(graph, findCycle(graph, order))
  throw new ReleaseError('graph-cycle', `the graph has a cycle: ${cycle.join(' → ')}`, {
    hint: 'Take one of these needs away.',
  })
}

function depthsOf(graph: Graph, order: readonly number[]): Int32Array {
  const depths = new Int32Array(graph.size)
  for (const v of order) {
    for (let e = graph.needStart[v]!; e < graph.needStart[v + 1]!; e++) {
      depths[v] = Math.max(depths[v]!, depths[graph.needList[e]!]! + 1)
    }
  }
  return depths
}

/**
 * The shortest cycle through one vertex that surely lies on a cycle, beginning at its first vertex of the input.
 * Every vertex that could not be ordered needs another such one, so following these needs comes round.
 */
function findCycle(graph: Graph, ordered: readonly number[]): number[] {
  const done = new Uint8Array(graph.size)
  for (const v of ordered) done[v] = 1
  const visited = new Uint8Array(graph.size)
  let v = done.indexOf(0)
  while (visited[v] === 0) {
    visited[v] = 1
    v = needsOf(graph, v).find(need => done[need] === 0)!
  }
  const cycle = shortestWayBack(graph, v, done)
  const first = cycle.indexOf(Math.min(...cycle))
  const turned = [...cycle.slice(first), ...cycle.slice(0, first)]
  return [...turned, turned[0]!]
}

/** Breadth first along needs from `start` back to itself, without the closing vertex. */
function shortestWayBack(graph: Graph, start: number, done: Uint8Array): number[] {
  const from = new Int32Array(graph.size).fill(-1)
  const queue = [start]
  for (const v of queue) {
    for (const need of needsOf(graph, v)) {
      if (need === start) {
        const path: number[] = []
        for (let at = v; at !== start; at = from[at]!) path.push(at)
        return [start, ...path.reverse()]
      }
      if (done[need] === 0 && from[need] === -1) {
        from[need] = v
        queue.push(need)
      }
    }
  }
  throw new ReleaseError('graph-cycle', `no cycle leads through "${graph.keys[start]}"`)
}

/** Marks with `from` all that the needs reach, no deeper down than a need that could be reached. */
function markBelow(
  graph: Graph,
  search: {
    readonly from: number
    readonly needs: readonly number[]
    readonly depths: Int32Array
    readonly floor: number
    readonly seenBy: Int32Array
    readonly stack: number[]
  },
): void {
  const { from, depths, floor, seenBy, stack } = search
  stack.push(...search.needs)
  while (stack.length > 0) {
    const v = stack.pop()!
    if (depths[v]! <= floor) continue
    for (const need of needsOf(graph, v)) {
      if (seenBy[need] === from) continue
      seenBy[need] = from
      stack.push(need)
    }
  }
}

function reach(
  graph: Graph,
  keys: Iterable<string>,
  edges: { readonly start: Int32Array; readonly list: Int32Array },
): Set<string> {
  const expanded = new Uint8Array(graph.size)
  const stack: number[] = []
  const found = new Set<string>()
  const expand = (v: number): void => {
    if (expanded[v] === 1) return
    expanded[v] = 1
    stack.push(v)
  }
  for (const key of keys) expand(numberOf(graph.numbers, key, 'asked for'))
  while (stack.length > 0) {
    const v = stack.pop()!
    for (let e = edges.start[v]!; e < edges.start[v + 1]!; e++) {
      found.add(graph.keys[edges.list[e]!]!)
      expand(edges.list[e]!)
    }
  }
  return found
}

// ── inside: a binary heap of numbers, the smallest first ────────────────────────────────────────

function pushInto(heap: number[], value: number): void {
  let at = heap.push(value) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (heap[parent]! <= value) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = value
}

function popSmallest(heap: number[]): number {
  const smallest = heap[0]!
  const last = heap.pop()!
  if (heap.length === 0) return smallest
  let at = 0
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++
    if (heap[child]! >= last) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return smallest
}
