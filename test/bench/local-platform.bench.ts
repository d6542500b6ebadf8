/**
 * What the local platform costs.
 *
 * How long a service of two instances takes to come up, to be replaced and to be found as it should be,
 * beside the start of the bare processes; and the requests a second through the gateway beside those without.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Pool } from 'undici'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { localStop } from '../../runner/adapters/platforms/local/stop.ts'
import type { Revision } from '../../src/plan/plan.ts'
import type { Platform } from '../../src/run/ports.ts'
import { type Bench, median, type Row, ratioOf } from './table.ts'

const SECONDS = 3
const CONNECTIONS = 16

const services = path.resolve(import.meta.dirname, '../fixtures/services')
const place = {
  environment: 'bench',
  component: 'counter',
  side: 'stable' as const,
  from: 0,
  to: 2,
  maxUnavailable: 0,
}
const context = {
  signal: new AbortController().signal,
  fence: 0,
  log: () => undefined,
  secret: async () => '',
}
const health = { path: '/health', timeout: 20_000, interval: 100 }

const revisionOf = async (platform: Platform, folder: string, version: string): Promise<Revision> => {
  const source = path.join(services, folder)
  const digest = await platform.digest(source)
  await platform.keep(source, digest)
  return { component: 'counter', version, digest, start: ['node', 'server.js'], health, env: {} }
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await work()
  return performance.now() - from
}

const unusedPort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

/** The floor: both processes started at once, until both have said that they listen. */
const bare = async (): Promise<number> => {
  const ports = [await unusedPort(), await unusedPort()]
  const children: ReturnType<typeof spawn>[] = []
  const took = await timed(() =>
    Promise.all(
      ports.map(port => {
        const env = { PATH: process.env.PATH, PORT: String(port), HOST: '127.0.0.1' }
        const child = spawn('node', ['server.js'], { cwd: path.join(services, 'counter-v1'), env })
        children.push(child)
        return once(child.stdout, 'data')
      }),
    ),
  )
  for (const child of children) child.kill()
  return took
}

/** Requests a second, each connection asking again as soon as it is answered. */
const throughput = async (address: string): Promise<number> => {
  const { origin, pathname } = new URL(address)
  const pool = new Pool(origin, { connections: CONNECTIONS })
  let count = 0
  const end = performance.now() + SECONDS * 1000
  const ask = async () => {
    while (performance.now() < end) {
      const { statusCode, body } = await pool.request({ path: pathname, method: 'GET' })
      await body.dump()
      if (statusCode !== 200) throw new Error(`status ${statusCode} from ${address}`)
      count += 1
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, ask))
  await pool.close()
  return count / SECONDS
}

export const rows: Bench = async ({ quick, progress }) => {
  const home = await mkdtemp(path.join(tmpdir(), 'local-bench-'))
  const platform = localPlatform({ cluster: 'bench', home })
  try {
    const one = await revisionOf(platform, 'counter-v1', '1.0.0')
    const two = await revisionOf(platform, 'counter-v2', '2.0.0')
    const base = await platform.gateway('bench')
    progress('two instances up, found as they should be, replaced')
    const times = await converging(platform, { one, two, turns: quick ? 2 : 7 })
    progress('requests')
    const { instances } = await platform.converge({ ...place, to: 1, revision: one }, context)
    const turns = quick ? 1 : 3
    const asked = { direct: [] as number[], through: [] as number[] }
    for (let turn = 0; turn < turns; turn += 1) {
      asked.direct.push(await throughput(`${instances[0]!.address}/`))
      asked.through.push(await throughput(`${base}/counter/`))
    }
    const row = (name: string, values: readonly number[]): Row => ({
      area: 'local platform',
      name,
      value: median(values),
      unit: 'ms',
      ratio: ratioOf(values, times.bare),
      against: 'the start of the bare processes',
    })
    return [
      row('a service of two instances up, healthy, with traffic', times.up),
      row('replaced by another version', times.replaced),
      row('found to be as it should be', times.asItIs),
      {
        area: 'local platform',
        name: 'requests through the gateway',
        value: median(asked.through),
        unit: 'requests/s',
        ratio: ratioOf(asked.through, asked.direct),
        against: 'those without it',
      },
    ]
  } finally {
    await localStop(home)
    await rm(home, { recursive: true, force: true })
  }
}

/** Milliseconds, turn by turn. */
async function converging(
  platform: Platform,
  { one, two, turns }: { readonly one: Revision; readonly two: Revision; readonly turns: number },
) {
  const times = { bare: [] as number[], up: [] as number[], replaced: [] as number[], asItIs: [] as number[] }
  for (let turn = 0; turn < turns; turn += 1) {
    times.bare.push(await bare())
    times.up.push(await timed(() => platform.converge({ ...place, revision: one }, context)))
    times.asItIs.push(await timed(() => platform.converge({ ...place, revision: one }, context)))
    times.replaced.push(await timed(() => platform.converge({ ...place, revision: two }, context)))
    await platform.converge({ ...place, revision: null }, context)
  }
  return times
}
