/** The gateway's own addresses, `/-/…`: health and metrics for anybody, the routes for who has the token. */
import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import type { RouteChange } from '../../../../../src/run/ports.ts'
import type { Metrics } from './metrics.ts'
import { renderMetrics } from './metrics-text.ts'
import { type DrainAnswer, type DrainRequest, GATEWAY_PROTOCOL } from './protocol.ts'
import { refuse } from './proxy.ts'
import type { RouteTable } from './route-table.ts'

export interface Control {
  readonly table: RouteTable
  readonly metrics: Metrics
  readonly token: string
}

const isAllowed = (incoming: IncomingMessage, token: string): boolean => {
  const given = Buffer.from(incoming.headers.authorization ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

const answer = (outgoing: ServerResponse, status: number, value: unknown): void => {
  outgoing.writeHead(status, { 'content-type': 'application/json' })
  outgoing.end(`${JSON.stringify(value)}\n`)
}

/** Answers a request for one of the gateway's own addresses. */
export const control = async (
  gateway: Control,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> => {
  const asked = `${incoming.method} ${incoming.url}`
  if (asked === 'GET /-/health')
    return answer(outgoing, 200, { protocol: GATEWAY_PROTOCOL, pid: process.pid })
  if (asked === 'GET /-/metrics') return metrics(gateway, outgoing)
  const counted = componentAt(incoming, 'counters')
  if (counted !== null) return answer(outgoing, 200, gateway.metrics.counters(counted))
  if (!isAllowed(incoming, gateway.token))
    return refuse(outgoing, 401, 'The token of this gateway is wanted.')
  const routed = componentAt(incoming, 'routes')
  if (routed !== null) return answer(outgoing, 200, gateway.table.routing(routed))
  if (asked === 'PATCH /-/routes') return change(gateway, (await json(incoming)) as RouteChange, outgoing)
  if (asked === 'POST /-/drain') return drain(gateway, (await json(incoming)) as DrainRequest, outgoing)
  return refuse(outgoing, 404, `There is nothing at ${incoming.url}.`)
}

/** The component of `GET /-/<what>/<component>`; null: something else is asked for. */
const componentAt = ({ method, url = '' }: IncomingMessage, what: string): string | null => {
  const prefix = `/-/${what}/`
  if (method !== 'GET' || !url.startsWith(prefix)) return null
  try {
    return decodeURIComponent(url.slice(prefix.length))
  } catch {
    return null
  }
}

const change = async ({ table }: Control, wanted: RouteChange, outgoing: ServerResponse): Promise<void> => {
  const changed = await table.change(wanted)
  answer(outgoing, changed.type === 'fenced' ? 409 : 200, changed)
}

const drain = async ({ table }: Control, wanted: DrainRequest, outgoing: ServerResponse): Promise<void> => {
  const inFlight = await table.drain(wanted.instance, wanted.within)
  answer(outgoing, 200, { inFlight } satisfies DrainAnswer)
}

const metrics = (gateway: Control, outgoing: ServerResponse): void => {
  outgoing.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  outgoing.end(renderMetrics(gateway.metrics, gateway.table))
}
