/** The gateway's counters and what it does just now, as Prometheus text (format 0.0.4). */
import type { Side, Traffic } from '../../../../../src/plan/plan.ts'
import { cumulativeBuckets, type Labels, type Metrics, type Series } from './metrics.ts'
import type { RouteTable } from './route-table.ts'

type LabelValues = Readonly<Record<string, string>>

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

const labelText = (labels: LabelValues): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',')

const valuesOf = ({ component, side, version, slot }: Labels, more: LabelValues = {}): LabelValues => ({
  component,
  side,
  version,
  slot,
  ...more,
})

interface Sample {
  readonly labels: LabelValues
  readonly value: number
  /** Behind the family's name: `_bucket`. */
  readonly part?: string
}

interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: readonly Sample[]
}

const familyText = ({ name, type, help, samples }: Family): string =>
  [
    `# HELP release_gateway_${name} ${help}`,
    `# TYPE release_gateway_${name} ${type}`,
    ...samples.map(
      ({ labels, value, part = '' }) => `release_gateway_${name}${part}{${labelText(labels)}} ${value}`,
    ),
  ].join('\n')

/** The whole page, ending with a line break. */
export const renderMetrics = (metrics: Metrics, table: RouteTable): string =>
  `${[...counterFamilies(metrics.series()), ...stateFamilies(table)].map(familyText).join('\n')}\n`

const counterFamilies = (all: readonly Series[]): readonly Family[] => [
  {
    name: 'requests_total',
    type: 'counter',
    help: 'Requests answered, by status; 499 where the caller left before there was an answer.',
    samples: all.flatMap(({ labels, byCode }) =>
      [...byCode].map(([code, value]) => ({ labels: valuesOf(labels, { code: String(code) }), value })),
    ),
  },
  counter(
    all,
    'errors',
    'Requests answered with a status of 500 or more, or given up by callers who had waited for long.',
  ),
  counter(all, 'unanswered', 'Of these: not answered by any instance of the side.'),
  counter(all, 'mirrored', 'Copies of requests whose answers were compared and thrown away.'),
  counter(all, 'mismatched', 'Of these: answered otherwise than the request itself, or not at all.'),
  {
    name: 'attempt_failures_total',
    type: 'counter',
    help: 'Attempts without an answer, by reason; most are retried.',
    samples: all.flatMap(({ labels, failures }) =>
      [...failures].map(([reason, value]) => ({ labels: valuesOf(labels, { reason }), value })),
    ),
  },
  {
    name: 'request_duration_seconds',
    type: 'histogram',
    help: 'From the whole request to its whole answer, or until the caller left without any.',
    samples: all.flatMap(durationSamples),
  },
]

const counter = (
  all: readonly Series[],
  field: 'errors' | 'unanswered' | 'mirrored' | 'mismatched',
  help: string,
): Family => ({
  name: `${field}_total`,
  type: 'counter',
  help,
  samples: all.map(series => ({ labels: valuesOf(series.labels), value: series[field] })),
})

const durationSamples = (series: Series): readonly Sample[] => [
  ...cumulativeBuckets(series).map(({ le, count }) => bucketSample(series, String(le), count)),
  bucketSample(series, '+Inf', series.count),
  { part: '_sum', labels: valuesOf(series.labels), value: series.sum },
  { part: '_count', labels: valuesOf(series.labels), value: series.count },
]

const bucketSample = ({ labels }: Series, le: string, value: number): Sample => ({
  part: '_bucket',
  labels: valuesOf(labels, { le }),
  value,
})

const stateFamilies = (table: RouteTable): readonly Family[] => [
  {
    name: 'in_flight',
    type: 'gauge',
    help: 'Requests that an instance is answering.',
    samples: table.answering().map(({ labels, inFlight }) => ({ labels: valuesOf(labels), value: inFlight })),
  },
  {
    name: 'instance_up',
    type: 'gauge',
    help: '1 where an instance gets traffic, 0 where it is ejected.',
    samples: table.all().map(({ labels, up }) => ({ labels: valuesOf(labels), value: up ? 1 : 0 })),
  },
  {
    name: 'weight',
    type: 'gauge',
    help: 'Percent of drawn requests that a side is to get.',
    samples: table
      .traffics()
      .flatMap(([component, traffic]) =>
        weightsOf(traffic).map(([side, value]) => ({ labels: { component, side }, value })),
      ),
  },
]

const weightsOf = ({ canary, baseline }: Traffic): readonly (readonly [Side, number])[] => [
  ['stable', 100 - canary - baseline],
  ['canary', canary],
  ['baseline', baseline],
]
