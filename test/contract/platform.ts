/**
 * What every platform must do: the contract L1 to L6 of the port, locks, fences, and crashes at every place.
 *
 * A platform's own test hands in a rig; everything here is asked through the port and the rig only.
 */
import { rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Revision } from '../../src/plan/plan.ts'
import type { Desired, Holder, Observed, Platform, PlatformContext, Promotion } from '../../src/run/ports.ts'
import { startLoad } from './load.ts'
import { contextWith } from './platform-hands.ts'

/** How a process of its own ended that was told to do something with the platform. */
export interface LockElsewhere {
  readonly type: 'acquired' | 'held'
  /** Of the one who got it. */
  readonly fence: number | null
  /** Who has it, where it is held. */
  readonly run: string | null
  readonly pid: number
  /** Kills the process that holds it. */
  kill(): Promise<void>
}

export interface PlatformRig {
  readonly platform: Platform
  /** An environment that no other test knows. */
  readonly environment: string
  /** A fresh copy of a small service's folder; `version` is '1.0.0' or '2.0.0'. */
  source(version: string): Promise<string>
  /** What that service is, kept. */
  revision(version: string): Promise<Revision>
  /** Revisions that cannot come up: one that ends, one that is never healthy. */
  broken(kind: 'ends at once' | 'is never healthy'): Promise<Revision>
  /** Every process of the environment's instances, however it was started. */
  processes(): Promise<readonly number[]>
  /** Ends an instance's process at once, as a fault would. */
  kill(pid: number): Promise<void>
  readonly faultPoints: readonly string[]
  /** Converges in a process of its own that is killed at the n-th arrival at the point; true: it got there. */
  crash(
    desired: Desired,
    at: { readonly point: string; readonly nth: number; readonly fence: number },
  ): Promise<boolean>
  readonly promotionPoints: readonly string[]
  /** Promotes in a process of its own, as {@link crash}. */
  crashPromotion(
    promotion: Promotion,
    at: { readonly point: string; readonly nth: number; readonly fence: number },
  ): Promise<boolean>
  lockElsewhere(component: string, run: string): Promise<LockElsewhere>
  dispose(): Promise<void>
}

const LONG = 60_000
vi.setConfig({ testTimeout: LONG, hookTimeout: LONG })

export const platformContract = (name: string, make: () => Promise<PlatformRig>): void => {
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

    const holder = (run: string): Holder => ({
      run,
      who: 'alice@techcorp.example',
      host: hostname(),
      pid: process.pid,
      cwd: process.cwd(),
      since: 1,
    })
    const desired = (component: string, revision: Revision | null, to = 2): Desired => ({
      environment: rig.environment,
      component,
      side: 'stable',
      from: 0,
      to,
      revision: revision && { ...revision, component },
      maxUnavailable: 0,
    })
    const summary = (observed: Observed) =>
      observed.instances.map(
        ({ slot, revision, running, healthy, routed }) =>
          `${slot} ${revision.version} ${[running && 'running', healthy && 'healthy', routed && 'routed'].filter(Boolean).join(' ')}`,
      )
    const serving = (version: string, count = 2) =>
      Array.from({ length: count }, (_, slot) => `${slot} ${version} running healthy routed`)
    const converge = (
      component: string,
      revision: Revision | null,
      more: Partial<PlatformContext & { to: number }> = {},
    ) => rig.platform.converge(desired(component, revision, more.to), contextWith(more))
    const stop = (component: string, more: Partial<PlatformContext> = {}) =>
      converge(component, null, { ...more, to: 100 })
    const ask = async (component: string, address = '/') => {
      const response = await fetch(`${await rig.platform.gateway(rig.environment)}/${component}${address}`)
      return { status: response.status, body: await response.text() }
    }

    describe('kept files (L1)', () => {
      test('the digest covers contents, names and executable bits, and nothing else', async () => {
        const source = await rig.source('1.0.0')
        const before = await rig.platform.digest(source)
        expect(await rig.platform.digest(await rig.source('1.0.0'))).toBe(before)
        await writeFile(path.join(source, 'more.txt'), 'more')
        expect(await rig.platform.digest(source)).not.toBe(before)
      })

      test('what is kept stays usable when the folder has changed or gone', async () => {
        const source = await rig.source('1.0.0')
        const digest = await rig.platform.digest(source)
        await rig.platform.keep(source, digest)
        await rm(source, { recursive: true })
        expect(await rig.platform.kept(digest)).toBe(true)
        const observed = await converge('kept', { ...one, digest }, { to: 1 })
        expect(summary(observed)).toEqual(serving('1.0.0', 1))
        await stop('kept')
      })

      test('a folder that changed since it was planned is refused', async () => {
        const source = await rig.source('1.0.0')
        const digest = await rig.platform.digest(source)
        await writeFile(path.join(source, 'server.js'), '// another program')
        const changed = await rig.platform.digest(source)
        await expect(rig.platform.keep(source, 'f'.repeat(64))).rejects.toMatchObject({
          code: 'source-changed',
        })
        expect(await rig.platform.kept('f'.repeat(64))).toBe(false)
        expect(changed).not.toBe(digest)
      })

      test('what was never kept cannot be started', async () => {
        const unknown = { ...one, digest: 'e'.repeat(64) }
        await expect(converge('unknown', unknown)).rejects.toMatchObject({ code: 'not-kept' })
        expect(summary(await rig.platform.observe(rig.environment, 'unknown'))).toEqual([])
      })
    })

    describe('converge', () => {
      test('brings up, leaves alone what is so already (L2), replaces, and stops', async () => {
        const first = await converge('life', one)
        expect(summary(first)).toEqual(serving('1.0.0'))
        expect(await rig.platform.live(rig.environment, 'life')).toEqual({
          version: '1.0.0',
          digest: one.digest,
        })

        const again = await converge('life', one)
        expect(again.instances.map(i => i.pid)).toEqual(first.instances.map(i => i.pid))

        expect(summary(await converge('life', two))).toEqual(serving('2.0.0'))
        expect(JSON.parse((await ask('life')).body)).toMatchObject({ version: '2.0.0' })

        await stop('life')
        expect(summary(await rig.platform.observe(rig.environment, 'life'))).toEqual([])
        expect(await rig.platform.live(rig.environment, 'life')).toBeNull()
        expect((await ask('life')).status).toBe(503)
      })

      test('one batch replaces its slots and no other; mixed versions are no one live version', async () => {
        await converge('batch', one)
        const observed = await converge('batch', two, { to: 1 })
        expect(summary(observed)).toEqual([
          '0 2.0.0 running healthy routed',
          '1 1.0.0 running healthy routed',
        ])
        expect(await rig.platform.live(rig.environment, 'batch')).toBeNull()
        await stop('batch')
      })

      test('with instances that may be unavailable, old ones make room first', async () => {
        await converge('room', one)
        const order = { ...desired('room', two), maxUnavailable: 1 }
        expect(summary(await rig.platform.converge(order, contextWith()))).toEqual(serving('2.0.0'))
        await stop('room')
      })

      test('observe sees what died, not what was asked for (L3); converge starts it again', async () => {
        const before = await converge('dying', one)
        await rig.kill(before.instances[0]!.pid)
        const dead = await rig.platform.observe(rig.environment, 'dying')
        expect(dead.instances.map(({ running, healthy }) => ({ running, healthy }))).toEqual([
          { running: false, healthy: false },
          { running: true, healthy: true },
        ])
        const after = await converge('dying', one)
        expect(summary(after)).toEqual(serving('1.0.0'))
        expect(after.instances[1]!.pid).toBe(before.instances[1]!.pid)
        await stop('dying')
      })

      test.each(['ends at once', 'is never healthy'] as const)(
        'a version that %s leaves the old instances serving (L6)',
        async kind => {
          const before = await converge('firm', one)
          const processes = await rig.processes()
          const code = kind === 'ends at once' ? 'instance-exited' : 'health-timeout'
          await expect(converge('firm', await rig.broken(kind))).rejects.toMatchObject({ code })
          const after = await rig.platform.observe(rig.environment, 'firm')
          expect(after.instances).toEqual(before.instances)
          expect(await rig.processes()).toEqual(processes)
          await stop('firm')
        },
      )

      test('an abort ends the new and keeps the old', async () => {
        const before = await converge('stopped', one)
        const processes = await rig.processes()
        const abort = new AbortController()
        const log = (line: string) => line.includes('started') && abort.abort()
        const broken = await rig.broken('is never healthy')
        const changing = converge('stopped', broken, { signal: abort.signal, log })
        await expect(changing).rejects.toMatchObject({ code: 'cancelled' })
        expect((await rig.platform.observe(rig.environment, 'stopped')).instances).toEqual(before.instances)
        expect(await rig.processes()).toEqual(processes)
        await stop('stopped')
      })
    })

    describe('under load (L5)', () => {
      test(
        'an update, the death of an instance and the way back lose no request',
        async () => {
          await converge('loaded', one)
          const load = startLoad(await rig.platform.gateway(rig.environment), '/loaded/', 200)
          await load.answered(100)
          await converge('loaded', two)
          await load.answered(100)
          const { instances } = await rig.platform.observe(rig.environment, 'loaded')
          await rig.kill(instances[0]!.pid)
          await load.answered(100)
          await converge('loaded', one)
          await load.answered(100)
          const result = await load.stop()
          expect(result).toEqual({
            sent: result.sent,
            statuses: { 200: result.sent },
            failures: [],
            versions: ['1.0.0', '2.0.0'],
          })
          await stop('loaded')
        },
        LONG,
      )
    })

    describe('locks and fences (L4)', () => {
      test('one run at a time; each owner has a higher fence', async () => {
        const first = await rig.platform.lock(rig.environment, 'locked', holder('run-1'))
        if (first.type !== 'acquired') throw new Error('the lock was free')
        const other = await rig.lockElsewhere('locked', 'run-2')
        expect(other).toMatchObject({ type: 'held', run: 'run-1' })
        await first.release()
        const next = await rig.lockElsewhere('locked', 'run-2')
        expect(next.type).toBe('acquired')
        expect(next.fence).toBeGreaterThan(first.fence)
        expect(await rig.platform.lock(rig.environment, 'locked', holder('run-1'))).toMatchObject({
          type: 'held',
          holder: { run: 'run-2', pid: next.pid },
        })
        await next.kill()
      })

      test('of many processes at once, one gets it', async () => {
        const runs = ['a', 'b', 'c', 'd']
        const tried = await Promise.all(runs.map(run => rig.lockElsewhere('raced', run)))
        expect(tried.filter(({ type }) => type === 'acquired')).toHaveLength(1)
        await Promise.all(tried.map(each => each.kill()))
      })

      test('a dead holder is taken over with a higher fence, by the same run too; a living one is not', async () => {
        const dead = await rig.lockElsewhere('taken', 'run-1')
        const rival = await rig.lockElsewhere('taken', 'run-1')
        expect(rival.type).toBe('held')
        await dead.kill()
        const next = await rig.platform.lock(rig.environment, 'taken', holder('run-1'))
        if (next.type !== 'acquired') throw new Error('the holder is dead')
        expect(next.fence).toBeGreaterThan(dead.fence!)
        await next.release()
      })

      test('writes of an owner that was taken over are refused and change nothing', async () => {
        const dead = await rig.lockElsewhere('fenced', 'run-1')
        await converge('fenced', one, { fence: dead.fence! })
        await dead.kill()
        const next = await rig.platform.lock(rig.environment, 'fenced', holder('run-2'))
        if (next.type !== 'acquired') throw new Error('the holder is dead')
        const before = await rig.platform.observe(rig.environment, 'fenced')
        await expect(converge('fenced', two, { fence: dead.fence! })).rejects.toMatchObject({
          code: 'fenced',
        })
        await expect(stop('fenced', { fence: dead.fence! })).rejects.toMatchObject({ code: 'fenced' })
        expect(await rig.platform.observe(rig.environment, 'fenced')).toEqual(before)
        expect(summary(await converge('fenced', two, { fence: next.fence }))).toEqual(serving('2.0.0'))
        await stop('fenced', { fence: next.fence })
        await next.release()
      })
    })

    test('a run may ask for its lock again, and holds it until the last is released', async () => {
      const [first, second] = await Promise.all([
        rig.platform.lock(rig.environment, 'shared', holder('run-1')),
        rig.platform.lock(rig.environment, 'shared', holder('run-1')),
      ])
      if (first.type !== 'acquired' || second.type !== 'acquired') throw new Error('the run has it')
      expect(second.fence).toBe(first.fence)
      await first.release()
      await first.release()
      expect((await rig.lockElsewhere('shared', 'run-2')).type).toBe('held')
      await second.release()
      const next = await rig.lockElsewhere('shared', 'run-2')
      expect(next.type).toBe('acquired')
      await next.kill()
    })

    describe('a runner that is killed', () => {
      test(
        'at any place of a converge, the next converge finds its way, forward or back, and nothing leaks',
        async () => {
          const { length: others } = await rig.processes()
          await converge('crashed', one)
          const load = startLoad(await rig.platform.gateway(rig.environment), '/crashed/', 50)
          let [from, to] = [one, two]
          let crashes = 0
          for (const [point, nth] of rig.faultPoints.flatMap(each => [
            [each, 1] as const,
            [each, 2] as const,
          ])) {
            const where = `${point}, time ${nth}`
            const crashed = await rig.crash(desired('crashed', to), { point, nth, fence: 0 })
            if (nth === 1) expect(crashed, where).toBe(true)
            crashes += Number(crashed)
            // Every second time the release is taken back before it is gone on with.
            if (crashes % 2 === 0) await converge('crashed', from)
            const observed = await converge('crashed', to)
            expect(summary(observed), where).toEqual(serving(to.version))
            expect(await rig.processes(), where).toHaveLength(others + 2)
            ;[from, to] = [to, from]
          }
          expect(crashes).toBeGreaterThan(rig.faultPoints.length)
          const result = await load.stop()
          expect(result).toMatchObject({ statuses: { 200: result.sent }, failures: [] })
          await stop('crashed')
          expect(await rig.processes()).toHaveLength(others)
        },
        4 * LONG,
      )
    })
  })
}
