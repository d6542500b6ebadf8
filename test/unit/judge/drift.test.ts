import { describe, expect, test } from 'vitest'
import { type DriftRule, judgeDrift } from '../../../src/judge/drift.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import { normals, seeded } from './seeded.ts'

const started = 1_750_000_000_000
const minute = 60_000
const MiB = 2 ** 20
const rule: DriftRule = {
  measure: 'memory',
  unit: 'bytes',
  direction: 'increase',
  perHour: 5 * MiB,
  ceiling: 1024 * MiB,
}

/** A measurement every five minutes: 500 MiB that grow by so much an hour, with noise of 5 MiB. */
const memory = (perHour: number, count: number, seed = 1): Measurement[] =>
  normals(seeded(seed), { mean: 0, sd: 5 }, count).map((noise, index) => ({
    at: started + index * 5 * minute,
    value: (500 + (perHour * index) / 12 + noise) * MiB,
  }))

describe('a leak', () => {
  test('is seen, with the hour at which it would matter', () => {
    const found = judgeDrift(rule, memory(40, 60))
    expect(found).toMatchObject({ verdict: 'fail', points: 60 })
    expect(found.perHour! / MiB).toBeCloseTo(40, -1)
    expect((found.reachedAt! - started) / (60 * minute)).toBeCloseTo(13.1, 0)
    expect(found.reason).toMatch(
      /^memory grows by \d+(\.\d+)? MiB an hour, over 4h 55m; 1 GiB is there in \dh( \d+m)?$/,
    )
  })

  test('that is slower than matters is none', () => {
    expect(judgeDrift({ ...rule, perHour: 100 * MiB }, memory(40, 60))).toMatchObject({
      verdict: 'pass',
      reason: 'memory does not grow by 100 MiB an hour, over 4h 55m',
      reachedAt: null,
    })
  })

  test('is not seen in noise', () => {
    const verdicts = Array.from(
      { length: 300 },
      (_, seed) => judgeDrift({ ...rule, perHour: 0 }, memory(0, 40, seed)).verdict,
    )
    const found = verdicts.filter(verdict => verdict === 'fail').length
    // One in a hundred is promised: 3 of 300, and five standard errors are 8.6 more.
    expect(found).toBeLessThanOrEqual(11)
  })

  test('is not one that falls, and a fall is bad where it is asked for', () => {
    expect(judgeDrift(rule, memory(-40, 60)).verdict).toBe('pass')
    expect(judgeDrift({ ...rule, direction: 'decrease' }, memory(-40, 60))).toMatchObject({ verdict: 'fail' })
  })

  test('of a line over the ceiling is there already', () => {
    expect(judgeDrift({ ...rule, ceiling: 510 * MiB }, memory(40, 60)).reason).toMatch(
      /; 510 MiB is there already$/,
    )
  })

  test('survives gaps and wild values', () => {
    const wild = memory(40, 60).map((one, index) =>
      index % 9 === 4 ? { ...one, value: null } : index % 9 === 7 ? { ...one, value: 4000 * MiB } : one,
    )
    const found = judgeDrift(rule, wild)
    expect(found).toMatchObject({ verdict: 'fail', points: 53 })
    expect(found.perHour! / MiB).toBeCloseTo(45, -1)
  })
})

test.each<[string, readonly Measurement[], string]>([
  ['nothing', [], 'unmeasured: memory was never measured'],
  ['only gaps', [{ at: started, value: null }], 'unmeasured: memory was never measured'],
  ['too little', memory(40, 9), 'inconclusive: memory was measured 9 times, and a trend takes 10'],
  [
    'one moment',
    Array.from({ length: 12 }, () => ({ at: started, value: 1 })),
    'inconclusive: memory was measured at one moment only',
  ],
  [
    'no movement',
    Array.from({ length: 12 }, (_, i) => ({ at: started + i * minute, value: 5 * MiB })),
    'pass: memory does not grow by 5 MiB an hour, over 11m',
  ],
])('%s', (_, measurements, expected) => {
  const { verdict, reason } = judgeDrift(rule, measurements)
  expect(`${verdict}: ${reason}`).toBe(expected)
})
