import { describe, expect, test } from 'vitest'
import { ancestors, type Vertex } from '../../src/graph/graph.ts'
import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import { type Drawing, drawPlan, fewestLines, fewestNodes, wavesOf } from '../../src/plan/render/drawing.ts'
import { planOfNodes, sampleNode, samplePlan } from '../fixtures/plan-samples.ts'

/** `'b: a ~c'` is a node b that needs a and comes after c; a name that begins with `j` is a join. */
const nodes = (...lines: string[]): PlanNode[] =>
  lines.map(line => {
    const [key, rest = ''] = line.split(':')
    const waits = rest.split(' ').filter(Boolean)
    return sampleNode({
      key: key!.trim(),
      stage: 'all',
      needs: waits.filter(wait => !wait.startsWith('~')),
      after: waits.filter(wait => wait.startsWith('~')).map(wait => wait.slice(1)),
      ...(key!.startsWith('j') ? { operation: { kind: 'join' } } : {}),
    })
  })

const drawn = ({ nodes, waits }: Drawing): string[] =>
  nodes.map(({ key }) => {
    const lines = waits.get(key)!.map(line => (line.kind === 'needs' ? line.from : `~${line.from}`))
    return lines.length === 0 ? key : `${key}: ${lines.toSorted().join(' ')}`
  })

describe('drawPlan', () => {
  const check = (lines: string[], expected: string[], options = fewestLines): void =>
    expect(drawn(drawPlan(planOfNodes(nodes(...lines)), options))).toEqual(expected)

  test('leaves out what follows', () => {
    check(['a', 'b: a', 'c: a b'], ['a', 'b: a', 'c: b'])
    check(['a', 'b: ~a', 'c: ~a ~b'], ['a', 'b: ~a', 'c: ~b'])
    check(['a', 'b: a', 'c: ~a b'], ['a', 'b: a', 'c: b'])
  })

  test('keeps a need that only an `after` would lead to', () =>
    check(['a', 'b: a', 'c: a ~b'], ['a', 'b: a', 'c: a ~b']))

  test('counts a node that is both needed and come after as needed', () =>
    check(['a', 'b: a ~a'], ['a', 'b: a']))

  test('draws through a join, and leaves out what follows then', () => {
    check(['a', 'b', 'j: a b', 'c: j', 'd: j'], ['a', 'b', 'c: a b', 'd: a b'])
    check(['a', 'x: a', 'j: a', 'c: j x'], ['a', 'x: a', 'c: x'])
    check(['a', 'b', 'j: ~a b', 'c: j', 'd: ~j'], ['a', 'b', 'c: b ~a', 'd: ~a ~b'])
    check(['a', 'j1: a', 'j2: ~j1', 'b: j2'], ['a', 'b: ~a'])
    check(['j1', 'a: j1', 'j2: a'], ['a'])
  })

  test('shows a join that saves lines', () => {
    const lines = ['a', 'b', 'c', 'j: a b c', 'd: j', 'e: j', 'f: j']
    check(lines, ['a', 'b', 'c', 'j: a b c', 'd: j', 'e: j', 'f: j'])
    check(lines, ['a', 'b', 'c', 'd: a b c', 'e: a b c', 'f: a b c'], fewestNodes)
  })

  test('never makes a million lines of a join, whatever is asked', () => {
    const many = Array.from({ length: 1000 }, (_, i) => `a${i}`)
    const plan = planOfNodes(nodes(...many, `j: ${many.join(' ')}`, ...many.map(name => `b${name}: j`)))
    expect(drawPlan(plan, fewestNodes).nodes).toHaveLength(2001)
  })
})

describe('wavesOf', () => {
  test('counts from 1 in each stage, and passes over joins that are drawn through', () => {
    const drawing = drawPlan(samplePlan(), fewestNodes)
    const waves = wavesOf(drawing)
    const of = (stage: string): string =>
      drawing.nodes
        .filter(node => node.stage === stage)
        .map(node => waves.get(node.key))
        .join(' ')
    expect(of('preflight')).toBe('1 2 3 4 4')
    expect(of('staging')).toBe('1 2 3 4 1 5 6 1 5 6 1 7 8 9')
    expect(of('announce')).toBe('1 2 2 3 3')
  })
})

describe('a drawing says what the plan says', () => {
  const numbers = (seed: number) => (limit: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 2 ** 32) * limit)
  }

  const planOf = (seed: number): Plan => {
    const below = numbers(seed)
    const names = Array.from({ length: 2 + below(12) }, (_, i) => (below(3) === 0 ? `j${i}` : `v${i}`))
    const lines = names.map((name, i) => {
      const waits = names.slice(0, i).flatMap(before => ['', before, `~${before}`, ''][below(4)] || [])
      return `${name}: ${waits.join(' ')}`
    })
    return planOfNodes(nodes(...lines))
  }

  /** What each node that is no join waits for, directly or not, joins left out. */
  const reached = (vertices: readonly Vertex[]): Record<string, string[]> =>
    Object.fromEntries(
      vertices
        .filter(({ key }) => !key.startsWith('j'))
        .map(({ key }) => [key, [...ancestors(vertices, [key])].filter(k => !k.startsWith('j')).sort()]),
    )

  test.each(Array.from({ length: 200 }, (_, i) => i + 1))('seed %i', seed => {
    const plan = planOf(seed)
    for (const options of [fewestLines, fewestNodes]) {
      const drawing = drawPlan(plan, options)
      const lines = (kind?: string): Vertex[] =>
        drawing.nodes.map(({ key }) => ({
          key,
          needs: drawing.waits
            .get(key)!
            .filter(line => kind === undefined || line.kind === kind)
            .map(line => line.from),
        }))
      expect(reached(lines())).toEqual(
        reached(plan.nodes.map(({ key, needs, after }) => ({ key, needs: [...needs, ...after] }))),
      )
      expect(reached(lines('needs'))).toEqual(reached(plan.nodes))
      for (const { key, needs } of lines()) {
        for (const from of needs) {
          const kind = drawing.waits.get(key)!.find(line => line.from === from)!.kind
          const others = lines(kind === 'needs' ? 'needs' : undefined).map(vertex =>
            vertex.key === key ? { key, needs: vertex.needs.filter(need => need !== from) } : vertex,
          )
          expect(ancestors(others, [key]), `${key} ${kind} ${from}`).not.toContain(from)
        }
      }
    }
  })
})
