/** An open-loop client: it asks at its rate whatever the answers do, as callers of a service would. */
import { Pool } from 'undici'

export interface LoadResult {
  readonly sent: number
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>
  /** What went wrong without an answer. */
  readonly failures: readonly string[]
  /** The `version` fields that were answered. */
  readonly versions: readonly string[]
}

export interface Load {
  /** Ends the load when every request has its answer. */
  stop(): Promise<LoadResult>
  /** Resolves when so many answers have come. */
  answered(count: number): Promise<void>
}

const TICK_MS = 10
const MOST_IN_FLIGHT = 500
const LONGEST_SILENCE_MS = 10_000

/**
 * Asks `base + path` at `rate` requests a second. With a backlog at its bound it sends no more, which a machine that is
 * busy with other things may come to; that nobody is answered for ten seconds is a failure.
 */
export const startLoad = (base: string, path: string, rate: number): Load => {
  const url = new URL(base)
  const pool = new Pool(url.origin, { connections: 64 })
  const statuses: Record<string, number> = {}
  const failures: string[] = []
  const versions = new Set<string>()
  const pending = new Set<Promise<void>>()
  const waiters: { count: number; resolve: () => void }[] = []
  let sent = 0
  let answers = 0
  let held = 0
  let lastAnswer = performance.now()
  const began = performance.now()

  const one = async () => {
    try {
      const { statusCode, body } = await pool.request({ path, method: 'GET' })
      statuses[statusCode] = (statuses[statusCode] ?? 0) + 1
      const text = await body.text()
      if (statusCode === 200) versions.add((JSON.parse(text) as { version: string }).version)
    } catch (error) {
      failures.push(String(error))
    }
    answers += 1
    lastAnswer = performance.now()
    for (const waiter of waiters) if (answers >= waiter.count) waiter.resolve()
  }
  const tick = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * rate)
    while (sent + held < due) {
      if (pending.size >= MOST_IN_FLIGHT) {
        held += 1
        if (performance.now() - lastAnswer > LONGEST_SILENCE_MS) failures.push('nobody is answered')
        continue
      }
      sent += 1
      const request = one().finally(() => pending.delete(request))
      pending.add(request)
    }
  }, TICK_MS)

  return {
    answered: count =>
      new Promise(resolve => {
        const wanted = answers + count
        waiters.push({ count: wanted, resolve })
      }),
    async stop() {
      clearInterval(tick)
      await Promise.all(pending)
      await pool.close()
      return { sent, statuses, failures, versions: [...versions].sort() }
    },
  }
}
