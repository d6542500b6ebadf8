import { describe, expect, test } from 'vitest'
import { compareValues } from '../../../src/judge/compare.ts'
import type { Condition } from '../../../src/judge/condition.ts'
import { exposedShare, requestsExposed, timeToBeBack, timeToDetect } from '../../../src/judge/exposure.ts'
import {
  breachProbability,
  detectionProbability,
  fewestPoints,
  pointsNeeded,
  powerOfPoints,
  requestsNeeded,
  requestsToCompare,
  timeFor,
} from '../../../src/judge/power.ts'
import { binomialBelow } from '../../../src/judge/statistics/proportions.ts'
import r from './fixtures/from-r.json' with { type: 'json' }
import { seeded } from './seeded.ts'

const ratio = (kind: 'below' | 'at-most' | 'above' | 'at-least', threshold: number) =>
  ({ unit: 'ratio', condition: { kind, threshold } }) as const
const within: Condition = { kind: 'within', tolerance: 0.1, baseline: { kind: 'stable' } }

describe('requests for a verdict', () => {
  test('no error in 390 requests shows fewer than 1 %, with confidence 0.98', () => {
    // 0.99³⁹⁰ = 0.0199, and 0.99³⁸⁹ = 0.0200…
    expect(requestsNeeded(ratio('below', 0.01), 0)).toEqual({ requests: 390, allowed: 0 })
    expect(0.99 ** 390).toBeLessThan(0.02)
    expect(0.99 ** 389).toBeGreaterThan(0.02)
  })

  test.each([0, 0.0005, 0.001, 0.002, 0.004, 0.006])(
    'enough, and not one too many, at %d against 1 %%',
    expected => {
      const needed = requestsNeeded(ratio('below', 0.01), expected)!
      const passesWrongly = (requests: number): number =>
        binomialBelow({ events: needed.allowed, requests }, 0.01)
      expect(passesWrongly(needed.requests)).toBeLessThanOrEqual(0.02)
      expect(passesWrongly(needed.requests - 1)).toBeGreaterThan(0.02)
      expect(
        binomialBelow({ events: needed.allowed, requests: needed.requests }, expected),
      ).toBeGreaterThanOrEqual(0.8)
    },
  )

  test('the nearer to the threshold, the more', () => {
    const needed = [0, 0.001, 0.003, 0.005, 0.007, 0.009, 0.0095].map(
      expected => requestsNeeded(ratio('below', 0.01), expected)!.requests,
    )
    expect(needed).toEqual(needed.toSorted((a, b) => a - b))
    expect(needed.at(-1)).toBeGreaterThan(100_000)
  })

  test('an availability is the errors that it leaves', () => {
    const [up, down] = [
      requestsNeeded(ratio('at-least', 0.999), 0.9999)!,
      requestsNeeded(ratio('at-most', 0.001), 0.0001)!,
    ]
    expect(up).toEqual(down)
  })

  test.each([
    ['a breach', requestsNeeded(ratio('below', 0.01), 0.02)],
    ['the threshold itself', requestsNeeded(ratio('below', 0.01), 0.01)],
    ['a latency', requestsNeeded({ unit: 'ms', condition: { kind: 'below', threshold: 500 } }, 100)],
    ['a comparison', requestsNeeded({ unit: 'ratio', condition: within }, 0.01)],
  ])('%s has none', (_, needed) => expect(needed).toBe(null))

  test.each(r.power)("two shares, as R's power.prop.test: $p1 and $p2", ({ p1, p2, n }) => {
    expect(requestsToCompare(p1, p2)).toBe(Math.ceil(n))
  })

  test('two that are alike are never told apart', () => expect(requestsToCompare(0.1, 0.1)).toBe(null))

  test.each([
    [{ perSecond: 10 }, 39_000],
    [{ perSecond: 10, share: 0.05 }, 780_000],
    [{ perSecond: 0 }, null],
  ])('the time for 390 requests at %j', (traffic, expected) => expect(timeFor(390, traffic)).toBe(expected))
})

describe('how surely a rule sees it', () => {
  test.each([
    ['below 1 % of 100: one is a breach', ratio('below', 0.01), 0.01, 100, 1 - 0.99 ** 100],
    [
      'at most 1 % of 100: two are',
      ratio('at-most', 0.01),
      0.01,
      100,
      1 - 0.99 ** 100 - 100 * 0.01 * 0.99 ** 99,
    ],
    [
      'at least 99 % of 100: two are',
      ratio('at-least', 0.99),
      0.01,
      100,
      1 - 0.99 ** 100 - 100 * 0.01 * 0.99 ** 99,
    ],
    ['above 99 % of 100: one is', ratio('above', 0.99), 0.01, 100, 1 - 0.99 ** 100],
    ['below 1 % of 50: one is', ratio('below', 0.01), 0.1, 50, 1 - 0.9 ** 50],
    ['no error is none', ratio('below', 0.01), 0, 100, 0],
  ] as const)('%s', (_, rule, rate, requests, expected) => {
    expect(breachProbability(rule, { rate, requests })).toBeCloseTo(expected, 12)
  })

  test('not for a latency, and not for no requests', () => {
    expect(
      breachProbability(
        { unit: 'ms', condition: { kind: 'below', threshold: 5 } },
        { rate: 0.1, requests: 5 },
      ),
    ).toBe(null)
    expect(breachProbability(ratio('below', 0.01), { rate: 0.1, requests: 0 })).toBe(null)
  })

  test('of several points, as many as may fail and one more', () => {
    expect(detectionProbability({}, { breach: 0.5, points: 3 })).toBeCloseTo(7 / 8, 12)
    expect(detectionProbability({ failureLimit: 2 }, { breach: 0.5, points: 3 })).toBeCloseTo(1 / 8, 12)
    expect(detectionProbability({ failureLimit: 3 }, { breach: 1, points: 3 })).toBe(0)
  })

  test('the points that are needed have the power that was asked for', () => {
    for (const spreads of [0.2, 0.5, 1, 2])
      for (const error of [0.02, 0.01]) {
        const points = pointsNeeded({ spreads, error }, 0.8)!
        expect(powerOfPoints({ spreads, error }, points)).toBeGreaterThanOrEqual(0.8)
        expect(powerOfPoints({ spreads, error }, points - 1)).toBeLessThan(0.8)
      }
    expect(pointsNeeded({ spreads: 0 })).toBe(null)
    expect(pointsNeeded({ spreads: -1 })).toBe(pointsNeeded({ spreads: 1 }))
  })

  test('with fewer than the fewest nothing is found, and with these whatever is great', () => {
    for (const error of [0.04, 0.02, 0.01, 0.005, 0.00125]) {
      const fewest = fewestPoints(error)
      const verdictBy = (points: number, factor: number): string => {
        const baseline = Array.from({ length: points }, (_, i) => 100 + i)
        const rule = { measure: 'm', unit: 'ms', direction: 'increase', confidence: 1 - error } as const
        return compareValues(
          rule,
          baseline.map(value => value * factor),
          baseline,
        ).verdict
      }
      expect([verdictBy(fewest, 10), verdictBy(fewest, 1)]).toEqual(['high', 'pass'])
      expect([verdictBy(fewest - 1, 10), verdictBy(fewest - 1, 1)]).toEqual(['inconclusive', 'inconclusive'])
    }
  })
})

describe('exposure', () => {
  test.each([
    [0.05, 8, 'independent', 0.3366],
    [0.05, 8, 'lockstep', 0.05],
    [0.25, 3, 'independent', 0.5781],
    [1, 4, 'independent', 1],
    [0, 4, 'independent', 0],
    [0.05, 0, 'lockstep', 0],
    [0.05, 1, 'independent', 0.05],
  ] as const)('%d of the traffic on %d hops, %s', (weight, hops, coupling, expected) => {
    expect(exposedShare({ weight, hops, coupling })).toBeCloseTo(expected, 4)
  })

  test('keeps the digits of a small weight', () => {
    expect(exposedShare({ weight: 1e-12, hops: 3, coupling: 'independent' })).toBeCloseTo(3e-12, 20)
  })

  test('is what requests meet that are drawn at random', () => {
    const random = seeded(2)
    const rounds = 50_000
    let met = 0
    for (let round = 0; round < rounds; round += 1)
      met += Array.from({ length: 5 }, random).some(value => value < 0.1) ? 1 : 0
    expect(met / rounds).toBeCloseTo(exposedShare({ weight: 0.1, hops: 5, coupling: 'independent' }), 2)
  })

  test('lasts until the verdict, and until the traffic is back', () => {
    const quick = { interval: 10_000, failureLimit: 2 }
    const slow = { interval: 60_000, initialDelay: 30_000 }
    expect(timeToDetect(quick, { lag: 1_000 })).toBe(31_000)
    expect(timeToDetect(slow)).toBe(90_000)
    expect(timeToBeBack([slow, quick], { lag: 1_000, undo: 4_000 })).toBe(35_000)
    expect(timeToBeBack([], { undo: 4_000 })).toBe(null)
    expect(
      requestsExposed({ weight: 0.05, hops: 8, coupling: 'lockstep' }, { perSecond: 200, duration: 35_000 }),
    ).toBe(350)
  })

  test('no breach takes longer to be seen than is said', () => {
    const random = seeded(6)
    for (let round = 0; round < 2_000; round += 1) {
      const rule = {
        interval: 1_000 + Math.floor(random() * 60_000),
        initialDelay: Math.floor(random() * 60_000),
        failureLimit: Math.floor(random() * 4),
      }
      const lag = Math.floor(random() * 2_000)
      const breach = random() * 200_000
      let failures = 0
      let at = rule.initialDelay
      for (; failures <= rule.failureLimit; at += rule.interval) failures += at >= breach + lag ? 1 : 0
      expect(at - rule.interval - breach).toBeLessThanOrEqual(timeToDetect(rule, { lag }))
    }
  })
})
