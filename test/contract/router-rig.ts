/** Instances that misbehave to order, and callers who say which of them answered. */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, request } from 'undici'
import { freePort } from '../../runner/adapters/loopback/ports.ts'
import { SIDE_HEADER } from '../../src/plan/plan.ts'

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

/** An instance in this process; `/health` is answered while it lives, `/fail` with 500. */
export interface Backend {
  readonly token: string
  readonly version: string
  readonly port: number
  /** What it was asked, health checks left out. */
  seen(): readonly SeenRequest[]
  /** From now on answers are kept back; `release` sends them. */
  hold(): void
  release(): void
  /** How many answers are kept back. */
  holding(): number
  /** From now on every request's connection is cut. */
  cut(): void
  /** From now on it says of itself that it is ill. */
  ail(): void
  /** How often it has said so. */
  ailed(): number
  /** Takes no connection any more, and breaks those that it has. */
  die(): Promise<void>
  rise(): Promise<void>
  close(): Promise<void>
}

export interface BackendOptions {
  readonly version: string
  /** What it answers; left out: JSON that names it. */
  readonly body?: string
}

export const startBackend = async ({ version, body }: BackendOptions): Promise<Backend> => {
  const token = randomUUID()
  const seen: SeenRequest[] = []
  const held: (() => void)[] = []
  let behaviour: 'answers' | 'holds' | 'cuts' = 'answers'
  let ill = false
  let ailed = 0
  const answer = (url: string, headers: IncomingHttpHeaders, outgoing: ServerResponse): void => {
    const side = headers[SIDE_HEADER] ?? null
    outgoing.writeHead(url.includes('/fail') ? 500 : 200, {
      'content-type': body === undefined ? 'application/json' : 'text/plain',
      'x-backend': token,
      ...(typeof side === 'string' && { 'x-side-seen': side }),
    })
    outgoing.end(body ?? JSON.stringify({ version, token }))
  }
  const listener: Parameters<typeof createServer>[1] = (incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming
    if (url.endsWith('/health')) {
      if (ill) ailed += 1
      return void outgoing.writeHead(ill ? 500 : 200).end()
    }
    seen.push({ method, url, headers })
    if (behaviour === 'cuts') return void incoming.socket.destroy()
    incoming.resume()
    if (behaviour === 'holds') held.push(() => answer(url, headers, outgoing))
    else answer(url, headers, outgoing)
  }
  const port = await freePort()
  let server: Server | null = await listen(listener, port)
  const die = async (): Promise<void> => {
    const dying = server
    server = null
    if (dying === null) return
    dying.closeAllConnections()
    await new Promise(resolve => dying.close(resolve))
  }
  return {
    token,
    version,
    port: (server.address() as AddressInfo).port,
    seen: () => seen,
    hold() {
      behaviour = 'holds'
    },
    release() {
      behaviour = 'answers'
      for (const send of held.splice(0)) send()
    },
    holding: () => held.length,
    cut() {
      behaviour = 'cuts'
    },
    ail() {
      ill = true
    },
    ailed: () => ailed,
    die,
    async rise() {
      server = await listen(listener, port)
    },
    close: die,
  }
}

const listen = (listener: Parameters<typeof createServer>[1], port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer({ keepAliveTimeout: 60_000 }, listener!)
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })

export interface Answered {
  readonly status: number
  /** Of the instance; empty where none answered. */
  readonly token: string
  /** The side that the instance was told; null: none. */
  readonly side: string | null
  /** `name=value` of the first cookie that was given. */
  readonly cookie: string | null
}

export interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** When it is aborted, the caller leaves. */
  readonly signal?: AbortSignal
}

const AT_ONCE = 8

/** Callers on connections that they keep. */
export class Callers {
  #base: string
  #agent = new Agent({ connections: AT_ONCE })

  constructor(base: string) {
    this.#base = base
  }

  /** With new connections, after the router was killed. */
  async renew(base: string): Promise<void> {
    await this.close()
    this.#base = base
    this.#agent = new Agent({ connections: AT_ONCE })
  }

  async ask(address: string, { method = 'GET', headers = {}, signal }: Question = {}): Promise<Answered> {
    const response = await request(`${this.#base}${address}`, {
      method: method as 'GET',
      headers,
      dispatcher: this.#agent,
      ...(signal && { signal }),
    })
    await response.body.dump()
    const cookies = [response.headers['set-cookie'] ?? []].flat()
    const header = (name: string): string | null => [response.headers[name] ?? []].flat()[0] ?? null
    return {
      status: response.statusCode,
      token: header('x-backend') ?? '',
      side: header('x-side-seen'),
      cookie: cookies[0]?.split(';')[0] ?? null,
    }
  }

  async askMany(address: string, count: number, question: Question = {}): Promise<readonly Answered[]> {
    const answers: Answered[] = []
    let left = count
    const caller = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        answers.push(await this.ask(address, question))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, caller))
    return answers
  }

  close(): Promise<void> {
    return this.#agent.destroy()
  }
}
