/**
 * How much has to be measured before a verdict means anything, and how surely a rule sees what it is meant to see.
 *
 * Sources: exact binomial tails for a share against a threshold; J. L. Fleiss, "Statistical Methods for Rates and
 * Proportions", 1981, for two shares (as R's `power.prop.test`); G. E. Noether, "Sample Size Determination for Some
 * Common Nonparametric Tests", JASA 82, 1987, for Mann and Whitney's test.
 *
 *  PO1. `confidence` is how rarely what is bad passes, `power` how often what is good is seen to be good (or, for two
 *       samples, how often a difference is found). Both are from 0 to 1.
 *  PO2. What cannot be told apart at any size is null, never a huge number.
 */
import type { AnalysisRule } from './analysis.ts'
import type { Condition } from './condition.ts'
import { lnChoose } from './statistics/beta.ts'
import { normalAbove, normalBelow, normalQuantile } from './statistics/normal.ts'
import { binomialAbove, binomialBelow } from './statistics/proportions.ts'

export interface Certainty {
  /** Left out: 0.98. */
  readonly confidence?: number
  /** Left out: 0.8. */
  readonly power?: number
}

/** A number of requests, and how many of them may be bad for a pass to be believed. */
export interface Needed {
  readonly requests: number
  readonly allowed: number
}

/** A share of requests that are bad, and the side on which a threshold lies. */
interface Bad {
  /** The share of bad requests from which on the rule breaches. */
  readonly limit: number
  /** Whether the limit itself breaches. */
  readonly inclusive: boolean
}

/** More bad requests than this are allowed for only by the normal curve, which is then exact enough. */
const mostCounted = 2_000

/**
 * How many requests it takes to show that a share is on the right side of the rule's threshold, where a healthy
 * release has the share `expected`. Null where the rule has no threshold for a share, or `expected` breaches it.
 */
export function requestsNeeded(
  rule: Pick<AnalysisRule, 'condition' | 'unit'>,
  expected: number,
  { confidence = 0.98, power = 0.8 }: Certainty = {},
): Needed | null {
  const bad = rule.unit === 'ratio' ? badOf(rule.condition) : null
  if (bad === null || bad.limit <= 0 || bad.limit >= 1) return null
  const healthy = isUpper(rule.condition) ? expected : 1 - expected
  if (!(healthy >= 0 && healthy < bad.limit)) return null
  const error = 1 - confidence
  for (let allowed = 0; allowed <= mostCounted; allowed += 1) {
    const requests = requestsAllowing(allowed, bad.limit, error)
    if (binomialBelow({ events: allowed, requests }, healthy) >= power) return { requests, allowed }
  }
  return byNormalCurve(bad.limit, healthy, { error, power })
}

/** The fewest requests of which `allowed` bad ones are too few to come from a share of `limit`. */
function requestsAllowing(allowed: number, limit: number, error: number): number {
  let low = allowed
  let high = Math.ceil((allowed + 10) / limit)
  while (binomialBelow({ events: allowed, requests: high }, limit) > error) high *= 2
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (binomialBelow({ events: allowed, requests: middle }, limit) <= error) high = middle
    else low = middle
  }
  return high
}

function byNormalCurve(
  limit: number,
  healthy: number,
  of: { readonly error: number; readonly power: number },
): Needed {
  const spread = (share: number): number => Math.sqrt(share * (1 - share))
  const z = -normalQuantile(of.error)
  const root = (z * spread(limit) + normalQuantile(of.power) * spread(healthy)) / (limit - healthy)
  const requests = Math.ceil(root * root)
  return { requests, allowed: Math.floor(requests * limit - z * Math.sqrt(requests) * spread(limit)) }
}

/** How many requests on each side it takes to find a share of `b` where the other side has `a`. Null where they are alike. */
export function requestsToCompare(
  a: number,
  b: number,
  { confidence = 0.98, power = 0.8 }: Certainty = {},
): number | null {
  if (a === b) return null
  const mean = (a + b) / 2
  const ifAlike = -normalQuantile(1 - confidence) * Math.sqrt(2 * mean * (1 - mean))
  const ifNot = normalQuantile(power) * Math.sqrt(a * (1 - a) + b * (1 - b))
  return Math.ceil(((ifAlike + ifNot) / (a - b)) ** 2)
}

/** Milliseconds until so many requests have come, of which a share is looked at. Null where none comes. */
export const timeFor = (
  requests: number,
  traffic: { readonly perSecond: number; readonly share?: number },
): number | null => {
  const perSecond = traffic.perSecond * (traffic.share ?? 1)
  return perSecond > 0 ? Math.ceil((requests / perSecond) * 1000) : null
}

/**
 * How likely one point of the rule breaches, where each request is bad (an error) with probability `rate` and the point rests on so many
 * requests. Null where the rule has no threshold for a share.
 */
export function breachProbability(
  rule: Pick<AnalysisRule, 'condition' | 'unit'>,
  { rate, requests }: { readonly rate: number; readonly requests: number },
): number | null {
  const bad = rule.unit === 'ratio' ? badOf(rule.condition) : null
  if (bad === null || requests <= 0) return null
  const limit = bad.limit * requests
  // A product that misses a whole number by rounding is that number.
  const whole = Math.abs(limit - Math.round(limit)) < 1e-9 * Math.max(1, limit) ? Math.round(limit) : null
  const events = whole === null ? Math.ceil(limit) : bad.inclusive ? whole : whole + 1
  return binomialAbove({ events, requests }, rate)
}

/** How likely the rule fails within so many points that are as likely to breach as each other and do not depend on each other. */
export const detectionProbability = (
  { failureLimit = 0 }: Pick<AnalysisRule, 'failureLimit'>,
  { breach, points }: { readonly breach: number; readonly points: number },
): number => binomialAbove({ events: failureLimit + 1, requests: points }, breach)

/** A difference between two samples, for Noether's formula. */
export interface Effect {
  /** The shift, as a multiple of the values' standard deviation. */
  readonly spreads: number
  /** How often a difference is found where there is none: of the side, or sides, that are looked at. Left out: 0.02. */
  readonly error?: number
}

/** How many points on each side it takes to find the shift. Null where there is none. */
export function pointsNeeded({ spreads, error = 0.02 }: Effect, power = 0.8): number | null {
  const excess = superiorityOf(spreads) - 0.5
  if (excess === 0) return null
  const both = (-normalQuantile(error) + normalQuantile(power)) ** 2 / (3 * excess * excess)
  return Math.ceil(both / 2)
}

/** So few points on each side that Mann and Whitney's test finds a difference at all, however great: with fewer, chance alone orders them so. */
export function fewestPoints(error: number): number {
  let points = 1
  while (-lnChoose(2 * points, points) > Math.log(error)) points += 1
  return points
}

/** How likely so many points on each side find the shift. */
export const powerOfPoints = ({ spreads, error = 0.02 }: Effect, points: number): number =>
  normalAbove(-normalQuantile(error) - Math.sqrt(6 * points) * Math.abs(superiorityOf(spreads) - 0.5))

/** How often a normal value is greater than one that lies so many standard deviations lower. */
const superiorityOf = (spreads: number): number => normalBelow(spreads / Math.SQRT2)

const isUpper = ({ kind }: Condition): boolean => kind === 'below' || kind === 'at-most'

function badOf(condition: Condition): Bad | null {
  switch (condition.kind) {
    case 'below':
      return { limit: condition.threshold, inclusive: true }
    case 'at-most':
      return { limit: condition.threshold, inclusive: false }
    case 'above':
      return { limit: 1 - condition.threshold, inclusive: true }
    case 'at-least':
      return { limit: 1 - condition.threshold, inclusive: false }
    case 'within':
      return null
    default:
      return condition satisfies never
  }
}
