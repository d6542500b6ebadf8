/**
 * One at a time on this machine: a name in the kernel (an abstract socket) that goes with its holder's process,
 * however that ends, so that nothing has to be cleaned up and nobody waits for the dead.
 */
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { ReleaseError } from '../../../../src/errors.ts'
import { waitUntil } from '../../loopback/process-table.ts'
import { isCode } from '../../loopback/state-file.ts'

const PATIENCE_MS = 60_000

const take = (name: string): Promise<Server | null> =>
  new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy())
    server.once('error', error => (isCode(error, 'EADDRINUSE') ? resolve(null) : reject(error)))
    server.listen(`\0release-as-code-${name}`, () => resolve(server))
  })

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
    held = await take(name)
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
