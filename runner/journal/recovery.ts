/**
 * Brings a journal back after a crash, before anything is appended to it.
 *
 * Role: decides what counts, refuses what is damaged, and puts a fresh file into the journal's place.
 * Boundary: the caller owns the run's lock; `guard` throws once that is no longer so.
 *
 *  R1. A record that counts (frame.ts) is never dropped; what a crash cut off always is.
 *  R2. Damage is refused with its position, and nothing is written.
 *  R3. The old file is never written to. The journal that goes on is a new file with the same records, so
 *      that a runner which was taken over and still holds the old one open writes where nobody reads.
 */
import { readFile } from 'node:fs/promises'
import { StateError } from '../../src/errors.ts'
import { writeFileDurably } from './durable-file.ts'
import {
  type Entry,
  type Header,
  JOURNAL_FORMAT,
  lacksOnlyItsLineFeed,
  type Position,
  type Scan,
  START,
  scan,
} from './frame.ts'

export interface Recovered {
  readonly run: string
  readonly entries: readonly Entry[]
  readonly position: Position
  /** How many bytes of an unfinished append were cut off. */
  readonly cut: number
}

/**
 * Reads a journal for appending. Throws StateError: `journal-damaged`, `journal-format`, `journal-unreadable`,
 * `journal-unwritable`, or what `guard` throws.
 */
export async function recoverJournal(path: string, guard: () => void): Promise<Recovered> {
  const { bytes, found } = withLineFeed(await readBytes(path))
  const header = checkScan(path, found)
  const { entries, position } = found
  try {
    await writeFileDurably(path, bytes.subarray(0, position.offset), { allowed: guard })
  } catch (error) {
    throw error instanceof StateError ? error : unwritable(path, error)
  }
  return { run: header.run, entries, position, cut: bytes.length - position.offset }
}

/** A last record that lacks only its line feed is whole by its hash: it is ended rather than dropped. */
function withLineFeed(bytes: Buffer): { readonly bytes: Buffer; readonly found: Scan } {
  const found = scanWhole(bytes)
  const { reached, ending } = found
  if (ending.kind !== 'torn' || !lacksOnlyItsLineFeed(bytes.subarray(reached.offset), reached)) {
    return { bytes, found }
  }
  const ended = Buffer.concat([bytes, Buffer.of(0x0a)])
  return { bytes: ended, found: scan(ended, START) }
}

let last: { readonly bytes: Buffer; readonly found: Scan } | null = null

/**
 * What a whole journal holds. One and the same bytes are scanned once: a resume reads the journal to know what it takes
 * up, and again when the run is its own. Whether they are the same is asked of every byte, never of the file's times.
 */
export function scanWhole(bytes: Buffer): Scan {
  if (last === null || !last.bytes.equals(bytes)) last = { bytes, found: scan(bytes, START) }
  return last.found
}

/** The header of what was scanned from the start. Throws StateError where it is damaged or of a newer format. */
export function checkScan(path: string, found: Scan): Header {
  if (found.ending.kind === 'damaged') throw damaged(path, found.ending)
  if (found.header === null) {
    throw damaged(path, { offset: 0, record: 0, reason: 'the header is not there' })
  }
  if (found.header.format > JOURNAL_FORMAT) throw newer(path, found.header.format)
  return found.header
}

export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new StateError('journal-unreadable', `The journal ${path} cannot be read: ${messageOf(error)}.`, {
      cause: error,
      hint: 'Name a run that `release list` shows, or restore its folder.',
    })
  }
}

/** Damage, with its place. */
export function damaged(
  path: string,
  where: { readonly offset: number; readonly record: number; readonly reason: string },
): StateError {
  return new StateError(
    'journal-damaged',
    `The journal ${path} is damaged at byte ${where.offset}, record ${where.record}: ${where.reason}.`,
    {
      hint:
        'It was altered or the disk has failed; no crash of a runner leaves this. Restore the file from a copy. ' +
        'Without one, start a new run: it finds out by itself what is already deployed.',
    },
  )
}

const newer = (path: string, format: number): StateError =>
  new StateError(
    'journal-format',
    `The journal ${path} has format ${format}, and this version of release-as-code reads up to ${JOURNAL_FORMAT}.`,
    { hint: 'Go on with the version that began the run, or a later one.' },
  )

/** Writing has failed for a reason outside of us. */
export const unwritable = (path: string, cause: unknown): StateError =>
  new StateError('journal-unwritable', `The journal ${path} cannot be written: ${messageOf(cause)}.`, {
    cause,
    hint: 'Nothing more was started. Mend the cause (space, permissions, the disk), then `release resume`.',
  })

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
