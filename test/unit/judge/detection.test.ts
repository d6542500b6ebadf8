/** What the comparison promises of its errors, held by simulation. Bounds are five standard errors wide. */
import { describe, expect, test } from 'vitest'
import { powerOfPoints } from '../../../src/judge/power.ts'
import { compareShares, wilson } from '../../../src/judge/statistics/proportions.ts'
import { mannKendall } from '../../../src/judge/statistics/trend.ts'
import { kayenta, ratesOf } from './detection.ts'
import { normals, seeded } from './seeded.ts'

const rounds = 1_000
const error = 0.02
const slack = (rate: number): number => 5 * Math.sqrt((rate * (1 - rate)) / rounds)

describe.each([2, 5, 20, 50])('%d points a side', points => {
  const same = ratesOf({ points, shift: 0, rounds, seed: points })
  const shifted = ratesOf({ points, shift: 0.2, rounds, seed: points + 1 })

  test('two like sides are told apart no more often than was promised', () => {
    expect((same.high ?? 0) + (same.low ?? 0)).toBeLessThanOrEqual(error + slack(error))
  })

  test('a shift of 20 % passes no more often than was promised', () => {
    // At a shift that is exactly the effect asked for, the interval lies wholly within it by chance alone.
    expect(shifted.pass ?? 0).toBeLessThanOrEqual(error + slack(error))
  })

  test('a shift of 20 % is found at least as often as Kayenta finds it', () => {
    expect(shifted.high ?? 0).toBeGreaterThanOrEqual((kayenta[points]?.found ?? 0) - slack(0.5) / 2)
  })
})

test('two points a side: nothing is said, where Kayenta calls 22.7 % of like sides different', () => {
  expect(ratesOf({ points: 2, shift: 0, rounds, seed: 1 })).toEqual({ inconclusive: expect.closeTo(1, 9) })
})

test('what both sides are looked at for is not found more often for it', () => {
  const same = ratesOf({ points: 20, shift: 0, rounds, seed: 4, direction: 'either' })
  expect((same.high ?? 0) + (same.low ?? 0)).toBeLessThanOrEqual(error + slack(error))
})

test("Noether's formula says how often the test finds a shift", () => {
  const found = ratesOf({ points: 20, shift: 0.2, rounds, seed: 6 })
  // Part of what the test finds is smaller than the effect, and part of that within the tolerance.
  expect(found.high ?? 0).toBeLessThanOrEqual(powerOfPoints({ spreads: 1 }, 20) + slack(0.8))
  expect(found.high ?? 0).toBeGreaterThan(0.5)
})

test('like shares are told apart no more often than was promised', () => {
  const random = seeded(8)
  for (const [requests, rate] of [
    [50, 0.1],
    [400, 0.02],
    [1_000, 0.2],
  ] as const) {
    let found = 0
    const share = () => ({
      requests,
      events: Array.from({ length: requests }, random).filter(value => value < rate).length,
    })
    for (let round = 0; round < rounds; round += 1)
      found += compareShares(share(), share()).p <= error ? 1 : 0
    expect(found / rounds).toBeLessThanOrEqual(error + slack(error))
  }
})

test("Wilson's interval holds the true share about as often as it says", () => {
  const random = seeded(12)
  let held = 0
  for (let round = 0; round < rounds; round += 1) {
    const events = Array.from({ length: 200 }, random).filter(value => value < 0.05).length
    const { lower, upper } = wilson({ events, requests: 200 }, 0.95)
    held += lower <= 0.05 && 0.05 <= upper ? 1 : 0
  }
  expect(held / rounds).toBeGreaterThan(0.95 - slack(0.05))
})

test('a series without a trend is taken for one no more often than was promised', () => {
  const random = seeded(15)
  let found = 0
  for (let round = 0; round < rounds; round += 1)
    found +=
      mannKendall(normals(random, { mean: 0, sd: 1 }, 25).map((value, at) => ({ at, value }))).p <= error
        ? 1
        : 0
  expect(found / rounds).toBeLessThanOrEqual(error + slack(error))
})
