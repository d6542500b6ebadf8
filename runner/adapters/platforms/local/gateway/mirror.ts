/**
 * Copies of requests to the canary, whose answers are compared with those that the callers got, and thrown away.
 *
 * Invariants:
 *  M1. A copy is sent only after its caller has the whole answer, so that it can neither delay nor break it.
 *  M2. Only requests that read are copied: GET, HEAD and OPTIONS without a body.
 *  M3. So many copies are under way at most; what comes beyond is not copied, and not counted.
 *
 * Compared are the status, the type, where a redirect leads, and the content of text and JSON up to 256 KiB. Other
 * headers are not: times, ids and names of instances differ between any two answers.
 */
import { createHash, type Hash } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Traffic } from '../../../../../src/plan/plan.ts'
import { requestHeaders } from './headers.ts'
import type { Metrics } from './metrics.ts'
import { MIRROR_HEADER } from './protocol.ts'
import type { RouteTable } from './route-table.ts'
import type { Upstream } from './upstream.ts'

const MOST_AT_ONCE = 64
const ANSWER_MS = 10_000
const COMPARED_BYTES = 256 * 1024
const READING = new Set(['GET', 'HEAD', 'OPTIONS'])
const COMPARABLE = /^(text\/|application\/(json|xml|javascript|[\w.-]+\+(json|xml))\b)/i

/** Watches an answer go by and says in the end what it was. */
export class Witness {
  #head = ''
  #hash: Hash | null = null
  #size = 0

  start(status: number, headers: IncomingHttpHeaders): void {
    const type = String(headers['content-type'] ?? '')
    this.#head = JSON.stringify([status, type, headers.location ?? null])
    this.#hash = COMPARABLE.test(type) ? createHash('sha256') : null
    this.#size = 0
  }

  data(chunk: Buffer): void {
    this.#size += chunk.length
    if (this.#size > COMPARED_BYTES) this.#hash = null
    this.#hash?.update(chunk)
  }

  /** Equal for answers that count as the same. */
  fingerprint(): string {
    return `${this.#head} ${this.#hash?.digest('hex') ?? 'not compared'}`
  }
}

export interface Copied {
  readonly component: string
  readonly path: string
  readonly incoming: IncomingMessage
  /** The answer that the caller got. */
  readonly fingerprint: string
}

export class Mirror {
  readonly #table: RouteTable
  readonly #metrics: Metrics
  #underWay = 0

  constructor(table: RouteTable, metrics: Metrics) {
    this.#table = table
    this.#metrics = metrics
  }

  /** Whether this request is to be copied: by its kind, and by chance. */
  wants({ mirror }: Traffic, incoming: IncomingMessage, hasBody: boolean): boolean {
    if (mirror === 0 || hasBody || !READING.has(incoming.method ?? '')) return false
    return this.#underWay < MOST_AT_ONCE && Math.random() * 100 < mirror
  }

  /** Sends the copy, without anybody waiting for it. */
  send(copied: Copied): void {
    const upstream = this.#table.chooseMirror(copied.component)
    if (upstream === null) return
    const { labels } = upstream
    const { carried } = this.#table.traffic(copied.component)
    this.#underWay += 1
    void answerOf(upstream, copied, carried).then(fingerprint => {
      this.#underWay -= 1
      upstream.end()
      this.#metrics.mirrored(labels, fingerprint === copied.fingerprint)
    })
  }
}

/** The answer's fingerprint; null: there was none. Never rejects. */
const answerOf = (upstream: Upstream, copied: Copied, carried: boolean): Promise<string | null> =>
  new Promise(resolve => {
    const witness = new Witness()
    upstream.pool('kept').dispatch(optionsFor(upstream, copied, carried), {
      onRequestStart: () => undefined,
      onResponseStart(_, status, headers) {
        if (status >= 200) witness.start(status, headers)
      },
      onResponseData: (_, chunk) => witness.data(chunk),
      onResponseEnd: () => resolve(witness.fingerprint()),
      onResponseError: () => resolve(null),
    })
  })

const optionsFor = (
  upstream: Upstream,
  { incoming, path }: Copied,
  carried: boolean,
): Dispatcher.DispatchOptions => ({
  path,
  method: incoming.method ?? 'GET',
  headers: {
    ...requestHeaders(incoming, upstream, { carried, cookie: null }),
    [MIRROR_HEADER]: '1',
  },
  headersTimeout: ANSWER_MS,
  bodyTimeout: ANSWER_MS,
})
