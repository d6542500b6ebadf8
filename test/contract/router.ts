/**
 * What every router must do: the contract T1 to T7 of the port.
 *
 * A router's own test hands in its kind; everything here is asked through the port, through its address, and from
 * the instances behind it, which are servers in this process. What a router cannot do, as its capabilities say, is not
 * asked of it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type RouterKind, recordedRouter } from '../../runner/adapters/loopback/kept-routing.ts'
import { CALLER_WAITS_MS } from '../../runner/adapters/loopback/patience.ts'
import { waitUntil } from '../../runner/adapters/loopback/process-table.ts'
import { ALL_STABLE, SIDE_HEADER, type Side, type Traffic } from '../../src/plan/plan.ts'
import type { Route, RouteChange, Router } from '../../src/run/ports.ts'
import { startLoad } from './load.ts'
import { type Backend, Callers, startBackend } from './router-rig.ts'

export interface RouterSubject extends RouterKind {
  /** The processes that a fault kills; left out: the one that the router's folder names. */
  readonly processes?: (folder: string) => Promise<readonly number[]>
}

const LONG = 60_000
vi.setConfig({ testTimeout: LONG, hookTimeout: LONG })

/** So many standard deviations from the mean are no chance: one sample in a hundred thousand lies beyond. */
const DEVIATIONS = 4.5

/** After so many failed checks in a row every router takes an instance for ill. */
const ENOUGH = 4

const expectShare = (seen: number, of: number, percent: number, where: string): void => {
  const p = percent / 100
  const bound = DEVIATIONS * Math.sqrt(of * p * (1 - p))
  expect(Math.abs(seen - of * p), `${seen} of ${of} at ${percent} %, ${where}`).toBeLessThanOrEqual(bound)
}

export const routerContract = (name: string, subject: RouterSubject): void => {
  describe(`router ${name}`, () => {
    let folder: string
    let router: Router
    let callers: Callers
    const backends: Backend[] = []
    let names = 0
    beforeAll(async () => {
      folder = path.join(await mkdtemp(path.join(tmpdir(), 'release-router-')), subject.kind)
      router = subject.open({ environment: 'test', folder })
      callers = new Callers(await router.address())
    })
    afterEach(async () => {
      await Promise.all(backends.splice(0).map(backend => backend.close()))
    })
    afterAll(async () => {
      await callers.close()
      await router.stop()
      await rm(path.dirname(folder), { recursive: true, force: true })
    })

    const backend = async (options: Parameters<typeof startBackend>[0]): Promise<Backend> => {
      const started = await startBackend(options)
      backends.push(started)
      return started
    }
    const route = (side: Side, slot: number, to: Backend): Route => ({
      instance: to.token,
      side,
      slot,
      version: to.version,
      port: to.port,
      health: '/health',
    })
    const change = (component: string, more: Partial<RouteChange>): Promise<void> =>
      router.change({ component, fence: 0, add: [], remove: [], ...more })
    const shift = (component: string, traffic: Partial<Traffic>): Promise<void> =>
      change(component, { traffic: { ...ALL_STABLE, ...traffic } })
    const trafficOf = async (component: string): Promise<Traffic> => (await router.routing(component)).traffic
    const processes = async (): Promise<readonly number[]> => {
      if (subject.processes) return subject.processes(folder)
      const state = await recordedRouter(folder)
      return state ? [state.process.pid] : []
    }
    const kill = async (): Promise<void> => {
      for (const pid of await processes()) process.kill(pid, 'SIGKILL')
      expect(await waitUntil(async () => (await processes()).length === 0, LONG)).toBe(true)
    }

    interface Deployed {
      readonly component: string
      readonly stable: Backend
      readonly canary: Backend
    }
    /** A component with an instance on the stable side and one on the canary's, all requests on the stable one. */
    const deployed = async (
      more: { stable?: Parameters<typeof startBackend>[0]; canary?: Parameters<typeof startBackend>[0] } = {},
    ): Promise<Deployed> => {
      names += 1
      const component = `component-${names}`
      const stable = await backend({ version: '1.0.0', ...more.stable })
      const canary = await backend({ version: '2.0.0', ...more.canary })
      await change(component, { add: [route('stable', 0, stable), route('canary', 0, canary)] })
      return { component, stable, canary }
    }

    describe('changes', () => {
      test('what was changed is read back, also by who opens the router anew, and after it was killed (T2, T7)', async () => {
        const { component, stable, canary } = await deployed()
        const traffic = { ...ALL_STABLE, canary: 25 }
        await change(component, { fence: 3, traffic })
        const expected = {
          fence: 3,
          routes: [route('stable', 0, stable), route('canary', 0, canary)],
          traffic,
        }
        expect(await router.routing(component)).toEqual(expected)
        const again = subject.open({ environment: 'test', folder })
        expect(await again.routing(component)).toEqual(expected)
        const address = await router.address()
        await kill()
        expect(await again.routing(component)).toEqual(expected)
        expect(await router.address()).toBe(address)
      })

      test('a change that leaves the traffic out leaves it as it is; one made twice changes nothing more', async () => {
        const { component, stable } = await deployed()
        await shift(component, { canary: 5 })
        const third = await backend({ version: '2.0.0' })
        const grown = { add: [route('canary', 1, third)] }
        await change(component, grown)
        const once = await router.routing(component)
        await change(component, grown)
        expect(await router.routing(component)).toEqual(once)
        expect(once.traffic.canary).toBe(5)
        await change(component, { remove: [stable.token] })
        expect((await router.routing(component)).routes.map(({ side }) => side)).toEqual(['canary', 'canary'])
      })

      test('of a component that nobody has routed, it knows nothing', async () => {
        expect(await router.routing('nobody')).toEqual({ fence: 0, routes: [], traffic: ALL_STABLE })
        expect((await callers.ask('/nobody/')).status).toBeGreaterThanOrEqual(400)
      })

      test('one with an older fence is refused and changes nothing (T1)', async () => {
        const { component, stable } = await deployed()
        await change(component, { fence: 7, traffic: { ...ALL_STABLE, canary: 100 } })
        const before = await router.routing(component)
        const late = change(component, { fence: 6, remove: [stable.token], traffic: ALL_STABLE })
        await expect(late).rejects.toMatchObject({ code: 'fenced' })
        expect(await router.routing(component)).toEqual(before)
      })
    })

    describe('weights (T5)', () => {
      test(
        'shifts up and back lose no request, and each weight is kept to within chance',
        async () => {
          const { component, canary } = await deployed()
          const load = startLoad(await router.address(), `/${component}/`, 150)
          for (const percent of [5, 25, 50, 100, 50, 0]) {
            await shift(component, { canary: percent })
            expect((await trafficOf(component)).canary).toBe(percent)
            const { length } = (await callers.askMany(`/${component}/`, 600)).filter(
              ({ token }) => token === canary.token,
            )
            expectShare(length, 600, percent, component)
          }
          const result = await load.stop()
          expect(result).toMatchObject({ statuses: { 200: result.sent }, failures: [] })
        },
        4 * LONG,
      )

      test('three sides share, and the stable one gets what is left', async () => {
        const { component, stable, canary } = await deployed()
        const baseline = await backend({ version: '1.0.0' })
        await change(component, { add: [route('baseline', 0, baseline)] })
        await shift(component, { canary: 20, baseline: 20 })
        const answers = await callers.askMany(`/${component}/`, 600)
        const of = ({ token }: Backend) => answers.filter(answer => answer.token === token).length
        expectShare(of(canary), 600, 20, 'canary')
        expectShare(of(baseline), 600, 20, 'baseline')
        expectShare(of(stable), 600, 60, 'stable')
      })

      test('within a side the instances take turns', async () => {
        const { component, canary } = await deployed()
        const second = await backend({ version: '2.0.0' })
        await change(component, { add: [route('canary', 1, second)] })
        await shift(component, { canary: 100 })
        const answers = await callers.askMany(`/${component}/`, 40)
        expect(new Set(answers.map(({ token }) => token))).toEqual(new Set([canary.token, second.token]))
      })
    })

    describe('sides without an instance (T4)', () => {
      test('a weight without an instance goes to the stable side', async () => {
        const { component, stable, canary } = await deployed()
        await change(component, { remove: [canary.token], traffic: { ...ALL_STABLE, canary: 50 } })
        const answers = await callers.askMany(`/${component}/`, 40)
        expect(new Set(answers.map(({ token }) => token))).toEqual(new Set([stable.token]))
      })

      test(
        'a canary that dies loses no request, and gets its share again when it is back',
        async () => {
          const { component, stable, canary } = await deployed()
          await shift(component, { canary: 50 })
          const load = startLoad(await router.address(), `/${component}/`, 100)
          await load.answered(50)
          await canary.die()
          await load.answered(150)
          const answers = await callers.askMany(`/${component}/`, 60)
          expect(new Set(answers.map(({ token }) => token))).toEqual(new Set([stable.token]))
          await canary.rise()
          const isBack = async () =>
            (await callers.askMany(`/${component}/`, 20)).some(({ token }) => token === canary.token)
          expect(await waitUntil(isBack, LONG / 2)).toBe(true)
          const result = await load.stop()
          expect(result).toMatchObject({ statuses: { 200: result.sent }, failures: [] })
        },
        LONG,
      )
    })

    test('where all of the stable side seem ill, they are asked all the same: there is nobody else (T4)', async () => {
      const { component, stable, canary } = await deployed()
      await shift(component, { canary: 50 })
      stable.ail()
      canary.ail()
      expect(await waitUntil(() => stable.ailed() > ENOUGH && canary.ailed() > ENOUGH, LONG / 2)).toBe(true)
      const answers = await callers.askMany(`/${component}/`, 40)
      expect(answers.filter(({ status, token }) => status !== 200 || token !== stable.token)).toEqual([])
    })

    describe('callers who are told apart', () => {
      const { capabilities } = subject.open({ environment: 'test', folder: '/nowhere' })

      test.runIf(capabilities.headers)('by a header', async () => {
        const { component, stable, canary } = await deployed()
        const match = [{ kind: 'header', name: 'x-group', value: 'Beta' }] as const
        await shift(component, { match })
        expect((await trafficOf(component)).match).toEqual(match)
        const ask = async (headers: Record<string, string>) =>
          (await callers.ask(`/${component}/`, { headers })).token
        expect(await ask({ 'x-group': 'Beta' })).toBe(canary.token)
        expect(await ask({ 'x-group': 'alpha' })).toBe(stable.token)
        expect(await ask({ 'x-group': 'Betas' })).toBe(stable.token)
        expect(await ask({})).toBe(stable.token)
      })

      test.runIf(capabilities.cookies)('by a cookie', async () => {
        const { component, stable, canary } = await deployed()
        await shift(component, { match: [{ kind: 'cookie', name: 'group', value: 'beta' }] })
        const ask = async (cookie: string) =>
          (await callers.ask(`/${component}/`, { headers: { cookie } })).token
        expect(await ask('a=1; group=beta; b=2')).toBe(canary.token)
        expect(await ask('group=beta')).toBe(canary.token)
        expect(await ask('group=betas')).toBe(stable.token)
        expect(await ask('agroup=beta')).toBe(stable.token)
      })

      test.runIf(capabilities.sticky)('by the side that they were given first', async () => {
        const { component, canary } = await deployed()
        await shift(component, { canary: 50, sticky: 'side' })
        const cookies = new Map<string, string>()
        for (let tries = 0; cookies.size < 2 && tries < 200; tries += 1) {
          const { token, cookie } = await callers.ask(`/${component}/`)
          expect(cookie, 'who comes without a cookie is given one').toMatch(/^side=/)
          if (!cookies.has(token)) cookies.set(token, cookie!)
        }
        expect(cookies.size).toBe(2)
        for (const [token, cookie] of cookies) {
          const answers = await callers.askMany(`/${component}/`, 20, { headers: { cookie } })
          expect(new Set(answers.map(answer => answer.token))).toEqual(new Set([token]))
        }
        // Who was given a side that gets nothing any more is drawn anew.
        await shift(component, { canary: 0, sticky: 'side' })
        const cookie = cookies.get(canary.token)!
        const answers = await callers.askMany(`/${component}/`, 10, { headers: { cookie } })
        expect(answers.some(({ token }) => token === canary.token)).toBe(false)
      })

      test.runIf(capabilities.sticky)('new callers are shared out by the weights', async () => {
        const { component, canary } = await deployed()
        await shift(component, { canary: 25, sticky: 'side' })
        const answers = await callers.askMany(`/${component}/`, 400)
        expectShare(answers.filter(({ token }) => token === canary.token).length, 400, 25, 'sticky')
      })

      test.runIf(capabilities.carried)('by the side that was decided before them (T6)', async () => {
        const { component, stable, canary } = await deployed()
        const ask = (side?: string) =>
          callers.ask(`/${component}/`, side === undefined ? {} : { headers: { [SIDE_HEADER]: side } })
        // Only who carries is obeyed: nobody else's header opens a side.
        expect((await ask('canary')).token).toBe(stable.token)
        await shift(component, { carried: true })
        expect(await ask('canary')).toMatchObject({ token: canary.token, side: 'canary' })
        expect(await ask('stable')).toMatchObject({ token: stable.token, side: 'stable' })
        expect(await ask()).toMatchObject({ token: stable.token, side: 'stable' })
        expect(await ask('nonsense')).toMatchObject({ token: stable.token, side: 'stable' })
        expect(await ask('baseline')).toMatchObject({ token: stable.token, side: 'stable' })
        await shift(component, { carried: true, canary: 100 })
        expect(await ask()).toMatchObject({ token: canary.token, side: 'canary' })
        expect(await ask('stable')).toMatchObject({ token: stable.token, side: 'stable' })
      })

      test.runIf(capabilities.mirroring)(
        'by nobody: the canary gets copies of reading requests',
        async () => {
          const { component, stable, canary } = await deployed({
            stable: { version: '1.0.0', body: 'same' },
            canary: { version: '2.0.0', body: 'same' },
          })
          await shift(component, { mirror: 100 })
          const answers = await callers.askMany(`/${component}/`, 20)
          expect(new Set(answers.map(({ token }) => token))).toEqual(new Set([stable.token]))
          const mirrored = async () =>
            (await router.counters(component)).find(({ side }) => side === 'canary')?.mirrored ?? 0
          expect(await waitUntil(async () => (await mirrored()) === 20, LONG / 2)).toBe(true)
          expect(canary.seen()).toHaveLength(20)
          expect(canary.seen().every(({ headers }) => headers['x-release-mirror'] === '1')).toBe(true)
          expect(stable.seen().some(({ headers }) => 'x-release-mirror' in headers)).toBe(false)
          await callers.ask(`/${component}/`, { method: 'POST' })
          await callers.ask(`/${component}/`)
          expect(await waitUntil(async () => (await mirrored()) === 21, LONG / 2)).toBe(true)
          expect(canary.seen().some(({ method }) => method === 'POST')).toBe(false)
          const counted = (await router.counters(component)).find(({ side }) => side === 'canary')!
          expect(counted).toMatchObject({ requests: 0, errors: 0, mirrored: 21, mismatched: 0 })
        },
      )

      test.runIf(capabilities.mirroring)('an answer that differs is counted', async () => {
        const { component } = await deployed()
        await shift(component, { mirror: 100 })
        await callers.askMany(`/${component}/`, 5)
        const seen = async () =>
          (await router.counters(component)).find(({ side }) => side === 'canary')?.mismatched ?? 0
        expect(await waitUntil(async () => (await seen()) === 5, LONG / 2)).toBe(true)
      })

      test.runIf(capabilities.mirroring)('a canary that hangs delays no caller', async () => {
        const { component, canary } = await deployed()
        canary.hold()
        await shift(component, { mirror: 100 })
        const answers = await callers.askMany(`/${component}/`, 200)
        expect(answers.every(({ status }) => status === 200)).toBe(true)
        canary.release()
      })
    })

    describe('no request is lost by a change (T3)', () => {
      test('an instance that is taken out finishes what it answers, and draining waits for that', async () => {
        const { component, canary, stable } = await deployed()
        await shift(component, { canary: 100 })
        canary.hold()
        const answer = callers.ask(`/${component}/`)
        expect(await waitUntil(() => canary.holding() === 1, LONG / 2)).toBe(true)
        await change(component, { remove: [canary.token], traffic: ALL_STABLE })
        expect((await callers.ask(`/${component}/`)).token).toBe(stable.token)
        expect(await router.drain(canary.token, 50)).toBe(1)
        const drained = router.drain(canary.token, LONG / 2)
        canary.release()
        expect(await drained).toBe(0)
        expect((await answer).token).toBe(canary.token)
      })

      test('an instance that changes its side keeps what it answers', async () => {
        const { component, canary, stable } = await deployed()
        await shift(component, { canary: 100 })
        canary.hold()
        const answer = callers.ask(`/${component}/`)
        expect(await waitUntil(() => canary.holding() === 1, LONG / 2)).toBe(true)
        await change(component, {
          add: [route('stable', 0, canary)],
          remove: [stable.token],
          traffic: ALL_STABLE,
        })
        expect((await router.routing(component)).routes).toEqual([route('stable', 0, canary)])
        canary.release()
        expect((await answer).token).toBe(canary.token)
        expect((await callers.ask(`/${component}/`)).token).toBe(canary.token)
      })

      test('a promotion under load loses none', async () => {
        const { component, canary, stable } = await deployed()
        await shift(component, { canary: 50 })
        const load = startLoad(await router.address(), `/${component}/`, 150)
        await load.answered(50)
        await change(component, {
          add: [route('stable', 0, canary)],
          remove: [stable.token],
          traffic: ALL_STABLE,
        })
        expect(await router.drain(stable.token, LONG / 2)).toBe(0)
        await stable.die()
        await load.answered(100)
        const result = await load.stop()
        expect(result).toMatchObject({ statuses: { 200: result.sent }, failures: [] })
      })
    })

    describe('counters', () => {
      test('by side and version: what was answered, and how', async () => {
        const { component, canary } = await deployed()
        await shift(component, { canary: 100 })
        await callers.askMany(`/${component}/`, 30)
        await callers.ask(`/${component}/fail`)
        const counted = await router.counters(component)
        const mine = counted.find(({ side, version }) => side === 'canary' && version === canary.version)!
        expect(mine).toMatchObject({ component, requests: 31, errors: 1, unanswered: 0 })
        expect(mine.seconds === null).toBe(!router.capabilities.latency)
        expect(mine.buckets === null).toBe(!router.capabilities.latency)
        for (const { le, count } of mine.buckets ?? []) {
          expect(le).toBeGreaterThan(0)
          expect(count).toBeLessThanOrEqual(31)
        }
        expect(mine.buckets?.at(-1)?.count ?? 31).toBe(31)
        expect(counted.find(({ side }) => side === 'stable')?.requests ?? 0).toBe(0)
      })

      test('an instance that answers nothing is seen, although its callers are answered by the stable side', async () => {
        const { component, stable, canary } = await deployed()
        await shift(component, { canary: 100 })
        canary.cut()
        const { status, token } = await callers.ask(`/${component}/`)
        expect([status, token]).toEqual([200, stable.token])
        const mine = (await router.counters(component)).find(({ side }) => side === 'canary')!
        expect(mine.unanswered).toBeGreaterThanOrEqual(1)
        expect(mine.errors).toBeGreaterThanOrEqual(1)
        expect(mine.requests).toBeGreaterThanOrEqual(mine.errors)
      })
    })

    describe('callers who leave without an answer', () => {
      /** One that leaves when the instance has its request, and after so long. */
      const leave = async (component: string, from: Backend, after: number): Promise<void> => {
        const leaving = new AbortController()
        const before = from.holding()
        const asked = callers.ask(`/${component}/`, { signal: leaving.signal })
        const left = expect(asked).rejects.toThrow()
        expect(await waitUntil(() => from.holding() > before, LONG / 2)).toBe(true)
        if (after > 0) await pause(after)
        leaving.abort()
        await left
      }
      const countedOf = async (component: string, { version }: Backend, requests: number) => {
        const find = async () =>
          (await router.counters(component)).find(row => row.version === version && row.requests >= requests)
        expect(await waitUntil(async () => (await find()) !== undefined, LONG / 2)).toBe(true)
        return (await find())!
      }

      test('are requests, and errors where they had waited for a second; on every side, and once', async () => {
        const { component, stable, canary } = await deployed()
        for (const [side, instance] of [
          ['stable', stable],
          ['canary', canary],
        ] as const) {
          await shift(component, { canary: side === 'canary' ? 100 : 0 })
          instance.hold()
          for (let count = 0; count < 3; count += 1) await leave(component, instance, 0)
          // On a busy machine one or the other may have taken a second to leave.
          const soon = await countedOf(component, instance, 3)
          expect(soon).toMatchObject({ side, requests: 3 })
          expect(soon.errors).toBeLessThan(3)
          expect(soon.unanswered).toBe(soon.errors)
          await leave(component, instance, CALLER_WAITS_MS + 50)
          const late = await countedOf(component, instance, 4)
          expect(late).toMatchObject({ side, requests: 4, errors: soon.errors + 1 })
          expect(late.unanswered).toBe(late.errors)
          if (router.capabilities.latency) expect(late.seconds).toBeGreaterThan(CALLER_WAITS_MS / 1000)
          instance.release()
        }
        expect((await router.counters(component)).reduce((sum, { requests }) => sum + requests, 0)).toBe(8)
      })

      test('count for the side that was asked in the end', async () => {
        const { component, stable, canary } = await deployed()
        await shift(component, { canary: 100 })
        stable.hold()
        canary.cut()
        await leave(component, stable, CALLER_WAITS_MS + 50)
        const tried = await countedOf(component, canary, 1)
        const left = await countedOf(component, stable, 1)
        // The canary's connections broke, whoever was asked next.
        expect(tried.errors).toBe(tried.requests)
        expect(left).toMatchObject({ side: 'stable', requests: 1, errors: 1, unanswered: 1 })
        stable.release()
      })
    })

    describe('a router that is killed (T7)', () => {
      test.each(['before a change', 'in the middle of one', 'after one'] as const)(
        '%s comes back with what it had, and the change is made',
        async when => {
          const { component, canary, stable } = await deployed()
          const traffic = { ...ALL_STABLE, canary: 100 }
          if (when === 'before a change') await kill()
          const changing = change(component, { fence: 2, traffic })
          if (when === 'in the middle of one')
            for (const pid of await processes()) process.kill(pid, 'SIGKILL')
          await changing
          if (when === 'after one') await kill()
          expect(await router.routing(component)).toEqual({
            fence: 2,
            routes: [route('stable', 0, stable), route('canary', 0, canary)],
            traffic,
          })
          await callers.renew(await router.address())
          expect((await callers.ask(`/${component}/`)).token).toBe(canary.token)
        },
      )

      test('counts from nothing again', async () => {
        const { component } = await deployed()
        await callers.askMany(`/${component}/`, 5)
        await kill()
        await callers.renew(await router.address())
        await callers.ask(`/${component}/`)
        const counted = await router.counters(component)
        expect(counted.find(({ side }) => side === 'stable')?.requests).toBe(1)
      })

      test('stopped, it keeps its routes, and the next who asks starts it', async () => {
        const { component, stable } = await deployed()
        await router.stop()
        expect(await processes()).toEqual([])
        await router.stop()
        await callers.renew(await router.address())
        expect((await callers.ask(`/${component}/`)).token).toBe(stable.token)
      })
    })
  })
}
