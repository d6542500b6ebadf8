import { describe, expect, test } from 'vitest'
import {
  type Condition,
  type Expectation,
  formatCondition,
  judgeMeasurement,
  judgeValue,
} from '../../../src/judge/condition.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import { formatApart, formatDuration, formatValue, type Unit } from '../../../src/judge/unit.ts'

const stable = { kind: 'stable' } as const
const errorRate = (condition: Condition): Expectation => ({ measure: 'error rate', unit: 'ratio', condition })
const latency = (condition: Condition): Expectation => ({ measure: 'latency p95', unit: 'ms', condition })

describe('a value', () => {
  test.each<[Expectation, number, string]>([
    [errorRate({ kind: 'below', threshold: 0.01 }), 0.032, 'breached: error rate 3.2% is not below 1%'],
    [errorRate({ kind: 'below', threshold: 0.01 }), 0.01, 'breached: error rate 1% is not below 1%'],
    [errorRate({ kind: 'at-most', threshold: 0.01 }), 0.01, 'met: error rate 1% is at most 1%'],
    [
      errorRate({ kind: 'at-most', threshold: 0.01 }),
      0.010001,
      'breached: error rate 1.0001% is not at most 1%',
    ],
    [errorRate({ kind: 'below', threshold: 0.01 }), 0.00999999, 'met: error rate 0.999999% is below 1%'],
    [latency({ kind: 'below', threshold: 500 }), 1240, 'breached: latency p95 1.24s is not below 500ms'],
    [latency({ kind: 'below', threshold: 500 }), 480.26, 'met: latency p95 480.3ms is below 500ms'],
    [
      { measure: 'availability', unit: 'ratio', condition: { kind: 'at-least', threshold: 0.999 } },
      0.9987,
      'breached: availability 99.87% is not at least 99.9%',
    ],
    [
      { measure: 'throughput', unit: 'per-second', condition: { kind: 'above', threshold: 20 } },
      20,
      'breached: throughput 20/s is not above 20/s',
    ],
  ])('%j at %d', (expectation, value, expected) => {
    const { kind, text } = judgeValue(expectation, value)
    expect(`${kind}: ${text}`).toBe(expected)
  })
})

describe('beside a baseline', () => {
  const within = (more: object = {}): Expectation =>
    latency({ kind: 'within', tolerance: 0.1, baseline: stable, ...more })
  test.each<[Expectation, number, number | null, string]>([
    [within(), 110, 100, 'met: latency p95 110ms is within 10% of the stable version (100ms)'],
    [within(), 111, 100, 'breached: latency p95 111ms is not within 10% of the stable version (100ms)'],
    [within(), 80, 100, 'breached: latency p95 80ms is not within 10% of the stable version (100ms)'],
    [
      within({ direction: 'increase' }),
      80,
      100,
      'met: latency p95 80ms is at most 10% above the stable version (100ms)',
    ],
    [
      within({ direction: 'decrease' }),
      80,
      100,
      'breached: latency p95 80ms is not at most 10% below the stable version (100ms)',
    ],
    [
      within({ floor: 20 }),
      115,
      100,
      'met: latency p95 115ms is within 10% or 20ms of the stable version (100ms)',
    ],
    [
      within({ baseline: { kind: 'before', offset: 5_400_000 } }),
      150,
      100,
      'breached: latency p95 150ms is not within 10% of what it was 1h 30m before (100ms)',
    ],
    [
      within({ baseline: { kind: 'fixed', value: 200 } }),
      150,
      null,
      'breached: latency p95 150ms is not within 10% of 200ms',
    ],
    [
      within(),
      110,
      null,
      'inconclusive: latency p95 110ms has nothing to be compared with: its baseline has no data',
    ],
  ])('%j at %d beside %j', (expectation, value, baseline, expected) => {
    const { kind, text } = judgeValue(expectation, value, baseline)
    expect(`${kind}: ${text}`).toBe(expected)
  })
})

describe('a measurement', () => {
  const rule = errorRate({ kind: 'below', threshold: 0.01 })
  test.each<[Partial<Measurement>, string]>([
    [{ value: null }, 'no-data: error rate has no data'],
    [{ value: 0, requests: 0 }, 'no-data: error rate has no data'],
    [
      { value: 0, error: 'connect ECONNREFUSED' },
      'error: error rate could not be measured: connect ECONNREFUSED',
    ],
    [
      { value: Number.NaN },
      'error: error rate could not be measured: the value is NaN, which is no finite number',
    ],
    [
      { value: Infinity },
      'error: error rate could not be measured: the value is Infinity, which is no finite number',
    ],
    [{ value: 0 }, 'met: error rate 0% is below 1%'],
  ])('%j', (measurement, expected) => {
    const { kind, text } = judgeMeasurement(rule, { at: 0, value: 0, ...measurement })
    expect(`${kind}: ${text}`).toBe(expected)
  })
})

describe('words', () => {
  test.each<[number, Unit, string]>([
    [0.01, 'ratio', '1%'],
    [0.9995, 'ratio', '99.95%'],
    [1 / 3, 'ratio', '33.3%'],
    [1e-9, 'ratio', '1e-7%'],
    [1 / 3, 'number', '0.333'],
    [12345.678, 'count', '12345.7'],
    [999, 'ms', '999ms'],
    [1500, 'ms', '1.5s'],
    [1536, 'bytes', '1.5 KiB'],
    [5 * 2 ** 30, 'bytes', '5 GiB'],
    [-3, 'bytes', '-3 B'],
    [0, 'bytes', '0 B'],
  ])('%d as %s', (value, unit, expected) => expect(formatValue(value, unit)).toBe(expected))

  test('two values that differ are written so that they differ', () => {
    for (const [a, b] of [
      [0.01, 0.01 + 1e-15],
      [500, 500.0000001],
      [1 / 3, 0.3333],
    ] as const)
      for (const unit of ['ratio', 'ms', 'bytes', 'number'] as const) {
        const [first, second] = formatApart(a, b, unit)
        expect(first).not.toBe(second)
      }
  })

  test.each([
    [450, '450ms'],
    [45_000, '45s'],
    [300_000, '5m'],
    [5_400_000, '1h 30m'],
    [90_000_000, '1d 1h'],
  ])('%d ms', (duration, expected) => expect(formatDuration(duration)).toBe(expected))

  test('a condition', () => {
    expect(formatCondition(errorRate({ kind: 'at-most', threshold: 0.01 }))).toBe('at most 1%')
    expect(
      formatCondition(latency({ kind: 'within', tolerance: 0.2, baseline: stable, direction: 'increase' })),
    ).toBe('at most 20% above the stable version')
  })
})
