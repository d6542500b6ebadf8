/** A process of its own that does one thing with the local platform, so that a test can kill it. */
import { hostname } from 'node:os'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import type { Desired, Promotion } from '../../src/run/ports.ts'

export type ChildOrder =
  | {
      readonly action: 'converge'
      readonly desired: Desired
      readonly fence: number
      readonly point: string
      readonly nth: number
    }
  | {
      readonly action: 'promote'
      readonly promotion: Promotion
      readonly fence: number
      readonly point: string
      readonly nth: number
    }
  | {
      readonly action: 'lock'
      readonly environment: string
      readonly component: string
      readonly run: string
    }

export interface ChildInput {
  readonly home: string
  readonly cluster: string
  readonly order: ChildOrder
}

const { home, cluster, order } = JSON.parse(process.argv[2]!) as ChildInput
let arrivals = 0
const platform = localPlatform({
  home,
  cluster,
  reached(point) {
    if (order.action === 'lock' || point !== order.point) return
    arrivals += 1
    if (arrivals === order.nth) process.kill(process.pid, 'SIGKILL')
  },
})

const context = (fence: number) => ({
  fence,
  signal: new AbortController().signal,
  log: () => undefined,
  secret: async () => '',
})

if (order.action === 'converge') {
  await platform.converge(order.desired, context(order.fence))
} else if (order.action === 'promote') {
  await platform.promote(order.promotion, context(order.fence))
} else {
  const acquired = await platform.lock(order.environment, order.component, {
    run: order.run,
    who: 'bob@techcorp.example',
    host: hostname(),
    pid: process.pid,
    cwd: process.cwd(),
    since: 1,
  })
  console.log(JSON.stringify(acquired))
  // Stays, as a runner does that holds a lock, until it is killed.
  setInterval(() => undefined, 1_000_000)
}
