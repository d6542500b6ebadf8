import { describe, expect, test } from 'vitest'
import type { NoData } from '../../../src/judge/analysis.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import { judgeWindow, type Trigger } from '../../../src/judge/window.ts'
import { seeded } from './seeded.ts'

const started = 1_750_000_000_000
const minute = 60_000

/** The two triggers that the platform's rollback monitor had. */
const serverErrors: Trigger = {
  measure: '5xx count',
  unit: 'count',
  condition: { kind: 'at-most', threshold: 10 },
  window: { kind: 'periods', period: 5 * minute, aggregate: 'sum', periods: 2, breaches: 2 },
}
const responseTime: Trigger = {
  measure: 'response time',
  unit: 'ms',
  condition: { kind: 'below', threshold: 2_000 },
  window: { kind: 'periods', period: 5 * minute, aggregate: 'mean', periods: 3, breaches: 3 },
}
const burst: Trigger = { ...responseTime, window: { kind: 'breaches', within: 3 * minute, breaches: 2 } }
const lasting: Trigger = { ...responseTime, window: { kind: 'lasting', duration: 2 * minute } }

/** A measurement a minute. */
const series = (values: readonly (number | null)[], from = started): Measurement[] =>
  values.map((value, index) => ({ at: from + index * minute, value }))
const times = (count: number, value: number | null): (number | null)[] => Array(count).fill(value)

/** `verdict breaches/needed at minute: reason` */
function judged(
  trigger: Trigger,
  values: readonly (number | null)[],
  more: { now?: number; firedAt?: number } = {},
): string {
  const now = started + (more.now ?? values.length) * minute
  const fired = more.firedAt === undefined ? {} : { firedAt: started + more.firedAt * minute }
  const { verdict, at, breaches, needed, reason } = judgeWindow(trigger, series(values), {
    started,
    now,
    interval: minute,
    ...fired,
  })
  const when = at === null ? '' : ` at ${(at - started) / minute}`
  return `${verdict} ${breaches}/${needed}${when}: ${reason}`
}

describe('periods', () => {
  test.each<[string, Trigger, readonly (number | null)[], string]>([
    ['nothing measured', responseTime, [], 'unmeasured 0/3: response time was never measured'],
    ['quiet', serverErrors, times(10, 1), 'quiet 0/2: 5xx count 5 is at most 10'],
    [
      'one period is not two',
      serverErrors,
      [...times(5, 3), ...times(5, 1)],
      'breaching 1/2: 5xx count 5 is at most 10',
    ],
    [
      'a sum that is over the mark already',
      serverErrors,
      times(9, 3),
      'fired 2/2 at 8: 5xx count 12 is not at most 10, in 2 of 2 periods of 5m',
    ],
    [
      'a mean waits for the end of its period',
      responseTime,
      times(14, 2_500),
      'breaching 2/3: response time 2.5s is not below 2s',
    ],
    [
      'three periods',
      responseTime,
      times(15, 2_500),
      'fired 3/3 at 15: response time 2.5s is not below 2s, in 3 of 3 periods of 5m',
    ],
    [
      'a good one in between',
      responseTime,
      [...times(10, 2_500), ...times(5, 100), ...times(5, 2_500)],
      'breaching 2/3: response time 2.5s is not below 2s',
    ],
    [
      'a gap changes nothing',
      responseTime,
      [...times(10, 2_500), ...times(5, null), ...times(5, 2_500)],
      'fired 3/3 at 20: response time 2.5s is not below 2s, in 3 of 3 periods of 5m',
    ],
    [
      'a gap that counts as good',
      { ...responseTime, noData: 'ignore' },
      [...times(10, 2_500), ...times(5, null), ...times(5, 2_500)],
      'breaching 2/3: response time 2.5s is not below 2s',
    ],
    [
      'a gap that counts as bad',
      { ...responseTime, noData: 'fail' },
      times(15, null),
      'fired 3/3 at 15: response time has no data, in 3 of 3 periods of 5m',
    ],
  ])('%s', (_, trigger, values, expected) => expect(judged(trigger, values)).toBe(expected))

  test.each([
    ['sum', 60],
    ['mean', 12],
    ['median', 10],
    ['max', 30],
    ['min', 0],
  ] as const)('%s', (aggregate, expected) => {
    const trigger: Trigger = {
      ...serverErrors,
      condition: { kind: 'above', threshold: 1e9 },
      window: { kind: 'periods', period: 5 * minute, aggregate, periods: 1, breaches: 1 },
    }
    expect(judged(trigger, [10, 30, 0, 20, 0])).toContain(`5xx count ${expected} is not`)
  })
})

describe('breaches within a span', () => {
  test.each<[string, readonly (number | null)[], string]>([
    ['one', [100, 2_500, 100], 'breaching 1/2: response time 100ms is below 2s'],
    [
      'two near each other',
      [2_500, 100, 2_500],
      'fired 2/2 at 2: response time 2.5s is not below 2s, 2 times within 3m',
    ],
    [
      'two too far from each other',
      [2_500, 100, 100, 2_500],
      'breaching 1/2: response time 2.5s is not below 2s',
    ],
    ['one long ago', [2_500, 100, 100, 100], 'quiet 0/2: response time 100ms is below 2s'],
  ])('%s', (_, values, expected) => expect(judged(burst, values)).toBe(expected))
})

describe('lasting', () => {
  test.each<[string, readonly (number | null)[], string]>([
    ['not long enough', [100, 2_500, 2_500], 'breaching 60000/120000: response time 2.5s is not below 2s'],
    [
      'long enough',
      [100, 2_500, 2_500, 2_500],
      'fired 120000/120000 at 3: response time 2.5s is not below 2s, for 2m',
    ],
    ['broken', [2_500, 2_500, 100, 2_500], 'breaching 0/120000: response time 2.5s is not below 2s'],
    [
      'a short gap does not break it, and does not count',
      [2_500, 2_500, null, null, 2_500, 2_500],
      'fired 120000/120000 at 5: response time 2.5s is not below 2s, for 2m',
    ],
    [
      'two that are bad, with nothing measured in between, are no time',
      [2_500, null, null, 2_500],
      'breaching 0/120000: response time 2.5s is not below 2s',
    ],
    [
      'a long gap breaks it',
      [2_500, 2_500, null, null, null, 2_500, 2_500],
      'breaching 60000/120000: response time 2.5s is not below 2s',
    ],
    [
      'a gap does not make it',
      [2_500, null, null, null],
      'breaching 0/120000: response time 2.5s is not below 2s',
    ],
  ])('%s', (_, values, expected) => expect(judged(lasting, values)).toBe(expected))

  test('rounds that nobody measured are a gap as well', () => {
    const night = [0, 16].map(at => ({ at: started + at * minute, value: 2_500 }))
    const { verdict, breaches } = judgeWindow(lasting, night, {
      started,
      now: started + 20 * minute,
      interval: minute,
    })
    expect({ verdict, breaches }).toEqual({ verdict: 'breaching', breaches: 0 })
  })

  test.each<[NoData, string]>([
    ['fail', 'fired 120000/120000 at 2: response time has no data, for 2m'],
    ['ignore', 'quiet 0/120000: response time has no data'],
  ])('a gap where no data are to %s', (noData, expected) => {
    expect(judged({ ...lasting, noData }, [2_500, null, null, null])).toBe(expected)
  })
})

describe('few requests', () => {
  const twenty: Trigger = { ...responseTime, minRequests: 20 }
  const few = (values: readonly (number | null)[], requests: number): Measurement[] =>
    series(values).map(measurement =>
      measurement.value === null ? measurement : { ...measurement, requests },
    )
  const look = (trigger: Trigger, measurements: readonly Measurement[]): string => {
    const now = measurements.at(-1)!.at
    const { verdict, at, reason } = judgeWindow(trigger, measurements, { started, now, interval: minute })
    return `${verdict}${at === null ? '' : ` at ${(at - started) / minute}`}: ${reason}`
  }
  const long: Trigger = { ...twenty, window: { kind: 'lasting', duration: 8 * minute } }

  test('are put together, and last as long as they take', () => {
    expect(look(long, few(times(11, 2_500), 5))).toBe('breaching: response time 2.5s is not below 2s')
    expect(look(long, few(times(12, 2_500), 5))).toBe(
      'fired at 11: response time 2.5s is not below 2s, for 8m',
    )
  })

  test('one slow answer among those that follow is none', () => {
    const mostly = [10_000, ...times(30, 100)]
    expect(look(long, few(mostly, 5))).toBe('quiet: response time 100ms is below 2s')
  })

  test('that lie far from each other are never one', () => {
    const night = few(
      Array.from({ length: 60 }, (_, n) => (n % 5 === 0 ? 2_500 : null)),
      5,
    )
    expect(look(long, night)).toBe('unmeasured: response time was never measured')
    expect(look({ ...twenty, window: burst.window }, night)).toContain('unmeasured')
  })

  test('put together they are one breach within a span', () => {
    const within: Trigger = { ...twenty, window: { kind: 'breaches', within: 10 * minute, breaches: 2 } }
    expect(look(within, few(times(7, 2_500), 5))).toContain('breaching')
    expect(look(within, few(times(8, 2_500), 5))).toContain('fired at 7')
  })

  test('are a breach, each for itself, where no data are', () => {
    expect(look({ ...twenty, noData: 'fail', window: lasting.window }, few(times(3, 100), 5))).toBe(
      'fired at 2: response time rests on 5 requests, and 20 are asked for, for 2m',
    )
  })
})

describe('cooldown', () => {
  const cooled: Trigger = { ...burst, cooldown: 10 * minute }
  const bad = times(20, 2_500)

  test('it is still until it is over, and then begins anew', () => {
    expect(judged(cooled, bad, { now: 3 })).toContain('fired 2/2 at 1')
    expect(judged(cooled, bad, { now: 10, firedAt: 1 })).toBe(
      'cooling 0/2 at 1: response time has fired, and is not looked at for another 1m',
    )
    expect(judged(cooled, bad, { now: 11, firedAt: 1 })).toContain('breaching 1/2')
    expect(judged(cooled, bad, { now: 12, firedAt: 1 })).toContain('fired 2/2 at 12')
  })
})

test('it fires at the same moment however often it is looked at', () => {
  const random = seeded(5)
  let fired = 0
  for (let round = 0; round < 300; round += 1) {
    const values = Array.from({ length: 30 }, () => (random() < 0.1 ? null : random() < 0.6 ? 2_500 : 100))
    for (const trigger of [responseTime, burst, lasting, serverErrors]) {
      const all = series(values)
      const looked = all.map((_, index) =>
        judgeWindow(trigger, all.slice(0, index + 1), { started, now: all[index]!.at, interval: minute }),
      )
      const first = looked.find(({ verdict }) => verdict === 'fired')
      if (first === undefined) continue
      fired += 1
      expect(judgeWindow(trigger, all, { started, now: all.at(-1)!.at, interval: minute })).toEqual(first)
    }
  }
  expect(fired).toBeGreaterThan(300)
})
