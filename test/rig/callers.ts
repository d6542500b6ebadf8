/**
 * Callers of `front` who keep asking at a steady rate, whether or not they are answered, and write down of each call
 * when it was sent, when it had its answer, and who answered.
 *
 * Boundary: an open loop, bounded in all. Knows the answers of canaried.ts, and nothing of what is released meanwhile.
 */
import { Agent, request } from 'undici'

export interface Call {
  /** Milliseconds since 1970, as a journal's are. */
  readonly sent: number
  readonly ended: number
  /** 0: it got no answer. */
  readonly status: number
  /** Of the instances that answered; '' where none did. */
  readonly front: string
  readonly back: string
  /** The side of `front` that answered, as the router says. */
  readonly side: string
}

export interface Callers {
  /** The calls that have ended, in the order in which they did. */
  readonly calls: readonly Call[]
  /** Ends when each call has its answer. */
  stop(): Promise<void>
}

export interface CallersOptions {
  readonly perSecond: number
  /** More are never sent. */
  readonly most?: number
}

const TICK_MS = 5
const ANSWER_MS = 15_000

/** Asks `<base>/front/` until it is stopped. */
export function startCallers(base: string, { perSecond, most = 100_000 }: CallersOptions): Callers {
  const agent = new Agent({ connections: 128 })
  const calls: Call[] = []
  const pending = new Set<Promise<void>>()
  const began = performance.now()
  let count = 0
  const call = async (): Promise<void> => {
    const sent = Date.now()
    const answered = await ask(agent, `${base}/front/`).catch(() => NO_ANSWER)
    calls.push({ sent, ended: Date.now(), ...answered })
  }
  const timer = setInterval(() => {
    const due = Math.min(most, Math.floor(((performance.now() - began) / 1000) * perSecond))
    for (; count < due; count += 1) {
      const one: Promise<void> = call().finally(() => pending.delete(one))
      pending.add(one)
    }
  }, TICK_MS)
  return {
    calls,
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      if (!agent.closed) await agent.close()
    },
  }
}

type Answer = Omit<Call, 'sent' | 'ended'>

const NO_ANSWER: Answer = { status: 0, front: '', back: '', side: '' }

async function ask(agent: Agent, url: string): Promise<Answer> {
  const { statusCode, headers, body } = await request(url, { dispatcher: agent, headersTimeout: ANSWER_MS })
  const text = await body.text()
  const [, front = '', back = ''] = /^front (\S+)(?: back (\S+))?/.exec(text) ?? []
  return { status: statusCode, front, back, side: String(headers['x-release-side'] ?? '') }
}

/** A broken connection, or an answer that only a router gives in an instance's place. */
export const isLost = ({ status }: Call): boolean => status === 0 || (status >= 502 && status <= 504)
