/** What becomes of divided traffic when something goes wrong, told by decide and evolve alone. */
import { describe, expect, it } from 'vitest'
import type { FailurePolicy } from '../../src/plan/plan.ts'
import { plannedRollback } from '../../src/run/decide-rollback.ts'
import type { Unstamped } from '../../src/run/events.ts'
import { reopenableNodes } from '../../src/run/reopen.ts'
import { computeRollback } from '../../src/run/rollback.ts'
import { undecidedComponents, undecidedWorks } from '../../src/run/traffic.ts'
import type { Sketch, SketchComponent, SketchNode } from '../properties/sketch.ts'
import { Driver, node, type Script } from './run-driver.ts'

const canary = (component: string, needs: readonly string[] = []): SketchNode[] => {
  const key = (name: string) => `s/${component}/${name}`
  const chain: Omit<SketchNode, 'needs' | 'after'>[] = [
    { key: key('prepare'), kind: 'prepare' },
    { key: key('20/start'), kind: 'start', undo: 'remove', slot: 0, to: 1 },
    { key: key('20/shift'), kind: 'shift', undo: 'traffic', weight: 20 },
    { key: key('20/watch'), kind: 'analyse', time: 1000 },
    { key: key('100/shift'), kind: 'shift', undo: 'traffic', weight: 100 },
    { key: key('promote'), kind: 'promote', undo: 'restore', slot: 1 },
    { key: key('verify'), kind: 'verify', undo: 'restore', slot: 1 },
  ]
  return chain.map((one, i) =>
    node(one.key, { ...one, component, needs: i === 0 ? needs : [chain[i - 1]!.key] }),
  )
}

const critical = (name: string, ...needs: readonly string[]): SketchComponent => ({
  name,
  critical: true,
  needs,
})

/** `b` needs `a`; the step comes before them both. */
const pair = (policy: FailurePolicy): Sketch => ({
  concurrency: 1,
  components: [critical('a'), critical('b', 'a')],
  stages: [{ name: 's', after: [], policy }],
  nodes: [node('s/before', { undo: 'step' }), ...canary('a', ['s/before']), ...canary('b', ['s/a/verify'])],
})

/** `b` needs `a`, and both go through one step together. */
const together = (policy: FailurePolicy, isCritical = true): Sketch => {
  const lockstep = 's/lockstep'
  const of = (component: string, kind: SketchNode['kind'], name: string, more: Partial<SketchNode>) =>
    node(`s/${component}/${name}`, { kind, component, lockstep, ...more })
  const both = ['a', 'b']
  return {
    concurrency: 1,
    components: [critical('a'), critical('b', 'a')].map(one => ({ ...one, critical: isCritical })),
    stages: [{ name: 's', after: [], policy }],
    nodes: [
      ...both.map(c => of(c, 'prepare', 'prepare', {})),
      ...both.map(c => of(c, 'shift', 'carry', { needs: [`s/${c}/prepare`], undo: 'traffic', weight: 0 })),
      ...both.map(c =>
        of(c, 'start', '20/start', { needs: ['s/a/carry', 's/b/carry'], undo: 'remove', slot: 0, to: 1 }),
      ),
      of('a', 'shift', '20/shift', { needs: ['s/a/20/start', 's/b/20/start'], undo: 'traffic', weight: 20 }),
      of('b', 'shift', '20/shift', { needs: ['s/b/20/start', 's/a/20/shift'], undo: 'traffic', weight: 20 }),
      ...both.map(c => of(c, 'analyse', '20/watch', { needs: ['s/b/20/shift'], time: 1000 })),
      of('a', 'promote', 'promote', { needs: ['s/a/20/watch', 's/b/20/watch'], undo: 'restore', slot: 1 }),
      of('b', 'promote', 'promote', { needs: ['s/b/20/watch', 's/a/promote'], undo: 'restore', slot: 1 }),
      ...both.map(c => of(c, 'verify', 'verify', { needs: [`s/${c}/promote`], undo: 'restore', slot: 1 })),
    ],
  }
}

/** What happens from the first line that begins so. */
const from = (first: string, sketch: Sketch, script: Script): string => {
  const driver = new Driver(sketch, script).go()
  expect(undecidedComponents(driver.state)).toEqual([])
  const start = driver.lines.findIndex(line => line.startsWith(first))
  return `\n${driver.lines.slice(start).join('\n')}\n`
}

const stopped = (by: 'cancel' | 'interrupt'): Unstamped => ({ type: 'stop-asked', by, who: 'ann' })

describe('when a canary breaches', () => {
  const fails = (node: string) => ({ ends: { [node]: ['fail'] } }) as const
  const breach = (policy: FailurePolicy): string =>
    from('s/b/20/watch failed', pair(policy), fails('s/b/20/watch'))

  it('stop takes back what is divided, and nothing else', () => {
    expect(breach('stop')).toMatchInlineSnapshot(`
      "
      s/b/20/watch failed
      s/b/100/shift skipped because s/b/20/watch
      s/b/promote skipped because s/b/20/watch
      s/b/verify skipped because s/b/20/watch
      rollback 1 because s/b/20/watch: s/b/20/shift, s/b/20/start
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback-finished
      finished: failed because s/b/20/watch
      "
    `)
  })
  it('rollback-dependents takes back its component', () => {
    expect(breach('rollback-dependents')).toMatchInlineSnapshot(`
      "
      s/b/20/watch failed
      s/b/100/shift skipped because s/b/20/watch
      s/b/promote skipped because s/b/20/watch
      s/b/verify skipped because s/b/20/watch
      rollback 1 because s/b/20/watch: s/b/20/shift, s/b/20/start
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback-finished
      finished: failed because s/b/20/watch
      "
    `)
  })
  it('continue-partial contains it', () => {
    expect(breach('continue-partial')).toMatchInlineSnapshot(`
      "
      s/b/20/watch failed
      s/b/100/shift skipped because s/b/20/watch
      s/b/promote skipped because s/b/20/watch
      s/b/verify skipped because s/b/20/watch
      rollback 1 because s/b/20/watch: s/b/20/shift, s/b/20/start
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback-finished
      finished: partial because s/b/20/watch
      "
    `)
  })
  it('rollback-all takes back everything, newest first', () => {
    expect(breach('rollback-all')).toMatchInlineSnapshot(`
      "
      s/b/20/watch failed
      s/b/100/shift skipped because s/b/20/watch
      s/b/promote skipped because s/b/20/watch
      s/b/verify skipped because s/b/20/watch
      rollback 1 because s/b/20/watch: s/b/20/shift, s/b/20/start, s/a/verify, s/a/promote, s/a/100/shift, s/a/20/shift, s/a/20/start, s/before
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback/1/s/a/verify starts
      rollback/1/s/a/verify succeeded
      rollback/1/s/a/promote starts
      rollback/1/s/a/promote succeeded
      rollback/1/s/a/100/shift starts
      rollback/1/s/a/100/shift succeeded
      rollback/1/s/a/20/shift starts
      rollback/1/s/a/20/shift succeeded
      rollback/1/s/a/20/start starts
      rollback/1/s/a/20/start succeeded
      rollback/1/s/before starts
      rollback/1/s/before succeeded
      rollback-finished
      finished: failed because s/b/20/watch
      "
    `)
  })
  it('in the provider, what needs it never begins', () => {
    expect(
      from('s/a/20/watch failed', pair('rollback-dependents'), fails('s/a/20/watch')),
    ).toMatchInlineSnapshot(`
      "
      s/a/20/watch failed
      s/a/100/shift skipped because s/a/20/watch
      s/a/promote skipped because s/a/20/watch
      s/a/verify skipped because s/a/20/watch
      s/b/prepare skipped because s/a/20/watch
      s/b/20/start skipped because s/a/20/watch
      s/b/20/shift skipped because s/a/20/watch
      s/b/20/watch skipped because s/a/20/watch
      s/b/100/shift skipped because s/a/20/watch
      s/b/promote skipped because s/a/20/watch
      s/b/verify skipped because s/a/20/watch
      rollback 1 because s/a/20/watch: s/a/20/shift, s/a/20/start
      rollback/1/s/a/20/shift starts
      rollback/1/s/a/20/shift succeeded
      rollback/1/s/a/20/start starts
      rollback/1/s/a/20/start succeeded
      rollback-finished
      finished: failed because s/a/20/watch
      "
    `)
  })
  it('a promotion that failed has decided nothing: the traffic is taken back', () => {
    expect(from('s/b/promote failed', pair('stop'), fails('s/b/promote'))).toMatchInlineSnapshot(`
      "
      s/b/promote failed
      s/b/verify skipped because s/b/promote
      rollback 1 because s/b/promote: s/b/100/shift, s/b/20/shift, s/b/20/start
      rollback/1/s/b/100/shift starts
      rollback/1/s/b/100/shift succeeded
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback-finished
      finished: failed because s/b/promote
      "
    `)
  })
  it('after the promotion there is nothing to decide', () => {
    expect(from('s/b/verify failed', pair('stop'), fails('s/b/verify'))).toMatchInlineSnapshot(`
      "
      s/b/verify failed
      finished: failed because s/b/verify
      "
    `)
  })
})

describe('a person, while traffic is divided', () => {
  /** The canary of `b` has a fifth of the requests, and is watched. */
  const divided = (policy: FailurePolicy = 'rollback-all'): Driver => {
    const driver = new Driver(pair(policy), { ends: { 's/b/20/watch': ['hang'] } }).go()
    expect(undecidedComponents(driver.state)).toEqual(['b'])
    driver.lines.length = 0
    return driver
  }
  const text = (driver: Driver): string => `\n${driver.lines.join('\n')}\n`

  it('cancels: the watch ends, the traffic is taken back, and the rest stays', () => {
    const driver = divided().tell(stopped('cancel')).go()
    expect(undecidedComponents(driver.state)).toEqual([])
    expect(text(driver)).toMatchInlineSnapshot(`
      "
      stop-asked
      s/b/20/watch cancelled because cancel
      s/b/100/shift skipped because cancel
      s/b/promote skipped because cancel
      s/b/verify skipped because cancel
      rollback 1 because cancel: s/b/20/shift, s/b/20/start
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback-finished
      finished: cancelled
      "
    `)
  })

  it('interrupts: the run is left as it is, since somebody will resume it', () => {
    const script = { meanwhile: [{ after: 11, events: [stopped('interrupt')] }] }
    const driver = new Driver(pair('rollback-all'), script).go()
    expect(driver.lines.slice(-2)).toEqual(['stop-asked', 'leaves'])
    expect(undecidedComponents(driver.state)).toEqual(['b'])
    driver.tell({ type: 'runner-attached', who: 'ann', host: 'h', pid: 1, interpreter: 1 }).go()
    expect(driver.lines.at(-1)).toBe('finished: succeeded')
    expect(undecidedComponents(driver.state)).toEqual([])
  })

  it('rolls back to a place between two steps: the canary is decided all the same', () => {
    const driver = new Driver(pair('stop'), { ends: { 's/b/20/watch': ['fail'] } }).go()
    const scope = { kind: 'to', node: 's/a/20/shift' } as const
    expect(computeRollback(driver.state, { scope }).nodes.map(one => one.undoes)).toEqual([
      's/a/verify',
      's/a/promote',
      's/a/100/shift',
      's/a/20/shift',
      's/a/20/start',
    ])
  })

  it('rolls back all of it in the middle: the watch ends first', () => {
    const driver = divided('stop')
    const scope = { kind: 'all' } as const
    const planned = computeRollback(driver.state, { scope })
    driver.tell({ type: 'rollback-planned', because: 'person', scope, ...planned }).go()
    expect(undecidedComponents(driver.state)).toEqual([])
    expect(text(driver)).toMatchInlineSnapshot(`
      "
      rollback 1 because person: s/b/20/shift, s/b/20/start, s/a/verify, s/a/promote, s/a/100/shift, s/a/20/shift, s/a/20/start, s/before
      s/b/20/watch cancelled because person
      rollback/1/s/b/20/shift starts
      s/b/100/shift skipped because person
      s/b/promote skipped because person
      s/b/verify skipped because person
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback/1/s/a/verify starts
      rollback/1/s/a/verify succeeded
      rollback/1/s/a/promote starts
      rollback/1/s/a/promote succeeded
      rollback/1/s/a/100/shift starts
      rollback/1/s/a/100/shift succeeded
      rollback/1/s/a/20/shift starts
      rollback/1/s/a/20/shift succeeded
      rollback/1/s/a/20/start starts
      rollback/1/s/a/20/start succeeded
      rollback/1/s/before starts
      rollback/1/s/before succeeded
      rollback-finished
      finished: rolled-back
      "
    `)
  })
})

describe('in lockstep', () => {
  const breach = (policy: FailurePolicy, isCritical = true): string =>
    from('s/b/20/watch failed', together(policy, isCritical), { ends: { 's/b/20/watch': ['fail'] } })

  it('all fall with one, what needs a provider before it, and the side is carried to the last', () => {
    expect(breach('rollback-dependents')).toMatchInlineSnapshot(`
      "
      s/b/20/watch failed
      s/a/promote skipped because s/b/20/watch
      s/b/promote skipped because s/b/20/watch
      s/a/verify skipped because s/b/20/watch
      s/b/verify skipped because s/b/20/watch
      rollback 1 because s/b/20/watch: s/b/20/shift, s/a/20/shift, s/b/20/start, s/a/20/start, s/b/carry, s/a/carry
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/a/20/shift starts
      rollback/1/s/a/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback/1/s/a/20/start starts
      rollback/1/s/a/20/start succeeded
      rollback/1/s/b/carry starts
      rollback/1/s/b/carry succeeded
      rollback/1/s/a/carry starts
      rollback/1/s/a/carry succeeded
      rollback-finished
      finished: failed because s/b/20/watch
      "
    `)
  })
  it('stop takes back the traffic of all of them', () => {
    expect(breach('stop')).toMatchInlineSnapshot(`
      "
      s/b/20/watch failed
      s/a/promote skipped because s/b/20/watch
      s/b/promote skipped because s/b/20/watch
      s/a/verify skipped because s/b/20/watch
      s/b/verify skipped because s/b/20/watch
      rollback 1 because s/b/20/watch: s/b/20/shift, s/a/20/shift, s/b/20/start, s/a/20/start, s/b/carry, s/a/carry
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/a/20/shift starts
      rollback/1/s/a/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback/1/s/a/20/start starts
      rollback/1/s/a/20/start succeeded
      rollback/1/s/b/carry starts
      rollback/1/s/b/carry succeeded
      rollback/1/s/a/carry starts
      rollback/1/s/a/carry succeeded
      rollback-finished
      finished: failed because s/b/20/watch
      "
    `)
  })
  it('none of them critical, all are contained together', () => {
    expect(breach('rollback-all', false)).toMatchInlineSnapshot(`
      "
      s/b/20/watch failed
      s/a/promote skipped because s/b/20/watch
      s/b/promote skipped because s/b/20/watch
      s/a/verify skipped because s/b/20/watch
      s/b/verify skipped because s/b/20/watch
      rollback 1 because s/b/20/watch: s/b/20/shift, s/a/20/shift, s/b/20/start, s/a/20/start, s/b/carry, s/a/carry
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/a/20/shift starts
      rollback/1/s/a/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback/1/s/a/20/start starts
      rollback/1/s/a/20/start succeeded
      rollback/1/s/b/carry starts
      rollback/1/s/b/carry succeeded
      rollback/1/s/a/carry starts
      rollback/1/s/a/carry succeeded
      rollback-finished
      finished: partial because s/b/20/watch
      "
    `)
  })
  it('one promoted is taken back with one that could not be', () => {
    expect(
      from('s/b/promote failed', together('stop'), { ends: { 's/b/promote': ['fail'] } }),
    ).toMatchInlineSnapshot(`
      "
      s/b/promote failed
      s/b/verify skipped because s/b/promote
      rollback 1 because s/b/promote: s/b/promote, s/a/promote, s/b/20/shift, s/a/20/shift, s/b/20/start, s/a/20/start, s/b/carry, s/a/carry
      rollback/1/s/b/promote starts
      rollback/1/s/b/promote succeeded
      rollback/1/s/a/promote starts
      rollback/1/s/a/promote succeeded
      rollback/1/s/b/20/shift starts
      rollback/1/s/b/20/shift succeeded
      rollback/1/s/a/20/shift starts
      rollback/1/s/a/20/shift succeeded
      rollback/1/s/b/20/start starts
      rollback/1/s/b/20/start succeeded
      rollback/1/s/a/20/start starts
      rollback/1/s/a/20/start succeeded
      rollback/1/s/b/carry starts
      rollback/1/s/b/carry succeeded
      rollback/1/s/a/carry starts
      rollback/1/s/a/carry succeeded
      rollback-finished
      s/a/verify skipped because s/b/promote
      finished: failed because s/b/promote
      "
    `)
  })
})

describe('an undoing that fails', () => {
  const script = {
    ends: { 's/b/20/watch': ['fail'], 'rollback/1/s/b/20/shift': ['fail'] },
  } as const

  it('is tried once before the end, and not for ever', () => {
    const driver = new Driver(pair('stop'), script).go()
    expect(driver.lines.slice(-6)).toMatchInlineSnapshot(`
      [
        "rollback/1/s/b/20/shift starts",
        "rollback/1/s/b/20/shift failed",
        "rollback/1/s/b/20/start starts",
        "rollback/1/s/b/20/start succeeded",
        "rollback-finished",
        "finished: failed because s/b/20/watch",
      ]
    `)
    expect(undecidedComponents(driver.state)).toEqual(['b'])
  })

  it('is tried again when the run is gone on from and fails again', () => {
    const driver = new Driver(pair('stop'), {
      ends: { ...script.ends, 's/b/20/watch': ['fail', 'fail'] },
    }).go()
    driver.lines.length = 0
    driver.tell({ type: 'run-reopened', who: 'ann', nodes: reopenableNodes(driver.state) }).go()
    expect(undecidedComponents(driver.state)).toEqual([])
    expect(`\n${driver.lines.join('\n')}\n`).toMatchInlineSnapshot(`
      "
      run-reopened
      s/b/20/start starts again (2)
      s/b/20/start succeeded
      s/b/20/shift starts again (2)
      s/b/20/shift succeeded
      s/b/20/watch starts again (2)
      s/b/20/watch failed
      s/b/100/shift skipped because s/b/20/watch
      s/b/promote skipped because s/b/20/watch
      s/b/verify skipped because s/b/20/watch
      rollback 2 because s/b/20/watch: s/b/20/shift, s/b/20/start
      rollback/2/s/b/20/shift starts
      rollback/2/s/b/20/shift succeeded
      rollback/2/s/b/20/start starts
      rollback/2/s/b/20/start succeeded
      rollback-finished
      finished: failed because s/b/20/watch
      "
    `)
  })
})

describe('a rollback in stages that a person asks for', () => {
  const regions: Sketch = {
    concurrency: 2,
    components: [critical('a')],
    stages: ['s', 't'].map(name => ({ name, after: [], policy: 'stop' as const })),
    nodes: ['s', 't'].flatMap(stage =>
      canary('a').map(one => ({
        ...one,
        key: one.key.replace('s/', `${stage}/`),
        needs: one.needs.map(key => key.replace('s/', `${stage}/`)),
      })),
    ),
  }
  const hanging = { 's/a/20/watch': ['hang'], 't/a/20/watch': ['hang'] } as const
  const asked = { scope: { kind: 'all' }, because: 'person', strategy: 'staged' } as const

  /** Both at 20 %, their runner gone, and the way back asked for. */
  const begun = (ends: Script['ends'] = {}): Driver => {
    const driver = new Driver(regions, { ends: { ...hanging, ...ends } }).go()
    expect(undecidedComponents(driver.state)).toEqual(['a'])
    driver.lines.length = 0
    return driver.tell(attached, plannedRollback(driver.state, asked))
  }
  const attached = { type: 'runner-attached', who: 'ann', host: 'h', pid: 1, interpreter: 1 } as const
  const places = (driver: Driver) => undecidedWorks(driver.state).map(({ key }) => key)

  it('that cannot go on leaves no region divided', () => {
    const driver = begun({ 'rollback/1/t/a/20/start': ['fail'] }).go()
    expect(places(driver)).toEqual([])
    expect(`\n${driver.lines.join('\n')}\n`).toMatchInlineSnapshot(`
      "
      runner-attached
      rollback 1 because person: t/a/20/shift, t/a/20/start
      s/a/20/watch cancelled because person
      t/a/20/watch cancelled because person
      rollback/1/t/a/20/shift starts
      s/a/100/shift skipped because person
      t/a/100/shift skipped because person
      s/a/promote skipped because person
      t/a/promote skipped because person
      s/a/verify skipped because person
      t/a/verify skipped because person
      rollback/1/t/a/20/shift succeeded
      rollback/1/t/a/20/start starts
      rollback/1/t/a/20/start failed
      rollback-finished
      rollback 2 because person: t/a/20/start, s/a/20/shift, s/a/20/start
      rollback/2/t/a/20/start starts
      rollback/2/s/a/20/shift starts
      rollback/2/t/a/20/start succeeded
      rollback/2/s/a/20/shift succeeded
      rollback/2/s/a/20/start starts
      rollback/2/s/a/20/start succeeded
      rollback-finished
      finished: rolled-back
      "
    `)
  })

  it('that is not as it should be afterwards leaves no region divided either, and has failed', () => {
    const driver = begun()
    driver.state.validates = true
    const found = (rollback: number, ok: boolean): Unstamped => ({
      type: 'rollback-finished',
      rollback,
      validated: { ok, components: [], recoveries: [] },
    })
    driver.go().tell(found(1, false)).go()
    expect(driver.state.rollbacks.at(-1)).toMatchObject({ scope: { kind: 'traffic', components: ['a'] } })
    driver.tell(found(2, true)).go()
    expect([places(driver), driver.state.outcome]).toEqual([[], 'failed'])
  })

  it('of one component decides the others’ traffic as well, and has done what was asked', () => {
    const driver = new Driver(pair('stop'), { ends: { 's/b/20/watch': ['hang'] } }).go()
    const one = { scope: { kind: 'components', components: ['a'] }, because: 'person' } as const
    driver.tell(attached, plannedRollback(driver.state, one)).go()
    expect([places(driver), driver.state.outcome]).toEqual([[], 'rolled-back'])
  })
})

describe('what nothing can undo freezes what it was built on', () => {
  const migration = node('s/migrate', { undo: 'freezes' })
  const frozen = (...nodes: readonly SketchNode[]): Sketch => ({
    ...pair('rollback-all'),
    nodes,
  })
  const planned = (sketch: Sketch, script: Script) => {
    const driver = new Driver(sketch, script).go()
    expect(undecidedComponents(driver.state)).toEqual([])
    return driver.state.rollbacks.map(({ works, kept }) => ({
      undone: works.map(work => work.node.key),
      kept: kept.map(one => `${one.node}: ${one.reason}`),
    }))
  }

  it('what came before it stays, with the reason; what came after it goes back', () => {
    const sketch = frozen(
      node('s/before', { undo: 'step' }),
      ...canary('a', ['s/before']),
      { ...migration, needs: ['s/a/verify'] },
      ...canary('b', ['s/migrate']),
    )
    expect(planned(sketch, { ends: { 's/b/20/watch': ['fail'] } })).toMatchInlineSnapshot(`
      [
        {
          "kept": [
            "s/before: frozen: s/migrate came after it and cannot be taken back",
            "s/a/promote: frozen: s/migrate came after it and cannot be taken back",
            "s/a/verify: frozen: s/migrate came after it and cannot be taken back",
            "s/migrate: it cannot be undone",
          ],
          "undone": [
            "s/b/20/shift",
            "s/b/20/start",
            "s/a/100/shift",
            "s/a/20/shift",
            "s/a/20/start",
          ],
        },
      ]
    `)
  })

  it.each([
    ['failed half-way', { ends: { 's/migrate': ['fail'] } }],
    ['is tried again when the rest fails', { ends: { 's/migrate': ['retry', 'hang'], 's/other': ['fail'] } }],
  ] as const)('one that %s freezes as much: how much of it has happened nobody knows', (_, script) => {
    const sketch = frozen(
      node('s/before', { undo: 'step' }),
      { ...migration, needs: ['s/before'], retries: 1 },
      node('s/other', { needs: ['s/before'] }),
    )
    expect(planned({ ...sketch, concurrency: 2 }, script)).toEqual([
      {
        undone: [],
        kept: [
          's/before: frozen: s/migrate came after it and cannot be taken back',
          's/migrate: it cannot be undone',
        ],
      },
    ])
  })

  it('one that has not begun freezes nothing', () => {
    const sketch = frozen(node('s/before', { undo: 'step' }), node('s/check', { needs: ['s/before'] }), {
      ...migration,
      needs: ['s/check'],
    })
    expect(planned(sketch, { ends: { 's/check': ['fail'] } })).toEqual([{ undone: ['s/before'], kept: [] }])
  })

  it('one that was cut off freezes as much, and a person may go through it', () => {
    const sketch = frozen(node('s/before', { undo: 'step' }), { ...migration, needs: ['s/before'] })
    const { state } = new Driver(sketch, { ends: { 's/migrate': ['hang'] } }).go()
    const keysOf = (through: boolean) =>
      computeRollback(state, { scope: { kind: 'all' }, through }).nodes.map(({ undoes }) => undoes)
    expect([keysOf(false), keysOf(true)]).toEqual([[], ['s/before']])
  })

  it('divided traffic is decided although a migration came after it', () => {
    const [, start, shift, watch, ...rest] = canary('a')
    const sketch = frozen(
      canary('a')[0]!,
      start!,
      shift!,
      { ...migration, needs: [shift!.key] },
      { ...watch!, needs: ['s/migrate'] },
      ...rest,
    )
    expect(planned(sketch, { ends: { 's/a/20/watch': ['fail'] } })).toMatchInlineSnapshot(`
      [
        {
          "kept": [
            "s/migrate: it cannot be undone",
          ],
          "undone": [
            "s/a/20/shift",
            "s/a/20/start",
          ],
        },
      ]
    `)
  })
})
