/**
 * A real Prometheus on a free loopback port, which asks each of its targets every second; and targets for it.
 *
 * Boundary: knows nothing of measuring. Ends what it started, and leaves no folder behind.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
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
  /** Adds a target with these labels, and waits until it has been asked. */
  watch(exporter: Exporter, labels: Readonly<Record<string, string>>): Promise<void>
  /** The values that a query comes to now. */
  query(query: string): Promise<readonly number[]>
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
  dispose(): Promise<void>
}

export async function startExporter(): Promise<Exporter> {
  let text = ''
  const answer = (): Server =>
    createServer((_, response) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4')
      response.end(text)
    })
  let server = await listening(answer(), 0)
  const { port } = server.address() as AddressInfo
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

export async function startPrometheus(): Promise<PrometheusRig> {
  const folder = mkdtempSync(join(tmpdir(), 'release-prometheus-'))
  // JSON is YAML.
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config))
  writeFileSync(join(folder, 'targets.json'), '[]')
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
  const groups: { targets: string[]; labels: Readonly<Record<string, string>> }[] = []
  const query = (text: string): Promise<readonly number[]> => ask(url, text)
  await until('Prometheus answers', () => query('vector(1)').catch(() => null))
  return {
    url,
    query,
    watch: async ({ target }, labels) => {
      groups.push({ targets: [target], labels })
      // Renamed into place, so that it is never read half written.
      writeFileSync(join(folder, 'targets.new'), JSON.stringify(groups))
      renameSync(join(folder, 'targets.new'), join(folder, 'targets.json'))
      await until(
        `Prometheus asks ${target}`,
        async () => (await query(`up{instance="${target}"} == 1`)).length > 0,
      )
    },
    signal: name => {
      child.kill(name)
    },
    dispose: async () => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

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
