/**
 * What the gateway has seen, as Prometheus text.
 *
 * Role: counters per component, version and slot, kept after the instance has gone, as counters are.
 * Boundary: numbers only; knows no request and no socket.
 */

export interface Labels {
  readonly component: string
  /** Empty where no instance was found to ask. */
  readonly version: string
  readonly slot: string
}

export interface Gauge extends Labels {
  readonly value: number
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

interface Series {
  readonly labels: Labels
  readonly byCode: Map<string, number>
  readonly failures: Map<string, number>
  readonly buckets: number[]
  errors: number
  sum: number
  count: number
}

export interface Metrics {
  /** A request was answered to its end, by an instance or, in its place, by the gateway. */
  answered(labels: Labels, code: number, seconds: number): void
  /** An attempt at an instance failed: `connect`, `reset`, `timeout`. The request may have succeeded elsewhere. */
  attemptFailed(labels: Labels, reason: string): void
  render(inFlight: readonly Gauge[], up: readonly Gauge[]): string
}

export const createMetrics = (): Metrics => {
  const all = new Map<string, Series>()
  const seriesOf = (labels: Labels): Series => {
    const key = JSON.stringify([labels.component, labels.version, labels.slot])
    const known = all.get(key) ?? newSeries(labels)
    all.set(key, known)
    return known
  }
  return {
    answered: (labels, code, seconds) => count(seriesOf(labels), code, seconds),
    attemptFailed: (labels, reason) => increment(seriesOf(labels).failures, reason),
    render: (inFlight, up) => render([...all.values()], inFlight, up),
  }
}

const newSeries = (labels: Labels): Series => ({
  labels,
  byCode: new Map(),
  failures: new Map(),
  buckets: BUCKETS_SECONDS.map(() => 0),
  errors: 0,
  sum: 0,
  count: 0,
})

const increment = (map: Map<string, number>, key: string): void => {
  map.set(key, (map.get(key) ?? 0) + 1)
}

const count = (series: Series, code: number, seconds: number): void => {
  increment(series.byCode, String(code))
  if (code >= 500) series.errors += 1
  series.sum += seconds
  series.count += 1
  const bucket = BUCKETS_SECONDS.findIndex(limit => seconds <= limit)
  if (bucket >= 0) series.buckets[bucket]! += 1
}

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

const labelText = (labels: Labels, more: Readonly<Record<string, string>> = {}): string =>
  Object.entries({ component: labels.component, version: labels.version, slot: labels.slot, ...more })
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',')

const family = (name: string, type: string, help: string, lines: readonly string[]): string =>
  [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join('\n')

const histogramLines = (series: Series): readonly string[] => {
  let cumulative = 0
  const lines = BUCKETS_SECONDS.map((limit, index) => {
    cumulative += series.buckets[index]!
    return `${NAME}_request_duration_seconds_bucket{${labelText(series.labels, { le: String(limit) })}} ${cumulative}`
  })
  return [
    ...lines,
    `${NAME}_request_duration_seconds_bucket{${labelText(series.labels, { le: '+Inf' })}} ${series.count}`,
    `${NAME}_request_duration_seconds_sum{${labelText(series.labels)}} ${series.sum}`,
    `${NAME}_request_duration_seconds_count{${labelText(series.labels)}} ${series.count}`,
  ]
}

const NAME = 'release_gateway'

const counted = (series: Series, map: Map<string, number>, name: string, label: string): readonly string[] =>
  [...map].map(([key, value]) => `${name}{${labelText(series.labels, { [label]: key })}} ${value}`)

const gauges = (name: string, values: readonly Gauge[]): readonly string[] =>
  values.map(gauge => `${name}{${labelText(gauge)}} ${gauge.value}`)

const render = (all: readonly Series[], inFlight: readonly Gauge[], up: readonly Gauge[]): string =>
  [
    family(`${NAME}_requests_total`, 'counter', 'Requests answered, by status.', [
      ...all.flatMap(series => counted(series, series.byCode, `${NAME}_requests_total`, 'code')),
    ]),
    family(`${NAME}_errors_total`, 'counter', 'Requests answered with a status of 500 or more.', [
      ...all.map(series => `${NAME}_errors_total{${labelText(series.labels)}} ${series.errors}`),
    ]),
    family(
      `${NAME}_attempt_failures_total`,
      'counter',
      'Attempts without an answer, by reason; most are retried.',
      [
        ...all.flatMap(series =>
          counted(series, series.failures, `${NAME}_attempt_failures_total`, 'reason'),
        ),
      ],
    ),
    family(`${NAME}_request_duration_seconds`, 'histogram', 'From the whole request to its whole answer.', [
      ...all.flatMap(histogramLines),
    ]),
    family(
      `${NAME}_in_flight`,
      'gauge',
      'Requests that an instance is answering.',
      gauges(`${NAME}_in_flight`, inFlight),
    ),
    family(
      `${NAME}_instance_up`,
      'gauge',
      '1 where an instance gets traffic, 0 where it is ejected.',
      gauges(`${NAME}_instance_up`, up),
    ),
    '',
  ].join('\n')
