/**
 * Sends a request on to an instance of its component, and again to another one where that is safe.
 *
 * Safe is: the connection could not be established, whatever the method; or no byte of an answer came and the
 * request may be repeated (GET, HEAD, OPTIONS, PUT, DELETE, or it carries an Idempotency-Key). A body beyond
 * one mebibyte is streamed, and once that has begun nothing is repeated.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Attempt, attempt, type Exchange, type FailureReason } from './attempt.ts'
import type { Metrics } from './metrics.ts'
import { type RequestBody, readBody } from './request-body.ts'
import type { RouteTable } from './route-table.ts'
import type { Upstream } from './upstream.ts'

const MAX_ATTEMPTS = 4
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

export interface Target {
  readonly component: string
  /** With its query, as it was written. */
  readonly path: string
}

/** Splits `/<component>/<path>`; null where no component is named. */
export const targetOf = (address: string): Target | null => {
  const [, name, rest] = /^\/([^/?]+)(.*)$/s.exec(address) ?? []
  if (name === undefined || rest === undefined) return null
  try {
    return { component: decodeURIComponent(name), path: rest.startsWith('/') ? rest : `/${rest}` }
  } catch {
    return null
  }
}

export interface Proxy {
  readonly table: RouteTable
  readonly metrics: Metrics
}

/** Answers the request, by an instance or with 404, 502, 503 or 504. Never rejects. */
export const forward = async (
  proxy: Proxy,
  target: Target,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> => {
  const started = performance.now()
  const body = await readBody(incoming).catch(() => null)
  if (body === null) return void outgoing.destroy()
  const exchange: Exchange = { incoming, outgoing, path: target.path, body }
  const { last, result } = await tryInstances(proxy, target.component, exchange)
  const labels = last?.labels ?? { component: target.component, version: '', slot: '' }
  const status = conclude(exchange, target, result)
  // An answer may come before the whole body was taken; what is left must not stand in the next request's way.
  if (body.type === 'streamed') body.discard().catch(() => outgoing.destroy())
  if (status !== null) proxy.metrics.answered(labels, status, (performance.now() - started) / 1000)
}

interface Tried {
  readonly last: Upstream | null
  /** null: there was no instance to try. */
  readonly result: Attempt | null
}

const tryInstances = async (proxy: Proxy, component: string, exchange: Exchange): Promise<Tried> => {
  const tried = new Set<Upstream>()
  let last: Upstream | null = null
  let result: Attempt | null = null
  for (let count = 0; count < MAX_ATTEMPTS; count += 1) {
    const upstream = proxy.table.choose(component, tried)
    if (upstream === null) break
    last = upstream
    result = await attempt(exchange, upstream, count === 0 && mayRepeat(exchange) ? 'kept' : 'fresh')
    if (result.type !== 'failed') break
    note(proxy.metrics, upstream, result.reason)
    tried.add(upstream)
    if (result.began || !isSafe(result, exchange)) break
  }
  return { last, result }
}

const note = (metrics: Metrics, upstream: Upstream, reason: FailureReason): void => {
  metrics.attemptFailed(upstream.labels, reason)
  // A slow answer is no proof of death: the health checks decide.
  if (reason === 'connect' || reason === 'reset') upstream.eject()
}

const isReplayable = (body: RequestBody): boolean => body.type !== 'streamed' || !body.isBegun()

const mayRepeat = ({ incoming, body }: Exchange): boolean =>
  body.type !== 'streamed' &&
  (REPEATABLE.has(incoming.method ?? '') || incoming.headers['idempotency-key'] !== undefined)

const isSafe = (failure: Attempt & { type: 'failed' }, exchange: Exchange): boolean => {
  if (failure.reason === 'timeout' || failure.reason === 'invalid') return false
  return failure.sent ? mayRepeat(exchange) : isReplayable(exchange.body)
}

/** Answers what no instance has answered; the status that counts, or null where the client has gone. */
const conclude = ({ outgoing }: Exchange, target: Target, result: Attempt | null): number | null => {
  if (result?.type === 'answered') return result.status
  if (result?.type === 'client-gone') return null
  if (result?.began) {
    // Half an answer cannot be taken back: cutting the connection is the one way to say that it is not whole.
    outgoing.destroy()
    return 502
  }
  const [status, message] = refusal(result?.reason ?? null, target.component)
  refuse(outgoing, status, message)
  return status
}

const refusal = (reason: FailureReason | null, component: string): readonly [number, string] => {
  switch (reason) {
    case null:
      return [503, `No instance of ${component} gets traffic.`]
    case 'timeout':
      return [504, `The instance of ${component} did not answer in time.`]
    case 'invalid':
      return [400, 'The request is malformed.']
    case 'connect':
    case 'reset':
      return [502, `Every instance of ${component} that was asked broke the connection.`]
  }
}

/** An answer of the gateway's own. */
export const refuse = (outgoing: ServerResponse, status: number, message: string): void => {
  outgoing.writeHead(status, { 'content-type': 'application/json', 'x-release-gateway': 'refused' })
  outgoing.end(`${JSON.stringify({ status, message })}\n`)
}
