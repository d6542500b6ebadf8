/**
 * The orders in which a release is taken back, on real processes, and what is found afterwards.
 *
 *     sick     names of components whose 1.0.0 ends at its second health check, once each
 *     held     as long as it is there, the step `late` is not undone
 */
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { createProject, type TestProject } from '../rig/project.ts'
import { QUICK_HTTP } from '../rig/quick-http.ts'

const LONG = 300_000
const CLUSTER = 'orders'

const open: TestProject[] = []
afterEach(async () => {
  for (const project of open.splice(0)) await project.dispose()
})

const definition = (root: string, more: string): string => `
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { allAtOnce, environment, local, param, release, service } from 'release-as-code'

const version = param('version', { default: '2.0.0' })
const env = { PROJECT: '${root}' }
const health = { timeout: '30s', interval: '50ms' } as const
const a = service('a', { critical: true, env, health })
const b = service('b', { critical: true, needs: [a], env, health })
const on = local({ cluster: '${CLUSTER}' })
const staging = environment('staging', { on })
const production = environment('production', { on })

export default release('orders', { version, components: [a, b], params: [version] })
  .stage('staging', s => s.deploy([a, b], { to: staging, with: allAtOnce() }))
  .stage('production', s => s.deploy([a, b], { to: production, with: allAtOnce() }))
  .stage('late', s => s.step('late', () => 1, {
    idempotent: true,
    undo: async ({ signal }) => { while (existsSync('${root}/held') && !signal.aborted) await pause(20) },
  }))
  ${more}
`

const server = (name: string, version: string): string => `
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
${QUICK_HTTP}
const { PROJECT, PORT, HOST } = process.env
const file = PROJECT + '/sick'
const sick = () => existsSync(file) ? readFileSync(file, 'utf8').split(/\\s+/).filter(Boolean) : []
let checks = 0
const server = createServer((request, response) => {
  if (request.url === '/health') checks += 1
  if ('${version}' === '1.0.0' && checks > 1 && sick().includes('${name}')) {
    writeFileSync(file, sick().filter(name => name !== '${name}').join(' '))
    process.exit(9)
  }
  response.end('${name} ${version}')
})
server.listen(Number(PORT), HOST)
process.on('SIGTERM', () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`

/** 1.0.0 runs everywhere, and 2.0.0 was released over it. */
async function released(more = ''): Promise<{ project: TestProject; run: string }> {
  const files: Record<string, string> = {}
  for (const name of ['a', 'b']) {
    for (const version of ['1.0.0', '2.0.0']) {
      const folder = `release.config/${name}/${version}`
      files[`${folder}/package.json`] =
        `{ "name": "${name}", "version": "${version}", "type": "module", "scripts": { "start": "node server.js" } }\n`
      files[`${folder}/server.js`] = server(name, version)
    }
  }
  const project = createProject({ files })
  open.push(project)
  project.write('release.config.ts', definition(project.root, more))
  for (const version of ['1.0.0', '2.0.0']) {
    const { code, stderr } = await project.release(['run', '--param', `version=${version}`, '--yes'])
    expect(code, stderr).toBe(0)
  }
  return { project, run: project.runs().at(-1)! }
}

const platformOf = (project: TestProject) => localPlatform({ home: project.home, cluster: CLUSTER })

const liveOf = async (project: TestProject): Promise<string> => {
  const found = ['staging', 'production'].flatMap(environment =>
    ['a', 'b'].map(name => platformOf(project).observe(environment, name)),
  )
  return (await Promise.all(found))
    .map(({ instances }) => instances.map(i => `${i.revision.version}${i.healthy ? '' : ' ill'}`).join('+'))
    .join(' ')
}

/** What each rollback took back, in the order in which it was done: `production/b`. */
async function undone(project: TestProject, run: string): Promise<readonly string[]> {
  const ends = await project.eventsOf(run, 'node-succeeded')
  const keys = ends.flatMap(
    ({ node }) => /^rollback\/(\d+\/(?:staging|production)\/\w+)\//.exec(node)?.[1] ?? [],
  )
  return [...new Set(keys)]
}

describe('rollback --strategy', () => {
  test('staged: production first, seen to be as it was, and then staging', { timeout: LONG }, async () => {
    const { project, run } = await released()
    const dry = await project.release(['rollback', run, '--strategy', 'staged', '--dry-run'])
    expect(dry.code, dry.stderr).toBe(0)
    expect(dry.stdout).toContain('environment by environment, the last one first:')
    expect(dry.stdout.indexOf('production/b')).toBeLessThan(dry.stdout.indexOf('staging/b'))
    expect(dry.stdout).toContain('when what runs then is found to be as it was')
    expect(await liveOf(project)).toBe('2.0.0 2.0.0 2.0.0 2.0.0')
    const { code, stderr } = await project.release(['rollback', run, '--strategy', 'staged'])
    expect(code, stderr).toBe(0)
    expect(await liveOf(project)).toBe('1.0.0 1.0.0 1.0.0 1.0.0')
    expect(await undone(project, run)).toEqual([
      '1/production/b',
      '1/production/a',
      '2/staging/b',
      '2/staging/a',
    ])
    const finished = await project.eventsOf(run, 'rollback-finished')
    const places = finished.map(({ validated }) =>
      validated?.components
        .map(({ environment, component, ok }) => `${environment}/${component} ${ok}`)
        .sort(),
    )
    expect(places).toEqual([
      ['production/a true', 'production/b true'],
      ['staging/a true', 'staging/b true'],
    ])
  })

  test('immediate, as the definition says: one rollback for all', { timeout: LONG }, async () => {
    const { project, run } = await released(".onFailure('rollback-all', { rollback: 'immediate' })")
    const { code, stderr } = await project.release(['rollback', run])
    expect(code, stderr).toBe(0)
    const planned = await project.eventsOf(run, 'rollback-planned')
    expect(planned).toMatchObject([{ because: 'person', strategy: 'immediate' }])
    // Nothing waits for another component.
    const waits = planned[0]!.nodes.flatMap(({ undoes, after }) =>
      after.filter(key => key.split('/').slice(2, 4).join() !== undoes.split('/').slice(0, 2).join()),
    )
    expect(waits).toEqual([])
    expect(await liveOf(project)).toBe('1.0.0 1.0.0 1.0.0 1.0.0')
  })

  test('there are no others', { timeout: LONG }, async () => {
    const { project, run } = await released()
    const { code, stderr } = await project.release(['rollback', run, '--strategy', 'quick'])
    expect(code).toBe(2)
    expect(stderr).toContain('service-by-service, staged, immediate')
  })
})

test('what does not stay as it was is recovered, and both are on record', { timeout: LONG }, async () => {
  const { project, run } = await released()
  project.write('sick', 'a')
  const { code, stderr } = await project.release(['rollback', run, '--strategy', 'staged'])
  expect(code, stderr).toBe(0)
  expect(await liveOf(project)).toBe('1.0.0 1.0.0 1.0.0 1.0.0')
  const finished = await project.eventsOf(run, 'rollback-finished')
  const recoveries = finished.flatMap(({ validated }) => validated?.recoveries ?? [])
  expect(recoveries).toMatchObject([{ name: 'restart', component: 'a', outcome: 'mended' }])
  expect(finished.map(({ validated }) => validated?.ok)).toEqual([true, true])
  expect(stderr).toContain('restart: a in production')
  const { stdout } = await project.release(['report', run])
  expect(stdout).toContain('`restart` for a in production')
})

test('an old version whose files are gone stays, is said before, and the rest goes on', {
  timeout: LONG,
}, async () => {
  const { project, run } = await released()
  const [prepare] = (await project.eventsOf(run, 'node-succeeded')).filter(
    ({ node }) => node === 'production/b/prepare',
  )
  const { before } = prepare!.value as { before: { revision: { digest: string } }[] }
  forget(project, before[0]!.revision.digest)
  const dry = await project.release(['rollback', run, '--dry-run', '--json'])
  const told = JSON.parse(dry.stdout) as {
    infeasible: { node: string; reason: string }[]
    nodes: { undoes: string }[]
  }
  expect(told.infeasible.map(({ node }) => node)).toEqual(
    expect.arrayContaining([expect.stringMatching(/^production\/b\//)]),
  )
  expect(told.infeasible[0]!.reason).toContain('are no longer kept')
  expect(told.nodes.some(({ undoes }) => /\/b\//.test(undoes))).toBe(false)
  const { code, stderr } = await project.release(['rollback', run])
  expect(code, stderr).toBe(1)
  expect(stderr.indexOf('cannot be taken back and stays')).toBeLessThan(stderr.indexOf('rollback 1'))
  expect(await liveOf(project)).toBe('1.0.0 2.0.0 1.0.0 2.0.0')
  // What stays on purpose is as it should be.
  expect((await project.eventsOf(run, 'rollback-finished'))[0]!.validated).toMatchObject({ ok: true })
})

describe('rollback --within', () => {
  test('begins only while the release is young', { timeout: LONG }, async () => {
    const { project, run } = await released()
    const { code, stderr } = await project.release(['rollback', run, '--within', '1ms'])
    expect(code).toBe(2)
    expect(stderr).toContain('too-late')
    expect(await liveOf(project)).toBe('2.0.0 2.0.0 2.0.0 2.0.0')
    const quick = await project.release(['rollback', run, '--within', '10m'])
    expect(quick.code, quick.stderr).toBe(0)
  })

  test('takes no longer than that, and is gone on with', { timeout: LONG }, async () => {
    const { project, run } = await released()
    project.write('held', '')
    const { code, stderr } = await project.release(['rollback', run, '--within', '10s'])
    expect(code, stderr).toBe(1)
    expect(stderr).toContain(`release resume ${run}`)
    rmSync(join(project.root, 'held'))
    const resumed = await project.release(['resume', run])
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(await liveOf(project)).toBe('1.0.0 1.0.0 1.0.0 1.0.0')
  })
})

/** As if somebody had cleared the store. */
function forget(project: TestProject, digest: string): void {
  for (const folder of foldersNamed(project.home, digest)) {
    writable(folder)
    rmSync(folder, { recursive: true })
  }
}

const foldersNamed = (root: string, name: string): readonly string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isDirectory() && entry.name === name)
    .map(entry => join(entry.parentPath, entry.name))

function writable(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory() && existsSync(join(folder, entry.name))) writable(join(folder, entry.name))
  }
}
