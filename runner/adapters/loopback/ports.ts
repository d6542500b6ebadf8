/**
 * Free loopback ports, from a range that the kernel does not hand out by itself.
 *
 * Linux takes the ports of outgoing connections from 32768 on. A service's port chosen there could be lost to
 * any connection while the service restarts; one below cannot.
 *
 * Invariant: a port that is given out is given to nobody else on this machine before its service listens, as long as the
 * process lives that asked for it: it holds a name for each.
 */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { ReleaseError } from '../../../src/errors.ts'
import { holdName } from './held-name.ts'

const FIRST = 20_000
const END = 32_000
const TRIES = 200

const canBind = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)))
  })

/** A port on 127.0.0.1 that nothing listens on and that is not among `taken`. */
export const freePort = async (taken: ReadonlySet<number> = new Set()): Promise<number> => {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(FIRST, END)
    const held = taken.has(port) ? null : await holdName(`port-${port}`)
    if (held === null) continue
    held.unref()
    if (await canBind(port)) return port
    held.close()
  }
  throw new ReleaseError(
    'no-free-port',
    `No free port was found on 127.0.0.1 between ${FIRST} and ${END - 1}.`,
    {
      hint: 'Stop what is not needed: `release local status` lists what the local platform runs.',
    },
  )
}
