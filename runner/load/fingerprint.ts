/**
 * Whether the files that something was made from are still what they were.
 *
 * Invariants:
 *  1. A file counts as unchanged only if its size, times and inode are, or else its content's hash is.
 *     The inode and the change time are asked too, because package managers give every file one same
 *     modification time.
 *  2. A file that was changed after the work on it had begun is not vouched for: nobody can tell which
 *     of its contents was read.
 */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { Sha256 } from '../../src/plan/plan.ts'

/** A file as it was. Times in milliseconds since 1970. */
export interface Fingerprint {
  readonly path: string
  readonly size: number
  readonly modified: number
  readonly changed: number
  readonly inode: number
  readonly hash: Sha256
}

/** The coarsest step of the kernel's file times, with room to spare. */
const TIME_STEP = 20

/** Lower-case hexadecimal sha256 of text or bytes. */
export const sha256 = (content: string | Uint8Array): Sha256 =>
  createHash('sha256').update(content).digest('hex')

/** The same of texts that follow one another. */
export function sha256OfPieces(pieces: Iterable<string>): Sha256 {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}

/**
 * Fingerprints of the files, or undefined where one of them has gone or may have changed since the work began.
 *
 * @param began when the work that read them began, in milliseconds since 1970
 */
export function takeFingerprints(
  paths: readonly string[],
  began: number,
): readonly Fingerprint[] | undefined {
  const taken: Fingerprint[] = []
  for (const path of paths) {
    const fingerprint = fingerprintOf(path)
    if (fingerprint === undefined || !isSettled(fingerprint, began)) return undefined
    taken.push(fingerprint)
  }
  return taken
}

export type Comparison =
  | { readonly kind: 'unchanged' }
  /** The same contents in files that were written anew: `fresh` spares reading them the next time. */
  | { readonly kind: 'rewritten'; readonly fresh: readonly Fingerprint[] }
  | { readonly kind: 'changed' }

/**
 * Compares files with what they were.
 *
 * @param began when the comparison begins, in milliseconds since 1970
 */
export function compareFingerprints(fingerprints: readonly Fingerprint[], began: number): Comparison {
  const fresh: Fingerprint[] = []
  let rewritten = false
  for (const was of fingerprints) {
    if (hasSameStat(was)) {
      fresh.push(was)
      continue
    }
    const is = fingerprintOf(was.path)
    if (is?.hash !== was.hash) return { kind: 'changed' }
    fresh.push(isSettled(is, began) ? is : was)
    rewritten = true
  }
  return rewritten ? { kind: 'rewritten', fresh } : { kind: 'unchanged' }
}

const isSettled = (file: Fingerprint, began: number): boolean =>
  Math.max(file.modified, file.changed) < began - TIME_STEP

function hasSameStat(was: Fingerprint): boolean {
  const is = statSync(was.path, { throwIfNoEntry: false })
  return (
    is !== undefined &&
    is.size === was.size &&
    is.mtimeMs === was.modified &&
    is.ctimeMs === was.changed &&
    is.ino === was.inode
  )
}

function fingerprintOf(path: string): Fingerprint | undefined {
  try {
    // The stat is taken first: a write between the two leaves a stat that no longer matches.
    const { size, mtimeMs, ctimeMs, ino } = statSync(path)
    return { path, size, modified: mtimeMs, changed: ctimeMs, inode: ino, hash: sha256(readFileSync(path)) }
  } catch {
    return undefined
  }
}
