import { describe, expect, test } from 'vitest'
import {
  type CountedMeasure,
  histogramQuantile,
  measureCpu,
  measureMemory,
  measureRequests,
  type ProcessUsage,
  type RequestCounts,
  type RowsOf,
} from '../../src/judge/counters.ts'

const CANARY: RowsOf = { side: 'canary', version: '3.0.0' }
const STABLE: RowsOf = { side: 'stable', version: '2.9.0' }
const ALL: RowsOf = { side: 'all', version: '3.0.0' }

const row = (of: RowsOf, counts: Partial<RequestCounts> = {}): RequestCounts => ({
  requests: 0,
  errors: 0,
  unanswered: 0,
  buckets: null,
  mirrored: 0,
  mismatched: 0,
  side: of.side,
  version: of.version,
  ...counts,
})

const histogram = (...counts: readonly number[]): Partial<RequestCounts> => ({
  requests: counts.at(-1)!,
  buckets: [0.1, 0.2, 0.5].map((le, index) => ({ le, count: counts[index]! })),
})

interface Case {
  readonly measure: CountedMeasure | CountedMeasure['kind']
  readonly earlier?: readonly RequestCounts[]
  readonly later: readonly RequestCounts[]
  readonly target?: RowsOf
  /** Milliseconds between the two moments. */
  readonly apart?: number
}

function check(
  { measure, earlier = [], later, target = CANARY, apart = 10_000 }: Case,
  value: number | null,
  requests: number,
): void {
  const asked = typeof measure === 'string' ? ({ kind: measure } as CountedMeasure) : measure
  const measured = measureRequests(asked, {
    target,
    earlier: { at: 1000, rows: earlier },
    later: { at: 1000 + apart, rows: later },
  })
  expect(measured).toEqual({
    at: 1000 + apart,
    value: value === null ? null : expect.closeTo(value, 12),
    requests,
  })
}

describe('a share of requests', () => {
  test('counts only what came between the two moments', () => {
    const earlier = [row(CANARY, { requests: 1000, errors: 500 })]
    const later = [row(CANARY, { requests: 1200, errors: 503 })]
    check({ measure: 'error-rate', earlier, later }, 3 / 200, 200)
  })

  test('of nothing is nothing', () => {
    const same = [row(CANARY, { requests: 1000, errors: 500 })]
    check({ measure: 'error-rate', earlier: same, later: same }, null, 0)
    check({ measure: 'availability', earlier: same, later: same }, null, 0)
    check({ measure: 'throughput', earlier: same, later: same }, null, 0)
    check({ measure: { kind: 'latency', quantile: 0.5 }, earlier: same, later: same }, null, 0)
    check({ measure: 'mismatch', earlier: same, later: same }, null, 0)
    check({ measure: 'error-rate', later: [] }, null, 0)
  })

  test('is 0 or 1 where it is', () => {
    check({ measure: 'error-rate', later: [row(CANARY, { requests: 7 })] }, 0, 7)
    check({ measure: 'error-rate', later: [row(CANARY, { requests: 7, errors: 7 })] }, 1, 7)
    check({ measure: 'availability', later: [row(CANARY, { requests: 7 })] }, 1, 7)
    check({ measure: 'availability', later: [row(CANARY, { requests: 7, errors: 7, unanswered: 7 })] }, 0, 7)
  })

  test('counts a request that nobody answered as an error, once', () => {
    check(
      { measure: 'error-rate', later: [row(CANARY, { requests: 10, errors: 4, unanswered: 3 })] },
      0.4,
      10,
    )
    check({ measure: 'error-rate', later: [row(CANARY, { requests: 10, unanswered: 3 })] }, 0.3, 10)
  })

  test('tells an error that was answered from no answer', () => {
    check(
      { measure: 'availability', later: [row(CANARY, { requests: 10, errors: 4, unanswered: 1 })] },
      0.9,
      10,
    )
  })

  test('of mirrored requests rests on those that were mirrored', () => {
    const later = [row(CANARY, { mirrored: 20, mismatched: 1 })]
    check({ measure: 'mismatch', later }, 0.05, 20)
    check({ measure: 'error-rate', later }, null, 0)
  })
})

describe('rows', () => {
  const later = [
    row(STABLE, { requests: 100, errors: 1 }),
    row(CANARY, { requests: 10, errors: 5 }),
    row({ side: 'canary', version: '2.8.0' }, { requests: 40, errors: 40 }),
    row({ side: 'stable', version: '3.0.0' }, { requests: 50, errors: 0 }),
  ]

  test('are found by side and version', () => {
    check({ measure: 'error-rate', later }, 0.5, 10)
    check({ measure: 'error-rate', later, target: STABLE }, 0.01, 100)
    check({ measure: 'error-rate', later, target: { side: 'stable', version: '3.0.0' } }, 0, 50)
    check({ measure: 'error-rate', later, target: { side: 'baseline', version: '2.9.0' } }, null, 0)
  })

  test('are summed for all sides', () => {
    check({ measure: 'error-rate', later, target: ALL }, 46 / 200, 200)
  })

  test('of which one counter is lower than before count from 0, and the others go on', () => {
    const earlier = [row(CANARY, { requests: 100, errors: 30 }), row(STABLE, { requests: 1000, errors: 10 })]
    const now = [row(CANARY, { requests: 8, errors: 2 }), row(STABLE, { requests: 1090, errors: 10 })]
    check({ measure: 'error-rate', earlier, later: now }, 0.25, 8)
    check({ measure: 'error-rate', earlier, later: now, target: ALL }, 2 / 98, 98)
  })

  test('were set back also where only their errors are lower, or a bucket is', () => {
    const before = row(CANARY, { requests: 10, errors: 9 })
    const after = row(CANARY, { requests: 12, errors: 3 })
    check({ measure: 'error-rate', earlier: [before], later: [after] }, 0.25, 12)
    const quick = row(CANARY, histogram(10, 10, 10))
    const slow = row(CANARY, histogram(0, 0, 10))
    const measure = { kind: 'latency', quantile: 0.5 } as const
    check({ measure, earlier: [quick], later: [slow] }, 350, 10)
  })
})

describe('throughput', () => {
  test('is a second, whatever the time between', () => {
    check({ measure: 'throughput', later: [row(CANARY, { requests: 30 })], apart: 2000 }, 15, 30)
    check({ measure: 'throughput', later: [row(CANARY, { requests: 30 })], apart: 60_000 }, 0.5, 30)
  })

  test('of no time is unknown', () => {
    check({ measure: 'throughput', later: [row(CANARY, { requests: 30 })], apart: 0 }, null, 30)
  })
})

describe('latency', () => {
  const latency = (quantile: number): CountedMeasure => ({ kind: 'latency', quantile })

  test('is linear within its bucket, in milliseconds', () => {
    check({ measure: latency(0.5), later: [row(CANARY, histogram(0, 10, 10))] }, 150, 10)
    check({ measure: latency(0.95), later: [row(CANARY, histogram(10, 10, 10))] }, 95, 10)
  })

  test('is that of the requests between the two moments', () => {
    const earlier = [row(CANARY, histogram(1000, 1000, 1000))]
    const later = [row(CANARY, histogram(1000, 1010, 1010))]
    check({ measure: latency(0.5), earlier, later }, 150, 10)
  })

  test('of all sides is that of their requests together', () => {
    const later = [row(CANARY, histogram(0, 0, 10)), row(STABLE, histogram(10, 10, 10))]
    check({ measure: latency(0.75), later, target: ALL }, 350, 20)
  })

  test('without a histogram is an error and not no data', () => {
    const between = { target: CANARY, earlier: { at: 0, rows: [] } }
    const later = { at: 5, rows: [row(CANARY, { requests: 3 })] }
    expect(measureRequests(latency(0.5), { ...between, later })).toMatchInlineSnapshot(`
      {
        "at": 5,
        "error": "the router does not keep how long answers took",
        "value": null,
      }
    `)
  })

  test.each<
    [name: string, quantile: number, counts: readonly number[], total: number, expected: number | null]
  >([
    // test/contract/prometheus.test.ts asks a real Prometheus for the same.
    ['at the lower bound of a bucket', 0.5, [5, 10, 10], 10, 0.1],
    ['within the lowest, from 0', 0.25, [5, 10, 10], 10, 0.05],
    ['over an empty bucket', 0.75, [5, 5, 10], 10, 0.35],
    ['the least', 0, [5, 5, 10], 10, 0],
    ['the greatest', 1, [5, 10, 10], 10, 0.2],
    ['above the highest bound', 0.95, [5, 6, 6], 10, 0.5],
    ['nothing within any bound', 0.5, [0, 0, 0], 10, 0.5],
    ['nothing at all', 0.5, [0, 0, 0], 0, null],
  ])('quantile %s', (_, quantile, counts, total, expected) => {
    const buckets = [0.1, 0.2, 0.5].map((le, index) => ({ le, count: counts[index]! }))
    const found = histogramQuantile(quantile, buckets, total)
    expect(found).toEqual(expected === null ? null : expect.closeTo(expected, 12))
  })
})

describe('processes', () => {
  const usage = (of: RowsOf, slot: number, cpuSeconds: number, memoryBytes = 0): ProcessUsage => ({
    side: of.side,
    version: of.version,
    slot,
    cpuSeconds,
    memoryBytes,
  })
  const cpu = (earlier: readonly ProcessUsage[], later: readonly ProcessUsage[], target = CANARY) =>
    measureCpu({ target, earlier: { at: 0, rows: earlier }, later: { at: 4000, rows: later } }).value

  test('use the most of any one', () => {
    expect(
      cpu([usage(CANARY, 0, 10), usage(CANARY, 1, 5)], [usage(CANARY, 0, 11), usage(CANARY, 1, 8)]),
    ).toBe(0.75)
  })

  test('of another side or version do not count', () => {
    expect(cpu([usage(STABLE, 0, 0)], [usage(STABLE, 0, 4)])).toBe(null)
    expect(cpu([usage(STABLE, 0, 0)], [usage(STABLE, 0, 4)], ALL)).toBe(1)
  })

  test('that were promoted meanwhile have no data, rather than all that they ever used', () => {
    const promoted: RowsOf = { side: 'stable', version: '3.0.0' }
    expect(cpu([usage(CANARY, 0, 900)], [usage(promoted, 0, 901)], promoted)).toBe(null)
  })

  test('that were started anew count from 0', () => {
    expect(cpu([usage(CANARY, 0, 900)], [usage(CANARY, 0, 2)])).toBe(0.5)
  })

  test('have no processor time where no time has passed, and no memory where there is none', () => {
    const now = {
      at: 7,
      rows: [usage(CANARY, 0, 1, 100), usage(CANARY, 1, 1, 300), usage(STABLE, 0, 1, 900)],
    }
    expect(measureCpu({ target: CANARY, earlier: now, later: now })).toEqual({ at: 7, value: null })
    expect(measureMemory(CANARY, now)).toEqual({ at: 7, value: 300 })
    expect(measureMemory({ side: 'baseline', version: '2.9.0' }, now)).toEqual({ at: 7, value: null })
  })
})
