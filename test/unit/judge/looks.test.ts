/** A comparison while it is measured: when it is looked at, what it doubts, and what it makes of gaps, errors and few requests. */
import { describe, expect, test } from 'vitest'
import { type LooksRule, WatchedComparison } from '../../../src/judge/looks.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import { normals, seeded } from './seeded.ts'

const started = 1_750_000_000_000
const second = 1000

const base: LooksRule = {
  measure: 'latency p95',
  unit: 'ms',
  direction: 'increase',
  effect: 0.1,
  confidence: 0.98,
  other: 'stable',
  minRequests: 0,
  consecutiveErrorLimit: 2,
  noData: 'hold',
  started,
  duration: 20 * second,
}

type Sketch = number | null | 'error' | Omit<Measurement, 'at'>

const measured = (sketch: Sketch, at: number): Measurement => {
  if (sketch === 'error') return { at, value: null, error: 'connection refused' }
  return typeof sketch === 'object' && sketch !== null ? { at, ...sketch } : { at, value: sketch }
}

/** One pair a second, from the first second on. */
function watched(rule: Partial<LooksRule>, pairs: readonly (readonly [Sketch, Sketch])[]): WatchedComparison {
  const comparison = new WatchedComparison({ ...base, ...rule })
  take(comparison, pairs, 1)
  return comparison
}

function take(
  comparison: WatchedComparison,
  pairs: readonly (readonly [Sketch, Sketch])[],
  from: number,
): void {
  for (const [i, [canary, other]] of pairs.entries()) {
    const at = started + (from + i) * second
    comparison.take(measured(canary, at), measured(other, at))
  }
}

/** Spread around one by some percent, without chance. */
const wobble = (n: number): number => 1 + 0.02 * Math.sin(n * 12.9898)
const pairs = (count: number, canary: number): (readonly [number, number])[] =>
  Array.from({ length: count }, (_, n) => [canary * wobble(n + 0.5), 100 * wobble(n)])

const verdicts = (comparison: WatchedComparison): string =>
  `${comparison.sight('so far').verdict}, ${comparison.sight('ended').verdict}`

describe('looks', () => {
  test('at the end what is worse fails, though no look before could tell', () => {
    const comparison = watched({}, pairs(4, 200))
    expect(verdicts(comparison)).toBe('inconclusive, inconclusive')
    take(comparison, pairs(2, 200), 15)
    expect(comparison.sight('so far').verdict).toBe('inconclusive')
    comparison.close(0)
    expect(verdicts(comparison)).toBe('fail, fail')
  })

  test('after the end what is worse fails at one of four looks, and not between them', () => {
    const comparison = watched({}, pairs(3, 200))
    comparison.close(0)
    expect(verdicts(comparison)).toBe('inconclusive, inconclusive')
    take(comparison, pairs(20, 200), 21)
    comparison.close(0.24)
    expect(verdicts(comparison)).toBe('inconclusive, inconclusive')
    comparison.close(0.25)
    expect(verdicts(comparison)).toBe('fail, fail')
  })

  test('a look without new points is none, and does not use one up', () => {
    const comparison = watched({}, pairs(3, 100))
    for (const waited of [0, 0.25, 0.5]) comparison.close(waited)
    take(comparison, pairs(40, 100), 21)
    comparison.close(0.5)
    expect(verdicts(comparison)).toBe('pass, pass')
  })

  test('what passed at its end may be found worse after it, and stays passed where it cannot be told', () => {
    const comparison = watched({}, pairs(20, 100))
    comparison.close(0)
    expect(verdicts(comparison)).toBe('pass, pass')
    take(comparison, pairs(5, 115), 21)
    comparison.close(0.25)
    expect(verdicts(comparison)).toBe('pass, pass')
    take(comparison, pairs(200, 200), 26)
    comparison.close(0.5)
    expect(verdicts(comparison)).toBe('fail, fail')
  })

  test('without patience there is one look at the end', () => {
    const comparison = watched({}, pairs(20, 100))
    comparison.close(1)
    expect(verdicts(comparison)).toBe('pass, pass')
  })

  /** The shares of 150 that pass and that fail, with the end after six points and patience for twelve more. */
  const sharesOf = (mean: number): { readonly pass: number; readonly fail: number } => {
    const random = seeded(11)
    const counts = { pass: 0, fail: 0 }
    for (let round = 0; round < 150; round += 1) {
      const canary = normals(random, { mean, sd: 6 }, 18)
      const other = normals(random, { mean: 100, sd: 6 }, 18)
      const all = canary.map((value, i) => [value, other[i]!] as const)
      const comparison = watched({ confidence: 0.9, duration: 6 * second }, all.slice(0, 6))
      comparison.close(0)
      for (let i = 6; i < 18 && !comparison.isDecided(); i += 1) {
        take(comparison, [all[i]!], i + 1)
        comparison.close((i - 5) / 12)
      }
      const { verdict } = comparison.sight('ended')
      if (verdict === 'pass' || verdict === 'fail') counts[verdict] += 1
    }
    return { pass: counts.pass / 150, fail: counts.fail / 150 }
  }

  test('all together are no more often mistaken than they say, however long one waits', () => {
    // A look at each new point, with the doubt of the end alone, would let one of seven pass that are worse by just what matters.
    expect(sharesOf(110).pass).toBeLessThan(0.1)
    const alike = sharesOf(100)
    expect(alike.fail).toBeLessThan(0.1)
    expect(alike.pass).toBeGreaterThan(0.9)
  })
})

describe('errors', () => {
  test.each<[string, readonly (readonly [Sketch, Sketch])[], string]>([
    [
      'of the other side count as well',
      [
        [100, 'error'],
        [100, 'error'],
        [100, 'error'],
      ],
      'fail: latency p95 of the stable side could not be measured: connection refused, 3 times in a row',
    ],
    [
      'of either side, in a row',
      [
        [100, 'error'],
        ['error', 100],
        ['error', 'error'],
      ],
      'fail: latency p95 of the canary could not be measured: connection refused, 3 times in a row',
    ],
    [
      'that end count for nothing',
      [
        [100, 'error'],
        [100, 'error'],
        [100, 100],
        [100, 'error'],
        ['error', 100],
      ],
      'inconclusive: latency p95 has not been compared yet',
    ],
  ])('%s', (_, given, expected) => {
    const { verdict, reason } = watched({ duration: 1000 * second }, given).sight('so far')
    expect(`${verdict}: ${reason}`).toBe(expected)
  })

  test('are no data at the end: a side that was never measured says why', () => {
    const comparison = watched({}, [[100, 'error']])
    comparison.close(1)
    expect(comparison.sight('ended')).toEqual({
      verdict: 'unmeasured',
      reason: 'latency p95 of the baseline could not be measured: 1 error',
    })
  })
})

describe('no data', () => {
  const good = pairs(20, 100)
  const closed = (noData: LooksRule['noData'], gap: readonly [Sketch, Sketch]): WatchedComparison => {
    const comparison = watched({ noData }, [...good, gap])
    comparison.close(0)
    return comparison
  }

  test('fails at once where it says so', () => {
    const comparison = watched({ noData: 'fail' }, [
      [100, 100],
      [{ value: 0, requests: 0 }, 100],
    ])
    expect(comparison.sight('so far')).toEqual({
      verdict: 'fail',
      reason: 'latency p95 of the canary has no data',
    })
    expect(closed('fail', [100, null]).sight('so far').reason).toBe(
      'latency p95 of the stable side has no data',
    )
  })

  test('holds a pass back until data come again', () => {
    const comparison = closed('hold', [null, 100])
    expect(comparison.sight('ended')).toEqual({
      verdict: 'unmeasured',
      reason: 'latency p95 of the canary had no data when its time was over, after 20 points that had',
    })
    take(comparison, [[100, 100]], 22)
    comparison.close(0.1)
    expect(verdicts(comparison)).toBe('pass, pass')
  })

  test('is passed over where it is ignored', () => {
    expect(verdicts(closed('ignore', [null, 100]))).toBe('pass, pass')
  })

  test('does not hide what is worse', () => {
    const comparison = watched({}, [...pairs(4, 200), [null, 100]])
    take(comparison, pairs(2, 200), 16)
    take(comparison, [[null, null]], 18)
    comparison.close(0)
    expect(verdicts(comparison)).toBe('fail, fail')
  })
})

describe('few requests', () => {
  const of = (value: number, requests: number): Sketch => ({ value, requests })

  test('are pooled, each side for itself: ten measurements of ten are one point of a hundred', () => {
    const wild = Array.from(
      { length: 100 },
      (_, n) => [of(n % 10 === 0 ? 1000 : 0, 10), of(100, 200)] as const,
    )
    const comparison = watched({ minRequests: 100 }, wild)
    comparison.close(0)
    expect(comparison.points).toBe(10)
    expect(comparison.sight('ended').verdict).toBe('pass')
    expect(comparison.sight('ended').reason).toContain('by 10 and 100 points')
  })

  test('that are never enough are no point', () => {
    const comparison = watched({ minRequests: 100 }, [
      [of(1000, 30), of(100, 200)],
      [of(1000, 30), of(100, 200)],
    ])
    comparison.close(1)
    expect(comparison.sight('ended')).toEqual({
      verdict: 'inconclusive',
      reason: 'latency p95 of the canary rests on 60 requests, and 100 are asked for',
    })
  })

  test('of whom nobody knows how many are an error', () => {
    const comparison = watched({ minRequests: 100 }, [
      [100, of(100, 200)],
      [100, of(100, 200)],
      [100, of(100, 200)],
    ])
    expect(comparison.sight('so far').reason).toBe(
      'latency p95 of the canary could not be measured: it does not say how many requests it rests on, 3 times in a row',
    )
  })
})
