/** What follows from a failure, told by decide and evolve alone. */
import { describe, expect, it } from 'vitest'
import type { FailurePolicy } from '../../src/plan/plan.ts'
import type { Unstamped } from '../../src/run/events.ts'
import { reopenableNodes } from '../../src/run/reopen.ts'
import { computeRollback } from '../../src/run/rollback.ts'
import type { Sketch, SketchNode } from '../properties/sketch.ts'
import { Driver, node, story } from './run-driver.ts'

const deploy = (component: string, needs: readonly string[] = []): SketchNode[] => [
  node(`s/${component}/prepare`, { kind: 'prepare', component }),
  node(`s/${component}/rolling/1`, {
    kind: 'replace',
    component,
    needs: [`s/${component}/prepare`, ...needs],
    undo: 'restore',
    slot: 0,
  }),
]

/** `b` needs `a`; `c` needs nobody; the step comes after them all. */
const release = (policy: FailurePolicy, critical = true): Sketch => ({
  concurrency: 1,
  components: [
    { name: 'a', critical, needs: [] },
    { name: 'b', critical, needs: ['a'] },
    { name: 'c', critical, needs: [] },
  ],
  stages: [{ name: 's', after: [], policy }],
  nodes: [
    node('s/before', { undo: 'step' }),
    ...deploy('a').map(n => ({ ...n, after: ['s/before'] })),
    ...deploy('b', ['s/a/rolling/1']),
    ...deploy('c'),
    node('s/last', { after: ['s/b/rolling/1', 's/c/rolling/1'], undo: 'irreversible' }),
  ],
})

const steps = (...nodes: readonly SketchNode[]): Sketch => ({
  concurrency: 4,
  components: [],
  stages: [{ name: 's', after: [], policy: 'rollback-all' }],
  nodes,
})

describe('when b fails', () => {
  const ends = { 's/b/rolling/1': ['fail'] } as const
  const outcomeOf = (sketch: Sketch): string => {
    const text = story(sketch, { ends })
    return text.slice(text.indexOf('\ns/b/rolling/1 failed'))
  }

  it('stop undoes nothing', () => {
    expect(outcomeOf(release('stop'))).toMatchInlineSnapshot(`
      "
      s/b/rolling/1 failed
      s/c/prepare skipped because s/b/rolling/1
      s/c/rolling/1 skipped because s/b/rolling/1
      s/last skipped because s/b/rolling/1
      finished: failed because s/b/rolling/1
      "
    `)
  })
  it('rollback-all undoes everything, dependants first', () => {
    expect(outcomeOf(release('rollback-all'))).toMatchInlineSnapshot(`
      "
      s/b/rolling/1 failed
      rollback 1 because s/b/rolling/1: s/b/rolling/1, s/a/rolling/1, s/before
      rollback/1/s/b/rolling/1 starts
      rollback/1/s/b/rolling/1 succeeded
      rollback/1/s/a/rolling/1 starts
      rollback/1/s/a/rolling/1 succeeded
      rollback/1/s/before starts
      rollback/1/s/before succeeded
      rollback-finished
      s/c/prepare skipped because s/b/rolling/1
      s/c/rolling/1 skipped because s/b/rolling/1
      s/last skipped because s/b/rolling/1
      finished: failed because s/b/rolling/1
      "
    `)
  })
  it('rollback-dependents undoes it and all that need it', () => {
    expect(outcomeOf(release('rollback-dependents'))).toMatchInlineSnapshot(`
      "
      s/b/rolling/1 failed
      rollback 1 because s/b/rolling/1: s/b/rolling/1
      rollback/1/s/b/rolling/1 starts
      rollback/1/s/b/rolling/1 succeeded
      rollback-finished
      s/c/prepare skipped because s/b/rolling/1
      s/c/rolling/1 skipped because s/b/rolling/1
      s/last skipped because s/b/rolling/1
      finished: failed because s/b/rolling/1
      "
    `)
  })
  it('continue-partial goes on with the rest', () => {
    expect(outcomeOf(release('continue-partial'))).toMatchInlineSnapshot(`
      "
      s/b/rolling/1 failed
      rollback 1 because s/b/rolling/1: s/b/rolling/1
      rollback/1/s/b/rolling/1 starts
      rollback/1/s/b/rolling/1 succeeded
      rollback-finished
      s/c/prepare starts
      s/c/prepare succeeded
      s/c/rolling/1 starts
      s/c/rolling/1 succeeded
      s/last starts
      s/last succeeded
      finished: partial because s/b/rolling/1
      "
    `)
  })
  it('and is not critical, it is contained whatever the policy', () => {
    expect(outcomeOf(release('rollback-all', false))).toBe(outcomeOf(release('continue-partial')))
  })
})

it('a contained failure takes what needs it along', () => {
  expect(story(release('stop', false), { ends: { 's/a/rolling/1': ['fail'] } })).toMatchInlineSnapshot(`
    "
    s/before starts
    s/before succeeded
    s/a/prepare starts
    s/a/prepare succeeded
    s/a/rolling/1 starts
    s/a/rolling/1 failed
    s/b/prepare skipped because s/a/rolling/1
    s/b/rolling/1 skipped because s/a/rolling/1
    rollback 1 because s/a/rolling/1: s/a/rolling/1
    rollback/1/s/a/rolling/1 starts
    rollback/1/s/a/rolling/1 succeeded
    rollback-finished
    s/c/prepare starts
    s/c/prepare succeeded
    s/c/rolling/1 starts
    s/c/rolling/1 succeeded
    s/last starts
    s/last succeeded
    finished: partial because s/a/rolling/1
    "
  `)
})

describe('a second failure', () => {
  const side = (first: FailurePolicy, second: FailurePolicy): Sketch => ({
    concurrency: 4,
    components: [
      { name: 'a', critical: true, needs: [] },
      { name: 'b', critical: true, needs: [] },
    ],
    stages: [
      { name: 's', after: [], policy: first },
      { name: 't', after: [], policy: second },
    ],
    nodes: [
      node('s/a', { kind: 'replace', component: 'a', slot: 0, undo: 'restore' }),
      node('t/b', { kind: 'replace', component: 'b', slot: 0, undo: 'restore' }),
      node('t/done', { undo: 'step' }),
    ],
  })
  const rollbackOf = (first: FailurePolicy, second: FailurePolicy): string =>
    story(side(first, second), { ends: { 's/a': ['fail'], 't/b': ['fail'] } })
      .split('\n')
      .filter(line => /^(rollback \d|finished)/.test(line))
      .join('; ')
  const cases: [FailurePolicy, FailurePolicy, string][] = [
    ['stop', 'stop', 'finished: failed because s/a'],
    ['stop', 'rollback-all', 'rollback 1 because t/b: t/done, t/b, s/a; finished: failed because s/a'],
    [
      'rollback-dependents',
      'rollback-dependents',
      'rollback 1 because s/a: t/b, s/a; finished: failed because s/a',
    ],
    ['rollback-dependents', 'stop', 'rollback 1 because s/a: s/a; finished: failed because s/a'],
    [
      'continue-partial',
      'rollback-dependents',
      'rollback 1 because s/a: s/a; rollback 2 because t/b: t/b; finished: failed because t/b',
    ],
  ]
  for (const [first, second, expected] of cases) {
    it(`under ${second} after one under ${first}`, () => {
      expect(rollbackOf(first, second)).toBe(expected)
    })
  }
})

it('retries, and fails when no retry is left', () => {
  const sketch = steps(node('s/flaky', { undo: 'step' }))
  expect(story(sketch, { ends: { 's/flaky': ['retry', 'retry', 'fail'] } })).toMatchInlineSnapshot(`
    "
    s/flaky starts
    s/flaky retrying
    s/flaky starts again (2)
    s/flaky retrying
    s/flaky starts again (3)
    s/flaky failed
    rollback 1 because s/flaky: s/flaky
    rollback/1/s/flaky starts
    rollback/1/s/flaky succeeded
    rollback-finished
    finished: failed because s/flaky
    "
  `)
})

it('a rollback that fails in part goes on with the rest', () => {
  const sketch = steps(
    node('s/one', { undo: 'step' }),
    node('s/two', { needs: ['s/one'], undo: 'step' }),
    node('s/bad', { needs: ['s/two'] }),
  )
  const ends = { 's/bad': ['fail'], 'rollback/1/s/two': ['fail'] } as const
  expect(story(sketch, { ends })).toMatchInlineSnapshot(`
    "
    s/one starts
    s/one succeeded
    s/two starts
    s/two succeeded
    s/bad starts
    s/bad failed
    rollback 1 because s/bad: s/two, s/one
    rollback/1/s/two starts
    rollback/1/s/two failed
    rollback/1/s/one starts
    rollback/1/s/one succeeded
    rollback-finished
    finished: failed because s/bad
    "
  `)
})

describe('people', () => {
  const approved = (role: string): Unstamped => ({
    type: 'approval-given',
    node: 's/ok',
    person: role,
    role,
    key: null,
    statement: `{"nonce":"${role}"}`,
    signature: null,
  })
  const asked = steps(node('s/ok', { kind: 'approval', time: 5000 }), node('s/go', { needs: ['s/ok'] }))
  // The driver does not sleep through an approval's expiry by itself: nobody has come.
  const waiting = (): Driver =>
    new Driver({ ...asked, nodes: asked.nodes.map(({ time: _, ...n }) => n) }).go()

  it('approve, and it goes on when there are enough', () => {
    const driver = waiting().tell(approved('ops')).go().tell(approved('lead')).go()
    expect(`\n${driver.lines.join('\n')}\n`).toMatchInlineSnapshot(`
      "
      s/ok waiting
      waits for s/ok
      s/ok approval-given
      waits for s/ok
      s/ok approval-given
      s/ok succeeded
      s/go starts
      s/go succeeded
      finished: succeeded
      "
    `)
  })
  it('cancel: what waits ends, nothing is undone', () => {
    const driver = waiting().tell({ type: 'stop-asked', by: 'cancel', who: 'ann' }).go()
    expect(`\n${driver.lines.join('\n')}\n`).toMatchInlineSnapshot(`
      "
      s/ok waiting
      waits for s/ok
      stop-asked
      s/ok cancelled because cancel
      s/go skipped because cancel
      finished: cancelled
      "
    `)
  })
  it('interrupt: what runs ends, nothing starts, and the run is left', () => {
    const sketch = steps(node('s/one'), node('s/two', { needs: ['s/one'] }))
    const driver = new Driver(sketch, {
      meanwhile: [{ after: 1, events: [{ type: 'stop-asked', by: 'interrupt', who: 'ann' }] }],
    })
    expect(`\n${driver.go().lines.join('\n')}\n`).toMatchInlineSnapshot(`
      "
      s/one starts
      s/one succeeded
      stop-asked
      leaves
      "
    `)
  })
  it('roll back to a node: only what was done after it', () => {
    const driver = new Driver(release('stop')).go()
    const scope = { kind: 'to', node: 's/a/rolling/1' } as const
    const planned = computeRollback(driver.state, { scope })
    expect(planned.nodes.map(one => one.undoes)).toEqual(['s/c/rolling/1', 's/b/rolling/1'])
    driver.lines.length = 0
    driver.tell({ type: 'rollback-planned', because: 'person', scope, ...planned }).go()
    expect(driver.lines.at(-1)).toBe('finished: rolled-back')
  })
})

describe('gone on from', () => {
  it('a failed run does again what did not succeed or was taken back', () => {
    const driver = new Driver(release('rollback-dependents'), { ends: { 's/b/rolling/1': ['fail'] } }).go()
    const nodes = reopenableNodes(driver.state)
    driver.lines.length = 0
    driver.tell({ type: 'run-reopened', who: 'ann', nodes }).go()
    expect(`\n${driver.lines.join('\n')}\n`).toMatchInlineSnapshot(`
      "
      run-reopened
      s/b/rolling/1 starts again (2)
      s/b/rolling/1 succeeded
      s/c/prepare starts
      s/c/prepare succeeded
      s/c/rolling/1 starts
      s/c/rolling/1 succeeded
      s/last starts
      s/last succeeded
      finished: succeeded
      "
    `)
  })
})

describe('cut off by a crash', () => {
  const cutOff = (redo?: 'idempotent' | 'observable'): Driver => {
    const driver = new Driver(steps(node('s/one', redo === undefined ? {} : { redo })), {
      ends: { 's/one': ['hang'] },
    }).go()
    driver.lines.length = 0
    return driver.tell({ type: 'runner-attached', who: 'ann', host: 'h', pid: 1, interpreter: 1 }).go()
  }
  it('a step that can be asked or repeated is taken up', () => {
    expect(cutOff('idempotent').lines.at(1)).toBe('s/one starts again (2)')
    expect(cutOff('observable').lines.at(1)).toBe('s/one starts again (2)')
  })
  it('any other waits for a person', () => {
    expect(cutOff().lines.slice(1)).toEqual(['s/one uncertain', 'waits for s/one'])
  })
  it('a person says that it is to run again', () => {
    expect(cutOff().tell({ type: 'node-rerun', node: 's/one', who: 'ann' }).go().lines.at(-1)).toBe(
      's/one starts again (2)',
    )
  })
})

it('--only skips the rest and keeps what guards the chosen stage', () => {
  const sketch: Sketch = {
    ...steps(
      node('s/gate', { kind: 'gate' }),
      node('s/step', { needs: ['s/gate'] }),
      node('t/chosen', { needs: ['s/step'] }),
    ),
    stages: [
      { name: 's', after: [], policy: 'stop' },
      { name: 't', after: ['s'], policy: 'stop' },
    ],
  }
  expect(story(sketch, { only: ['t'] })).toMatchInlineSnapshot(`
    "
    s/gate starts
    s/gate succeeded
    s/step skipped because only
    t/chosen starts
    t/chosen succeeded
    finished: succeeded
    "
  `)
})
