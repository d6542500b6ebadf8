/** Many comparisons as one score. */
import { describe, expect, test } from 'vitest'
import { type ScoredMeasure, type ScorePolicy, scoreOf } from '../../../src/judge/score.ts'

const policy: ScorePolicy = { weights: { health: 75, speed: 25 }, pass: 95, marginal: 75 }

type Verdict = ScoredMeasure['verdict']

const REASONS: Readonly<Record<Verdict, string>> = {
  pass: 'is alike',
  fail: 'is worse',
  inconclusive: 'cannot be told',
  unmeasured: 'has no data',
}

const measure = (
  name: string,
  group: string,
  verdict: Verdict,
  more: Partial<ScoredMeasure> = {},
): ScoredMeasure => ({
  measure: name,
  group,
  critical: false,
  gap: 'waits',
  verdict,
  reason: `${name} ${REASONS[verdict]}`,
  ...more,
})

/** Errors, which are health, and latency and cpu, which are speed; cpu may have no data. */
const three = (errors: Verdict, latency: Verdict, cpu: Verdict): readonly ScoredMeasure[] => [
  measure('errors', 'health', errors),
  measure('latency', 'speed', latency),
  measure('cpu', 'speed', cpu, { gap: 'left-out' }),
]

const told = (measures: readonly ScoredMeasure[], pass = policy.pass): string => {
  const { verdict, reason } = scoreOf({ ...policy, pass }, measures)
  return `${verdict}: ${reason}`
}

describe('while data may still come', () => {
  test.each<[string, readonly ScoredMeasure[], string]>([
    [
      'all alike',
      three('pass', 'pass', 'pass'),
      'pass: the score is 100, and 95 passes: health 100 (errors holds), speed 100 (latency holds; cpu holds)',
    ],
    [
      'one of the light group',
      three('pass', 'fail', 'pass'),
      'marginal: the score is 87.5, which is marginal: 95 passes, and below 75 fails: health 100 (errors holds), speed 50 (latency is worse; cpu holds)',
    ],
    [
      'the light group',
      three('pass', 'fail', 'fail'),
      'marginal: the score is 75, which is marginal: 95 passes, and below 75 fails: health 100 (errors holds), speed 0 (latency is worse; cpu is worse)',
    ],
    [
      'the heavy group',
      three('fail', 'pass', 'pass'),
      'fail: the score is 25, and below 75 fails: health 0 (errors is worse), speed 100 (latency holds; cpu holds)',
    ],
    [
      'too few',
      three('inconclusive', 'pass', 'pass'),
      'inconclusive: the score is between 25 and 100, with 1 measure that cannot be told yet: health between 0 and 100 (errors cannot be told), speed 100 (latency holds; cpu holds)',
    ],
    [
      'too few cannot save it',
      three('fail', 'inconclusive', 'inconclusive'),
      'fail: the score is between 0 and 25, and below 75 fails: health 0 (errors is worse), speed between 0 and 100 (latency cannot be told; cpu cannot be told)',
    ],
    [
      'too few cannot spoil it',
      [
        ...three('pass', 'pass', 'pass'),
        ...Array.from({ length: 18 }, (_, i) => measure(`m${i}`, 'speed', i === 0 ? 'inconclusive' : 'pass')),
      ],
      expect.stringMatching(/^pass: the score is between 98.75 and 100, and 95 passes/) as unknown as string,
    ],
    [
      'what may have no data is left out',
      three('pass', 'pass', 'unmeasured'),
      'pass: the score is 100, and 95 passes: health 100 (errors holds), speed 100 (latency holds; cpu has no data and is left out)',
    ],
    [
      'what may not is waited for',
      three('pass', 'unmeasured', 'pass'),
      'inconclusive: the score is between 87.5 and 100, with 1 measure that cannot be told yet: health 100 (errors holds), speed between 50 and 100 (latency has no data; cpu holds)',
    ],
    [
      'a group that is not measured is waited for',
      three('pass', 'unmeasured', 'unmeasured'),
      'inconclusive: the score is between 75 and 100, with 1 measure that cannot be told yet: health 100 (errors holds), speed between 0 and 100 (latency has no data; cpu has no data and is left out)',
    ],
    [
      'unless nothing of it is',
      [measure('errors', 'health', 'pass'), measure('cpu', 'speed', 'unmeasured', { gap: 'left-out' })],
      'fail: nothing of the group speed could be measured: cpu has no data',
    ],
  ])('%s', (_, measures, expected) => expect(told(measures)).toEqual(expected))
})

describe('when no data come any more', () => {
  test.each<[string, readonly ScoredMeasure[], string]>([
    [
      'what has none counts as bad',
      three('pass', 'unmeasured', 'pass'),
      'marginal: the score is 87.5, which is marginal: 95 passes, and below 75 fails: health 100 (errors holds), speed 50 (latency has no data; cpu holds)',
    ],
    [
      'a group of which nothing was measured fails all, however light',
      three('pass', 'unmeasured', 'unmeasured'),
      'fail: nothing of the group speed could be measured: latency has no data',
    ],
    [
      'what is undecided stays so',
      three('inconclusive', 'pass', 'pass'),
      expect.stringMatching(
        /^inconclusive: the score is between 25 and 100, with 1 measure/,
      ) as unknown as string,
    ],
  ])('%s', (_, measures, expected) =>
    expect(told(measures.map(at => (at.gap === 'waits' ? { ...at, gap: 'bad' } : at)))).toEqual(expected),
  )
})

describe('a critical measure', () => {
  const among = (verdict: Verdict, more: Partial<ScoredMeasure> = {}): readonly ScoredMeasure[] => [
    measure('errors', 'health', verdict, { critical: true, ...more }),
    ...Array.from({ length: 99 }, (_, i) => measure(`m${i}`, 'health', 'pass')),
  ]

  test('that fails fails it, whatever the score', () => {
    expect(scoreOf(policy, among('fail'))).toMatchObject({
      verdict: 'fail',
      least: 99,
      most: 99,
      reason: 'errors is worse, which is critical',
    })
  })

  test('that is undecided holds it', () => {
    expect(scoreOf(policy, among('inconclusive'))).toMatchObject({
      verdict: 'inconclusive',
      least: 99,
    })
  })

  test('without data holds it, and fails it at the end unless it may have none', () => {
    expect(scoreOf(policy, among('unmeasured')).verdict).toBe('inconclusive')
    expect(scoreOf(policy, among('unmeasured', { gap: 'bad' }))).toMatchObject({
      verdict: 'fail',
      reason: 'errors has no data, which is critical',
    })
    expect(scoreOf(policy, among('unmeasured', { gap: 'left-out' })).verdict).toBe('pass')
  })
})

test('weights need not be round for a full score to be one', () => {
  const weights = { a: 0.1, b: 0.2, c: 0.7 }
  const measures = ['a', 'b', 'c'].map(group => measure(group, group, 'pass'))
  expect(scoreOf({ weights, pass: 100, marginal: 100 }, measures)).toMatchObject({
    verdict: 'pass',
    least: 100,
  })
})

test('a group that is not measured is waited for also where it is too light to matter', () => {
  const measures = [measure('errors', 'health', 'pass'), measure('load', 'speed', 'unmeasured')]
  expect(told(measures, 75)).toBe(
    'inconclusive: the score is between 75 and 100, with 1 measure that cannot be told yet: health 100 (errors holds), speed between 0 and 100 (load has no data)',
  )
})

test('only groups that are there count, by their weights among each other', () => {
  const measures = [measure('errors', 'health', 'pass')]
  expect(scoreOf(policy, measures)).toMatchObject({
    verdict: 'pass',
    groups: [{ name: 'health', weight: 75, least: 100, most: 100 }],
  })
})

test('a group without a weight is refused', () => {
  expect(() => scoreOf(policy, [measure('a', 'other', 'pass')])).toThrow('the group other has no weight')
})
