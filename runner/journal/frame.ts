/**
 * The journal's format: how an event becomes bytes, and which bytes are a journal.
 *
 * Role: pure encoding, decoding and scanning. Boundary: knows no file; recovery, writer and readers share it.
 *
 * A journal is UTF-8 text, one record a line. Record 0 is the header and has `format` and `run`; every other
 * record has an `event`. A line is, in this order and without blanks,
 *
 *     {"seq":N,"prev":"HASH"[,"key":KEY][,"more":true][,"acks":[ID…]],"event":{…},"hash":"HASH"}⏎
 *
 * A record is valid if and only if
 *  F1. its line ends in `,"hash":"` + 64 lower-case hexadecimal digits + `"}` and a line feed,
 *  F2. those digits are the sha256 of all the bytes of the line before `,"hash":"`,
 *  F3. the line is a JSON object whose `seq` is one more than that of the record before it (0 for the first),
 *  F4. and whose `prev` is the hash of the record before it (64 zeros for the first),
 *  F5. and which has a `format` and a `run` if it is the first, and an `event` with `type` and `at` if not,
 *  F6. and the record before it, if there is one, is valid.
 *
 * A record counts if and only if it is valid and
 *  F7. the first record from it on that lacks `more` is valid too: records appended together count together.
 *
 * `key` is the call whose outcome the event is (or is part of), and `acks` are the people's signals that have
 * had their answer with this record.
 *
 * Bytes after the last valid record are torn if and only if no stretch of them satisfies F1 and F2, and they
 * hold no line feed or have a hole: zeros from a sector's (or their own) start to a sector's end or the file's.
 * That is what a crash in the middle of an append leaves. Anything else there is damage. Nothing rests on `at`.
 */
import { hash as digest } from 'node:crypto'
import type { Sha256 } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'

/** The current version of the journal's format. A newer one is refused. */
export const JOURNAL_FORMAT = 1

/** The end of a record, which is where the next one begins. */
export interface Position {
  /** The record's number; -1 before the header. */
  readonly seq: number
  readonly hash: Sha256
  /** Bytes from the file's start. */
  readonly offset: number
}

/** Where the header begins. */
export const START: Position = { seq: -1, hash: '0'.repeat(64), offset: 0 }

export interface Header {
  readonly format: number
  readonly run: string
}

/** One event as the journal holds it. */
export interface Entry {
  readonly seq: number
  /** Byte offset of the line. */
  readonly offset: number
  /** The call whose outcome this is; null: a fact or an intent. */
  readonly key: string | null
  /** It counts only together with the entry after it. */
  readonly more: boolean
  readonly acks: readonly string[]
  readonly event: RunEvent
}

/** What is to be appended as one: all of it counts, or none. */
export interface Group {
  readonly events: readonly RunEvent[]
  readonly key?: string | undefined
  readonly acks?: readonly string[] | undefined
}

/** How the bytes end. */
export type Ending =
  | { readonly kind: 'clean' }
  /** A crash cut the last append off; `offset` is where what counts ends. */
  | { readonly kind: 'torn'; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'damaged'; readonly offset: number; readonly record: number; readonly reason: string }

export interface Scan {
  /** The header, where the scan began with it. */
  readonly header: Header | null
  /** What counts, in order. */
  readonly entries: readonly Entry[]
  /** The end of the last record that counts. */
  readonly position: Position
  /** The end of the last record that is valid; further than `position` where a group was cut off. */
  readonly reached: Position
  readonly ending: Ending
}

const MARK = ',"hash":"'
const TRAILER = MARK.length + 64 + '"}'.length
const SECTOR = 512
const LINE_FEED = 0x0a

const sha256 = (bytes: string | Uint8Array): Sha256 => digest('sha256', bytes, 'hex')

/** The header's line, and its end. */
export function encodeHeader(run: string): { readonly text: string; readonly position: Position } {
  return seal(START, `"format":${JOURNAL_FORMAT},"run":${JSON.stringify(run)}`)
}

/** The lines of a group that follows `after`, and its end. A group without events is the empty text. */
export function encodeGroup(
  after: Position,
  group: Group,
): { readonly text: string; readonly position: Position } {
  // Every event is turned to text before the chain moves: one that cannot be leaves the journal as it was.
  const bodies = group.events.map(event => JSON.stringify(event))
  const key = group.key === undefined ? '' : `"key":${JSON.stringify(group.key)},`
  let text = ''
  let position = after
  for (const [index, body] of bodies.entries()) {
    const more = index < bodies.length - 1 ? '"more":true,' : ''
    const acks = index === 0 && group.acks?.length ? `"acks":${JSON.stringify(group.acks)},` : ''
    const sealed = seal(position, `${key}${more}${acks}"event":${body}`)
    text += sealed.text
    position = sealed.position
  }
  return { text, position }
}

function seal(after: Position, content: string): { text: string; position: Position } {
  const seq = after.seq + 1
  const body = `{"seq":${seq},"prev":"${after.hash}",${content}`
  const hash = sha256(body)
  const text = `${body}${MARK}${hash}"}\n`
  return { text, position: { seq, hash, offset: after.offset + Buffer.byteLength(text) } }
}

/** Reads the bytes that follow `after` and says what counts, and how they end. */
export function scan(bytes: Buffer, after: Position): Scan {
  let header: Header | null = null
  const entries: Entry[] = []
  let reached = after
  let counts = { position: after, entries: 0 }
  let ending: Ending = { kind: 'clean' }
  let at = 0
  while (at < bytes.length) {
    const feed = bytes.indexOf(LINE_FEED, at)
    const line = feed < 0 ? null : decodeLine(bytes.subarray(at, feed), reached)
    if (line === null || 'reason' in line) {
      ending = endingAt(bytes.subarray(at), reached, line?.reason ?? 'its line has no end')
      break
    }
    if ('header' in line) header = line.header
    else entries.push(line.entry)
    at = feed + 1
    reached = { seq: reached.seq + 1, hash: line.hash, offset: after.offset + at }
    if ('header' in line || !line.entry.more) counts = { position: reached, entries: entries.length }
  }
  if (ending.kind !== 'damaged' && counts.position.offset < after.offset + bytes.length) {
    const offset = counts.position.offset
    ending = { kind: 'torn', offset, bytes: after.offset + bytes.length - offset }
  }
  return { header, entries: entries.slice(0, counts.entries), position: counts.position, reached, ending }
}

/** Whether torn bytes are a whole record that lacks only its line feed: it may as well be kept. */
export const lacksOnlyItsLineFeed = (tail: Buffer, after: Position): boolean => {
  const line = decodeLine(tail, after)
  return !('reason' in line)
}

type Line =
  | { readonly hash: Sha256; readonly entry: Entry }
  | { readonly hash: Sha256; readonly header: Header }
  | { readonly reason: string }

function decodeLine(line: Buffer, after: Position): Line {
  const hash = statedHash(line)
  if (hash === null) return { reason: 'its line does not end in a hash' }
  if (!isSealed(line, hash)) return { reason: 'its hash does not match its bytes' }
  const record = parse(line)
  if (record === null) return { reason: 'its line is not a JSON object' }
  const seq = after.seq + 1
  if (record.seq !== seq) return { reason: `it says that it is record ${String(record.seq)}` }
  if (record.prev !== after.hash) return { reason: 'it does not follow the record before it' }
  return seq === 0 ? asHeader(record, hash) : asEntry(record, hash, after)
}

function asHeader(record: Record<string, unknown>, hash: Sha256): Line {
  const { format, run } = record
  if (typeof format !== 'number' || typeof run !== 'string') return { reason: 'it is not a header' }
  return { hash, header: { format, run } }
}

function asEntry(record: Record<string, unknown>, hash: Sha256, after: Position): Line {
  if (!isEvent(record.event)) return { reason: 'it holds no event' }
  const entry: Entry = {
    seq: after.seq + 1,
    offset: after.offset,
    key: typeof record.key === 'string' ? record.key : null,
    more: record.more === true,
    acks: Array.isArray(record.acks) ? record.acks.map(String) : [],
    event: record.event,
  }
  return { hash, entry }
}

const isEvent = (value: unknown): value is RunEvent =>
  typeof value === 'object' &&
  value !== null &&
  'type' in value &&
  typeof value.type === 'string' &&
  'at' in value &&
  typeof value.at === 'number'

function parse(line: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line.toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** The hash at the line's end; null where there is none. */
function statedHash(line: Buffer): Sha256 | null {
  if (line.length <= TRAILER) return null
  const end = line.toString('latin1', line.length - TRAILER)
  if (!end.startsWith(MARK) || !end.endsWith('"}')) return null
  return end.slice(MARK.length, -2)
}

/** A sha256 has lower-case hexadecimal digits only: what else is stated is none's (F1). */
const isSealed = (line: Buffer, hash: Sha256): boolean =>
  sha256(line.subarray(0, line.length - TRAILER)) === hash

/** What the bytes from the first invalid record on are: an append that a crash cut off, or damage. */
function endingAt(tail: Buffer, after: Position, reason: string): Ending {
  const { offset } = after
  if (lacksOnlyItsLineFeed(tail, after)) return { kind: 'torn', offset, bytes: tail.length }
  const torn = !holdsSealedRecord(tail) && (!tail.includes(LINE_FEED) || hasHole(tail, offset))
  return torn
    ? { kind: 'torn', offset, bytes: tail.length }
    : { kind: 'damaged', offset, record: after.seq + 1, reason }
}

/** Whether any stretch of the bytes is a record whose own hash is right, wherever it begins and ends. */
function holdsSealedRecord(bytes: Buffer): boolean {
  for (let at = bytes.indexOf('{"seq":'); at >= 0; at = bytes.indexOf('{"seq":', at + 1)) {
    const feed = bytes.indexOf(LINE_FEED, at)
    const line = bytes.subarray(at, feed < 0 ? bytes.length : feed)
    if (isSealedLine(line) || isSealedLine(upToFirstHash(line))) return true
  }
  return false
}

function upToFirstHash(line: Buffer): Buffer {
  const mark = line.indexOf(MARK)
  return mark < 0 ? line : line.subarray(0, mark + TRAILER)
}

function isSealedLine(line: Buffer): boolean {
  const hash = statedHash(line)
  return hash !== null && isSealed(line, hash)
}

/** Zeros where a sector never reached the disk. A single byte that became zero is not a hole. */
function hasHole(bytes: Buffer, offset: number): boolean {
  for (let from = bytes.indexOf(0); from >= 0; ) {
    let to = from
    while (to < bytes.length && bytes[to] === 0) to++
    const begins = from === 0 || (offset + from) % SECTOR === 0
    const ends = to === bytes.length || (offset + to) % SECTOR === 0
    if (begins && ends) return true
    from = bytes.indexOf(0, to)
  }
  return false
}
