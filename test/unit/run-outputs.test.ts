import { describe, expect, test } from 'vitest'
import { evolve } from '../../src/run/evolve.ts'
import { outputsOf } from '../../src/run/outputs.ts'
import { initialState, type RunState } from '../../src/run/state.ts'
import { samplePlan } from '../fixtures/plan-samples.ts'

describe('what steps have returned', () => {
  const step = samplePlan().nodes.find(node => node.operation.kind === 'step')!
  const { name } = step.operation as { name: string }
  const begun = (): RunState => initialState(samplePlan())
  const succeed = (state: RunState): RunState =>
    evolve(state, {
      type: 'node-succeeded',
      at: 1,
      node: step.key,
      attempt: 1,
      value: { digest: 'd' },
      summary: null,
      warning: null,
      how: 'performed',
    })

  test('is found by the step’s name, and nothing else is', () => {
    const outputs = outputsOf(succeed(begun()))
    expect(outputs[name]).toEqual({ digest: 'd' })
    expect(name in outputs).toBe(true)
    expect('constructor' in { ...outputs }).toBe(true)
    expect(Object.keys(outputs)).toEqual([name])
    expect({ ...outputs }).toEqual({ [name]: { digest: 'd' } })
    expect(outputs.nobody).toBe(undefined)
    expect(JSON.stringify(outputs)).toBe(`{"${name}":{"digest":"d"}}`)
  })

  test('is what it was when it was asked for', () => {
    const state = begun()
    const before = outputsOf(state)
    succeed(state)
    expect(name in before).toBe(false)
    expect(Object.keys(before)).toEqual([])
    expect(() => before[name]).toThrow(expect.objectContaining({ code: 'output-missing' }))
    expect(outputsOf(state)[name]).toEqual({ digest: 'd' })
  })
})
