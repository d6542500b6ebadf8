/** What a slip of the hand asks for ends in a sentence: names that JavaScript has taken, and far too much of anything. */
import { expect, test } from 'vitest'
import { parseDuration } from '../../src/compile/units.ts'
import { environment, local, release, service } from '../../src/index.ts'
import { compileIt, tell } from './compile-rig.ts'

const deployed = (options: {
  readonly component?: string
  readonly to?: string
  readonly step?: string
  readonly instances?: number
}) => {
  const { component = 'auth', to = 'staging', step = 'smoke', instances = 1 } = options
  const auth = service(component, { instances })
  const definition = release('bounds', { version: '1.0.0', components: [auth] }).stage('s', s =>
    s
      .deploy([auth], { to: environment(to, { on: local() }) })
      .step(step, () => null, { idempotent: true, undo: 'none' }),
  )
  return tell(compileIt(definition).diagnostics)
}

test.each([
  ['a component', { component: 'constructor' }],
  ['an environment', { to: 'toString' }],
  ['a step', { step: 'constructor' }],
])('%s is not called as what every object has', (_, options) => {
  expect(deployed(options)).toMatch(
    /error\[not-a-name\] at .*: "(constructor|toString)" cannot be a name\n {2}help: Every object of JavaScript/,
  )
})

test('ten thousand instances are a plan, and one more is a mistake', () => {
  expect(deployed({ instances: 10_000 })).toBe('')
  expect(deployed({ instances: 10_001 })).toContain('help: Instances are a whole number from 1 to 10000.')
})

test('a hundred years are a duration, and more is none', () => {
  const check = (text: string, millis: number | null): void => expect(parseDuration(text)).toBe(millis)
  check('36525d', 36_525 * 86_400_000)
  check('36526d', null)
  check(`${'9'.repeat(400)}ms`, null)
})
