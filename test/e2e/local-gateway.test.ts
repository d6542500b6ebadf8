/** The gateway as a process, before instances that misbehave to order. */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { endProcess, waitUntil } from '../../runner/adapters/loopback/process-table.ts'
import { gatewayFiles } from '../../runner/adapters/platforms/local/gateway/protocol.ts'
import { ensureGateway } from '../../runner/adapters/platforms/local/gateway-client.ts'
import { gatewayRouter } from '../../runner/adapters/platforms/local/gateway-router.ts'
import type { Route, Router } from '../../src/run/ports.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let folder: string
let base: string
let router: Router
const servers: Server[] = []
let names = 0

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'release-gateway-'))
  router = gatewayRouter({ environment: 'test', folder })
  base = `http://127.0.0.1:${(await ensureGateway(folder)).port}`
})

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

afterAll(async () => {
  await endProcess((await ensureGateway(folder)).process, 2_000)
  await rm(folder, { recursive: true })
})

/** An instance in this process; `/health` is answered unless the listener does so itself. */
const instance = async (listener: RequestListener, more: { sick?: () => boolean } = {}): Promise<Server> => {
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === '/health') return void outgoing.writeHead(more.sick?.() ? 503 : 200).end()
    listener(incoming, outgoing)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return server
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

const routeTo = (slot: number, port: number): Route => ({
  instance: `${names}-${slot}`,
  side: 'stable',
  slot,
  version: `${slot}.0.0`,
  port,
  health: '/health',
})

/** A component of its own, with its instances in slots 0, 1, … */
const component = async (...ports: readonly number[]): Promise<string> => {
  names += 1
  const name = `component-${names}`
  const add = ports.map((port, slot) => routeTo(slot, port))
  await router.change({ component: name, fence: 0, add, remove: [] })
  return name
}

const freedPort = async (): Promise<number> => {
  const server = await instance(() => undefined)
  const port = portOf(server)
  await new Promise(resolve => server.close(resolve))
  return port
}

const metric = async (line: string): Promise<number> => {
  const found = (await (await fetch(`${base}/-/metrics`)).text())
    .split('\n')
    .find(each => each.startsWith(`${line} `))
  return Number(found?.split(' ').at(-1) ?? Number.NaN)
}

const ok: RequestListener = (_, outgoing) => void outgoing.end('ok')
const cut: RequestListener = incoming => void incoming.socket.destroy()

describe('repeating', () => {
  const cases: readonly {
    name: string
    method: string
    headers?: Record<string, string>
    first: 'refuses' | 'cuts'
    expected: number
  }[] = [
    { name: 'GET, connection cut', method: 'GET', first: 'cuts', expected: 200 },
    { name: 'PUT, connection cut', method: 'PUT', first: 'cuts', expected: 200 },
    { name: 'DELETE, connection cut', method: 'DELETE', first: 'cuts', expected: 200 },
    { name: 'POST, connection cut', method: 'POST', first: 'cuts', expected: 502 },
    { name: 'PATCH, connection cut', method: 'PATCH', first: 'cuts', expected: 502 },
    {
      name: 'POST with a key, connection cut',
      method: 'POST',
      headers: { 'idempotency-key': '1' },
      first: 'cuts',
      expected: 200,
    },
    { name: 'POST, connection refused', method: 'POST', first: 'refuses', expected: 200 },
    { name: 'GET, connection refused', method: 'GET', first: 'refuses', expected: 200 },
  ]
  test.each(cases)('$name: $expected', async ({ method, headers, first, expected }) => {
    const port = first === 'refuses' ? await freedPort() : portOf(await instance(cut))
    const bodies: string[] = []
    const good = await instance(async (incoming, outgoing) => {
      bodies.push(await text(incoming))
      outgoing.end('ok')
    })
    const name = await component(port, portOf(good))
    const body = method === 'GET' ? undefined : 'the body'
    const response = await fetch(`${base}/${name}/`, {
      method,
      ...(headers && { headers }),
      ...(body && { body }),
    })
    expect(response.status).toBe(expected)
    expect(bodies).toEqual(expected === 200 ? [body ?? ''] : [])
    const reason = first === 'refuses' ? 'connect' : 'reset'
    const labels = `component="${name}",side="stable",version="0.0.0",slot="0",reason="${reason}"`
    expect(await metric(`release_gateway_attempt_failures_total{${labels}}`)).toBe(1)
  })

  test('a body beyond the bound is streamed whole, and sent elsewhere only if the connection was refused', async () => {
    const big = Buffer.alloc(3 * 1024 * 1024, 'x')
    const good = await instance(async (incoming, outgoing) =>
      outgoing.end(String((await buffer(incoming)).length)),
    )
    const refused = await component(await freedPort(), portOf(good))
    const moved = await fetch(`${base}/${refused}/`, { method: 'POST', body: big })
    expect([moved.status, await moved.text()]).toEqual([200, String(big.length)])

    const torn = await component(portOf(await instance(cut)), portOf(good))
    expect((await fetch(`${base}/${torn}/`, { method: 'PUT', body: big })).status).toBe(502)
    // The connection on which the body was not taken serves the next request.
    expect(await (await fetch(`${base}/${refused}/`, { method: 'POST', body: 'abc' })).text()).toBe('3')
  })

  test('an answer that breaks off is not passed for whole', async () => {
    const half = await instance((_, outgoing) => {
      outgoing.writeHead(200, { 'content-length': '10' })
      outgoing.write('half', () => outgoing.destroy())
    })
    const name = await component(portOf(half))
    const response = await fetch(`${base}/${name}/`)
    await expect(response.text()).rejects.toThrow()
    expect(
      await metric(
        `release_gateway_errors_total{component="${name}",side="stable",version="0.0.0",slot="0"}`,
      ),
    ).toBe(1)
  })

  test('connections that the instance closes while they idle lose no request, whatever the method', async () => {
    let used = 0
    const impatient = await instance((incoming, outgoing) => {
      used += 1
      const { socket } = incoming
      // Promises to keep the connection, and closes it at once.
      outgoing.end('ok', () => setImmediate(() => socket.destroy()))
    })
    const name = await component(portOf(impatient))
    const statuses = new Set<number>()
    for (let count = 0; count < 200; count += 1) {
      const response = await fetch(`${base}/${name}/`, { method: count % 2 ? 'POST' : 'GET' })
      statuses.add(response.status)
      await response.arrayBuffer()
    }
    expect([...statuses]).toEqual([200])
    expect(used).toBe(200)
  })
})

describe('choosing', () => {
  test('takes turns among equals, and prefers who has less to do', async () => {
    const waiting: (() => void)[] = []
    const slow = await instance((_, outgoing) => void waiting.push(() => outgoing.end('slow')))
    const quick = await instance((_, outgoing) => void outgoing.end('quick'))
    const name = await component(portOf(slow), portOf(quick))
    const held = fetch(`${base}/${name}/`)
    expect(await waitUntil(() => waiting.length === 1, 5_000)).toBe(true)
    for (let count = 0; count < 5; count += 1)
      expect(await (await fetch(`${base}/${name}/`)).text()).toBe('quick')
    waiting[0]!()
    expect(await (await held).text()).toBe('slow')
  })

  test('an instance that is found sick gets nothing until it is well again', async () => {
    let sick = true
    const first = await instance((_, outgoing) => void outgoing.end('first'), { sick: () => sick })
    const second = await instance((_, outgoing) => void outgoing.end('second'))
    const name = await component(portOf(first), portOf(second))
    const up = `release_gateway_instance_up{component="${name}",side="stable",version="0.0.0",slot="0"}`
    expect(await waitUntil(async () => (await metric(up)) === 0, 10_000)).toBe(true)
    for (let count = 0; count < 4; count += 1)
      expect(await (await fetch(`${base}/${name}/`)).text()).toBe('second')
    sick = false
    expect(await waitUntil(async () => (await metric(up)) === 1, 10_000)).toBe(true)
  })

  test('503 where nothing is routed, 404 where no component is, 400 for what is malformed', async () => {
    const name = await component(portOf(await instance(ok)))
    await router.change({ component: name, fence: 0, add: [], remove: [`${names}-0`] })
    expect((await fetch(`${base}/${name}/`)).status).toBe(503)
    expect((await fetch(`${base}/nobody/`)).status).toBe(404)
    const other = await component(portOf(await instance(ok)))
    expect(await statusOf(`GET /${other}/a\u00e9b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)).toBe(
      400,
    )
    expect(
      await metric(
        `release_gateway_instance_up{component="${other}",side="stable",version="0.0.0",slot="0"}`,
      ),
    ).toBe(1)
  })
})

/** Sends raw bytes, as no well-behaved client would. */
const statusOf = async (bytes: string): Promise<number> => {
  const socket = connect(Number(new URL(base).port), '127.0.0.1')
  socket.end(Buffer.from(bytes, 'latin1'))
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await text(socket))?.[1])
}

describe('passing on', () => {
  test('method, path, query, body and headers go through; what belongs to the connection does not', async () => {
    const echo = await instance(async (incoming, outgoing) => {
      outgoing.writeHead(201, { 'x-own': 'yes', 'set-cookie': ['a=1', 'b=2'], 'keep-alive': 'timeout=1' })
      outgoing.end(
        JSON.stringify({
          method: incoming.method,
          url: incoming.url,
          headers: incoming.headers,
          body: await text(incoming),
        }),
      )
    })
    const port = portOf(echo)
    const name = await component(port)
    const { status, headers, body } = await send(`/${name}/a/b?c=d&e`, {
      method: 'PATCH',
      headers: {
        'x-mine': 'm',
        connection: 'x-hop',
        'x-hop': 'h',
        te: 'trailers',
        'x-forwarded-for': '10.0.0.1',
      },
      body: 'hello',
    })
    expect(status).toBe(201)
    expect(headers).toMatchObject({
      'x-own': 'yes',
      'set-cookie': ['a=1', 'b=2'],
      'x-release-component': name,
      'x-release-version': '0.0.0',
      'x-release-slot': '0',
    })
    const seen = JSON.parse(body) as { headers: Record<string, string> }
    expect(seen).toMatchObject({
      method: 'PATCH',
      url: '/a/b?c=d&e',
      body: 'hello',
      headers: {
        host: `127.0.0.1:${port}`,
        'x-mine': 'm',
        'x-forwarded-for': '10.0.0.1, 127.0.0.1',
        'x-forwarded-host': new URL(base).host,
        'x-forwarded-prefix': `/${name}`,
      },
    })
    expect(seen.headers).not.toHaveProperty('x-hop')
    expect(seen.headers).not.toHaveProperty('te')
  })

  test('HEAD, 204 and 304 have no body and keep their headers', async () => {
    const server = await instance((incoming, outgoing) => {
      const status = Number(incoming.url!.slice(1))
      outgoing.writeHead(status, status === 200 ? { 'content-length': '5' } : {})
      outgoing.end(status === 200 ? 'hello' : undefined)
    })
    const name = await component(portOf(server))
    const head = await send(`/${name}/200`, { method: 'HEAD' })
    expect([head.status, head.headers['content-length'], head.body]).toEqual([200, '5', ''])
    for (const status of [204, 304])
      expect(await send(`/${name}/${status}`, {})).toMatchObject({ status, body: '' })
  })

  test('a client that goes away ends the request at the instance', async () => {
    let ended = false
    let asked = false
    const server = await instance(incoming => {
      asked = true
      incoming.socket.on('close', () => {
        ended = true
      })
    })
    const name = await component(portOf(server))
    const abort = new AbortController()
    const gone = fetch(`${base}/${name}/`, { signal: abort.signal }).catch(() => 'gone')
    expect(await waitUntil(() => asked, 5_000)).toBe(true)
    abort.abort()
    expect(await gone).toBe('gone')
    expect(await waitUntil(() => ended, 5_000)).toBe(true)
    const labels = `component="${name}",side="stable",version="0.0.0",slot="0"`
    const inFlight = `release_gateway_in_flight{${labels}}`
    expect(await waitUntil(async () => (await metric(inFlight)) === 0, 5_000)).toBe(true)
    const left = `release_gateway_requests_total{${labels},code="499"}`
    expect(await waitUntil(async () => (await metric(left)) === 1, 5_000)).toBe(true)
    expect(await metric(`release_gateway_request_duration_seconds_count{${labels}}`)).toBe(1)
  })

  test('a client that leaves in the middle of an answer was answered when that began', async () => {
    const server = await instance((_, outgoing) => void outgoing.writeHead(200).write('and so on'))
    const name = await component(portOf(server))
    const abort = new AbortController()
    const sent = performance.now()
    const answer = await fetch(`${base}/${name}/`, { signal: abort.signal })
    const waited = performance.now() - sent
    await answer.body!.getReader().read()
    // It listens for longer than it had waited.
    await pause(5 * waited)
    abort.abort()
    const counted = async () => (await router.counters(name))[0]
    expect(await waitUntil(async () => (await counted()) !== undefined, 5_000)).toBe(true)
    const { requests, errors, seconds } = (await counted())!
    expect([requests, errors]).toEqual([1, 0])
    expect(seconds).toBeLessThan(waited / 1000)
  })

  test('a client that leaves before its request was whole has asked for nothing', async () => {
    const name = await component(portOf(await instance(incoming => void incoming.resume())))
    const body = 2 * 1024 * 1024
    const outgoing = request(`${base}/${name}/`, { method: 'POST', headers: { 'content-length': body } })
    outgoing.on('error', () => undefined).write(Buffer.alloc(body / 2))
    const inFlight = `release_gateway_in_flight{component="${name}",side="stable",version="0.0.0",slot="0"}`
    expect(await waitUntil(async () => (await metric(inFlight)) === 1, 5_000)).toBe(true)
    outgoing.destroy()
    expect(await waitUntil(async () => (await metric(inFlight)) === 0, 5_000)).toBe(true)
    expect(await router.counters(name)).toEqual([])
  })
})

const send = (
  address: string,
  options: { method?: string; headers?: Record<string, string>; body?: string },
): Promise<{ status: number; headers: IncomingMessage['headers']; body: string }> =>
  new Promise((resolve, reject) => {
    const outgoing = request(`${base}${address}`, {
      method: options.method ?? 'GET',
      headers: options.headers,
    })
    outgoing.on('error', reject)
    outgoing.on('response', async incoming =>
      resolve({ status: incoming.statusCode!, headers: incoming.headers, body: await text(incoming) }),
    )
    outgoing.end(options.body)
  })

describe('control', () => {
  test('routes and drains want the token', async () => {
    for (const [method, address] of [
      ['GET', '/-/routes/nobody'],
      ['PATCH', '/-/routes'],
      ['POST', '/-/drain'],
    ])
      expect((await fetch(`${base}${address}`, { method: method! })).status).toBe(401)
    const authorization = `Bearer ${await readFile(gatewayFiles(folder).token, 'utf8')}`
    const asked = await fetch(`${base}/-/routes/nobody`, { headers: { authorization } })
    expect(await asked.json()).toMatchObject({ fence: 0, routes: [] })
  })

  test('a change with an older fence is refused and changes nothing', async () => {
    const name = await component(portOf(await instance(ok)))
    const change = { component: name, add: [], remove: [] as string[] }
    await router.change({ ...change, fence: 7, add: [routeTo(1, 1)] })
    const late = router.change({ ...change, fence: 6, remove: [`${names}-0`] })
    await expect(late).rejects.toMatchObject({ code: 'fenced' })
    expect((await fetch(`${base}/${name}/`)).status).toBe(200)
  })

  test('an instance that is taken out finishes what it answers, and draining waits for that', async () => {
    const waiting: (() => void)[] = []
    const slow = await instance((_, outgoing) => void waiting.push(() => outgoing.end('whole')))
    const name = await component(portOf(slow))
    const answer = fetch(`${base}/${name}/`)
    expect(await waitUntil(() => waiting.length === 1, 5_000)).toBe(true)
    const token = `${names}-0`
    await router.change({ component: name, fence: 0, add: [], remove: [token] })
    expect(await router.drain(token, 50)).toBe(1)
    const drained = router.drain(token, 10_000)
    waiting[0]!()
    expect(await drained).toBe(0)
    expect(await (await answer).text()).toBe('whole')
  })

  test('killed, it comes back on its port with its routes; many who miss it start one', async () => {
    const name = await component(portOf(await instance(ok)))
    const before = await ensureGateway(folder)
    process.kill(before.process.pid, 'SIGKILL')
    await waitUntil(async () => (await fetch(base).catch(() => null)) === null, 5_000)
    const [first, ...others] = await Promise.all([1, 2, 3].map(() => ensureGateway(folder)))
    expect(first!.port).toBe(before.port)
    expect(first!.process.pid).not.toBe(before.process.pid)
    expect(others).toEqual([first, first])
    expect((await fetch(`${base}/${name}/`)).status).toBe(200)
  })
})
