/** Single cases of the comparison, those that Kayenta is known to judge otherwise among them. */
import { describe, expect, test } from 'vitest'
import { type ComparisonRule, compareSeries, compareValues } from '../../../src/judge/compare.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import { normals, seeded } from './seeded.ts'

const rule: ComparisonRule = { measure: 'latency', unit: 'ms', direction: 'increase' }
const times = (count: number, value: number): number[] => Array<number>(count).fill(value)
const measured = (values: readonly (number | null | 'error')[]): Measurement[] =>
  values.map((value, at) => (value === 'error' ? { at, value: null, error: 'timeout' } : { at, value }))
const judged = (
  canary: readonly number[],
  baseline: readonly number[],
  more: Partial<ComparisonRule> = {},
): string => {
  const { verdict, reason } = compareValues({ ...rule, ...more }, canary, baseline)
  return `${verdict}: ${reason}`
}

describe('cases that pass for want of a better rule', () => {
  test('errors where the baseline has none (kayenta#426) are no pass', () => {
    const found = compareValues(
      { ...rule, measure: 'errors', unit: 'count' },
      [0, 1, 2, 1, 0, 0],
      times(6, 0),
    )
    expect(found).toMatchObject({ verdict: 'inconclusive', p: 84 / 924 })
    // As many again decide it.
    expect(judged([0, 1, 2, 1, 0, 0, 0, 1, 2, 1, 0, 0], times(12, 0))).toMatch(/^high: /)
  })

  test.each([[6], [7], [8], [10]])('%d of ten points a hundred times as high (spinnaker#6278)', high => {
    expect(judged([...times(high, 100), ...times(10 - high, 1)], times(10, 1))).toMatch(/^high: /)
  })

  test('a third of all points wild, where the median has not moved', () => {
    expect(judged([...times(35, 1), ...times(15, 100)], times(50, 1))).toBe(
      "high: latency of the canary is 1ms where the baseline's is 1ms, and 15 of 50 points lie above all that the baseline measured",
    )
  })

  test('data that never change', () => {
    expect(judged(times(6, 6), times(6, 5), { effect: 0.1 })).toBe(
      "high: latency of the canary is 6ms where the baseline's is 5ms: 1ms higher, by 6 and 6 points",
    )
    expect(judged(times(6, 5), times(6, 5))).toMatch(/^pass: /)
    expect(judged(times(6, 0), times(6, 0))).toMatch(/^pass: /)
    expect(judged(times(6, 5.1), times(6, 5))).toMatch(/^pass: /)
  })

  test('one and two points a side say nothing', () => {
    expect(judged([900], [5])).toBe(
      "inconclusive: latency of the canary is 900ms where the baseline's is 5ms; whether it is within 20% cannot be told by 1 and 1 point",
    )
    expect(judged([900, 901], [5, 6])).toMatch(/^inconclusive: /)
    expect(judged([5], [5])).toMatch(/^inconclusive: /)
  })
})

describe('a side without values', () => {
  test.each<
    [
      string,
      readonly (number | null | 'error')[],
      readonly (number | null | 'error')[],
      Partial<ComparisonRule>,
      string,
    ]
  >([
    [
      'errors',
      ['error', 'error'],
      [1, 2, 3],
      {},
      'error: latency of the canary could not be measured: 2 errors',
    ],
    ['no data', [null, null], [1, 2, 3], {}, 'no-data: latency of the canary has no data'],
    ['an empty baseline', [1, 2, 3], [], {}, 'no-data: latency of the baseline has no data'],
  ])('%s', (_, canary, baseline, more, expected) => {
    const { verdict, reason } = compareSeries(
      { ...rule, ...more },
      { canary: measured(canary), baseline: measured(baseline) },
    )
    expect(`${verdict}: ${reason}`).toBe(expected)
  })

  test('gaps among values are counted and left out', () => {
    const found = compareSeries(rule, { canary: measured([5, null, 'error', 5]), baseline: measured([5, 5]) })
    expect(found.canary).toEqual({ points: 2, missing: 1, errors: 1, median: 5 })
  })
})

describe('which way', () => {
  const low = normals(seeded(1), { mean: 100, sd: 5 }, 20)
  const high = normals(seeded(2), { mean: 150, sd: 5 }, 20)
  test.each([
    ['increase', high, low, 'high'],
    ['increase', low, high, 'pass'],
    ['decrease', low, high, 'low'],
    ['decrease', high, low, 'pass'],
    ['either', high, low, 'high'],
    ['either', low, high, 'low'],
  ] as const)('%s', (direction, canary, baseline, verdict) => {
    expect(compareValues({ ...rule, direction }, canary, baseline).verdict).toBe(verdict)
  })
})

describe('the effect that matters', () => {
  const baseline = normals(seeded(1), { mean: 100, sd: 10 }, 300)
  const canary = normals(seeded(2), { mean: 108, sd: 10 }, 300)
  test('a small shift that is sure is no failure where only a large one matters', () => {
    expect(judged(canary, baseline)).toMatch(/^pass: .* surely within 20% of it/)
    expect(judged(canary, baseline, { effect: 0.05 })).toMatch(/^high: /)
    expect(judged(canary, baseline, { effect: 0.05, floor: 15 })).toMatch(/^pass: /)
  })

  test('too few points to see it are said to be too few', () => {
    expect(judged(canary.slice(0, 6), baseline.slice(0, 6), { effect: 0.05 })).toMatch(
      /cannot be told by 6 and 6 points, and it takes about \d+ a side$/,
    )
  })
})

describe('properties', () => {
  const random = seeded(9)
  const cases = Array.from({ length: 200 }, () => {
    const size = (): number => 1 + Math.floor(random() * 25)
    const round = random() < 0.5 ? 5 : 0.001
    const make = (mean: number): number[] =>
      normals(random, { mean, sd: 20 }, size()).map(value => Math.round(value / round) * round)
    return {
      canary: make(100 + 60 * random()),
      baseline: make(100),
      direction: (['increase', 'decrease', 'either'] as const)[Math.floor(random() * 3)]!,
    }
  })
  const mirrored = { increase: 'decrease', decrease: 'increase', either: 'either' } as const
  const opposite = { high: 'low', low: 'high', pass: 'pass', inconclusive: 'inconclusive' } as const
  type Known = keyof typeof opposite

  test('upside down, high is low', () => {
    for (const { canary, baseline, direction } of cases) {
      const flip = (values: readonly number[]): number[] => values.map(value => -value)
      const straight = compareValues({ ...rule, direction }, canary, baseline)
      const turned = compareValues({ ...rule, direction: mirrored[direction] }, flip(canary), flip(baseline))
      expect(turned.verdict).toBe(opposite[straight.verdict as Known])
    }
  })

  test('neither order nor unit matters', () => {
    for (const { canary, baseline, direction } of cases) {
      const straight = compareValues({ ...rule, direction }, canary, baseline)
      const other = compareValues(
        { ...rule, direction },
        canary.toReversed().map(v => v * 1024),
        baseline.toSorted().map(v => v * 1024),
      )
      expect(other.verdict).toBe(straight.verdict)
      expect(other.p).toBe(straight.p)
    }
  })

  test('a canary that is worse everywhere is never judged better', () => {
    const rank = { pass: 0, inconclusive: 1, high: 2 } as Record<string, number>
    for (const { canary, baseline } of cases) {
      const verdicts = [0, 10, 30, 100].map(
        more =>
          rank[
            compareValues(
              rule,
              canary.map(v => v + more),
              baseline,
            ).verdict
          ]!,
      )
      expect(verdicts).toEqual(verdicts.toSorted((a, b) => a - b))
    }
  })
})
