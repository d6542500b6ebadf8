/**
 * What the runner and a gateway say to each other, and what a gateway leaves in its folder.
 *
 *     gateway/state.json    where it listens and which process it is
 *     gateway/token         what its control addresses ask for
 *     gateway/routes.json   where it sends requests, so that one that was killed comes back with the same
 *     gateway/log           what it printed
 *
 * Addresses: `/<component>/<path>` is sent on; `/-/health`, `/-/metrics` and `/-/counters/<component>` answer anybody
 * on this machine; `/-/routes` (PATCH), `/-/routes/<component>` (GET) and `/-/drain` (POST) want
 * `authorization: Bearer <token>`.
 */
import path from 'node:path'
import { type RouterState, routerFiles } from '../../../loopback/kept-routing.ts'

/** Grows when runner and gateway of two versions could misunderstand each other. 2: routes have sides. */
export const GATEWAY_PROTOCOL = 2

export interface GatewayState extends RouterState {
  readonly protocol: number
}

export interface DrainRequest {
  readonly instance: string
  /** Milliseconds. */
  readonly within: number
}

export interface DrainAnswer {
  /** Requests that had not ended when the time was over. */
  readonly inFlight: number
}

/** Marks a copy of a request, whose answer nobody gets. */
export const MIRROR_HEADER = 'x-release-mirror'

export const gatewayFiles = (folder: string) => ({
  ...routerFiles(folder),
  token: path.join(folder, 'token'),
  log: path.join(folder, 'log'),
})
