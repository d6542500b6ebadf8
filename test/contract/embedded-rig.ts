/** The embedded ground's rig: a run folder of its own, and runners that look dead to the next one. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedGroundOptions, embeddedGround } from '../../runner/engine/embedded-ground.ts'
import { sendSignal } from '../../runner/journal/inbox.ts'
import { createJournal } from '../../runner/journal/journal-file.ts'
import { thisProcess } from '../../runner/journal/process-identity.ts'
import { readJournal } from '../../runner/journal/read.ts'
import { acquireRunLock, type RunLock } from '../../runner/journal/run-lock.ts'
import type { Holder } from '../../src/run/ports.ts'
import type { DurableRig } from './durable-port.ts'

export interface EmbeddedRig extends DurableRig {
  readonly folder: string
  readonly journal: string
}

/** A process that was here and is gone: what holds its lock is taken over at once. */
export const deadProcess = { ...thisProcess(), pid: 2 ** 22 + 1, startedAt: '1' }

export const holder = (who: string): Holder => ({
  run: 'rig',
  who,
  host: 'here',
  pid: 1,
  cwd: '/srv/phoenix',
  since: 0,
})

export async function takeLock(folder: string, who = 'alice'): Promise<RunLock> {
  const lock = await acquireRunLock(folder, holder(who), { identity: deadProcess, beat: 20 })
  if (lock.type === 'held') throw new Error(`held by ${lock.holder.who}`)
  return lock
}

/** A new run in a folder under the system's temporary one, or the one in `folder`. */
export async function embeddedRig(
  options: Partial<EmbeddedGroundOptions> = {},
  folder?: string,
): Promise<EmbeddedRig> {
  const path = folder ?? (await newRunFolder())
  const journal = join(path, 'journal.jsonl')
  const inbox = join(path, 'inbox')
  const locks: RunLock[] = []
  const lockIt = async (who: string): Promise<RunLock> => {
    const lock = await takeLock(path, who)
    locks.push(lock)
    return lock
  }
  return {
    folder: path,
    journal,
    open: async () => embeddedGround({ journal, inbox, lock: await lockIt('alice'), poll: 50, ...options }),
    durable: async () => (await readJournal(journal)).events,
    crashPoints: async () => (await readJournal(journal)).position.seq + 1,
    crashedAt: async point => embeddedRig(options, await copyOf(path, point)),
    send: async (key, signal) => {
      await sendSignal(inbox, key, signal)
    },
    takeOver: async () => {
      await lockIt('bob')
      return holder('bob')
    },
    dispose: async () => {
      for (const lock of locks) await lock.release()
      await rm(path, { recursive: true })
    },
  }
}

async function newRunFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'durable-'))
  await mkdir(join(path, 'inbox'))
  await createJournal(join(path, 'journal.jsonl'), 'rig')
  return path
}

/** The run's folder with its journal cut after record `point`. */
async function copyOf(path: string, point: number): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'durable-'))
  await mkdir(join(copy, 'inbox'))
  const names = await readdir(path)
  for (const name of names.filter(one => one.startsWith('lock.'))) await copyIfThere(path, copy, name)
  for (const name of await readdir(join(path, 'inbox'))) await copyIfThere(path, copy, join('inbox', name))
  const lines = (await readFile(join(path, 'journal.jsonl'), 'utf8')).split('\n')
  await writeFile(join(copy, 'journal.jsonl'), `${lines.slice(0, point + 1).join('\n')}\n`)
  return copy
}

/** The living runner may be taking an answered signal away at this very moment. */
async function copyIfThere(from: string, to: string, name: string): Promise<void> {
  try {
    await copyFile(join(from, name), join(to, name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
