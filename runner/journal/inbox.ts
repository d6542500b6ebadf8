/**
 * People's words on their way to a run, as files: one signal, one file.
 *
 * Role: `release approve`, `reject` and `cancel` put them here; the runner takes them out.
 * Boundary: knows nothing of what a signal means; nothing in it is believed.
 *
 *  M1. A signal is there whole, and on the disk when `sendSignal` resolves.
 *  M2. Signals are read in the order in which they were sent, and each has a name of its own for ever.
 *  M3. What cannot be read as a signal is put aside as `.unreadable`, for a person to look at.
 */
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Signal } from '../../src/run/ports.ts'
import { writeFileDurably } from './durable-file.ts'
import { onState } from './on-state.ts'

export interface Letter {
  /** The file's name. */
  readonly id: string
  /** The node's key, or `run` for what concerns the whole run. */
  readonly key: string
  readonly signal: Signal
}

/** Puts a signal into a run's inbox, durably. Returns its id. @throws StateError `state-unusable` */
export const sendSignal = (inbox: string, key: string, signal: Signal): Promise<string> =>
  onState(inbox, () => send(inbox, key, signal))

async function send(inbox: string, key: string, signal: Signal): Promise<string> {
  const last = (await letterNames(inbox)).at(-1)
  const number = last === undefined ? 1 : Number.parseInt(last, 10) + 1
  // Two that write at once may get one number; the rest of the name tells them apart.
  const id = `${String(number).padStart(8, '0')}-${randomBytes(8).toString('hex')}.json`
  await writeFileDurably(join(inbox, id), `${JSON.stringify({ format: 1, key, signal })}\n`)
  return id
}

/**
 * The signals that wait, in the order in which they were sent; those with a known id are left out.
 * @throws StateError `state-unusable`
 */
export const readInbox = (inbox: string, known: ReadonlySet<string>): Promise<readonly Letter[]> =>
  onState(inbox, () => readLetters(inbox, known))

async function readLetters(inbox: string, known: ReadonlySet<string>): Promise<readonly Letter[]> {
  const letters: Letter[] = []
  for (const id of await letterNames(inbox)) {
    if (known.has(id)) continue
    const letter = await readLetter(inbox, id)
    if (letter !== null) letters.push(letter)
  }
  return letters
}

/** Takes a signal out for good. */
export const removeSignal = (inbox: string, id: string): Promise<void> => rm(join(inbox, id), { force: true })

async function letterNames(inbox: string): Promise<readonly string[]> {
  const names = await readdir(inbox)
  return names.filter(name => /^\d{8,}-[0-9a-f]{16}\.json$/.test(name)).sort(bySending)
}

const bySending = (a: string, b: string): number =>
  Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1)

async function readLetter(inbox: string, id: string): Promise<Letter | null> {
  const path = join(inbox, id)
  const letter = parseLetter(await readFile(path, 'utf8'))
  if (letter === null) await rename(path, `${path}.unreadable`)
  return letter === null ? null : { id, ...letter }
}

function parseLetter(text: string): { key: string; signal: Signal } | null {
  let value: { format?: unknown; key?: unknown; signal?: unknown } | null
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (value?.format !== 1 || typeof value.key !== 'string') return null
  return isSignal(value.signal) ? { key: value.key, signal: value.signal } : null
}

function isSignal(value: unknown): value is Signal {
  const signal = value as Signal | null | undefined
  switch (signal?.type) {
    case 'decision': {
      const { decision } = signal
      const signature: unknown = decision?.signature
      return typeof decision?.statement === 'string' && (signature === null || typeof signature === 'string')
    }
    case 'stop':
      return (signal.by === 'interrupt' || signal.by === 'cancel') && typeof signal.who === 'string'
    case 'abort':
      return typeof signal.who === 'string'
    default:
      return false
  }
}
