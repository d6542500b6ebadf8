/** What becomes of the options of a measure: in the plan where they mean something, in a warning where they do not. */
import { describe, expect, test } from 'vitest'
import {
  canary,
  compare,
  environment,
  errorRate,
  latency,
  local,
  type Metric,
  release,
  service,
} from '../../src/index.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { compileIt, sha256, tell } from './compile-rig.ts'

const one = service('one')
const production = environment('production', { on: local(), protect: true })
const live = { production: { one: { version: '0.9.0', digest: sha256('old') } } }

const watched = (...analysis: readonly Metric[]) =>
  release('r', { version: '1.0.0', components: [one] })
    .stage('open', s => s.gate('open', () => true))
    .stage('s', s =>
      s.deploy([one], { to: production, with: canary({ steps: [50, 100], every: '1m', analysis }) }),
    )

const compiled = (definition: unknown) => compileIt(definition, { live })
const said = (definition: unknown): string => `\n${tell(compiled(definition).diagnostics)}\n`

const metricsOf = (plan: Plan | null) =>
  plan!.nodes.flatMap(({ operation }) => (operation.kind === 'analyse' ? operation.metrics : []))

describe('how many points may have nothing beside them, and how many there are', () => {
  test('is in the plan where it is said, and nowhere else', () => {
    const { plan, diagnostics } = compiled(
      watched(
        latency('p95', { inconclusiveLimit: 2, count: 3, interval: '5s' }).within('10%').of('stable'),
        errorRate().below('1%'),
      ),
    )
    expect(diagnostics).toEqual([])
    const [within, below] = metricsOf(plan)
    expect(within).toMatchObject({ inconclusiveLimit: 2, count: 3 })
    expect(Object.keys(below!)).not.toContain('inconclusiveLimit')
    expect(Object.keys(below!)).not.toContain('count')
  })

  test('is a number of measurements, for which there is time', () => {
    expect(
      said(
        watched(
          latency('p95', { inconclusiveLimit: -1 }).within('10%').of('stable'),
          errorRate({ count: 0 }).below('1%'),
          errorRate({ count: 20, interval: '1m' }).below('2%'),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      error[analysis-number] at metric latency p95: the inconclusiveLimit of latency p95 is -1
        help: Give a whole number that is not negative.
      error[analysis-number] at metric error rate: the count of error rate is 0
        help: Give a whole number that is greater than 0.
      error[analysis-out-of-time] at metric error rate: error rate (2) takes 20m to measure and has 6m
        help: Measure fewer times or more often, or give it more time.
      "
    `)
  })
})

describe('what means nothing where it stands is a warning', () => {
  test('in a comparison, and in a condition that always has its mark', () => {
    expect(
      said(
        watched(
          compare(latency('p95', { failureLimit: 2, count: 5 })),
          errorRate({ inconclusiveLimit: 2 }).below('1%'),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      warning[option-without-effect] at metric latency p95: latency p95 is given failureLimit and count, which mean nothing in a comparison, which judges all measurements together
        help: Leave them out; how much worse and how certain it may be is said by tolerance and confidence.
      warning[option-without-effect] at metric error rate: error rate is given inconclusiveLimit, which means nothing in a condition that always has its mark
        help: Leave it out; it is for what is compared with another side, as in .within('10%').of('stable').
      "
    `)
  })

  test('nothing is said of the rest', () => {
    const all = { interval: '5s', delay: '5s', consecutiveErrorLimit: 2, minRequests: 50 } as const
    expect(
      said(watched(compare(latency('p95', { ...all, noData: 'fail' })), errorRate(all).below('1%'))),
    ).toBe('\n\n')
  })
})
