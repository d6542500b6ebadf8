/**
 * Reads a journal that another process may be appending to.
 *
 * Role: for status, logs, report, watch and verify. Boundary: writes nothing, takes no lock.
 *
 *  D1. Only records that count are shown; an append that is under way is waited for, never an error.
 *  D2. The chain is checked from the header on, whatever is read for.
 */
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StateError } from '../../src/errors.ts'
import type { Sha256 } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { type Entry, type Position, START, scan } from './frame.ts'
import { checkScan, damaged, readBytes, scanWhole } from './recovery.ts'
import { watchFolder } from './watch-folder.ts'

export interface JournalContent {
  readonly run: string
  readonly entries: readonly Entry[]
  readonly events: readonly RunEvent[]
  readonly position: Position
  /** Bytes of an append that is under way or was cut off by a crash. */
  readonly torn: number
}

/** Everything that counts. Throws StateError: `journal-damaged`, `journal-format`, `journal-unreadable`. */
export async function readJournal(path: string): Promise<JournalContent> {
  const found = scanWhole(await readBytes(path))
  const { run } = checkScan(path, found)
  const torn = found.ending.kind === 'torn' ? found.ending.bytes : 0
  return {
    run,
    entries: found.entries,
    events: found.entries.map(entry => entry.event),
    position: found.position,
    torn,
  }
}

export interface Verification {
  readonly run: string
  /** How many events there are. */
  readonly records: number
  /**
   * Hash of the last record. It stands for the whole journal: kept elsewhere, it shows also that nothing was
   * taken from the end and nothing was written anew.
   */
  readonly head: Sha256
  readonly torn: number
}

/** Checks every record and the chain. Throws as `readJournal` does. */
export async function verifyJournal(path: string): Promise<Verification> {
  const { run, entries, position, torn } = await readJournal(path)
  return { run, records: entries.length, head: position.hash, torn }
}

export interface FollowOptions {
  /** Milliseconds between looks where the system tells of no change (network disks). */
  readonly poll?: number
}

/**
 * Calls `onEvent` for every event, the recorded ones first and then each as it comes, until `signal` aborts.
 * Throws as `readJournal` does, and `journal-replaced` where what was already shown is no longer there.
 */
export async function follow(
  path: string,
  onEvent: (event: RunEvent) => void,
  signal: AbortSignal,
  options: FollowOptions = {},
): Promise<void> {
  const ended = new AbortController()
  const bell = changes(path, AbortSignal.any([signal, ended.signal]), options.poll ?? 500)
  try {
    for (let position = START; !signal.aborted; ) {
      const rung = bell.next()
      position = await advance(path, position, onEvent)
      await rung
    }
  } finally {
    ended.abort()
  }
}

/** Shows what has come since `position` and returns the new end. */
async function advance(
  path: string,
  position: Position,
  onEvent: (event: RunEvent) => void,
): Promise<Position> {
  const bytes = await readFrom(path, position.offset)
  if (bytes === null) throw replaced(path)
  const found = scan(bytes, position)
  // Another runner's file: what follows does not chain to what was shown.
  if (found.ending.kind === 'damaged' && position !== START) {
    throw (await isWhole(path)) ? replaced(path) : damaged(path, found.ending)
  }
  if (position === START) checkScan(path, found)
  for (const { event } of found.entries) onEvent(event)
  return found.position
}

const isWhole = async (path: string): Promise<boolean> =>
  scan(await readBytes(path), START).ending.kind !== 'damaged'

const replaced = (path: string): StateError =>
  new StateError('journal-replaced', `The journal ${path} was taken over by another runner meanwhile.`, {
    hint: 'Start the command again: it will show the journal that counts.',
  })

/** The bytes from `offset` on; null where the file is shorter. */
async function readFrom(path: string, offset: number): Promise<Buffer | null> {
  if (offset === 0) return readBytes(path)
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (size < offset) return null
    const bytes = Buffer.alloc(size - offset)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, offset)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** `next()` resolves at the first change after the call, at the next look, or when the signal aborts. */
function changes(path: string, signal: AbortSignal, poll: number): { next(): Promise<void> } {
  let ring = (): void => {}
  // The folder, not the file: a take-over puts another file into its place.
  const stopWatching = watchFolder(dirname(path), () => ring())
  const timer = setInterval(() => ring(), poll)
  signal.addEventListener(
    'abort',
    () => {
      stopWatching()
      clearInterval(timer)
      ring()
    },
    { once: true },
  )
  return {
    next: () =>
      new Promise(resolve => {
        if (signal.aborted) resolve()
        else ring = resolve
      }),
  }
}
