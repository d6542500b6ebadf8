/**
 * The gateway: a process of its own that stands between an environment's callers and its instances.
 *
 * Started by the runner, outlives it, and comes back after a crash on the same port with the same routes.
 *
 * Invariants:
 *  G1. One gateway an environment: it holds the folder's name. A second one leaves without a word.
 *  G2. It listens on 127.0.0.1 only.
 *
 * Usage: node gateway-process.cjs <the environment's gateway folder>
 */
import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { holdName } from '../../loopback/held-name.ts'
import { freePort } from '../../loopback/ports.ts'
import { identify } from '../../loopback/process-table.ts'
import { createFile, isCode, readState, replaceFile } from '../../loopback/state-file.ts'
import { control } from './gateway/control.ts'
import { Metrics } from './gateway/metrics.ts'
import { Mirror } from './gateway/mirror.ts'
import { GATEWAY_PROTOCOL, type GatewayState, gatewayFiles } from './gateway/protocol.ts'
import { forward, refuse, targetOf } from './gateway/proxy.ts'
import { RouteTable } from './gateway/route-table.ts'

const CLOSE_MS = 5_000
/** Longer than callers keep an idle connection, so that it is they who close it. */
const KEEP_ALIVE_MS = 65_000

const nameOf = (folder: string): string => createHash('sha256').update(folder).digest('hex')

const listen = (server: Server, port: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const onError = (error: Error) => (isCode(error, 'EADDRINUSE') ? resolve(false) : reject(error))
    server.once('error', onError)
    server.listen({ host: '127.0.0.1', port }, () => {
      server.off('error', onError)
      resolve(true)
    })
  })

/** The port of before where it is free, since instances and people know it. */
const listenSomewhere = async (server: Server, before: number | undefined): Promise<number> => {
  if (before !== undefined && (await listen(server, before))) return before
  for (;;) {
    const port = await freePort()
    if (await listen(server, port)) return port
  }
}

const readToken = async (file: string): Promise<string> => {
  await createFile(file, randomBytes(32).toString('hex'))
  return readFile(file, 'utf8')
}

const createGateway = (table: RouteTable, token: string): Server => {
  const metrics = new Metrics()
  const mirror = new Mirror(table, metrics)
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const address = incoming.url ?? '/'
    if (address.startsWith('/-/')) return control({ table, metrics, token }, incoming, outgoing)
    const target = targetOf(address)
    if (target && table.knows(target.component))
      return forward({ table, metrics, mirror }, target, incoming, outgoing)
    return refuse(outgoing, 404, 'There is no such component here: addresses are /<component>/<path>.')
  }
  return createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (incoming, outgoing) => {
    answer(incoming, outgoing).catch(error => {
      console.error(error)
      if (outgoing.headersSent) outgoing.destroy()
      else refuse(outgoing, 500, 'The gateway failed; its log says why.')
    })
  })
}

const closeOnSignal = (server: Server): void => {
  const close = () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
    setTimeout(() => process.exit(0), CLOSE_MS).unref()
  }
  process.once('SIGTERM', close)
  process.once('SIGINT', close)
}

const main = async (folder: string): Promise<void> => {
  if ((await holdName(nameOf(folder))) === null) process.exit(0)
  const files = gatewayFiles(folder)
  const before = await readState<GatewayState>(files.state)
  const table = await RouteTable.open(folder)
  const server = createGateway(table, await readToken(files.token))
  const port = await listenSomewhere(server, before?.port)
  const state: GatewayState = { format: 1, protocol: GATEWAY_PROTOCOL, port, process: identify(process.pid)! }
  await replaceFile(files.state, `${JSON.stringify(state, null, 2)}\n`)
  table.watch()
  closeOnSignal(server)
}

void main(process.argv[2]!)
