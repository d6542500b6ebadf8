/** One bounded HTTP request to a loopback port, on a connection of its own. */
import type { IncomingHttpHeaders } from 'node:http'

export interface Asked {
  readonly port: number
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** From the first byte sent to the last received, milliseconds. */
  readonly timeout: number
  readonly signal?: AbortSignal | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** At most 1 MiB of it. */
  readonly body: string
}

// An import of node:http reads all that it exports, and with it loads node's own fetch: half of a `plan`'s time.
const { request } = process.getBuiltinModule('node:http')

const MAX_BODY = 1024 * 1024

/** Rejects with the connection's error, or with `ETIMEDOUT` when the time is over. */
export const ask = (asked: Asked): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port: asked.port,
      path: asked.path,
      method: asked.method ?? 'GET',
      headers: { connection: 'close', ...asked.headers },
      agent: false,
      ...(asked.signal && { signal: asked.signal }),
    })
    const timer = setTimeout(() => outgoing.destroy(timedOut(asked)), asked.timeout)
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      finish()
    }
    outgoing.on('error', error => settle(() => reject(error)))
    outgoing.on('response', incoming => {
      let body = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        if (body.length < MAX_BODY) body += chunk
      })
      incoming.on('error', error => settle(() => reject(error)))
      incoming.on('end', () =>
        settle(() => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body })),
      )
    })
    outgoing.end(asked.body)
  })

const timedOut = (asked: Asked): Error =>
  Object.assign(new Error(`no answer from ${asked.path} within ${asked.timeout} ms`), { code: 'ETIMEDOUT' })

/** 2xx, as a health check counts it. */
export const isOk = (status: number): boolean => status >= 200 && status < 300
