/**
 * Triggers: when what is measured after a release has gone wrong for long or often enough to act on it.
 *
 *     periods   time from the start is cut into periods, each judged as a whole: M of the last N breach
 *     breaches  so many measurements breach within a span of time that slides
 *     lasting   every measurement breaches, for so long without a break, and that long is measured
 *
 *  WI1. A trigger fires on what was measured, never on what was not: a gap breaches only where `noData` is `fail`.
 *  WI2. It fires at the first moment at which its rule holds, whether or not anybody looked then.
 *  WI3. After it has fired it stays still until its cooldown is over, and what was measured before that is forgotten.
 *  WI4. A mean of measurements that say on how many requests they rest is weighted by these: exact for a share of requests.
 *  WI5. What lasts is the time between measurements that breach one after the other. What lies around a gap is not counted, and
 *       a gap of more than two rounds ends it: two slow answers of one night are no slow night.
 *  WI6. Where no data hold, single measurements that rest on too few requests are put together with those that follow, as in an
 *       analysis (pool.ts): few requests at a time are judged later, and not never.
 */

import type { NoData } from './analysis.ts'
import { type Expectation, judgeMeasurement } from './condition.ts'
import { type Measurement, readingOf, valuesOf } from './measurement.ts'
import { type Pool, poolWith } from './pool.ts'
import { median } from './statistics/order.ts'
import { countOf, formatDuration } from './unit.ts'

/** How a period's measurements become its one value. */
export type Aggregate = 'sum' | 'mean' | 'median' | 'max' | 'min'

/** How often, or how long, a breach has to be. Times are in milliseconds. */
export type Window =
  | {
      readonly kind: 'periods'
      readonly period: number
      readonly aggregate: Aggregate
      /** How many of the latest whole periods are looked at, and how many of them have to breach. */
      readonly periods: number
      readonly breaches: number
    }
  | { readonly kind: 'breaches'; readonly within: number; readonly breaches: number }
  | { readonly kind: 'lasting'; readonly duration: number }

/** What must hold after a release, and when its breach counts. */
export interface Trigger extends Expectation {
  readonly window: Window
  /** For how long after it has fired it does not fire again, in milliseconds. Left out: 0. */
  readonly cooldown?: number
  /** fail: a gap breaches. hold: a gap changes nothing. ignore: a gap is as good as a value that is right. Left out: hold. */
  readonly noData?: NoData
  /** What rests on fewer requests, a period or a measurement, is a gap, or waits for more (WI6). Left out: 0. */
  readonly minRequests?: number
}

/** When a trigger is looked at, in milliseconds since 1970. */
export interface WindowMoment {
  /** When the watch began: periods are counted from here. */
  readonly started: number
  readonly now: number
  /** From one round of measurements to the next, in milliseconds. */
  readonly interval: number
  /** When it last fired; left out: never. */
  readonly firedAt?: number
}

/** What a trigger says. JSON. */
export interface WindowJudgement {
  /** unmeasured: nothing was measured that could be judged. cooling: it fired, and is still until its cooldown is over. */
  readonly verdict: 'fired' | 'breaching' | 'quiet' | 'cooling' | 'unmeasured'
  /** When it fired; null: it has not. */
  readonly at: number | null
  /** Breaches that count now, and how many it takes; for `lasting` milliseconds, and how many it takes. */
  readonly breaches: number
  readonly needed: number
  /** For people, a sentence without its full stop. */
  readonly reason: string
}

/** Judges a trigger by all measurements since the watch began, oldest first. */
export function judgeWindow(
  trigger: Trigger,
  measurements: readonly Measurement[],
  { started, now, interval, firedAt }: WindowMoment,
): WindowJudgement {
  const { cooldown = 0, window } = trigger
  const from = firedAt === undefined ? started : Math.max(started, firedAt + cooldown)
  const needed = window.kind === 'lasting' ? window.duration : window.breaches
  if (firedAt !== undefined && now < from)
    return { verdict: 'cooling', at: firedAt, breaches: 0, needed, reason: coolingText(trigger, from - now) }
  const seen = measurements.filter(({ at }) => at >= from && at <= now)
  const points =
    window.kind === 'periods'
      ? periodsOf(trigger, window, seen, { from, now })
      : singlesOf(trigger, seen, interval)
  return told(trigger, needed, countBreaches(window, points, interval))
}

/** A period or a measurement, judged; `at` is when that was known. pooled: it is part of one that follows. */
interface Point {
  readonly at: number
  readonly kind: 'breached' | 'met' | 'unknown' | 'pooled'
  readonly text: string
}

/** How far it has come, and the point at which it fired. */
interface Tally {
  readonly breaches: number
  readonly fired: Point | null
  /** The latest point that says something; null: there is none. */
  readonly last: Point | null
}

function countBreaches(window: Window, all: readonly Point[], interval: number): Tally {
  const points = all.filter(({ kind }) => kind === 'breached' || kind === 'met')
  const last = points.at(-1) ?? null
  const counts = window.kind === 'lasting' ? lastingOf(all, interval) : slidingOf(window, points)
  const needed = window.kind === 'lasting' ? window.duration : window.breaches
  const first = points.findIndex((point, index) => point.kind === 'breached' && counts[index]! >= needed)
  return {
    breaches: counts[first === -1 ? counts.length - 1 : first] ?? 0,
    fired: points[first] ?? null,
    last,
  }
}

/** Measurements that lie further apart, in intervals, say nothing together: two rounds may be missing, and none is exact. */
const REACH = 3.5

/** For each point that says something, how long every one up to it has breached (WI5). */
function lastingOf(all: readonly Point[], interval: number): readonly number[] {
  let lasted = 0
  let breachedAt: number | null = null
  let measuredAt: number | null = null
  let isGap = false
  const counts: number[] = []
  for (const { at, kind } of all) {
    if (kind === 'unknown') {
      isGap = true
      continue
    }
    if (kind === 'met' || isApart(measuredAt, at, interval)) breachedAt = null
    measuredAt = at
    if (kind === 'pooled') continue
    lasted = breachedAt === null ? 0 : lasted + (isGap ? 0 : at - breachedAt)
    if (kind === 'breached') breachedAt = at
    counts.push(lasted)
    isGap = false
  }
  return counts
}

const isApart = (before: number | null, at: number, interval: number): boolean =>
  before !== null && at - before > REACH * interval

/** For each point, how many breaches the window that ends with it holds. */
function slidingOf(
  window: Exclude<Window, { kind: 'lasting' }>,
  points: readonly Point[],
): readonly number[] {
  let first = 0
  let breaches = 0
  return points.map(({ at, kind }, index) => {
    breaches += kind === 'breached' ? 1 : 0
    const isPast = (oldest: number): boolean =>
      window.kind === 'periods' ? index - oldest >= window.periods : points[oldest]!.at <= at - window.within
    for (; isPast(first); first += 1) breaches -= points[first]!.kind === 'breached' ? 1 : 0
    return breaches
  })
}

function told(trigger: Trigger, needed: number, { breaches, fired, last }: Tally): WindowJudgement {
  const counts = { breaches, needed }
  if (fired !== null)
    return { verdict: 'fired', at: fired.at, ...counts, reason: `${fired.text}, ${spanText(trigger.window)}` }
  if (last === null)
    return { verdict: 'unmeasured', at: null, ...counts, reason: `${trigger.measure} was never measured` }
  return {
    verdict: breaches > 0 || last.kind === 'breached' ? 'breaching' : 'quiet',
    at: null,
    ...counts,
    reason: last.text,
  }
}

// ── points ──────────────────────────────────────────────────────────────────────────────────────

const kindOfGap = { fail: 'breached', hold: 'unknown', ignore: 'met' } as const

function pointOf(trigger: Trigger, measurement: Measurement): Point {
  const { at } = measurement
  if (isThin(trigger, measurement)) {
    const text = `${trigger.measure} rests on ${countOf(measurement.requests ?? 0, 'request')}, and ${trigger.minRequests ?? 0} are asked for`
    return { at, kind: kindOfGap[trigger.noData ?? 'hold'], text }
  }
  const { kind, text } = judgeMeasurement(trigger, measurement)
  if (kind === 'breached' || kind === 'met') return { at, kind, text }
  return { at, kind: kindOfGap[trigger.noData ?? 'hold'], text }
}

/** Single measurements, and what they are together (WI6). */
function singlesOf(
  trigger: Trigger,
  measurements: readonly Measurement[],
  interval: number,
): readonly Point[] {
  const { minRequests = 0, noData = 'hold' } = trigger
  let pool: Pool | null = null
  let pooledAt: number | null = null
  return measurements.map(measurement => {
    const { at, requests } = measurement
    const reading = readingOf(measurement)
    if (minRequests === 0 || noData !== 'hold' || reading.kind !== 'value' || requests === undefined)
      return pointOf(trigger, measurement)
    pool = poolWith(isApart(pooledAt, at, interval) ? null : pool, measurement, reading.value)
    pooledAt = at
    if (pool.requests < minRequests) return { at, kind: 'pooled', text: '' }
    const whole = { at, value: pool.weighted / pool.requests, requests: pool.requests }
    pool = null
    return pointOf(trigger, whole)
  })
}

/** It rests on fewer requests than it takes to say anything. */
const isThin = ({ minRequests = 0 }: Trigger, { value, requests }: Measurement): boolean =>
  value !== null && requests !== undefined && requests < minRequests

type Periods = Extract<Window, { kind: 'periods' }>

/** Whole periods, and the one that goes on where nothing that follows could take its breach back. */
function periodsOf(
  trigger: Trigger,
  window: Periods,
  measurements: readonly Measurement[],
  { from, now }: { readonly from: number; readonly now: number },
): readonly Point[] {
  const whole = Math.floor((now - from) / window.period)
  const parts = Map.groupBy(measurements, ({ at }) => Math.floor((at - from) / window.period))
  return Array.from({ length: whole + 1 }, (_, index) => {
    const part = parts.get(index) ?? []
    const early = breachedEarly(trigger, window, part)
    if (early !== null) return early
    const end = from + (index + 1) * window.period
    return index < whole ? pointOf(trigger, aggregated(window, part, end)) : null
  }).filter(point => point !== null)
}

/** A sum and a maximum only grow: over an upper threshold, they stay there. */
function breachedEarly(trigger: Trigger, window: Periods, part: readonly Measurement[]): Point | null {
  const grows =
    window.aggregate === 'max' || (window.aggregate === 'sum' && valuesOf(part).every(value => value >= 0))
  if (!grows || !['below', 'at-most'].includes(trigger.condition.kind)) return null
  let so: Measurement | null = null
  for (const measurement of part) {
    so = aggregated(window, so === null ? [measurement] : [so, measurement], measurement.at)
    const point = pointOf(trigger, so)
    if (so.value !== null && !isThin(trigger, so) && point.kind === 'breached') return point
  }
  return null
}

function aggregated({ aggregate }: Periods, part: readonly Measurement[], at: number): Measurement {
  const values = valuesOf(part)
  const measured = part.filter(each => valuesOf([each]).length === 1)
  const requests = measured.map(each => each.requests)
  const baselines = part.flatMap(({ baseline }) => (typeof baseline === 'number' ? [baseline] : []))
  return {
    at,
    value: values.length === 0 ? null : (weightedMean(aggregate, measured) ?? aggregateOf(aggregate, values)),
    ...(requests.length > 0 && requests.every(count => count !== undefined)
      ? { requests: requests.reduce((sum, count) => sum + count, 0) }
      : {}),
    baseline: baselines.length === 0 ? null : aggregateOf(aggregate, baselines),
  }
}

/** WI4; null: there is nothing to weigh by. */
function weightedMean(aggregate: Aggregate, measured: readonly Measurement[]): number | null {
  if (aggregate !== 'mean' || measured.length === 0) return null
  let weight = 0
  let sum = 0
  for (const { value, requests } of measured) {
    if (requests === undefined || value === null) return null
    weight += requests
    sum += value * requests
  }
  return weight === 0 ? null : sum / weight
}

function aggregateOf(aggregate: Aggregate, values: readonly number[]): number {
  switch (aggregate) {
    case 'sum':
      return values.reduce((sum, value) => sum + value, 0)
    case 'mean':
      return values.reduce((sum, value) => sum + value, 0) / values.length
    case 'median':
      return median(values)
    case 'max':
      return values.reduce((most, value) => Math.max(most, value))
    case 'min':
      return values.reduce((least, value) => Math.min(least, value))
    default:
      return aggregate satisfies never
  }
}

// ── words ───────────────────────────────────────────────────────────────────────────────────────

function spanText(window: Window): string {
  switch (window.kind) {
    case 'periods':
      return `in ${window.breaches} of ${countOf(window.periods, 'period')} of ${formatDuration(window.period)}`
    case 'breaches':
      return `${countOf(window.breaches, 'time')} within ${formatDuration(window.within)}`
    case 'lasting':
      return `for ${formatDuration(window.duration)}`
    default:
      return window satisfies never
  }
}

const coolingText = ({ measure }: Trigger, rest: number): string =>
  `${measure} has fired, and is not looked at for another ${formatDuration(rest)}`
