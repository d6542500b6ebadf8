/**
 * What each node printed: kept in the run's folder and shown as it comes.
 *
 * Output is no event: it is neither chained nor synced, and losing its last lines to a crash loses nothing that
 * was done. It is written at once, so that a command that prints a gigabyte does not fill the memory.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { NodeLog } from './engine/world.ts'
import type { RunFolder } from './journal/run-store.ts'

export interface NodeLogs {
  of(node: string): NodeLog
  close(): void
}

/** `show` gets every piece as it is written. A log that cannot be written any more is given up; the run goes on. */
export function openNodeLogs(folder: RunFolder, show: (node: string, chunk: string) => void): NodeLogs {
  const files = new Map<string, number | null>()
  const write = (node: string, chunk: string): void => {
    show(node, chunk)
    if (!files.has(node))
      files.set(
        node,
        attempt(() => openSync(folder.logOf(node), 'a')),
      )
    const file = files.get(node)!
    if (file !== null && attempt(() => writeSync(file, chunk)) === null) giveUp(node, file)
  }
  const giveUp = (node: string, file: number): void => {
    attempt(() => closeSync(file))
    files.set(node, null)
  }
  return {
    of: node => ({ line: text => write(node, `${text}\n`), chunk: text => write(node, text) }),
    close: () => {
      for (const [node, file] of files) if (file !== null) giveUp(node, file)
    },
  }
}

function attempt<T>(write: () => T): T | null {
  try {
    return write()
  } catch {
    return null
  }
}
