/** Comparisons that count together: when their score is told, and what follows from it. */
import { describe, expect, test } from 'vitest'
import type { PlanExpectation, PlanMeasure, PlanMetric } from '../../src/plan/plan.ts'
import { canaryOf, errorRate, latencyCompared, type Reading, type Watched, watch } from './analyse-rig.ts'

type Comparison = Extract<PlanExpectation, { kind: 'comparison' }>

const scored = (
  name: string,
  kind: 'cpu' | 'memory' | 'throughput' | 'availability',
  place: Pick<Comparison, 'group' | 'critical'>,
  more: Partial<PlanMetric> = {},
): PlanMetric => {
  const compared = latencyCompared()
  return {
    ...compared,
    name,
    measure: { kind },
    expected: { ...(compared.expected as Comparison), ...place },
    ...more,
  }
}

const cpu = scored('cpu', 'cpu', { group: 'system' })
const memory = scored('memory', 'memory', { group: 'system' })
const load = scored('load', 'throughput', { group: 'traffic' })
const critical = scored('cpu', 'cpu', { group: 'system', critical: true })

const wobble = (n: number): number => 1 + 0.1 * Math.sin(n * 12.9898)

/** What is said of the canary's measures; alike to the other side's where nothing is. */
type Said = Partial<Record<PlanMeasure['kind'], (n: number) => Reading>>

const worse = (n: number): Reading => ({ value: 200 * wobble(n + 0.5) })
const nothing = (): Reading => ({ value: null })
const broken = (): Reading => ({ value: null, error: 'it does not answer' })

const watched = (said: Said, more: Watched = {}): Watched => ({
  duration: 80_000,
  patience: 20_000,
  metrics: [cpu, memory, load],
  score: { weights: { system: 40, traffic: 60 }, pass: 95, marginal: 75 },
  says({ target, measure }, n) {
    const isCanary = target.side === 'canary'
    if (measure.kind === 'error-rate') return { value: 0 }
    const told = isCanary ? said[measure.kind] : undefined
    return told === undefined ? { value: 100 * wobble(n + (isCanary ? 0.5 : 0)) } : told(n)
  },
  ...more,
})

const verdictOf = async (said: Said, more: Watched = {}): Promise<string> => {
  const { code, after, said: text } = await watch(watched(said, more))
  return `${code} after ${after}: ${text}`
}

describe('a score', () => {
  test('passes when its time is over, and not before', async () => {
    const seen = await watch(watched({}))
    expect(seen).toMatchObject({
      code: 'passed',
      after: 80,
      said: 'scored 100, 8000 requests',
      evidence: {
        scores: [
          {
            target: canaryOf('one'),
            verdict: 'pass',
            least: 100,
            most: 100,
            groups: [
              { name: 'system', weight: 40, least: 100, most: 100 },
              { name: 'traffic', weight: 60, least: 100, most: 100 },
            ],
          },
        ],
      },
    })
    expect(seen.lines.at(-1)).toBe(
      'one: the score is 100, and 95 passes: system 100 (cpu holds; memory holds), traffic 100 (load holds)',
    )
    expect(seen.lines.filter(line => line.includes('score'))).toHaveLength(1)
  })

  test('is not failed by one that is much worse all the time, where the others are enough', async () => {
    expect(
      await verdictOf(
        { cpu: worse },
        { score: { weights: { system: 40, traffic: 60 }, pass: 80, marginal: 60 } },
      ),
    ).toBe('passed after 80: scored 80, 8000 requests')
  })

  test('that is too low fails when its time is over, and says what each has come to', async () => {
    expect(await verdictOf({ throughput: worse })).toMatchInlineSnapshot(
      `"analysis-failed after 80: one 2.0.0 in s: the score is 40, and below 75 fails: system 100 (cpu holds; memory holds), traffic 0 (load of the canary is 202.5ms where the baseline's is 101.2ms: 101.5ms higher, by 80 and 80 points)"`,
    )
  })

  test('that is marginal never promotes, and is not waited for', async () => {
    const seen = await watch(watched({ cpu: worse }))
    expect(`${seen.code} after ${seen.after}: ${seen.said}`).toMatchInlineSnapshot(
      `"analysis-unanswered after 80: one 2.0.0 in s: the score is 80, which is marginal: 95 passes, and below 75 fails: system 50 (cpu of the canary is 202.5ms where the baseline's is 101.2ms: 101.5ms higher, by 80 and 80 points; memory holds), traffic 100 (load holds)"`,
    )
    expect(seen.evidence.scores).toMatchObject([{ verdict: 'marginal', least: 80, most: 80 }])
  })

  test('that cannot be told yet is waited for as long as there is patience', async () => {
    const late = (n: number): Reading => (n < 78 ? { value: null } : { value: 100 * wobble(n + 0.5) })
    const seen = await watch(watched({ throughput: late }, { patience: 80_000 }))
    expect(seen).toMatchObject({ code: 'passed', said: /^scored 100/ })
    expect(seen.after).toBeGreaterThan(80)
    expect(await verdictOf({ throughput: late }, { patience: 1000 })).toMatchInlineSnapshot(
      `"analysis-unanswered after 81: one 2.0.0 in s: the score is between 40 and 100, with 1 measure that cannot be told yet: system 100 (cpu holds; memory holds), traffic between 0 and 100 (load of the canary is 106.2ms where the baseline's is 101.4ms; whether it is within 10% cannot be told by 4 and 81 points, and it takes about 37 a side)"`,
    )
  })

  test('of each component is its own', async () => {
    const targets = [canaryOf('one'), canaryOf('two')]
    const { says, ...rest } = watched({ throughput: worse }, { targets })
    const seen = await watch({
      ...rest,
      says: (request, n) =>
        request.target.component === 'two' ? says!(request, n) : { value: 100 * wobble(n + 0.5) },
    })
    expect(seen).toMatchObject({ code: 'analysis-failed', said: /^two 2.0.0 in s: the score is 40/ })
    expect(seen.evidence.scores).toMatchObject([{ verdict: 'pass' }, { verdict: 'fail' }])
  })
})

describe('what is critical', () => {
  const metrics = [critical, memory, load]

  test('fails at the first look that finds it worse, whatever the score', async () => {
    const seen = await watch(watched({ cpu: worse }, { metrics }))
    expect(seen).toMatchObject({ code: 'analysis-failed', after: 20, said: /cpu of the canary is/ })
    expect(seen.evidence).not.toHaveProperty('scores')
  })

  test('counts as well', async () => {
    expect(await verdictOf({}, { metrics })).toBe('passed after 80: scored 100, 8000 requests')
  })
})

describe('what is not measured', () => {
  test('of a whole group fails it when there is no more patience, however light it is', async () => {
    const score = { weights: { system: 99, traffic: 1 }, pass: 95, marginal: 75 }
    expect(await verdictOf({ throughput: nothing }, { score })).toMatchInlineSnapshot(
      `"analysis-failed after 100: one 2.0.0 in s: nothing of the group traffic could be measured: load of the canary has no data"`,
    )
  })

  test('since its source answers with errors is bad, and not waited for', async () => {
    expect(await verdictOf({ throughput: broken })).toMatchInlineSnapshot(
      `"analysis-failed after 80: one 2.0.0 in s: nothing of the group traffic could be measured: load of the canary could not be measured: it does not answer, 3 times in a row"`,
    )
    expect(await verdictOf({ cpu: broken })).toMatchInlineSnapshot(
      `"analysis-unanswered after 80: one 2.0.0 in s: the score is 80, which is marginal: 95 passes, and below 75 fails: system 50 (cpu of the canary could not be measured: it does not answer, 3 times in a row; memory holds), traffic 100 (load holds)"`,
    )
  })

  test('and may be missing is left out', async () => {
    const metrics = [{ ...cpu, noData: 'ignore' as const }, memory, load]
    expect(await verdictOf({ cpu: nothing }, { metrics })).toBe('passed after 80: scored 100, 8000 requests')
  })
})

describe('a fixed limit beside it', () => {
  const metrics = [errorRate(), cpu, memory, load]

  test('has to hold by itself, and ends it at once', async () => {
    const { says, ...rest } = watched({}, { metrics })
    const seen = await watch({
      ...rest,
      says: (request, n) =>
        request.measure.kind === 'error-rate' && n === 7 ? { value: 0.05 } : says!(request, n),
    })
    expect(seen).toMatchObject({ code: 'analysis-failed', after: 7 })
  })

  test('is said before the score', async () => {
    expect(await verdictOf({}, { metrics })).toBe(
      'passed after 80: error rate held 80 times, scored 100, 8000 requests',
    )
  })
})
