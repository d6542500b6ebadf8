/** The local platform in a temporary home, with the small services of test/fixtures. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { type LocalPlatform, localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { localStop } from '../../runner/adapters/platforms/local/stop.ts'
import { faultPoints, promotionPoints } from '../../runner/adapters/platforms/local/world.ts'
import type { Revision } from '../../src/plan/plan.ts'
import type { Acquired } from '../../src/run/ports.ts'
import { isLive } from '../rig/processes.ts'
import type { LockElsewhere, PlatformRig } from './platform.ts'
import type { ChildInput, ChildOrder } from './platform-child.ts'

const services = path.resolve(import.meta.dirname, '../fixtures/services')
const child = path.resolve(import.meta.dirname, 'platform-child.ts')

export interface LocalRig extends PlatformRig {
  readonly platform: LocalPlatform
  readonly home: string
  readonly cluster: string
}

const spawnChild = (rig: { home: string; cluster: string }, order: ChildOrder): ChildProcess => {
  const input: ChildInput = { home: rig.home, cluster: rig.cluster, order }
  return spawn(process.execPath, [child, JSON.stringify(input)], { stdio: ['ignore', 'pipe', 'inherit'] })
}

const killChild = async (process: ChildProcess): Promise<void> => {
  if (process.exitCode !== null || process.signalCode !== null) return
  const exited = once(process, 'exit')
  process.kill('SIGKILL')
  await exited
}

const isKilled = async (process: ChildProcess): Promise<boolean> => {
  const [, signal] = (await once(process, 'exit')) as [number | null, string | null]
  return signal === 'SIGKILL'
}

/** Processes whose environment has the entry. */
export const processesWith = (entry: string): readonly number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(entry) && isLive(pid)
      } catch {
        return false
      }
    })
    .map(Number)
    .sort((a, b) => a - b)

const health = { path: '/health', timeout: 15_000, interval: 50 }

export const localRig = async (): Promise<LocalRig> => {
  const root = await mkdtemp(path.join(tmpdir(), 'release-local-'))
  const home = path.join(root, 'home')
  const cluster = 'contract'
  const environment = `environment-${path.basename(root)}`
  const platform = localPlatform({ home, cluster })
  let copies = 0

  const copyOf = async (service: string): Promise<string> => {
    copies += 1
    const copy = path.join(root, `source-${copies}`)
    await cp(path.join(services, service), copy, { recursive: true })
    return copy
  }
  const keep = async (service: string, more: Partial<Revision>): Promise<Revision> => {
    const source = await copyOf(service)
    const digest = await platform.digest(source)
    await platform.keep(source, digest)
    await rm(source, { recursive: true })
    return { component: '', version: '0.0.0', digest, start: ['node', 'server.js'], health, env: {}, ...more }
  }
  const lockElsewhere = async (component: string, run: string): Promise<LockElsewhere> => {
    const started = spawnChild({ home, cluster }, { action: 'lock', environment, component, run })
    const [line] = (await once(createInterface({ input: started.stdout! }), 'line')) as [string]
    const acquired = JSON.parse(line) as Acquired
    const kill = () => killChild(started)
    if (acquired.type === 'acquired')
      return { type: 'acquired', fence: acquired.fence, run: null, pid: started.pid!, kill }
    await kill()
    return { type: 'held', fence: null, run: acquired.holder.run, pid: started.pid!, kill }
  }

  return {
    platform,
    home,
    cluster,
    environment,
    faultPoints,
    promotionPoints,
    source: version => copyOf(version === '1.0.0' ? 'counter-v1' : 'counter-v2'),
    revision: version => keep(version === '1.0.0' ? 'counter-v1' : 'counter-v2', { version }),
    broken: kind =>
      kind === 'ends at once'
        ? keep('crasher', { version: '3.0.0' })
        : keep('ill', { version: '3.0.0', health: { ...health, timeout: 4_000 } }),
    processes: async () => processesWith(`RELEASE_ENVIRONMENT=${environment}`),
    async kill(pid) {
      process.kill(pid, 'SIGKILL')
      // What it ran with is gone before it has ended: until then it runs, and is only not well.
      while (isLive(pid)) await new Promise(setImmediate)
    },
    crash: (desired, at) => isKilled(spawnChild({ home, cluster }, { action: 'converge', desired, ...at })),
    crashPromotion: (promotion, at) =>
      isKilled(spawnChild({ home, cluster }, { action: 'promote', promotion, ...at })),
    lockElsewhere,
    async dispose() {
      await localStop(home, { owned: 'stop', settings: { drainTimeout: 1_000, stopGrace: 1_000 } })
      await rm(root, { recursive: true, force: true })
    },
  }
}
