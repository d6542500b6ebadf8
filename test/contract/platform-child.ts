/** A process of its own that does one thing with the local platform, so that a test can kill it. */
import { hostname } from 'node:os'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import type { Desired } from '../../src/run/ports.ts'

export type ChildOrder =
  | {
      readonly action: 'converge'
      readonly desired: Desired
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
    if (order.action !== 'converge' || point !== order.point) return
    arrivals += 1
    if (arrivals === order.nth) process.kill(process.pid, 'SIGKILL')
  },
})

if (order.action === 'converge') {
  await platform.converge(order.desired, {
    fence: order.fence,
    signal: new AbortController().signal,
    log: () => undefined,
    secret: async () => '',
  })
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
