/**
 * What every platform's recoveries must do: the contract of the port Recovery, RC1 to RC3, for each kind of problem.
 *
 * A platform's own test hands in a rig; everything here is asked through the port and the rig only.
 */
import { hostname } from 'node:os'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { mend } from '../../runner/engine/mend.ts'
import { ALL_STABLE, type Revision } from '../../src/plan/plan.ts'
import { type Expected, type Problem, problemsOf } from '../../src/run/validation.ts'
import { startLoad } from './load.ts'
import type { PlatformRig } from './platform.ts'
import { bringer, contextWith } from './platform-hands.ts'

const LONG = 120_000
vi.setConfig({ testTimeout: LONG, hookTimeout: LONG })

export const platformRecoveriesContract = (name: string, make: () => Promise<PlatformRig>): void => {
  describe(`recoveries of platform ${name}`, () => {
    let rig: PlatformRig
    let one: Revision
    let two: Revision
    beforeAll(async () => {
      rig = await make()
      one = await rig.revision('1.0.0')
      two = await rig.revision('2.0.0')
    })
    afterAll(() => rig.dispose())

    const bring = bringer(() => rig)
    const expectedOf = (component: string, revision: Revision, count = 2): Expected => ({
      environment: rig.environment,
      component,
      slots: Array.from({ length: count }, (_, slot) => ({ slot, revision: { ...revision, component } })),
    })
    const observe = (component: string) => rig.platform.observe(rig.environment, component)
    const problems = async (expected: Expected): Promise<readonly Problem[]> =>
      problemsOf(expected, await observe(expected.component))
    const kinds = async (expected: Expected): Promise<readonly string[]> =>
      (await problems(expected)).map(({ kind }) => kind).sort()
    const pids = async (component: string): Promise<readonly number[]> =>
      (await observe(component)).instances.map(({ pid }) => pid)
    const gone = async (component: string): Promise<void> => {
      for (const side of ['canary', 'baseline', 'stable'] as const) await bring(component, side, null, 100)
    }

    test('all is as it should be: nothing is touched', async () => {
      await bring('well', 'stable', one)
      const before = await pids('well')
      const { component, recoveries } = await mend(rig.platform, expectedOf('well', one), contextWith())
      expect(component).toMatchObject({ ok: true, differs: [] })
      expect(component.runs.map(({ slot, version }) => `${slot} ${version}`)).toEqual(['0 1.0.0', '1 1.0.0'])
      expect(recoveries).toEqual([])
      expect(await pids('well')).toEqual(before)
      await gone('well')
    })

    test('restart: what has died comes back in its place, and no request is lost meanwhile', async () => {
      await bring('dead', 'stable', one)
      const [first, second] = await pids('dead')
      await rig.kill(first!)
      const expected = expectedOf('dead', one)
      expect(await kinds(expected)).toEqual(['not-running'])
      const load = startLoad(await rig.platform.gateway(rig.environment), '/dead/', 50)
      await load.answered(5)
      const { component, recoveries } = await mend(rig.platform, expected, contextWith())
      await load.answered(5)
      const { failures, statuses } = await load.stop()
      expect(failures).toEqual([])
      expect(Object.keys(statuses)).toEqual(['200'])
      expect(component.ok, component.differs.join()).toBe(true)
      expect(recoveries.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual(['restart mended'])
      const after = await pids('dead')
      expect(after[1]).toBe(second)
      // Once more it has nothing to do.
      const again = await mend(rig.platform, expected, contextWith())
      expect(again.recoveries).toEqual([])
      expect(await pids('dead')).toEqual(after)
      await gone('dead')
    })

    test('restart: where nothing is, what should be is started', async () => {
      await bring('missing', 'stable', one, 1)
      const { component } = await mend(rig.platform, expectedOf('missing', one), contextWith())
      expect(component).toMatchObject({ ok: true, differs: [] })
      await gone('missing')
    })

    test('configuration: another revision, or the right files with another environment', async () => {
      await bring('other', 'stable', two)
      await bring('other', 'stable', { ...one, env: { LEVEL: { value: 'debug' } } }, 1)
      const expected = expectedOf('other', one)
      const found = await problems(expected)
      expect(found.map(problem => ('found' in problem ? problem.found : problem.kind))).toEqual([
        '1.0.0 with another env',
        expect.stringMatching(/^2\.0\.0 \([0-9a-f]{12}\)$/),
      ])
      const { component, recoveries } = await mend(rig.platform, expected, contextWith())
      expect(component.ok, component.differs.join()).toBe(true)
      expect(recoveries.map(({ name }) => name)).toEqual(['configuration', 'configuration'])
      await gone('other')
    })

    test('routing and state: divided traffic goes back, and what stands beside goes', async () => {
      await bring('torn', 'stable', one)
      await bring('torn', 'canary', two)
      await rig.platform.shift(rig.environment, 'torn', { ...ALL_STABLE, canary: 50 }, contextWith())
      const canary = (await observe('torn')).instances.find(({ side }) => side === 'canary')!
      await rig.kill(canary.pid)
      const expected = expectedOf('torn', one)
      expect(await kinds(expected)).toEqual(['left-over', 'left-over', 'traffic-divided'])
      const { component, recoveries } = await mend(rig.platform, expected, contextWith())
      expect(component.ok, component.differs.join()).toBe(true)
      expect([...new Set(recoveries.map(({ name }) => name))].sort()).toEqual(['routing', 'state'])
      expect((await observe('torn')).traffic).toEqual(ALL_STABLE)
      await gone('torn')
    })

    test('state: what is beyond the last slot goes', async () => {
      await bring('beyond', 'stable', one, 3)
      const { component } = await mend(rig.platform, expectedOf('beyond', one), contextWith())
      expect(component).toMatchObject({ ok: true, differs: [] })
      expect(await pids('beyond')).toHaveLength(2)
      await gone('beyond')
    })

    test('what cannot be mended is said, and stays a difference', async () => {
      await bring('ill', 'stable', one, 1)
      const broken = await rig.broken('ends at once')
      const { component, recoveries } = await mend(rig.platform, expectedOf('ill', broken, 1), contextWith())
      expect(recoveries.map(({ name, outcome }) => `${name} ${outcome}`)).toContain('configuration failed')
      expect(component.ok).toBe(false)
      expect(component.differs).toHaveLength(1)
      // What served goes on serving.
      expect((await observe('ill')).instances.map(({ healthy, routed }) => healthy && routed)).toEqual([true])
      await gone('ill')
    })

    test('a recovery with an older fence is refused', async () => {
      await bring('fenced', 'stable', one)
      const holder = { run: 'r', who: 'alice', host: hostname(), pid: process.pid, cwd: '/', since: 1 }
      const lock = await rig.platform.lock(rig.environment, 'fenced', holder)
      if (lock.type !== 'acquired') throw new Error('the lock is held')
      const [first] = await pids('fenced')
      await rig.kill(first!)
      const expected = expectedOf('fenced', one)
      await expect(
        mend(rig.platform, expected, contextWith({ fence: lock.fence - 1 })),
      ).rejects.toMatchObject({
        code: 'environment-taken-over',
      })
      const { component } = await mend(rig.platform, expected, contextWith({ fence: lock.fence }))
      expect(component.ok, component.differs.join()).toBe(true)
      expect(await rig.platform.owner?.(rig.environment, 'fenced')).toMatchObject({ run: 'r' })
      await lock.release()
      expect((await rig.platform.owner?.(rig.environment, 'fenced')) ?? null).toBeNull()
    })
  })
}
