/**
 * One instance: how its process is started, found healthy, and ended.
 *
 * Invariants:
 *  I1. Its record is durable before its process is, and names that process before it gets traffic.
 *  I2. Secrets go into its environment and nowhere else; what it printed is scrubbed before it is shown.
 *  I3. It is ended with all of its processes; only then is its record forgotten.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { open, readdir, unlink } from 'node:fs/promises'
import path from 'node:path'
import { ReleaseError } from '../../../../src/errors.ts'
import type { Revision, Side } from '../../../../src/plan/plan.ts'
import type { PlatformContext } from '../../../../src/run/ports.ts'
import { type Disguise, disguisesOf, scrub } from '../../../../src/run/scrub.ts'
import { ask, isOk } from '../../loopback/ask.ts'
import { baseEnvironment } from '../../loopback/child-environment.ts'
import { freePort } from '../../loopback/ports.ts'
import {
  bootId,
  endInstance,
  identify,
  isAlive,
  leaderOf,
  TOKEN_VARIABLE,
  waitUntil,
} from '../../loopback/process-table.ts'
import { isCode } from '../../loopback/state-file.ts'
import { segment } from './home.ts'
import { forgetRecord, type InstanceRecord, takenPorts, writeRecord } from './instance-records.ts'
import type { Site } from './world.ts'

/** An instance that this process has started, or has found. */
export interface Live {
  readonly record: InstanceRecord
  /** How it ended; null: it has not. */
  readonly ending: () => string | null
  readonly disguises: readonly Disguise[]
}

export interface StartOrder {
  readonly site: Site
  readonly side: Side
  readonly slot: number
  readonly revision: Revision
  /** The environment's router, for what the instance asks of other components. */
  readonly gateway: string
  readonly context: PlatformContext
}

const PORT_TRIES = 3
const PROBE_MS = 2_000
const CONNECT_STEP_MS = 25
const TAIL_LINES = 20
const TAIL_BYTES = 16 * 1024
const LOGS_KEPT = 10

export const isRunning = (record: InstanceRecord): boolean =>
  record.process !== null && isAlive(record.process)

/**
 * Whether the instance's process lives and answers with 2xx now. One that says nothing in time is asked once more: on a
 * busy machine it may be that neither side got to run.
 */
export const isHealthy = async (record: InstanceRecord): Promise<boolean> => {
  const answer = await look(record)
  return (answer === 'late' ? await look(record) : answer) === 'well'
}

const look = async (record: InstanceRecord): Promise<'well' | 'ill' | 'late'> => {
  if (!isRunning(record)) return 'ill'
  const { path: address, timeout } = record.revision.health
  return ask({ port: record.port, path: address, timeout: Math.min(PROBE_MS, timeout) }).then(
    answer => (isOk(answer.status) ? 'well' : 'ill'),
    error => (isCode(error, 'ETIMEDOUT') ? 'late' : 'ill'),
  )
}

/** An instance that an earlier runner started. */
export const found = (record: InstanceRecord): Live => ({
  record,
  ending: () => (isRunning(record) ? null : 'ended'),
  disguises: [],
})

/**
 * Starts an instance and waits until it is healthy. Where that fails, nothing of it is left.
 * Fails with code `health-timeout`, `instance-exited`, `start-failed` or `cancelled`.
 */
export const startInstance = async (order: StartOrder): Promise<Live> => {
  for (let tries = 1; ; tries += 1) {
    const live = await launch(order)
    try {
      await awaitHealth(order.site, live, { within: order.revision.health.timeout, context: order.context })
      order.site.world.reached('healthy')
      return live
    } catch (error) {
      await discard(order.site, live.record)
      const lostPort = error instanceof ReleaseError && (error.tail ?? '').includes('EADDRINUSE')
      if (!lostPort || tries === PORT_TRIES) throw error
      order.context.log(
        `${nameOf(live.record)}: port ${live.record.port} was taken meanwhile, trying another`,
      )
    }
  }
}

const nameOf = (record: InstanceRecord): string =>
  `${record.component} ${record.revision.version} ${placeName(record)}`

/** As people call an instance's place: `slot 0`, `canary 0`. */
export const placeName = ({ side, slot }: { readonly side: Side; readonly slot: number }): string =>
  `${side === 'stable' ? 'slot' : side} ${slot}`

const launch = async (order: StartOrder): Promise<Live> => {
  const { site, side, slot, revision, context } = order
  const cwd = await site.world.store.filesOf(revision.digest)
  const secrets = await readSecrets(revision, context)
  const token = randomBytes(16).toString('hex')
  const intent: InstanceRecord = {
    format: 1,
    token,
    component: site.component,
    side,
    slot,
    revision,
    port: await freePort(await takenPorts(site.world.home)),
    process: null,
    boot: bootId(),
    log: await newLog(site, { side, slot }, token),
    since: Date.now(),
  }
  await writeRecord(site.folders.instances, intent)
  site.world.reached('intended')
  const child = startProcess(intent, { cwd, env: environmentOf(order, intent, { cwd, secrets }) })
  const disguises = [...secrets].flatMap(([name, value]) => disguisesOf(name, value))
  return recordProcess(site, intent, { child, disguises, context })
}

const readSecrets = async (
  revision: Revision,
  context: PlatformContext,
): Promise<ReadonlyMap<string, string>> => {
  const values = new Map<string, string>()
  for (const value of Object.values(revision.env))
    if ('secret' in value) values.set(value.secret, await context.secret(value.secret))
  return values
}

const environmentOf = (
  { site, slot, revision, gateway }: StartOrder,
  record: InstanceRecord,
  { cwd, secrets }: { cwd: string; secrets: ReadonlyMap<string, string> },
): Record<string, string> => {
  const base = baseEnvironment()
  const own = Object.entries(revision.env).map(([name, value]) => [
    name,
    'secret' in value ? secrets.get(value.secret)! : value.value,
  ])
  return {
    ...base,
    PATH: [path.join(cwd, 'node_modules', '.bin'), base.PATH ?? ''].join(path.delimiter),
    ...Object.fromEntries(own),
    PORT: String(record.port),
    HOST: '127.0.0.1',
    RELEASE_COMPONENT: site.component,
    RELEASE_VERSION: revision.version,
    RELEASE_SLOT: String(slot),
    RELEASE_ENVIRONMENT: site.environment,
    RELEASE_GATEWAY: gateway,
    [TOKEN_VARIABLE]: record.token,
  }
}

/** A process group of its own, so that it outlives the runner and is ended as a whole. */
const startProcess = (
  record: InstanceRecord,
  options: { readonly cwd: string; readonly env: Record<string, string> },
): ChildProcess => {
  const [program, ...args] = record.revision.start
  const log = openSync(record.log, 'a', 0o600)
  try {
    const child = spawn(program!, args, { ...options, detached: true, stdio: ['ignore', log, log] })
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}

const recordProcess = async (
  site: Site,
  intent: InstanceRecord,
  started: { child: ChildProcess; disguises: readonly Disguise[]; context: PlatformContext },
): Promise<Live> => {
  const { child, disguises, context } = started
  let ending: string | null = null
  child.once('exit', (code, signal) => {
    ending = signal ? `was ended by ${signal}` : `exited with code ${code}`
  })
  const failure = await failureToStart(child)
  if (failure !== null) {
    await discard(site, intent)
    throw startFailed(intent, failure)
  }
  site.world.reached('spawned')
  const record = { ...intent, process: identify(child.pid!) }
  await writeRecord(site.folders.instances, record)
  site.world.reached('recorded')
  context.log(`${nameOf(record)}: started as process ${child.pid} on port ${record.port}`)
  return { record, ending: () => ending, disguises }
}

const failureToStart = (child: ChildProcess): Promise<Error | null> =>
  new Promise(resolve => {
    child.once('spawn', () => resolve(null))
    child.once('error', resolve)
  })

const startFailed = (record: InstanceRecord, cause: Error): ReleaseError => {
  const program = record.revision.start[0]
  const why = isCode(cause, 'ENOENT') ? 'there is no such program' : cause.message
  return new ReleaseError('start-failed', `${nameOf(record)} could not be started with ${program}: ${why}.`, {
    cause,
    hint: 'Check the component’s `start`: a program on the PATH, in node_modules/.bin, or a path within its folder.',
  })
}

/**
 * Waits until the instance answers its health check, asking every interval, for at most `within` milliseconds.
 * Fails with code `health-timeout`, `instance-exited` or `cancelled`.
 */
export const awaitHealth = async (
  site: Site,
  live: Live,
  { within, context }: { readonly within: number; readonly context: PlatformContext },
): Promise<void> => {
  const { record } = live
  const began = performance.now()
  let seen = NOT_ASKED
  for (;;) {
    if (context.signal.aborted) throw cancelled(record)
    if (hasEnded(live)) throw await notHealthy(site, live, 'instance-exited', seen)
    const left = within - (performance.now() - began)
    if (left <= 0) throw await notHealthy(site, live, 'health-timeout', seen)
    const answer = await probe(record, Math.min(PROBE_MS, left), context.signal)
    // A check that the time limit cut short says less than the one before it.
    if (seen === NOT_ASKED || left >= PROBE_MS || performance.now() - began < within) seen = answer.seen
    if (answer.ok && !hasEnded(live)) break
    const pause = answer.connected ? record.revision.health.interval : CONNECT_STEP_MS
    await waitUntil(() => hasEnded(live), Math.min(pause, left), context.signal)
  }
  context.log(`${nameOf(record)}: healthy after ${Math.round(performance.now() - began)} ms`)
}

const NOT_ASKED = 'not asked yet'

const hasEnded = (live: Live): boolean => live.ending() !== null

interface Probe {
  readonly ok: boolean
  /** Until something listens, it is asked more often than the interval says: that costs nothing. */
  readonly connected: boolean
  readonly seen: string
}

const probe = (record: InstanceRecord, timeout: number, signal: AbortSignal): Promise<Probe> =>
  ask({ port: record.port, path: record.revision.health.path, timeout, signal }).then(
    answer => ({ ok: isOk(answer.status), connected: true, seen: `status ${answer.status}` }),
    error => {
      if (isCode(error, 'ECONNREFUSED'))
        return { ok: false, connected: false, seen: 'no listener on its port' }
      const slow = isCode(error, 'ETIMEDOUT')
      return { ok: false, connected: true, seen: slow ? 'no answer in time' : 'a broken connection' }
    },
  )

export const cancelled = (record: { readonly component: string }): ReleaseError =>
  new ReleaseError(
    'cancelled',
    `The change of ${record.component} was stopped; its old instances go on serving.`,
  )

const notHealthy = async (
  site: Site,
  { record, ending, disguises }: Live,
  code: 'health-timeout' | 'instance-exited',
  seen: string,
): Promise<ReleaseError> => {
  const { path: address, timeout } = record.revision.health
  const where = `${nameOf(record)} in ${site.environment}`
  const message =
    code === 'instance-exited'
      ? `${where} ${ending()} before it was healthy (GET ${address}: ${seen}).`
      : `${where} was not healthy within ${timeout} ms: GET ${address} last gave ${seen}.`
  const tail = scrub(await tailOf(record.log), disguises)
  return new ReleaseError(code, message, {
    hint: `Its whole log is ${record.log}.`,
    ...(tail !== '' && { tail }),
  })
}

const tailOf = async (log: string): Promise<string> => {
  const handle = await open(log, 'r').catch(() => null)
  if (handle === null) return ''
  try {
    const { size } = await handle.stat()
    const { buffer, bytesRead } = await handle.read({
      buffer: Buffer.alloc(TAIL_BYTES),
      position: Math.max(0, size - TAIL_BYTES),
    })
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-TAIL_LINES).join('\n')
  } finally {
    await handle.close()
  }
}

/** A file for what the instance prints; of older ones in its place, the last few are kept. */
const newLog = async (
  site: Site,
  place: Pick<InstanceRecord, 'side' | 'slot'>,
  token: string,
): Promise<string> => {
  const prefix = `${place.side === 'stable' ? '' : `${place.side}-`}${place.slot}-`
  const folder = path.join(site.folders.logs, segment(site.component))
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const stamp = String(Date.now()).padStart(14, '0')
  const older = (await readdir(folder)).filter(name => name.startsWith(prefix)).sort()
  for (const name of older.slice(0, -LOGS_KEPT)) await unlink(path.join(folder, name)).catch(() => undefined)
  return path.join(folder, `${prefix}${stamp}-${token.slice(0, 8)}.log`)
}

/** Ends what never got traffic, and forgets it. */
export const discard = async (site: Site, record: InstanceRecord): Promise<void> => {
  await endAndForget(site, record, Math.min(site.world.settings.stopGrace, DISCARD_GRACE_MS))
}

/** Nobody waits for an answer of it. */
const DISCARD_GRACE_MS = 1_000

/** Ends all processes of the instance and forgets it. */
export const endAndForget = async (site: Site, record: InstanceRecord, grace: number): Promise<void> => {
  await endInstance(record.token, record.process ?? leaderOf(record.token), grace)
  site.world.reached('ended')
  await forgetRecord(site.folders.instances, record)
  site.world.reached('forgotten')
}
