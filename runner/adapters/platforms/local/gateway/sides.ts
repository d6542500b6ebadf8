/**
 * Which side of a component a request goes to.
 *
 * What decides, the first that applies: the side that the request carries, if sides are carried; a match of its
 * headers or cookies; the side that its caller was given before, if that side still has a share; a draw.
 *
 * The draw is random and knows nothing of the caller. A smooth round-robin or a low-discrepancy sequence would keep
 * closer to the weights, but it goes by the order of requests: a page that always asks for the same eight things
 * would always get the same one of them from the canary.
 *
 * Boundary: pure; the number that is drawn and the sides that have an instance are handed in.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { SIDE_HEADER, type Side, type Traffic, type TrafficMatch } from '../../../../../src/plan/plan.ts'

export interface Decided {
  readonly side: Side
  /** It was drawn for a caller who is to stay on it: the answer tells the caller. */
  readonly given: boolean
}

export interface Deciding {
  readonly traffic: Traffic
  readonly headers: IncomingHttpHeaders
  /** Whether the side has an instance that is up. */
  readonly has: (side: Side) => boolean
  /** From 0 to 100, 100 excluded; asked at most once. */
  readonly draw: () => number
}

const STABLE: Decided = { side: 'stable', given: false }

/** Whether every request goes to the stable side and none is looked at. */
export const isPlain = (traffic: Traffic): boolean =>
  traffic.canary === 0 &&
  traffic.baseline === 0 &&
  traffic.mirror === 0 &&
  traffic.match.length === 0 &&
  traffic.sticky === null &&
  !traffic.carried

/** The request's side: one that has an instance, or the stable one. */
export const decideSide = (deciding: Deciding): Decided => {
  const { traffic, headers, has } = deciding
  const settled = settledSide(traffic, headers)
  if (settled !== null) return has(settled) ? { side: settled, given: false } : STABLE
  const stays = traffic.sticky === null ? null : sideOf(cookieOf(headers, traffic.sticky))
  // Its share is kept for a side whose instances are ill just now: the caller comes back to it.
  if (stays !== null && shareOf(traffic, stays) > 0)
    return has(stays) ? { side: stays, given: false } : STABLE
  const side = drawnSide(traffic, deciding.draw)
  if (side !== 'stable' && !has(side)) return STABLE
  return { side, given: traffic.sticky !== null }
}

const settledSide = (traffic: Traffic, headers: IncomingHttpHeaders): Side | null => {
  const carried = traffic.carried ? sideOf(headers[SIDE_HEADER]) : null
  if (carried !== null) return carried
  return traffic.match.some(match => matches(match, headers)) ? 'canary' : null
}

const sideOf = (text: string | readonly string[] | undefined): Side | null =>
  text === 'stable' || text === 'canary' || text === 'baseline' ? text : null

const matches = (match: TrafficMatch, headers: IncomingHttpHeaders): boolean =>
  match.kind === 'cookie'
    ? cookieOf(headers, match.name) === match.value
    : headers[match.name.toLowerCase()] === match.value

/** The value of the first cookie of this name, without the quotes that it may stand in. */
const cookieOf = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  for (const pair of headers.cookie?.split(';') ?? []) {
    const at = pair.indexOf('=')
    if (at >= 0 && pair.slice(0, at).trim() === name)
      return pair
        .slice(at + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1')
  }
  return undefined
}

const shareOf = (traffic: Traffic, side: Side): number =>
  side === 'stable' ? 100 - traffic.canary - traffic.baseline : traffic[side]

const drawnSide = ({ canary, baseline }: Traffic, draw: () => number): Side => {
  if (canary + baseline === 0) return 'stable'
  const drawn = draw()
  if (drawn < canary) return 'canary'
  return drawn < canary + baseline ? 'baseline' : 'stable'
}

/** What keeps a caller on a side. Its path is the component's, so that two components may use one name. */
export const stickyCookie = (name: string, component: string, side: Side): string =>
  `${name}=${side}; Path=/${encodeURIComponent(component)}; HttpOnly; SameSite=Lax`
