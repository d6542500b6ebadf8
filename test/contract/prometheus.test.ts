/**
 * What only a real Prometheus can tell: what it says of targets that have died, which names its series have, and
 * whether our own arithmetic is its.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createMetrics } from '../../runner/adapters/metrics/metrics.ts'
import { histogramQuantile } from '../../src/judge/counters.ts'
import type { Measurement } from '../../src/judge/measurement.ts'
import type { MeasureTarget, PlanMeasure, PlanProvider } from '../../src/plan/plan.ts'
import type { Meter } from '../../src/run/ports.ts'
import {
  type Exporter,
  type PrometheusRig,
  prometheusMissing,
  startExporter,
  startPrometheus,
} from '../rig/prometheus.ts'
import { until } from '../rig/wait.ts'

const missing = prometheusMissing()
beforeEach(({ skip }) => skip(missing !== null, missing ?? ''))

const SERVICES = ['dead', 'gone', 'several', 'gateway', 'usual', 'library', 'other-environment'] as const
type Service = (typeof SERVICES)[number]

let rig: PrometheusRig
const exporters = new Map<Service, Exporter>()
const exporterOf = (service: Service): Exporter => exporters.get(service)!

beforeAll(async () => {
  if (missing !== null) return
  for (const service of SERVICES) exporters.set(service, await startExporter())
  rig = await startPrometheus(
    SERVICES.map(service => ({
      exporter: exporterOf(service),
      labels: {
        job: service,
        ...(service === 'other-environment' ? { environment: 'staging' } : {}),
      },
    })),
  )
})
afterAll(async () => {
  await rig?.dispose()
  for (const exporter of exporters.values()) await exporter.stop()
})

const target = (component: string): MeasureTarget => ({
  environment: 'production',
  component,
  side: 'canary',
  version: '3.0.0',
})

interface Asked {
  readonly measure: PlanMeasure
  readonly component: string
  readonly queries?: Extract<PlanProvider, { kind: 'prometheus' }>['queries']
  readonly url?: string
  readonly interval?: number
}

const open = ({ measure, component, queries = {}, url = rig.url, interval = 1000 }: Asked): Promise<Meter> =>
  createMetrics({
    platform: () => {
      throw new Error('no platform is asked for here')
    },
    secrets: {
      resolve: async value => ('value' in value ? value.value : ''),
      scrub: text => text,
    },
    commands: { run: () => Promise.reject(new Error('no command is asked for here')) },
    now: Date.now,
  }).open(
    {
      measure,
      provider: { kind: 'prometheus', url: { value: url }, queries },
      target: target(component),
      interval,
    },
    new AbortController().signal,
  )

const read = (meter: Meter) => meter.read(new AbortController().signal)

const promql = (query: string): PlanMeasure => ({ kind: 'promql', query })

const labels = (service: string): string => `component="${service}",side="canary",version="3.0.0"`

/** Shows what `text` writes for each round, until each of the meters has measured something. */
async function measuring(service: Service, meters: readonly Meter[], text: (round: number) => string) {
  const found = new Map<Meter, Measurement>()
  let round = 0
  await until(`all of ${service} was measured`, async () => {
    round += 1
    exporterOf(service).show(text(round))
    for (const meter of meters.filter(one => !found.has(one))) {
      const measured = await read(meter)
      if (measured.value !== null && measured.requests !== 0) found.set(meter, measured)
    }
    return found.size === meters.length
  })
  return meters.map(meter => found.get(meter)!)
}

describe('a target that has died', () => {
  test('makes a rate an error while it is in the window, although Prometheus still tells one', async () => {
    const exporter = exporterOf('dead')
    const query = `sum(rate(work_total{job="dead"}[20s]))`
    let work = 0
    await until('there is a rate', async () => {
      work += 5
      exporter.show(`work_total ${work}\n`)
      return ((await rig.query(query))[0] ?? 0) > 0
    })
    const meter = await open({ measure: promql(query), component: 'dead' })
    expect((await read(meter)).value).toBeGreaterThan(0)
    await exporter.stop()
    await until(
      'Prometheus sees that it is dead',
      async () => (await rig.query('up{job="dead"} == 0')).length > 0,
    )
    expect((await rig.query(query))[0]).toBeGreaterThan(0)
    expect(await read(meter)).toMatchObject({
      value: null,
      error: `Prometheus cannot reach dead at ${exporter.target}, which the query is about`,
    })
    // Its answer is a matter of the target and not of the query: who asks for `up` gets it.
    expect(await read(await open({ measure: promql('up{job="dead"}'), component: 'dead' }))).toMatchObject({
      value: 0,
    })
  })

  test('is an error also for what is so at the moment, of which there is nothing left', async () => {
    const exporter = exporterOf('gone')
    exporter.show('load 3\n')
    const meter = await open({ measure: promql('load{job="gone"}'), component: 'gone' })
    await until('there is a load', async () => (await read(meter)).value === 3)
    await exporter.stop()
    await until('the load is gone', async () => (await rig.query('load{job="gone"}')).length === 0)
    expect((await read(meter)).error).toBe(
      `Prometheus cannot reach gone at ${exporter.target}, which the query is about`,
    )
  })
})

describe('a query', () => {
  test('that comes to several numbers names them', async () => {
    exporterOf('several').show('queue_length{queue="a"} 1\nqueue_length{queue="b"} 2\n')
    await until('both are there', async () => (await rig.query('queue_length')).length === 2)
    const { error, value } = await read(await open({ measure: promql('queue_length'), component: 'several' }))
    expect(value).toBe(null)
    const instance = exporterOf('several').target
    expect(error?.replaceAll(instance, 'INSTANCE')).toMatchInlineSnapshot(
      `"the query came to 2 numbers and not to one: queue_length{instance="INSTANCE", job="several", queue="a"} 1, queue_length{instance="INSTANCE", job="several", queue="b"} 2"`,
    )
  })

  test.each([
    ['no data', 'absent_metric', { value: null }],
    ['a scalar', 'scalar(vector(4))', { value: 4 }],
    ['no number', 'vector(0) / 0', { value: null }],
    [
      'no finite number',
      'vector(1) / 0',
      { error: 'the query came to Infinity, which is no finite number: vector(1) / 0' },
    ],
    [
      'a range',
      'up[5s]',
      { error: expect.stringContaining('the query came to a matrix and not to one number') },
    ],
    [
      'a mistake',
      'sum(',
      { error: expect.stringContaining('refused the query: invalid parameter "query": 1:5: parse error') },
    ],
  ])('that comes to %s', async (_, query, expected) => {
    const measured = await read(await open({ measure: promql(query), component: 'any' }))
    expect(measured).toMatchObject(expected)
    expect('error' in measured).toBe('error' in expected)
  })
})

describe('a Prometheus', () => {
  test('that was killed is an error', async () => {
    const other = await startPrometheus([])
    const meter = await open({ measure: promql('vector(1)'), component: 'any', url: other.url })
    expect(await read(meter)).toMatchObject({ value: 1 })
    await other.dispose()
    expect(await read(meter)).toMatchObject({
      value: null,
      error: `Prometheus at ${other.url}/ could not be reached (ECONNREFUSED)`,
    })
  })
})

describe('the named measures', () => {
  test('are those of our gateway where it is watched', async () => {
    const text = (round: number): string => {
      const n = 100 * round
      const all = labels('gateway')
      return [
        `release_gateway_requests_total{${all},slot="0",code="200"} ${n * 0.75}`,
        `release_gateway_requests_total{${all},slot="1",code="503"} ${n * 0.25}`,
        `release_gateway_errors_total{${all},slot="0"} ${n * 0.25}`,
        `release_gateway_unanswered_total{${all},slot="0"} ${n * 0.125}`,
        `release_gateway_mirrored_total{${all},slot="0"} ${n}`,
        `release_gateway_mismatched_total{${all},slot="0"} ${n * 0.5}`,
        ...[0.1, 0.2, '+Inf'].map(
          (le, index) =>
            `release_gateway_request_duration_seconds_bucket{${all},slot="0",le="${le}"} ${[0, n, n][index]}`,
        ),
        // What another component and another side get is not counted.
        `release_gateway_requests_total{${all.replace('canary', 'stable')},slot="0",code="200"} ${n * 7}`,
        `release_gateway_errors_total{${all.replace('canary', 'stable')},slot="0"} ${n * 7}`,
        '',
      ].join('\n')
    }
    const expected: readonly (readonly [PlanMeasure, number])[] = [
      [{ kind: 'error-rate' }, 0.25],
      [{ kind: 'availability' }, 0.875],
      [{ kind: 'mismatch' }, 0.5],
      [{ kind: 'latency', quantile: 0.5 }, 150],
    ]
    const meters = await Promise.all(expected.map(([measure]) => open({ measure, component: 'gateway' })))
    const measured = await measuring('gateway', meters, text)
    expect(measured.map(({ value }) => value)).toEqual(expected.map(([, value]) => expect.closeTo(value, 6)))
    expect(measured.every(({ requests }) => Number.isInteger(requests))).toBe(true)
  })

  test('are those of the usual names elsewhere, and of the right environment', async () => {
    // No error was ever counted: there is no such series, and that is 0 errors.
    const text = (round: number): string => {
      const n = 100 * round
      const all = labels('usual')
      return [
        `http_requests_total{${all},code="200"} ${n}`,
        ...[0.1, 0.2, '+Inf'].map(le => `http_request_duration_seconds_bucket{${all},le="${le}"} ${n}`),
        `process_cpu_seconds_total{${all}} ${round / 100}`,
        `process_resident_memory_bytes{${all}} 1048576`,
        '',
      ].join('\n')
    }
    const elsewhere = (round: number): string => text(round).replaceAll('200', '500')
    const expected: readonly (readonly [PlanMeasure, unknown])[] = [
      [{ kind: 'error-rate' }, 0],
      [{ kind: 'availability' }, 1],
      [{ kind: 'latency', quantile: 0.95 }, expect.closeTo(95, 6)],
      [{ kind: 'memory' }, 1_048_576],
      [{ kind: 'cpu' }, expect.any(Number)],
    ]
    const meters = await Promise.all(expected.map(([measure]) => open({ measure, component: 'usual' })))
    const measured = await measuring('usual', meters, round => {
      exporterOf('other-environment').show(elsewhere(round))
      return text(round)
    })
    expect(measured.map(({ value }) => value)).toEqual(expected.map(([, value]) => value))
    expect(measured.map(({ requests }) => requests === undefined)).toEqual([false, false, false, true, true])
  })

  test("are the team's own where it gives queries, and rest on its own count of requests", async () => {
    const queries = {
      'error-rate':
        'sum(rate(grpc_total{status="bad"}[{window}])) / sum(rate(grpc_total{component="{component}"}[{window}]))',
      throughput: 'sum(rate(grpc_total{component="{component}"}[{window}]))',
      latency: 'vector({quantile})',
    }
    const text = (round: number): string =>
      `grpc_total{component="library",status="good"} ${90 * round}\ngrpc_total{component="library",status="bad"} ${10 * round}\n`
    const meter = await open({ measure: { kind: 'error-rate' }, component: 'library', queries })
    const latency = await open({
      measure: { kind: 'latency', quantile: 0.95 },
      component: 'library',
      queries,
    })
    const [rate, slow] = await measuring('library', [meter, latency], text)
    expect(rate!.value).toBeCloseTo(0.1, 6)
    expect(rate!.requests).toBeGreaterThan(0)
    // A query comes to seconds.
    expect(slow!.value).toBe(950)
  })

  test('count no request twice, although the windows overlap', async () => {
    const meter = await open({ measure: { kind: 'throughput' }, component: 'usual' })
    const began = Date.now()
    let shown = 0
    let counted = 0
    let readings = 0
    await until('it was measured fifty times', async () => {
      // As many requests as there were milliseconds: a thousand a second.
      shown = Date.now() - began
      exporterOf('usual').show(`http_requests_total{${labels('usual')},code="200"} ${1_000_000 + shown}\n`)
      const { value, requests = 0 } = await read(meter)
      counted += requests
      readings += value === null ? 0 : 1
      return readings >= 50
    })
    expect(counted).toBeGreaterThan(0)
    // Prometheus extrapolates to the window's bounds; fifty overlapping windows would be fifty times as many.
    expect(counted).toBeLessThan(1.5 * shown)
  })
})

describe("Prometheus's arithmetic", () => {
  test.each<[quantile: number, counts: readonly number[], total: number]>([
    [0.5, [5, 10, 10], 10],
    [0.25, [5, 10, 10], 10],
    [0.75, [5, 5, 10], 10],
    [0.95, [5, 6, 6], 10],
    [0.5, [0, 0, 0], 10],
    [0.999, [990, 999, 1000], 1000],
    [1, [5, 10, 10], 10],
  ])('quantile %d of %j of %d is ours', async (quantile, counts, total) => {
    const bounds = [0.1, 0.2, 0.5]
    const series = [
      ...bounds.map((le, index) => [String(le), counts[index]!] as const),
      ['+Inf', total] as const,
    ].map(([le, count]) => `label_replace(vector(${count}), "le", "${le}", "", "")`)
    const [theirs] = await rig.query(`histogram_quantile(${quantile}, ${series.join(' or ')})`)
    const buckets = bounds.map((le, index) => ({ le, count: counts[index]! }))
    expect(histogramQuantile(quantile, buckets, total)).toBeCloseTo(theirs!, 12)
  })
})
