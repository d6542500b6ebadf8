/** What strategies that divide traffic become: nodes, the edges between them, and how each is undone. */
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
  json,
  latency,
  local,
  type Metric,
  measured,
  mirror,
  mismatch,
  type RegionBake,
  release,
  rolling,
  type Strategy,
  secret,
  service,
} from '../../src/index.ts'
import { judgeValue, type WithinCondition } from '../../src/judge/condition.ts'
import type { LiveFact, Plan, PlanExpectation } from '../../src/plan/plan.ts'
import { compileIt, outline, planOf, sha256, tell } from './compile-rig.ts'

const production = environment('production', { on: local() })
const OLD: LiveFact = { version: '1.0.0', digest: sha256('old') }
const one = service('one')
const few = errorRate().below('1%')
const watched = { every: '10s', analysis: [few] } as const

const liveOf = (...names: readonly string[]) => ({
  production: Object.fromEntries(names.map(name => [name, OLD])),
})

const alone = (strategy: Strategy, component = one): Plan =>
  planOf(
    release('r', { version: '2.0.0', components: [component] }).stage('production', s =>
      s.deploy([component], { to: production, with: strategy }),
    ),
    { live: liveOf(component.name) },
  )

const operationOf = (plan: Plan, key: string) => plan.nodes.find(node => node.key === key)?.operation
const trafficOf = (plan: Plan) =>
  plan.nodes.flatMap(({ key, operation }) =>
    operation.kind === 'shift' ? [{ key, traffic: operation.traffic }] : [],
  )

describe('a canary', () => {
  test('alone: each step starts what it needs, shifts, and watches', () => {
    const plan = alone(canary({ ...watched, steps: [10, 50, 100] }), service('one', { instances: 4 }))
    expect(outline(plan)).toMatchInlineSnapshot(`
      "
      production/one/prepare (prepare)
      production/one/canary/10/start (start, undo: remove)
        needs production/one/prepare
      production/one/canary/10/shift (shift, undo: traffic)
        needs production/one/canary/10/start
      production/one/canary/10/analyse (analyse)
        needs production/one/canary/10/shift
      production/one/canary/50/start (start, undo: remove)
        needs production/one/canary/10/analyse
      production/one/canary/50/shift (shift, undo: traffic)
        needs production/one/canary/50/start
      production/one/canary/50/analyse (analyse)
        needs production/one/canary/50/shift
      production/one/canary/100/start (start, undo: remove)
        needs production/one/canary/50/analyse
      production/one/canary/100/shift (shift, undo: traffic)
        needs production/one/canary/100/start
      production/one/canary/100/analyse (analyse)
        needs production/one/canary/100/shift
      production/one/canary/promote (promote, undo: restore)
        needs production/one/canary/100/analyse
      production/one/verify (verify, undo: restore)
        needs production/one/canary/promote
      "
    `)
    const started = plan.nodes.flatMap(({ operation }) =>
      operation.kind === 'start' ? [[operation.from, operation.to]] : [],
    )
    expect(started).toEqual([
      [0, 1],
      [1, 2],
      [2, 4],
    ])
  })

  test('a step without anything to measure is a wait; one without time is nothing', () => {
    expect(
      outline(
        alone(
          canary({
            steps: [
              { weight: 20, every: '0s' },
              { weight: 100, every: '5s' },
            ],
          }),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      production/one/prepare (prepare)
      production/one/canary/20/start (start, undo: remove)
        needs production/one/prepare
      production/one/canary/20/shift (shift, undo: traffic)
        needs production/one/canary/20/start
      production/one/canary/100/shift (shift, undo: traffic)
        needs production/one/canary/20/shift
      production/one/canary/100/wait (wait)
        needs production/one/canary/100/shift
      production/one/canary/promote (promote, undo: restore)
        needs production/one/canary/100/wait
      production/one/verify (verify, undo: restore)
        needs production/one/canary/promote
      "
    `)
  })

  test('steps may say their own time, and people let it go on', () => {
    const plan = alone(
      canary({
        ...watched,
        steps: [
          { weight: 5, every: '1m', approval: { name: 'looks well', from: { ops: 1 } } },
          { weight: 100 },
        ],
      }),
    )
    expect(outline(plan)).toMatchInlineSnapshot(`
      "
      production/one/prepare (prepare)
      production/one/canary/5/start (start, undo: remove)
        needs production/one/prepare
      production/one/canary/5/shift (shift, undo: traffic)
        needs production/one/canary/5/start
      production/one/canary/5/analyse (analyse)
        needs production/one/canary/5/shift
      production/one/canary/5/looks well (approval)
        needs production/one/canary/5/analyse
      production/one/canary/100/shift (shift, undo: traffic)
        needs production/one/canary/5/looks well
      production/one/canary/100/analyse (analyse)
        needs production/one/canary/100/shift
      production/one/canary/promote (promote, undo: restore)
        needs production/one/canary/100/analyse
      production/one/verify (verify, undo: restore)
        needs production/one/canary/promote
      "
    `)
    expect(operationOf(plan, 'production/one/canary/5/looks well')).toMatchObject({
      name: 'looks well (one at 5 %)',
      expires: null,
    })
    expect(operationOf(plan, 'production/one/canary/5/analyse')).toMatchObject({ duration: 60_000 })
    expect(operationOf(plan, 'production/one/canary/100/analyse')).toMatchObject({ duration: 10_000 })
  })

  test('with a baseline: as many old instances, up to half of the requests, ended before the promotion', () => {
    const plan = alone(
      canary({
        steps: [25, 60, 100],
        every: '10s',
        baseline: true,
        analysis: [few, compare(latency('p95'), { with: 'baseline' })],
      }),
    )
    expect(outline(plan)).toMatchInlineSnapshot(`
      "
      production/one/prepare (prepare)
      production/one/canary/25/start (start, undo: remove)
        needs production/one/prepare
      production/one/canary/25/baseline (start, undo: remove)
        needs production/one/prepare
      production/one/canary/25/shift (shift, undo: traffic)
        needs production/one/canary/25/start, production/one/canary/25/baseline
      production/one/canary/25/analyse (analyse)
        needs production/one/canary/25/shift
      production/one/canary/60/shift (shift, undo: traffic)
        needs production/one/canary/25/analyse
      production/one/canary/60/analyse (analyse)
        needs production/one/canary/60/shift
      production/one/canary/100/shift (shift, undo: traffic)
        needs production/one/canary/60/analyse
      production/one/canary/100/analyse (analyse)
        needs production/one/canary/100/shift
      production/one/canary/remove-baseline (remove)
        needs production/one/canary/100/analyse
      production/one/canary/promote (promote, undo: restore)
        needs production/one/canary/remove-baseline
      production/one/verify (verify, undo: restore)
        needs production/one/canary/promote
      "
    `)
    expect(trafficOf(plan).map(({ traffic }) => [traffic.canary, traffic.baseline])).toEqual([
      [25, 25],
      [60, 0],
      [100, 0],
    ])
    const compared = plan.nodes.flatMap(({ key, operation }) =>
      operation.kind === 'analyse' ? [[key, operation.metrics.map(metric => metric.name).join(', ')]] : [],
    )
    expect(compared).toEqual([
      ['production/one/canary/25/analyse', 'error rate, latency p95 compared'],
      ['production/one/canary/60/analyse', 'error rate'],
      ['production/one/canary/100/analyse', 'error rate'],
    ])
  })

  test('with a background: watched from the first shift to the end of the last step', () => {
    const plan = alone(canary({ ...watched, steps: [50, 100], background: [latency('p95').below('500ms')] }))
    expect(outline(plan)).toMatchInlineSnapshot(`
      "
      production/one/prepare (prepare)
      production/one/canary/50/start (start, undo: remove)
        needs production/one/prepare
      production/one/canary/50/shift (shift, undo: traffic)
        needs production/one/canary/50/start
      production/one/canary/50/analyse (analyse)
        needs production/one/canary/50/shift
      production/one/canary/100/shift (shift, undo: traffic)
        needs production/one/canary/50/analyse
      production/one/canary/100/analyse (analyse)
        needs production/one/canary/100/shift
      production/one/canary/background (analyse)
        needs production/one/canary/50/shift
      production/one/canary/promote (promote, undo: restore)
        needs production/one/canary/100/analyse, production/one/canary/background
      production/one/verify (verify, undo: restore)
        needs production/one/canary/promote
      "
    `)
    expect(operationOf(plan, 'production/one/canary/background')).toMatchObject({
      until: 'production/one/canary/100/analyse',
      duration: 20_000,
    })
  })

  test('beside nobody: what compares with the stable side is left out of the last step', () => {
    const plan = alone(canary({ steps: [50, 100], every: '10s', analysis: [compare(latency('p95')), few] }))
    expect(operationOf(plan, 'production/one/canary/50/analyse')).toMatchObject({
      metrics: [{ name: 'latency p95 compared' }, { name: 'error rate' }],
    })
    expect(operationOf(plan, 'production/one/canary/100/analyse')).toMatchObject({
      metrics: [{ name: 'error rate' }],
    })
  })

  test('its analysis, as it stands in the plan', () => {
    expect(
      operationOf(alone(canary({ ...watched, steps: [100] })), 'production/one/canary/100/analyse'),
    ).toMatchInlineSnapshot(`
        {
          "decides": null,
          "duration": 10000,
          "kind": "analyse",
          "metrics": [
            {
              "consecutiveErrorLimit": 4,
              "delay": 0,
              "expected": {
                "condition": {
                  "kind": "below",
                  "threshold": 0.01,
                },
                "kind": "condition",
              },
              "failureLimit": 0,
              "interval": 1000,
              "measure": {
                "kind": "error-rate",
              },
              "minRequests": 101,
              "name": "error rate",
              "noData": "hold",
              "provider": {
                "kind": "router",
              },
              "unit": "ratio",
            },
          ],
          "patience": 300000,
          "requests": 0,
          "targets": [
            {
              "component": "one",
              "environment": "production",
              "side": "canary",
              "version": "2.0.0",
            },
          ],
          "until": null,
        }
      `)
  })
})

describe('what has no traffic to divide is brought up batch by batch', () => {
  const same = { version: '2.0.0', digest: sha256('one') }
  test.each<[string, LiveFact | null]>([
    ['a first deployment', null],
    ['the very same version', same],
  ])('%s', (_, live) => {
    for (const strategy of [canary(watched), blueGreen(), mirror({ for: '10s', analysis: [few] })]) {
      const plan = planOf(
        release('r', { version: '2.0.0', components: [one] }).stage('production', s =>
          s.deploy([one], { to: production, with: strategy }),
        ),
        { live: { production: { one: live } } },
      )
      expect(plan.nodes.map(({ key }) => key)).toEqual([
        'production/one/prepare',
        'production/one/rolling/1',
        'production/one/verify',
      ])
    }
  })

  test('the same version from other files is another', () => {
    const plan = planOf(
      release('r', { version: '2.0.0', components: [one] }).stage('production', s =>
        s.deploy([one], { to: production, with: canary(watched) }),
      ),
      { live: { production: { one: { ...same, digest: sha256('edited') } } } },
    )
    expect(plan.nodes.map(({ key }) => key)).toContain('production/one/canary/5/shift')
  })
})

describe('in lockstep', () => {
  const db = service('db')
  const api = service('api', { needs: [db] })
  const web = service('web', { needs: [api, db] })
  const together = (strategy: Strategy, live: readonly string[] = ['db', 'api', 'web']): Plan =>
    planOf(
      release('r', { version: '2.0.0', components: [web, api, db] }).stage('production', s =>
        s.deploy([web, api, db], { to: production, with: strategy, order: 'lockstep' }),
      ),
      { live: { production: { db: null, api: null, web: null, ...liveOf(...live).production } } },
    )

  test('all carry the side first, providers rise first, and nobody goes on before all have passed', () => {
    const plan = together(canary({ ...watched, steps: [10, 100] }))
    expect(outline(plan)).toMatchInlineSnapshot(`
      "
      production/db/prepare (prepare)
      production/api/prepare (prepare)
      production/web/prepare (prepare)
      production/db/canary/carry (shift, undo: traffic)
        needs production/db/prepare
      production/api/canary/carry (shift, undo: traffic)
        needs production/api/prepare
      production/web/canary/carry (shift, undo: traffic)
        needs production/web/prepare
      production/lockstep/carried (join)
        needs production/db/canary/carry, production/api/canary/carry, production/web/canary/carry
      production/db/canary/10/start (start, undo: remove)
        needs production/lockstep/carried
      production/api/canary/10/start (start, undo: remove)
        needs production/lockstep/carried
      production/web/canary/10/start (start, undo: remove)
        needs production/lockstep/carried
      production/lockstep/10/ready (join)
        needs production/db/canary/10/start, production/api/canary/10/start, production/web/canary/10/start
      production/db/canary/10/shift (shift, undo: traffic)
        needs production/lockstep/10/ready
      production/api/canary/10/shift (shift, undo: traffic)
        needs production/lockstep/10/ready, production/db/canary/10/shift
      production/web/canary/10/shift (shift, undo: traffic)
        needs production/lockstep/10/ready, production/api/canary/10/shift, production/db/canary/10/shift
      production/lockstep/10/shifted (join)
        needs production/db/canary/10/shift, production/api/canary/10/shift, production/web/canary/10/shift
      production/db/canary/10/analyse (analyse)
        needs production/lockstep/10/shifted
      production/api/canary/10/analyse (analyse)
        needs production/lockstep/10/shifted
      production/web/canary/10/analyse (analyse)
        needs production/lockstep/10/shifted
      production/lockstep/10/passed (join)
        needs production/db/canary/10/analyse, production/api/canary/10/analyse, production/web/canary/10/analyse
      production/db/canary/100/shift (shift, undo: traffic)
        needs production/lockstep/10/passed
      production/api/canary/100/shift (shift, undo: traffic)
        needs production/lockstep/10/passed, production/db/canary/100/shift
      production/web/canary/100/shift (shift, undo: traffic)
        needs production/lockstep/10/passed, production/api/canary/100/shift, production/db/canary/100/shift
      production/lockstep/100/shifted (join)
        needs production/db/canary/100/shift, production/api/canary/100/shift, production/web/canary/100/shift
      production/db/canary/100/analyse (analyse)
        needs production/lockstep/100/shifted
      production/api/canary/100/analyse (analyse)
        needs production/lockstep/100/shifted
      production/web/canary/100/analyse (analyse)
        needs production/lockstep/100/shifted
      production/lockstep/100/passed (join)
        needs production/db/canary/100/analyse, production/api/canary/100/analyse, production/web/canary/100/analyse
      production/db/canary/promote (promote, undo: restore)
        needs production/lockstep/100/passed
      production/db/verify (verify, undo: restore)
        needs production/db/canary/promote
      production/api/canary/promote (promote, undo: restore)
        needs production/lockstep/100/passed, production/db/canary/promote
      production/api/verify (verify, undo: restore)
        needs production/api/canary/promote
      production/web/canary/promote (promote, undo: restore)
        needs production/lockstep/100/passed, production/api/canary/promote, production/db/canary/promote
      production/web/verify (verify, undo: restore)
        needs production/web/canary/promote
      "
    `)
    const own = plan.nodes.filter(({ operation }) => operation.kind !== 'join')
    expect(new Set(own.map(node => node.lockstep))).toEqual(new Set(['production/lockstep']))
    expect(trafficOf(plan).every(({ traffic }) => traffic.carried)).toBe(true)
  })

  test('what is new among them is brought up before the first weight rises', () => {
    expect(outline(together(canary({ ...watched, steps: [100] }), ['db', 'web']))).toMatchInlineSnapshot(`
      "
      production/db/prepare (prepare)
      production/api/prepare (prepare)
      production/web/prepare (prepare)
      production/api/rolling/1 (replace, undo: restore)
        needs production/api/prepare
      production/db/canary/carry (shift, undo: traffic)
        needs production/db/prepare
      production/web/canary/carry (shift, undo: traffic)
        needs production/web/prepare
      production/lockstep/carried (join)
        needs production/db/canary/carry, production/web/canary/carry
      production/db/canary/100/start (start, undo: remove)
        needs production/lockstep/carried, production/api/rolling/1
      production/web/canary/100/start (start, undo: remove)
        needs production/lockstep/carried, production/api/rolling/1
      production/lockstep/100/ready (join)
        needs production/db/canary/100/start, production/web/canary/100/start
      production/db/canary/100/shift (shift, undo: traffic)
        needs production/lockstep/100/ready
      production/web/canary/100/shift (shift, undo: traffic)
        needs production/lockstep/100/ready, production/db/canary/100/shift
      production/lockstep/100/shifted (join)
        needs production/db/canary/100/shift, production/web/canary/100/shift
      production/db/canary/100/analyse (analyse)
        needs production/lockstep/100/shifted
      production/web/canary/100/analyse (analyse)
        needs production/lockstep/100/shifted
      production/lockstep/100/passed (join)
        needs production/db/canary/100/analyse, production/web/canary/100/analyse
      production/db/canary/promote (promote, undo: restore)
        needs production/lockstep/100/passed
      production/db/verify (verify, undo: restore)
        needs production/db/canary/promote
      production/api/verify (verify, undo: restore)
        needs production/api/rolling/1
      production/web/canary/promote (promote, undo: restore)
        needs production/lockstep/100/passed, production/api/rolling/1, production/db/canary/promote
      production/web/verify (verify, undo: restore)
        needs production/web/canary/promote
      "
    `)
  })

  test('an approval stands for all of them', () => {
    const plan = together(
      canary({
        ...watched,
        steps: [{ weight: 50, approval: { name: 'go on', from: { ops: 1 } } }, 100],
      }),
    )
    expect(plan.nodes.find(({ key }) => key === 'production/lockstep/50/go on')).toMatchObject({
      needs: ['production/lockstep/50/passed'],
      lockstep: 'production/lockstep',
      operation: { name: 'go on (50 %)' },
    })
  })

  test('where nothing is live yet, in the order of needs', () => {
    const plan = together(canary(watched), [])
    expect(plan.nodes.some(node => node.lockstep !== undefined)).toBe(false)
    expect(plan.nodes.map(({ operation }) => operation.kind)).not.toContain('shift')
  })
})

describe('blue and green', () => {
  test('all requests at once, and the old side kept for a while', () => {
    expect(outline(alone(blueGreen({ keepOld: '1m' })))).toMatchInlineSnapshot(`
      "
      production/one/prepare (prepare)
      production/one/blue-green/switch/start (start, undo: remove)
        needs production/one/prepare
      production/one/blue-green/switch/shift (shift, undo: traffic)
        needs production/one/blue-green/switch/start
      production/one/blue-green/switch/wait (wait)
        needs production/one/blue-green/switch/shift
      production/one/blue-green/promote (promote, undo: restore)
        needs production/one/blue-green/switch/wait
      production/one/verify (verify, undo: restore)
        needs production/one/blue-green/promote
      "
    `)
  })

  test('with a preview, for who asks for it', () => {
    const plan = alone(
      blueGreen({ preview: { for: '30s', metrics: [few] }, analysis: [few], keepOld: '1m' }),
      service('one', { instances: 3 }),
    )
    expect(outline(plan)).toMatchInlineSnapshot(`
      "
      production/one/prepare (prepare)
      production/one/blue-green/preview/start (start, undo: remove)
        needs production/one/prepare
      production/one/blue-green/preview/shift (shift, undo: traffic)
        needs production/one/blue-green/preview/start
      production/one/blue-green/preview/analyse (analyse)
        needs production/one/blue-green/preview/shift
      production/one/blue-green/switch/shift (shift, undo: traffic)
        needs production/one/blue-green/preview/analyse
      production/one/blue-green/switch/analyse (analyse)
        needs production/one/blue-green/switch/shift
      production/one/blue-green/promote (promote, undo: restore)
        needs production/one/blue-green/switch/analyse
      production/one/verify (verify, undo: restore)
        needs production/one/blue-green/promote
      "
    `)
    expect(trafficOf(plan)).toMatchInlineSnapshot(`
      [
        {
          "key": "production/one/blue-green/preview/shift",
          "traffic": {
            "baseline": 0,
            "canary": 0,
            "carried": false,
            "match": [
              {
                "kind": "header",
                "name": "x-release-side",
                "value": "canary",
              },
            ],
            "mirror": 0,
            "sticky": null,
          },
        },
        {
          "key": "production/one/blue-green/switch/shift",
          "traffic": {
            "baseline": 0,
            "canary": 100,
            "carried": false,
            "match": [],
            "mirror": 0,
            "sticky": null,
          },
        },
      ]
    `)
  })
})

describe('an experiment', () => {
  const conversion = measured('conversion', ['node', 'conversion.js', '{side}']).atLeast(0.02)
  const tried = (to: Parameters<typeof abTest>[0]['to'], instances = 4): Plan =>
    alone(abTest({ to, for: '7d', primary: conversion, analysis: [few] }), service('one', { instances }))

  test('a share of the callers: the primary measure decides, and the promotion waits for it', () => {
    const plan = tried({ percent: 25 })
    expect(outline(plan)).toMatchInlineSnapshot(`
      "
      production/one/prepare (prepare)
      production/one/ab-test/experiment/start (start, undo: remove)
        needs production/one/prepare
      production/one/ab-test/experiment/shift (shift, undo: traffic)
        needs production/one/ab-test/experiment/start
      production/one/ab-test/experiment/analyse (analyse)
        needs production/one/ab-test/experiment/shift
      production/one/ab-test/promote (promote, undo: restore)
        needs production/one/ab-test/experiment/analyse
      production/one/verify (verify, undo: restore)
        needs production/one/ab-test/promote
      "
    `)
    expect(operationOf(plan, 'production/one/ab-test/experiment/analyse')).toMatchObject({
      decides: 'conversion',
      metrics: [{ name: 'error rate' }, { name: 'conversion' }],
    })
    expect(operationOf(plan, 'production/one/ab-test/promote')).toMatchObject({
      decidedBy: 'production/one/ab-test/experiment/analyse',
    })
  })

  test.each<[string, Parameters<typeof abTest>[0]['to'], object, [number, number]]>([
    ['percent', { percent: 25 }, { canary: 25, sticky: 'x-release-side', match: [] }, [0, 1]],
    [
      'header',
      { header: 'x-beta', value: 'yes' },
      { canary: 0, sticky: null, match: [{ kind: 'header', name: 'x-beta', value: 'yes' }] },
      [0, 4],
    ],
    [
      'cookie',
      { cookie: 'group', value: 'b' },
      { canary: 0, sticky: null, match: [{ kind: 'cookie', name: 'group', value: 'b' }] },
      [0, 4],
    ],
  ])('by %s: who gets it, and on how many instances', (_, to, traffic, [from, until]) => {
    const plan = tried(to)
    expect(operationOf(plan, 'production/one/ab-test/experiment/shift')).toMatchObject({ traffic })
    expect(operationOf(plan, 'production/one/ab-test/experiment/start')).toMatchObject({ from, to: until })
  })
})

test('a mirror copies requests and answers nobody', () => {
  const plan = alone(mirror({ for: '1h', percent: 10, analysis: [mismatch().below('0.1%')] }))
  expect(outline(plan)).toMatchInlineSnapshot(`
    "
    production/one/prepare (prepare)
    production/one/mirror/mirror/start (start, undo: remove)
      needs production/one/prepare
    production/one/mirror/mirror/shift (shift, undo: traffic)
      needs production/one/mirror/mirror/start
    production/one/mirror/mirror/analyse (analyse)
      needs production/one/mirror/mirror/shift
    production/one/mirror/promote (promote, undo: restore)
      needs production/one/mirror/mirror/analyse
    production/one/verify (verify, undo: restore)
      needs production/one/mirror/promote
    "
  `)
  expect(trafficOf(plan)).toMatchObject([{ traffic: { canary: 0, mirror: 10, match: [] } }])
})

test.each<[string, Metric, number]>([
  ['below 1 %: one of a hundred is not', errorRate().below('1%'), 101],
  ['at most 1 %: one of a hundred is', errorRate().atMost('1%'), 100],
  ['below 5 %', errorRate().below('5%'), 21],
  ['at most 3 %', errorRate().atMost('3%'), 34],
  ['above 99 %', availability().above('99%'), 101],
  ['at least 99 %', availability().atLeast('99%'), 100],
  ['at least 90 %', availability().atLeast('90%'), 10],
  ['what is stricter waits for no more', errorRate().below('0.1%'), 101],
  ['none at all', errorRate().atMost('0%'), 101],
  ['what is no share', latency('p95').below('1s'), 0],
])('one bad answer alone never decides: %s', (_, metric, wanted) => {
  const plan = alone(canary({ steps: [100], every: '1m', analysis: [metric] }))
  const watched = operationOf(plan, 'production/one/canary/100/analyse')
  const [lowered] = watched?.kind === 'analyse' ? watched.metrics : []
  expect(lowered?.minRequests).toBe(wanted)
})

describe('differences that are never a breach', () => {
  const loweredOf = (metric: Metric) => {
    const plan = alone(canary({ steps: [50, 100], every: '1m', analysis: [metric, few] }))
    const watched = operationOf(plan, 'production/one/canary/50/analyse')
    return (watched?.kind === 'analyse' ? watched.metrics : [])[0]!
  }

  test.each<[string, Metric, number | undefined, number]>([
    ['a share beside the stable side', errorRate().within('10%').of('stable'), 0.005, 200],
    ['as it is written', errorRate().within('10%', { floor: '2%' }).of('stable'), 0.02, 50],
    ['a stricter one', errorRate().within('10%', { floor: '0.1%' }).of('stable'), 0.001, 200],
    ['a share beside a number', errorRate().within('10%').of(0.05), undefined, 19],
    ['one that ought to be high', availability().within('1%').of('stable'), 0.005, 100],
    ['a time', latency('p95').within('10%').of('stable'), undefined, 0],
    ['a time with one', latency('p95').within('10%', { floor: '20ms' }).of('stable'), 20, 0],
    ['a distribution', compare(errorRate()), undefined, 0],
    ['a distribution with one', compare(errorRate(), { floor: '1%' }), 0.01, 0],
  ])('%s', (_, metric, floor, requests) => {
    const { expected, minRequests } = loweredOf(metric)
    expect((expected.kind === 'condition' ? (expected.condition as WithinCondition) : expected).floor).toBe(
      floor,
    )
    expect(minRequests).toBe(requests)
  })

  test('one error beside a side without any, on so many requests, is met and said', () => {
    const { expected, minRequests, name, unit } = loweredOf(errorRate().within('10%').of('stable'))
    const { condition } = expected as Extract<PlanExpectation, { kind: 'condition' }>
    const judged = (bad: number) => judgeValue({ measure: name, unit, condition }, bad / minRequests, 0)
    expect(judged(1)).toEqual({
      kind: 'met',
      text: 'error rate 0.5% is at most 10% or 0.5 points above the stable version (0%)',
    })
    expect(judged(2).kind).toBe('breached')
  })
})

describe('regions', () => {
  const db = service('db')
  const api = service('api', { needs: [db] })
  const world = environment('world', {
    on: local(),
    regions: [
      { name: 'us', wave: 2, weights: [100] },
      { name: 'eu', wave: 1, weights: [20, 100], bake: '5m' },
      { name: 'asia', wave: 2, components: [db] },
    ],
  })
  const places = ['world.eu', 'world.us', 'world.asia']
  const releasedTo = (to: Environment, strategy: Strategy) =>
    compileIt(
      release('r', { version: '2.0.0', components: [db, api] })
        .stage('world', s => s.deploy([db, api], { to, with: strategy }))
        .stage('after', s => s.gate('seen', () => true)),
      { live: Object.fromEntries(places.map(place => [place, { db: OLD, api: OLD }])) },
    )
  const released = (strategy: Strategy): Plan => releasedTo(world, strategy).plan!

  test('wave after wave, each with its own weights, components and bake', () => {
    const plan = released(canary({ steps: [50, 100], every: '10s', analysis: [few] }))
    expect(outline(plan)).toMatchInlineSnapshot(`
      "
      world/world.eu/db/prepare (prepare)
      world/world.eu/db/canary/20/start (start, undo: remove)
        needs world/world.eu/db/prepare
      world/world.eu/db/canary/20/shift (shift, undo: traffic)
        needs world/world.eu/db/canary/20/start
      world/world.eu/db/canary/20/analyse (analyse)
        needs world/world.eu/db/canary/20/shift
      world/world.eu/db/canary/100/shift (shift, undo: traffic)
        needs world/world.eu/db/canary/20/analyse
      world/world.eu/db/canary/100/analyse (analyse)
        needs world/world.eu/db/canary/100/shift
      world/world.eu/db/canary/promote (promote, undo: restore)
        needs world/world.eu/db/canary/100/analyse
      world/world.eu/db/verify (verify, undo: restore)
        needs world/world.eu/db/canary/promote
      world/world.eu/api/prepare (prepare)
      world/world.eu/api/canary/20/start (start, undo: remove)
        needs world/world.eu/api/prepare, world/world.eu/db/verify
      world/world.eu/api/canary/20/shift (shift, undo: traffic)
        needs world/world.eu/api/canary/20/start
      world/world.eu/api/canary/20/analyse (analyse)
        needs world/world.eu/api/canary/20/shift
      world/world.eu/api/canary/100/shift (shift, undo: traffic)
        needs world/world.eu/api/canary/20/analyse
      world/world.eu/api/canary/100/analyse (analyse)
        needs world/world.eu/api/canary/100/shift
      world/world.eu/api/canary/promote (promote, undo: restore)
        needs world/world.eu/api/canary/100/analyse
      world/world.eu/api/verify (verify, undo: restore)
        needs world/world.eu/api/canary/promote
      world/world.eu/bake (analyse)
        needs world/world.eu/db/verify, world/world.eu/api/verify
      world/world.us/db/prepare (prepare)
        needs world/world.eu/db/verify, world/world.eu/api/verify, world/world.eu/bake
      world/world.us/db/canary/100/start (start, undo: remove)
        needs world/world.us/db/prepare
      world/world.us/db/canary/100/shift (shift, undo: traffic)
        needs world/world.us/db/canary/100/start
      world/world.us/db/canary/100/analyse (analyse)
        needs world/world.us/db/canary/100/shift
      world/world.us/db/canary/promote (promote, undo: restore)
        needs world/world.us/db/canary/100/analyse
      world/world.us/db/verify (verify, undo: restore)
        needs world/world.us/db/canary/promote
      world/world.us/api/prepare (prepare)
        needs world/world.eu/db/verify, world/world.eu/api/verify, world/world.eu/bake
      world/world.us/api/canary/100/start (start, undo: remove)
        needs world/world.us/api/prepare, world/world.us/db/verify
      world/world.us/api/canary/100/shift (shift, undo: traffic)
        needs world/world.us/api/canary/100/start
      world/world.us/api/canary/100/analyse (analyse)
        needs world/world.us/api/canary/100/shift
      world/world.us/api/canary/promote (promote, undo: restore)
        needs world/world.us/api/canary/100/analyse
      world/world.us/api/verify (verify, undo: restore)
        needs world/world.us/api/canary/promote
      world/world.asia/db/prepare (prepare)
        needs world/world.eu/db/verify, world/world.eu/api/verify, world/world.eu/bake
      world/world.asia/db/canary/50/start (start, undo: remove)
        needs world/world.asia/db/prepare
      world/world.asia/db/canary/50/shift (shift, undo: traffic)
        needs world/world.asia/db/canary/50/start
      world/world.asia/db/canary/50/analyse (analyse)
        needs world/world.asia/db/canary/50/shift
      world/world.asia/db/canary/100/shift (shift, undo: traffic)
        needs world/world.asia/db/canary/50/analyse
      world/world.asia/db/canary/100/analyse (analyse)
        needs world/world.asia/db/canary/100/shift
      world/world.asia/db/canary/promote (promote, undo: restore)
        needs world/world.asia/db/canary/100/analyse
      world/world.asia/db/verify (verify, undo: restore)
        needs world/world.asia/db/canary/promote
      after/seen (gate)
        needs world/world.us/db/verify, world/world.us/api/verify, world/world.asia/db/verify
      "
    `)
    expect(plan.environments.map(({ name }) => name)).toMatchInlineSnapshot(`
      [
        "world.eu",
        "world.us",
        "world.asia",
      ]
    `)
    expect(operationOf(plan, 'world/world.eu/bake')).toMatchObject({
      kind: 'analyse',
      duration: 300_000,
      targets: [
        { environment: 'world.eu', component: 'db', side: 'stable', version: '2.0.0' },
        { environment: 'world.eu', component: 'api', side: 'stable', version: '2.0.0' },
      ],
      metrics: [{ name: 'error rate' }],
    })
  })

  const baked = (bake: '5m' | RegionBake, strategy: Strategy) => {
    const to = environment('world', { on: local(), regions: [{ name: 'eu', wave: 1, bake }] })
    const { plan, diagnostics } = releasedTo(to, strategy)
    return { operation: plan === null ? null : operationOf(plan, 'world/world.eu/bake'), diagnostics }
  }

  test('a strategy that measures nothing bakes by waiting, and is told so', () => {
    const { operation, diagnostics } = baked('5m', rolling())
    expect(operation).toEqual({ kind: 'wait', duration: 300_000 })
    expect(`\n${tell(diagnostics)}\n`).toMatchInlineSnapshot(`
      "
      warning[bake-only-waits] at deploy: the region "eu" of world bakes by waiting alone: the strategy rolling measures nothing that could go on after it
        help: Say what has to hold: bake: { for: '1h', analysis: [errorRate().below('1%')] }.
        see environment world: world is defined here
      "
    `)
    const compared = canary({ steps: [50, 100], analysis: [latency('p95').within('10%').of('stable')] })
    expect(baked('5m', compared).operation).toEqual({ kind: 'wait', duration: 300_000 })
    expect(tell(baked('5m', compared).diagnostics)).toContain('bake-only-waits')
  })

  test('a region says itself what it bakes with', () => {
    const own = { for: '5m', requests: 50, analysis: [latency('p95').below('1s')] } as const
    for (const strategy of [rolling(), canary({ steps: [50, 100], analysis: [few] })]) {
      const { operation, diagnostics } = baked(own, strategy)
      expect(operation).toMatchObject({
        kind: 'analyse',
        duration: 300_000,
        requests: 50,
        metrics: [{ name: 'latency p95' }],
      })
      expect(diagnostics).toEqual([])
    }
    const beside = { for: '5m', analysis: [latency('p95').within('10%').of('stable')] } as const
    expect(tell(baked(beside, rolling()).diagnostics)).toContain('error[compared-with-nobody]')
  })

  test('the secrets of what a region bakes with are known to the plan', () => {
    const metric = json('backlog', secret('BACKLOG'), '/length').below(10)
    const to = environment('world', {
      on: local(),
      regions: [
        { name: 'eu', wave: 1, bake: { for: '1m', analysis: { metrics: [metric], patience: '1m' } } },
        { name: 'us', wave: 2, bake: '5m' },
      ],
    })
    const { plan } = releasedTo(to, canary({ steps: [50, 100], analysis: [few] }))
    expect(plan?.secrets).toEqual([{ name: 'BACKLOG', from: 'env', variable: 'BACKLOG' }])
  })
})

describe('a bake', () => {
  const baked = (options: object) =>
    planOf(
      release('r', { version: '2.0.0', components: [one] }).stage('production', s =>
        s.deploy([one], { to: production }).bake('10s', options),
      ),
      { live: liveOf('one') },
    )

  test('of requests alone counts them, whatever they come to', () => {
    const plan = baked({ requests: 500 })
    expect(operationOf(plan, 'production/bake-10s')).toMatchObject({
      requests: 500,
      metrics: [
        {
          name: 'requests',
          measure: { kind: 'throughput' },
          expected: { condition: { kind: 'at-least', threshold: 0 } },
        },
      ],
    })
    expect(plan.nodes.at(-1)).toMatchObject({ after: ['production/one/verify'] })
  })

  test('of metrics and requests wants both', () => {
    expect(operationOf(baked({ requests: 500, analysis: [few] }), 'production/bake-10s')).toMatchObject({
      requests: 500,
      metrics: [{ name: 'error rate' }],
    })
  })
})
