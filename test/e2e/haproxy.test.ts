/**
 * HAProxy beyond what every router promises: what is lost by shifts, reloads and kills, what is repaired, what goes
 * through, and what is said where it cannot be had.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { Agent, request } from 'undici'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { readRoutings, recordedRouter, writeRoutings } from '../../runner/adapters/loopback/kept-routing.ts'
import { waitUntil } from '../../runner/adapters/loopback/process-table.ts'
import { haproxyRouter } from '../../runner/adapters/routers/haproxy/haproxy.ts'
import { converse } from '../../runner/adapters/routers/haproxy/session.ts'
import { listWorkers } from '../../runner/adapters/routers/haproxy/workers.ts'
import { ALL_STABLE, type Side, type Traffic } from '../../src/plan/plan.ts'
import type { Counters, Route, Router } from '../../src/run/ports.ts'
import { startLoad } from '../contract/load.ts'
import { haproxyMissing } from '../rig/haproxy.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })
const missing = await haproxyMissing()
beforeEach(({ skip }) => skip(missing !== null, missing ?? ''))

const LONG = 30_000
let root: string
let folder: string
let router: Router
let base: string
let agent: Agent
const servers: Server[] = []
let names = 0

beforeAll(async () => {
  if (missing !== null) return
  root = await mkdtemp(path.join(tmpdir(), 'release-haproxy-'))
  // Longer than the path of a socket may be.
  folder = path.join(root, 'a-folder-with-a-long-name'.repeat(5), 'haproxy')
  router = haproxyRouter({ folder })
  base = await router.address()
  agent = new Agent({ connections: 8 })
})

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

afterAll(async () => {
  if (missing !== null) return
  await agent.destroy()
  await router.stop()
  await rm(root, { recursive: true })
})

const instance = async (
  listener: RequestListener,
  more: { sick?: () => boolean; health?: string } = {},
): Promise<Server> => {
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === (more.health ?? '/health'))
      return void outgoing.writeHead(more.sick?.() ? 503 : 200).end()
    listener(incoming, outgoing)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return server
}

const saying =
  (version: string): RequestListener =>
  (_, outgoing) =>
    outgoing.setHeader('content-type', 'application/json').end(JSON.stringify({ version }))

const newName = (): string => {
  names += 1
  return `service-${names}`
}

const routeTo = (server: Server, more: Partial<Route> = {}): Route => {
  const { port } = server.address() as AddressInfo
  return {
    instance: `i-${port}`,
    side: 'stable',
    slot: 0,
    version: '1.0.0',
    port,
    health: '/health',
    ...more,
  }
}

const add = (component: string, routes: readonly Route[], traffic: Partial<Traffic> = {}): Promise<void> =>
  router.change({ component, fence: 1, add: routes, remove: [], traffic: { ...ALL_STABLE, ...traffic } })

const shift = (component: string, traffic: Partial<Traffic>): Promise<void> => add(component, [], traffic)

const killAndLeave = async (pid: number): Promise<void> => {
  process.kill(pid, 'SIGKILL')
  expect(await waitUntil(async () => (await recordedRouter(folder)) === null, LONG)).toBe(true)
}

const ask = (
  address: string,
  more: { method?: string; body?: string; headers?: Record<string, string> } = {},
) => request(`${base}${address}`, { dispatcher: agent, ...more, method: (more.method ?? 'GET') as 'GET' })

const counted = async (component: string, side: Side): Promise<Counters | undefined> =>
  (await router.counters(component)).find(counters => counters.side === side)

const close = async (server: Server): Promise<void> => {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}

/** Two sides under load while something happens to them: every request is answered with 200. */
const underLoad = async (
  happens: (on: { component: string; canary: Server; load: ReturnType<typeof startLoad> }) => Promise<void>,
): Promise<{ component: string; sent: number }> => {
  const component = newName()
  const stable = await instance(saying('1.0.0'))
  const canary = await instance(saying('2.0.0'))
  await add(component, [routeTo(stable), routeTo(canary, { side: 'canary', version: '2.0.0' })], {
    canary: 50,
  })
  const load = startLoad(base, `/${component}/`, 200)
  await load.answered(20)
  await happens({ component, canary, load })
  const result = await load.stop()
  expect(result).toMatchObject({ statuses: { 200: result.sent }, failures: [] })
  return { component, sent: result.sent }
}

describe('no request is lost', () => {
  test('by fifty shifts, and each of them is counted once', async () => {
    const { component, sent } = await underLoad(async ({ component, load }) => {
      for (let round = 0; round < 50; round += 1) {
        await shift(component, { canary: [0, 5, 25, 50, 100][round % 5]! })
        await load.answered(10)
      }
    })
    const counters = await router.counters(component)
    expect(counters.reduce((sum, { requests }) => sum + requests, 0)).toBe(sent)
    expect(counters.map(({ errors, unanswered }) => errors + unanswered)).toEqual([0, 0])
  })

  test('by twenty changes of the routes, nor is a count', async () => {
    const { component, sent } = await underLoad(async ({ component, load }) => {
      let before = 'nobody'
      for (let round = 0; round < 20; round += 1) {
        const route = routeTo(await instance(saying('1.0.0')), { slot: 1 })
        await router.change({ component, fence: 1, add: [route], remove: [before] })
        expect(await router.drain(before, LONG)).toBe(0)
        before = route.instance
        await load.answered(10)
      }
    })
    const counters = await router.counters(component)
    expect(counters.reduce((sum, { requests }) => sum + requests, 0)).toBe(sent)
  })

  test('by a canary that is killed, nor by the reloads that new components need', async () => {
    const { pid } = (await recordedRouter(folder))!.process
    const { component } = await underLoad(async ({ component, canary, load }) => {
      await close(canary)
      for (let round = 0; round < 3; round += 1) {
        const before = (await listWorkers(folder)).find(({ takes }) => takes)!.pid
        await add(newName(), [routeTo(await instance(saying('1.0.0')))])
        expect((await listWorkers(folder)).find(({ takes }) => takes)!.pid).not.toBe(before)
        expect((await router.routing(component)).traffic.canary).toBe(50)
        await load.answered(60)
      }
    })
    expect((await recordedRouter(folder))!.process.pid).toBe(pid)
    // Whoever found it dead was answered by the stable side, and it shows.
    expect((await counted(component, 'canary'))!.unanswered).toBeGreaterThan(0)
    expect((await counted(component, 'stable'))!.unanswered).toBe(0)
  })
})

test.each([5, 25, 50, 100])('%i percent are kept within chance', async percent => {
  const component = newName()
  const routes = [
    routeTo(await instance(saying('1.0.0'))),
    routeTo(await instance(saying('2.0.0')), { side: 'canary' }),
  ]
  await add(component, routes, { canary: percent })
  const all = 2_000
  const caller = async (): Promise<void> => {
    for (let count = 0; count < all / 8; count += 1) await (await ask(`/${component}/`)).body.dump()
  }
  await Promise.all(Array.from({ length: 8 }, caller))
  const canary = (await counted(component, 'canary'))?.requests ?? 0
  const p = percent / 100
  expect(Math.abs(canary - all * p)).toBeLessThanOrEqual(4.5 * Math.sqrt(all * p * (1 - p)))
})

describe('killed', () => {
  const prepared = async (): Promise<string> => {
    const component = newName()
    const routes = [
      routeTo(await instance(saying('1.0.0'))),
      routeTo(await instance(saying('2.0.0')), { side: 'canary' }),
    ]
    await add(component, routes, { canary: 100, match: [{ kind: 'header', name: 'x-a', value: 'b;c d' }] })
    return component
  }

  test.each(['master', 'worker'] as const)(
    'the %s takes all with it, and the next who asks has all again',
    async which => {
      const component = await prepared()
      const before = await router.routing(component)
      const [worker] = await listWorkers(folder)
      const { pid } = (await recordedRouter(folder))!.process
      await killAndLeave(which === 'master' ? pid : worker!.pid)
      expect(await router.routing(component)).toEqual(before)
      expect(await router.address()).toBe(base)
      expect(await (await ask(`/${component}/`)).body.json()).toEqual({ version: '2.0.0' })
    },
  )

  test('before its change was carried out, a runner is finished by the next', async () => {
    const component = await prepared()
    const { [component]: kept, ...others } = await readRoutings(folder)
    const spare = routeTo(await instance(saying('3.0.0')), { version: '3.0.0' })
    const wanted = { fence: 5, routes: [spare], traffic: { ...ALL_STABLE, carried: true } }
    expect(kept!.traffic.canary).toBe(100)
    await writeRoutings(folder, { ...others, [component]: wanted })
    expect(await router.routing(component)).toEqual(wanted)
    expect(await (await ask(`/${component}/`)).body.json()).toEqual({ version: '3.0.0' })
  })

  test('in the middle of it, too: what is half ready or was changed by hand is put right', async () => {
    const component = await prepared()
    const before = await router.routing(component)
    const [canary] = before.routes.filter(({ side }) => side === 'canary')
    await converse(folder, 'admin.sock', async session => {
      // A server and a description that no change has finished, one taken out, and another share.
      await session.tell(`add map servers.map ${component}.b.stable/half 0|9.9.9|/health`)
      await session.tell(`add server ${component}.b.stable/half 127.0.0.1:1`, 'New server registered.')
      await session.tell(`set server ${component}.a.canary/${canary!.instance} state maint`)
      await session.tell(`set map rules.map ${component} 1|a|1|0|0|0|0|`)
    })
    expect(await router.routing(component)).toEqual(before)
    expect(await (await ask(`/${component}/`)).body.json()).toEqual({ version: '2.0.0' })
  })
})

/** Shifts its component up and down without end. */
const SHIFTING = `
import { haproxyRouter } from ${JSON.stringify(path.resolve('runner/adapters/routers/haproxy/haproxy.ts'))}
const [folder, component] = process.argv.slice(1)
const router = haproxyRouter({ folder })
const traffic = { canary: 0, baseline: 0, match: [], sticky: null, mirror: 0, carried: false }
for (let round = 1; ; round += 1) {
  await router.change({ component, fence: round, add: [], remove: [], traffic: { ...traffic, canary: round % 100 } })
  console.log(round)
}`

test('runners that steer at once come in turn, and one that is killed leaves its component whole', async () => {
  const runners = await Promise.all(
    Array.from({ length: 2 }, async () => {
      const component = newName()
      const routes = [
        routeTo(await instance(saying('1.0.0'))),
        routeTo(await instance(saying('2.0.0')), { side: 'canary' }),
      ]
      await add(component, routes)
      const child = spawn(process.execPath, ['--input-type=module', '-e', SHIFTING, folder, component], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let said = ''
      child.stdout.setEncoding('utf8').on('data', chunk => {
        said += String(chunk)
      })
      return { component, routes, child, last: () => Number(said.trimEnd().split('\n').at(-1)) }
    }),
  )
  expect(await waitUntil(() => runners.every(({ last }) => last() >= 10), 2 * LONG)).toBe(true)
  for (const { child } of runners) {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  for (const { component, routes, last } of runners) {
    const { fence, traffic, routes: routed } = await router.routing(component)
    // What was said to be done is done; the one that was under way may be.
    expect([last(), last() + 1]).toContain(fence)
    expect(traffic.canary).toBe(fence % 100)
    expect(routed).toEqual(routes)
  }
})

describe('what goes through', () => {
  test('path, query, body and headers; and who answered comes back', async () => {
    const component = newName()
    const seen: IncomingMessage[] = []
    const echo: RequestListener = async (incoming, outgoing) => {
      seen.push(incoming)
      outgoing.end(await text(incoming))
    }
    const route = routeTo(await instance(echo, { health: '/well?a=b' }), {
      slot: 4,
      version: '1.2.3-rc.1+b',
      health: '/well?a=b',
    })
    await add(component, [route])
    const answer = await ask(`/${component}//deep/er?q=%20a&b`, {
      method: 'POST',
      body: 'hello',
      headers: { 'x-mine': 'yes' },
    })
    expect(await answer.body.text()).toBe('hello')
    expect(answer.headers).toMatchObject({
      'x-release-component': component,
      'x-release-version': '1.2.3-rc.1+b',
      'x-release-slot': '4',
    })
    expect(seen[0]!.url).toBe('//deep/er?q=%20a&b')
    expect(seen[0]!.headers).toMatchObject({
      'x-mine': 'yes',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': base.slice('http://'.length),
      'x-forwarded-prefix': `/${component}`,
      'x-forwarded-proto': 'http',
    })
    expect((await ask(`/${component}`)).statusCode).toBe(200)
    expect((await ask(`/${component}?q`)).statusCode).toBe(200)
    expect(seen.slice(1).map(({ url }) => url)).toEqual(['/', '/?q'])
  })

  test('404 where there is no component, 503 where it has no instance, both as JSON', async () => {
    const component = newName()
    await add(component, [])
    for (const [address, status] of [
      ['/nobody/', 404],
      [`/${component}/`, 503],
    ] as const) {
      const answer = await ask(address)
      expect([answer.statusCode, answer.headers['x-release-gateway']]).toEqual([status, 'refused'])
      expect(await answer.body.json()).toMatchObject({ status })
    }
  })

  test('a request that may not be repeated is sent once, unless nobody took it or it carries a key', async () => {
    const component = newName()
    let cuts = 0
    const cutting = await instance(incoming => {
      cuts += 1
      incoming.socket.destroy()
    })
    const stable = routeTo(await instance(saying('1.0.0')))
    await add(component, [stable, routeTo(cutting, { side: 'canary', version: '2.0.0' })], { canary: 100 })
    const post = (headers: Record<string, string> = {}) =>
      ask(`/${component}/`, { method: 'POST', body: 'x', headers })
    expect((await post()).statusCode).toBe(502)
    expect(cuts).toBe(1)
    expect(await counted(component, 'canary')).toMatchObject({ requests: 1, errors: 1, unanswered: 1 })
    expect((await post({ 'idempotency-key': 'a' })).statusCode).toBe(200)
    await close(cutting)
    expect((await post()).statusCode).toBe(200)
  })

  test('an instance that its health check finds ill gets nothing until it is well, also after a change', async () => {
    const component = newName()
    let sick = false
    const canary = await instance(saying('2.0.0'), { sick: () => sick })
    await add(component, [routeTo(await instance(saying('1.0.0'))), routeTo(canary, { side: 'canary' })], {
      canary: 100,
    })
    const version = async () =>
      ((await (await ask(`/${component}/`)).body.json()) as { version: string }).version
    expect(await version()).toBe('2.0.0')
    sick = true
    expect(await waitUntil(async () => (await version()) === '1.0.0', LONG)).toBe(true)
    await add(component, [routeTo(await instance(saying('1.0.0')), { slot: 1 })], { canary: 100 })
    expect(await version()).toBe('1.0.0')
    await add(newName(), [])
    sick = false
    expect(await waitUntil(async () => (await version()) === '2.0.0', LONG)).toBe(true)
  })
})

test('an answer that a worker of before a reload still gives is waited for', async () => {
  const component = newName()
  const held: (() => void)[] = []
  const holding = await instance((_, outgoing) => {
    held.push(() => outgoing.end('late'))
  })
  const route = routeTo(holding)
  await add(component, [route])
  const answer = ask(`/${component}/`)
  expect(await waitUntil(() => held.length === 1, LONG)).toBe(true)
  await add(newName(), [])
  await router.change({ component, fence: 1, add: [], remove: [route.instance] })
  expect(await router.drain(route.instance, 200)).toBe(1)
  for (const release of held) release()
  expect(await (await answer).body.text()).toBe('late')
  expect(await router.drain(route.instance, LONG)).toBe(0)
})

describe('refused', () => {
  const check = async (program: string, code: string): Promise<void> => {
    const refusing = haproxyRouter({ folder: path.join(root, 'none'), program })
    await expect(refusing.address()).rejects.toMatchObject({
      code,
      hint: expect.stringContaining('apt-get install haproxy'),
    })
  }

  test('where HAProxy is missing or too old', async () => {
    await check('haproxy-that-nobody-has', 'haproxy-missing')
    const old = path.join(root, 'old-haproxy')
    await writeFile(
      old,
      '#!/bin/sh\necho "HAProxy version 2.2.9-2+deb11u6 2023/12/06 - https://haproxy.org/"\n',
      { mode: 0o755 },
    )
    await check(old, 'haproxy-too-old')
  })

  test('what it cannot do or know by name, before anything is kept', async () => {
    const component = newName()
    await expect(shift(component, { mirror: 5 })).rejects.toMatchObject({ code: 'router-cannot' })
    await expect(add('a b;c', [])).rejects.toMatchObject({ code: 'router-name' })
    expect(await readRoutings(folder)).not.toHaveProperty(component)
  })

  test('where it does not start, with what it said', async () => {
    const broken = path.join(root, 'broken-haproxy')
    await mkdir(path.join(root, 'broken'))
    await writeFile(
      broken,
      '#!/bin/sh\n[ "$1" = -v ] && echo "HAProxy version 2.6.12" || { echo no luck >&2; exit 1; }\n',
      { mode: 0o755 },
    )
    const failing = haproxyRouter({ folder: path.join(root, 'broken'), program: broken }).address()
    await expect(failing).rejects.toMatchObject({
      code: 'router-failed',
      message: expect.stringContaining('no luck'),
    })
    expect(await readFile(path.join(root, 'broken', 'log'), 'utf8')).toContain('no luck')
  })
})
