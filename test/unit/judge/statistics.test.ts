/** Laws that the statistics keep, and what they say at their edges. */
import { describe, expect, test } from 'vitest'
import { betaQuantile } from '../../../src/judge/statistics/beta.ts'
import { cusum, ewma, outliersOf, scoreOfValue, usualOf } from '../../../src/judge/statistics/control.ts'
import { mannWhitney } from '../../../src/judge/statistics/mann-whitney.ts'
import { normalAbove, normalBelow, normalQuantile } from '../../../src/judge/statistics/normal.ts'
import { median, rank } from '../../../src/judge/statistics/order.ts'
import {
  clopperPearson,
  compareShares,
  differenceOf,
  fisherExact,
  scoreTest,
  wilson,
} from '../../../src/judge/statistics/proportions.ts'
import { tiedDistribution, untiedDistribution } from '../../../src/judge/statistics/rank-distribution.ts'
import { shiftOf } from '../../../src/judge/statistics/shift.ts'
import { mannKendall, theilSen } from '../../../src/judge/statistics/trend.ts'
import { normals, seeded } from './seeded.ts'

const random = seeded(21)
const samples = Array.from({ length: 300 }, () => {
  const round = random() < 0.4 ? 1 : 1e-6
  const make = (): number[] =>
    normals(random, { mean: 10 * random(), sd: 3 }, 1 + Math.floor(random() * 30)).map(
      v => Math.round(v / round) * round,
    )
  return { x: make(), y: make() }
})

describe('the shift', () => {
  test('is the median of all differences, and its bounds are two of them', () => {
    for (const { x, y } of samples) {
      const differences = x.flatMap(a => y.map(b => a - b)).sort((a, b) => a - b)
      const { estimate, lower, upper } = shiftOf(x, y, 0.9)
      expect(estimate).toBe(median(differences))
      if (lower !== null) expect(differences).toContain(lower)
      if (upper !== null) expect(differences).toContain(upper)
      expect(lower === null || lower <= estimate).toBe(true)
      expect(upper === null || upper >= estimate).toBe(true)
    }
  })

  test('of a thousand values a side is one of a million differences', () => {
    const x = normals(random, { mean: 110, sd: 20 }, 1_000)
    const y = normals(random, { mean: 100, sd: 20 }, 1_000)
    const all = Float64Array.from(x.flatMap(a => y.map(b => a - b))).sort()
    const { estimate, lower, upper } = shiftOf(x, y, 0.98)
    expect(estimate).toBe((all[499_999]! + all[500_000]!) / 2)
    // U's standard deviation is 12,913: the bounds lie 2.326 of them from the middle.
    expect(Math.abs(all.indexOf(lower!) - (500_000 - 2.326348 * 12_913.17))).toBeLessThan(2)
    expect(all.indexOf(lower!) + all.indexOf(upper!)).toBe(999_999)
  })

  test('the other way round is its negative, and moves with the values', () => {
    for (const { x, y } of samples) {
      const [there, back] = [shiftOf(x, y, 0.9), shiftOf(y, x, 0.9)]
      expect(back.estimate).toBeCloseTo(-there.estimate, 9)
      if (there.lower === null) expect(back.upper).toBe(null)
      else expect(back.upper).toBeCloseTo(-there.lower, 9)
      expect(
        shiftOf(
          x.map(v => v + 5),
          y,
          0.9,
        ).estimate,
      ).toBeCloseTo(there.estimate + 5, 9)
    }
  })
})

describe("Mann and Whitney's test", () => {
  test('the two sides share all pairs, and the alternatives mirror each other', () => {
    for (const { x, y } of samples) {
      const there = mannWhitney(x, y, { alternative: 'greater', ties: 'exact' })
      const back = mannWhitney(y, x, { alternative: 'less', ties: 'exact' })
      expect(there.u + back.u).toBe(x.length * y.length)
      expect(back.p).toBeCloseTo(there.p, 10)
    }
  })

  test('knows only the order of the values', () => {
    for (const { x, y } of samples) {
      const cubed = mannWhitney(
        x.map(v => v ** 3),
        y.map(v => v ** 3),
      )
      expect(cubed).toEqual(mannWhitney(x, y))
    }
  })

  test('is exact with ties where there are none', () => {
    for (const [n, m] of [
      [1, 1],
      [3, 4],
      [7, 5],
      [12, 12],
      [45, 3],
      [30, 30],
    ] as const) {
      const ranks = Float64Array.from({ length: n + m }, (_, i) => i + 1)
      const [tied, untied] = [tiedDistribution(ranks, n), untiedDistribution(n, m)]
      for (let u = 0; u <= n * m; u += 1) {
        const index = (u - tied.least) / tied.step
        expect(tied.below[index]! / untied.below[u]!).toBeCloseTo(1, 10)
      }
    }
  })

  test('all alike are no different', () => {
    expect(mannWhitney([1, 1, 1], [1, 1])).toMatchObject({ p: 1, superiority: 0.5 })
    expect(mannWhitney(Array(60).fill(1), Array(60).fill(1))).toMatchObject({ p: 1, method: 'normal' })
  })

  test('of nothing, nothing is said', () => expect(() => mannWhitney([], [1])).toThrow('cannot be compared'))
})

describe('shares', () => {
  const shares = Array.from({ length: 300 }, () => {
    const requests = 1 + Math.floor(random() * 500)
    return { requests, events: Math.floor(random() * (requests + 1)) }
  })

  test('an interval holds the share it is about, and narrows with less confidence', () => {
    for (const share of shares)
      for (const interval of [wilson, clopperPearson]) {
        const [wide, narrow] = [interval(share, 0.99), interval(share, 0.8)]
        const estimate = share.events / share.requests
        expect(wide.lower).toBeLessThanOrEqual(narrow.lower)
        expect(narrow.lower).toBeLessThanOrEqual(estimate)
        expect(narrow.upper).toBeGreaterThanOrEqual(estimate)
        expect(wide.upper).toBeGreaterThanOrEqual(narrow.upper)
      }
  })

  test('two tests of two shares mirror each other', () => {
    for (const [index, a] of shares.entries()) {
      const b = shares[(index + 1) % shares.length]!
      for (const compare of [fisherExact, scoreTest]) {
        expect(compare(a, b, 'greater')).toBeCloseTo(compare(b, a, 'less'), 9)
        expect(compare(a, b)).toBeCloseTo(compare(b, a), 9)
        expect(compare(a, a)).toBeCloseTo(1, 9)
      }
    }
  })

  test("Newcombe's published example", () => {
    // 56 of 70 against 48 of 80, 95 %: 0.0524 to 0.3339 (Newcombe 1998, table II, method 10).
    const { estimate, lower, upper } = differenceOf(
      { events: 56, requests: 70 },
      { events: 48, requests: 80 },
      0.95,
    )
    expect([estimate, lower, upper].map(value => value.toFixed(4))).toEqual(['0.2000', '0.0524', '0.3339'])
  })

  test('few events are judged exactly, many by the normal curve', () => {
    expect(compareShares({ events: 3, requests: 100 }, { events: 1, requests: 100 }).method).toBe('fisher')
    expect(compareShares({ events: 300, requests: 10_000 }, { events: 250, requests: 10_000 }).method).toBe(
      'score',
    )
    expect(compareShares({ events: 0, requests: 0 }, { events: 0, requests: 0 }).p).toBe(1)
  })

  test('of no request, nothing is known', () => {
    expect(wilson({ events: 0, requests: 0 }, 0.95)).toEqual({ lower: 0, upper: 1 })
    expect(clopperPearson({ events: 0, requests: 0 }, 0.95)).toEqual({ lower: 0, upper: 1 })
  })
})

describe('distributions', () => {
  test('a quantile is where its tail begins', () => {
    for (const p of [1e-12, 0.001, 0.02, 0.3, 0.5, 0.8, 0.999]) {
      expect(normalBelow(normalQuantile(p)) / p).toBeCloseTo(1, 11)
      expect(normalAbove(-normalQuantile(p))).toBe(normalBelow(normalQuantile(p)))
    }
    expect([0, 1, 2, -1].map(normalQuantile)).toEqual([-Infinity, Infinity, Number.NaN, Number.NaN])
    expect([betaQuantile(0, 2, 3), betaQuantile(1, 2, 3)]).toEqual([0, 1])
  })

  test('ranks of equal values are their mean', () => {
    expect([...rank([3, 1, 3, 2]).ranks]).toEqual([3.5, 1, 3.5, 2])
    expect(rank([3, 1, 3, 3, 1]).ties).toEqual([2, 3])
  })
})

describe('charts', () => {
  const baseline = normals(seeded(31), { mean: 100, sd: 10 }, 200)
  const usual = usualOf(baseline)
  const later = (mean: number): number[] => normals(seeded(32), { mean, sd: 10 }, 60)

  test('wild values in the baseline widen nothing', () => {
    const wild = usualOf([...baseline, ...Array<number>(40).fill(1e6)])
    expect(wild.middle).toBeCloseTo(usual.middle, -1)
    expect(wild.spread).toBeLessThan(2 * usual.spread)
  })

  test('one value far out is an outlier, and nothing else is', () => {
    const found = outliersOf([...later(100).slice(0, 20), 180], usual)
    expect(found.map(({ index, value }) => ({ index, value }))).toEqual([{ index: 20, value: 180 }])
  })

  test('a shift of one spread that stays is seen by both charts, on its side, and soon', () => {
    for (const chart of [ewma, cusum])
      for (const [mean, side] of [
        [112, 'high'],
        [88, 'low'],
      ] as const) {
        const signal = chart(later(mean), usual)
        expect(signal?.side).toBe(side)
        expect(signal?.index).toBeLessThan(30)
        expect(chart(later(100), usual)).toBe(null)
      }
  })

  test('CUSUM needs as long as its table says', () => {
    // Montgomery, table 9.3 (h = 5, k = 0.5): 465 values to a false alarm, 10.4 to a shift of one spread.
    const lengths = (mean: number): number => {
      const runs = Array.from({ length: 300 }, () => {
        const values = normals(random, { mean, sd: 1 }, mean === 0 ? 4_000 : 100)
        return (cusum(values, { middle: 0, spread: 1 })?.index ?? values.length - 1) + 1
      })
      return runs.reduce((sum, length) => sum + length, 0) / runs.length
    }
    expect(Math.abs(lengths(0) / 465 - 1)).toBeLessThan(0.25)
    expect(Math.abs(lengths(1) - 10.4)).toBeLessThan(1)
  })

  test('a baseline that never changed makes any other value an outlier, in JSON too', () => {
    const constant = usualOf([5, 5, 5, 5])
    const found = outliersOf([5, 5.001, 4], constant)
    expect(found.map(({ value }) => value)).toEqual([5.001, 4])
    expect(JSON.parse(JSON.stringify(found))).toEqual(found)
    expect(scoreOfValue(constant, 5)).toBe(0)
    expect(cusum([5, 5, 6], constant)).toEqual({ index: 2, side: 'high' })
    // Mostly one value: the mean distance takes the place of a MAD that is zero.
    expect(usualOf([5, 5, 5, 5, 10]).spread).toBeCloseTo(1.2533, 3)
  })

  test('a setting that makes no chart is refused', () => {
    expect(() => ewma([1], usual, { weight: 0 })).toThrow("a chart's weight is 0")
    expect(() => cusum([1], usual, { limit: -1 })).toThrow("a chart's limit is -1")
  })
})

describe('a trend', () => {
  const line = Array.from({ length: 21 }, (_, at) => ({ at, value: 3 * at + 7 }))

  test('of a line is the line, and a few wild values do not move it', () => {
    expect(theilSen(line)).toEqual({ slope: 3, intercept: 7 })
    expect(mannKendall(line).tau).toBe(1)
    const wild = line.map((point, index) => (index % 5 === 0 ? { ...point, value: 1e6 } : point))
    expect(theilSen(wild).slope).toBeGreaterThan(2)
    expect(theilSen(wild).slope).toBeLessThan(4)
  })

  test('turns with time', () => {
    const back = line.map(({ at, value }) => ({ at: -at, value }))
    expect(theilSen(back).slope).toBe(-3)
    expect(mannKendall(back)).toMatchObject({ tau: -1, p: mannKendall(line).p })
  })

  test('of no movement is none', () => {
    expect(mannKendall(line.map(({ at }) => ({ at, value: 5 })))).toEqual({ tau: 0, z: 0, p: 1 })
    expect(mannKendall(line.slice(0, 2))).toEqual({ tau: 0, z: 0, p: 1 })
  })

  test('of too many points is refused', () => {
    const many = Array.from({ length: 5_001 }, (_, at) => ({ at, value: at }))
    expect(() => mannKendall(many)).toThrow('a trend of 5001 points would take too long')
  })
})
