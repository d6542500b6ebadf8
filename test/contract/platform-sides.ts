/**
 * What every platform must do with sides: the contract L7 of the port, shifts, promotions, and crashes in them.
 *
 * A platform's own test hands in a rig; everything here is asked through the port and the rig only.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { ALL_STABLE, type Revision, type Side, type Traffic } from '../../src/plan/plan.ts'
import type { Observed, PlatformContext, Promotion } from '../../src/run/ports.ts'
import { startLoad } from './load.ts'
import type { PlatformRig } from './platform.ts'
import { bringer, contextWith } from './platform-hands.ts'

const LONG = 60_000
vi.setConfig({ testTimeout: LONG, hookTimeout: LONG })

export const platformSidesContract = (name: string, make: () => Promise<PlatformRig>): void => {
  describe(`platform ${name}`, () => {
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
    const shift = (component: string, traffic: Partial<Traffic>, more: Partial<PlatformContext> = {}) =>
      rig.platform.shift(rig.environment, component, { ...ALL_STABLE, ...traffic }, contextWith(more))
    const promotion = (component: string, revision: Revision, instances = 2): Promotion => ({
      environment: rig.environment,
      component,
      revision: { ...revision, component },
      instances,
    })
    const promote = (component: string, revision: Revision, more: Partial<PlatformContext> = {}) =>
      rig.platform.promote(promotion(component, revision), contextWith(more))
    const observe = (component: string): Promise<Observed> => rig.platform.observe(rig.environment, component)
    const gone = async (component: string): Promise<void> => {
      for (const side of ['canary', 'baseline', 'stable'] as const) await bring(component, side, null, 100)
    }
    const summary = ({ instances }: Observed) =>
      instances.map(
        ({ side, slot, revision, running, healthy, routed }) =>
          `${side} ${slot} ${revision.version} ${[running && 'running', healthy && 'healthy', routed && 'routed'].filter(Boolean).join(' ')}`,
      )
    const serving = (side: Side, version: string, count = 2) =>
      Array.from({ length: count }, (_, slot) => `${side} ${slot} ${version} running healthy routed`)
    const pids = ({ instances }: Observed) => instances.map(({ pid }) => pid)
    /** The versions that answer so many requests. */
    const versions = async (component: string, count: number): Promise<readonly string[]> => {
      const gateway = await rig.platform.gateway(rig.environment)
      const answers: string[] = []
      for (let left = count; left > 0; left -= 1) {
        const response = await fetch(`${gateway}/${component}/`)
        expect(response.status).toBe(200)
        answers.push(((await response.json()) as { version: string }).version)
      }
      return [...new Set(answers)].sort()
    }
    const load = async (component: string, rate = 100) =>
      startLoad(await rig.platform.gateway(rig.environment), `/${component}/`, rate)

    test('a canary gets nothing before a shift says so, and is not what is live (L7)', async () => {
      const before = await bring('quiet', 'stable', one)
      const both = await bring('quiet', 'canary', two, 1)
      expect(summary(both)).toEqual([...serving('stable', '1.0.0'), ...serving('canary', '2.0.0', 1)])
      expect(pids(both).slice(0, 2)).toEqual(pids(before))
      expect(both.traffic).toEqual(ALL_STABLE)
      expect(await versions('quiet', 30)).toEqual(['1.0.0'])
      expect(await rig.platform.live(rig.environment, 'quiet')).toMatchObject({ version: '1.0.0' })
      const again = await bring('quiet', 'canary', two, 1)
      expect(pids(again)).toEqual(pids(both))

      expect(await shift('quiet', { canary: 50 })).toEqual({ ...ALL_STABLE, canary: 50 })
      expect((await observe('quiet')).traffic.canary).toBe(50)
      expect(await versions('quiet', 60)).toEqual(['1.0.0', '2.0.0'])
      expect(await rig.platform.live(rig.environment, 'quiet')).toMatchObject({ version: '1.0.0' })
      await gone('quiet')
    })

    test('sides have slots of their own: to end one leaves the others', async () => {
      await bring('three', 'stable', one)
      await bring('three', 'baseline', one, 1)
      await bring('three', 'canary', two, 1)
      await shift('three', { canary: 20, baseline: 20 })
      const left = await bring('three', 'canary', null, 100)
      expect(summary(left)).toEqual([...serving('stable', '1.0.0'), ...serving('baseline', '1.0.0', 1)])
      // A side that has gone takes its weight with it, so that the next one there waits for its shift.
      expect(left.traffic).toEqual({ ...ALL_STABLE, baseline: 20 })
      await bring('three', 'canary', two, 1)
      expect(await versions('three', 30)).toEqual(['1.0.0'])
      await gone('three')
      expect(summary(await observe('three'))).toEqual([])
      expect((await observe('three')).traffic).toEqual(ALL_STABLE)
    })

    test(
      'up by weights, and promoted: no request is lost and nothing is started anew',
      async () => {
        await bring('risen', 'stable', one)
        const processes = await rig.processes()
        const running = await load('risen')
        const canaries = await bring('risen', 'canary', two)
        for (const canary of [5, 25, 50, 100]) {
          await shift('risen', { canary })
          await running.answered(50)
        }
        const promoted = await promote('risen', two)
        await running.answered(50)
        expect(summary(promoted)).toEqual(serving('stable', '2.0.0'))
        expect(pids(promoted)).toEqual(pids(canaries).slice(2))
        expect(promoted.traffic).toEqual(ALL_STABLE)
        expect(await rig.platform.live(rig.environment, 'risen')).toMatchObject({ version: '2.0.0' })
        expect(await rig.processes()).toHaveLength(processes.length)

        const again = await promote('risen', two)
        expect(again).toEqual(promoted)
        const result = await running.stop()
        expect(result).toEqual({
          sent: result.sent,
          statuses: { 200: result.sent },
          failures: [],
          versions: ['1.0.0', '2.0.0'],
        })
        // What was promoted is replaced like anything else that is stable.
        expect(summary(await bring('risen', 'stable', one))).toEqual(serving('stable', '1.0.0'))
        await gone('risen')
      },
      2 * LONG,
    )

    test(
      'up, and back: no request is lost, the stable ones are never touched, nothing is left',
      async () => {
        const before = await bring('back', 'stable', one)
        const processes = await rig.processes()
        const running = await load('back')
        await bring('back', 'canary', two, 1)
        await shift('back', { canary: 50 })
        await running.answered(50)
        await shift('back', {})
        await running.answered(20)
        // The second time it is ended while it still has its share.
        await bring('back', 'canary', null, 100)
        await bring('back', 'canary', two, 1)
        await shift('back', { canary: 50 })
        await running.answered(50)
        const after = await bring('back', 'canary', null, 100)
        await running.answered(20)
        expect(after).toEqual(before)
        expect(await rig.processes()).toEqual(processes)
        const result = await running.stop()
        expect(result).toMatchObject({ statuses: { 200: result.sent }, failures: [] })
        await gone('back')
      },
      2 * LONG,
    )

    test('a canary that dies while it has a share loses no request, and shows in its counters', async () => {
      await bring('mortal', 'stable', one)
      const { instances } = await bring('mortal', 'canary', two, 1)
      const running = await load('mortal')
      await shift('mortal', { canary: 50 })
      await running.answered(50)
      await rig.kill(instances.find(({ side }) => side === 'canary')!.pid)
      await running.answered(100)
      const result = await running.stop()
      expect(result).toMatchObject({ statuses: { 200: result.sent }, failures: [] })
      const counters = await rig.platform.counters(rig.environment, 'mortal')
      const of = (wanted: Side) => counters.find(({ side }) => side === wanted)!
      expect(of('canary')).toMatchObject({ component: 'mortal', version: '2.0.0' })
      expect(of('canary').unanswered).toBeGreaterThan(0)
      expect(of('canary').errors).toBe(of('canary').unanswered)
      expect(of('stable')).toMatchObject({ version: '1.0.0', errors: 0, unanswered: 0 })
      await gone('mortal')
    })

    test('too few healthy canaries are not promoted, and nothing is changed', async () => {
      await bring('few', 'stable', one)
      await bring('few', 'canary', two, 1)
      await shift('few', { canary: 50 })
      const before = await observe('few')
      await expect(promote('few', two)).rejects.toMatchObject({ code: 'promote-too-few' })
      await expect(promote('few', one)).resolves.toMatchObject({ traffic: ALL_STABLE })
      // Where the stable slots run it already, they are what is promoted, and the canary goes.
      const after = await observe('few')
      expect(summary(after)).toEqual(serving('stable', '1.0.0'))
      expect(pids(after)).toEqual(pids(before).slice(0, 2))
      await gone('few')
    })

    test('an owner that was taken over neither shifts nor promotes (L4)', async () => {
      await bring('lost', 'stable', one)
      const dead = await rig.lockElsewhere('lost', 'run-1')
      await dead.kill()
      const next = await rig.lockElsewhere('lost', 'run-2')
      const before = await observe('lost')
      const old = { fence: dead.fence! }
      await expect(shift('lost', { canary: 100 }, old)).rejects.toMatchObject({ code: 'fenced' })
      await expect(promote('lost', one, old)).rejects.toMatchObject({ code: 'fenced' })
      expect(await observe('lost')).toEqual(before)
      await next.kill()
    })

    test('an aborted shift or promotion changes nothing', async () => {
      await bring('halted', 'stable', one)
      await bring('halted', 'canary', two)
      const before = await observe('halted')
      const aborted = { signal: AbortSignal.abort() }
      await expect(shift('halted', { canary: 50 }, aborted)).rejects.toMatchObject({ code: 'cancelled' })
      await expect(promote('halted', two, aborted)).rejects.toMatchObject({ code: 'cancelled' })
      expect(await observe('halted')).toEqual(before)
      await gone('halted')
    })

    test('says what each instance uses', async () => {
      await bring('busy', 'stable', one)
      await bring('busy', 'canary', two, 1)
      await shift('busy', { canary: 100 })
      const before = await rig.platform.usage(rig.environment, 'busy')
      expect(before.map(({ side, slot, version }) => `${side} ${slot} ${version}`)).toEqual([
        'stable 0 1.0.0',
        'stable 1 1.0.0',
        'canary 0 2.0.0',
      ])
      // A Node process has used something to come up, and has some megabytes.
      for (const { cpuSeconds, memoryBytes } of before) {
        expect(cpuSeconds).toBeGreaterThan(0.01)
        expect(cpuSeconds).toBeLessThan(60)
        expect(memoryBytes).toBeGreaterThan(10 * 2 ** 20)
        expect(memoryBytes).toBeLessThan(2 ** 30)
      }
      await versions('busy', 300)
      const after = await rig.platform.usage(rig.environment, 'busy')
      expect(after[2]!.cpuSeconds).toBeGreaterThan(before[2]!.cpuSeconds)
      await gone('busy')
      expect(await rig.platform.usage(rig.environment, 'busy')).toEqual([])
    })

    test(
      'killed at any place of a promotion, the runner that follows finishes it, or takes it back',
      async () => {
        const { length: others } = await rig.processes()
        await bring('cut', 'stable', one)
        const running = await load('cut', 50)
        let [from, to] = [one, two]
        let crashes = 0
        const points = rig.promotionPoints.flatMap(point => [[point, 1] as const, [point, 2] as const])
        for (const [point, nth] of points) {
          const where = `${point}, time ${nth}`
          await bring('cut', 'canary', to)
          await shift('cut', { canary: 50 })
          const crashed = await rig.crashPromotion(promotion('cut', to), { point, nth, fence: 0 })
          if (nth === 1) expect(crashed, where).toBe(true)
          crashes += Number(crashed)
          if (crashes % 2 === 0) {
            await bring('cut', 'stable', from)
            await shift('cut', {})
            const back = await bring('cut', 'canary', null, 100)
            expect(summary(back), where).toEqual(serving('stable', from.version))
          } else {
            const observed = await promote('cut', to)
            expect(summary(observed), where).toEqual(serving('stable', to.version))
            expect(observed.traffic, where).toEqual(ALL_STABLE)
            ;[from, to] = [to, from]
          }
          expect(await rig.processes(), where).toHaveLength(others + 2)
        }
        expect(crashes).toBeGreaterThan(rig.promotionPoints.length)
        const result = await running.stop()
        expect(result).toMatchObject({ statuses: { 200: result.sent }, failures: [] })
        await gone('cut')
        expect(await rig.processes()).toHaveLength(others)
      },
      4 * LONG,
    )
  })
}
