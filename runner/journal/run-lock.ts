/**
 * One runner owns a run.
 *
 * Role: who may write a run's journal, proved by numbered files. Boundary: knows a folder, not what is in it.
 *
 *     none ──create 1──▶ held by 1 ──release──▶ free ──create 2──▶ held by 2 ──dies──▶ stale ──create 3──▶ …
 *
 *  K1. `lock.N.json` comes to be whole and once (a hard link to a finished file), and N is the highest plus one.
 *      The highest is the holder; its number is the fence. The files stay, so that a fence never returns.
 *  K2. A holder in this machine's present boot is judged by its process: alive as long as that very process is.
 *  K3. A holder elsewhere (a shared disk) is judged by its lease: it touches its file every few seconds, and
 *      is given up after thirty without. Both times are the file system's own, so clocks need not agree.
 *  K4. Whoever was taken over finds `lock.N+1.json`: `assertHeld` looks for exactly that, and throws.
 *      On a network disk the look is as fresh as that disk's cache of names.
 *  K5. A holder whose own file is gone holds nothing any more: what it wrote into a folder that was removed or
 *      moved away nobody would find. `assertHeld` looks for that too.
 */
import { existsSync, readFileSync } from 'node:fs'
import { type FileHandle, link, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StateError } from '../../src/errors.ts'
import type { Acquired, Holder } from '../../src/run/ports.ts'
import { syncFolder, temporaryName, writeFileDurably, writeSynced } from './durable-file.ts'
import { onState } from './on-state.ts'
import { livenessOf, type ProcessIdentity, thisProcess } from './process-identity.ts'

/** Milliseconds between signs of life. */
const BEAT = 5_000
/** Milliseconds without one after which a holder elsewhere is given up. */
const LEASE = 30_000

interface LockFile {
  readonly format: 1
  readonly fence: number
  readonly holder: Holder
  readonly process: ProcessIdentity
  readonly released: boolean
}

/** A run that is ours. */
export type RunLock = Extract<Acquired, { type: 'acquired' }> & {
  /**
   * Throws StateError `fenced` once another runner has taken the run over, `state-gone` once the run's folder is
   * no longer there. A few microseconds.
   */
  assertHeld(): void
  /** Who has taken the run over; null while it is ours. */
  successor(): Holder | null
  /** Calls back once, at the latest a beat after the run was taken over or its folder went. Returns what ends it. */
  onLost(callback: () => void): () => void
}

export interface LockOptions {
  /** Who we are to others; the default is this process. */
  readonly identity?: ProcessIdentity
  readonly beat?: number
  readonly lease?: number
}

/** Takes the run whose folder this is, or says who has it. @throws StateError `state-unusable`, `lock-unreadable` */
export const acquireRunLock = (
  folder: string,
  holder: Holder,
  options: LockOptions = {},
): Promise<RunLock | { readonly type: 'held'; readonly holder: Holder }> =>
  onState(folder, () => takeOrTell(folder, holder, options))

async function takeOrTell(
  folder: string,
  holder: Holder,
  options: LockOptions,
): Promise<RunLock | { readonly type: 'held'; readonly holder: Holder }> {
  const identity = options.identity ?? thisProcess()
  for (;;) {
    const fence = await highestFence(folder)
    const mine: LockFile = { format: 1, fence: fence + 1, holder, process: identity, released: false }
    const attempt = await claim(folder, mine, options.lease ?? LEASE)
    if (attempt === 'lost-race') continue
    if (attempt !== 'ours') return { type: 'held', holder: attempt }
    return HeldLock.open(folder, mine, options.beat ?? BEAT)
  }
}

/** Who holds a run now; null: nobody does, or its runner is gone. Writes nothing, unless the holder is elsewhere. */
export const currentHolder = (folder: string, options: LockOptions = {}): Promise<Holder | null> =>
  onState(folder, async () =>
    livingHolder(folder, await highestFence(folder), {
      identity: options.identity ?? thisProcess(),
      lease: options.lease ?? LEASE,
      now: () => timeOf(folder),
    }),
  )

/** The time by a file system's own clock, in milliseconds: that of a file just written there. */
async function timeOf(folder: string): Promise<number> {
  const probe = temporaryName(join(folder, 'lock'))
  try {
    await writeSynced(probe, '')
    return (await stat(probe)).mtimeMs
  } finally {
    await rm(probe, { force: true })
  }
}

async function claim(folder: string, mine: LockFile, lease: number): Promise<'ours' | 'lost-race' | Holder> {
  const file = temporaryName(join(folder, 'lock'))
  await writeSynced(file, toText(mine))
  try {
    const from = { identity: mine.process, lease, now: async () => (await stat(file)).mtimeMs }
    const living = await livingHolder(folder, mine.fence - 1, from)
    if (living !== null) return living
    await link(file, pathOf(folder, mine.fence))
    await syncFolder(folder)
    return 'ours'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return 'lost-race'
    throw error
  } finally {
    await rm(file, { force: true })
  }
}

/** Where we look from, and what time the file system says that it is. */
interface Standpoint {
  readonly identity: ProcessIdentity
  readonly lease: number
  readonly now: () => Promise<number>
}

async function livingHolder(folder: string, fence: number, from: Standpoint): Promise<Holder | null> {
  if (fence === 0) return null
  const lock = parseLock(pathOf(folder, fence), await readFile(pathOf(folder, fence), 'utf8'))
  if (lock.released) return null
  const liveness = livenessOf(lock.process, from.identity)
  const living = liveness === 'elsewhere' ? await hasLease(folder, fence, from) : liveness === 'alive'
  return living ? lock.holder : null
}

async function hasLease(folder: string, fence: number, from: Standpoint): Promise<boolean> {
  const beaten = await stat(pathOf(folder, fence))
  return (await from.now()) - beaten.mtimeMs <= from.lease
}

async function highestFence(folder: string): Promise<number> {
  const names = await readdir(folder)
  return Math.max(0, ...names.map(name => Number(/^lock\.(\d+)\.json$/.exec(name)?.[1] ?? 0)))
}

const pathOf = (folder: string, fence: number): string => join(folder, `lock.${fence}.json`)

const toText = (lock: LockFile): string => `${JSON.stringify(lock)}\n`

function parseLock(path: string, text: string): LockFile {
  try {
    const lock = JSON.parse(text) as LockFile
    if (lock.format === 1 && typeof lock.holder.pid === 'number' && lock.process.host !== '') return lock
  } catch {
    // Said below, together with a file of another format.
  }
  throw new StateError('lock-unreadable', `The lock ${path} is not one that this version understands.`, {
    hint: 'If no runner of this run is alive anywhere, remove that file and try again.',
  })
}

class HeldLock implements RunLock {
  readonly type = 'acquired'
  readonly fence: number
  readonly #folder: string
  readonly #lock: LockFile
  readonly #file: FileHandle
  readonly #timer: NodeJS.Timeout
  readonly #listeners = new Set<() => void>()
  #beating: Promise<void> = Promise.resolve()

  static async open(folder: string, lock: LockFile, beat: number): Promise<HeldLock> {
    return new HeldLock(folder, lock, await open(pathOf(folder, lock.fence), 'r+'), beat)
  }

  private constructor(folder: string, lock: LockFile, file: FileHandle, beat: number) {
    this.fence = lock.fence
    this.#folder = folder
    this.#lock = lock
    this.#file = file
    this.#timer = setInterval(() => this.#beat(), beat)
    this.#timer.unref()
  }

  assertHeld(): void {
    if (!existsSync(pathOf(this.#folder, this.fence))) throw gone(this.#folder, this.#lock)
    if (!existsSync(pathOf(this.#folder, this.fence + 1))) return
    const { run } = this.#lock.holder
    const by = describeHolder(this.successor())
    throw new StateError(
      'fenced',
      `The run ${run} was taken over by ${by}; this runner writes nothing more.`,
      {
        hint: `See what it does with \`release watch ${run}\`.`,
      },
    )
  }

  successor(): Holder | null {
    const path = pathOf(this.#folder, this.fence + 1)
    return existsSync(path) ? parseLock(path, readFileSync(path, 'utf8')).holder : null
  }

  onLost(callback: () => void): () => void {
    this.#listeners.add(callback)
    return () => this.#listeners.delete(callback)
  }

  readonly release = async (): Promise<void> => {
    clearInterval(this.#timer)
    await this.#beating
    await this.#file.close()
    if (this.successor() !== null) return
    await writeFileDurably(pathOf(this.#folder, this.fence), toText({ ...this.#lock, released: true }))
  }

  #beat(): void {
    // The first byte written over with itself: the file system stamps the time, by its own clock.
    this.#beating = this.#file.write('{', 0).then(
      () => {},
      () => {}, // A disk that takes no beat takes no record either, and the journal says so better.
    )
    if (existsSync(pathOf(this.#folder, this.fence)) && this.successor() === null) return
    clearInterval(this.#timer)
    for (const callback of this.#listeners) callback()
    this.#listeners.clear()
  }
}

const gone = (folder: string, { holder, fence }: LockFile): StateError =>
  new StateError(
    'state-gone',
    `The run ${holder.run} can no longer be written: its folder ${folder} was removed or moved away while it ran (lock.${fence}.json is not there).`,
    {
      hint: `Nothing more was started. Put the folder back, then: release resume ${holder.run}. Without it, start a new run: it finds out by itself what is already deployed.`,
    },
  )

/** `alice@techcorp.example on build-7 (process 4711, in /srv/phoenix)`, for refusals. */
export const describeHolder = (holder: Holder | null): string =>
  holder === null
    ? 'another runner'
    : `${holder.who} on ${holder.host} since ${inWords(holder.since)} (process ${holder.pid}, in ${holder.cwd})`

/** `2026-11-21 12:10:17 UTC` */
const inWords = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`
