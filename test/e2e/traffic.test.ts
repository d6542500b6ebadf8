/**
 * Customers keep coming while a release goes on: every request is answered, and by a version that may answer.
 *
 * The load is bounded: each customer waits for an answer before asking again, and all stop when the work is done.
 */

import { Agent, request } from 'undici'
import { afterEach, describe, expect, test } from 'vitest'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { createProject, type Exit, type TestProject } from '../rig/project.ts'
import { QUICK_HTTP } from '../rig/quick-http.ts'
import { until } from '../rig/wait.ts'

const LONG = 180_000
const CUSTOMERS = 4
const CLUSTER = 'traffic'

const open: TestProject[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(project => project.dispose()))
})

/** 3.0.0 comes up well on its first instance and never on its second, so that a rollback has something to undo. */
const server = (version: string): string => `
${QUICK_HTTP}
const { PORT, HOST, RELEASE_SLOT } = process.env
const ill = '${version}' === '3.0.0' && RELEASE_SLOT === '1'
const server = createServer((request, response) => {
  if (request.url === '/health') return response.writeHead(ill ? 503 : 200).end()
  setTimeout(() => response.end('${version}'), 5)
})
server.listen(Number(PORT), HOST)
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`

const definition = `
import { environment, local, param, release, rolling, service } from 'release-as-code'
const version = param('version', { default: '1.0.0' })
const shop = service('shop', { critical: true, instances: 2, health: { timeout: '8s', interval: '50ms' } })
const production = environment('production', { on: local({ cluster: '${CLUSTER}' }) })
export default release('traffic', { version, components: [shop], params: [version] })
  .stage('production', s => s.deploy([shop], { to: production, with: rolling({ batch: 1 }) }))
`

const shopProject = async (): Promise<{ project: TestProject; gateway: string }> => {
  const files: Record<string, string> = { 'release.config.ts': definition }
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) {
    const folder = `release.config/shop/${version}`
    files[`${folder}/server.js`] = server(version)
    files[`${folder}/package.json`] = '{ "type": "module", "scripts": { "start": "node server.js" } }\n'
  }
  const project = createProject({ files })
  open.push(project)
  const first = await deploy(project, '1.0.0')
  expect(first.code, first.stderr).toBe(0)
  return { project, gateway: await platformOf(project).gateway('production') }
}

const platformOf = (project: TestProject) => localPlatform({ home: project.home, cluster: CLUSTER })

const deploy = (project: TestProject, version: string): Promise<Exit> =>
  project.release(['run', '--param', `version=${version}`])

interface Seen {
  readonly answers: Readonly<Record<string, number>>
  /** What was no answer: a status, or an error of the connection. */
  readonly lost: readonly string[]
}

/** Does the work under customers. They are there before it begins and until it has ended. */
const underTraffic = async <T>(
  gateway: string,
  work: (served: () => number) => Promise<T>,
): Promise<[T, Seen]> => {
  const agent = new Agent({ connections: CUSTOMERS })
  const answers: Record<string, number> = {}
  const lost: string[] = []
  let served = 0
  let over = false
  const customer = async (): Promise<void> => {
    while (!over) {
      try {
        const { statusCode, body } = await request(`${gateway}/shop/`, { dispatcher: agent })
        const text = await body.text()
        if (statusCode === 200) answers[text] = (answers[text] ?? 0) + 1
        else lost.push(`${statusCode}: ${text}`)
      } catch (error) {
        lost.push(String(error))
      }
      served += 1
    }
  }
  const customers = Array.from({ length: CUSTOMERS }, customer)
  try {
    await until('customers are served', () => served > 20)
    return [await work(() => served), { answers, lost }]
  } finally {
    over = true
    await Promise.all(customers)
    await agent.close()
    console.log(`${served} requests, ${lost.length} lost, ${JSON.stringify(answers)}`)
  }
}

describe('no request is lost', () => {
  test(
    'while 2.0.0 replaces 1.0.0, one instance at a time',
    async () => {
      const { project, gateway } = await shopProject()
      const [exit, { answers, lost }] = await underTraffic(gateway, () => deploy(project, '2.0.0'))
      expect(exit.code, exit.stderr).toBe(0)
      expect(lost).toEqual([])
      expect(Object.keys(answers).sort()).toEqual(['1.0.0', '2.0.0'])
      const { instances } = await platformOf(project).observe('production', 'shop')
      expect(instances.map(({ revision }) => revision.version)).toEqual(['2.0.0', '2.0.0'])
    },
    LONG,
  )

  test(
    'while an instance is killed',
    async () => {
      const { project, gateway } = await shopProject()
      const { instances } = await platformOf(project).observe('production', 'shop')
      const [, { lost, answers }] = await underTraffic(gateway, async served => {
        process.kill(instances[0]!.pid, 'SIGKILL')
        const killedAt = served()
        await until('customers are served long after it', () => served() > killedAt + 200)
      })
      expect(lost).toEqual([])
      expect(answers['1.0.0']).toBeGreaterThan(200)
    },
    LONG,
  )

  test(
    'while 3.0.0, whose second instance never gets well, is rolled back',
    async () => {
      const { project, gateway } = await shopProject()
      const [exit, { answers, lost }] = await underTraffic(gateway, () => deploy(project, '3.0.0'))
      expect(exit.code, exit.stderr).toBe(1)
      expect(lost).toEqual([])
      // It had customers on its first instance before the second failed: the rollback took real traffic back.
      expect(answers['3.0.0']).toBeGreaterThan(0)
      expect(await project.eventsOf(exit.run, 'rollback-finished')).toHaveLength(1)
      const { instances } = await platformOf(project).observe('production', 'shop')
      expect(instances.map(({ revision, healthy, routed }) => [revision.version, healthy, routed])).toEqual([
        ['1.0.0', true, true],
        ['1.0.0', true, true],
      ])
    },
    LONG,
  )
})
