import type { IncomingHttpHeaders } from 'node:http'
import { describe, expect, test } from 'vitest'
import { changedRouting, NO_ROUTING } from '../../../runner/adapters/loopback/kept-routing.ts'
import { Witness } from '../../../runner/adapters/platforms/local/gateway/mirror.ts'
import {
  type Decided,
  decideSide,
  isPlain,
  stickyCookie,
} from '../../../runner/adapters/platforms/local/gateway/sides.ts'
import { ALL_STABLE, type Side, type Traffic } from '../../../src/plan/plan.ts'
import type { Route } from '../../../src/run/ports.ts'

interface Input {
  readonly traffic: Partial<Traffic>
  readonly headers?: IncomingHttpHeaders
  /** What is drawn, 0 to 100; left out: nothing may be drawn. */
  readonly draw?: number
  /** Sides without a healthy instance. */
  readonly without?: readonly Side[]
}

const decide = ({ traffic, headers = {}, draw, without = [] }: Input): Decided =>
  decideSide({
    traffic: { ...ALL_STABLE, ...traffic },
    headers,
    has: side => !without.includes(side),
    draw: () => {
      if (draw === undefined) throw new Error('nothing is to be drawn')
      return draw
    },
  })

const check = (input: Input, expected: string): void => {
  const { side, given } = decide(input)
  expect(given ? `${side}, told` : side, JSON.stringify(input)).toBe(expected)
}

describe('a request’s side', () => {
  test('is drawn by the weights', () => {
    const traffic = { canary: 20, baseline: 10 }
    check({ traffic, draw: 0 }, 'canary')
    check({ traffic, draw: 19.99 }, 'canary')
    check({ traffic, draw: 20 }, 'baseline')
    check({ traffic, draw: 29.99 }, 'baseline')
    check({ traffic, draw: 30 }, 'stable')
    check({ traffic: { canary: 100 }, draw: 99.99 }, 'canary')
    check({ traffic: {} }, 'stable')
  })

  test('is the stable one where its own has no healthy instance', () => {
    check({ traffic: { canary: 100 }, draw: 50, without: ['canary'] }, 'stable')
    check({ traffic: { canary: 50, baseline: 50 }, draw: 70, without: ['baseline'] }, 'stable')
    check({ traffic: { canary: 100 }, draw: 50, without: ['canary', 'stable'] }, 'stable')
  })

  test('is the canary for what matches, whatever its weight', () => {
    const match = [
      { kind: 'header', name: 'X-Group', value: 'beta' },
      { kind: 'cookie', name: 'group', value: 'beta' },
    ] as const
    check({ traffic: { match }, headers: { 'x-group': 'beta' } }, 'canary')
    check({ traffic: { match }, headers: { 'x-group': 'Beta' } }, 'stable')
    check({ traffic: { match }, headers: { cookie: 'a=b; group=beta' } }, 'canary')
    check({ traffic: { match }, headers: { cookie: 'group="beta"' } }, 'canary')
    check({ traffic: { match }, headers: { cookie: 'agroup=beta; group=betas' } }, 'stable')
    check({ traffic: { match }, headers: { 'x-group': 'beta' }, without: ['canary'] }, 'stable')
  })

  test('is the one that the caller was given first, as long as that has a share', () => {
    const traffic = { canary: 20, sticky: 'side' }
    check({ traffic, draw: 10 }, 'canary, told')
    check({ traffic, draw: 90 }, 'stable, told')
    check({ traffic, headers: { cookie: 'side=canary' } }, 'canary')
    check({ traffic, headers: { cookie: 'side=stable' } }, 'stable')
    check({ traffic, headers: { cookie: 'side=elsewhere' }, draw: 10 }, 'canary, told')
    check({ traffic: { sticky: 'side' }, headers: { cookie: 'side=canary' } }, 'stable, told')
    check(
      { traffic: { canary: 100, sticky: 'side' }, headers: { cookie: 'side=stable' }, draw: 1 },
      'canary, told',
    )
    // It comes back to its side when that is well again: it is told nothing new.
    check({ traffic, headers: { cookie: 'side=canary' }, without: ['canary'] }, 'stable')
  })

  test('is the one that it carries, where sides are carried', () => {
    const headers = { 'x-release-side': 'canary' }
    check({ traffic: { carried: true }, headers }, 'canary')
    check({ traffic: {}, headers }, 'stable')
    check({ traffic: { carried: true, canary: 100 }, headers: { 'x-release-side': 'stable' } }, 'stable')
    check({ traffic: { carried: true }, headers, without: ['canary'] }, 'stable')
    check({ traffic: { carried: true, canary: 100 }, headers: { 'x-release-side': 'x' }, draw: 1 }, 'canary')
  })

  test('is not looked for where all requests go to the stable side', () => {
    expect(isPlain(ALL_STABLE)).toBe(true)
    const others: readonly Partial<Traffic>[] = [
      { canary: 1 },
      { baseline: 1 },
      { mirror: 1 },
      { sticky: 'a' },
      { carried: true },
      { match: [{ kind: 'cookie', name: 'a', value: 'b' }] },
    ]
    expect(others.filter(each => isPlain({ ...ALL_STABLE, ...each }))).toEqual([])
  })

  test('is told by a cookie of the component’s own path', () => {
    expect(stickyCookie('side', 'a b', 'canary')).toBe('side=canary; Path=/a%20b; HttpOnly; SameSite=Lax')
  })
})

describe('two answers are the same', () => {
  const seen = (status: number, headers: IncomingHttpHeaders, ...chunks: readonly string[]): string => {
    const witness = new Witness()
    witness.start(status, headers)
    for (const chunk of chunks) witness.data(Buffer.from(chunk))
    return witness.fingerprint()
  }
  const json = { 'content-type': 'application/json; charset=utf-8' }

  test('by status, type and content, not by how they came or when', () => {
    expect(seen(200, { ...json, date: 'today' }, '{"a":', '1}')).toBe(seen(200, json, '{"a":1}'))
    expect(seen(200, json, '{"a":1}')).not.toBe(seen(200, json, '{"a":2}'))
    expect(seen(200, json, 'x')).not.toBe(seen(201, json, 'x'))
    expect(seen(200, json, 'x')).not.toBe(seen(200, { 'content-type': 'text/plain' }, 'x'))
    expect(seen(302, { location: '/a' })).not.toBe(seen(302, { location: '/b' }))
  })

  test('by status alone where the content is neither text nor small', () => {
    const image = { 'content-type': 'image/png' }
    expect(seen(200, image, 'x')).toBe(seen(200, image, 'y'))
    const big = 'x'.repeat(200 * 1024)
    expect(seen(200, json, big, big, 'a')).toBe(seen(200, json, big, big, 'b'))
    expect(seen(200, json, big, 'a')).not.toBe(seen(200, json, big, 'b'))
  })
})

describe('a change of routes', () => {
  const route = (instance: string, side: Side, slot: number): Route => ({
    instance,
    side,
    slot,
    version: '1.0.0',
    port: 1,
    health: '/',
  })
  const change = { component: 'shop', fence: 1, add: [], remove: [] }

  test('is made in one, gives the same twice, and orders by place', () => {
    const traffic = { ...ALL_STABLE, canary: 5 }
    const first = { ...change, add: [route('b', 'canary', 0), route('a', 'stable', 0)], traffic }
    const once = changedRouting(NO_ROUTING, first)!
    expect(once.routes.map(({ instance }) => instance)).toEqual(['a', 'b'])
    expect(once.traffic.canary).toBe(5)
    expect(changedRouting(once, first)).toEqual(once)
    const promotion = { ...change, add: [route('b', 'stable', 0)], remove: ['a'], traffic: ALL_STABLE }
    expect(changedRouting(once, promotion)).toEqual({
      fence: 1,
      routes: [route('b', 'stable', 0)],
      traffic: ALL_STABLE,
    })
  })

  test('with an older fence is none', () => {
    expect(changedRouting({ ...NO_ROUTING, fence: 2 }, change)).toBeNull()
  })
})
