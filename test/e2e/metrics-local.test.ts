/**
 * Measurements of real requests: services on the local platform, asked through its gateway, measured by the gateway's
 * own counters and by a Prometheus that watches it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMetrics } from '../../runner/adapters/metrics/metrics.ts'
import type { Measurement } from '../../src/judge/measurement.ts'
import {
  ALL_STABLE,
  type MeasureTarget,
  type PlanMeasure,
  type PlanProvider,
  type Revision,
  type Side,
} from '../../src/plan/plan.ts'
import type { Meter, PlatformContext } from '../../src/run/ports.ts'
import { type LocalRig, localRig } from '../contract/local-rig.ts'
import { type PrometheusRig, prometheusMissing, startPrometheus } from '../rig/prometheus.ts'
import { until } from '../rig/wait.ts'

const component = 'shop'
const missing = prometheusMissing()
const never = new AbortController().signal
const context: PlatformContext = { signal: never, fence: 0, log: () => {}, secret: async () => '' }

let rig: LocalRig
let two: Revision
let gateway: string
let prometheus: PrometheusRig | undefined

beforeAll(async () => {
  rig = await localRig()
  two = { ...(await rig.revision('2.0.0')), component }
  const one = { ...(await rig.revision('1.0.0')), component }
  for (const [side, revision] of [
    ['stable', one],
    ['canary', two],
  ] as const) {
    const { environment } = rig
    await rig.platform.converge(
      { environment, component, side, from: 0, to: 1, revision, maxUnavailable: 0 },
      context,
    )
  }
  // Who says so gets the canary, and nobody else: each side gets exactly what a test sends it.
  const match = [{ kind: 'header', name: 'x-try', value: 'canary' }] as const
  await rig.platform.shift(rig.environment, component, { ...ALL_STABLE, match }, context)
  gateway = await rig.platform.gateway(rig.environment)
  if (missing !== null) return
  const watched = { target: new URL(gateway).host }
  prometheus = await startPrometheus([{ exporter: watched, labels: { __metrics_path__: '/-/metrics' } }])
})
afterAll(async () => {
  await prometheus?.dispose()
  await rig.dispose()
})

const send = async (side: Side, path: string, times: number): Promise<void> => {
  for (let left = times; left > 0; left -= 1) {
    const response = await fetch(`${gateway}/${component}${path}`, { headers: { 'x-try': side } })
    await response.arrayBuffer()
  }
}

const open = (
  measure: PlanMeasure,
  side: MeasureTarget['side'],
  version: string,
  provider?: PlanProvider,
): Promise<Meter> =>
  createMetrics({
    platform: () => rig.platform,
    secrets: { resolve: async value => ('value' in value ? value.value : ''), scrub: text => text },
    commands: { run: () => Promise.reject(new Error('no command is asked for here')) },
    now: Date.now,
  }).open(
    {
      measure,
      provider: provider ?? { kind: 'router' },
      target: { environment: rig.environment, component, side, version },
      interval: 1000,
    },
    never,
  )

const read = (meter: Meter): Promise<Measurement> => meter.read(never)

/** Reads until so many requests were measured: the gateway counts an answer a moment after its caller has it. */
async function readAll(meter: Meter, requests: number): Promise<readonly [value: number, requests: number]> {
  let seen = 0
  let weighted = 0
  await until(`${requests} requests are measured`, async () => {
    const measured = await read(meter)
    seen += measured.requests ?? 0
    weighted += (measured.value ?? 0) * (measured.requests ?? 0)
    return seen >= requests
  })
  return [weighted / seen, seen]
}

describe("the gateway's own counters", () => {
  test('tell the sides apart, and count each request once', async () => {
    const before = await open({ kind: 'error-rate' }, 'canary', '2.0.0')
    await send('canary', '/status?code=500', 3)
    await readAll(before, 3)
    const rate = { kind: 'error-rate' } as const
    const meters = await Promise.all([
      open(rate, 'stable', '1.0.0'),
      open(rate, 'canary', '2.0.0'),
      open(rate, 'all', '2.0.0'),
      open({ kind: 'availability' }, 'canary', '2.0.0'),
    ])
    await send('stable', '/', 20)
    await send('canary', '/', 30)
    await send('canary', '/status?code=500', 10)
    const counts = [20, 40, 60, 40]
    const measured = await Promise.all(meters.map((meter, index) => readAll(meter, counts[index]!)))
    const values = [0, 10 / 40, 10 / 60, 1]
    expect(measured).toEqual(values.map((value, index) => [expect.closeTo(value, 9), counts[index]]))
    expect((await Promise.all(meters.map(read))).map(({ value }) => value)).toEqual([null, null, null, null])
  })

  test('tell how long answers took, and processes what they use', async () => {
    const slow = await open({ kind: 'latency', quantile: 0.5 }, 'canary', '2.0.0')
    const busy = await open({ kind: 'cpu' }, 'canary', '2.0.0')
    const throughput = await open({ kind: 'throughput' }, 'canary', '2.0.0')
    await send('canary', '/slow?ms=120', 5)
    // All five are above the bound of 100 ms.
    expect((await readAll(slow, 5))[0]).toBeGreaterThan(100)
    const used = await until('processor time was used', async () => {
      await send('canary', '/', 50)
      const { value } = await read(busy)
      return value !== null && value > 0 && value
    })
    expect(used).toBeLessThan(2)
    expect((await read(throughput)).value).toBeGreaterThan(0)
    const memory = await read(await open({ kind: 'memory' }, 'canary', '2.0.0'))
    expect(memory.value).toBeGreaterThan(1 << 20)
    expect(memory.value).toBeLessThan(2 ** 30)
  })
})

test('a Prometheus that watches the gateway says the same', async ({ skip }) => {
  skip(missing !== null, missing ?? '')
  const provider: PlanProvider = { kind: 'prometheus', url: { value: prometheus!.url }, queries: {} }
  const asked: readonly (readonly [PlanMeasure, Side, string])[] = [
    [{ kind: 'error-rate' }, 'canary', '2.0.0'],
    [{ kind: 'error-rate' }, 'stable', '1.0.0'],
    [{ kind: 'availability' }, 'canary', '2.0.0'],
    [{ kind: 'latency', quantile: 0.95 }, 'stable', '1.0.0'],
    [{ kind: 'throughput' }, 'stable', '1.0.0'],
  ]
  const meters = await Promise.all(
    asked.map(([measure, side, version]) => open(measure, side, version, provider)),
  )
  const found: (Measurement | undefined)[] = []
  await until('all was measured', async () => {
    await send('canary', '/status?code=500', 2)
    await send('stable', '/', 2)
    for (const [index, meter] of meters.entries()) {
      const measured = await read(meter)
      if (measured.value !== null && measured.requests !== 0) found[index] ??= measured
    }
    return meters.every((_, index) => found[index] !== undefined)
  })
  expect(found.map(one => one!.value)).toEqual([1, 0, 1, expect.any(Number), expect.any(Number)])
  expect(found.every(one => one!.requests! > 0)).toBe(true)
})

test('a canary that was promoted goes on as the stable side of its version', async () => {
  const tried = await open({ kind: 'error-rate' }, 'canary', '2.0.0')
  const kept = await open({ kind: 'error-rate' }, 'stable', '2.0.0')
  await rig.platform.promote(
    { environment: rig.environment, component, revision: two, instances: 1 },
    context,
  )
  await send('stable', '/', 10)
  expect(await readAll(kept, 10)).toEqual([0, 10])
  expect(await read(tried)).toMatchObject({ value: null })
})
