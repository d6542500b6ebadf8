/**
 * One attempt to have one instance answer one request.
 *
 * Invariant: the instance's `inFlight` was raised by its choice and is lowered here, once, on every way out.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { requestHeaders, responseHeaders, type SideNotes } from './headers.ts'
import type { Witness } from './mirror.ts'
import type { RequestBody } from './request-body.ts'
import type { Upstream } from './upstream.ts'

/**
 * connect: no connection. reset: it broke before the whole answer. timeout: no answer in time.
 * invalid: the request is malformed, which is no fault of the instance.
 */
export type FailureReason = 'connect' | 'reset' | 'timeout' | 'invalid'

export type Attempt =
  | { readonly type: 'answered'; readonly status: number }
  /** `answer`: how much of one the client had seen when it left; null: nothing. */
  | { readonly type: 'client-gone'; readonly answer: BegunAnswer | null }
  /** `sent`: the instance may have seen the request. `began`: the client has seen part of the answer. */
  | {
      readonly type: 'failed'
      readonly reason: FailureReason
      readonly sent: boolean
      readonly began: boolean
    }

export interface BegunAnswer {
  readonly status: number
  /** When it began, by the clock of `performance.now`. */
  readonly at: number
}

export interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly path: string
  readonly body: RequestBody
  readonly notes: SideNotes
  /** Watches the answer go by; null: nobody wants to know it. */
  readonly witness: Witness | null
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

const INVALID = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_NOT_SUPPORTED',
])

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : '')

/** Sends the request and passes the answer on. Never rejects. */
export const attempt = (
  exchange: Exchange,
  upstream: Upstream,
  connection: 'kept' | 'fresh',
): Promise<Attempt> =>
  new Promise(resolve => {
    const { outgoing, witness, notes } = exchange
    let controller: Dispatcher.DispatchController | null = null
    let answer: BegunAnswer | null = null
    const onClose = () => {
      if (!outgoing.writableFinished) controller?.abort(new Error('the client went away'))
    }
    outgoing.once('close', onClose)
    const finish = (result: Attempt) => {
      outgoing.off('close', onClose)
      upstream.end()
      resolve(result)
    }
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started
        if (outgoing.destroyed) started.abort(new Error('the client went away'))
      },
      onResponseStart(_, code, headers, message) {
        // Interim answers (1xx) belong to the connection; the real one follows.
        if (code < 200) return
        answer = { status: code, at: performance.now() }
        witness?.start(code, headers)
        outgoing.writeHead(code, message ?? '', responseHeaders(headers, upstream, notes))
      },
      onResponseData(responding, chunk) {
        witness?.data(chunk)
        if (outgoing.write(chunk)) return
        responding.pause()
        outgoing.once('drain', () => responding.resume())
      },
      onResponseEnd() {
        outgoing.end()
        finish({ type: 'answered', status: answer?.status ?? 0 })
      },
      onResponseError(_, error) {
        if (outgoing.destroyed) return finish({ type: 'client-gone', answer })
        finish(failed(error, { sent: controller !== null, began: answer !== null }))
      },
    }
    upstream.pool(connection).dispatch(optionsFor(exchange, upstream), handler)
  })

const failed = (error: Error, seen: { sent: boolean; began: boolean }): Attempt => {
  const code = codeOf(error)
  if (TIMEOUTS.has(code)) return { type: 'failed', reason: 'timeout', ...seen }
  if (INVALID.has(code)) return { type: 'failed', reason: 'invalid', ...seen }
  return { type: 'failed', reason: seen.sent ? 'reset' : 'connect', ...seen }
}

const optionsFor = (exchange: Exchange, upstream: Upstream): Dispatcher.DispatchOptions => ({
  path: exchange.path,
  method: exchange.incoming.method ?? 'GET',
  headers: requestHeaders(exchange.incoming, upstream, exchange.notes),
  // undici takes any async iterable; its types name only streams.
  body: bodyOf(exchange.body) as Buffer | null,
})

const bodyOf = (body: RequestBody): Buffer | AsyncIterable<Buffer> | null => {
  switch (body.type) {
    case 'none':
      return null
    case 'held':
      return body.bytes
    case 'streamed':
      return body.chunks
  }
}
