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
  /** It was one of the {@link CallersOptions.group}. */
  readonly grouped: boolean
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
  /** One call in so many carries the header {@link GROUP}; left out: none. */
  readonly group?: number
}

/** What `front` and `back` are told of a caller's group, the one by the other. */
export const GROUP = { header: 'x-group', value: 'beta' } as const

const TICK_MS = 5
const ANSWER_MS = 15_000

/** Asks `<base>/front/` until it is stopped. */
export function startCallers(
  base: string,
  { perSecond, most = 100_000, group = 0 }: CallersOptions,
): Callers {
  const agent = new Agent({ connections: 128 })
  const calls: Call[] = []
  const pending = new Set<Promise<void>>()
  const began = performance.now()
  let count = 0
  const call = async (grouped: boolean): Promise<void> => {
    const sent = Date.now()
    const headers = grouped ? { [GROUP.header]: GROUP.value } : {}
    const answered = await ask(agent, `${base}/front/`, headers).catch(() => NO_ANSWER)
    calls.push({ sent, ended: Date.now(), grouped, ...answered })
  }
  const timer = setInterval(() => {
    const due = Math.min(most, Math.floor(((performance.now() - began) / 1000) * perSecond))
    for (; count < due; count += 1) {
      const one: Promise<void> = call(group > 0 && count % group === 0).finally(() => pending.delete(one))
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

type Answer = Omit<Call, 'sent' | 'ended' | 'grouped'>

const NO_ANSWER: Answer = { status: 0, front: '', back: '', side: '' }

async function ask(agent: Agent, url: string, own: Readonly<Record<string, string>>): Promise<Answer> {
  const asked = { dispatcher: agent, headersTimeout: ANSWER_MS, headers: own }
  const { statusCode, headers, body } = await request(url, asked)
  const text = await body.text()
  const [, front = '', back = ''] = /^front (\S+)(?: back (\S+))?/.exec(text) ?? []
  return { status: statusCode, front, back, side: String(headers['x-release-side'] ?? '') }
}

/** A broken connection, or an answer that only a router gives in an instance's place. */
export const isLost = ({ status }: Call): boolean => status === 0 || (status >= 502 && status <= 504)
