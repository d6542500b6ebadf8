/**
 * A name in the kernel (an abstract socket) that one process of this machine holds: it goes with its holder, however
 * that ends, so that nothing has to be cleaned up and nobody waits for the dead.
 */
import { createServer, type Server } from 'node:net'
import { isCode } from './state-file.ts'

/** What holds the name until it is closed; null where somebody has it already. */
export const holdName = (name: string): Promise<Server | null> =>
  new Promise((resolve, reject) => {
    const holder = createServer(socket => socket.destroy())
    holder.once('error', error => (isCode(error, 'EADDRINUSE') ? resolve(null) : reject(error)))
    holder.listen(`\0release-as-code-${name}`, () => resolve(holder))
  })
