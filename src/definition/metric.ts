/**
 * Metrics: what an analysis measures and what it has to be.
 *
 * Role: `errorRate()` and its kind, finished by the word that makes it a condition; and where measures come from.
 * Boundary: data; adapters measure and src/judge judges.
 */
import { callSite } from './call-site.ts'
import type { CommandLine, CommandOptions } from './check.ts'
import { copyOf, freeze, type Handle, handle, requireModel } from './handle.ts'
import type { MeasureModel, MetricModel, NamedMeasure, ProviderModel } from './model.ts'
import { brand } from './model.ts'
import { valueModel } from './param.ts'
import type { Secret } from './secret.ts'
import type { Duration, Percentage, Value } from './value.ts'

/** What is measured and what it has to be, for an analysis: what `below()` and its kind return. */
export interface Metric extends Handle<MetricModel> {}

/** Where measurements come from: what `prometheus()` returns. */
export interface Provider extends Handle<ProviderModel> {}

/** How a measure is taken and what counts. */
export interface MeasureOptions {
  /** What no data means; `'hold'` if left out: it waits, and a hold that lasts to the end is a failure. */
  readonly noData?: 'fail' | 'hold' | 'ignore'
  /** Between two measurements; the analysis's if left out. */
  readonly interval?: Value<Duration>
  /** Before the first; the interval if left out. */
  readonly delay?: Value<Duration>
  /** So many measurements may be out of bounds; 0 if left out. */
  readonly failureLimit?: number
  /** So many errors in a row the source may answer with; 4 if left out. */
  readonly consecutiveErrorLimit?: number
  /**
   * So many measurements may have nothing to be compared with, where the other side has no data; one more is a failure. Left
   * out: at the end there are no more of them than of others, and the last three are not all such.
   */
  readonly inconclusiveLimit?: number
  /** It is measured so often and no more, and passes on no fewer; as often as there is time if left out. */
  readonly count?: number
  /** No verdict before it rests on so many requests. */
  readonly minRequests?: Value<number>
  /** Another source than the environment's. */
  readonly from?: Provider
}

export interface ComparisonOptions<Of extends Unit = Unit> extends FloorOptions<Of> {
  /** `'stable'` if left out; `'baseline'` where the canary starts one. */
  readonly with?: 'stable' | 'baseline'
  /** Which way is bad. Left out: higher for errors and latency, lower for availability and throughput, otherwise either. */
  readonly worse?: 'higher' | 'lower' | 'either'
  /** How much worse is still fine, as a share of the other side's; `'10%'` if left out. */
  readonly tolerance?: Value<Percentage>
  /** How certain it has to be; 0.98 if left out. */
  readonly confidence?: number
  /** Where the analysis has a `score`: what it counts to. */
  readonly group?: string
  /** Where the analysis has a `score`: it fails the whole by itself, whatever the score; `false` if left out. */
  readonly critical?: boolean
}

type Unit = MetricModel['unit']

/** A threshold in a measure's own unit. */
type Threshold<Of extends Unit> = Of extends 'ratio'
  ? Percentage | number
  : Of extends 'ms'
    ? Duration | number
    : number

/** What is never too far, whatever share of the other value it is. */
export interface FloorOptions<Of extends Unit = Unit> {
  /**
   * A difference of at most this is never a breach, in the measure's unit: `'0.5%'` of all requests for a share, `'20ms'` for a
   * time. Left out: half a percent of all requests for a share that is `within` a share of the stable side's.
   */
  readonly floor?: Value<Threshold<Of>>
}

/** The middle of a comparison with a fixed value or another side: `.of('stable')`. */
export interface WithinOf {
  /** The stable side's value at the same time, or a fixed one in the measure's unit. */
  of(baseline: number | 'stable'): Metric
}

/** A measure without what it has to be: `.below()` and its kind make it a metric. */
export interface Measure<Of extends Unit = Unit> extends Handle<MeasureHeldModel> {
  below(threshold: Value<Threshold<Of>>): Metric
  atMost(threshold: Value<Threshold<Of>>): Metric
  above(threshold: Value<Threshold<Of>>): Metric
  atLeast(threshold: Value<Threshold<Of>>): Metric
  /** Not further than that share from a baseline. */
  within(tolerance: Value<Percentage>, options?: FloorOptions<Of>): WithinOf
}

/** What a measure carries before it is a metric. */
export interface MeasureHeldModel {
  readonly [brand]: 'measure'
  readonly name: string
  readonly unit: Unit
  readonly measure: MeasureModel
  readonly options: MeasureOptions
  readonly worse: 'increase' | 'decrease' | 'either'
}

const metricOf = (held: MeasureHeldModel, expected: MetricModel['expected'], here: object): Metric => {
  const { name, unit, measure, options } = held
  const written: MetricModel = {
    [brand]: 'metric',
    name,
    unit,
    measure,
    provider: options.from === undefined ? null : requireModel('provider', options.from, `${name}: from`),
    expected,
    interval: options.interval === undefined ? null : valueModel<string>(options.interval),
    delay: options.delay === undefined ? null : valueModel<string>(options.delay),
    failureLimit: options.failureLimit ?? 0,
    consecutiveErrorLimit: options.consecutiveErrorLimit ?? 4,
    minRequests: options.minRequests === undefined ? null : valueModel<number>(options.minRequests),
    noData: options.noData ?? 'hold',
    inconclusiveLimit: options.inconclusiveLimit ?? null,
    count: options.count ?? null,
    at: callSite(here as never),
  }
  return handle({}, written)
}

function measureOf<Of extends Unit>(held: Omit<MeasureHeldModel, typeof brand>): Measure<Of> {
  const written: MeasureHeldModel = { [brand]: 'measure', ...held }
  const is = (kind: 'below' | 'at-most' | 'above' | 'at-least') => {
    const condition = (threshold: unknown): Metric =>
      metricOf(written, { kind, threshold: valueModel<number | string>(threshold) }, condition)
    return condition
  }
  const within = (tolerance: unknown, options: FloorOptions = {}): WithinOf => {
    const of = (baseline: number | 'stable'): Metric =>
      metricOf(
        written,
        {
          kind: 'within',
          tolerance: valueModel<number | string>(tolerance),
          of: baseline,
          floor: floorModel(options),
          direction: written.worse,
        },
        of,
      )
    return freeze({ of })
  }
  const members = {
    below: is('below'),
    atMost: is('at-most'),
    above: is('above'),
    atLeast: is('at-least'),
    within,
  }
  return handle(members, written)
}

const floorModel = ({ floor }: FloorOptions) =>
  floor === undefined ? null : valueModel<number | string>(floor)

const named = <Of extends Unit>(
  kind: Exclude<NamedMeasure, 'latency'>,
  about: { readonly name: string; readonly unit: Of; readonly worse: MeasureHeldModel['worse'] },
  options: MeasureOptions,
): Measure<Of> => measureOf({ ...about, measure: { kind }, options })

/**
 * The share of requests that were answered with a status of 500 or more, or not at all: also of those whose caller
 * gave up, which is to leave after a second or more without a byte of an answer. Who leaves sooner counts as a
 * request and not as an error. (So the platform's own routers count; what Prometheus or another source says is its own.)
 *
 * @example
 * import { errorRate } from 'release-as-code'
 *
 * const few = errorRate({ minRequests: 100 }).below('1%')
 */
export function errorRate(options: MeasureOptions = {}): Measure<'ratio'> {
  return named('error-rate', { name: 'error rate', unit: 'ratio', worse: 'increase' }, options)
}

/**
 * The time from a whole request to its whole answer, at a quantile: `'p50'`, `'p95'`, `'p99.9'`. A caller who left
 * without an answer counts with the time that it waited.
 *
 * @example
 * import { latency } from 'release-as-code'
 *
 * const quick = latency('p95').below('500ms')
 */
export function latency(quantile: `p${number}`, options: MeasureOptions = {}): Measure<'ms'> {
  return measureOf({
    name: `latency ${quantile}`,
    unit: 'ms',
    worse: 'increase',
    measure: { kind: 'latency', quantile: Number(quantile.slice(1)) / 100 },
    options,
  })
}

/**
 * The share of requests that an instance answered at all: neither a broken connection nor a time-out, nor a caller
 * who gave up, having waited for a second or more without a byte of an answer.
 *
 * @example
 * import { availability } from 'release-as-code'
 *
 * const there = availability().atLeast('99.9%')
 */
export function availability(options: MeasureOptions = {}): Measure<'ratio'> {
  return named('availability', { name: 'availability', unit: 'ratio', worse: 'decrease' }, options)
}

/**
 * Requests a second.
 *
 * @example
 * import { throughput } from 'release-as-code'
 *
 * const busy = throughput().atLeast(5)
 */
export function throughput(options: MeasureOptions = {}): Measure<'per-second'> {
  return named('throughput', { name: 'throughput', unit: 'per-second', worse: 'decrease' }, options)
}

/**
 * Processors in use by an instance, the most of any one: 1 is one whole processor.
 *
 * @example
 * import { cpu } from 'release-as-code'
 *
 * const calm = cpu().below(0.8)
 */
export function cpu(options: MeasureOptions = {}): Measure<'number'> {
  return named('cpu', { name: 'cpu', unit: 'number', worse: 'increase' }, options)
}

/**
 * Resident memory of an instance in bytes, the most of any one.
 *
 * @example
 * import { memory } from 'release-as-code'
 *
 * const lean = memory().below(512 * 1024 * 1024)
 */
export function memory(options: MeasureOptions = {}): Measure<'bytes'> {
  return named('memory', { name: 'memory', unit: 'bytes', worse: 'increase' }, options)
}

/**
 * The share of mirrored requests that the new version answered otherwise than the old one.
 *
 * @example
 * import { mismatch } from 'release-as-code'
 *
 * const same = mismatch().below('0.1%')
 */
export function mismatch(options: MeasureOptions = {}): Measure<'ratio'> {
  return named('mismatch', { name: 'mismatch', unit: 'ratio', worse: 'increase' }, options)
}

/**
 * A query of one's own. `{component}`, `{environment}`, `{side}`, `{version}` and `{window}` are filled in.
 *
 * @example
 * import { prometheus, promql } from 'release-as-code'
 *
 * const metrics = prometheus('http://127.0.0.1:9090')
 * const queue = promql('queue length', 'max(queue_length{job="{component}"})', { from: metrics }).below(100)
 */
export function promql(
  name: string,
  query: string,
  options: MeasureOptions & { readonly from: Provider },
): Measure<'number'> {
  return measureOf({ name, unit: 'number', worse: 'either', measure: { kind: 'promql', query }, options })
}

/**
 * A number in a JSON document that an address answers with; `pointer` is a JSON Pointer (RFC 6901).
 *
 * @example
 * import { json } from 'release-as-code'
 *
 * const backlog = json('backlog', 'http://127.0.0.1:8080/stats', '/queue/length').below(1000)
 */
export function json(
  name: string,
  url: string | Secret,
  pointer: `/${string}` | '',
  options: MeasureOptions = {},
): Measure<'number'> {
  const address = typeof url === 'string' ? url : requireModel('secret', url, `json '${name}': url`)
  return measureOf({
    name,
    unit: 'number',
    worse: 'either',
    measure: { kind: 'json', url: address, pointer },
    options,
  })
}

/**
 * A number that a command prints as its last line; nothing printed is no data.
 *
 * @example
 * import { measured } from 'release-as-code'
 *
 * const orders = measured('orders a minute', 'npm run --silent orders').atLeast(10)
 */
export function measured(
  name: string,
  line: CommandLine,
  options: MeasureOptions & CommandOptions = {},
): Measure<'number'> {
  const command = { line: copyOf(line), cwd: options.cwd ?? null }
  return measureOf({ name, unit: 'number', worse: 'either', measure: { kind: 'command', command }, options })
}

const WORSE = { higher: 'increase', lower: 'decrease', either: 'either' } as const

/**
 * Compares the new version's measurements with the other side's, as distributions (Mann-Whitney): fails where they are
 * worse by more than the tolerance and that is no chance; too few of them are no verdict. It is looked at three times on the
 * way, decided when its time is over, and, where nobody can tell then, looked at four times more while the analysis is patient:
 * all looks together are mistaken no more often than `confidence` says.
 *
 * @example
 * import { canary, compare, cpu, errorRate, latency } from 'release-as-code'
 *
 * const asQuick = compare(latency('p95', { interval: '10s' }), { tolerance: '10%' })
 * const scored = canary({
 *   steps: [5, 25, 50, 100],
 *   every: '30m',
 *   analysis: {
 *     metrics: [
 *       compare(errorRate(), { group: 'errors', critical: true }),
 *       compare(latency('p50'), { group: 'speed' }),
 *       compare(latency('p99'), { group: 'speed' }),
 *       compare(cpu(), { group: 'speed' }),
 *     ],
 *     score: { weights: { errors: 60, speed: 40 }, pass: 95, marginal: 75 },
 *   },
 * })
 */
export function compare<Of extends Unit>(measure: Measure<Of>, options: ComparisonOptions<Of> = {}): Metric {
  const held = requireModel('measure', measure, 'compare')
  return metricOf(
    held,
    {
      kind: 'comparison',
      with: options.with ?? 'stable',
      direction: options.worse === undefined ? held.worse : WORSE[options.worse],
      tolerance: valueModel<number | string>(options.tolerance ?? '10%'),
      floor: floorModel(options as FloorOptions),
      confidence: options.confidence ?? 0.98,
      group: options.group ?? null,
      critical: options.critical ?? null,
    },
    compare,
  )
}

export interface PrometheusOptions {
  /**
   * Queries of one's own for the named measures, where the usual metric names do not hold; filled in as {@link promql}'s
   * are, and `{quantile}` for latency, which is read in seconds as Prometheus has it. What counts requests for `error-rate` and
   * `availability` is `throughput`.
   */
  readonly queries?: Readonly<Partial<Record<NamedMeasure, string>>>
}

/**
 * A Prometheus server, asked over its HTTP API.
 *
 * @example
 * import { environment, local, prometheus } from 'release-as-code'
 *
 * const production = environment('production', { on: local(), metrics: prometheus('http://127.0.0.1:9090') })
 */
export function prometheus(url: string | Secret, options: PrometheusOptions = {}): Provider {
  const written: ProviderModel = {
    [brand]: 'provider',
    kind: 'prometheus',
    url: typeof url === 'string' ? url : requireModel('secret', url, 'prometheus: url'),
    queries: copyOf(options.queries ?? {}),
  }
  return handle({}, written)
}
