/**
 * HAProxy's process: found, started, reloaded and ended.
 *
 * Started by a runner, it outlives it, is found again by the next, and comes back on the same port after it was killed.
 *
 * Invariants:
 *  1. One HAProxy a folder: it is started and reloaded by who holds the folder (exclusive.ts), and what still carries
 *     the folder's token is ended before another is started.
 *  2. It listens on 127.0.0.1, and on sockets in its own folder that only this user may open.
 *  3. A configuration is checked by HAProxy itself before a running one is asked to read it.
 */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ReleaseError } from '../../../../src/errors.ts'
import { baseEnvironment } from '../../loopback/child-environment.ts'
import { type RouterState, readRoutings, recordedRouter } from '../../loopback/kept-routing.ts'
import { freePort } from '../../loopback/ports.ts'
import {
  endInstance,
  identify,
  isAlive,
  leaderOf,
  TOKEN_VARIABLE,
  waitUntil,
} from '../../loopback/process-table.ts'
import { readState, replaceFile } from '../../loopback/state-file.ts'
import { renderFiles } from './config.ts'
import { ADMIN_SOCKET, CONFIG, haproxyFiles, MASTER_SOCKET } from './files.ts'
import { findProgram } from './program.ts'
import { converse, dismiss, Unreachable } from './session.ts'
import { listWorkers } from './workers.ts'

const START_MS = 20_000
const CHECK_MS = 10_000
/** One that lives is not replaced before this: on a busy machine an answer may take its time. */
const PATIENCE_MS = 15_000
const END_MS = 6_000
const TRIES = 3

export interface Place {
  readonly folder: string
  /** As it was asked for: a name or a path. */
  readonly program: string
}

/**
 * The pid of the worker that takes requests, as itself and its master say; null where they do not, or not yet: a master
 * that reloads is out of reach for a moment.
 */
const answeringWorker = async (folder: string): Promise<number | null> => {
  try {
    const said = await converse(folder, ADMIN_SOCKET, ({ ask }) => ask('show info'))
    const pid = Number(/^Pid: (\d+)$/m.exec(said)?.[1])
    const known = (await listWorkers(folder)).some(worker => worker.takes && worker.pid === pid)
    return known ? pid : null
  } catch (error) {
    if (error instanceof Unreachable) return null
    throw error
  }
}

/** What HAProxy's processes carry in their environment, so that none is lost whose start was not recorded. */
const tokenOf = (folder: string): string =>
  `router-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`

/** The folder's HAProxy, started if need be. Fails with `haproxy-missing`, `haproxy-too-old` or `router-failed`. */
export const ensureRunning = async (place: Place): Promise<RouterState> => {
  const state = await recordedRouter(place.folder)
  if (state !== null) {
    // Where its worker was killed, the master ends by itself: that is waited for, or the answer.
    const settled = async () => !isAlive(state.process) || (await answeringWorker(place.folder)) !== null
    await waitUntil(settled, PATIENCE_MS)
    if (isAlive(state.process) && (await answeringWorker(place.folder)) !== null) return state
  }
  return start(place)
}

/** Ends it, if it runs, with all its workers. */
export const endRouter = async (folder: string): Promise<void> => {
  const token = tokenOf(folder)
  await endInstance(token, leaderOf(token), END_MS)
}

const start = async (place: Place): Promise<RouterState> => {
  const program = await findProgram(place.program)
  const { folder } = place
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await endRouter(folder)
  const before = await readState<RouterState>(haproxyFiles(folder).state)
  for (let tries = 0; tries < TRIES; tries += 1) {
    // The port of before where it is free, since instances and people know it.
    const port = tries === 0 && before !== null ? before.port : await freePort()
    await writeConfiguration(folder, port)
    const state = await launch(program, folder, port)
    if (state !== null) return state
  }
  throw await failed(folder, 'did not start')
}

const writeConfiguration = async (folder: string, port: number): Promise<void> => {
  const files = renderFiles({ port, components: await readRoutings(folder) })
  for (const [name, text] of Object.entries(files))
    await writeFile(path.join(folder, name), text, { mode: 0o600 })
}

/** null: it ended instead of answering. */
const launch = async (program: string, folder: string, port: number): Promise<RouterState | null> => {
  const log = openSync(haproxyFiles(folder).log, 'a', 0o600)
  let ended = false
  try {
    const child = spawn(program, ['-W', '-db', '-f', CONFIG, '-S', `unix@${MASTER_SOCKET},mode,600`], {
      cwd: folder,
      detached: true,
      env: { ...baseEnvironment(), [TOKEN_VARIABLE]: tokenOf(folder) },
      stdio: ['ignore', log, log],
    })
    const end = () => {
      ended = true
    }
    child.once('exit', end)
    child.once('error', end)
    child.unref()
    const answers = async () => ended || (await answeringWorker(folder)) !== null
    const process = child.pid === undefined ? null : identify(child.pid)
    if (process === null || !(await waitUntil(answers, START_MS)) || ended) return null
    const state: RouterState = { format: 1, port, process }
    await replaceFile(haproxyFiles(folder).state, `${JSON.stringify(state, null, 2)}\n`)
    return state
  } finally {
    closeSync(log)
  }
}

const failed = async (folder: string, what: string, said?: string): Promise<ReleaseError> => {
  const { log } = haproxyFiles(folder)
  const text = said ?? (await readFile(log, 'utf8').catch(() => ''))
  const tail = text.trimEnd().split('\n').slice(-10).join('\n')
  return new ReleaseError('router-failed', `HAProxy in ${folder} ${what}. It last said:\n${tail}`, {
    hint: `Its whole log is ${log}.`,
  })
}

const check = async (place: Place): Promise<void> => {
  const program = await findProgram(place.program)
  const said = await new Promise<string | null>(resolve => {
    const options = { cwd: place.folder, timeout: CHECK_MS, env: baseEnvironment() }
    execFile(program, ['-c', '-f', CONFIG], options, (error, _, stderr) => resolve(error ? stderr : null))
  })
  if (said !== null) throw await failed(place.folder, 'refuses its configuration', said)
}

/**
 * Has HAProxy read the routes anew: a new worker takes the sockets over, the one before finishes what it answers.
 * Fails with `router-failed` where no new worker answers; the one before then goes on.
 */
export const reload = async (place: Place, state: RouterState): Promise<void> => {
  const { folder } = place
  await writeConfiguration(folder, state.port)
  await check(place)
  const before = (await listWorkers(folder)).find(({ takes }) => takes)?.pid ?? null
  await dismiss(folder, MASTER_SOCKET, 'reload')
  const isNew = async () => {
    const now = await answeringWorker(folder)
    return now !== null && now !== before
  }
  if (await waitUntil(isNew, START_MS)) return
  throw await failed(folder, 'did not take its new configuration')
}
