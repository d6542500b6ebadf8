/**
 * Sends a request on to an instance of its component, and again to another one where that is safe.
 *
 * Safe is: the connection could not be established, whatever the method; or no byte of an answer came and the
 * request may be repeated (GET, HEAD, OPTIONS, PUT, DELETE, or it carries an Idempotency-Key). A body beyond
 * one mebibyte is streamed, and once that has begun nothing is repeated.
 *
 * The caller is protected from what is tried: a request of the canary or the baseline that fails there goes to
 * another instance of its side, and last to the stable side. It counts as failed on the side that it was tried on
 * (metrics.ts), so that a canary that crashes shows in its counters although no caller sees an error.
 *
 * A caller who leaves is counted too, with the time that it waited for an answer to begin: as 499 where none did. Not
 * counted is a request whose caller left before it was whole.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Side, Traffic } from '../../../../../src/plan/plan.ts'
import { CALLER_LEFT } from '../../../loopback/patience.ts'
import { type Attempt, attempt, type BegunAnswer, type Exchange, type FailureReason } from './attempt.ts'
import type { SideNotes } from './headers.ts'
import type { Answer, Labels, Metrics } from './metrics.ts'
import { type Mirror, Witness } from './mirror.ts'
import { type RequestBody, readBody } from './request-body.ts'
import type { RouteTable } from './route-table.ts'
import { type Decided, stickyCookie } from './sides.ts'
import type { Upstream } from './upstream.ts'

const MAX_ATTEMPTS = 4
type Failure = Attempt & { readonly type: 'failed' }

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
  readonly mirror: Mirror
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
  const { component, path } = target
  const traffic = proxy.table.traffic(component)
  const decided = proxy.table.decide(component, incoming.headers)
  const witness =
    decided.side === 'stable' && proxy.mirror.wants(traffic, incoming, body.type !== 'none')
      ? new Witness()
      : null
  const notes = notesFor(traffic, component, decided)
  const exchange: Exchange = { incoming, outgoing, path, body, notes, witness }
  const { labels, result } = await tryInstances(proxy, { component, side: decided.side }, exchange)
  const outcome = conclude(exchange, target, result)
  // An answer may come before the whole body was taken; what is left must not stand in the next request's way.
  if (body.type === 'streamed') body.discard().catch(() => outgoing.destroy())
  if (outcome === null) return
  const { until = performance.now(), ...answer } = outcome
  proxy.metrics.answered(labels, { ...answer, seconds: (until - started) / 1000 })
  if (witness !== null && result?.type === 'answered')
    proxy.mirror.send({ component, path, incoming, fingerprint: witness.fingerprint() })
}

const secondsSince = (started: number): number => (performance.now() - started) / 1000

const NO_NOTES: SideNotes = { carried: false, cookie: null }

const notesFor = ({ carried, sticky }: Traffic, component: string, { given }: Decided): SideNotes => {
  if (!carried && !given) return NO_NOTES
  const cookie =
    given && sticky !== null
      ? (upstream: Upstream) => stickyCookie(sticky, component, upstream.route.side)
      : null
  return { carried, cookie }
}

interface Place {
  readonly component: string
  readonly side: Side
}

interface Tried {
  /** Of the instance that was asked last. */
  readonly labels: Labels
  /** null: there was no instance to try. */
  readonly result: Attempt | null
}

const tryInstances = async (proxy: Proxy, { component, side }: Place, exchange: Exchange): Promise<Tried> => {
  const { table, metrics } = proxy
  const tried = new Set<Upstream>()
  let labels: Labels = { component, side, version: '', slot: '' }
  let result: Attempt | null = null
  let again: Upstream | null = null
  let started = 0
  for (let count = 0; count < MAX_ATTEMPTS; count += 1) {
    const wanted: Side = count === MAX_ATTEMPTS - 1 ? 'stable' : side
    const upstream: Upstream | null = again ? table.again(again) : table.choose(component, wanted, tried)
    if (upstream === null) break
    if (result !== null && again === null && labels.side !== 'stable')
      metrics.answered(labels, { code: 502, seconds: secondsSince(started), by: 'gateway' })
    labels = upstream.labels
    started = performance.now()
    const connection = count === 0 && mayRepeat(exchange) ? 'kept' : 'fresh'
    result = await attempt(exchange, upstream, connection)
    if (result.type !== 'failed') break
    metrics.attemptFailed(labels, result.reason)
    again = connection === 'kept' && mayBeConnection(result, upstream) ? upstream : null
    if (again === null) setAside(tried, upstream, result.reason)
    if (result.began || !isSafe(result, exchange)) break
  }
  return { labels, result }
}

/**
 * A kept connection may have been closed by the instance at the very moment, which is no fault of it. On the stable
 * side another instance answers and nothing is counted; what is tried is asked again before it is blamed.
 */
const mayBeConnection = ({ reason, began }: Failure, upstream: Upstream): boolean =>
  reason === 'reset' && !began && upstream.route.side !== 'stable'

const setAside = (tried: Set<Upstream>, upstream: Upstream, reason: FailureReason): void => {
  tried.add(upstream)
  // A slow answer is no proof of death: the health checks decide.
  if (reason === 'connect' || reason === 'reset') upstream.eject()
}

const isReplayable = (body: RequestBody): boolean => body.type !== 'streamed' || !body.isBegun()

const mayRepeat = ({ incoming, body }: Exchange): boolean =>
  body.type !== 'streamed' &&
  (REPEATABLE.has(incoming.method ?? '') || incoming.headers['idempotency-key'] !== undefined)

const isSafe = (failure: Failure, exchange: Exchange): boolean => {
  if (failure.reason === 'timeout' || failure.reason === 'invalid') return false
  return failure.sent ? mayRepeat(exchange) : isReplayable(exchange.body)
}

interface Outcome extends Omit<Answer, 'seconds'> {
  /** Left out: now. */
  readonly until?: number
}

/** Answers what no instance has answered; what counts, or null where the request was never whole. */
const conclude = (exchange: Exchange, target: Target, result: Attempt | null): Outcome | null => {
  if (result?.type === 'answered') return { code: result.status, by: 'instance' }
  if (result?.type === 'client-gone') return abandoned(exchange, result.answer)
  const { outgoing } = exchange
  if (result?.began) {
    // Half an answer cannot be taken back: cutting the connection is the one way to say that it is not whole.
    outgoing.destroy()
    return { code: 502, by: 'gateway' }
  }
  const [code, message] = refusal(result?.reason ?? null, target.component)
  refuse(outgoing, code, message)
  return { code, by: 'gateway' }
}

/** How long a caller listens to an answer that has begun is its own affair: streams of events end so. */
const abandoned = ({ incoming }: Exchange, answer: BegunAnswer | null): Outcome | null => {
  if (answer !== null) return { code: answer.status, by: 'instance', until: answer.at }
  return incoming.complete ? { code: CALLER_LEFT, by: 'caller' } : null
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
