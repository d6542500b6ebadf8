/**
 * A release that divides traffic: `front` calls `back`, both on the local platform, with a client that keeps asking.
 *
 *     fault    how 2.0.0 misbehaves from now on, as `component kind`: `back errors`, `back slow`, `front dies`;
 *              `component@version kind` for another version
 *     asked    nothing is written by the services: who answered is in the answers' headers
 */
import { Agent, request } from 'undici'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { createProject, type TestProject } from './project.ts'
import { QUICK_HTTP } from './quick-http.ts'

export const CLUSTER = 'canaried'

export interface CanariedOptions {
  /** As it is written after `with:`, and what stands before and after in the same braces. */
  readonly strategy: string
  readonly order?: 'needs' | 'lockstep'
  readonly instances?: number
  /** What is imported besides, and the environment's options. */
  readonly environment?: string
  readonly platform?: string
  /** More stages, as they are written. */
  readonly after?: string
  readonly policy?: string
}

/** The definition, for a project whose folder is `root`. */
export const canariedDefinition = (root: string, options: CanariedOptions): string => `
import * as language from 'release-as-code'
const {
  abTest, allAtOnce, availability, blueGreen, canary, compare, cpu, environment, errorRate, haproxy, latency, local, memory,
  measured, mirror, mismatch, param, prometheus, promql, release, rolling, service, throughput,
} = language

const version = param('version', { default: '2.0.0' })
const env = { PROJECT: '${root}' }
const health = { timeout: '20s', interval: '50ms' } as const
const back = service('back', { critical: true, instances: ${options.instances ?? 1}, env, health })
const front = service('front', { critical: true, needs: [back], instances: ${options.instances ?? 1}, env, health })
const production = environment('production', { on: ${options.platform ?? `local({ cluster: '${CLUSTER}' })`}, ${options.environment ?? ''} })

export default release('canaried', { version, components: [back, front], params: [version] })
  .stage('production', s => s.deploy([back, front], {
    to: production, order: '${options.order ?? 'needs'}', with: ${options.strategy},
  }))
  ${options.after ?? ''}
  .onFailure('${options.policy ?? 'rollback-all'}')
`

const server = (name: string, version: string): string => `
import { existsSync, readFileSync } from 'node:fs'
${QUICK_HTTP}
const { PROJECT, PORT, HOST, RELEASE_GATEWAY } = process.env
const mine = ['${name}@${version} '${version === '2.0.0' ? `, '${name} '` : ''}]
const faults = () => existsSync(PROJECT + '/fault')
  ? readFileSync(PROJECT + '/fault', 'utf8').split('\\n').filter(line => mine.some(own => line.startsWith(own))).map(line => line.split(' ')[1])
  : []
const passed = headers => Object.fromEntries(['x-release-side', 'x-group'].flatMap(name => headers[name] ? [[name, headers[name]]] : []))
const fetched = (path, headers) => new Promise((resolve, reject) => {
  const asked = ask(RELEASE_GATEWAY + path, { headers: passed(headers) }, answer => {
    let text = ''
    answer.on('data', chunk => { text += chunk }).on('end', () => resolve({ status: answer.statusCode, text }))
  })
  asked.on('error', reject).end()
})
const server = createServer(async (incoming, outgoing) => {
  if (incoming.url === '/health') return outgoing.end('ok')
  const kinds = faults()
  if (kinds.includes('dies')) process.exit(9)
  if (kinds.includes('slow')) await new Promise(resolve => setTimeout(resolve, 300))
  if (kinds.includes('errors')) return outgoing.writeHead(500).end('${name} ${version}')
  const behind = '${name}' === 'front' ? await fetched('/back/', incoming.headers).catch(() => ({ status: 502, text: '' })) : { status: 200, text: '' }
  outgoing.writeHead(behind.status).end(('${name} ${version} ' + behind.text).trim())
})
server.listen(Number(PORT), HOST)
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`

/** Makes the project and brings 1.0.0 up, so that there is traffic to divide. @throws Error where that fails */
export async function canariedProject(options: CanariedOptions): Promise<TestProject> {
  const files: Record<string, string> = {}
  for (const name of ['back', 'front']) {
    for (const version of ['1.0.0', '2.0.0']) {
      const folder = `release.config/${name}/${version}`
      files[`${folder}/package.json`] =
        `{ "name": "${name}", "version": "${version}", "type": "module", "scripts": { "start": "node server.js" } }\n`
      files[`${folder}/server.js`] = server(name, version)
    }
  }
  const project = createProject({ files })
  project.write('release.config.ts', canariedDefinition(project.root, options))
  const { code, stderr, stdout } = await project.release(['run', '--param', 'version=1.0.0', '--yes'])
  if (code !== 0) throw new Error(`1.0.0 could not be deployed: ${stderr}${stdout}`)
  return project
}

export const platformOf = (project: TestProject) => localPlatform({ home: project.home, cluster: CLUSTER })

export interface Answer {
  readonly status: number
  /** `front 1.0.0 back 1.0.0` */
  readonly text: string
  readonly version: string
}

export interface Client {
  /** Every answer so far; status 0 is a request that got none. */
  readonly answers: Answer[]
  stop(): Promise<void>
}

/** Asks `front` at a steady rate, whether or not it has answered, until it is stopped or has asked `most` times. */
export function startClient(base: string, { perSecond = 100, most = 20_000 } = {}): Client {
  const agent = new Agent({ connections: 64 })
  const answers: Answer[] = []
  const pending = new Set<Promise<void>>()
  let sent = 0
  const started = performance.now()
  const ask = async (): Promise<void> => {
    try {
      const { statusCode, headers, body } = await request(`${base}/front/`, {
        dispatcher: agent,
        headersTimeout: 10_000,
      })
      const text = await body.text()
      answers.push({ status: statusCode, text, version: String(headers['x-release-version'] ?? '') })
    } catch {
      answers.push({ status: 0, text: '', version: '' })
    }
  }
  const timer = setInterval(() => {
    const due = Math.min(most, Math.floor(((performance.now() - started) / 1000) * perSecond))
    for (; sent < due; sent += 1) {
      const one: Promise<void> = ask().finally(() => pending.delete(one))
      pending.add(one)
    }
  }, 5)
  return {
    answers,
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      if (!agent.closed) await agent.close()
    },
  }
}
