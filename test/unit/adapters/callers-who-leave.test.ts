/** What routers count of callers who leave without an answer. */
import { describe, expect, test } from 'vitest'
import { CALLER_LEFT, CALLER_WAITS_MS } from '../../../runner/adapters/loopback/patience.ts'
import {
  type Answer,
  type Labels,
  Metrics,
} from '../../../runner/adapters/platforms/local/gateway/metrics.ts'
import { setEntries } from '../../../runner/adapters/routers/haproxy/config.ts'
import { LONGEST_SET_KEY, readSetKey, setKey } from '../../../runner/adapters/routers/haproxy/files.ts'
import { readLeft } from '../../../runner/adapters/routers/haproxy/workers.ts'
import type { Side } from '../../../src/plan/plan.ts'
import type { Route } from '../../../src/run/ports.ts'

const LONG = CALLER_WAITS_MS / 1000

describe('by the gateway', () => {
  const labels: Labels = { component: 'api', side: 'canary', version: '2.0.0', slot: '0' }
  const check = (answer: Answer, expected: { errors: number; unanswered: number }): void => {
    const metrics = new Metrics()
    metrics.answered(labels, answer)
    const [counted] = metrics.counters('api')
    expect(counted).toMatchObject({ requests: 1, seconds: answer.seconds, ...expected })
    expect(counted!.buckets!.at(-1)!.count).toBe(1)
  }

  test('one who leaves at once is a request, and one who has waited is an error too', () => {
    check({ code: CALLER_LEFT, seconds: 0, by: 'caller' }, { errors: 0, unanswered: 0 })
    check({ code: CALLER_LEFT, seconds: LONG - 0.001, by: 'caller' }, { errors: 0, unanswered: 0 })
    check({ code: CALLER_LEFT, seconds: LONG, by: 'caller' }, { errors: 1, unanswered: 1 })
    check({ code: CALLER_LEFT, seconds: 5, by: 'caller' }, { errors: 1, unanswered: 1 })
  })

  test('an instance that answers with that code itself has answered', () => {
    check({ code: CALLER_LEFT, seconds: 5, by: 'instance' }, { errors: 0, unanswered: 0 })
  })
})

describe('by HAProxy', () => {
  const route = (side: Side, slot: number, version: string): Route => ({
    instance: `i-${side}-${slot}`,
    side,
    slot,
    version,
    port: 1,
    health: '/',
  })

  test('are counted under a version where a side has one', () => {
    const routes = [
      route('stable', 0, '1.0.0'),
      route('stable', 1, '1.1.0'),
      route('canary', 0, '2.0.0'),
      route('canary', 1, '2.0.0'),
    ]
    expect(setEntries({ component: 'api', page: 'b', routes })).toEqual([
      { key: 'api.b.stable', value: 'api|stable|' },
      { key: 'api.b.stable/', value: 'i-stable-0' },
      { key: 'api.b.canary', value: 'api|canary|2.0.0' },
      { key: 'api.b.canary/', value: 'i-canary-0' },
    ])
  })

  test('and read back, whatever is in the version', () => {
    for (const version of ['1.0.0-rc.1+b', 'a b|c=d', ''])
      expect(readSetKey(setKey({ component: 'api', side: 'canary', version }))).toEqual({
        component: 'api',
        side: 'canary',
        version,
      })
    expect(readSetKey('api|nowhere|1')).toBe(null)
    expect(readSetKey(`api|canary|${'%20'.repeat(LONGEST_SET_KEY)}`.slice(0, LONGEST_SET_KEY))).toBe(null)
  })

  test('from the table that HAProxy prints', () => {
    const printed = [
      '# table: left, type: string, size:102400, used:2',
      '0x56318ec72188: key=api|canary|2.0.0 use=0 exp=0 gpc0=7 gpc1=3',
      '0x56318ec72199: key=api|stable| use=1 exp=0 gpc0=1 gpc1=0',
    ].join('\n')
    const row = { component: 'api', instance: '', current: 0 }
    expect(readLeft(printed)).toEqual([
      {
        ...row,
        name: 'left api|canary|2.0.0',
        side: 'canary',
        version: '2.0.0',
        requests: 7,
        errors: 3,
        unanswered: 3,
      },
      {
        ...row,
        name: 'left api|stable|',
        side: 'stable',
        version: '',
        requests: 1,
        errors: 0,
        unanswered: 0,
      },
    ])
    expect(readLeft('No such table')).toEqual([])
  })
})
