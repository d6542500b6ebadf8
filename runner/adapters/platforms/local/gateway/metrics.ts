/**
 * What the gateway has seen: counters per component, side, version and slot, kept after the instance has gone, as
 * counters are.
 *
 * What is tried (the canary and the baseline) is judged by each of its attempts: one that fails counts as a request
 * that got no answer, even where another instance then answered in its place, so that a canary that breaks its
 * connections shows although no caller sees it. On the stable side such an attempt is no request, as ever.
 *
 * A caller who left without an answer counts as a request and with the time that it waited; as one that was not
 * answered only where it had waited for long (patience.ts).
 *
 * Boundary: numbers only; knows no request and no socket. How they are shown: metrics-text.ts.
 */
import type { Side } from '../../../../../src/plan/plan.ts'
import type { Counters } from '../../../../../src/run/ports.ts'
import { CALLER_WAITS_MS } from '../../../loopback/patience.ts'

export interface Labels {
  readonly component: string
  readonly side: Side
  /** Empty where no instance was found to ask. */
  readonly version: string
  readonly slot: string
}

export const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export interface Series {
  readonly labels: Labels
  readonly byCode: Map<number, number>
  /** Attempts that failed, by reason. */
  readonly failures: Map<string, number>
  /** Not cumulative. */
  readonly buckets: number[]
  errors: number
  unanswered: number
  mirrored: number
  mismatched: number
  sum: number
  count: number
}

export interface Answer {
  readonly code: number
  readonly seconds: number
  /** `gateway`: it spoke in place of an instance. `caller`: it left before anybody had spoken. */
  readonly by: 'instance' | 'gateway' | 'caller'
}

export class Metrics {
  readonly #all = new Map<string, Series>()
  /** Finds a series without building its key: an instance hands in the same labels each time. */
  readonly #known = new WeakMap<Labels, Series>()

  /** A request has come to its end. */
  answered(labels: Labels, { code, seconds, by }: Answer): void {
    const series = this.#seriesOf(labels)
    series.byCode.set(code, (series.byCode.get(code) ?? 0) + 1)
    const gaveUp = by === 'caller' && seconds * 1000 >= CALLER_WAITS_MS
    if (code >= 500 || gaveUp) series.errors += 1
    if ((by === 'gateway' && code >= 500) || gaveUp) series.unanswered += 1
    series.sum += seconds
    series.count += 1
    const bucket = BUCKETS_SECONDS.findIndex(limit => seconds <= limit)
    if (bucket >= 0) series.buckets[bucket]! += 1
  }

  /** An attempt at an instance failed: `connect`, `reset`, `timeout`. The request may have succeeded elsewhere. */
  attemptFailed(labels: Labels, reason: string): void {
    const { failures } = this.#seriesOf(labels)
    failures.set(reason, (failures.get(reason) ?? 0) + 1)
  }

  /** A copy of a request was answered, or not, and its answer was compared. */
  mirrored(labels: Labels, same: boolean): void {
    const series = this.#seriesOf(labels)
    series.mirrored += 1
    if (!same) series.mismatched += 1
  }

  series(): readonly Series[] {
    return [...this.#all.values()]
  }

  /** A component's, by side and version. */
  counters(component: string): readonly Counters[] {
    const sums = new Map<string, Counters>()
    for (const series of this.#all.values()) {
      const { labels } = series
      if (labels.component !== component) continue
      const key = `${labels.side} ${labels.version}`
      sums.set(key, added(sums.get(key), series))
    }
    return [...sums.values()]
  }

  #seriesOf(labels: Labels): Series {
    const known = this.#known.get(labels)
    if (known !== undefined) return known
    const { component, side, version, slot } = labels
    const key = JSON.stringify([component, side, version, slot])
    const series = this.#all.get(key) ?? newSeries(labels)
    this.#all.set(key, series)
    this.#known.set(labels, series)
    return series
  }
}

const newSeries = (labels: Labels): Series => ({
  labels,
  byCode: new Map(),
  failures: new Map(),
  buckets: BUCKETS_SECONDS.map(() => 0),
  errors: 0,
  unanswered: 0,
  mirrored: 0,
  mismatched: 0,
  sum: 0,
  count: 0,
})

/** How many took at most so long, in rising order, the last of them all that were counted. */
export const cumulativeBuckets = (
  series: Series,
): readonly { readonly le: number; readonly count: number }[] => {
  let count = 0
  return BUCKETS_SECONDS.map((le, index) => {
    count += series.buckets[index]!
    return { le, count }
  })
}

const added = (before: Counters | undefined, series: Series): Counters => {
  const { component, side, version } = series.labels
  const buckets = cumulativeBuckets(series)
  return {
    component,
    side,
    version,
    requests: (before?.requests ?? 0) + series.count,
    errors: (before?.errors ?? 0) + series.errors,
    unanswered: (before?.unanswered ?? 0) + series.unanswered,
    seconds: (before?.seconds ?? 0) + series.sum,
    buckets: buckets.map(({ le, count }, index) => ({
      le,
      count: count + (before?.buckets?.[index]?.count ?? 0),
    })),
    mirrored: (before?.mirrored ?? 0) + series.mirrored,
    mismatched: (before?.mismatched ?? 0) + series.mismatched,
  }
}
