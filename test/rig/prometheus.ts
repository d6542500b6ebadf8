/**
 * A real Prometheus on a free loopback port, which asks each of its targets every second; and targets for it.
 *
 * Boundary: knows nothing of measuring. Ends what it started, and leaves no folder behind.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '../../runner/adapters/loopback/ports.ts'
import { until } from './wait.ts'

/** Why the tests that need a Prometheus cannot run here; null where they can. */
export const prometheusMissing = (): string | null =>
  spawnSync('prometheus', ['--version']).status === 0
    ? null
    : 'prometheus is not installed (test/toolchain/install-debian.sh prometheus)'

/** Something that Prometheus asks: `text` in Prometheus's exposition format. */
export interface Exporter {
  /** `127.0.0.1:40123`. */
  readonly target: string
  show(text: string): void
  /** Answers no more: connections to it are refused. */
  stop(): Promise<void>
  /** Answers again, at the same port. */
  start(): Promise<void>
}

export interface PrometheusRig {
  readonly url: string
  readonly pid: number
  /** The values that a query comes to now. */
  query(query: string): Promise<readonly number[]>
  /** Takes requests and answers none, until `goOn`. */
  pause(): Promise<void>
  goOn(): void
  dispose(): Promise<void>
}

export async function startExporter(): Promise<Exporter> {
  let text = ''
  const answer = (): Server =>
    createServer((_, response) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4')
      response.end(text)
    })
  // It is left and taken again, and nobody else is to have it meanwhile.
  const port = await freePort()
  let server = await listening(answer(), port)
  return {
    target: `127.0.0.1:${port}`,
    show: shown => {
      text = shown
    },
    stop: async () => {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
    start: async () => {
      server = await listening(answer(), port)
    },
  }
}

async function listening(server: Server, port: number): Promise<Server> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

const config = {
  global: { scrape_interval: '1s', scrape_timeout: '1s' },
  scrape_configs: [
    { job_name: 'rig', file_sd_configs: [{ files: ['targets.json'], refresh_interval: '1s' }] },
  ],
}

/** What Prometheus asks, and the labels that all series of it get. */
export interface Target {
  readonly exporter: Pick<Exporter, 'target'>
  readonly labels: Readonly<Record<string, string>>
}

/** A Prometheus that asks the gateway at this address for what it counts. */
export const prometheusOf = (gateway: string): Promise<PrometheusRig> =>
  startPrometheus([
    { exporter: { target: new URL(gateway).host }, labels: { __metrics_path__: '/-/metrics' } },
  ])

/** Starts a Prometheus and waits until it has asked each of its targets. */
export async function startPrometheus(targets: readonly Target[]): Promise<PrometheusRig> {
  const folder = mkdtempSync(join(tmpdir(), 'release-prometheus-'))
  // JSON is YAML.
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config))
  writeFileSync(
    join(folder, 'targets.json'),
    JSON.stringify(targets.map(({ exporter, labels }) => ({ targets: [exporter.target], labels }))),
  )
  const child = spawn(
    'prometheus',
    [
      '--config.file=prometheus.yml',
      '--storage.tsdb.path=data',
      '--web.listen-address=127.0.0.1:0',
      '--log.format=json',
    ],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, GOMAXPROCS: '1' } },
  )
  const url = `http://${await addressOf(child)}`
  const query = (text: string): Promise<readonly number[]> => ask(url, text)
  await until('Prometheus has asked all its targets', async () => {
    const up = await query('count(up == 1)').catch(() => [])
    return (up[0] ?? 0) === targets.length
  })
  return {
    url,
    pid: child.pid!,
    query,
    pause: async () => {
      child.kill('SIGSTOP')
      await until('Prometheus stands still', () => statesOf(child.pid!).every(state => state === 'T'))
    },
    goOn: () => {
      child.kill('SIGCONT')
    },
    dispose: async () => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The state of each of its threads: a signal is delivered some time after it was sent. */
const statesOf = (pid: number): readonly string[] =>
  readdirSync(`/proc/${pid}/task`).map(thread => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
  })

/** As its log says: it chose the port itself. */
async function addressOf(child: ChildProcess): Promise<string> {
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stderr! })) {
    lines.push(line)
    const { msg, address } = JSON.parse(line) as { msg?: string; address?: string }
    if (msg !== 'Listening on' || address === undefined) continue
    // Nobody reads on: what it writes from now on must not fill the pipe.
    child.stderr!.resume()
    return address
  }
  throw new Error(`Prometheus did not start:\n${lines.join('\n')}`)
}

async function ask(url: string, query: string): Promise<readonly number[]> {
  const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`)
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
  return data.result.map(({ value }) => Number(value[1]))
}
