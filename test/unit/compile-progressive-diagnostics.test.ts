/** What can be wrong with a strategy that divides traffic, with what it measures, and with the places it goes to. */
import { describe, expect, test } from 'vitest'
import {
  abTest,
  availability,
  blueGreen,
  canary,
  compare,
  type Environment,
  environment,
  errorRate,
  haproxy,
  json,
  latency,
  local,
  type Metric,
  measured,
  mirror,
  mismatch,
  param,
  prometheus,
  promql,
  release,
  rolling,
  type Strategy,
  secret,
  service,
  throughput,
} from '../../src/index.ts'
import { compileIt, sha256, tell } from './compile-rig.ts'

const gateway = environment('production', { on: local() })
const proxied = environment('proxied', { on: local({ router: haproxy() }) })
const one = service('one')
const old = { one: { version: '0.9.0', digest: sha256('old') } }
const live = { production: old, proxied: old }
const few = errorRate().below('1%')

/** What the types refuse already, for definitions that nobody checked. */
const any = (value: unknown): never => value as never

const deployed = (strategy: Strategy, to: Environment = gateway) =>
  release('r', { version: '1.0.0', components: [one] }).stage('s', s =>
    s.deploy([one], { to, with: strategy }),
  )

const found = (definition: unknown): string => {
  const { plan, diagnostics } = compileIt(definition, { live })
  expect(plan === null).toBe(diagnostics.some(({ severity }) => severity === 'error'))
  return `\n${tell(diagnostics)}\n`
}

const of = (...metrics: readonly Metric[]): string =>
  found(deployed(canary({ steps: [50, 100], analysis: [...metrics, few] })))

describe('routers', () => {
  test('HAProxy mirrors nothing', () => {
    expect(found(deployed(mirror({ for: '10s', analysis: [few] }), proxied))).toMatchInlineSnapshot(`
      "
      error[router-cannot] at deploy: the strategy mirror asks the router of proxied to mirror requests, which HAProxy cannot
        help: Take another strategy, or the platform’s own gateway: on: local().
        see environment proxied: proxied is defined here
      "
    `)
    expect(found(deployed(mirror({ for: '10s', analysis: [few] })))).toBe('\n\n')
  })

  test('HAProxy divides by weight, header and cookie', () => {
    const to = [{ percent: 5 }, { header: 'x-beta', value: 'yes' }, { cookie: 'group', value: 'b' }]
    for (const who of to)
      expect(found(deployed(abTest({ to: any(who), for: '1d', primary: few }), proxied))).toBe('\n\n')
  })

  test('what it cannot measure', () => {
    const analysis = [latency('p95').below('500ms'), mismatch().below('1%'), few]
    expect(found(deployed(canary({ steps: [100], analysis }), proxied))).toMatchInlineSnapshot(`
      "
      error[router-cannot-measure] at metric latency p95: latency p95 in proxied cannot be measured by HAProxy
        help: Give the environment a source that can: metrics: prometheus('http://…').
      error[router-cannot-measure] at metric mismatch: mismatch in proxied cannot be measured by HAProxy
        help: Give the environment a source that can: metrics: prometheus('http://…').
      "
    `)
    const asked = promql('queue', 'max(queue)', { from: prometheus('http://127.0.0.1:9090') })
    expect(found(deployed(canary({ steps: [100], analysis: [asked.below(10)] }), proxied))).toBe('\n\n')
  })

  test('a source of measures stands in for the router', () => {
    const to = environment('proxied', {
      on: local({ router: haproxy() }),
      metrics: prometheus('http://127.0.0.1:9090'),
    })
    expect(found(deployed(canary({ steps: [100], analysis: [latency('p95').below('1s')] }), to))).toBe('\n\n')
  })
})

describe('weights', () => {
  const steps = (...weights: readonly number[]): string =>
    found(deployed(canary({ steps: weights, analysis: [few] })))

  test('rise, and end at 100', () => {
    expect(steps()).toMatchInlineSnapshot(`
      "
      error[canary-steps] at deploy: the steps of the canary in production are none
        help: Weights rise from step to step, and the last one is 100, as in [5, 25, 50, 100].
      "
    `)
    expect(steps(5, 25)).toMatchInlineSnapshot(`
      "
      error[canary-steps] at deploy: the steps of the canary in production are 5, 25
        help: Weights rise from step to step, and the last one is 100, as in [5, 25, 50, 100].
      "
    `)
    expect(steps(25, 5, 100)).toMatchInlineSnapshot(`
      "
      error[canary-steps] at deploy: the steps of the canary in production are 25, 5, 100
        help: Weights rise from step to step, and the last one is 100, as in [5, 25, 50, 100].
      "
    `)
    expect(steps(50, 50, 100)).toContain('canary-steps')
    expect(steps(100)).toBe('\n\n')
  })

  test('are percent, also as a param has them', () => {
    expect(steps(0, 100)).toMatchInlineSnapshot(`
      "
      error[not-a-percentage] at deploy: a share of the requests is 0
        help: Write a number above 0 and up to 100: so many percent.
      "
    `)
    expect(steps(5, 120)).toContain('error[not-a-percentage] at deploy: a share of the requests is 120')
    const share = param('share', { default: 300 })
    const definition = release('r', { version: '1.0.0', components: [one], params: [share] }).stage('s', s =>
      s.deploy([one], { to: gateway, with: mirror({ for: '10s', percent: share, analysis: [few] }) }),
    )
    expect(found(definition)).toMatchInlineSnapshot(`
      "
      error[not-a-percentage] at deploy: a share of the requests is 300
        help: Write a number above 0 and up to 100: so many percent.
      "
    `)
  })
})

describe('metrics that cannot be read', () => {
  test('thresholds, by unit, and nothing that only follows from them', () => {
    expect(
      of(errorRate().below(any('1')), latency('p95').below(any('fast')), throughput().atLeast(any('5/s'))),
    ).toMatchInlineSnapshot(`
      "
      error[not-a-threshold] at metric error rate: the threshold of error rate is "1"
        help: Write a percentage such as '1%', or a share such as 0.01.
      error[not-a-threshold] at metric latency p95: the threshold of latency p95 is "fast"
        help: Write a duration such as '500ms', or a number of milliseconds.
      error[not-a-threshold] at metric throughput: the threshold of throughput is "5/s"
        help: Write a number: so many a second.
      "
    `)
    expect(of(throughput().atLeast(any(Number.NaN)))).toContain('not-a-threshold')
  })

  test('tolerances', () => {
    expect(
      of(latency('p95').within(any(0.1)).of('stable'), compare(latency('p50'), { tolerance: any('a bit') })),
    ).toMatchInlineSnapshot(`
      "
      error[not-a-tolerance] at metric latency p95: the tolerance of latency p95 is 0.1
        help: Write a percentage such as '10%'.
      error[not-a-tolerance] at metric latency p50: the tolerance of latency p50 is "a bit"
        help: Write a percentage such as '10%'.
      "
    `)
  })

  test('floors', () => {
    expect(
      of(
        latency('p95')
          .within('10%', { floor: any('a bit') })
          .of('stable'),
        compare(errorRate(), { floor: -1 }),
      ),
    ).toMatchInlineSnapshot(`
      "
      error[not-a-threshold] at metric latency p95: the floor of latency p95 is "a bit"
        help: Write a duration such as '500ms', or a number of milliseconds.
      error[not-a-floor] at metric error rate: the floor of error rate is -1
        help: It is the least difference that matters, and no difference is less than 0.
      "
    `)
  })

  test('confidences', () => {
    const beside = (confidence: number): string => of(compare(latency('p95'), { confidence }))
    expect(beside(98)).toMatchInlineSnapshot(`
      "
      error[not-a-confidence] at metric latency p95: latency p95 is compared with a confidence of 98
        help: A confidence lies between 0.5 and 1; 0.98 is usual.
      "
    `)
    expect(beside(0.5)).toContain('not-a-confidence')
    expect(beside(0.9)).toBe('\n\n')
  })

  test('quantiles', () => {
    expect(of(latency('p100').below('1s'), latency(any('fast')).below('1s'))).toMatchInlineSnapshot(`
      "
      error[not-a-quantile] at metric latency p100: latency is asked at the quantile 1
        help: Write one between p0 and p100, such as 'p95'.
      error[not-a-quantile] at metric latency fast: latency is asked at the quantile NaN
        help: Write one between p0 and p100, such as 'p95'.
      "
    `)
  })

  test('counts of requests', () => {
    expect(of(errorRate({ minRequests: 0.5 }).below('1%'))).toMatchInlineSnapshot(`
      "
      error[not-a-count] at metric error rate: error rate is to rest on 0.5 requests
        help: Write a whole number from 0: minRequests: 100.
      "
    `)
    const analysis = { metrics: [few], requests: 0.5 }
    expect(found(deployed(canary({ steps: [50, 100], analysis })))).toMatchInlineSnapshot(`
      "
      error[not-a-count] at deploy: the analysis wants to have seen 0.5 requests
        help: Write a whole number from 0: requests: 100.
      "
    `)
  })
})

describe('metrics that cannot do what they are for', () => {
  test('what holds whatever is measured, or for nothing', () => {
    expect(
      of(
        availability().atLeast(99.9),
        errorRate().below('0%'),
        errorRate().atMost('100%'),
        throughput().atLeast(0),
        latency('p95').above(-1),
      ),
    ).toMatchInlineSnapshot(`
      "
      error[analysis-never-passes] at metric availability: "availability at least 9990%" holds for nothing that can be measured
        help: A share is at most 100%; a percentage is written as '1%', and 0.01 means the same.
      error[analysis-never-passes] at metric error rate: "error rate below 0%" holds for nothing that can be measured
        help: Give a threshold that can be met and can be missed.
      error[analysis-never-fails] at metric error rate: "error rate (2) at most 100%" holds whatever is measured
        help: A share is at most 100%; a percentage is written as '1%', and 0.01 means the same.
      error[analysis-never-fails] at metric throughput: "throughput at least 0/s" holds whatever is measured
        help: Give a threshold that can be met and can be missed.
      error[analysis-never-fails] at metric latency p95: "latency p95 above -1ms" holds whatever is measured
        help: Give a threshold that can be met and can be missed.
      "
    `)
    expect(of(errorRate().atMost('0%'), availability().atLeast('100%'), throughput().above(0))).toBe('\n\n')
  })

  test('limits that are no numbers of measurements', () => {
    expect(
      of(errorRate({ failureLimit: -1, consecutiveErrorLimit: 0.5 }).below('1%')),
    ).toMatchInlineSnapshot(`
      "
      error[analysis-number] at metric error rate: the failureLimit of error rate is -1
        help: Give a whole number that is not negative.
      error[analysis-number] at metric error rate: the consecutiveErrorLimit of error rate is 0.5
        help: Give a whole number that is not negative.
      "
    `)
  })

  test('what takes longer to measure than there is time and patience', () => {
    const slow = errorRate({ interval: '2m' }).below('1%')
    const within = (patience: '0s' | '2m', every: '30s' | '1m' = '30s'): string =>
      found(deployed(canary({ steps: [100], every, analysis: { metrics: [slow], patience } })))
    expect(within('0s')).toMatchInlineSnapshot(`
      "
      error[analysis-out-of-time] at metric error rate: error rate takes 2m to measure and has 30s
        help: Measure fewer times or more often, or give it more time.
      "
    `)
    expect(within('2m')).toBe('\n\n')
    const compared = compare(latency('p95', { interval: '1m', delay: '1m' }))
    expect(
      found(
        deployed(
          canary({ steps: [50, 100], every: '1m', analysis: { metrics: [compared, few], patience: '0s' } }),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      error[analysis-out-of-time] at metric latency p95: latency p95 compared takes 2m to measure and has 1m
        help: Measure fewer times or more often, or give it more time.
      "
    `)
  })

  test('what is compared by too few points to come to anything', () => {
    const slow = compare(latency('p95', { interval: '1m' }))
    const with_ = (metric: Metric, patience: '0s' | '1m' | '5m', every: '2m' | '5m' = '2m') =>
      found(deployed(canary({ steps: [50, 100], every, analysis: { metrics: [metric, few], patience } })))
    expect(with_(slow, '1m')).toMatchInlineSnapshot(`
      "
      error[compared-for-nothing] at metric latency p95: latency p95 compared has 2 points a side in 2m and 3 with its patience, and fewer than 5 decide nothing, whatever they are: it never comes to a verdict
        help: Measure it more often, such as every 6s, or for longer.
      "
    `)
    expect(with_(slow, '5m')).toMatchInlineSnapshot(`
      "
      warning[compared-late] at metric latency p95: latency p95 compared has 2 points a side in 2m, and fewer than 5 decide nothing, whatever they are: it comes to a verdict only where it waits for more, in its patience
        help: Measure it more often, such as every 6s, or for longer.
      "
    `)
    expect(with_(slow, '0s', '5m')).toBe('\n\n')
    expect(with_(compare(latency('p95', { interval: '1m' }), { confidence: 0.99 }), '0s', '5m')).toBe('\n\n')
    expect(with_(compare(latency('p95', { interval: '1m' }), { confidence: 0.995 }), '0s', '5m')).toContain(
      'has 5 points a side in 5m',
    )
    expect(with_(compare(latency('p95')), '0s')).toBe('\n\n')
  })

  test('a background has no end of its own: people may keep it for days', () => {
    const slow = errorRate({ interval: '2m' }).below('1%')
    expect(
      found(
        deployed(canary({ steps: [50, 100], every: '10s', background: { metrics: [slow], patience: '0s' } })),
      ),
    ).toBe('\n\n')
  })

  test('once for each metric, however many deployments have it', () => {
    const two = service('two')
    const definition = release('r', { version: '1.0.0', components: [one, two] }).stage('s', s =>
      s.deploy([one, two], {
        to: gateway,
        with: canary({ steps: [50, 100], analysis: [errorRate().below('0%')] }),
      }),
    )
    const both = { production: { ...old, two: old.one } }
    const { diagnostics } = compileIt(definition, { live: both })
    expect(diagnostics.map(({ code }) => code)).toEqual(['analysis-never-passes'])
  })
})

describe('comparisons with nobody', () => {
  const within = latency('p95').within('10%').of('stable')
  const steps = (...weights: readonly number[]) => ({ steps: weights, every: '10s' }) as const

  test('with a baseline that no step starts, with the stable side where all requests are gone', () => {
    const analysis = [compare(latency('p95'), { with: 'baseline' }), few]
    expect(found(deployed(canary({ ...steps(50, 100), analysis })))).toMatchInlineSnapshot(`
      "
      error[compared-with-nobody] at metric latency p95: latency p95 is compared with the baseline side, which gets no requests whenever it is watched
        help: Let the canary start one, with baseline: true; it gets requests in the steps up to 50 %.
      "
    `)
    expect(found(deployed(canary({ ...steps(50, 100), analysis, baseline: true })))).toBe('\n\n')
    expect(found(deployed(canary({ ...steps(60, 100), analysis, baseline: true })))).toContain(
      'compared-with-nobody',
    )
    expect(found(deployed(canary({ ...steps(100), analysis: [within, few] })))).toMatchInlineSnapshot(`
      "
      error[compared-with-nobody] at metric latency p95: latency p95 is compared with the stable side, which gets no requests whenever it is watched
        help: Give it a threshold here: the stable side gets no requests at 100 %, and after the promotion there is none.
      "
    `)
    expect(found(deployed(blueGreen({ analysis: [within] })))).toContain('at metric latency p95')
    expect(found(deployed(blueGreen({ preview: { for: '10s', metrics: [within] }, analysis: [few] })))).toBe(
      '\n\n',
    )
    const baseline = true
    expect(found(deployed(canary({ ...steps(50, 100), background: analysis, baseline })))).toContain(
      'compared-with-nobody',
    )
  })

  test('in a bake, where all are on the new version', () => {
    const definition = deployed(canary({ steps: [100] })).stage('after', s =>
      s.bake('10s', { analysis: [within] }),
    )
    expect(found(definition)).toContain('error[compared-with-nobody] at metric latency p95')
  })

  test('a region may go all at once where the others compare', () => {
    const world = environment('world', {
      on: local(),
      regions: [
        { name: 'eu', wave: 1 },
        { name: 'us', wave: 2, weights: [100] },
      ],
    })
    const { diagnostics } = compileIt(
      deployed(canary({ ...steps(50, 100), analysis: [within, few] }), world),
      {
        live: { 'world.eu': old, 'world.us': old },
      },
    )
    expect(diagnostics).toEqual([])
  })
})

describe('phases that measure nothing', () => {
  const within = latency('p95').within('10%').of('stable')

  test('are named, once for each deployment', () => {
    const two = service('two')
    const definition = release('r', { version: '1.0.0', components: [one, two] }).stage('s', s =>
      s.deploy([one, two], { to: gateway, with: canary({ steps: [5, 50, 100] }) }),
    )
    const { diagnostics } = compileIt(definition, { live: { production: { ...old, two: old.one } } })
    expect(`\n${tell(diagnostics)}\n`).toMatchInlineSnapshot(`
      "
      warning[measures-nothing] at deploy: the canary to production measures nothing in its phases 5 %, 50 %, 100 %: only the health of the instances can stop it there
        help: Say what has to hold: analysis: [errorRate().below('1%')].
      "
    `)
    expect(found(deployed(blueGreen()))).toMatchInlineSnapshot(`
      "
      warning[measures-nothing] at deploy: the blue-green to production measures nothing in its phase switch: only the health of the instances can stop it there
        help: Say what has to hold: analysis: [errorRate().below('1%')].
      "
    `)
  })

  test('also where nobody is left to compare with', () => {
    expect(found(deployed(canary({ steps: [50, 100], analysis: [within] })))).toMatchInlineSnapshot(`
      "
      warning[measures-nothing] at deploy: the canary to production measures nothing in its phase 100 %: only the health of the instances can stop it there
        help: Nobody is left there to compare with: measure something against a threshold as well, as in errorRate().below('1%').
      "
    `)
    expect(found(deployed(canary({ steps: [50, 100], background: [within] })))).toContain('its phase 100 %')
  })

  test('not where anything is measured beside them, or requests are asked for', () => {
    const quiet: readonly Strategy[] = [
      canary({ steps: [50, 100], analysis: [within, few] }),
      canary({ steps: [50, 100], analysis: [within], background: [few] }),
      canary({ steps: [50, 100], background: [few] }),
      canary({ steps: [50, 100], analysis: { metrics: [], requests: 100 } }),
      blueGreen({ analysis: [few] }),
    ]
    for (const strategy of quiet) expect(found(deployed(strategy))).toBe('\n\n')
  })
})

describe('comparisons of a thing with itself', () => {
  const source = prometheus('http://127.0.0.1:9090')
  const queue = (query: string) => promql('queue', query, { from: source })
  const conversion = (...more: string[]) => measured('conversion', ['npm', 'run', 'conversion', ...more])

  test('a question that names neither side nor version', () => {
    const own = prometheus('http://127.0.0.1:9090', { queries: { latency: 'slow{job="{component}"}' } })
    expect(
      of(
        queue('max(queue_length{job="{component}"})').within('10%').of('stable'),
        compare(conversion()),
        compare(json('backlog', 'http://127.0.0.1:1/{component}', '/queue')),
        compare(latency('p95', { from: own })),
      ),
    ).toMatchInlineSnapshot(`
      "
      error[compared-with-itself] at metric queue: queue asks the same of both sides: its query names neither {side} nor {version}, so that no difference can ever show
        help: Take a label that tells the sides apart into the query: {job="{component}",version="{version}"}, or side="{side}".
      error[compared-with-itself] at metric conversion: conversion compared asks the same of both sides: its command names neither {side} nor {version}, so that no difference can ever show
        help: Say whose it is in an argument: ['npm', 'run', '--silent', 'conversion', '--', '{side}'].
      error[compared-with-itself] at metric backlog: backlog compared asks the same of both sides: its address names neither {side} nor {version}, so that no difference can ever show
        help: Say whose it is: 'http://…/stats?side={side}'.
      error[compared-with-itself] at metric latency p95: latency p95 compared asks the same of both sides: its query names neither {side} nor {version}, so that no difference can ever show
        help: Take a label that tells the sides apart into the query: {job="{component}",version="{version}"}, or side="{side}".
      "
    `)
  })

  test('one that names them, one that is compared with a number, and what names the side by itself', () => {
    const own = prometheus('http://127.0.0.1:9090', { queries: { latency: 'slow{side="{side}"}' } })
    expect(
      of(
        queue('max(queue_length{version="{version}"})').within('10%').of('stable'),
        queue('max(queue_length)').within('10%').of(50),
        queue('max(queue_length)').below(100),
        compare(conversion('{side}')),
        compare(json('backlog', secret('BACKLOG'), '/queue')),
        compare(latency('p95', { from: own })),
        compare(errorRate({ from: own })),
      ),
    ).toBe('\n\n')
  })
})

test('an experiment whose better side would lose', () => {
  const conversion = measured('conversion', ['npm', 'run', 'conversion', '--', '{side}'])
  const tried = (primary: Metric): string =>
    found(deployed(abTest({ to: { percent: 50 }, for: '1d', primary })))
  expect(tried(compare(conversion))).toMatchInlineSnapshot(`
    "
    error[no-better-side] at metric conversion: conversion decides the experiment, and a difference either way counts as worse: the side that is better would lose
      help: Say which way is worse: compare(…, { worse: 'lower' }).
    "
  `)
  expect(tried(conversion.within('10%').of('stable'))).toContain('no-better-side')
  expect(tried(compare(conversion, { worse: 'lower' }))).toBe('\n\n')
  expect(tried(conversion.within('10%').of(0.2))).toBe('\n\n')
})

test('a bake of nothing', () => {
  const baked = (options: object) =>
    found(release('r', { version: '1.0.0' }).stage('s', s => s.bake('10s', options)))
  expect(baked({ analysis: [few] })).toMatchInlineSnapshot(`
    "
    error[bake-of-nothing] at bake: a bake watches what was deployed before it, and nothing was
      help: Put it after a deployment, or write .wait(…) for a pause.
    "
  `)
  expect(baked({ requests: 10 })).toContain('bake-of-nothing')
  expect(baked({})).toBe('\n\n')
})

describe('weights of a region', () => {
  const asked = { name: 'go on', from: { 'release-manager': 1 } }
  const world = (...weights: readonly number[]) =>
    environment('world', { on: local(), regions: [{ name: 'eu', wave: 1, weights }] })
  const toWorld = (strategy: Strategy, ...weights: readonly number[]) =>
    compileIt(deployed(strategy, world(...weights)), { live: { 'world.eu': old } })
  const inSteps = canary({
    steps: [5, { weight: 25, every: '1h', approval: asked }, 100],
    every: '10m',
    analysis: [few],
  })

  test('take over the times and approvals of the steps that they lead to', () => {
    const paths = (...weights: readonly number[]): readonly string[] =>
      (toWorld(inSteps, ...weights).plan?.nodes ?? []).flatMap(({ key, operation }) =>
        operation.kind === 'analyse'
          ? [`${key.split('/').at(-2)}: ${operation.duration / 60_000} min`]
          : operation.kind === 'approval'
            ? [operation.name]
            : [],
      )
    expect(paths(5, 25, 100)).toEqual(['5: 10 min', '25: 60 min', 'go on (one at 25 %)', '100: 10 min'])
    expect(paths(3, 10, 20, 50, 100)).toEqual([
      '3: 10 min',
      '10: 60 min',
      '20: 60 min',
      'go on (one at 20 %)',
      '50: 10 min',
      '100: 10 min',
    ])
  })

  test('that lead past an approval', () => {
    expect(`\n${tell(toWorld(inSteps, 5, 50, 100).diagnostics)}\n`).toMatchInlineSnapshot(`
      "
      error[approval-lost] at deploy: the canary waits for the approval "go on" at 25 %, and the weights of world.eu lead past it: 5, 50, 100
        help: Give the region the weight 25 as well, so that people are asked there too.
        see environment world: world is defined here
      "
    `)
  })

  test('where no canary goes', () => {
    expect(`\n${tell(toWorld(rolling(), 5, 100).diagnostics)}\n`).toMatchInlineSnapshot(`
      "
      error[weights-without-canary] at deploy: the region "eu" of world has weights, and no canary goes there: rolling
        help: Deploy to it with a canary, whose steps the weights replace, or take the weights out.
        see environment world: world is defined here
      "
    `)
    const other = service('other')
    const to = world(5, 100)
    const mixed = release('r', { version: '1.0.0', components: [one, other] }).stage('s', s =>
      s
        .deploy([one], { to, with: canary({ steps: [25, 100], analysis: [few] }) })
        .deploy([other], { to, with: rolling() }),
    )
    expect(compileIt(mixed, { live: { 'world.eu': { ...old, other: old.one } } }).diagnostics).toEqual([])
  })
})

test('regions', () => {
  const stranger = service('stranger')
  const world = environment('world', {
    on: local(),
    regions: [
      { name: 'eu', wave: 1 },
      { name: 'eu', wave: 0 },
      { name: 'us east', wave: 1.5, components: [stranger] },
      { name: 'asia', wave: 2, weights: [50, 20] },
    ],
  })
  const { diagnostics } = compileIt(deployed(canary({ steps: [100], analysis: [few] }), world), {
    live: Object.fromEntries(['eu', 'us east', 'asia'].map(name => [`world.${name}`, old])),
  })
  expect(`\n${tell(diagnostics)}\n`).toMatchInlineSnapshot(`
    "
    error[duplicate-region] at environment world: world has two regions named "eu"
      help: Give each its own name.
    error[not-a-wave] at environment world: the region "eu" of world is in the wave 0
      help: Waves are counted from 1.
    error[not-a-name] at environment world: the region "us east" of world has no usable name
      help: Letters, digits, '-' and '_', as in 'eu-west-1'.
    error[not-a-wave] at environment world: the region "us east" of world is in the wave 1.5
      help: Waves are counted from 1.
    error[component-not-held] at environment world: the region "us east" names stranger, which the release does not hold
      help: Add stranger to the release's components, or take it out of the region.
    error[deployed-twice] at deploy: one is deployed to world twice in one stage
      help: Take it out of one of the deployments, or move one to a stage of its own.
    error[canary-steps] at deploy: the steps of the canary in world.asia are 50, 20
      help: Weights rise from step to step, and the last one is 100, as in [5, 25, 50, 100].
    "
  `)
})
