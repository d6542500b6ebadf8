/**
 * Shares of requests: how well a share is known, and whether two differ.
 *
 * Sources: E. B. Wilson, JASA 22, 1927; C. J. Clopper and E. S. Pearson, Biometrika 26, 1934; R. A. Fisher, "The
 * Design of Experiments", 1935; R. G. Newcombe, "Interval Estimation for the Difference Between Independent
 * Proportions", Statistics in Medicine 17, 1998, method 10; F. Yates, JRSS Supplement 1, 1934.
 *
 *  PR1. `events` is from 0 to `requests`, both whole numbers; with no request, nothing is known: the interval is
 *       all from 0 to 1, and two shares do not differ.
 */
import { betaBelow, betaQuantile, lnChoose } from './beta.ts'
import { normalAbove, normalQuantile } from './normal.ts'

/** How many of so many: errors of requests. */
export interface Share {
  readonly events: number
  readonly requests: number
}

export interface Interval {
  readonly lower: number
  readonly upper: number
}

/** What is suspected of the first of two: that it is greater, less, or one of both. */
export type Alternative = 'two-sided' | 'greater' | 'less'

/** Wilson's score interval. `confidence` is of both sides together. */
export function wilson({ events, requests }: Share, confidence: number): Interval {
  if (requests === 0) return { lower: 0, upper: 1 }
  const z = -normalQuantile((1 - confidence) / 2)
  const share = events / requests
  const square = (z * z) / requests
  const centre = share + square / 2
  const reach = z * Math.sqrt((share * (1 - share)) / requests + square / (4 * requests))
  return {
    lower: events === 0 ? 0 : (centre - reach) / (1 + square),
    upper: events === requests ? 1 : (centre + reach) / (1 + square),
  }
}

/** Clopper and Pearson's interval: never covers less than it promises. `confidence` is of both sides together. */
export function clopperPearson({ events, requests }: Share, confidence: number): Interval {
  const tail = (1 - confidence) / 2
  return {
    lower: events === 0 ? 0 : betaQuantile(tail, events, requests - events + 1),
    upper: events === requests ? 1 : betaQuantile(1 - tail, events + 1, requests - events),
  }
}

/** P(X ≤ events) where each of so many requests is an event with probability `rate`. */
export function binomialBelow({ events, requests }: Share, rate: number): number {
  if (events < 0) return 0
  if (events >= requests) return 1
  return betaBelow(1 - rate, requests - events, events + 1)
}

/** P(X ≥ events), exact also where it is tiny. */
export const binomialAbove = ({ events, requests }: Share, rate: number): number =>
  events <= 0 ? 1 : events > requests ? 0 : betaBelow(rate, events, requests - events + 1)

/** The difference a − b with Newcombe's interval. `confidence` is of both sides together. */
export function differenceOf(
  a: Share,
  b: Share,
  confidence: number,
): Interval & { readonly estimate: number } {
  const [shareA, shareB] = [shareOf(a), shareOf(b)]
  const [ofA, ofB] = [wilson(a, confidence), wilson(b, confidence)]
  const estimate = shareA - shareB
  return {
    estimate,
    lower: estimate - Math.hypot(shareA - ofA.lower, ofB.upper - shareB),
    upper: estimate + Math.hypot(ofA.upper - shareA, shareB - ofB.lower),
  }
}

/** Fisher's exact test of two shares, as R's `fisher.test`: two-sided sums all tables that are no likelier. */
export function fisherExact(a: Share, b: Share, alternative: Alternative = 'two-sided'): number {
  const events = a.events + b.events
  const least = Math.max(0, events - b.requests)
  const most = Math.min(events, a.requests)
  const logs = Array.from({ length: most - least + 1 }, (_, index) => {
    const inA = least + index
    return lnChoose(a.requests, inA) + lnChoose(b.requests, events - inA)
  })
  const top = logs.reduce((greatest, log) => Math.max(greatest, log), -Infinity)
  const weights = logs.map(log => Math.exp(log - top))
  const total = sumOf(weights)
  const here = a.events - least
  switch (alternative) {
    case 'greater':
      return Math.min(1, sumOf(weights.slice(here)) / total)
    case 'less':
      return Math.min(1, sumOf(weights.slice(0, here + 1)) / total)
    case 'two-sided':
      // Tables that are as likely but for rounding count as no likelier: R's own allowance.
      return Math.min(1, sumOf(weights.filter(weight => weight <= weights[here]! * (1 + 1e-7))) / total)
    default:
      return alternative satisfies never
  }
}

/** The score test of two shares with Yates's correction, as R's `prop.test`. */
export function scoreTest(a: Share, b: Share, alternative: Alternative = 'two-sided'): number {
  const requests = 1 / a.requests + 1 / b.requests
  const pooled = (a.events + b.events) / (a.requests + b.requests)
  const difference = shareOf(a) - shareOf(b)
  const yates = Math.min(requests / 2, Math.abs(difference))
  const error = Math.sqrt(pooled * (1 - pooled) * requests)
  // No request, no event, or nothing but events: two such shares cannot differ.
  if (!(error > 0) || !Number.isFinite(error)) return 1
  const z = (difference - Math.sign(difference) * yates) / error
  switch (alternative) {
    case 'greater':
      return normalAbove(z)
    case 'less':
      return normalAbove(-z)
    case 'two-sided':
      return Math.min(1, 2 * normalAbove(Math.abs(z)))
    default:
      return alternative satisfies never
  }
}

/** Below this many events expected on either side the score test's normal curve is a poor one. */
const fewEvents = 5
/** Summing more tables than this one by one is not worth its time. */
const manyTables = 20_000

/** Whether two shares differ: by Fisher's exact test where events are few, by the score test otherwise. */
export function compareShares(
  a: Share,
  b: Share,
  alternative: Alternative = 'two-sided',
): { readonly p: number; readonly method: 'fisher' | 'score' } {
  const events = a.events + b.events
  const requests = a.requests + b.requests
  if (requests === 0) return { p: 1, method: 'fisher' }
  const expected = (Math.min(events, requests - events) * Math.min(a.requests, b.requests)) / requests
  const method =
    expected < fewEvents && Math.min(events, a.requests, b.requests) <= manyTables ? 'fisher' : 'score'
  return { p: method === 'fisher' ? fisherExact(a, b, alternative) : scoreTest(a, b, alternative), method }
}

const shareOf = ({ events, requests }: Share): number => (requests === 0 ? 0 : events / requests)
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)
