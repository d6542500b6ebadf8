/**
 * The providers of measurements, beyond their contract (test/contract/metrics.ts).
 */
import { describe, expect, test } from 'vitest'
import { defaultQuery } from '../../../runner/adapters/metrics/default-queries.ts'
import {
  fillIn,
  inAddress,
  inPattern,
  inQuotes,
  promDuration,
} from '../../../runner/adapters/metrics/fill-in.ts'
import { valueAt } from '../../../runner/adapters/metrics/json-meter.ts'
import { createMetrics, type MetricsOptions } from '../../../runner/adapters/metrics/metrics.ts'
import { durationOf, selectorsOf } from '../../../runner/adapters/metrics/promql-selectors.ts'
import { ReleaseError } from '../../../src/errors.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import type { MeasureTarget, PlanCommand, PlanMeasure, PlanProvider } from '../../../src/plan/plan.ts'
import type { CommandResult, Counters, Meter, Platform, Usage } from '../../../src/run/ports.ts'

const target: MeasureTarget = {
  environment: 'production',
  component: 'payment-service',
  side: 'canary',
  version: '3.0.0',
}

const PASSWORD = 'correct-horse'
const router: PlanProvider = { kind: 'router' }
const prometheus: PlanProvider = {
  kind: 'prometheus',
  url: { value: `http://reader:${PASSWORD}@prometheus.example:9090/prefix/?token=${PASSWORD}` },
  queries: {},
}

interface World {
  readonly measure: PlanMeasure
  readonly provider?: PlanProvider
  readonly platform?: Partial<Platform>
  readonly now?: () => number
  readonly fetch?: typeof fetch
  readonly run?: (command: PlanCommand) => CommandResult
  readonly secrets?: MetricsOptions['secrets']
  readonly interval?: number
}

const open = (world: World): Promise<Meter> =>
  createMetrics({
    platform: environment => {
      expect(environment).toBe('production')
      return world.platform as Platform
    },
    secrets: world.secrets ?? {
      resolve: async value => ('value' in value ? value.value : PASSWORD),
      scrub: text => text,
    },
    commands: { run: async command => world.run!(command) },
    now: world.now ?? (() => 1000),
    ...(world.fetch === undefined ? {} : { fetch: world.fetch }),
  }).open(
    {
      measure: world.measure,
      provider: world.provider ?? router,
      target,
      interval: world.interval ?? 10_000,
    },
    new AbortController().signal,
  )

const read = (meter: Meter): Promise<Measurement> => meter.read(new AbortController().signal)
const measure = async (world: World): Promise<Measurement> => read(await open(world))

describe('the router', () => {
  const row = (requests: number, errors: number, more: Partial<Counters> = {}): Counters => ({
    component: target.component,
    side: 'canary',
    version: target.version,
    requests,
    errors,
    unanswered: 0,
    seconds: null,
    buckets: null,
    mirrored: 0,
    mismatched: 0,
    ...more,
  })

  /** Answers each look in turn; null: it fails. */
  const lookingAt = (...looks: readonly (readonly Counters[] | null)[]): Partial<Platform> => {
    const left = [...looks]
    return {
      counters: async () => {
        const rows = left.shift()
        if (rows === null || rows === undefined) throw new ReleaseError('router-gone', 'the router has gone')
        return rows
      },
    }
  }

  test('measures from one reading to the next', async () => {
    const platform = lookingAt([row(10, 10)], [row(20, 11)], [row(30, 16)], [row(30, 16)])
    const meter = await open({ measure: { kind: 'error-rate' }, platform })
    expect(await read(meter)).toEqual({ at: 1000, value: 0.1, requests: 10 })
    expect(await read(meter)).toEqual({ at: 1000, value: 0.5, requests: 10 })
    expect(await read(meter)).toEqual({ at: 1000, value: null, requests: 0 })
  })

  test('loses nothing by a reading that failed', async () => {
    const platform = lookingAt([row(0, 0)], null, [row(20, 5)])
    const meter = await open({ measure: { kind: 'error-rate' }, platform })
    expect(await read(meter)).toEqual({ at: 1000, value: null, error: 'the router has gone' })
    expect(await read(meter)).toEqual({ at: 1000, value: 0.25, requests: 20 })
  })

  test('that was not there at first has measured nothing by the time it is', async () => {
    const platform = lookingAt(null, [row(1000, 1000)], [row(1010, 1000)])
    const meter = await open({ measure: { kind: 'error-rate' }, platform })
    expect(await read(meter)).toEqual({ at: 1000, value: null })
    expect(await read(meter)).toEqual({ at: 1000, value: 0, requests: 10 })
  })

  test('counts a promoted canary as the stable side of its version', async () => {
    const promoted = row(50, 50, { side: 'stable' })
    const platform = lookingAt([row(10, 0), promoted], [row(20, 0), promoted])
    const meter = await open({ measure: { kind: 'error-rate' }, platform })
    expect(await read(meter)).toMatchObject({ value: 0, requests: 10 })
  })

  test('has no time that goes back, although the wall clock does', async () => {
    const times = [5000, 9000, 7000, 9500]
    const platform = lookingAt([], [row(10, 0)], [row(20, 0)])
    const meter = await open({ measure: { kind: 'throughput' }, platform, now: () => times.shift() ?? 9500 })
    const [first, second] = [await read(meter), await read(meter)]
    expect(first.at).toBe(9000)
    expect(second.at).toBeGreaterThanOrEqual(9000)
  })

  test('knows what processes use', async () => {
    const usage = (cpuSeconds: number): Usage => ({
      side: 'canary',
      slot: 0,
      version: target.version,
      cpuSeconds,
      memoryBytes: 4096,
    })
    const looks = [[usage(10)], [usage(11)]]
    const times = [1000, 5000]
    const cpu = await open({
      measure: { kind: 'cpu' },
      platform: { usage: async () => looks.shift()! },
      now: () => (times.length > 1 ? times.shift()! : times[0]!),
    })
    expect(await read(cpu)).toEqual({ at: 5000, value: 0.25 })
    const platform = { usage: async () => [usage(0)] }
    expect(await measure({ measure: { kind: 'memory' }, platform })).toEqual({ at: 1000, value: 4096 })
  })

  test('refuses to be asked what it does not count', async () => {
    await expect(open({ measure: { kind: 'promql', query: 'up' } })).rejects.toMatchObject({
      code: 'measure-unknown',
    })
  })
})

describe('a command', () => {
  const printing = (output: string, exitCode: number | null = 0): World['run'] => {
    return () => ({ exitCode, signal: exitCode === null ? 'SIGKILL' : null, output, duration: 1 })
  }
  const command = { argv: ['measure', 'now'], cwd: '' }

  test.each<[output: string, value: number | null]>([
    ['42\n', 42],
    ['looking\r\n 0.5 \r\n\n', 0.5],
    ['-1.5e3', -1500],
    ['0', 0],
    ['', null],
    ['\n \n', null],
    ['NaN\n', null],
  ])('that prints %j measured %s', async (output, value) => {
    const measured = await measure({ measure: { kind: 'command', command }, run: printing(output)! })
    expect(measured).toEqual({ at: 1000, value })
  })

  test.each<[output: string, exitCode: number | null, error: string]>([
    ['12 orders', 0, 'the last line that "measure now" printed is no number: 12 orders'],
    ['0x10', 0, 'the last line that "measure now" printed is no number: 0x10'],
    ['Infinity', 0, 'the last line that "measure now" printed is no number: Infinity'],
    ['1e999', 0, 'the last line that "measure now" printed is no number: 1e999'],
    ['12\nno such table\n', 2, '"measure now" ended with exit code 2: no such table'],
    ['', null, '"measure now" was ended by SIGKILL'],
  ])('that prints %j and ends with %s is an error', async (output, exitCode, error) => {
    const measured = await measure({
      measure: { kind: 'command', command },
      run: printing(output, exitCode)!,
    })
    expect(measured).toEqual({ at: 1000, value: null, error })
  })

  test('gets what is filled in as parts of its arguments', async () => {
    let ran: PlanCommand | undefined
    const argv = ['measure', '{component}', '--of={environment}/{side}@{version}', '{window}', '{"a":{b}}']
    await measure({
      measure: { kind: 'command', command: { argv, cwd: 'tools' } },
      run: given => {
        ran = given
        return printing('1')!(given)
      },
    })
    expect(ran).toEqual({
      argv: ['measure', 'payment-service', '--of=production/canary@3.0.0', '10s', '{"a":{b}}'],
      cwd: 'tools',
    })
  })

  test('that cannot be started is an error', async () => {
    const run = (): never => {
      throw new ReleaseError('command-not-found', 'the program "measure" was not found')
    }
    expect(await measure({ measure: { kind: 'command', command }, run })).toEqual({
      at: 1000,
      value: null,
      error: 'the program "measure" was not found',
    })
  })
})

describe('a document over HTTP', () => {
  const answering = (body: string, status = 200): typeof fetch => {
    return async () => new Response(body, { status })
  }
  const json = (pointer: string, url = 'http://stats.example/queue'): PlanMeasure => ({
    kind: 'json',
    url: { value: url },
    pointer,
  })

  test.each<[pointer: string, value: unknown]>([
    ['', { a: [1, { 'b/c': 2, 'd~e': 3, '': 4 }], zero: 0 }],
    ['/a/0', 1],
    ['/a/1/b~1c', 2],
    ['/a/1/d~0e', 3],
    ['/a/1/', 4],
    ['/zero', 0],
    ['/a/2', undefined],
    ['/a/-', undefined],
    ['/a/00', undefined],
    ['/a/length', undefined],
    ['/constructor', undefined],
    ['/zero/0', undefined],
  ])('at %j', (pointer, value) => {
    const document = { a: [1, { 'b/c': 2, 'd~e': 3, '': 4 }], zero: 0 }
    expect(valueAt(document, pointer)).toEqual(value)
  })

  test.each<[body: string, status: number, pointer: string, expected: Partial<Measurement>]>([
    ['{"n": 7}', 200, '/n', { value: 7 }],
    ['7', 200, '', { value: 7 }],
    ['{"n": null}', 200, '/n', { value: null }],
    ['{}', 200, '/n', { value: null }],
    ['{"n": "7"}', 200, '/n', { error: 'http://stats.example/queue has a string at /n, no number' }],
    ['{"n": [7]}', 200, '/n', { error: 'http://stats.example/queue has a list at /n, no number' }],
    ['<html>', 200, '/n', { error: 'http://stats.example/queue answered with something that is no JSON' }],
    ['{"n": 7}', 500, '/n', { error: 'http://stats.example/queue answered 500' }],
    ['', 302, '/n', { error: 'http://stats.example/queue answered 302, and a redirect is not followed' }],
    ['{}', 200, 'n', { error: '"n" is no JSON Pointer' }],
  ])('%j with status %d, at %j', async (body, status, pointer, expected) => {
    const measured = await measure({ measure: json(pointer), fetch: answering(body, status) })
    expect(measured).toEqual({ at: 1000, value: null, ...expected })
  })

  test('is asked at the address with what is filled in', async () => {
    const asked: string[] = []
    const fetched: typeof fetch = async input => {
      asked.push(String(input))
      return new Response('1')
    }
    await measure({
      measure: json('', 'http://stats.example/{component}/{version}?w={window}'),
      fetch: fetched,
    })
    expect(asked).toEqual(['http://stats.example/payment-service/3.0.0?w=10s'])
  })

  test('that is too long is an error, and not read to its end', async () => {
    let sent = 0
    const endless = new ReadableStream<Uint8Array>({
      pull: controller => {
        sent += 1
        controller.enqueue(new Uint8Array(1 << 20))
      },
    })
    const { error } = await measure({ measure: json(''), fetch: async () => new Response(endless) })
    expect(error).toBe('http://stats.example/queue answered with more than 16 MiB')
    expect(sent).toBeLessThan(20)
  })

  test('tells nothing of a password, a token or an address that is a secret', async () => {
    const failing: typeof fetch = async () => {
      throw new TypeError(`fetch failed: ${PASSWORD}`, { cause: { code: 'ECONNRESET' } })
    }
    const url = `https://u:${PASSWORD}@stats.example/queue?token=${PASSWORD}`
    const { error } = await measure({ measure: json('', url), fetch: failing })
    expect(error).toBe('https://stats.example/queue?… could not be reached (ECONNRESET)')
    const secret = { kind: 'json', url: { secret: 'STATS' }, pointer: '' } as const
    const secrets = { resolve: async () => url, scrub: (text: string) => text }
    expect((await measure({ measure: secret, fetch: failing, secrets })).error).toBe(
      'the address in the secret STATS could not be reached (ECONNRESET)',
    )
    expect((await measure({ measure: secret })).error).toBe(
      'the address of the document that is measured at its root is no http or https address',
    )
  })

  test('is asked with the credentials of its address', async () => {
    let authorization: string | null = null
    const fetched: typeof fetch = async (input, init) => {
      expect(String(input)).not.toContain(PASSWORD)
      authorization = new Headers(init?.headers).get('authorization')
      return new Response('1')
    }
    await measure({ measure: json('', `http://u%40x:${PASSWORD}@stats.example/`), fetch: fetched })
    expect(authorization).toBe(`Basic ${Buffer.from(`u@x:${PASSWORD}`).toString('base64')}`)
  })

  test('whose secret is missing is an error that says so', async () => {
    const secrets = {
      resolve: () => Promise.reject(new ReleaseError('secret-missing', 'the secret STATS is missing')),
      scrub: (text: string) => text,
    }
    expect(await measure({ measure: json(''), secrets })).toMatchObject({
      error: 'the secret STATS is missing',
    })
  })
})

describe('Prometheus', () => {
  interface Answers {
    readonly value?: string
    readonly targets?: Response
    readonly sources?: readonly { readonly instance: string; readonly up: string }[]
  }
  const queries: { query: string; time: string; url: string }[] = []
  const vector = (result: unknown): Response =>
    Response.json({ status: 'success', data: { resultType: 'vector', result } })

  /** Answers as Prometheus does: the check of targets, the list of targets, and any other query with `value`. */
  const answering =
    ({ value = '1', targets = new Response('', { status: 404 }), sources = [] }: Answers): typeof fetch =>
    async (input, init) => {
      const url = String(input)
      if (url.includes('/api/v1/targets')) return targets.clone()
      const form = init!.body as URLSearchParams
      const query = form.get('query')!
      if (query.startsWith('up and on'))
        return vector(
          sources.map(({ instance, up }) => ({ metric: { job: 'payment', instance }, value: [0, up] })),
        )
      queries.push({ query, time: form.get('time')!, url })
      return vector([{ metric: {}, value: [0, value] }])
    }

  const counted: PlanMeasure = { kind: 'promql', query: 'sum(rate(x{c="{component}"}[{window}]))' }
  const sources = [{ instance: 'a:1', up: '1' }]
  const everySecond = (): Response =>
    Response.json({
      status: 'success',
      data: {
        activeTargets: [
          { labels: { job: 'payment', instance: 'a:1' }, scrapeInterval: '15s' },
          { labels: { job: 'other', instance: 'a:2' }, scrapeInterval: '10m' },
        ],
      },
    })

  test('is asked for this moment, below the path of its address, and with its token', async () => {
    queries.length = 0
    const measured = await measure({
      measure: { kind: 'promql', query: 'load{c="{component}"}' },
      provider: prometheus,
      now: () => 1234,
      fetch: answering({}),
    })
    expect(measured).toEqual({ at: 1234, value: 1 })
    expect(queries).toEqual([
      {
        query: 'load{c="payment-service"}',
        time: '1.234',
        url: `http://prometheus.example:9090/prefix/api/v1/query?token=${PASSWORD}`,
      },
    ])
  })

  /** The windows that were asked for by readings so many milliseconds after the opening. */
  async function windowsAt(times: readonly number[], answers: Answers): Promise<readonly (string | null)[]> {
    let time = 1_000_000
    const meter = await open({
      measure: counted,
      provider: prometheus,
      now: () => time,
      fetch: answering(answers),
    })
    const windows: (string | null)[] = []
    for (const after of times) {
      queries.length = 0
      time = 1_000_000 + after
      const { value } = await read(meter)
      windows.push(/\[(\w+)\]/.exec(queries[0]?.query ?? '')?.[1] ?? null)
      expect(value === null).toBe(windows.at(-1) === null)
    }
    return windows
  }

  test('is asked for the interval, which never reaches back before the opening', async () => {
    expect(await windowsAt([0, 2500, 10_000, 60_000], {})).toEqual([null, '2500ms', '10s', '10s'])
  })

  test('is asked for as much as two scrapes need, as its targets are scraped', async () => {
    const answers = { targets: everySecond(), sources }
    expect(await windowsAt([10_000, 44_999, 45_000, 90_000], answers)).toEqual([null, null, '45s', '45s'])
  })

  test('is asked for requests only where a share rests on them, and none counts twice', async () => {
    let time = 0
    const meter = await open({
      measure: { kind: 'throughput' },
      provider: prometheus,
      interval: 10_000,
      now: () => time,
      fetch: answering({ value: '0.25', targets: everySecond(), sources }),
    })
    const counts: (number | undefined)[] = []
    for (time = 10_000; time <= 90_000; time += 10_000) counts.push((await read(meter)).requests)
    // A quarter of a request a second, of 45 s at first and of 10 s each time after.
    expect(counts).toEqual([undefined, undefined, undefined, undefined, 11, 3, 2, 3, 2])
  })

  test('whose target is down is an error', async () => {
    const down = [...sources, { instance: 'b:1', up: '0' }]
    const measured = await measure({
      measure: { kind: 'promql', query: 'max(load)' },
      provider: prometheus,
      fetch: answering({ sources: down }),
    })
    expect(measured).toEqual({
      at: 1000,
      value: null,
      error: 'Prometheus cannot reach payment at b:1, which the query is about',
    })
  })

  test.each<[answer: () => Response, error: string]>([
    [
      () => new Response('no', { status: 401 }),
      "Prometheus at http://prometheus.example:9090/prefix/?… answered 401 with nothing of Prometheus's own",
    ],
    [
      () => Response.json({ status: 'error', errorType: 'timeout', error: 'too slow' }, { status: 503 }),
      'Prometheus at http://prometheus.example:9090/prefix/?… refused the query: too slow (timeout)',
    ],
  ])('that refuses is an error', async (answer, error) => {
    const measured = await measure({ measure: counted, provider: prometheus, fetch: async () => answer() })
    expect(measured).toEqual({ at: 1000, value: null, error })
  })

  test('has its errors scrubbed of secrets', async () => {
    const measured = await measure({
      measure: { kind: 'promql', query: 'x' },
      provider: { kind: 'prometheus', url: { secret: 'PROM' }, queries: {} },
      secrets: {
        resolve: async () => 'http://prometheus.example',
        scrub: text => text.replaceAll(PASSWORD, '[secret PROM]'),
      },
      fetch: async () => Response.json({ status: 'error', errorType: 'bad_data', error: `no ${PASSWORD}` }),
    })
    expect(measured.error).toBe(
      'Prometheus at the address in the secret PROM refused the query: no [secret PROM] (bad_data)',
    )
  })
})

describe('the selectors of a query', () => {
  test.each<[query: string, selectors: readonly string[], range: number]>([
    ['up', [], 0],
    ['load', ['load'], 0],
    ['sum(rate(http_requests_total{code=~"5.."}[5m]))', ['http_requests_total{code=~"5.."}'], 300_000],
    ['sum by (job, le) (rate(a[1m])) / on (job) group_left (x) b', ['a', 'b'], 60_000],
    ['sum(a) by (job)', ['a'], 0],
    ['topk(3, a) > bool 1 and b unless c or d', ['a', 'b', 'c', 'd'], 0],
    ["a{x=\"}[1h]\"} + a{x='\\'{b}'} # c", ['a{x="}[1h]"}', "a{x='\\'{b}'}"], 0],
    ['{__name__=~"a|b", x="y"}', ['{__name__=~"a|b",x="y"}'], 0],
    ['max_over_time(rate(a[30s])[1h30m:1m]) offset 5m', ['a'], 5_400_000],
    ['vector(1) * 1e3 + 0x1F - Inf + time()', [], 0],
    ['job:errors:rate5m > 0.5', ['job:errors:rate5m'], 0],
    ['a{x=`\\`} + a{x=`\\`}', ['a{x=`\\`}'], 0],
    ['a{', ['a{'], 0],
  ])('%s', (query, selectors, range) => {
    expect(selectorsOf(query)).toEqual({ selectors, range })
  })

  test.each([
    ['15s', 15_000],
    ['1m30s', 90_000],
    ['1500ms', 1500],
    ['', 0],
  ])('a duration of %j is %d ms', (text, duration) => expect(durationOf(text)).toBe(duration))
})

describe('what is filled in', () => {
  const nasty = { ...target, component: 'a"b\'c\\d\ne', version: '1.0.0+x|y' }

  test('stays within the quotes of a query, whichever they are', () => {
    const filled = fillIn('x{c="{component}"}', { target: nasty, window: 1000 }, inQuotes)
    expect(filled).toBe('x{c="a\\x22b\\x27c\\x5cd\\x0ae"}')
  })

  test('means itself in a pattern', () => {
    expect(inPattern('1.0.0+x|y')).toBe('1\\x5c.0\\x5c.0\\x5c+x\\x5c|y')
  })

  test('is one part of an address', () => {
    expect(fillIn('http://x/{component}?v={version}', { target: nasty, window: 1000 }, inAddress)).toBe(
      "http://x/a%22b'c%5Cd%0Ae?v=1.0.0%2Bx%7Cy",
    )
  })

  test('are only the names that there are', () => {
    const text = '{side} {window} {quantile} {constructor} {x="{version}"}'
    expect(fillIn(text, { target, window: 1500 }, inQuotes)).toBe(
      'canary 1500ms {quantile} {constructor} {x="3.0.0"}',
    )
    expect(fillIn(text, { target, window: 90_000, quantile: 0.95 }, inQuotes)).toContain('90s 0.95')
  })

  test('is never a window of nothing', () => expect(promDuration(0.2)).toBe('1ms'))
})

test('the default queries', () => {
  const asked = { target, window: 10_000 }
  const all = [
    { kind: 'error-rate' } as const,
    { kind: 'availability' } as const,
    { kind: 'throughput' } as const,
    { kind: 'latency', quantile: 0.95 } as const,
    { kind: 'mismatch' } as const,
    { kind: 'cpu' } as const,
    { kind: 'memory' } as const,
  ]
  const labels = '{component="payment-service",environment=~"production|",side="canary",version="3.0.0"'
  const text = all.map(one => `${one.kind}: ${defaultQuery(one, asked).replaceAll(labels, '{…')}`).join('\n')
  expect(text).toMatchInlineSnapshot(`
    "error-rate: sum(rate(release_gateway_errors_total{…}[10s])) / sum(rate(release_gateway_requests_total{…}[10s])) or (sum(rate(http_requests_total{…,code=~"5.."}[10s])) or vector(0)) / sum(rate(http_requests_total{…}[10s]))
    availability: 1 - (sum(rate(release_gateway_unanswered_total{…}[10s])) or sum(rate(release_gateway_requests_total{…,code=~"50[234]"}[10s])) or vector(0)) / sum(rate(release_gateway_requests_total{…}[10s])) or 1 - (sum(rate(http_requests_total{…,code=~"50[234]"}[10s])) or vector(0)) / sum(rate(http_requests_total{…}[10s]))
    throughput: sum(rate(release_gateway_requests_total{…}[10s])) or sum(rate(http_requests_total{…}[10s]))
    latency: histogram_quantile(0.95, sum by (le) (rate(release_gateway_request_duration_seconds_bucket{…}[10s]))) or histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{…}[10s])))
    mismatch: sum(rate(release_gateway_mismatched_total{…}[10s])) / sum(rate(release_gateway_mirrored_total{…}[10s]))
    cpu: max(rate(process_cpu_seconds_total{…}[10s]))
    memory: max(process_resident_memory_bytes{…})"
  `)
  expect(defaultQuery({ kind: 'memory' }, { ...asked, target: { ...target, side: 'all' } })).toBe(
    'max(process_resident_memory_bytes{component="payment-service",environment=~"production|"})',
  )
})
