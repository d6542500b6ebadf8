import { expect, test } from 'vitest'
import { validate } from '../../runner/load/validate.ts'
import type { RunEvent } from '../../src/run/events.ts'

const started: RunEvent = { type: 'node-started', at: 1, node: 'a/b', attempt: 1 }
const messages = async (value: unknown): Promise<readonly string[]> =>
  (await validate('event', value)).map(({ code, severity, message }) => `${severity} ${code}: ${message}`)

const CASES: readonly (readonly [name: string, value: unknown, expected: readonly string[]])[] = [
  ['an event', started, []],
  [
    'one without its node',
    { type: 'node-started', at: 1, attempt: 1 },
    ['error schema: event must have "node"'],
  ],
  ['one with more', { ...started, more: 1 }, ['error schema: event must not have "more"']],
  ['one with a wrong value', { ...started, attempt: 'x' }, ['error schema: event.attempt must be integer']],
]
test.each(CASES)('%s', async (_, value, expected) => {
  expect(await messages(value)).toEqual(expected)
})

test('a place deep within is named as it is written', async () => {
  const found = await validate('plan', { nodes: [{ retry: { limit: -1 } }], params: 3 })
  expect(found.map(({ message }) => message)).toContain('plan.nodes[0].retry.limit must be >= 0')
  expect(found.map(({ message }) => message)).toContain('plan.params must be object')
})

test.each(['plan', 'event', 'report'] as const)('nothing is no %s', async name => {
  expect((await validate(name, null)).length).toBeGreaterThan(0)
})
