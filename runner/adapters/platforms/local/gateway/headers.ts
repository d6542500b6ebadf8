/** Which headers go through the gateway, either way. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { SIDE_HEADER } from '../../../../../src/plan/plan.ts'
import type { Upstream } from './upstream.ts'

/** Belong to one connection, not to the request. */
const HOP_BY_HOP = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const namedIn = (connection: string | readonly string[] | undefined): ReadonlySet<string> =>
  new Set(
    String(connection ?? '')
      .toLowerCase()
      .split(',')
      .map(name => name.trim()),
  )

const endToEnd = (headers: IncomingHttpHeaders): [string, string | string[]][] => {
  const dropped = namedIn(headers.connection)
  return Object.entries(headers).filter(
    (entry): entry is [string, string | string[]] =>
      entry[1] !== undefined && !HOP_BY_HOP.has(entry[0]) && !dropped.has(entry[0]),
  )
}

/** What a request is told of the side that was decided for it, and its answer for who gets it. */
export interface SideNotes {
  /** The instance is told its side, to carry it on. */
  readonly carried: boolean
  /** The cookie that keeps the caller on the side of the instance that answers; null: none is set. */
  readonly cookie: ((upstream: Upstream) => string) | null
}

/** What the instance is sent: the client's headers, and by which way they came. */
export const requestHeaders = (
  incoming: IncomingMessage,
  upstream: Upstream,
  { carried }: SideNotes,
): Record<string, string | string[]> => {
  const headers = Object.fromEntries(endToEnd(incoming.headers))
  const before = incoming.headers['x-forwarded-for']
  const peer = incoming.socket.remoteAddress ?? ''
  return {
    ...headers,
    host: `127.0.0.1:${upstream.route.port}`,
    'x-forwarded-for': before === undefined ? peer : `${String(before)}, ${peer}`,
    'x-forwarded-host': incoming.headers.host ?? '',
    'x-forwarded-prefix': `/${upstream.component}`,
    'x-forwarded-proto': 'http',
    ...(carried && { [SIDE_HEADER]: upstream.route.side }),
  }
}

/** What the client is sent: the instance's headers, and which instance it was. */
export const responseHeaders = (
  headers: IncomingHttpHeaders,
  upstream: Upstream,
  { cookie }: SideNotes,
): Record<string, string | string[]> => ({
  ...Object.fromEntries(endToEnd(headers)),
  ...(cookie && { 'set-cookie': [...[headers['set-cookie'] ?? []].flat(), cookie(upstream)] }),
  'x-release-component': upstream.component,
  'x-release-version': upstream.route.version,
  'x-release-side': upstream.route.side,
  'x-release-slot': String(upstream.route.slot),
})
