/** What R says to the same questions: `fixtures/make-from-r.R`, run with R 4.2.2, wrote `fixtures/from-r.json`. */
import { describe, expect, test } from 'vitest'
import { betaBelow, lnBeta, lnGamma } from '../../../src/judge/statistics/beta.ts'
import { mannWhitney } from '../../../src/judge/statistics/mann-whitney.ts'
import { normalBelow, normalQuantile } from '../../../src/judge/statistics/normal.ts'
import { mad, quantile } from '../../../src/judge/statistics/order.ts'
import {
  type Alternative,
  binomialAbove,
  binomialBelow,
  clopperPearson,
  fisherExact,
  type Share,
  scoreTest,
  wilson,
} from '../../../src/judge/statistics/proportions.ts'
import { shiftOf } from '../../../src/judge/statistics/shift.ts'
import { mannKendall, theilSen } from '../../../src/judge/statistics/trend.ts'
import r from './fixtures/from-r.json' with { type: 'json' }

const alternativeOf = (text: string): Alternative => text.replace('.', '-') as Alternative
const shareOf = ([events, requests]: readonly number[]): Share => ({ events: events!, requests: requests! })

/** Equal but for rounding: a share of what is expected, so that a tiny tail has to be right too. */
function close(actual: number, expected: number, tolerance = 1e-12): void {
  const error = Math.abs(actual - expected) / Math.max(Math.abs(expected), 1e-300)
  expect(actual === expected || error < tolerance, `${actual} is not ${expected}`).toBe(true)
}

describe('wilcox.test', () => {
  test.each(r.wilcox)('$name, $alternative', ({ x, y, alternative, W, p }) => {
    const ours = mannWhitney(x, y, { alternative: alternativeOf(alternative) })
    expect(ours.u).toBe(W)
    close(ours.p, p)
  })

  test("the figures in R's documentation", () => {
    const [water, ozone] = [r.wilcox[7]!, r.wilcox[2]!]
    expect(mannWhitney(water.x, water.y, { alternative: 'greater' })).toMatchObject({
      u: 35,
      method: 'exact',
    })
    expect(mannWhitney(water.x, water.y, { alternative: 'greater' }).p.toFixed(4)).toBe('0.1272')
    expect(mannWhitney(ozone.x, ozone.y)).toMatchObject({ u: 127.5, method: 'normal' })
    expect(mannWhitney(ozone.x, ozone.y).p.toPrecision(4)).toBe('0.0001208')
  })

  test.each(r.tied)('the exact distribution with ties, %#', ({ x, y, greater, less }) => {
    close(mannWhitney(x, y, { alternative: 'greater', ties: 'exact' }).p, greater)
    close(mannWhitney(x, y, { alternative: 'less', ties: 'exact' }).p, less)
  })

  test.each(r.wilcox)(
    'shift and its bounds: $name, $alternative',
    ({ x, y, alternative, confidence, shift, lower, upper }) => {
      const ours = shiftOf(x, y, alternative === 'two.sided' ? confidence : 2 * confidence - 1)
      close(ours.estimate, shift, 1e-9)
      // R closes in on the bounds of tied samples to 0.0001, and corrects for ties at each shift anew.
      const exact = new Set([...x, ...y]).size === x.length + y.length && x.length < 50
      const near = exact ? 1e-9 : 0.06 * Math.max(1, Math.abs(shift))
      if (lower !== null) expect(Math.abs(ours.lower! - lower)).toBeLessThan(near)
      if (upper !== null) expect(Math.abs(ours.upper! - upper)).toBeLessThan(near)
    },
  )
})

describe('distributions', () => {
  test.each(r.pnorm)('pnorm($z)', ({ z, p }) => close(normalBelow(z), p))
  test.each(r.qnorm)('qnorm($p)', ({ p, z }) => close(normalQuantile(p), z))
  test.each(r.lgamma)('lgamma($x)', ({ x, value }) =>
    expect(Math.abs(lnGamma(x) - value)).toBeLessThan(1e-13 * Math.max(10, value)),
  )
  test.each(r.pbeta)('pbeta($x, $a, $b)', ({ a, b, x, p, logBeta }) => {
    close(betaBelow(x, a, b), p, 1e-10)
    expect(Math.abs(lnBeta(a, b) - logBeta)).toBeLessThan(1e-13 * Math.max(10, Math.abs(logBeta)))
  })
  test.each(r.pbinom)('pbinom($events, $requests, $rate)', ({ events, requests, rate, below, above }) => {
    close(binomialBelow({ events, requests }, rate), below, 1e-11)
    close(binomialAbove({ events, requests }, rate), above, 1e-11)
  })
})

describe('shares', () => {
  test.each(r.intervals)('$events of $requests', ({ events, requests, confidence, exact, wilson: score }) => {
    const clopper = clopperPearson({ events, requests }, confidence)
    close(clopper.lower, exact[0]!, 1e-9)
    close(clopper.upper, exact[1]!, 1e-9)
    const interval = wilson({ events, requests }, confidence)
    close(interval.lower, score[0]!, 1e-9)
    close(interval.upper, score[1]!, 1e-9)
  })

  test.each(r.two)('$a against $b, $alternative', ({ a, b, alternative, fisher, score }) => {
    close(fisherExact(shareOf(a), shareOf(b), alternativeOf(alternative)), fisher, 1e-9)
    close(scoreTest(shareOf(a), shareOf(b), alternativeOf(alternative)), score ?? 1, 1e-9)
  })
})

describe('order and trend', () => {
  test.each(r.trend)('$name', ({ values, z, p, slope, mad: spread, q90, tau }) => {
    const points = values.map((value, at) => ({ at, value }))
    const found = mannKendall(points)
    close(found.z, z, 1e-10)
    close(found.p, p, 1e-10)
    close(found.tau, tau, 1e-10)
    close(theilSen(points).slope, slope, 1e-10)
    close(mad(values), spread, 1e-10)
    close(quantile(values, 0.9), q90, 1e-10)
  })
})
