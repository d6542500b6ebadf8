/**
 * Strategies, what they measure, and guards, with values from all over.
 */
import {
  abTest,
  allAtOnce,
  availability,
  blueGreen,
  canary,
  compare,
  cpu,
  errorRate,
  json,
  latency,
  type Metric,
  measured,
  memory,
  mirror,
  mismatch,
  prometheus,
  promql,
  rolling,
  type Strategy,
  throughput,
  trigger,
} from '../../src/index.ts'
import { maybeOf, type Values } from './any-value.ts'
import type { Dice } from './mutate.ts'

/** A word of the language that is handed what its types may refuse. */
type Loosely = (...given: readonly unknown[]) => never

export function anyMetric(roll: Dice, values: Values): Metric {
  const { mostly, time, count, text, percent } = values
  const maybe = maybeOf(roll)
  const options = (): never =>
    ({
      ...maybe(() => ({ noData: mostly<string>(() => roll.pick(['fail', 'hold', 'ignore']), ['x']) })),
      ...maybe(() => ({ interval: time(), delay: time() })),
      ...maybe(() => ({ failureLimit: count(), consecutiveErrorLimit: count() })),
      ...maybe(() => ({ minRequests: count() })),
    }) as never
  const share = (): never => mostly<unknown>(() => '1%', ['101%', '-1%', '1', '', 2, Number.NaN]) as never
  const quantile = (): never => mostly(() => 'p95', ['p0', 'p100', 'p', '95', 'p1e9', 'p-5']) as never
  const source = prometheus('http://127.0.0.1:9090')
  return roll.pick<() => Metric>([
    () => errorRate(options()).below(share()),
    () => availability(options()).atLeast(share()),
    () => latency(quantile(), options()).atMost(time()),
    () => throughput(options()).atLeast(count()),
    () => cpu(options()).below(count()),
    () => memory(options()).above(count()),
    () => mismatch(options()).below(share()),
    () =>
      latency(quantile())
        .within(share())
        .of(roll.pick(['stable', count()]) as never),
    () => promql(text(), text(), { from: source }).below(count()),
    () =>
      json(
        text(),
        text(),
        mostly(() => '/a', ['', 'a' as '/a', '/~2']),
      ).below(count()),
    () => measured(text(), roll.pick([text(), [text()]]) as never).below(count()),
    () =>
      compare(latency(quantile(), options()), {
        ...maybe(() => ({ with: roll.pick(['stable', 'baseline']) })),
        ...maybe(() => ({ worse: roll.pick(['higher', 'lower', 'either']) })),
        ...maybe(() => ({ tolerance: share() })),
        ...maybe(() => ({ confidence: percent() })),
      } as never),
  ])()
}

export function anyAnalysis(roll: Dice, values: Values): never {
  const maybe = maybeOf(roll)
  const metrics = Array.from({ length: roll.number(3) }, () => anyMetric(roll, values))
  if (roll.number(2) === 0) return metrics as never
  return {
    metrics,
    ...maybe(() => ({ interval: values.time(), patience: values.time() })),
    ...maybe(() => ({ requests: values.count() })),
  } as never
}

export function anyStrategy(roll: Dice, values: Values): Strategy {
  const { mostly, time, percent, amount, text, name, count } = values
  const maybe = maybeOf(roll)
  const analysis = (): { readonly analysis: never } => ({ analysis: anyAnalysis(roll, values) })
  const step = (weight: unknown): unknown =>
    roll.number(4) === 0
      ? { weight, ...maybe(() => ({ every: time(), approval: { name: name(), from: { lead: count() } } })) }
      : weight
  const deadline = (): object => maybe(() => ({ progressDeadline: time() }))
  return roll.pick<() => Strategy>([
    () => rolling({ batch: amount(), maxUnavailable: amount() }),
    () => rolling(),
    () => allAtOnce(),
    () => canary(),
    () =>
      (canary as Loosely)({
        steps: mostly<unknown>(() => [10, 50, 100].map(step), [[], [50, 25, 100], [5], [percent()], [100]]),
        every: time(),
        baseline: roll.number(2) === 0,
        ...maybe(analysis),
        ...maybe(() => ({ background: anyAnalysis(roll, values) })),
        ...deadline(),
      }),
    () =>
      (blueGreen as Loosely)({
        ...maybe(analysis),
        ...maybe(() => ({ keepOld: time() })),
        ...maybe(() => ({ preview: { for: time(), metrics: [anyMetric(roll, values)] } })),
        ...deadline(),
      }),
    () =>
      (abTest as Loosely)({
        to: roll.pick<unknown>([
          { percent: percent() },
          { header: text(), value: text() },
          { cookie: name(), value: text() },
        ]),
        for: time(),
        primary: anyMetric(roll, values),
        ...maybe(analysis),
        ...deadline(),
      }),
    () =>
      (mirror as Loosely)({
        for: time(),
        ...maybe(() => ({ percent: percent() })),
        ...analysis(),
        ...deadline(),
      }),
  ])()
}

export function anyGuard(roll: Dice, values: Values): unknown {
  const { time, count } = values
  const maybe = maybeOf(roll)
  const window = (): never =>
    roll.pick<unknown>([
      { period: time(), breaches: count(), ...maybe(() => ({ of: count(), aggregate: 'median' })) },
      { breaches: count(), within: time() },
      { lasting: time() },
    ]) as never
  const triggers = Array.from({ length: roll.number(3) }, () => trigger(anyMetric(roll, values), window()))
  return {
    for: time(),
    triggers,
    ...maybe(() => ({ every: time() })),
    ...maybe(() => ({ anomalies: roll.pick<unknown>([false, { deviations: count(), points: count() }]) })),
  }
}
