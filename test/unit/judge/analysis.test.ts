import { describe, expect, test } from 'vitest'
import {
  type AnalysisRule,
  advanceAnalysis,
  beginAnalysis,
  combine,
  judgeAnalysis,
  type Verdict,
  verdictOf,
} from '../../../src/judge/analysis.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import { diagnoseRule } from '../../../src/judge/soundness.ts'
import { seeded } from './seeded.ts'

const started = 1_750_000_000_000
const minute = 60_000
const base: AnalysisRule = {
  measure: 'error rate',
  unit: 'ratio',
  condition: { kind: 'below', threshold: 0.01 },
  interval: minute,
}

type Sketch = number | null | 'error' | Partial<Measurement>

/** A measurement a minute: a value, no data, or an error. */
const series = (sketches: readonly Sketch[]): Measurement[] =>
  sketches.map((sketch, index) => {
    const at = started + index * minute
    if (sketch === 'error') return { at, value: null, error: 'connection refused' }
    return typeof sketch === 'object' && sketch !== null ? { at, value: 0, ...sketch } : { at, value: sketch }
  })

/** `verdict (so far): reason` */
function judged(rule: Partial<AnalysisRule>, sketches: readonly Sketch[], ended = false): string {
  const measurements = series(sketches)
  const now = measurements.at(-1)?.at ?? started
  const { verdict, soFar, cause, reason } = judgeAnalysis({ ...base, ...rule }, measurements, {
    started,
    now,
    ended,
  })
  return `${verdict}${verdict === 'running' ? ` (${soFar})` : ''}${cause === null ? '' : ` by ${cause}`}: ${reason}`
}

const ok = 0.002
const bad = 0.032

describe('a counted analysis', () => {
  test.each<[string, Partial<AnalysisRule>, readonly Sketch[], string]>([
    ['nothing yet', { count: 3 }, [], 'running (unmeasured): error rate is not measured yet; 0 of 3 points'],
    ['on its way', { count: 3 }, [ok, ok], 'running (pass): error rate 0.2% is below 1%; 2 of 3 points'],
    ['all good', { count: 3 }, [ok, ok, ok], 'pass: error rate 0.2% is below 1%, in 3 of 3 points'],
    [
      'one bad is enough',
      { count: 3 },
      [ok, bad],
      'fail by breach: error rate 3.2% is not below 1%, in 1 of 2 points',
    ],
    [
      'within the limit',
      { count: 3, failureLimit: 1 },
      [ok, bad, ok],
      'pass: error rate 0.2% is below 1%, in 2 of 3 points',
    ],
    [
      'over the limit',
      { count: 4, failureLimit: 1 },
      [bad, ok, bad],
      'fail by breach: error rate 3.2% is not below 1%, in 2 of 3 points',
    ],
    [
      'within the limit, but nothing good',
      { count: 2, failureLimit: 2 },
      [bad, bad],
      'fail by breach: error rate 3.2% is not below 1%, in 2 of 2 points',
    ],
    [
      'what comes after a verdict',
      { count: 2 },
      [ok, ok, bad, bad],
      'pass: error rate 0.2% is below 1%, in 2 of 2 points',
    ],
  ])('%s', (_, rule, sketches, expected) => expect(judged(rule, sketches)).toBe(expected))
})

describe('no data', () => {
  test.each<[string, Partial<AnalysisRule>, readonly Sketch[], boolean, string]>([
    [
      'holds',
      { count: 2 },
      [ok, null, null],
      false,
      'running (pass): error rate has no data yet; 1 of 2 points',
    ],
    [
      'held to the end',
      { count: 2 },
      [ok, null, null],
      true,
      'fail by no-data: error rate had no data when its time was over, after 1 point that had',
    ],
    [
      'held from the start',
      {},
      [null, null],
      true,
      'fail by no-data: error rate had no data when its time was over',
    ],
    [
      'came back in time',
      { count: 2 },
      [ok, null, ok],
      false,
      'pass: error rate 0.2% is below 1%, in 2 of 2 points',
    ],
    [
      'is a failure',
      { noData: 'fail', count: 3 },
      [ok, null],
      false,
      'fail by no-data: error rate has no data, in 1 of 2 points',
    ],
    [
      'is skipped',
      { noData: 'ignore', count: 3 },
      [ok, null, ok],
      false,
      'pass: error rate 0.2% is below 1%, in 2 of 2 points',
    ],
    [
      'all skipped is no pass',
      { noData: 'ignore', count: 3 },
      [null, null, null],
      false,
      'unmeasured by no-data: error rate had no data',
    ],
    ['nothing at all is no pass', {}, [], true, 'unmeasured by too-few: error rate was never measured'],
    [
      'too few at the end',
      { count: 5 },
      [ok, ok],
      true,
      'inconclusive by too-few: error rate was measured 2 times, and 5 are asked for',
    ],
  ])('%s', (_, rule, sketches, ended, expected) => expect(judged(rule, sketches, ended)).toBe(expected))

  test('a hold that lasts to the time limit is a failure at that moment', () => {
    const rule = { ...base, count: 2, timeLimit: 5 * minute }
    const at = (now: number): Verdict => judgeAnalysis(rule, series([ok, null]), { started, now }).verdict
    expect(at(started + 5 * minute - 1)).toBe('running')
    expect(at(started + 5 * minute)).toBe('fail')
  })
})

describe('errors', () => {
  const errors = (count: number): Sketch[] => Array<Sketch>(count).fill('error')
  test.each<[string, Partial<AnalysisRule>, readonly Sketch[], boolean, string]>([
    [
      'four in a row',
      { count: 2 },
      [...errors(4)],
      false,
      'running (unmeasured): error rate could not be measured: connection refused; 0 of 2 points',
    ],
    [
      'five in a row',
      { count: 2 },
      [...errors(5)],
      false,
      'fail by errors: error rate could not be measured: connection refused, 5 times in a row',
    ],
    [
      'five, not in a row',
      { count: 2 },
      [...errors(4), ok, 'error', ok],
      false,
      'pass: error rate 0.2% is below 1%, in 2 of 2 points',
    ],
    [
      'a gap is an answer',
      { count: 1 },
      [...errors(4), null, ...errors(4)],
      false,
      'running (unmeasured): error rate could not be measured: connection refused; 0 of 1 point',
    ],
    [
      'nothing but errors is no pass',
      {},
      ['error'],
      true,
      'unmeasured by errors: error rate could not be measured: connection refused',
    ],
  ])('%s', (_, rule, sketches, ended, expected) => expect(judged(rule, sketches, ended)).toBe(expected))

  test('are tried again before the interval is over', () => {
    const next = (sketches: readonly Sketch[], rule: Partial<AnalysisRule> = {}): number | null => {
      const measurements = series(sketches)
      return judgeAnalysis({ ...base, ...rule }, measurements, { started, now: started }).next
    }
    expect(next([], { initialDelay: 30_000 })).toBe(started + 30_000)
    expect(next([ok])).toBe(started + minute)
    expect(next(['error'])).toBe(started + 10_000)
    expect(next(['error'], { interval: 2_000 })).toBe(started + 2_000)
    expect(next([bad])).toBe(null)
  })
})

describe('few requests', () => {
  const of = (value: number, requests: number): Sketch => ({ value, requests })
  const rule = { minRequests: 100, count: 1 }
  test.each<[string, Partial<AnalysisRule>, readonly Sketch[], boolean, string]>([
    [
      'no verdict on what the rest may make good',
      rule,
      [of(1 / 3, 3)],
      false,
      'running (inconclusive): error rate waits for more requests; 0 of 1 point',
    ],
    [
      'a verdict at once on what the rest cannot make good',
      rule,
      [of(1, 3)],
      false,
      'fail by breach: error rate 100% is not below 1%, in the first 3 requests of 100',
    ],
    [
      'as many more as one measurement brings could come before there is a point',
      rule,
      [of(0.02, 50), of(0, 49)],
      false,
      'running (inconclusive): error rate waits for more requests; 0 of 1 point',
    ],
    [
      'what is allowed to fail is a whole point',
      { ...rule, failureLimit: 1, count: 3 },
      [of(1, 3), of(1, 60)],
      false,
      'running (inconclusive): error rate waits for more requests; 0 of 3 points',
    ],
    [
      'and what is one too many is not waited for',
      { ...rule, failureLimit: 1, count: 3 },
      [of(0.1, 100), of(0, 60), of(0.5, 20)],
      false,
      'fail by breach: error rate 10% is not below 1%, in 2 of 2 points',
    ],
    [
      'too few good ones are certain too',
      { ...rule, measure: 'availability', condition: { kind: 'at-least', threshold: 0.9 } },
      [of(0.5, 10), of(0.2, 10)],
      false,
      'fail by breach: availability 35% is not at least 90%, in the first 20 requests of 100',
    ],
    [
      'and wait while they may still be enough',
      { ...rule, measure: 'availability', condition: { kind: 'at-least', threshold: 0.9 } },
      [of(0.5, 10), of(0.5, 10)],
      false,
      'running (inconclusive): availability waits for more requests; 0 of 1 point',
    ],
    [
      'of what is no share nothing is certain before',
      { ...rule, measure: 'latency', unit: 'ms', condition: { kind: 'below', threshold: 100 } },
      [of(1_000_000, 50)],
      false,
      'running (inconclusive): latency waits for more requests; 0 of 1 point',
    ],
    [
      'seven of 25 are not more than seven of 100',
      { ...rule, condition: { kind: 'at-most', threshold: 0.07 } },
      [of(7 / 25, 25), of(0, 75)],
      false,
      'pass: error rate 7% is at most 7%',
    ],
    [
      'one error of three is none in a hundred and more',
      rule,
      [of(1 / 3, 3), of(0, 200)],
      false,
      'pass: error rate 0.493% is below 1%',
    ],
    [
      'put together they are a breach',
      rule,
      [of(0.02, 50), of(0.02, 50)],
      false,
      'fail by breach: error rate 2% is not below 1%',
    ],
    [
      'too few to the end',
      rule,
      [of(0, 60)],
      true,
      'inconclusive by too-few: error rate rests on 60 requests, and 100 are asked for',
    ],
    [
      'not said how many',
      rule,
      [ok, ok, ok, ok, ok],
      false,
      'fail by errors: error rate does not say how many requests it rests on, 5 times in a row',
    ],
    [
      'none is no data',
      { count: 1 },
      [of(0, 0)],
      true,
      'fail by no-data: error rate had no data when its time was over',
    ],
  ])('%s', (_, given, sketches, ended, expected) => expect(judged(given, sketches, ended)).toBe(expected))
})

describe('a comparison', () => {
  const rule: Partial<AnalysisRule> = {
    condition: {
      kind: 'within',
      tolerance: 0.1,
      baseline: { kind: 'stable' },
      direction: 'increase',
      floor: 0.001,
    },
    count: 2,
  }
  test.each<[string, Partial<AnalysisRule>, readonly Sketch[], string]>([
    [
      'alike',
      rule,
      [
        { value: 0.01, baseline: 0.01 },
        { value: 0.005, baseline: 0.01 },
      ],
      'pass: error rate 0.5% is at most 10% or 0.1 points above the stable version (1%), in 2 of 2 points',
    ],
    [
      'without a baseline',
      rule,
      [{ value: 0.01 }],
      'inconclusive by inconclusive: error rate 1% has nothing to be compared with: its baseline has no data',
    ],
    [
      'once without is allowed',
      { ...rule, inconclusiveLimit: 1 },
      [{ value: 0.01 }, { value: 0.01, baseline: 0.01 }],
      'pass: error rate 1% is at most 10% or 0.1 points above the stable version (1%), in 1 of 2 points',
    ],
    [
      'by half, more without than with',
      { ...rule, inconclusiveLimit: 'half', count: 3 },
      [{ value: 0.01 }, { value: 0.01 }, { value: 0.01, baseline: 0.01 }],
      'inconclusive by inconclusive: error rate 1% has nothing to be compared with: its baseline has no data, in 2 of 3 points',
    ],
    [
      'by half, as many without as with',
      { ...rule, inconclusiveLimit: 'half', count: 4 },
      [{ value: 0.01, baseline: 0.01 }, { value: 0.01 }, { value: 0.01, baseline: 0.01 }, { value: 0.01 }],
      'pass: error rate 1% is at most 10% or 0.1 points above the stable version (1%), in 2 of 4 points',
    ],
    [
      'by half, the last three without',
      { ...rule, inconclusiveLimit: 'half', count: 7 },
      [...Array(4).fill({ value: 0.01, baseline: 0.01 }), ...Array(3).fill({ value: 0.01 })],
      'inconclusive by inconclusive: error rate 1% has nothing to be compared with: its baseline has no data, in 3 of 7 points',
    ],
    [
      'by half it still runs, however many are without',
      { ...rule, inconclusiveLimit: 'half', count: 7 },
      Array(5).fill({ value: 0.01 }),
      'running (inconclusive): error rate 1% has nothing to be compared with: its baseline has no data; 5 of 7 points',
    ],
    [
      'pooled with its baseline',
      { ...rule, minRequests: 100, count: 1 },
      [
        { value: 0.5, baseline: 0.01, requests: 2 },
        { value: 0, baseline: 0.01, requests: 98 },
      ],
      'pass: error rate 1% is at most 10% or 0.1 points above the stable version (1%)',
    ],
  ])('%s', (_, given, sketches, expected) => expect(judged(given, sketches)).toBe(expected))
})

describe('a watch in the background', () => {
  test('says what it has seen so far, and ends with it', () => {
    expect(judged({}, [ok, ok, null])).toBe('running (pass): error rate has no data yet')
    expect(judged({ failureLimit: 2 }, [ok, bad, ok])).toBe('running (pass): error rate 0.2% is below 1%')
    expect(judged({}, [ok, ok], true)).toBe('pass: error rate 0.2% is below 1%, in 2 of 2 points')
    expect(judged({}, [ok, ok, bad])).toBe(
      'fail by breach: error rate 3.2% is not below 1%, in 1 of 3 points',
    )
  })

  test('does not look before the initial delay is over', () => {
    expect(judged({ initialDelay: 2 * minute, count: 1 }, [bad, bad, ok])).toBe(
      'pass: error rate 0.2% is below 1%',
    )
  })

  test('refuses measurements that are out of order', () => {
    const [first, second] = series([ok, ok])
    const state = advanceAnalysis(base, beginAnalysis(started), second!)
    expect(() => advanceAnalysis(base, state, first!)).toThrow(
      expect.objectContaining({ code: 'measurements-unordered' }),
    )
  })
})

describe('properties', () => {
  const random = seeded(3)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  const sketch = (): Sketch =>
    pick<() => Sketch>([
      () => ok,
      () => ok,
      () => bad,
      () => null,
      () => 'error',
      () => ({ value: random() / 50, requests: Math.floor(random() * 80) }),
    ])()
  const cases = Array.from({ length: 2_000 }, () => ({
    rule: {
      ...base,
      failureLimit: pick([0, 1, 3]),
      minRequests: pick([0, 0, 100]),
      noData: pick(['fail', 'hold', 'ignore'] as const),
      ...(random() < 0.6 ? { count: pick([1, 3, 6]) } : {}),
    },
    measurements: series(Array.from({ length: Math.floor(random() * 10) }, sketch)),
    ended: random() < 0.5,
  }))
  const now = started + 60 * minute

  test('a pass has seen something good, and no more that is bad than is allowed', () => {
    let passes = 0
    for (const { rule, measurements, ended } of cases) {
      const judgement = judgeAnalysis(rule, measurements, { started, now, ended })
      if (judgement.verdict !== 'pass') continue
      passes += 1
      expect(judgement.passes).toBeGreaterThan(0)
      expect(judgement.failures).toBeLessThanOrEqual(rule.failureLimit)
    }
    expect(passes).toBeGreaterThan(100)
  })

  test('a breach that is said early is one at the end, whatever comes of no more requests at a time', () => {
    let early = 0
    for (let n = 0; n < 2_000; n += 1) {
      const condition = pick([
        { kind: 'below', threshold: pick([0.01, 0.05, 0.2]) },
        { kind: 'at-least', threshold: pick([0.99, 0.9]) },
      ] as const)
      const rule = { ...base, condition, count: 1, minRequests: 100 }
      const most = pick([5, 20, 60])
      const fails = random() * 0.3
      const readings = series(
        Array.from({ length: 40 }, () => {
          const requests = 1 + Math.floor(random() * most)
          const bad = Array.from({ length: requests }, () => random() < fails).filter(Boolean).length
          return { value: (condition.kind === 'below' ? bad : requests - bad) / requests, requests }
        }),
      )
      const at = readings.findIndex((_, i) => {
        const { verdict, requests } = judgeAnalysis(rule, readings.slice(0, i + 1), { started, now })
        return verdict === 'fail' && requests < 100
      })
      if (at < 0) continue
      early += 1
      const seen = readings.slice(0, at + 1)
      const largest = Math.max(...seen.map(({ requests = 0 }) => requests))
      const good = condition.kind === 'below' ? 0 : 1
      // The most that may follow: up to one short of enough, and then once more the largest.
      const short = 99 - seen.reduce((sum, { requests = 0 }) => sum + requests, 0)
      const rest = [short, largest].filter(requests => requests > 0)
      const all = [...seen, ...rest.map(requests => ({ at: now, value: good, requests }))]
      const total = all.reduce((sum, { requests = 0 }) => sum + requests, 0)
      const share = all.reduce((sum, { value, requests = 0 }) => sum + value! * requests, 0) / total
      expect(condition.kind === 'below' ? share < condition.threshold : share >= condition.threshold).toBe(
        false,
      )
    }
    expect(early).toBeGreaterThan(300)
  })

  test('a verdict stays, and every end has one', () => {
    for (const { rule, measurements } of cases) {
      const verdicts = measurements.map((_, index) =>
        judgeAnalysis(rule, measurements.slice(0, index + 1), { started, now }),
      )
      const first = verdicts.find(({ verdict }) => verdict !== 'running')
      if (first !== undefined) expect(verdicts.at(-1)).toEqual(first)
      expect(judgeAnalysis(rule, measurements, { started, now, ended: true }).verdict).not.toBe('running')
    }
  })

  test('a better measurement never makes the verdict worse', () => {
    const worst: readonly Verdict[] = ['pass', 'inconclusive', 'unmeasured', 'fail']
    for (const { rule, measurements } of cases) {
      const end = { started, now, ended: true }
      const better = measurements.map(one =>
        one.error === undefined && one.value === bad ? { ...one, value: ok } : one,
      )
      const [before, after] = [measurements, better].map(all =>
        worst.indexOf(judgeAnalysis(rule, all, end).verdict),
      )
      expect(after).toBeLessThanOrEqual(before!)
    }
  })

  test('the state goes through JSON and loses nothing', () => {
    for (const { rule, measurements, ended } of cases) {
      const state = measurements.reduce(
        (folded, one) =>
          advanceAnalysis(rule, JSON.parse(JSON.stringify(folded)), JSON.parse(JSON.stringify(one))),
        beginAnalysis(started),
      )
      const judgement = verdictOf(rule, state, { now, ended })
      expect(judgement).toEqual(judgeAnalysis(rule, measurements, { started, now, ended }))
      expect(JSON.parse(JSON.stringify(judgement))).toEqual(judgement)
    }
  })
})

test.each<[readonly Verdict[], Verdict]>([
  [[], 'unmeasured'],
  [['pass', 'pass'], 'pass'],
  [['pass', 'inconclusive'], 'inconclusive'],
  [['pass', 'unmeasured', 'inconclusive'], 'unmeasured'],
  [['pass', 'running', 'unmeasured'], 'running'],
  [['running', 'fail', 'pass'], 'fail'],
])('%j together are %s', (verdicts, expected) => expect(combine(verdicts)).toBe(expected))

describe('a rule that cannot do its work', () => {
  const upper = (kind: 'below' | 'at-most', threshold: number): Partial<AnalysisRule> => ({
    condition: { kind, threshold },
  })
  const lower = (kind: 'above' | 'at-least', threshold: number): Partial<AnalysisRule> => ({
    condition: { kind, threshold },
  })
  test.each<[Partial<AnalysisRule>, readonly string[]]>([
    [{}, []],
    [{ count: 3, failureLimit: 2, timeLimit: 10 * minute }, []],
    [upper('below', 1), []],
    [upper('below', 1.01), ['analysis-never-fails']],
    [upper('at-most', 1), ['analysis-never-fails']],
    [upper('below', 0), ['analysis-never-passes']],
    [upper('at-most', 0), []],
    [lower('at-least', 0), ['analysis-never-fails']],
    [lower('at-least', 99.9), ['analysis-never-passes']],
    [lower('above', 1), ['analysis-never-passes']],
    [upper('below', Number.NaN), ['analysis-number']],
    [{ interval: 0 }, ['analysis-number']],
    [{ count: 0 }, ['analysis-number']],
    [{ failureLimit: -1 }, ['analysis-number']],
    [{ count: 3, failureLimit: 3 }, ['analysis-never-fails']],
    [{ count: 5, timeLimit: 4 * minute }, ['analysis-out-of-time']],
  ])('%j', (rule, codes) => {
    const found = diagnoseRule({ ...base, ...rule })
    expect(found.map(({ code }) => code).sort()).toEqual(codes)
    expect(found.every(({ hint }) => hint !== undefined)).toBe(true)
  })

  test('says so in words', () => {
    expect(
      diagnoseRule({ ...base, ...lower('at-least', 99.9), measure: 'availability' }),
    ).toMatchInlineSnapshot(`
      [
        {
          "code": "analysis-never-passes",
          "hint": "A share is at most 100%; a percentage is written as '1%', and 0.01 means the same.",
          "message": ""availability at least 9990%" holds for nothing that can be measured",
          "severity": "error",
        },
      ]
    `)
  })
})
