/**
 * One at a time on this machine: who holds the folder's name.
 */
import { createHash } from 'node:crypto'
import type { Server } from 'node:net'
import { ReleaseError } from '../../../../src/errors.ts'
import { holdName } from '../../loopback/held-name.ts'
import { waitUntil } from '../../loopback/process-table.ts'

const PATIENCE_MS = 60_000

/** By name: the last in line of this process, so that its own callers come in turn and need not ask the kernel. */
const lines = new Map<string, Promise<unknown>>()

/** Does the work while nobody else on this machine does any under the same folder. Fails with code `router-busy`. */
export const exclusively = <T>(folder: string, work: () => Promise<T>): Promise<T> => {
  const done = (lines.get(folder) ?? Promise.resolve()).then(() => holding(folder, work))
  const last = done.catch(() => undefined)
  lines.set(folder, last)
  void last.then(() => {
    if (lines.get(folder) === last) lines.delete(folder)
  })
  return done
}

const holding = async <T>(folder: string, work: () => Promise<T>): Promise<T> => {
  const name = createHash('sha256').update(`haproxy ${folder}`).digest('hex')
  let held: Server | null = null
  await waitUntil(async () => {
    held = await holdName(name)
    return held !== null
  }, PATIENCE_MS)
  if (held === null)
    throw new ReleaseError('router-busy', `Somebody else has been changing ${folder} for a minute.`, {
      hint: 'Look for another runner that hangs: `release list` says which runs are going on.',
    })
  try {
    return await work()
  } finally {
    ;(held as Server).close()
  }
}
