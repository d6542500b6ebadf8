/**
 * How a component's requests are divided, and what a router has to be able to do for it.
 *
 * Boundary: data, part of the plan's format.
 */

/** What divides an environment's requests; left out: the local platform's own gateway. */
export type PlanRouter = { readonly kind: 'gateway' } | { readonly kind: 'haproxy' }

/**
 * Which instances of a component: those that its callers are on, those of the new revision that are tried beside
 * them, and those of the old one that were started with the new for a fair comparison.
 */
export type Side = 'stable' | 'canary' | 'baseline'

/** How a component's requests are divided between its sides. The stable side gets what is left. */
export interface Traffic {
  /** Percent of requests, 0 to 100. */
  readonly canary: number
  /** Percent of requests, 0 to 100. */
  readonly baseline: number
  /** Requests that go to the canary whatever its weight. */
  readonly match: readonly TrafficMatch[]
  /** A caller stays on the side that it was given first, by a cookie of this name; null: each request is drawn anew. */
  readonly sticky: string | null
  /** Percent of the stable side's requests that the canary gets a copy of; its answers are compared and thrown away. */
  readonly mirror: number
  /** The side is decided once, at the edge, and carried on by the services in {@link SIDE_HEADER}. */
  readonly carried: boolean
}

export type TrafficMatch =
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'cookie'; readonly name: string; readonly value: string }

/** Carries the side that was decided at the edge, from hop to hop. */
export const SIDE_HEADER = 'x-release-side'

export const ALL_STABLE: Traffic = {
  canary: 0,
  baseline: 0,
  match: [],
  sticky: null,
  mirror: 0,
  carried: false,
}

/** What a router can do; a strategy that needs more is refused when it is compiled. */
export interface RouterCapabilities {
  readonly weights: boolean
  readonly headers: boolean
  readonly cookies: boolean
  readonly sticky: boolean
  readonly mirroring: boolean
  readonly carried: boolean
  /** It knows how long answers took, as a histogram. */
  readonly latency: boolean
}

/** By kind, since a plan is compiled without asking a router. */
export const ROUTER_CAPABILITIES: Readonly<Record<PlanRouter['kind'], RouterCapabilities>> = {
  gateway: {
    weights: true,
    headers: true,
    cookies: true,
    sticky: true,
    mirroring: true,
    carried: true,
    latency: true,
  },
  haproxy: {
    weights: true,
    headers: true,
    cookies: true,
    sticky: true,
    mirroring: false,
    carried: true,
    latency: false,
  },
}
