/** `release simulate` as a team runs it: holes with their lines, exit codes, samples, and durations of earlier runs. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Simulation } from '../../runner/simulate/simulate.ts'
import { createProject, type TestProject } from '../rig/project.ts'
import { QUICK_HTTP } from '../rig/quick-http.ts'

// Whole processes on a busy machine: only what hangs comes to this.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const definition = (undo: string) => `
import { canary, environment, errorRate, local, param, release, service } from 'release-as-code'

const version = param('version', { default: '2.0.0' })
const api = service('api', { critical: true, health: { timeout: '30s', interval: '50ms' } })
const production = environment('production', { on: local({ cluster: 'simulated' }) })

export default release('shop', { version, components: [api], params: [version] })
  .stage('migrate', s => s.step('migrate', () => ({ rows: 3 }), { idempotent: true, undo: ${undo} }))
  .stage('production', s =>
    s.deploy([api], {
      to: production,
      with: canary({ steps: [50, 100], every: '1m', analysis: [errorRate().below('1%')] }),
    }),
  )
`
/** Where it asks for the migration. */
const MIGRATION = 'release.config.ts:9:28'

const server = `
${QUICK_HTTP}
const server = createServer((request, response) => response.end('well'))
server.listen(Number(process.env.PORT), process.env.HOST)
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`

let project: TestProject
beforeAll(() => {
  const files: Record<string, string> = { 'release.config.ts': definition('() => {}') }
  for (const version of ['1.0.0', '2.0.0']) {
    const folder = `release.config/api/${version}`
    files[`${folder}/package.json`] =
      `{ "name": "api", "version": "${version}", "type": "module", "scripts": { "start": "node server.js" } }\n`
    files[`${folder}/server.js`] = server
  }
  project = createProject({ files })
})
afterAll(() => project.dispose())

const simulated = async (...args: readonly string[]): Promise<Simulation & { durations: object }> =>
  JSON.parse((await project.release(['simulate', '--json', ...args])).stdout)

test('a release without a hole, then with one, before and after it was run for real', async () => {
  const clean = await project.release(['simulate', '--most', '20'])
  expect(clean).toMatchObject({ code: 0, stderr: '' })
  expect(clean.stdout).toContain('There are no earlier runs: all durations are assumed.')
  expect(clean.stdout).toContain('✓ Every case that was tried ends')

  const first = await project.release(['run', '--param', 'version=1.0.0'])
  expect(first.code).toBe(0)
  project.write('release.config.ts', definition("'none'"))

  const holed = await project.release(['simulate', '--most', '20'])
  expect(holed.code).toBe(1)
  expect(holed.stdout).toMatch(/Durations: the median of one earlier run for \d+ nodes, assumed for \d+\./)
  expect(holed.stdout).toContain('✗ 1 hole:')
  expect(holed.stdout).toContain('freezes  migrate/migrate')
  expect(holed.stdout).toContain(`asked for at   ${MIGRATION}`)

  const few = await simulated('--most', '20', '--seeds', '2')
  const { kills, killsAfterFaults } = few.byKind
  expect(kills.tried + killsAfterFaults.tried).toBe(20)
  expect(kills.of + killsAfterFaults.of).toBeGreaterThan(100)
  expect(few.covered.seeds).toBe(2)
  expect(few.holes.map(({ kind, node }) => ({ kind, node }))).toEqual([
    { kind: 'freezes', node: 'migrate/migrate' },
  ])
  expect(few.holes[0]?.position).toMatchObject({ file: 'release.config.ts', line: 9 })

  // How long the migration took that day is how long it takes here; what an analysis watches is what it says.
  const events = await project.events(first.run)
  const at = (type: string) =>
    events.find(event => event.type === type && 'node' in event && event.node === 'migrate/migrate')!.at
  const took = (node: string) => {
    const { from, to } = few.timeline.find(span => span.node === node)!
    return to - from
  }
  expect(few.durations).toMatchObject({ runs: 1 })
  expect(took('migrate/migrate')).toBe(at('node-succeeded') - at('node-started'))
  expect(took('production/api/canary/50/analyse')).toBe(60_000)

  const wrong = await project.release(['simulate', '--most', 'none'])
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('--most none: a whole number from 1 was expected')
})
