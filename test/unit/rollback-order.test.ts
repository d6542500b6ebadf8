/**
 * In which order each strategy takes back, and how a rollback in stages goes on.
 */
import { describe, expect, it } from 'vitest'
import { decide } from '../../src/run/decide.ts'
import type { RollbackPlan, RollbackRequest } from '../../src/run/rollback.ts'
import { computeRollback, rollbackSteps } from '../../src/run/rollback.ts'
import type { Sketch } from '../properties/sketch.ts'
import { Driver, node } from './run-driver.ts'

const needs = (...keys: string[]) => ({ needs: keys })

/** `b` needs `a`, in staging and then in production, where `b` came by a canary; a step behind each. */
const sketch: Sketch = {
  concurrency: 4,
  components: [
    { name: 'a', critical: true, needs: [] },
    { name: 'b', critical: true, needs: ['a'] },
  ],
  stages: [
    { name: 'staging', after: [], policy: 'rollback-all' },
    { name: 'production', after: ['staging'], policy: 'rollback-all' },
  ],
  nodes: [
    node('staging/a', { kind: 'replace', component: 'a', undo: 'restore', slot: 0 }),
    node('staging/b', { kind: 'replace', component: 'b', undo: 'restore', slot: 0, ...needs('staging/a') }),
    node('staging/smoke', { undo: 'step', ...needs('staging/b') }),
    node('production/a', {
      kind: 'replace',
      component: 'a',
      undo: 'restore',
      slot: 0,
      ...needs('staging/smoke'),
    }),
    node('production/start', {
      kind: 'start',
      component: 'b',
      undo: 'remove',
      slot: 0,
      to: 1,
      ...needs('production/a'),
    }),
    node('production/shift', {
      kind: 'shift',
      component: 'b',
      undo: 'traffic',
      weight: 50,
      ...needs('production/start'),
    }),
    node('production/told', { undo: 'step', ...needs('production/shift') }),
  ],
}

const told = ({ nodes, kept }: RollbackPlan): string =>
  `\n${nodes
    .map(
      ({ undoes, after }) =>
        `${undoes} after ${after.map(key => key.replace(/^rollback\/\d+\//, '')).join(', ') || 'nothing'}`,
    )
    .concat(kept.map(({ node: key, reason }) => `stays: ${key}: ${reason}`))
    .join('\n')}\n`

/** Everything was done, and nothing taken back. */
function begun(script: ConstructorParameters<typeof Driver>[1] = {}): Driver {
  const driver = new Driver(sketch, script)
  const end = { attempt: 1, value: null, summary: null, warning: null, how: 'performed' } as const
  for (const { key } of sketch.nodes)
    driver.tell(
      { type: 'node-started', node: key, attempt: 1 },
      { type: 'node-succeeded', node: key, ...end },
    )
  driver.lines.length = 0
  return driver
}

const planned = (request: Omit<RollbackRequest, 'scope'>): RollbackPlan =>
  computeRollback(begun().state, { scope: { kind: 'all' }, ...request })

describe('the order', () => {
  it('service by service: along the graph, dependants first', () => {
    expect(told(planned({}))).toMatchInlineSnapshot(`
      "
      production/told after nothing
      production/shift after production/told
      production/start after production/shift
      production/a after production/start
      staging/smoke after production/a
      staging/b after staging/smoke
      staging/a after staging/b
      "
    `)
  })
  it('immediate: traffic first, then all places at once', () => {
    expect(told(planned({ strategy: 'immediate' }))).toMatchInlineSnapshot(`
      "
      production/shift after nothing
      production/told after production/shift
      production/start after production/shift
      production/a after production/shift
      staging/smoke after production/shift
      staging/b after production/shift
      staging/a after production/shift
      "
    `)
  })
  it('staged: the last environment, and what came after it', () => {
    expect(told(planned({ strategy: 'staged' }))).toMatchInlineSnapshot(`
      "
      production/told after nothing
      production/shift after production/told
      production/start after production/shift
      production/a after production/start
      "
    `)
  })
  it('what cannot be done as the world is stays, and the rest goes on around it', () => {
    const infeasible = new Map([['production/a', 'the files are gone']])
    expect(told(planned({ infeasible }))).toMatchInlineSnapshot(`
      "
      production/told after nothing
      production/shift after production/told
      production/start after production/shift
      staging/smoke after production/start
      staging/b after staging/smoke
      staging/a after staging/b
      stays: production/a: the files are gone
      "
    `)
  })
})

describe('in stages', () => {
  const asked = { type: 'rollback-planned', because: 'person', scope: { kind: 'all' } } as const

  it('all of them are told before anything happens', () => {
    const steps = rollbackSteps(begun().state, { scope: { kind: 'all' }, strategy: 'staged' })
    expect(
      steps.map(({ rollback, nodes }) => [rollback, nodes.map(({ key }) => key)]),
    ).toMatchInlineSnapshot(`
      [
        [
          1,
          [
            "rollback/1/production/told",
            "rollback/1/production/shift",
            "rollback/1/production/start",
            "rollback/1/production/a",
          ],
        ],
        [
          2,
          [
            "rollback/2/staging/smoke",
            "rollback/2/staging/b",
            "rollback/2/staging/a",
          ],
        ],
      ]
    `)
  })

  it('the next is planned when the one before has come to its end', () => {
    const driver = begun()
    const first = computeRollback(driver.state, { scope: { kind: 'all' }, strategy: 'staged' })
    driver.tell({ ...asked, ...first }).go()
    expect(driver.lines.filter(line => /^(rollback \d|finished)/.test(line))).toEqual([
      'rollback 1 because person: production/told, production/shift, production/start, production/a',
      'rollback 2 because person: staging/smoke, staging/b, staging/a',
      'finished: rolled-back',
    ])
  })

  it('where something was not taken back, what stands before it stays', () => {
    const driver = begun({ ends: { 'rollback/1/production/a': ['fail'] } })
    const first = computeRollback(driver.state, { scope: { kind: 'all' }, strategy: 'staged' })
    driver.tell({ ...asked, ...first }).go()
    expect(driver.lines.filter(line => /^(rollback \d|finished)/.test(line))).toEqual([
      'rollback 1 because person: production/told, production/shift, production/start, production/a',
      'finished: failed',
    ])
  })

  it('where what runs is not as it was, what stands before it stays', () => {
    const driver = begun()
    driver.state.validates = true
    const first = computeRollback(driver.state, { scope: { kind: 'all' }, strategy: 'staged' })
    driver.tell({ ...asked, ...first }).go()
    const commands = decide(driver.state, 0)
    expect(commands).toEqual([])
    const [rollback] = driver.state.rollbacks
    expect(rollback?.validating).toBe(true)
    const validated = { ok: false, components: [], recoveries: [] }
    driver.tell({ type: 'rollback-finished', rollback: 1, validated }).go()
    expect(driver.lines.at(-1)).toBe('finished: failed')
  })
})
