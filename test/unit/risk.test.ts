/** What a plan says that it risks where it divides traffic. */
import { describe, expect, test } from 'vitest'
import {
  type Analysis,
  abTest,
  blueGreen,
  canary,
  compare,
  cpu,
  environment,
  errorRate,
  latency,
  local,
  mirror,
  mismatch,
  release,
  rolling,
  type Strategy,
  service,
} from '../../src/index.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { renderText } from '../../src/plan/render/text.ts'
import { type Risk, risksOf } from '../../src/plan/risk.ts'
import { planOf, sha256 } from './compile-rig.ts'

const production = environment('production', { on: local() })
const db = service('db', { critical: true })
const api = service('api', { needs: [db] })
const web = service('web', { needs: [api] })
const old = { version: '1.0.0', digest: sha256('old') }
const live = { production: { db: old, api: old, web: old } }
const few = errorRate({ interval: '10s' }).below('1%')

const deployed = (
  strategy: Strategy,
  order: 'needs' | 'lockstep' = 'needs',
  components = [db, api, web],
): Plan =>
  planOf(
    release('shop', { version: '2.0.0', components: [db, api, web] }).stage('production', s =>
      s.deploy(components, { to: production, with: strategy, order }),
    ),
    { live },
  )

const alone = (strategy: Strategy): Risk => risksOf(deployed(strategy, 'needs', [db]))[0]!
const watched = (analysis: Analysis): Risk => alone(canary({ steps: [50, 100], every: '2m', analysis }))

describe('how much is exposed', () => {
  test.each<[string, Strategy, Partial<Risk>]>([
    [
      'a canary: its last share before all',
      canary({ steps: [5, 25, 100] }),
      { weights: [5, 25, 100], exposed: 0.25 },
    ],
    ['a canary of all at once', canary({ steps: [100] }), { weights: [100], exposed: 1, exposedApart: 1 }],
    ['a switch', blueGreen(), { weights: [100], exposed: 1 }],
    [
      'a switch after a preview',
      blueGreen({ preview: { for: '10s', metrics: [few] } }),
      { weights: [0, 100], exposed: 1 },
    ],
    [
      'a mirror: nothing',
      mirror({ for: '10s', analysis: [mismatch().below('1%')] }),
      { weights: [0], exposed: 0 },
    ],
    [
      'an experiment: its share',
      abTest({ to: { percent: 30 }, for: '1d', primary: few }),
      { weights: [30], exposed: 0.3 },
    ],
    [
      'an experiment by header: nobody who did not ask',
      abTest({ to: { header: 'x-beta', value: 'yes' }, for: '1d', primary: few }),
      { weights: [0], exposed: 0 },
    ],
  ])('%s', (_, strategy, expected) => {
    expect(alone(strategy)).toMatchObject({ name: 'production/db', lockstep: false, hops: 1, ...expected })
  })

  test('along a chain, each component drawing for itself, and in lockstep', () => {
    const strategy = canary({ steps: [10, 100] })
    const [one] = risksOf(deployed(strategy, 'lockstep'))
    expect(one).toMatchObject({
      name: 'production/lockstep',
      components: ['db', 'api', 'web'],
      lockstep: true,
      hops: 3,
    })
    expect(one).toMatchObject({ exposed: 0.1, back: 3 * 60_000 })
    expect(one?.exposedApart).toBeCloseTo(1 - 0.9 ** 3, 10)
    const apart = risksOf(deployed(strategy))
    expect(apart.map(({ name }) => name)).toEqual(['production/db', 'production/api', 'production/web'])
  })

  test('all of a lockstep at once are all, whatever is carried before', () => {
    expect(risksOf(deployed(canary({ steps: [100] }), 'lockstep'))).toMatchObject([
      { weights: [0, 100], exposed: 1, exposedApart: 1 },
    ])
  })

  test('what divides no traffic is not spoken of', () => {
    expect(risksOf(deployed(rolling()))).toEqual([])
  })
})

describe('how soon a breach shows', () => {
  test.each<[string, Analysis, number | null]>([
    ['one measure: its interval', [few], 10_000],
    ['and its delay', [errorRate({ interval: '10s', delay: '30s' }).below('1%')], 40_000],
    [
      'and each failure that is allowed',
      [errorRate({ interval: '10s', failureLimit: 2 }).below('1%')],
      30_000,
    ],
    ['several: any may be the one', [few, latency('p95', { interval: '1m' }).below('1s')], 60_000],
    ['a comparison beside a threshold says nothing of when', [few, compare(latency('p95'))], 10_000],
    ['comparisons alone: at the end of the longest watch', [compare(latency('p95'))], 120_000],
    ['nothing', [], null],
  ])('%s', (_, analysis, expected) => {
    expect(watched(analysis).detected).toBe(expected)
  })

  test('a background that looks more often is the first to see it', () => {
    const strategy = canary({
      steps: [50, 100],
      every: '10m',
      analysis: [few],
      background: [errorRate({ interval: '2s' }).below('1%')],
    })
    expect(alone(strategy).detected).toBe(2000)
  })

  test('a phase that looks less often is the worst that a breach can begin in', () => {
    const steps = [{ weight: 5, every: '1m' }, { weight: 50, every: '30m' }, 100] as const
    const analysis = [errorRate().below('1%')]
    expect(alone(canary({ steps, every: '1m', analysis })).detected).toBe(60_000)
    const background = [errorRate({ interval: '2s' }).below('1%')]
    expect(alone(canary({ steps, every: '1m', analysis, background })).detected).toBe(2000)
  })

  test('one component’s background sees nothing of another', () => {
    const background = [errorRate({ interval: '2s' }).below('1%')]
    const strategy = canary({ steps: [10, 100], every: '2m', analysis: [few], background })
    const plan = deployed(strategy, 'lockstep', [db, api])
    const without = plan.nodes.filter(({ key }) => !key.endsWith('/api/canary/background'))
    expect(risksOf({ ...plan, nodes: without })[0]?.detected).toBe(10_000)
  })
})

test.each<[string, Analysis, number, Risk['certain']]>([
  [
    'the most that any of them asks for',
    [errorRate({ minRequests: 50 }).below('1%'), few],
    101,
    { metric: 'error rate', requests: 390 },
  ],
  [
    'what the analysis asks for counts as well',
    { metrics: [few], requests: 5000 },
    5000,
    { metric: 'error rate', requests: 390 },
  ],
  [
    'the strictest threshold decides',
    [few, errorRate().below('0.1%')],
    101,
    { metric: 'error rate (2)', requests: 3911 },
  ],
  ['what is no share can never be certain', [latency('p95').below('1s')], 0, null],
])('how many requests: %s', (_, analysis, requests, certain) => {
  expect(watched(analysis)).toMatchObject({ requests, certain })
})

describe('what a comparison can find', () => {
  const reachOf = (analysis: Analysis) => watched(analysis).comparisons[0]!
  const by = (interval: '1s' | '10s' | '30s', tolerance: '10%' | '50%' = '10%') =>
    reachOf([compare(latency('p95', { interval }), { tolerance })])

  test('the more points, the more surely; and what it takes', () => {
    expect(by('10s')).toMatchObject({ metric: 'latency p95 compared', tolerance: 0.1, points: 12 })
    expect(by('30s')).toMatchObject({ points: 4, power: 0 })
    expect(by('1s').power).toBeGreaterThan(0.8)
    expect(by('10s').power).toBeLessThan(0.3)
    const { needed } = by('10s')
    expect(needed?.time).toBe(needed!.points * 10_000)
    expect(by('10s', '50%').needed!.points).toBeLessThan(needed!.points / 5)
  })

  test('as many points as it says are needed find it four times in five', () => {
    const { needed } = by('1s')
    const [metric] = [compare(latency('p95', { interval: '1s' }))]
    const lasting = canary({ steps: [50, 100], every: `${needed!.points}s`, analysis: [metric, few] })
    const [risk] = alone(lasting).comparisons
    expect(risk).toMatchObject({ points: needed!.points })
    expect(risk!.power).toBeGreaterThanOrEqual(0.8)
    expect(risk!.power).toBeLessThan(0.82)
  })

  test('in the phase in which it has the fewest points, and where either way is bad with half the doubt', () => {
    const steps = [{ weight: 5, every: '1m' }, { weight: 50, every: '5m' }, 100] as const
    const one = (worse: 'higher' | 'either') =>
      alone(
        canary({
          steps,
          every: '1m',
          analysis: [compare(latency('p95', { interval: '5s' }), { worse }), few],
        }),
      ).comparisons
    expect(one('higher')).toMatchObject([{ points: 12 }])
    expect(one('either')[0]!.needed!.points).toBeGreaterThan(one('higher')[0]!.needed!.points)
  })

  test('no shift at all can be found by no number', () => {
    expect(reachOf([compare(latency('p95'), { tolerance: '0%' })]).needed).toBe(null)
  })
})

describe('in the text of a plan', () => {
  const paragraph = (plan: Plan): string => {
    const text = renderText(plan, { color: false, width: 100 })
    const [, after = ''] = text.split('Traffic is divided')
    return after.split('\n\n')[0]!
  }

  test('a canary', () => {
    expect(
      paragraph(deployed(canary({ steps: [5, 25, 100], every: '2m', analysis: [few] }), 'needs', [db])),
    ).toMatchInlineSnapshot(`
      "
        production/db  5 → 25 → 100 %; at most 25% of the requests before the last step; a breach that can
                       be measured shows within 10s, and all requests are back within 1m more at the
                       worst; a verdict takes 101 requests to the new version, 2,020 requests in all at 5
                       %; to be 98 % certain of error rate it takes 390 requests without an error
      "
    `)
  })
  test('a chain that goes one way', () => {
    expect(
      paragraph(deployed(canary({ steps: [10, 100], every: '2m' }), 'lockstep', [db, api])),
    ).toMatchInlineSnapshot(`
      "
        production/lockstep  2 components together: 10 → 100 %; at most 10% of the requests before the
                             last step, since the side is decided once, at the edge (drawn anew at each of
                             2 hops it would be 19%); nothing is measured: only its health can stop it
      "
    `)
  })
  test('comparisons', () => {
    const analysis = [few, compare(latency('p95')), compare(cpu({ interval: '500ms' }), { tolerance: '30%' })]
    expect(
      paragraph(deployed(canary({ steps: [25, 100], every: '2m', analysis }), 'needs', [db])),
    ).toMatchInlineSnapshot(`
      "
        production/db  25 → 100 %; at most 25% of the requests before the last step; a breach that can be
                       measured shows within 10s, and all requests are back within 1m more at the worst; a
                       verdict takes 101 requests to the new version, 404 requests in all at 25 %; to be
                       98 % certain of error rate it takes 390 requests without an error; latency p95
                       compared: a shift of 10% is found 10 times in 100 by 10 points a side where values
                       spread by 20% of their mean; 80 times in 100 it takes 88 points, which is 17m 36s
                       at one every 12s; cpu compared: a shift of 30% is found nearly always by 240 points
                       a side where values spread by 20% of their mean
      "
    `)
  })
  test('a mirror', () => {
    expect(
      paragraph(deployed(mirror({ for: '10s', analysis: [mismatch().below('1%')] }), 'needs', [db])),
    ).toMatchInlineSnapshot(`
      "
        production/db  nobody is answered by the new version before it is promoted; a breach that can be
                       measured shows within 1s, and all requests are back within 1m more at the worst; to
                       be 98 % certain of mismatch it takes 390 requests without an error
      "
    `)
  })
  test('a switch', () => {
    expect(paragraph(deployed(blueGreen(), 'needs', [db]))).toMatchInlineSnapshot(`
      "
        production/db  100 %; all of the requests at once; nothing is measured: only its health can stop
                       it
      "
    `)
  })

  test('a lockstep as a whole', () => {
    const plan = deployed(
      canary({ steps: [10, 100], every: '2m', analysis: [few, latency('p95').below('500ms')] }),
      'lockstep',
    )
    expect(`\n${renderText(plan, { color: false, width: 110 })}`).toMatchInlineSnapshot(`
      "
      shop 2.0.0
        plan        857a684b, 27 nodes in 1 stage, at most 8 at once
        bundle      bab59f29
        on failure  rollback-all

      What changes
        production/db   1.0.0 (cba06b57)  → 2.0.0 (7bdc25d1)
        production/api  1.0.0 (cba06b57)  → 2.0.0 (14c2529e)
        production/web  1.0.0 (cba06b57)  → 2.0.0 (4b5e57f6)

      production  on failure rollback-all
        1   db/prepare              keep 2.0.0                      5m
            api/prepare             keep 2.0.0                      5m
            web/prepare             keep 2.0.0                      5m
        2   db/canary/carry         requests carry their side       1m +3× ↩
            api/canary/carry        requests carry their side       1m +3× ↩
            web/canary/carry        requests carry their side       1m +3× ↩
        3   db/canary/10/start      start 1 × 2.0.0 as canary       10m ↩      ← api/canary/carry, web/canary/carry
            api/canary/10/start     start 1 × 2.0.0 as canary       10m ↩      ← db/canary/carry, web/canary/carry
            web/canary/10/start     start 1 × 2.0.0 as canary       10m ↩      ← db/canary/carry, api/canary/carry
        4   db/canary/10/shift      10 % of the requests to 2.0.0   1m +3× ↩
              ← api/canary/10/start, web/canary/10/start
        5   api/canary/10/shift     10 % of the requests to 2.0.0   1m +3× ↩   ← db/canary/10/shift
        6   web/canary/10/shift     10 % of the requests to 2.0.0   1m +3× ↩   ← api/canary/10/shift
        7   db/canary/10/analyse    watch 2.0.0 for 2m              8m
              error rate below 1%, latency p95 below 500ms  ← web/canary/10/shift
            api/canary/10/analyse   watch 2.0.0 for 2m              8m
              error rate below 1%, latency p95 below 500ms  ← web/canary/10/shift
            web/canary/10/analyse   watch 2.0.0 for 2m              8m
              error rate below 1%, latency p95 below 500ms
        8   db/canary/100/shift     100 % of the requests to 2.0.0  1m +3× ↩
              ← api/canary/10/analyse, web/canary/10/analyse
        9   api/canary/100/shift    100 % of the requests to 2.0.0  1m +3× ↩   ← db/canary/100/shift
        10  web/canary/100/shift    100 % of the requests to 2.0.0  1m +3× ↩   ← api/canary/100/shift
        11  db/canary/100/analyse   watch 2.0.0 for 2m              8m
              error rate below 1%, latency p95 below 500ms  ← web/canary/100/shift
            api/canary/100/analyse  watch 2.0.0 for 2m              8m
              error rate below 1%, latency p95 below 500ms  ← web/canary/100/shift
            web/canary/100/analyse  watch 2.0.0 for 2m              8m
              error rate below 1%, latency p95 below 500ms
        12  db/canary/promote       2.0.0 takes over                10m +3× ↩
              ← api/canary/100/analyse, web/canary/100/analyse
        13  db/verify               verify 1 × 2.0.0                5m ↩
            api/canary/promote      2.0.0 takes over                10m +3× ↩  ← db/canary/promote
        14  api/verify              verify 1 × 2.0.0                5m ↩
            web/canary/promote      2.0.0 takes over                10m +3× ↩  ← api/canary/promote
        15  web/verify              verify 1 × 2.0.0                5m ↩

        ← needs  +2× further attempts  ↩ a rollback takes it back

      Longest way  1h 13m  by the time limits of one attempt each
        production/db/prepare 5m  → production/db/canary/carry 1m  → production/db/canary/10/start 10m
        → production/db/canary/10/shift 1m  → production/api/canary/10/shift 1m  → production/web/canary/10/shift 1m
        → production/db/canary/10/analyse 8m  → production/db/canary/100/shift 1m  → 4 more
        → production/api/canary/promote 10m  → production/web/canary/promote 10m  → production/web/verify 5m

      Traffic is divided
        production/lockstep  3 components together: 10 → 100 %; at most 10% of the requests before the last step,
                             since the side is decided once, at the edge (drawn anew at each of 3 hops it would be
                             27.1%); a breach that can be measured shows within 12s, and all requests are back
                             within 3m more at the worst; a verdict takes 101 requests to the new version, 1,010
                             requests in all at 10 %; to be 98 % certain of error rate it takes 390 requests without
                             an error
      "
    `)
  })
})
