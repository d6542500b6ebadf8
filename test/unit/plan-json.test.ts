/** A plan's JSON text: the same whether it comes whole or in pieces. */
import { expect, test } from 'vitest'
import type { Plan } from '../../src/plan/plan.ts'
import { planPieces, planText } from '../../src/plan/render/json.ts'
import { samplePlan as sample } from '../fixtures/plan-samples.ts'

const samplePlan = sample()

const withNodes = (count: number): Plan => {
  const [first] = samplePlan.nodes
  const nodes = Array.from({ length: count }, (_, n) => ({ ...first!, key: `s/n${n}` }))
  const positions = Object.fromEntries(
    nodes.map(({ key }) => [key, { file: 'a "b".ts', line: 1, column: 2 }]),
  )
  return { ...samplePlan, nodes, positions }
}

test.each([[0], [1], [2_000], [2_001], [5_432]])('of %i nodes says the plan', count => {
  const plan = withNodes(count)
  expect(JSON.parse(planText(plan))).toEqual(plan)
  expect(planText(plan).endsWith('}\n')).toBe(true)
})

test('of a small plan has a line for each property, of a large one for each node', () => {
  expect(planText(withNodes(2))).toBe(`${JSON.stringify(withNodes(2), null, 2)}\n`)
  const large = planText(withNodes(3_000)).split('\n')
  expect(large.filter(line => line.includes('"key":"s/n'))).toHaveLength(3_000)
  expect(Math.max(...[...planPieces(withNodes(3_000))].map(piece => piece.length))).toBeLessThan(400_000)
})

test('leaves out what is not there, and writes positions that are none', () => {
  const plan = { ...withNodes(3_000), positions: {} }
  expect(JSON.parse(planText({ ...plan, policy: undefined } as never))).not.toHaveProperty('policy')
  expect(JSON.parse(planText(plan))).toEqual(plan)
})
