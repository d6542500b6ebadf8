/** Scores: what a plan holds of them, what it says of them, and what can be wrong with them. */
import { describe, expect, test } from 'vitest'
import type { ScoreOptions } from '../../src/definition/strategy.ts'
import {
  abTest,
  blueGreen,
  canary,
  compare,
  cpu,
  environment,
  errorRate,
  latency,
  local,
  type Metric,
  release,
  type Strategy,
  service,
} from '../../src/index.ts'
import type { AnalyseOperation } from '../../src/plan/plan.ts'
import { purposeText } from '../../src/plan/render/wording.ts'
import { compileIt, planOf, sha256, tell } from './compile-rig.ts'

const production = environment('production', { on: local() })
const one = service('one')
const live = { production: { one: { version: '0.9.0', digest: sha256('old') } } }
const few = errorRate().below('1%')
const errors = compare(errorRate(), { group: 'errors', critical: true })
const fast = compare(latency('p50'), { group: 'speed' })
const slow = compare(latency('p99'), { group: 'speed' })

const deployed = (strategy: Strategy) =>
  release('r', { version: '1.0.0', components: [one] }).stage('s', s =>
    s.deploy([one], { to: production, with: strategy }),
  )

type Score = ScoreOptions | undefined

const scored = (score: Score, ...metrics: readonly Metric[]): Strategy =>
  canary({ steps: [50, 100], every: '10m', analysis: { metrics, ...(score !== undefined && { score }) } })

const analysesOf = (strategy: Strategy): readonly AnalyseOperation[] =>
  planOf(deployed(strategy), { live }).nodes.flatMap(({ operation }) =>
    operation.kind === 'analyse' ? [operation] : [],
  )

const weightsOf = (score: Score, ...metrics: readonly Metric[]) =>
  analysesOf(scored(score, ...metrics))[0]?.score?.weights

const found = (definition: unknown): string => {
  const { plan, diagnostics } = compileIt(definition, { live })
  expect(plan === null).toBe(diagnostics.some(({ severity }) => severity === 'error'))
  return `\n${tell(diagnostics)}\n`
}

const wrong = (score: Score, ...metrics: readonly Metric[]): string =>
  found(deployed(scored(score, ...metrics, few)))

describe('in the plan', () => {
  test('comparisons have their groups, and the analysis what they weigh', () => {
    const [half, all] = analysesOf(
      scored({ weights: { errors: 60, speed: 40 }, pass: 90, marginal: 50 }, errors, fast, slow, few),
    )
    expect(half?.score).toEqual({ weights: { errors: 60, speed: 40 }, pass: 90, marginal: 50 })
    expect(half?.metrics.map(({ expected }) => expected)).toMatchObject([
      { kind: 'comparison', group: 'errors', critical: true },
      { kind: 'comparison', group: 'speed' },
      { kind: 'comparison', group: 'speed' },
      { kind: 'condition' },
    ])
    expect(half?.metrics[1]?.expected).not.toHaveProperty('critical')
    // Nobody is left to compare with, and nothing to score.
    expect(all?.metrics.map(({ name }) => name)).toEqual(['error rate'])
    expect(all).not.toHaveProperty('score')
  })

  test('groups that are not named share what the weights leave, evenly', () => {
    const busy = compare(cpu(), { group: 'cpu' })
    expect(weightsOf({}, errors)).toEqual({ errors: 100 })
    expect(weightsOf({}, errors, fast, slow)).toEqual({ errors: 50, speed: 50 })
    expect(weightsOf({ weights: { errors: 60 } }, errors, fast, busy)).toEqual({
      errors: 60,
      speed: 20,
      cpu: 20,
    })
    expect(weightsOf({ weights: { errors: 33.33, speed: 33.33, cpu: 33.34 } }, errors, fast, busy)).toEqual({
      errors: 33.33,
      speed: 33.33,
      cpu: 33.34,
    })
  })

  test('95 passes and below 75 fails; a lower pass is a lower bound of both', () => {
    expect(analysesOf(scored({}, errors))[0]?.score).toMatchObject({ pass: 95, marginal: 75 })
    expect(analysesOf(scored({ pass: 60 }, errors))[0]?.score).toMatchObject({ pass: 60, marginal: 60 })
  })

  test('a step whose comparisons are left out in part weighs those that are left', () => {
    const beside = compare(latency('p99'), { group: 'speed', with: 'baseline' })
    const plan = planOf(
      deployed(
        canary({
          steps: [25, 75, 100],
          every: '10m',
          baseline: true,
          analysis: { metrics: [errors, beside, few], score: { weights: { errors: 60, speed: 40 } } },
        }),
      ),
      { live },
    )
    const said = plan.nodes.filter(({ operation }) => operation.kind === 'analyse').map(purposeText)
    expect(said[0]).toMatch(/, score of 60 % errors and 40 % speed: 95 passes, below 75 fails$/)
    expect(said[1]).toMatch(/, score of 100 % errors: /)
    const all = plan.nodes.flatMap(({ operation }) => (operation.kind === 'analyse' ? [operation] : []))
    expect(all.map(({ score }) => score?.weights)).toEqual([
      { errors: 60, speed: 40 },
      { errors: 60 },
      undefined,
    ])
  })

  test('what decides an experiment is not scored', () => {
    const experiment = abTest({
      to: { percent: 50 },
      for: '1d',
      primary: compare(latency('p95')),
      analysis: { metrics: [errors], score: {} },
    })
    const [analysis] = analysesOf(experiment)
    expect(analysis?.score?.weights).toEqual({ errors: 100 })
    expect(analysis?.metrics.at(-1)?.expected).not.toHaveProperty('group')
  })

  test('is said where the plan is read', () => {
    const plan = planOf(deployed(scored({ weights: { errors: 60 } }, errors, fast, few)), { live })
    const watched = plan.nodes.find(({ operation }) => operation.kind === 'analyse')!
    expect(purposeText(watched)).toMatchInlineSnapshot(
      `"error rate compared: no higher than the stable side by more than 10% (errors, critical), latency p50 compared: no higher than the stable side by more than 10% (speed), error rate below 1%, score of 60 % errors and 40 % speed: 95 passes, below 75 fails"`,
    )
  })
})

describe('what can be wrong', () => {
  test('a comparison that belongs to nothing, which Kayenta would not count', () => {
    expect(wrong({}, errors, compare(latency('p95')))).toMatchInlineSnapshot(`
      "
      error[comparison-without-group] at metric latency p95: latency p95 is compared in an analysis with a score, and belongs to no group
        help: Say what it counts to, as in compare(latency('p95'), { group: 'latency' }).
      "
    `)
  })

  test('a group, or what is critical, without a score', () => {
    expect(wrong(undefined, fast, compare(cpu(), { critical: false }))).toMatchInlineSnapshot(`
      "
      error[not-scored] at metric latency p50: latency p50 belongs to the group "speed", and its analysis has no score
        help: Give the analysis one, as in score: { pass: 95 }, or leave it out: each comparison that fails is a failure then.
      error[not-scored] at metric cpu: cpu says whether it is critical, and its analysis has no score
        help: Give the analysis one, as in score: { pass: 95 }, or leave it out: each comparison that fails is a failure then.
      "
    `)
  })

  test('a group of what decides an experiment', () => {
    const primary = compare(latency('p95'), { group: 'speed' })
    const analysis = { metrics: [errors], score: {} }
    expect(
      found(deployed(abTest({ to: { percent: 50 }, for: '1d', primary, analysis }))),
    ).toMatchInlineSnapshot(`
      "
      error[not-scored] at metric latency p95: latency p95 belongs to the group "speed", and what decides an experiment is not scored
        help: Leave it out, or compare it once more in the analysis.
      "
    `)
  })

  test('a score of nothing', () => {
    expect(wrong({})).toMatchInlineSnapshot(`
      "
      error[score-of-nothing] at score: an analysis has a score, and compares nothing
        help: Only comparisons are scored: add some, as in compare(latency('p95'), { group: 'latency' }), or leave it out.
      "
    `)
  })

  test('weights of groups that are nowhere', () => {
    expect(wrong({ weights: { errors: 60, sped: 40 } }, errors, fast)).toMatchInlineSnapshot(`
      "
      error[unknown-group] at score: a score has a weight for "sped", and no comparison belongs to it
        help: The comparisons belong to "errors", "speed".
      "
    `)
  })

  test('weights that are not the whole', () => {
    expect(wrong({ weights: { errors: 60, speed: 30 } }, errors, fast)).toMatchInlineSnapshot(`
      "
      error[score-weights] at score: the weights of a score are errors 60, speed 30: 90 together
        help: Each is above 0, and together they are 100; groups that are not named share what is left.
      "
    `)
    expect(wrong({ weights: { errors: 100 } }, errors, fast)).toMatchInlineSnapshot(`
      "
      error[score-weights] at score: the weights of a score are errors 100: 100 together, which leaves nothing for speed
        help: Each is above 0, and together they are 100; groups that are not named share what is left.
      "
    `)
    expect(wrong({ weights: { errors: 100, speed: 0 } }, errors, fast)).toContain('error[score-weights]')
    expect(wrong({ weights: { errors: Number.NaN } }, errors, fast)).toContain('error[score-weights]')
  })

  test('bounds that are none', () => {
    expect(wrong({ pass: 75, marginal: 95 }, errors)).toMatchInlineSnapshot(`
      "
      error[not-a-score] at score: a score passes from 75 and fails below 95
        help: Scores go from 0 to 100, and what passes is not below what fails: pass: 95, marginal: 75.
      "
    `)
    for (const bounds of [{ pass: 101 }, { pass: 0 }, { marginal: -1 }, { pass: Number.NaN }])
      expect(wrong(bounds, errors)).toContain('error[not-a-score] at score')
  })

  test('each side of a switch has a score of its own', () => {
    const preview = { for: '10m', metrics: [few], score: {} } as const
    expect(found(deployed(blueGreen({ preview })))).toContain('error[score-of-nothing] at score')
  })
})
