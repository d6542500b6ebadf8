/** What a guard becomes in the plan, and what is said of one that makes no sense. */
import { describe, expect, it } from 'vitest'
import {
  allAtOnce,
  compare,
  environment,
  errorRate,
  haproxy,
  latency,
  local,
  prometheus,
  release,
  secret,
  service,
  trigger,
} from '../../src/index.ts'
import { compileIt, planOf, tell } from './compile-rig.ts'

const api = service('api', { critical: true })
const web = service('web', { needs: [api] })
const staging = environment('staging', { on: local() })
const production = environment('production', { on: local(), protect: true })

const base = release('guarded', { version: '2.0.0', components: [api, web] })
  .stage('staging', s => s.deploy([api, web], { to: staging, with: allAtOnce() }))
  .stage('open', s => s.gate('open', () => true))
const both = base.stage('production', s => s.deploy([api, web], { to: production, with: allAtOnce() }))
const triggers = [trigger(errorRate().above('5%'), { period: '2m', breaches: 3 })]

describe('lowered', () => {
  it('what is bad becomes its opposite, and counts on as many requests as its threshold takes', () => {
    const plan = planOf(both.guard({ for: '24h', every: '30s', triggers }))
    const { places, ...guard } = plan.guard!
    expect(guard).toEqual({
      duration: 86_400_000,
      interval: 30_000,
      anomalies: { deviations: 3.5, points: 20 },
    })
    expect(places.map(({ environment, components }) => [environment, components])).toEqual([
      [
        'production',
        [
          { component: 'api', version: '2.0.0' },
          { component: 'web', version: '2.0.0' },
        ],
      ],
    ])
    expect(places[0]!.triggers).toEqual([
      {
        name: 'error rate',
        unit: 'ratio',
        measure: { kind: 'error-rate' },
        provider: { kind: 'router' },
        condition: { kind: 'at-most', threshold: 0.05 },
        window: { kind: 'periods', period: 120_000, aggregate: 'mean', periods: 3, breaches: 3 },
        noData: 'hold',
        minRequests: 20,
      },
    ])
    expect(places[0]!.watched.map(({ name }) => name)).toEqual([
      'error rate',
      'latency p95',
      'throughput',
      'cpu',
      'memory',
    ])
  })

  it('errors in a row that a trigger lets go by, where they are not the usual four', () => {
    const limits = (...triggers: Parameters<typeof trigger>[0][]): readonly unknown[] =>
      planOf(
        both.guard({ for: '1h', triggers: triggers.map(metric => trigger(metric, { period: '1m' })) }),
      ).guard!.places[0]!.triggers.map(({ consecutiveErrorLimit }) => consecutiveErrorLimit)
    const [usual, four, two] = [
      errorRate(),
      errorRate({ consecutiveErrorLimit: 4 }),
      errorRate({ consecutiveErrorLimit: 2 }),
    ]
    expect(limits(usual.above('5%'), four.above('6%'), two.above('7%'))).toEqual([undefined, undefined, 2])
  })

  it('every window', () => {
    const slow = latency('p95').above('2s')
    const plan = planOf(
      both.guard({
        for: '1h',
        triggers: [
          trigger(slow, { period: '5m', breaches: 2, of: 3, aggregate: 'max' }),
          trigger(slow, { within: '10m', breaches: 4 }),
          trigger(slow, { lasting: '15m' }),
        ],
        anomalies: false,
      }),
    )
    expect(plan.guard!.anomalies).toBeNull()
    expect(plan.guard!.places[0]!.triggers.map(({ window }) => window)).toEqual([
      { kind: 'periods', period: 300_000, aggregate: 'max', periods: 3, breaches: 2 },
      { kind: 'breaches', within: 600_000, breaches: 4 },
      { kind: 'lasting', duration: 900_000 },
    ])
  })

  it('latency counts on so many requests that one slow answer is not the quantile', () => {
    const bad = [
      latency('p50').above('1s'),
      latency('p95').above('2s'),
      latency('p99.9').above('3s'),
      latency('p95', { minRequests: 5 }).above('4s'),
    ]
    const plan = planOf(
      both.guard({ for: '1h', triggers: bad.map(each => trigger(each, { lasting: '15m' })) }),
    )
    expect(plan.guard!.places[0]!.triggers.map(({ minRequests }) => minRequests)).toEqual([2, 20, 100, 5])
  })

  it('where nothing is protected, the environment that is deployed to last', () => {
    const plan = planOf(base.guard({ for: '1h', triggers }))
    expect(plan.guard!.places.map(({ environment }) => environment)).toEqual(['staging'])
  })

  it('it is part of the hash; a plan without one has neither key', () => {
    const plain = planOf(both)
    expect('guard' in plain || 'rollback' in plain).toBe(false)
    const guarded = planOf(both.guard({ for: '1h', triggers }))
    expect(guarded.hash).not.toBe(plain.hash)
    expect(planOf(both.guard({ for: '2h', triggers })).hash).not.toBe(guarded.hash)
    expect(planOf(both.onFailure('rollback-all', { rollback: 'staged' })).rollback).toBe('staged')
  })

  it('the secrets of its sources are the release’s, and latency is watched where it can be told', () => {
    const from = prometheus(secret('PROM_URL'))
    const guarded = [trigger(errorRate({ from }).above('5%'), { lasting: '5m' })]
    expect(planOf(both.guard({ for: '1h', triggers: guarded })).secrets.map(({ name }) => name)).toEqual([
      'PROM_URL',
    ])
    const edge = environment('edge', { on: local({ router: haproxy() }) })
    const plan = planOf(
      base
        .stage('edge', s => s.deploy([api, web], { to: edge, with: allAtOnce() }))
        .guard({ for: '1h', triggers }),
    )
    expect(plan.guard!.places[0]!.watched.map(({ name }) => name)).not.toContain('latency p95')
  })
})

describe('refused', () => {
  const said = (definition: unknown): string => tell(compileIt(definition).diagnostics)

  it('what makes no sense', () => {
    expect(
      said(
        both.guard({
          for: '10s',
          every: '30s',
          triggers: [
            trigger(errorRate().within('10%').of('stable'), { period: '1m' }),
            trigger(compare(errorRate()), { period: '1m' }),
            trigger(errorRate().above('5%'), { period: '10s', breaches: 3, of: 2 }),
          ],
          anomalies: { deviations: 0, points: 2 },
        }),
      ),
    ).toMatchInlineSnapshot(`
      "error[not-a-number] at guard: anomalies begin at 0 deviations
        help: Write a number above 0; 3.5 is usual.
      error[not-a-count] at guard: 2 points say what is usual
        help: Write a whole number from 3; 20 is usual.
      error[guard-too-short] at guard: the guard ends before its first measurement
        help: Give it a shorter \`every\`.
      error[not-a-trigger] at trigger on error rate: the trigger on error rate compares it with something else
        help: After a release there is no other side to compare with: say what is bad, as in errorRate().above('5%').
      error[not-a-count] at trigger on error rate: the trigger on error rate fires at 3 breaches of 2
        help: Write whole numbers from 1, and no more breaches than there are periods.
      error[trigger-too-short] at trigger on error rate: the trigger on error rate judges periods of 10000 ms, and is measured every 30000 ms
        help: Give it a longer period, or the guard a shorter \`every\`."
    `)
  })

  it('a trigger that compares, in every way of writing it', () => {
    const compared = [
      errorRate().within('10%').of('stable'),
      errorRate().within('10%').of(0.02),
      compare(errorRate()),
      latency('p95').within('10%').of('stable'),
      compare(latency('p95'), { with: 'baseline' }),
    ]
    for (const metric of compared)
      expect(said(both.guard({ for: '1h', triggers: [trigger(metric, { period: '1m' })] }))).toContain(
        'error[not-a-trigger]',
      )
  })

  it('a limit of errors that is no count', () => {
    const metric = errorRate({ consecutiveErrorLimit: 0.5 }).above('5%')
    expect(
      said(both.guard({ for: '1h', triggers: [trigger(metric, { period: '1m' })] })),
    ).toMatchInlineSnapshot(`
      "error[not-a-count] at trigger on error rate: the consecutiveErrorLimit of the trigger on error rate is 0.5
        help: Write a whole number from 0; 4 is usual."
    `)
  })

  it('what a measure is given that a guard has no use for, as a warning', () => {
    const metric = errorRate({ interval: '10s', delay: '1m', failureLimit: 2, count: 3 }).above('5%')
    const guarded = both.guard({ for: '1h', triggers: [trigger(metric, { lasting: '5m' })] })
    expect(compileIt(guarded).plan).not.toBeNull()
    expect(said(guarded)).toMatchInlineSnapshot(`
      "warning[option-without-effect] at trigger on error rate: error rate is given interval, delay, failureLimit and count, which mean nothing in a trigger
        help: Leave them out: a guard measures \`every\` so often, and the trigger's period, breaches, within or lasting say how bad it may get."
    `)
  })

  it('nothing to watch, nothing to look for, and an order of what takes nothing back', () => {
    const empty = release('empty', { version: '1.0.0' }).stage('s', s => s.gate('g', () => true))
    expect(
      said(
        empty.guard({ for: '1h', triggers: [], anomalies: false }).onFailure('stop', { rollback: 'staged' }),
      ),
    ).toMatchInlineSnapshot(`
      "error[not-a-rollback] at release: a rollback in the order "staged" is asked for, and the policy "stop" takes nothing back
        help: Leave it out, or write .onFailure('rollback-all', …).
      error[guard-of-nothing] at guard: a guard watches what was deployed, and nothing is
        help: Leave the guard out.
      error[guard-without-trigger] at guard: the guard has no trigger and looks for nothing unusual
        help: Give it triggers."
    `)
  })
})
