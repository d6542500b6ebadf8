/**
 * The contract of measurements, applied to each provider: the router's counters, a real Prometheus, a document over
 * HTTP, a command.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processCommands } from '../../runner/adapters/commands/commands.ts'
import { freePort } from '../../runner/adapters/loopback/ports.ts'
import { createMetrics, type MetricsOptions } from '../../runner/adapters/metrics/metrics.ts'
import type { MeasureTarget, PlanMeasure, PlanProvider } from '../../src/plan/plan.ts'
import type { Commands, Counters, Meter, Platform } from '../../src/run/ports.ts'
import { createScrubber } from '../../src/run/scrub.ts'
import {
  type Exporter,
  type PrometheusRig,
  prometheusMissing,
  startExporter,
  startPrometheus,
} from '../rig/prometheus.ts'
import { until } from '../rig/wait.ts'
import { type CountingSource, metricsContract, type OpenOptions, type Source } from './metrics.ts'

const target: MeasureTarget = {
  environment: 'production',
  component: 'payment-service',
  side: 'canary',
  version: '3.0.0',
}

const noCommands: Commands = { run: () => Promise.reject(new Error('no command is asked for here')) }
const plainSecrets: MetricsOptions['secrets'] = {
  resolve: async value => ('value' in value ? value.value : Promise.reject(new Error('no secrets here'))),
  scrub: text => text,
}

interface Asked {
  readonly measure: PlanMeasure
  readonly provider?: PlanProvider
  readonly more?: Partial<MetricsOptions>
  readonly target?: MeasureTarget
}

const open = (asked: Asked, { timeout, signal }: OpenOptions = {}): Promise<Meter> =>
  createMetrics({
    platform: () => {
      throw new Error('no platform is asked for here')
    },
    secrets: plainSecrets,
    commands: noCommands,
    now: Date.now,
    ...asked.more,
    ...(timeout === undefined ? {} : { timeout }),
  }).open(
    {
      measure: asked.measure,
      provider: asked.provider ?? { kind: 'router' },
      target: asked.target ?? target,
      interval: 1000,
    },
    signal ?? new AbortController().signal,
  )

// ── the router ──────────────────────────────────────────────────────────────────────────────────

/** A platform that counts what it is told, and does nothing else. */
async function routerSource(): Promise<CountingSource> {
  let counted = { requests: 0, errors: 0 }
  let answers: 'all' | 'none' | 'never' = 'all'
  const row = (): Counters => ({
    component: target.component,
    side: 'canary',
    version: target.version,
    ...counted,
    unanswered: 0,
    seconds: null,
    buckets: null,
    mirrored: 0,
    mismatched: 0,
  })
  const counters: Platform['counters'] = () => {
    if (answers === 'never') return new Promise(() => {})
    return answers === 'all' ? Promise.resolve([row()]) : Promise.reject(new Error('ECONNREFUSED'))
  }
  const platform = (): Platform => ({ counters }) as unknown as Platform
  const count: CountingSource['count'] = async ({ requests, errors }) => {
    counted = { requests: counted.requests + requests, errors: counted.errors + errors }
  }
  return {
    open: options => open({ measure: { kind: 'error-rate' }, more: { platform } }, options),
    show: async value => {
      if (value !== null) await count({ requests: 100, errors: 100 * value })
    },
    break: async () => {
      answers = 'none'
    },
    mend: async () => {
      answers = 'all'
    },
    hang: async () => {
      answers = 'never'
    },
    count,
    setBack: () => {
      counted = { requests: 0, errors: 0 }
    },
    dispose: async () => {},
  }
}

metricsContract({ name: 'the router', make: routerSource, makeCounting: routerSource })

// ── Prometheus ──────────────────────────────────────────────────────────────────────────────────

/** All targets are there from the beginning: it takes Prometheus seconds to learn of another. One for each test. */
const SERVICES = Array.from({ length: 10 }, (_, index) => `service-${index + 1}`)

let prometheus: PrometheusRig
let watchers: Watched[] = []

interface Watched {
  readonly exporter: Exporter
  readonly component: string
}

async function startWatching(): Promise<void> {
  watchers = await Promise.all(
    SERVICES.map(async component => ({ component, exporter: await startExporter() })),
  )
  const { side, version } = target
  prometheus = await startPrometheus(
    watchers.map(({ exporter, component }) => ({ exporter, labels: { component, side, version } })),
  )
}

/** A component that no other test measures. */
function nextWatched(): Watched {
  const watched = watchers.pop()
  if (watched === undefined) throw new Error('there are more tests than services: add some')
  return watched
}

const openPrometheus = (component: string, measure: PlanMeasure, options?: OpenOptions): Promise<Meter> =>
  open(
    {
      measure,
      provider: { kind: 'prometheus', url: { value: prometheus.url }, queries: {} },
      target: { ...target, component },
    },
    options,
  )

const ends = (
  { exporter }: Watched,
  rig: PrometheusRig,
): Pick<Source, 'break' | 'mend' | 'hang' | 'dispose'> => ({
  // A Prometheus that is stopped still takes connections: it never answers.
  hang: () => rig.pause(),
  break: async () => {
    await exporter.stop()
    await until(
      'Prometheus sees that it is gone',
      async () => (await rig.query(`up{instance="${exporter.target}"} == 0`)).length > 0,
    )
  },
  mend: async () => {
    rig.goOn()
    await exporter.stop()
    await exporter.start()
    await until(
      'Prometheus sees that it is back',
      async () => (await rig.query(`up{instance="${exporter.target}"} == 1`)).length > 0,
    )
  },
  dispose: async () => {
    rig.goOn()
    await exporter.stop()
  },
})

async function gaugeSource(): Promise<Source> {
  const made = nextWatched()
  const { exporter, component } = made
  const query = 'max(load{component="{component}", side="{side}", version="{version}"})'
  return {
    ...ends(made, prometheus),
    open: options => openPrometheus(component, { kind: 'promql', query }, options),
    show: async value => {
      exporter.show(value === null ? '' : `load ${value}\n`)
      await until(`Prometheus says ${value}`, async () => {
        const [found = null] = await prometheus.query(`load{component="${component}"}`)
        return found === value
      })
    },
  }
}

async function counterSource(): Promise<CountingSource> {
  let counted = { requests: 0, errors: 0 }
  const text = (): string =>
    `http_requests_total{code="200"} ${counted.requests - counted.errors}\nhttp_requests_total{code="500"} ${counted.errors}\n`
  const made = nextWatched()
  const { exporter, component } = made
  return {
    ...ends(made, prometheus),
    open: options => openPrometheus(component, { kind: 'error-rate' }, options),
    show: () => Promise.reject(new Error('counts only')),
    count: async ({ requests, errors }) => {
      counted = { requests: counted.requests + requests, errors: counted.errors + errors }
      exporter.show(text())
      await until('Prometheus has read the counters', async () => {
        const [found] = await prometheus.query(`sum(http_requests_total{component="${component}"})`)
        return found === counted.requests
      })
    },
    setBack: () => {
      counted = { requests: 0, errors: 0 }
    },
  }
}

metricsContract({
  name: 'Prometheus',
  missing: prometheusMissing(),
  prepare: startWatching,
  finish: async () => {
    await prometheus.dispose()
    for (const { exporter } of watchers) await exporter.stop()
  },
  make: gaugeSource,
  makeCounting: counterSource,
})

// ── JSON over HTTP ──────────────────────────────────────────────────────────────────────────────

async function jsonSource(): Promise<Source> {
  let shown: number | null = null
  let hangs = false
  const server = createServer((request, response) => {
    if (hangs) return
    response.end(JSON.stringify(request.url === '/stats/payment-service' ? { queue: { length: shown } } : {}))
  })
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  // It is left and taken again, and nobody else is to have it meanwhile.
  const port = await freePort()
  await listen(port)
  const url = { value: `http://127.0.0.1:${port}/stats/{component}` }
  return {
    open: options => open({ measure: { kind: 'json', url, pointer: '/queue/length' } }, options),
    show: async value => {
      shown = value
    },
    break: close,
    mend: async () => {
      hangs = false
      if (!server.listening) await listen(port)
    },
    hang: async () => {
      hangs = true
    },
    dispose: close,
  }
}

metricsContract({ name: 'a document over HTTP', make: jsonSource })

// ── a command ───────────────────────────────────────────────────────────────────────────────────

async function commandSource(): Promise<Source> {
  const root = mkdtempSync(join(tmpdir(), 'release-metrics-'))
  const file = join(root, `${target.component}.txt`)
  const write = (text: string): void => {
    rmSync(file, { force: true })
    writeFileSync(file, text)
  }
  write('')
  const commands = processCommands({ root, secrets: { scrubber: () => createScrubber(() => []) } })
  const command = { argv: ['cat', '{component}.txt'], cwd: '' }
  return {
    open: options => open({ measure: { kind: 'command', command }, more: { commands } }, options),
    show: async value => write(value === null ? '' : `measured:\n${value}\n`),
    break: async () => rmSync(file, { force: true }),
    mend: async () => write(''),
    hang: async () => {
      rmSync(file, { force: true })
      // Nobody ever writes into it.
      spawnSync('mkfifo', [file])
    },
    dispose: async () => rmSync(root, { recursive: true, force: true }),
  }
}

metricsContract({ name: 'a command', make: commandSource })
