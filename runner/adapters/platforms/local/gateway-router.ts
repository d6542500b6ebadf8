/**
 * The router `gateway`: the port {@link Router} over a gateway's process.
 *
 * Role: says what is wanted at the gateway's own addresses, and reads back there what it does.
 */
import { ReleaseError } from '../../../../src/errors.ts'
import { ROUTER_CAPABILITIES } from '../../../../src/plan/plan.ts'
import type { Counters, RouteChange, Router, Routing } from '../../../../src/run/ports.ts'
import { type Answer, isOk } from '../../loopback/ask.ts'
import { fenced } from '../../loopback/fenced.ts'
import type { RouterKind, RouterPlace } from '../../loopback/kept-routing.ts'
import type { DrainAnswer } from './gateway/protocol.ts'
import { type ControlCall, callGateway, endGateway, ensureGateway } from './gateway-client.ts'

/** Longer than it waits itself, for the answer. */
const DRAIN_MARGIN_MS = 10_000

/** The gateway of an environment; its process is started by whatever asks it. */
export const gatewayRouter = ({ environment, folder }: RouterPlace): Router => {
  const ask = async (call: ControlCall): Promise<unknown> =>
    JSON.parse(expectOk(folder, await callGateway(folder, call)).body)
  return {
    kind: 'gateway',
    capabilities: ROUTER_CAPABILITIES.gateway,
    address: async () => `http://127.0.0.1:${(await ensureGateway(folder)).port}`,
    routing: async component =>
      (await ask({ method: 'GET', path: `/-/routes/${encodeURIComponent(component)}` })) as Routing,
    change: change => changeRoutes({ environment, folder }, change),
    async drain(instance, within) {
      const body = { instance, within }
      const timeout = within + DRAIN_MARGIN_MS
      return ((await ask({ method: 'POST', path: '/-/drain', body, timeout })) as DrainAnswer).inFlight
    },
    counters: async component =>
      (await ask({ method: 'GET', path: `/-/counters/${encodeURIComponent(component)}` })) as Counters[],
    stop: () => endGateway(folder),
  }
}

/** The local platform's own router, where nothing else is asked for. */
export const gatewayKind: RouterKind = { kind: 'gateway', open: gatewayRouter }

const changeRoutes = async (place: RouterPlace, change: RouteChange): Promise<void> => {
  const { folder, environment } = place
  const answer = await callGateway(folder, { method: 'PATCH', path: '/-/routes', body: change })
  if (answer.status === 409) {
    const { fence: highest } = JSON.parse(answer.body) as { fence: number }
    throw fenced({ component: change.component, environment, fence: change.fence, highest })
  }
  expectOk(folder, answer)
}

const expectOk = (folder: string, answer: Answer): Answer => {
  if (isOk(answer.status)) return answer
  throw new ReleaseError(
    'gateway-failed',
    `The gateway in ${folder} refused with ${answer.status}: ${answer.body}`,
  )
}
