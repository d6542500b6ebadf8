/**
 * What `plan` and `check` answered, and all that the answer rests on, as it is kept on disk.
 *
 * Boundary: loads nothing but what an empty Node has loaded already, for it stands before every such command.
 *
 * Invariants:
 *  1. An answer is found only under the very question: the same words in the same folder on the same kind of screen, by the
 *     same Node. The question stands in the file, so that two that share a file's name are told apart.
 *  2. A file that is not wholly what was written counts as none.
 */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Names, Stamp } from './stamps.ts'

/** A process that runs what a plan found to run. `start` in clock ticks from the boot, as /proc has it. */
export interface Running {
  readonly pid: number
  readonly start: string
  readonly boot: string
}

export interface Answer {
  /** The definition's file as it was named, and what it was when all links were followed. Absolute. */
  readonly named: string
  readonly definition: string
  readonly stamps: readonly Stamp[]
  readonly names: readonly Names[]
  /** Processes that have to run still. */
  readonly running: readonly Running[]
  /** What goes to stderr, to stdout, and to a file instead. */
  readonly err: string
  readonly out: string
  readonly file: { readonly path: string; readonly text: string } | null
  readonly code: number
}

interface Kept extends Answer {
  readonly question: string
}

export interface Asked {
  readonly argv: readonly string[]
  /** Absolute. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** Of the screens behind stdout and stderr; false: there is none. */
  readonly screens: readonly (Screen | false)[]
}

export interface Screen {
  readonly columns: number | undefined
}

/** What has a say in the words of an answer, or in where something is looked for. */
const VARIABLES = 'HOME NODE_PATH NO_COLOR RELEASE_LOCAL_HOME TERM TZ XDG_STATE_HOME'.split(' ')

/** Everything that an answer depends on besides files and processes, as a text. */
export const questionOf = ({ argv, cwd, env, screens }: Asked): string =>
  JSON.stringify([3, process.version, cwd, argv, screens, VARIABLES.map(name => env[name] ?? null)])

/** Where answers are kept: with the person, like the compiled code. */
export const answersFolder = (env: NodeJS.ProcessEnv): string =>
  join(resolve(env.XDG_CACHE_HOME || join(homedir(), '.cache')), 'release-as-code', 'answers')

export const answerPath = (env: NodeJS.ProcessEnv, question: string): string =>
  join(answersFolder(env), `${checksum(Buffer.from(question))}.json`)

export function writeAnswer(answer: Answer, question: string): string {
  const text = JSON.stringify({ ...answer, question } satisfies Kept)
  return `${checksum(Buffer.from(text))}\n${text}`
}

/** The answer that is kept to this very question; null: none, or none that can be read. */
export function readAnswer(path: string, question: string): Answer | null {
  const bytes = bytesOf(path)
  const line = bytes?.indexOf('\n') ?? -1
  if (bytes === null || line < 0) return null
  const body = bytes.subarray(line + 1)
  if (bytes.toString('latin1', 0, line) !== checksum(body)) return null
  const kept = JSON.parse(body.toString()) as Kept
  return kept.question === question ? kept : null
}

function bytesOf(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch {
    return null
  }
}

/**
 * 64 bits that tell damage by accident: two FNV-1a over words of four bytes. Loading a cryptographic hash takes longer than
 * all the rest; what these answers are used for is to be read: `run` makes its plan itself, or checks the hash of a saved one.
 */
function checksum(bytes: Buffer): string {
  const whole = bytes.length & ~3
  const words = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + whole))
  let a = 0x811c9dc5 ^ bytes.length
  let b = 0x9747b28c
  const add = (word: number): void => {
    a = Math.imul(a ^ word, 0x01000193)
    a ^= a >>> 15
    b = Math.imul(b ^ word, 0x85ebca6b)
    b ^= b >>> 13
  }
  for (let i = 0; i < words.length; i += 1) add(words[i]!)
  for (let i = whole; i < bytes.length; i += 1) add(bytes[i]!)
  return [a, b].map(half => (half >>> 0).toString(16).padStart(8, '0')).join('')
}
