/**
 * Measurements with too few requests, put together until there are enough for a point.
 *
 *     measurement ─▶ pool ─enough requests──────────────────────▶ a point
 *                     └────enough bad ones, whatever follows────▶ a breach, at once
 *
 *  PO1. A pool's value is the mean of its measurements, weighted by requests: exact for a share of requests.
 *  PO2. A pool is breached before it has enough requests only if it would be with nothing but good ones to come, at the
 *       largest size that it can grow to while no measurement brings more requests than the largest so far. So few bad
 *       ones as a point of the whole size may hold are never enough, however early they come.
 */
import { type Expectation, type Judged, judgeValue } from './condition.ts'
import type { Measurement } from './measurement.ts'
import { countOf } from './unit.ts'

/** JSON. */
export interface Pool {
  readonly requests: number
  /** The most requests that one of its measurements rests on. */
  readonly largest: number
  /** Sums of value × requests, and of baseline × requests; null: a baseline was missing. */
  readonly weighted: number
  readonly baseline: number | null
}

/** The pool with one more measurement, whose value is known to be one. */
export function poolWith(
  pool: Pool | null,
  { requests = 0, baseline = null }: Measurement,
  value: number,
): Pool {
  const before = pool ?? { requests: 0, largest: 0, weighted: 0, baseline: 0 }
  const known = before.baseline !== null && baseline !== null
  return {
    requests: before.requests + requests,
    largest: Math.max(before.largest, requests),
    weighted: counted(before.weighted + value * requests),
    baseline: known ? counted(before.baseline + baseline * requests) : null,
  }
}

/** A share times what it is a share of is a count, but for rounding: seven of 25 are not more than seven. */
function counted(sum: number): number {
  const whole = Math.round(sum)
  return Math.abs(sum - whole) < 1e-6 ? whole : sum
}

/** Judges what has come together. */
export const judgePool = (rule: Expectation, { requests, weighted, baseline }: Pool): Judged =>
  judgeValue(rule, weighted / requests, baseline === null ? null : baseline / requests)

/** The breach that is certain before there are `wanted` requests; null: it is not, or cannot be known (PO2). */
export function certainBreach(rule: Expectation, pool: Pool, wanted: number): Judged | null {
  const { condition, unit } = rule
  if (unit !== 'ratio' || condition.kind === 'within') return null
  const size = wanted - 1 + pool.largest
  const isUpper = condition.kind === 'below' || condition.kind === 'at-most'
  const best = isUpper ? pool.weighted : pool.weighted + (size - pool.requests)
  if (judgeValue(rule, best / size).kind === 'met') return null
  const { text } = judgePool(rule, pool)
  const early = `${text}, in the first ${countOf(pool.requests, 'request')} of ${wanted}`
  return { kind: 'breached', text: early }
}
