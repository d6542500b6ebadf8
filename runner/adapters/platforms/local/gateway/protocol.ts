/**
 * What the runner and a gateway say to each other, and what a gateway leaves in its folder.
 *
 *     gateway/state.json    where it listens and which process it is
 *     gateway/token         what its control addresses ask for
 *     gateway/routes.json   where it sends requests, so that one that was killed comes back with the same
 *     gateway/log           what it printed
 *
 * Addresses: `/<component>/<path>` is sent on; `/-/health` and `/-/metrics` answer anybody on this machine;
 * `/-/routes` (GET, PATCH) and `/-/drain` (POST) want `authorization: Bearer <token>`.
 */
import path from 'node:path'
import type { Identity } from '../../../loopback/process-table.ts'

/** Grows when runner and gateway of two versions could misunderstand each other. */
export const GATEWAY_PROTOCOL = 1

export interface GatewayState {
  readonly format: 1
  readonly protocol: number
  readonly port: number
  readonly process: Identity
}

/** An instance that requests are sent to. */
export interface Route {
  /** The instance's token. */
  readonly instance: string
  readonly slot: number
  readonly version: string
  readonly port: number
  /** Path that is asked to find out whether it is well. */
  readonly health: string
}

export interface ComponentRoutes {
  /** The highest fence that a change came with. */
  readonly fence: number
  readonly routes: readonly Route[]
}

export interface RoutesFile {
  readonly format: 1
  readonly components: Readonly<Record<string, ComponentRoutes>>
}

/** One change of a component's routes, in one step: nothing is sent between its halves. */
export interface RouteChange {
  readonly component: string
  readonly fence: number
  readonly add: readonly Route[]
  /** Tokens. */
  readonly remove: readonly string[]
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

export const gatewayFiles = (folder: string) => ({
  state: path.join(folder, 'state.json'),
  token: path.join(folder, 'token'),
  routes: path.join(folder, 'routes.json'),
  log: path.join(folder, 'log'),
})
