/** What a param decides besides texts: which regions an environment has, and how many requests a verdict rests on. */
import { describe, expect, test } from 'vitest'
import { canary, environment, errorRate, local, param, release, service } from '../../src/index.ts'
import type { PlanMetric } from '../../src/plan/plan.ts'
import { compileIt, planOf, type World } from './compile-rig.ts'

const where = param('where', { choices: ['one', 'two'], default: 'one' })
const pace = param('pace', { choices: ['quick', 'real', 'wrong'], default: 'real' })
const auth = service('auth')
const order = service('order', { needs: [auth] })
const production = environment('production', {
  on: local(),
  regions: where.pick({
    one: [],
    two: [
      {
        name: 'east',
        wave: 1,
        components: [auth],
        bake: pace.pick({ quick: '1s', real: '1h', wrong: '1h' }),
      },
      { name: 'west', wave: 2, weights: [10, 100] },
    ],
  }),
})
const minRequests = pace.pick({ quick: 20, real: 200, wrong: -1 })
const definition = release('shop', {
  version: '2.0.0',
  components: [auth, order],
  params: [where, pace],
}).stage('production', s =>
  s.deploy([auth, order], {
    to: production,
    with: canary({ steps: [50, 100], analysis: [errorRate({ minRequests }).below('1%')] }),
  }),
)

const before = { version: '1.0.0', digest: 'a'.repeat(64) }
const both = { auth: before, order: before }
const live = { production: both, 'production.east': both, 'production.west': both }
const world = (params: World['params'] = {}): World => ({ params, live })

const environmentsOf = (params: World['params']): readonly string[] =>
  planOf(definition, world(params)).environments.map(({ name }) => name)

const metricsOf = (params: World['params']): readonly PlanMetric[] =>
  planOf(definition, world(params)).nodes.flatMap(({ operation }) =>
    operation.kind === 'analyse' ? operation.metrics : [],
  )

describe('regions that a param decides', () => {
  test('none: the environment is one place', () => {
    expect(environmentsOf({})).toEqual(['production'])
  })

  test('some: each is a place, with its own components, weights and bake', () => {
    expect(environmentsOf({ where: 'two' })).toEqual(['production.east', 'production.west'])
    const { nodes } = planOf(definition, world({ where: 'two', pace: 'quick' }))
    const weights = nodes.flatMap(({ operation, environment: of }) =>
      operation.kind === 'shift' ? [`${of} ${operation.traffic.canary}`] : [],
    )
    expect([...new Set(weights)]).toEqual([
      'production.east 50',
      'production.east 100',
      'production.west 10',
      'production.west 100',
    ])
    expect(nodes.find(({ key }) => key.endsWith('east/bake'))?.operation).toMatchObject({ duration: 1000 })
  })

  test('where nothing ran before, the bake only waits', () => {
    const { nodes } = planOf(definition, { params: { where: 'two' } })
    expect(nodes.find(({ key }) => key.endsWith('east/bake'))?.operation).toEqual({
      kind: 'wait',
      duration: 3_600_000,
    })
  })
})

describe('a number of requests that a param decides', () => {
  test.each([
    ['quick', 20],
    ['real', 200],
  ])('%s: %d', (chosen, wanted) => {
    expect(new Set(metricsOf({ pace: chosen }).map(metric => metric.minRequests))).toEqual(new Set([wanted]))
  })

  test('is a whole number from 0', () => {
    const { diagnostics } = compileIt(definition, world({ pace: 'wrong' }))
    expect(diagnostics.map(({ code }) => code)).toContain('not-a-count')
  })
})
