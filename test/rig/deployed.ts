/**
 * A release that deploys four small services on the local platform: `b` needs `a`, `d` needs `c`; `a` and `b` are
 * critical, `a` has two instances.
 *
 *     starts.log   a line for each instance that was started: `a 2.0.0 0` (component, version, slot)
 *     broken       names of components whose 2.0.0 ends at once; taking a name out mends it
 */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import type { FailurePolicy } from '../../src/plan/plan.ts'
import { createProject, type TestProject } from './project.ts'
import { QUICK_HTTP } from './quick-http.ts'

export const CLUSTER = 'test'
export const COMPONENTS = ['a', 'b', 'c', 'd'] as const
type Component = (typeof COMPONENTS)[number]

export interface DeployedOptions {
  readonly policy: FailurePolicy
  /** The components that it deploys; all if left out. */
  readonly components?: readonly Component[]
  /** The home of another project, to share its environments. */
  readonly home?: string
  /** More stages, as they are written; before the deployment and after it. */
  readonly before?: string
  readonly after?: string
}

const definition = (
  root: string,
  { policy, components = COMPONENTS, before = '', after = '' }: DeployedOptions,
) => `
import { command, environment, local, param, release, rolling, service } from 'release-as-code'

const version = param('version', { default: '2.0.0' })
const env = { PROJECT: '${root}' }
const health = { timeout: '30s', interval: '50ms' } as const
const a = service('a', { critical: true, instances: 2, env, health })
const b = service('b', { critical: true, needs: [a], env, health })
const c = service('c', { env, health })
const d = service('d', { needs: [c], env, health })
const production = environment('production', { on: local({ cluster: '${CLUSTER}' }) })

export const tool = command
export default release('deployed', { version, components: [a, b, c, d], params: [version] })
  ${before}
  .stage('production', s => s.deploy([${components.join(', ')}], { to: production, with: rolling({ batch: 1 }) }))
  ${after}
  .onFailure('${policy}')
`

const server = (name: string, version: string): string => `
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
${QUICK_HTTP}

const { PROJECT, PORT, HOST, RELEASE_SLOT } = process.env
appendFileSync(PROJECT + '/starts.log', '${name} ${version} ' + RELEASE_SLOT + '\\n')
const broken = existsSync(PROJECT + '/broken') ? readFileSync(PROJECT + '/broken', 'utf8').split(/\\s+/) : []
if ('${version}' === '2.0.0' && broken.includes('${name}')) process.exit(1)
const server = createServer((request, response) => response.end('${version}'))
server.listen(Number(PORT), HOST)
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`

/** Makes the project; nothing is deployed yet. */
export function deployedProject(options: DeployedOptions): TestProject {
  const files: Record<string, string> = {}
  for (const name of COMPONENTS) {
    for (const version of ['1.0.0', '2.0.0']) {
      const folder = `release.config/${name}/${version}`
      files[`${folder}/package.json`] =
        `{ "name": "${name}", "version": "${version}", "type": "module", "scripts": { "start": "node server.js" } }\n`
      files[`${folder}/server.js`] = server(name, version)
    }
  }
  const project = createProject({ files, ...(options.home === undefined ? {} : { home: options.home }) })
  project.write('release.config.ts', definition(project.root, options))
  return project
}

/** Another checkout of the same project, on the same machine. */
export function secondCheckout(first: TestProject): TestProject {
  const project = createProject({ files: {}, home: first.home })
  for (const path of ['release.config', 'release.config.ts']) {
    cpSync(join(first.root, path), join(project.root, path), { recursive: true })
  }
  return project
}

/** Deploys 1.0.0, so that there is something to go back to. @throws Error where that fails */
export async function deployFirst(project: TestProject): Promise<void> {
  const { code, stderr } = await project.release(['run', '--param', 'version=1.0.0'])
  if (code !== 0) throw new Error(`1.0.0 could not be deployed: ${stderr}`)
}

/** What runs, as the platform finds it: `a: 2.0.0 2.0.0` says two healthy instances that get traffic. */
export async function liveOf(project: TestProject): Promise<Readonly<Record<string, string>>> {
  const platform = localPlatform({ home: project.home, cluster: CLUSTER })
  const found = await Promise.all(
    COMPONENTS.map(async name => {
      const { instances } = await platform.observe('production', name)
      const versions = instances.map(
        ({ revision, healthy, routed }) =>
          `${revision.version}${healthy ? '' : ' ill'}${routed ? '' : ' unrouted'}`,
      )
      return [name, versions.join(' ')] as const
    }),
  )
  return Object.fromEntries(found)
}

/** How many instances of a version were started, by component and slot. */
export function startsOf(project: TestProject, version: string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const line of project.lines('starts.log')) {
    const [name, started, slot] = line.split(' ')
    if (started === version) counts[`${name}/${slot}`] = (counts[`${name}/${slot}`] ?? 0) + 1
  }
  return counts
}
