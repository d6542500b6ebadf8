/** What HAProxy looks up about a component: written, read back, and matched as HAProxy's regular expressions do. */
import { describe, expect, test } from 'vitest'
import {
  belongsTo,
  matchEntries,
  type Rule,
  readMatches,
  readRule,
  stickyEntries,
  writeRule,
} from '../../../runner/adapters/routers/haproxy/rule.ts'
import { ALL_STABLE, type Traffic, type TrafficMatch } from '../../../src/plan/plan.ts'

const rule = (traffic: Partial<Traffic>, generation = 3): Rule => ({
  fence: 7,
  page: 'b',
  generation,
  traffic: { ...ALL_STABLE, ...traffic },
})

describe('a rule', () => {
  const check = (traffic: Partial<Traffic>, expected: string): void => {
    const written = writeRule(rule(traffic))
    expect(written).toBe(expected)
    expect(readRule(written)).toEqual(rule({ ...traffic, match: [] }))
  }

  test('is one value, and is read back', () => {
    check({}, '7|b|3|0|0|0|0|')
    check({ canary: 5 }, '7|b|3|50000|50000|0|0|')
    check({ canary: 0.25, baseline: 33.3 }, '7|b|3|2500|335500|0|0|')
    check({ canary: 100, carried: true }, '7|b|3|1000000|1000000|1|0|')
    check({ sticky: 'a|b' }, '7|b|3|0|0|0|1|a|b')
    check({ match: [{ kind: 'header', name: 'x', value: 'y' }] }, '7|b|3|0|0|0|1|')
  })

  test('that is none of ours is not read', () => {
    expect(readRule('')).toBe(null)
    expect(readRule('7|c|3|0|0|0|0|')).toBe(null)
    expect(readRule('7|a|3')).toBe(null)
  })
})

/** As the edge puts it together: the component, the generation, and all headers of a request. */
const headOf = (of: string, headers: readonly string[]): string =>
  `${of}|${[...headers, ''].map(line => `${line}\r\n`).join('')}`

describe('matches', () => {
  const check = (match: TrafficMatch, headers: readonly string[], expected: boolean, of = 'api:3'): void => {
    const [entry] = matchEntries({ component: 'api', rule: rule({ match: [match] }) })
    expect(new RegExp(entry!.key).test(headOf(of, headers)), `${entry!.key} ${headers.join()}`).toBe(expected)
    // None of what the runtime API or a map's file would take for something else.
    expect(entry!.key).not.toMatch(/[ ;#'<]/)
  }
  const header = (name: string, value: string): TrafficMatch => ({ kind: 'header', name, value })
  const cookie = (name: string, value: string): TrafficMatch => ({ kind: 'cookie', name, value })

  test('a header has that name, whatever its case, and exactly that value', () => {
    check(header('X-Group', 'Beta'), ['host: a', 'x-group: Beta'], true)
    check(header('X-Group', 'Beta'), ['x-group: Beta', 'host: a'], true)
    check(header('X-Group', 'Beta'), ['x-group: beta'], false)
    check(header('X-Group', 'Beta'), ['x-group: Betas'], false)
    check(header('X-Group', 'Beta'), ['xx-group: Beta'], false)
    check(header('X-Group', 'Beta'), ['other: x-group: Beta'], false)
    check(header('x', 'a.*; "b" \\ $'), ['x: a.*; "b" \\ $'], true)
    check(header('x', 'a.*'), ['x: abc'], false)
  })

  test('a cookie is one among others, and the first of its name', () => {
    check(cookie('group', 'beta'), ['cookie: group=beta'], true)
    check(cookie('group', 'beta'), ['cookie: a=b; group=beta; c=d'], true)
    check(cookie('group', 'beta'), ['cookie: a=b;group="beta"'], true)
    check(cookie('group', 'beta'), ['cookie: group=betas'], false)
    check(cookie('group', 'beta'), ['cookie: xgroup=beta'], false)
    check(cookie('group', 'beta'), ['cookie: group=alpha; group=beta'], false)
    check(cookie('group', 'beta'), ['x-cookie: group=beta'], false)
  })

  test('those of another component or generation are not looked at', () => {
    check(header('x', 'y'), ['x: y'], false, 'api:2')
    check(header('x', 'y'), ['x: y'], false, 'api:33')
    check(header('x', 'y'), ['x: y'], false, 'my-api:3')
  })

  test('are read back in their order, those that HAProxy carries out', () => {
    const match = [header('x', 'y'), cookie('c', 'ü 1'), header('z', '')]
    const entries = matchEntries({ component: 'api', rule: rule({ match }) })
    expect(readMatches(entries.toReversed(), 'api', 3)).toEqual(match)
    expect(readMatches(entries, 'api', 2)).toEqual([])
    expect(readMatches([{ ...entries[0]!, value: entries[1]!.value }], 'api', 3)).toEqual([])
    expect(entries.every(entry => belongsTo(entry, 'api'))).toBe(true)
    expect(entries.some(entry => belongsTo(entry, 'ap'))).toBe(false)
  })
})

describe('the side that a caller was given', () => {
  const check = (traffic: Partial<Traffic>, line: string, expected: string | null): void => {
    const [entry] = stickyEntries({ component: 'api', rule: rule({ sticky: 'side', ...traffic }) })
    expect(new RegExp(entry!.key).exec(headOf('api:3', [line]))?.[1] ?? null).toBe(expected)
  }

  test('is found where it still has a share', () => {
    check({ canary: 50 }, 'cookie: side=canary', 'canary')
    check({ canary: 50 }, 'cookie: a=1; side=stable; b=2', 'stable')
    check({ canary: 50 }, 'cookie: side=baseline', null)
    check({ canary: 50 }, 'cookie: side=canaryx', null)
    check({ canary: 0 }, 'cookie: side=canary', null)
    check({ canary: 100 }, 'cookie: side=stable', null)
  })

  test('is not looked for where nobody is to stay', () => {
    expect(stickyEntries({ component: 'api', rule: rule({}) })).toEqual([])
  })
})
