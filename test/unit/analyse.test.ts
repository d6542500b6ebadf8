/** When an analysis measures, when it ends, and what it says then. */
import { describe, expect, test } from 'vitest'
import type { PlanMetric } from '../../src/plan/plan.ts'
import { type EvidencePoint, MOST_POINTS } from '../../src/run/evidence.ts'
import {
  canaryOf,
  errorRate,
  latencyCompared,
  type Seen,
  untilTheLastStep,
  type Watched,
  watch,
} from './analyse-rig.ts'

const throughput = errorRate({
  name: 'throughput',
  unit: 'per-second',
  measure: { kind: 'throughput' },
  expected: { kind: 'condition', condition: { kind: 'at-least', threshold: 5 } },
})

/** Noise without chance: spread around 1 by a tenth either way. */
const wobble = (n: number): number => 1 + 0.1 * Math.sin(n * 12.9898)

describe('one metric', () => {
  const nothing = { value: null, requests: 0 }
  const bad = { value: 0.05 }

  test.each<[string, Watched, { after: number; code: string; said: string | RegExp }]>([
    [
      'good all the time passes when its time is over',
      {},
      { after: 10, code: 'passed', said: 'error rate held 10 times, 1000 requests' },
    ],
    [
      'a breach ends it when it is measured',
      { says: (_, n) => (n === 3 ? bad : {}) },
      {
        after: 3,
        code: 'analysis-failed',
        said: 'one 2.0.0 in s: error rate 5% is not below 1%, in 1 of 3 points',
      },
    ],
    [
      'a breach that is allowed does not',
      { metrics: [errorRate({ failureLimit: 1 })], says: (_, n) => (n === 3 ? bad : {}) },
      { after: 10, code: 'passed', said: 'error rate held 9 of 10 times, 1000 requests' },
    ],
    [
      'one more than is allowed does',
      { metrics: [errorRate({ failureLimit: 1 })], says: (_, n) => (n === 3 || n === 8 ? bad : {}) },
      {
        after: 8,
        code: 'analysis-failed',
        said: 'one 2.0.0 in s: error rate 5% is not below 1%, in 2 of 8 points',
      },
    ],
    [
      'no data holds, and data that come while it is patient are judged',
      { says: (_, n) => (n < 13 ? nothing : {}) },
      { after: 13, code: 'passed', said: 'error rate held once, 100 requests' },
    ],
    [
      'no data to the end of its patience is a failure',
      { says: () => nothing },
      { after: 15, code: 'analysis-unanswered', said: /error rate had no data when its time was over/ },
    ],
    [
      'no data from a side whose instances are dead ends it at the second look',
      { says: (_, n) => (n < 5 ? {} : nothing), isWell: () => false },
      {
        after: 6,
        code: 'analysis-unanswered',
        said: 'one 2.0.0 in s: nothing is measured, since no healthy instance of it is left on its canary side',
      },
    ],
    [
      'one look that finds nobody well is no proof',
      { says: (_, n) => (n > 4 && n < 8 ? nothing : {}), isWell: n => n === 2 },
      { after: 10, code: 'passed', said: /error rate held 7/ },
    ],
    [
      'who cannot be asked is not known to be dead',
      { says: () => nothing, isWell: () => null },
      { after: 15, code: 'analysis-unanswered', said: /error rate had no data when its time was over/ },
    ],
    [
      'data that cease are a failure as well',
      { says: (_, n) => (n < 5 ? {} : nothing) },
      {
        after: 15,
        code: 'analysis-unanswered',
        said: /had no data when its time was over, after 4 points that had/,
      },
    ],
    [
      'what is ignored when missing never passes by missing',
      { metrics: [errorRate({ noData: 'ignore' })], says: () => nothing },
      { after: 15, code: 'analysis-unanswered', said: /error rate had no data/ },
    ],
    [
      'what is ignored when missing passes by what was there',
      { metrics: [errorRate({ noData: 'ignore' })], says: (_, n) => (n === 2 ? {} : nothing) },
      { after: 10, code: 'passed', said: 'error rate held once, 100 requests' },
    ],
    [
      'no data is a breach where it says so',
      { metrics: [errorRate({ noData: 'fail' })], says: (_, n) => (n === 2 ? nothing : {}) },
      { after: 2, code: 'analysis-failed', said: /error rate has no data/ },
    ],
    [
      'few requests are put together until they are enough',
      { metrics: [errorRate({ minRequests: 120 })], says: () => ({ requests: 10 }) },
      { after: 12, code: 'passed', said: 'error rate held once, 120 requests' },
    ],
    [
      'too few to the end of its patience are a failure',
      { metrics: [errorRate({ minRequests: 120 })], says: () => ({ requests: 7 }) },
      {
        after: 15,
        code: 'analysis-unanswered',
        said: /error rate rests on 105 requests, and 120 are asked for/,
      },
    ],
    [
      'a breach is not waited for once no good request could make up for it',
      { metrics: [errorRate({ minRequests: 120 })], says: () => ({ value: 0.5, requests: 10 }) },
      { after: 1, code: 'analysis-failed', said: /error rate/ },
    ],
    [
      'errors of the source in a row, one too many, are a failure',
      { says: (_, n) => (n > 4 ? { value: null, error: 'it does not answer' } : {}) },
      {
        after: 7,
        code: 'analysis-failed',
        said: /could not be measured: it does not answer, 3 times in a row/,
      },
    ],
    [
      'errors of the source that end count for nothing',
      { says: (_, n) => (n % 3 === 0 ? {} : { value: null, requests: 0, error: 'it does not answer' }) },
      { after: 10, code: 'passed', said: 'error rate held 3 times, 300 requests' },
    ],
    [
      'no time at all still measures once',
      { duration: 0 },
      { after: 1, code: 'passed', said: 'error rate held once, 100 requests' },
    ],
    [
      'the first measurement comes a delay and an interval after the begin',
      { metrics: [errorRate({ delay: 4000, interval: 3000 })], says: () => bad },
      { after: 7, code: 'analysis-failed', said: /error rate 5% is not below 1%/ },
    ],
  ])('%s', async (_, watched, expected) => {
    const { after, code, said } = await watch(watched)
    expect({ after, code }).toEqual({ after: expected.after, code: expected.code })
    expect(said).toMatch(expected.said)
  })

  test('what lies beside it is measured too: the stable side', async () => {
    const seen = await watch({
      duration: 1000,
      says: ({ target }) => ({ value: target.side === 'stable' ? 0.002 : 0 }),
    })
    expect(seen.meters).toEqual(['error-rate of canary one', 'error-rate of stable one'])
    expect(seen.evidence.series[0]?.points).toEqual([[1_001_000, 0, 0.002, 100]])
  })
})

describe('requests wanted', () => {
  test('are waited for', async () => {
    expect(await watch({ requests: 1300 })).toMatchObject({ after: 13, code: 'passed' })
  })

  test('are waited for no longer than it is patient', async () => {
    const seen = await watch({ requests: 1600 })
    expect(seen).toMatchObject({ after: 15, code: 'too-few-requests' })
    expect(seen.said).toBe('1500 requests were seen in 15 s, and 1600 are asked for')
  })

  test('count once, under however many metrics they stand, and for each component', async () => {
    const metrics = [errorRate(), throughput]
    const says: Watched['says'] = ({ measure }) => ({ value: measure.kind === 'throughput' ? 100 : 0 })
    const alone = await watch({ metrics, says })
    expect(alone).toMatchObject({ said: 'error rate held 10 times, throughput held 10 times, 1000 requests' })
    const both = await watch({ metrics, says, targets: [canaryOf('one'), canaryOf('two')] })
    expect(both).toMatchObject({ said: '4 measures held, 2000 requests', evidence: { requests: 2000 } })
  })

  test('one component that breaches is enough', async () => {
    const seen = await watch({
      targets: [canaryOf('one'), canaryOf('two')],
      says: ({ target }, n) => ({ value: target.component === 'two' && n === 4 ? 0.02 : 0 }),
    })
    expect(seen).toMatchObject({ after: 4, code: 'analysis-failed' })
    expect(seen.said).toContain('two 2.0.0 in s: error rate 2% is not below 1%')
  })
})

describe('until another node ends', () => {
  const background = { until: untilTheLastStep } as const

  test('it watches on, however long that takes', async () => {
    const seen = await watch({ ...background, meanwhile: { 100: scene => scene.end('succeeded') } })
    expect(seen.code).toBe('passed')
    // It looks at least twice in a second.
    expect(seen.after).toBeGreaterThanOrEqual(100)
    expect(seen.after).toBeLessThanOrEqual(100.5)
  })

  test('a breach ends it before', async () => {
    const says: Watched['says'] = (_, n) => ({ value: n === 42 ? 0.05 : 0 })
    expect(await watch({ ...background, says })).toMatchObject({ after: 42, code: 'analysis-failed' })
  })

  test('one that had ended before it began is measured all the same, once', async () => {
    const meanwhile: Watched['meanwhile'] = { 0: scene => scene.end('failed') }
    expect(await watch({ ...background, meanwhile })).toMatchObject({ after: 1, code: 'passed' })
    const says = () => ({ value: null, requests: 0 })
    const unanswered = await watch({ ...background, meanwhile, says })
    expect(unanswered).toMatchObject({ after: 5, code: 'analysis-unanswered' })
  })
})

test('one that is aborted ends at once, with what it has measured', async () => {
  const seen = await watch({ meanwhile: { 3.5: scene => scene.abort() } })
  expect(seen).toMatchObject({ after: 3.5, code: 'cancelled' })
  expect(seen.evidence.series[0]?.points).toHaveLength(3)
})

describe('a comparison', () => {
  const compared = (canary: number): Watched => ({
    duration: 80_000,
    metrics: [latencyCompared()],
    says: ({ target }, n) => ({
      value: (target.side === 'canary' ? canary : 100) * wobble(n + (target.side === 'canary' ? 0.5 : 0)),
    }),
  })

  test('of like sides is looked at to the end', async () => {
    const seen = await watch(compared(100))
    expect(seen).toMatchObject({
      after: 80,
      code: 'passed',
      said: 'latency p95 compared held over 80 points, 8000 requests',
    })
  })

  test('of a side that is clearly worse fails at a look, and not between them', async () => {
    const seen = await watch(compared(150))
    expect(seen).toMatchObject({ after: 20, code: 'analysis-failed' })
  })

  test('that goes bad later fails at a later look', async () => {
    const { says, ...watched } = compared(150)
    const later: Watched['says'] = (request, n) =>
      says!(
        n < 15 && request.target.side === 'canary'
          ? { ...request, target: { ...request.target, side: 'stable' } }
          : request,
        n,
      )
    const seen = await watch({ ...watched, says: later })
    expect(seen.code).toBe('analysis-failed')
    expect([40, 60]).toContain(seen.after)
  })

  test('that is worse when its time is over fails then: its patience is for what nobody can tell yet', async () => {
    const { says, ...watched } = compared(200)
    const late: Watched['says'] = (request, n) => (n < 76 ? { value: null } : says!(request, n))
    const seen = await watch({ ...watched, says: late, patience: 60_000 })
    expect(seen).toMatchObject({ after: 80, code: 'analysis-failed' })
    expect(seen.evidence.series[0]).toMatchObject({ verdict: 'fail' })
  })

  test('that no look has decided fails after its patience: more points may still tell', async () => {
    const few = compared(150)
    const seen = await watch({ ...few, metrics: [latencyCompared({ interval: 40_000 })], patience: 5000 })
    expect(seen).toMatchObject({ after: 85, code: 'analysis-unanswered' })
  })

  test('that the end left open passes at a look in its patience', async () => {
    const { says, ...watched } = compared(100)
    const seen = await watch({
      ...watched,
      says: (request, n) => (n < 78 ? { value: null } : says!(request, n)),
      patience: 80_000,
    })
    expect(seen).toMatchObject({ code: 'passed' })
    expect([100, 120, 140, 160]).toContain(seen.after)
  })

  test('counts the errors of the other side, and has them said', async () => {
    const { says, ...watched } = compared(100)
    const seen = await watch({
      ...watched,
      says: (request, n) =>
        request.target.side === 'stable' ? { value: null, error: 'it does not answer' } : says!(request, n),
    })
    expect(seen).toMatchObject({ after: 3, code: 'analysis-failed' })
    expect(seen.said).toBe(
      'one 2.0.0 in s: latency p95 compared of the stable side could not be measured: it does not answer, 3 times in a row',
    )
  })

  test('with a side that nothing is measured of never passes', async () => {
    const { says, ...watched } = compared(100)
    const seen = await watch({
      ...watched,
      says: (request, n) => (request.target.side === 'stable' ? { value: null } : says!(request, n)),
    })
    expect(seen).toMatchObject({ after: 85, code: 'analysis-unanswered' })
  })
})

describe('beside the stable side', () => {
  const beside = (more: Partial<PlanMetric> = {}): PlanMetric =>
    errorRate({
      expected: {
        kind: 'condition',
        condition: { kind: 'within', tolerance: 0.1, baseline: { kind: 'stable' }, direction: 'increase' },
      },
      ...more,
    })
  /** The stable side has data in these readings only. */
  const there =
    (...readings: readonly number[]): NonNullable<Watched['says']> =>
    ({ target }, n) => ({ value: target.side === 'canary' || readings.includes(n) ? 0.01 : null })

  test.each<[string, Watched, Pick<Seen, 'after' | 'code'>]>([
    ['one that can be compared is no pass', { says: there(3) }, { after: 15, code: 'analysis-unanswered' }],
    ['half of them are', { says: there(2, 4, 6, 8, 10) }, { after: 10, code: 'passed' }],
    [
      'but not with none in the end',
      { says: there(1, 2, 3, 4, 5, 6, 7) },
      { after: 15, code: 'analysis-unanswered' },
    ],
    ['which may still come', { says: there(1, 2, 3, 4, 5, 6, 7, 12) }, { after: 12, code: 'passed' }],
    [
      'one more than is allowed ends it',
      { metrics: [beside({ inconclusiveLimit: 1 })], says: there(1, 2, 4, 5, 7) },
      { after: 6, code: 'analysis-unanswered' },
    ],
    [
      'as many as are allowed do not',
      { metrics: [beside({ inconclusiveLimit: 5 })], says: there(1, 2, 4, 5, 7) },
      { after: 10, code: 'passed' },
    ],
    [
      'that it cannot be measured is an error',
      {
        says: ({ target }) => (target.side === 'canary' ? {} : { value: null, error: 'it does not answer' }),
      },
      { after: 3, code: 'analysis-failed' },
    ],
  ])('%s', async (_, watched, expected) => {
    expect(await watch({ metrics: [beside()], ...watched })).toMatchObject(expected)
  })
})

describe('so many measurements', () => {
  test('and no more', async () => {
    const says: Watched['says'] = (_, n) => ({ value: n > 3 ? 0.05 : 0 })
    const seen = await watch({ metrics: [errorRate({ count: 3 })], says })
    expect(seen).toMatchObject({ after: 10, code: 'passed', said: 'error rate held 3 times, 300 requests' })
  })

  test('and no fewer', async () => {
    expect(await watch({ metrics: [errorRate({ count: 12 })] })).toMatchObject({ after: 12, code: 'passed' })
    const seen = await watch({ metrics: [errorRate({ count: 20 })] })
    expect(seen).toMatchObject({ after: 15, code: 'analysis-unanswered' })
    expect(seen.said).toContain('error rate was measured 15 times, and 20 are asked for')
  })
})

describe('an experiment', () => {
  const conversion: PlanMetric = errorRate({
    name: 'conversion',
    unit: 'number',
    measure: { kind: 'command', command: { argv: ['conversion'], cwd: '' } },
    expected: { kind: 'condition', condition: { kind: 'at-least', threshold: 0.02 } },
    minRequests: 0,
  })
  const tried = (rate: number, more: Watched = {}): Watched => ({
    metrics: [errorRate(), conversion],
    decides: 'conversion',
    says: ({ measure }) => ({ value: measure.kind === 'command' ? rate : 0 }),
    ...more,
  })

  test('is won where the primary measure holds to the end', async () => {
    const seen = await watch(tried(0.03))
    expect(seen).toMatchObject({ after: 10, code: 'passed', evidence: { winner: 'canary' } })
    expect(seen.said).toMatchInlineSnapshot(
      `"the canary side has won: error rate held 10 times, conversion 0.03 is at least 0.02, in 10 of 10 points, 1000 requests"`,
    )
  })

  test('is lost, and no failure, as soon as it does not', async () => {
    const seen = await watch(tried(0.01))
    expect(seen).toMatchObject({ after: 1, code: 'passed', evidence: { winner: 'stable' } })
    expect(seen.said).toMatchInlineSnapshot(
      `"the stable side has won: error rate held once, conversion 0.01 is not at least 0.02, 100 requests"`,
    )
  })

  test('is lost where the primary measure had no data', async () => {
    const says: Watched['says'] = ({ measure }) => ({ value: measure.kind === 'command' ? null : 0 })
    expect(await watch(tried(0, { says }))).toMatchObject({ code: 'passed', evidence: { winner: 'stable' } })
  })

  test('is a failure where a guard is breached, whoever is winning', async () => {
    const says: Watched['says'] = ({ measure }, n) => ({
      value: measure.kind === 'command' ? 0.03 : n === 5 ? 0.1 : 0,
    })
    const seen = await watch(tried(0, { says }))
    expect(seen).toMatchObject({ after: 5, code: 'analysis-failed' })
  })

  test('does not end before its guards are measured, though it is decided', async () => {
    const says: Watched['says'] = ({ measure }, n) =>
      measure.kind === 'command' ? { value: 0.01 } : n < 4 ? { value: null, requests: 0 } : {}
    expect(await watch(tried(0, { says }))).toMatchObject({ after: 4, code: 'passed' })
  })

  test('by comparison is decided at the first look that is certain', async () => {
    const seen = await watch({
      duration: 400_000,
      metrics: [errorRate(), latencyCompared()],
      decides: 'latency p95 compared',
      says: ({ measure, target }, n) => ({
        value: measure.kind === 'latency' ? (target.side === 'canary' ? 50 : 100) * wobble(n) : 0,
      }),
    })
    expect(seen).toMatchObject({ after: 100, code: 'passed', evidence: { winner: 'canary' } })
    expect(seen.said).toMatchInlineSnapshot(
      `"the canary side has won: error rate held 100 times, latency p95 compared of the canary is 50.3ms where the baseline's is 100.5ms, surely within 10% of it, by 100 and 100 points, 10000 requests"`,
    )
  })
})

describe('who has won a comparison', () => {
  const tried = (canary: number, worse: 'increase' | 'decrease', more: Watched = {}): Promise<Seen> =>
    watch({
      duration: 400_000,
      metrics: [
        errorRate(),
        latencyCompared({
          expected: {
            kind: 'comparison',
            with: 'stable',
            direction: worse,
            tolerance: 0.1,
            confidence: 0.98,
          },
        }),
      ],
      decides: 'latency p95 compared',
      says: ({ measure, target }, n) => ({
        value: measure.kind === 'latency' ? (target.side === 'canary' ? canary : 100) * wobble(n) : 0,
      }),
      ...more,
    })
  const says = async (...of: Parameters<typeof tried>): Promise<string> =>
    (await tried(...of)).said.split(':')[0]!

  test('the better side, and not one that is only no worse', async () => {
    expect(await says(130, 'decrease')).toBe('the canary side has won')
    expect(await says(94, 'decrease')).toBe('the canary side is not worse than the stable one, and is kept')
    expect(await says(60, 'decrease')).toBe('the stable side has won')
    expect(await says(94, 'increase')).toBe('the canary side has won')
  })

  test('what differs by no more than its floor is no worse', async () => {
    const of = (floor: number): PlanMetric =>
      latencyCompared({
        expected: {
          ...{ kind: 'comparison', with: 'stable', direction: 'increase', tolerance: 0.1, confidence: 0.98 },
          floor,
        },
      })
    const more = (floor: number): Watched => ({ metrics: [errorRate(), of(floor)] })
    expect(await says(140, 'increase', more(0))).toBe('the stable side has won')
    expect(await says(140, 'increase', more(80))).toBe(
      'the canary side is not worse than the stable one, and is kept',
    )
  })

  test('how far it may go is left for the report', async () => {
    const { evidence } = await tried(100, 'decrease')
    const margins = evidence.series.map(({ margin }) => margin)
    expect(margins).toEqual([undefined, { tolerance: 0.1, floor: 0, direction: 'decrease', around: null }])
  })

  test('nobody, where it could not be told', async () => {
    const silent: Watched['says'] = ({ measure }) => ({ value: measure.kind === 'latency' ? null : 0 })
    const { said, evidence } = await tried(100, 'decrease', { says: silent, patience: 0 })
    expect(said.split(':')[0]).toBe('no side has won, and the stable one is kept')
    expect(evidence.winner).toBe('stable')
  })
})

describe('the evidence', () => {
  test('says what was measured, and what it had to be', async () => {
    const { evidence } = await watch({ duration: 2000, says: (_, n) => (n === 2 ? { value: 0.05 } : {}) })
    expect(evidence).toMatchInlineSnapshot(`
      {
        "ended": 1002000,
        "kind": "analysis",
        "requests": 200,
        "series": [
          {
            "expected": "below 1%",
            "name": "error rate",
            "points": [
              [
                1001000,
                0,
                0,
                100,
              ],
              [
                1002000,
                0.05,
                0.05,
                100,
              ],
            ],
            "reason": "error rate 5% is not below 1%, in 1 of 2 points",
            "requests": 200,
            "target": {
              "component": "one",
              "environment": "s",
              "side": "canary",
              "version": "2.0.0",
            },
            "threshold": 0.01,
            "unit": "ratio",
            "verdict": "fail",
          },
        ],
        "started": 1000000,
      }
    `)
  })

  test('of a long analysis keeps few points, the last among them, and counts all requests', async () => {
    const { evidence } = await watch({ duration: 1_000_000 })
    const { points, requests } = evidence.series[0]!
    expect(points.length).toBeLessThanOrEqual(MOST_POINTS)
    expect(points.length).toBeGreaterThan(MOST_POINTS / 2)
    expect(requests).toBe(100_000)
    const at = points.map(([time]: EvidencePoint) => time)
    expect(at).toEqual([...at].sort((a, b) => a - b))
    expect(at.at(-1)).toBe(2_000_000)
  })
})
