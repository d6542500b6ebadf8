/**
 * From what was counted at two moments to what was measured between them.
 *
 * Boundary: numbers only; who counted and how they were read is not known here. Times are in milliseconds.
 *
 *  CN1. Only what was counted between the two moments counts, and only once.
 *  CN2. A row of counters of which one is lower than before was set back: all of it counts from 0.
 *  CN3. No request is no data: `null`, with `requests` 0.
 *  CN4. Requests that nobody answered are among the errors, for the router answers in their place with a status of
 *       500 or more; where a router counts more of them than errors, each of them is an error all the same.
 */
import type { Measurement } from './measurement.ts'

/** A row of a router's counters: one version of a component on one side. They only grow. */
export interface RequestCounts {
  readonly side: string
  readonly version: string
  readonly requests: number
  readonly errors: number
  readonly unanswered: number
  /** Cumulative, `le` in seconds, without the bucket that holds all; null: the router keeps no histogram. */
  readonly buckets: readonly Bucket[] | null
  readonly mirrored: number
  readonly mismatched: number
}

/** So many requests were answered within `le` seconds. */
export interface Bucket {
  readonly le: number
  readonly count: number
}

/** What one instance's processes use. */
export interface ProcessUsage {
  readonly side: string
  readonly slot: number
  readonly version: string
  readonly cpuSeconds: number
  readonly memoryBytes: number
}

/** All rows, as they were at one moment. */
export interface Snapshot<Row> {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly rows: readonly Row[]
}

/** Which rows are meant: those of one version on one side, or all. */
export interface RowsOf {
  readonly side: string
  readonly version: string
}

export interface Between<Row> {
  readonly target: RowsOf
  readonly earlier: Snapshot<Row>
  readonly later: Snapshot<Row>
}

/** What can be told from a router's counters. */
export type CountedMeasure =
  | { readonly kind: 'error-rate' | 'availability' | 'throughput' | 'mismatch' }
  | { readonly kind: 'latency'; readonly quantile: number }

/** Rows as growth: what was counted between two moments, summed over all that are meant. */
interface Growth {
  readonly requests: number
  readonly errors: number
  readonly unanswered: number
  readonly mirrored: number
  readonly mismatched: number
  /** By `le`; null: some row has no histogram. */
  readonly buckets: ReadonlyMap<number, number> | null
}

/** Measures requests between two moments: shares from 0 to 1, latency in milliseconds, throughput a second. */
export function measureRequests(measure: CountedMeasure, between: Between<RequestCounts>): Measurement {
  const { at } = between.later
  const grown = growthOf(between)
  const requests = measure.kind === 'mismatch' ? grown.mirrored : grown.requests
  if (requests === 0) return { at, value: null, requests }
  switch (measure.kind) {
    case 'error-rate':
      return { at, value: Math.min(1, Math.max(grown.errors, grown.unanswered) / requests), requests }
    case 'availability':
      return { at, value: Math.max(0, 1 - grown.unanswered / requests), requests }
    case 'mismatch':
      return { at, value: Math.min(1, grown.mismatched / requests), requests }
    case 'throughput':
      return { at, value: perSecond(requests, between), requests }
    case 'latency':
      return latencyOf(measure.quantile, grown, at)
    default:
      return measure satisfies never
  }
}

/** Processors in use between two moments, the most of any one instance: 1 is one whole processor. */
export function measureCpu(between: Between<ProcessUsage>): Measurement {
  const { earlier, later, target } = between
  const used = later.rows.filter(isMeant(target)).flatMap(row => {
    // What it used before it came to this place is not known to lie between the two moments.
    const before = earlier.rows.find(other => isSameInstance(row, other))
    if (before === undefined) return []
    const seconds = row.cpuSeconds < before.cpuSeconds ? row.cpuSeconds : row.cpuSeconds - before.cpuSeconds
    return perSecond(seconds, between) ?? []
  })
  return { at: later.at, value: greatest(used) }
}

/** Resident memory at one moment in bytes, the most of any one instance. */
export const measureMemory = (target: RowsOf, now: Snapshot<ProcessUsage>): Measurement => ({
  at: now.at,
  value: greatest(now.rows.filter(isMeant(target)).map(({ memoryBytes }) => memoryBytes)),
})

/**
 * The quantile of a histogram, in the unit of its bounds; null: it holds nothing. `total` counts all that was
 * observed, also above the highest bound.
 *
 * As Prometheus defines `histogram_quantile` for classic histograms (promql/quantile.go, bucketQuantile): linear
 * between the bounds of the bucket into which the rank falls, from 0 in the lowest one, and the highest bound where
 * the rank falls above it.
 */
export function histogramQuantile(
  quantile: number,
  buckets: readonly Bucket[],
  total: number,
): number | null {
  const highest = buckets.at(-1)
  if (highest === undefined || total <= 0) return null
  const rank = quantile * total
  const index = buckets.findIndex(({ count }) => count >= rank)
  if (index === -1) return highest.le
  const bucket = buckets[index]!
  const below = buckets[index - 1] ?? { le: 0, count: 0 }
  if (bucket.le <= 0 || bucket.count === below.count) return bucket.le
  return below.le + ((bucket.le - below.le) * (rank - below.count)) / (bucket.count - below.count)
}

// ── growth ──────────────────────────────────────────────────────────────────────────────────────

const NOTHING: Growth = {
  requests: 0,
  errors: 0,
  unanswered: 0,
  mirrored: 0,
  mismatched: 0,
  buckets: new Map(),
}

const COUNTED = ['requests', 'errors', 'unanswered', 'mirrored', 'mismatched'] as const

function growthOf({ target, earlier, later }: Between<RequestCounts>): Growth {
  return later.rows
    .filter(isMeant(target))
    .map(row => grownSince(earlier.rows.find(other => isSameRow(row, other)) ?? null, row))
    .reduce(sumOf, NOTHING)
}

function grownSince(before: RequestCounts | null, now: RequestCounts): Growth {
  const base = before === null || wasSetBack(before, now) ? null : before
  const grown = (counter: (typeof COUNTED)[number]): number => now[counter] - (base?.[counter] ?? 0)
  return {
    requests: grown('requests'),
    errors: grown('errors'),
    unanswered: grown('unanswered'),
    mirrored: grown('mirrored'),
    mismatched: grown('mismatched'),
    buckets:
      now.buckets === null
        ? null
        : new Map(now.buckets.map(({ le, count }) => [le, count - countWithin(base, le)])),
  }
}

const countWithin = (row: RequestCounts | null, le: number): number =>
  row?.buckets?.find(bucket => bucket.le === le)?.count ?? 0

const wasSetBack = (before: RequestCounts, now: RequestCounts): boolean =>
  COUNTED.some(counter => now[counter] < before[counter]) ||
  (now.buckets ?? []).some(({ le, count }) => count < countWithin(before, le))

function sumOf(a: Growth, b: Growth): Growth {
  return {
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    unanswered: a.unanswered + b.unanswered,
    mirrored: a.mirrored + b.mirrored,
    mismatched: a.mismatched + b.mismatched,
    buckets: a.buckets === null || b.buckets === null ? null : summedBuckets(a.buckets, b.buckets),
  }
}

function summedBuckets(
  a: ReadonlyMap<number, number>,
  b: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  const bounds = new Set([...a.keys(), ...b.keys()])
  return new Map([...bounds].map(le => [le, (a.get(le) ?? 0) + (b.get(le) ?? 0)]))
}

// ── rows ────────────────────────────────────────────────────────────────────────────────────────

/** By side and by version: a canary that was promoted is the stable side, of the canary's version. */
const isMeant =
  ({ side, version }: RowsOf) =>
  (row: RowsOf): boolean =>
    side === 'all' || (row.side === side && row.version === version)

const isSameRow = (a: RowsOf, b: RowsOf): boolean => a.side === b.side && a.version === b.version

const isSameInstance = (a: ProcessUsage, b: ProcessUsage): boolean => isSameRow(a, b) && a.slot === b.slot

// ── values ──────────────────────────────────────────────────────────────────────────────────────

function latencyOf(quantile: number, { buckets, requests }: Growth, at: number): Measurement {
  if (buckets === null || buckets.size === 0)
    return { at, value: null, error: 'the router does not keep how long answers took' }
  const sorted = [...buckets]
    .filter(([le]) => Number.isFinite(le))
    .map(([le, count]) => ({ le, count }))
    .sort((a, b) => a.le - b.le)
  const seconds = histogramQuantile(quantile, sorted, Math.max(requests, sorted.at(-1)?.count ?? 0))
  return { at, value: seconds === null ? null : seconds * 1000, requests }
}

/** Null where no time has passed. */
const perSecond = (amount: number, { earlier, later }: Between<unknown>): number | null =>
  later.at > earlier.at ? amount / ((later.at - earlier.at) / 1000) : null

const greatest = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((most, value) => Math.max(most, value))
