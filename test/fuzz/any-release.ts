/**
 * Releases made of the language's own words with values from all over; TypeScript would refuse many, Node does not.
 */
import {
  app,
  command,
  coverage,
  environment,
  haproxy,
  local,
  param,
  prometheus,
  release,
  secret,
  service,
  slack,
} from '../../src/index.ts'
import { anyAnalysis, anyGuard, anyStrategy } from './any-strategy.ts'
import { maybeOf, type Values, valuesOf } from './any-value.ts'
import { type Dice, NASTY } from './mutate.ts'

/** Every word of a stage and a release, taking anything. */
interface Written {
  readonly [word: string]: (...given: readonly unknown[]) => Written
}

export const anyRelease = (roll: Dice): unknown => {
  const values = valuesOf(roll, roll.pick([4, 25, 100]))
  const { name, text, count, time } = values
  const some = (most: number): readonly unknown[] => Array.from({ length: roll.number(most + 1) })
  const maybe = maybeOf(roll)
  const version = param('version', { default: values.version() })
  const made = anyComponents(roll, values)
  const source = prometheus(values.mostly(() => 'http://127.0.0.1:9090', NASTY))
  const regions = (): object => ({
    regions: some(3).map(() => ({
      name: name(),
      wave: count(),
      ...maybe(() => ({ weights: [values.percent(), 100] })),
      ...maybe(() => ({ components: made.filter(() => roll.number(2) === 0) })),
      ...maybe(() => ({ bake: roll.pick([time(), { for: time(), analysis: anyAnalysis(roll, values) }]) })),
    })),
  })
  const places = [
    environment('staging', { on: local({ cluster: name() }) }),
    environment(name(), {
      on: local(maybe(() => ({ router: haproxy() }))),
      protect: roll.number(2) === 0,
      ...maybe(() => ({ metrics: source })),
      ...maybe(regions),
    }),
  ]
  const few = (): typeof made => made.slice(roll.number(made.length))
  let written = release(name(), {
    version: roll.pick([version, values.version()]),
    components: made as never,
    params: [version],
    ...maybe(() => ({ concurrency: count() })),
    ...maybe(() => ({ targetDate: roll.pick(['2026-11-21', text()]) })),
  }) as unknown as Written
  const item = (s: Written): Written =>
    roll.pick([
      () => s.gate!(name(), command(text()).passes(), { timeout: time(), retry: count() }),
      () =>
        s.gate!(name(), command('true').passes(), {
          required: false,
          retry: { limit: count(), delay: time() },
        }),
      () => s.gate!(name(), coverage('npm test').atLeast(count())),
      () =>
        s.step!(name(), () => 1, { idempotent: true, timeout: time(), undo: roll.pick(['none', () => {}]) }),
      () => s.approval!(name(), { from: { [name()]: count() }, expires: time() }),
      () => s.wait!(time()),
      () =>
        s.bake!(
          time(),
          maybe(() => ({ requests: count(), analysis: anyAnalysis(roll, values) })),
        ),
      () => s.notify!(slack(secret('S'), '#x'), { message: text() }),
      () => s.deploy!(few(), { to: places[0], with: anyStrategy(roll, values) }),
      () => s.deploy!(made, { to: roll.pick(places) }),
      () => s.deploy!(few(), { to: roll.pick(places), with: anyStrategy(roll, values) }),
      () => s.deploy!(made, { to: roll.pick(places), with: anyStrategy(roll, values), order: 'lockstep' }),
      () => s.parallel!((p: Written) => item(item(p))),
      () => s.sequence!((q: Written) => item(q)),
    ])()
  const stages: string[] = []
  for (const _ of some(4)) {
    const options = {
      ...maybe(() => ({ after: stages.filter(() => roll.number(2) === 0) })),
      ...maybe(() => ({ after: [name()] })),
      ...maybe(() => ({ onFailure: 'stop' })),
    }
    const stage = name()
    written = written.stage!(stage, options, (s: Written) => some(4).reduce<Written>(inner => item(inner), s))
    stages.push(stage)
  }
  if (roll.number(4) === 0) written = written.guard!(anyGuard(roll, values))
  const policies = ['stop', 'rollback-all', 'continue-partial', 'rollback-dependents']
  const orders = ['service-by-service', 'staged', 'immediate']
  return roll.number(2) === 0
    ? written
    : written.onFailure!(
        roll.pick(policies),
        maybe(() => ({ rollback: roll.pick(orders) })),
      )
}

function anyComponents(roll: Dice, values: Values): readonly ReturnType<typeof service>[] {
  const { name, text, count, time } = values
  const maybe = maybeOf(roll)
  const made: ReturnType<typeof service>[] = []
  for (let left = roll.number(6); left > 0; left -= 1) {
    const needs = made.filter(() => roll.number(3) === 0)
    const options = {
      critical: roll.number(2) === 0,
      needs: needs.map(need => (roll.number(3) === 0 ? need.range(values.range()) : need)),
      ...maybe(() => ({ group: 5 + count() })),
      ...maybe(() => ({ instances: count() })),
      ...maybe(() => ({ instances: { staging: count(), [name()]: count() } })),
      ...maybe(() => ({ version: values.version() })),
      ...maybe(() => ({ source: text() })),
      ...maybe(() => ({ start: roll.pick([text(), [text(), text()]]) })),
      ...maybe(() => ({ env: { [name()]: text(), KEY: secret(name()) } })),
      ...maybe(() => ({ health: { path: `/${name()}`, timeout: time() } })),
    }
    made.push((roll.number(4) === 0 ? app : service)(name(), options as never) as never)
  }
  return made
}
