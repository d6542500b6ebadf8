import { describe, expect, it } from 'vitest'
import { driftIn, outlierIn } from '../../../src/judge/anomaly.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import { judgeWindow, type Trigger } from '../../../src/judge/window.ts'

const every = 30_000
const series = (values: readonly (number | null)[]): readonly Measurement[] =>
  values.map((value, index) => ({ at: index * every, value }))

const rule = { measure: 'latency p95', unit: 'ms', deviations: 3.5, points: 10 } as const
const usual = [100, 104, 98, 101, 103, 99, 102, 100, 97, 101]

describe('outliers', () => {
  const check = (values: readonly (number | null)[], expected: string | null): void =>
    expect(outlierIn(rule, series(values))?.reason ?? null).toBe(expected)

  it('one value far from those before it', () => {
    check([...usual, 300], 'latency p95 is 300ms, where the 10 measurements before it lie around 100.5ms')
    check([...usual, 103], null)
  })
  it('what matters to nobody is none, however unlikely it is', () => {
    check([...Array.from({ length: 10 }, () => 100), 105], null)
    check([...Array.from({ length: 10 }, () => 1), 8], null)
    check(
      [...Array.from({ length: 10 }, () => 100), 130],
      'latency p95 is 130ms, where the 10 measurements before it lie around 100ms',
    )
  })
  it('too few to compare with, or no value, say nothing', () => {
    check([...usual.slice(1), 300], null)
    check([...usual, null], null)
    check([], null)
  })
})

describe('drift', () => {
  const memory = { ...rule, measure: 'memory', unit: 'bytes', direction: 'increase' } as const
  const MiB = 1024 * 1024
  it('what creeps is found, what only trembles is not', () => {
    const creeping = series(Array.from({ length: 200 }, (_, i) => (100 + i * 0.5 + (i % 3)) * MiB))
    expect(driftIn(memory, creeping)?.reason).toMatch(/^memory grows by .* an hour, over/)
    const trembling = series(Array.from({ length: 200 }, (_, i) => (100 + ((i * 7) % 5)) * MiB))
    expect(driftIn(memory, trembling)).toBeNull()
  })
  it('the wrong way is the right one', () => {
    const falling = series(Array.from({ length: 200 }, (_, i) => (300 - i) * MiB))
    expect(driftIn(memory, falling)).toBeNull()
  })
})

describe('periods that rest on requests', () => {
  const trigger: Trigger = {
    measure: 'error rate',
    unit: 'ratio',
    condition: { kind: 'at-most', threshold: 0.05 },
    window: { kind: 'periods', period: 60_000, aggregate: 'mean', periods: 1, breaches: 1 },
    minRequests: 20,
  }
  const at = (now: number, rows: readonly (readonly [number, number, number])[]): string =>
    judgeWindow(
      trigger,
      rows.map(([time, value, requests]) => ({ at: time, value, requests })),
      { started: 0, now, interval: every },
    ).verdict

  it('are weighted by them: one bad answer among few does not outweigh a thousand good ones', () => {
    expect(
      at(60_000, [
        [10_000, 1, 1],
        [30_000, 0, 999],
      ]),
    ).toBe('quiet')
    expect(
      at(60_000, [
        [10_000, 1, 100],
        [30_000, 0, 900],
      ]),
    ).toBe('fired')
  })
  it('say nothing where they rest on too few', () => {
    expect(
      at(60_000, [
        [10_000, 1, 9],
        [30_000, 1, 10],
      ]),
    ).toBe('unmeasured')
    expect(
      at(60_000, [
        [10_000, 1, 10],
        [30_000, 1, 10],
      ]),
    ).toBe('fired')
  })
})
