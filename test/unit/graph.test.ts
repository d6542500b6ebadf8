import { describe, expect, test, vi } from 'vitest'
import {
  ancestors,
  criticalPath,
  descendants,
  reduceTransitively,
  reverse,
  sortTopologically,
  type Vertex,
  waves,
} from '../../src/graph/graph.ts'

// The large graphs are slow where other tests run beside them.
vi.setConfig({ testTimeout: 60_000 })

/** `'c: a b'` is a vertex c that needs a and b. */
const graph = (...lines: string[]): Vertex[] =>
  lines.map(line => {
    const [key, needs = ''] = line.split(':')
    return { key: key!.trim(), needs: needs.split(' ').filter(Boolean) }
  })

const drawn = (vertices: readonly Vertex[]): string[] =>
  vertices.map(v => (v.needs.length > 0 ? `${v.key}: ${v.needs.join(' ')}` : v.key))

const diamond = graph('a', 'b: a', 'c: a', 'd: b c')

describe('sortTopologically', () => {
  const check = (input: Vertex[], order: string): void =>
    expect(sortTopologically(input)).toEqual({ ok: true, order: order.split(' ').filter(Boolean) })

  test('keeps an order that is right already', () => {
    check([], '')
    check(diamond, 'a b c d')
    check(graph('a', 'x', 'b: a', 'y: x', 'c: b'), 'a x b y c')
  })

  test('takes the first of the input where several could come next', () => {
    check(graph('d: b c', 'c: a', 'b: a', 'a'), 'a c b d')
    check(graph('z', 'late: m', 'm', 'a'), 'z m late a')
  })

  test('bears a need that is written twice', () => check(graph('b: a a', 'a'), 'a b'))

  const checkCycle = (input: Vertex[], cycle: string): void =>
    expect(sortTopologically(input)).toEqual({ ok: false, cycle: cycle.split(' ') })

  test('shows a cycle as a path that ends where it began', () => {
    checkCycle(graph('a: a'), 'a a')
    checkCycle(graph('a: b', 'b: a'), 'a b a')
    checkCycle(graph('free', 'a: free c', 'b: a', 'c: b', 'after: c'), 'a c b a')
  })

  test('shows the short way round, and none of what only hangs on it', () => {
    checkCycle(graph('start: a', 'a: b d', 'b: c', 'c: d', 'd: a'), 'a d a')
  })

  test('finds a cycle that lies behind vertices which are on none', () => {
    checkCycle(graph('x: y', 'y: z', 'z: w', 'w: z'), 'z w z')
  })
})

describe('what is wrong with the input is thrown', () => {
  const check = (input: Vertex[], code: string, message: string): void =>
    expect(() => sortTopologically(input)).toThrow(expect.objectContaining({ code, message }))

  test('a need that names nothing', () =>
    check(graph('b: a'), 'unknown-vertex', '"a", needed by "b", is not in the graph'))

  test('a key that stands twice', () =>
    check(graph('a', 'a'), 'duplicate-vertex', 'the graph holds "a" twice'))

  test('a cycle, where an order is needed', () => {
    const cyclic = graph('a: b', 'b: a')
    const error = expect.objectContaining({
      code: 'graph-cycle',
      message: 'the graph has a cycle: a → b → a',
    })
    expect(() => waves(cyclic)).toThrow(error)
    expect(() => criticalPath(cyclic, () => 1)).toThrow(error)
    expect(() => reduceTransitively(cyclic)).toThrow(error)
  })

  test('a start that is not in the graph', () =>
    expect(() => descendants(diamond, ['nowhere'])).toThrow('"nowhere", asked for, is not in the graph'))
})

describe('waves', () => {
  const check = (input: Vertex[], expected: string[][]): void => expect(waves(input)).toEqual(expected)

  test('groups by depth, in the order of the input', () => {
    check([], [])
    check(diamond, [['a'], ['b', 'c'], ['d']])
    check(graph('d: c', 'x', 'c: b', 'b'), [['x', 'b'], ['c'], ['d']])
  })
})

describe('criticalPath', () => {
  const check = (input: Vertex[], weights: Record<string, number>, path: string, length: number): void =>
    expect(criticalPath(input, key => weights[key] ?? 1)).toEqual({
      path: path.split(' ').filter(Boolean),
      length,
    })

  test('is the heaviest way', () => {
    check([], {}, '', 0)
    check(diamond, { c: 5 }, 'a c d', 7)
    check(graph('lone', 'a', 'b: a'), { lone: 9 }, 'lone', 9)
    check(graph('a', 'b', 'c: a b'), { a: 0, b: 0, c: 0 }, 'a', 0)
  })

  test('goes by the input where ways are equally heavy', () => check(diamond, {}, 'a b d', 3))
})

describe('reduceTransitively', () => {
  const check = (input: Vertex[], expected: string[]): void =>
    expect(drawn(reduceTransitively(input))).toEqual(expected)

  test('takes away what follows from other needs', () => {
    check(graph('a', 'b: a', 'c: a b'), ['a', 'b: a', 'c: b'])
    check(graph('a', 'b: a', 'c: b', 'd: a c b'), ['a', 'b: a', 'c: b', 'd: c'])
    check(graph('d: a c', 'c: b', 'b: a', 'a'), ['d: c', 'c: b', 'b: a', 'a'])
  })

  test('keeps the rest as it was written', () => {
    check(diamond, ['a', 'b: a', 'c: a', 'd: b c'])
    check(graph('a', 'b', 'c: b a b'), ['a', 'b', 'c: b a'])
  })
})

describe('descendants and ancestors', () => {
  const check = (found: Set<string>, expected: string): void =>
    expect([...found].sort().join(' ')).toBe(expected)

  test('reach everything, directly or not', () => {
    check(descendants(diamond, ['a']), 'b c d')
    check(descendants(diamond, ['d']), '')
    check(descendants(diamond, ['b', 'c']), 'd')
    check(ancestors(diamond, ['d']), 'a b c')
    check(ancestors(diamond, ['a']), '')
    check(descendants(diamond, []), '')
  })

  test('hold a start only where it is reached from another', () => {
    check(descendants(diamond, ['a', 'b']), 'b c d')
    check(ancestors(diamond, ['d', 'b']), 'a b c')
  })

  test('come to an end on a cycle', () => check(descendants(graph('a: b', 'b: a'), ['a']), 'a b'))
})

test('reverse turns every need round', () => {
  expect(drawn(reverse(diamond))).toEqual(['a: b c', 'b: d', 'c: d', 'd'])
  expect(drawn(reverse(reverse(diamond)))).toEqual(drawn(diamond))
})

describe('agrees with the plain definition on graphs of every shape', () => {
  /** A small generator with a fixed seed, so that each run sees the same graphs. */
  const numbers = (seed: number) => (limit: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 2 ** 32) * limit)
  }

  const shuffled = (seed: number): Vertex[] => {
    const below = numbers(seed)
    const size = 1 + below(12)
    const vertices = Array.from({ length: size }, (_, i) => ({
      key: `v${i}`,
      needs: Array.from({ length: i }, (_, j) => `v${j}`).filter(() => below(3) === 0),
    }))
    for (let i = size - 1; i > 0; i--) {
      const j = below(i + 1)
      const [a, b] = [vertices[i]!, vertices[j]!]
      vertices[i] = b
      vertices[j] = a
    }
    return vertices
  }

  /** All that a vertex needs, by looking again and again until nothing new is found. */
  const closure = (vertices: readonly Vertex[]): Map<string, Set<string>> => {
    const all = new Map(vertices.map(v => [v.key, new Set(v.needs)]))
    for (let grown = true; grown; ) {
      grown = false
      for (const reached of all.values()) {
        const before = reached.size
        for (const need of [...reached]) for (const further of all.get(need)!) reached.add(further)
        if (reached.size > before) grown = true
      }
    }
    return all
  }

  test.each(Array.from({ length: 200 }, (_, i) => i + 1))('seed %i', seed => {
    const vertices = shuffled(seed)
    const closed = closure(vertices)
    const place = new Map(vertices.map((v, i) => [v.key, i]))

    const sorted = sortTopologically(vertices)
    if (!sorted.ok) throw new Error('there is no cycle in it')
    const left = new Set(vertices.map(v => v.key))
    for (const key of sorted.order) {
      const ready = [...left].filter(k => [...closed.get(k)!].every(need => !left.has(need)))
      expect(key).toBe(ready.sort((a, b) => place.get(a)! - place.get(b)!)[0])
      left.delete(key)
    }

    const reduced = reduceTransitively(vertices)
    expect(closure(reduced)).toEqual(closed)
    for (const { key, needs } of reduced) {
      for (const need of needs) {
        const without = reduced.map(v =>
          v.key === key ? { key, needs: v.needs.filter(n => n !== need) } : v,
        )
        expect(closure(without).get(key)!.has(need)).toBe(false)
      }
    }

    const depth = (key: string): number =>
      Math.max(-1, ...vertices.find(v => v.key === key)!.needs.map(depth)) + 1
    waves(vertices).forEach((wave, i) => {
      for (const key of wave) expect(depth(key)).toBe(i)
    })
    expect(criticalPath(vertices, () => 1).length).toBe(waves(vertices).length)
    for (const { key } of vertices) {
      expect(ancestors(vertices, [key])).toEqual(closed.get(key))
      const expected = new Set(vertices.map(v => v.key).filter(k => closed.get(k)!.has(key)))
      expect(descendants(vertices, [key])).toEqual(expected)
    }
  })
})

test('a chain of 100,000 and layers of 100,000 are no trouble', () => {
  const chain = Array.from({ length: 100_000 }, (_, i) => ({
    key: `k${i}`,
    needs: i > 0 ? [`k${i - 1}`] : [],
  }))
  const layers = Array.from({ length: 100_000 }, (_, i) => ({
    key: `k${i}`,
    needs: i < 100 ? [] : [0, 7, 31].map(step => `k${(Math.floor(i / 100) - 1) * 100 + ((i + step) % 100)}`),
  }))
  for (const vertices of [chain, layers]) {
    expect(sortTopologically(vertices.toReversed())).toMatchObject({ ok: true })
    expect(criticalPath(vertices, () => 1).length).toBe(waves(vertices).length)
    expect(reduceTransitively(vertices)).toEqual(vertices)
    expect(descendants(vertices, ['k0']).size).toBeGreaterThan(90_000)
  }
  const ring = [{ key: 'k0', needs: ['k99999'] }, ...chain.slice(1)]
  const sorted = sortTopologically(ring)
  expect(sorted.ok ? 0 : sorted.cycle.length).toBe(100_001)
})
