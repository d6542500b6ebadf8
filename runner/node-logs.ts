/**
 * What each node printed: kept in the run's folder and shown as it comes.
 *
 * Output is no event: it is neither chained nor synced, and losing its last lines to a crash loses nothing that
 * was done. It is written at once, so that a command that prints a gigabyte does not fill the memory.
 *
 * Invariants:
 *  L1. However many nodes print, few files are open: the one that was written to longest ago is closed for the next, and
 *      opened again at its end. A run of ten thousand nodes would otherwise come to the system's limit, and lose its logs.
 *  L2. A log that cannot be written any more is given up; the run goes on.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { NodeLog } from './engine/world.ts'
import type { RunFolder } from './journal/run-store.ts'

export interface NodeLogs {
  of(node: string): NodeLog
  close(): void
}

/** Files open at once: more than nodes commonly print at once, and few of the 1,024 that a process may open. */
const MOST_OPEN = 64

/** `show` gets every piece as it is written. */
export function openNodeLogs(
  folder: Pick<RunFolder, 'logOf'>,
  show: (node: string, chunk: string) => void,
): NodeLogs {
  /** By node, the one that was written to longest ago first. */
  const open = new Map<string, number>()
  const lost = new Set<string>()
  const write = (node: string, chunk: string): void => {
    show(node, chunk)
    if (lost.has(node)) return
    const file = open.get(node) ?? attempt(() => openSync(folder.logOf(node), 'a'))
    open.delete(node)
    if (file !== null && isWritten(file, chunk)) keepOpen(node, file)
    else {
      lost.add(node)
      if (file !== null) attempt(() => closeSync(file))
    }
  }
  const keepOpen = (node: string, file: number): void => {
    open.set(node, file)
    if (open.size <= MOST_OPEN) return
    const [longestAgo] = open
    const [first, its] = longestAgo!
    open.delete(first)
    attempt(() => closeSync(its))
  }
  return {
    of: node => ({ line: text => write(node, `${text}\n`), chunk: text => write(node, text) }),
    close: () => {
      for (const file of open.values()) attempt(() => closeSync(file))
      open.clear()
    },
  }
}

/** A disk that is nearly full takes a part: the rest is asked for, and then says why not. */
const isWritten = (file: number, text: string): boolean =>
  attempt(() => {
    const bytes = Buffer.from(text)
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
    return true
  }) ?? false

function attempt<T>(write: () => T): T | null {
  try {
    return write()
  } catch {
    return null
  }
}
