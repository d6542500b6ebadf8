/**
 * Every strategy on every router, on real processes with a client that keeps asking: the way back. How it goes well is in
 * split.test.ts, where every answer is counted.
 */
import { execFileSync } from 'node:child_process'
import { afterEach, describe, expect, test } from 'vitest'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { haproxyKind } from '../../runner/adapters/routers/haproxy/haproxy.ts'
import { type CanariedOptions, CLUSTER, type Client, canariedProject, startClient } from '../rig/canaried.ts'
import type { TestProject } from '../rig/project.ts'

const LONG = 120_000

const isInstalled = (program: string): boolean => {
  try {
    execFileSync(program, ['-v'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const open: { project: TestProject; client: Client }[] = []
afterEach(async () => {
  for (const { client, project } of open.splice(0)) {
    await client.stop()
    await project.dispose()
  }
})

const ROUTERS = [
  { name: 'gateway', platform: `local({ cluster: '${CLUSTER}' })`, there: true },
  {
    name: 'haproxy',
    platform: `local({ cluster: '${CLUSTER}', router: haproxy() })`,
    there: isInstalled('haproxy'),
  },
]

const METRICS = `metrics: [errorRate({ minRequests: 10 }).below('1%')], interval: '250ms', patience: '10s'`

const STRATEGIES: Readonly<Record<string, string>> = {
  canary: `canary({ steps: [30, 100], every: '800ms', analysis: { ${METRICS} }, background: { ${METRICS} } })`,
  'canary with a baseline': `canary({ steps: [30, 100], every: '1500ms', baseline: true, analysis: { ${METRICS} } })`,
  'blue-green': `blueGreen({ keepOld: '1s', analysis: { ${METRICS} } })`,
  'ab-test': `abTest({ to: { percent: 40 }, for: '1s', primary: errorRate({ minRequests: 10 }).below('5%'), analysis: { ${METRICS} } })`,
  mirror: `mirror({ for: '1s', percent: 100, analysis: { metrics: [mismatch().below('100%')], interval: '250ms', patience: '10s' } })`,
}

const FAULTY: Readonly<Record<string, string>> = {
  ...STRATEGIES,
  mirror: `mirror({ for: '1s', percent: 100, analysis: { metrics: [mismatch().below('1%')], interval: '250ms', patience: '10s' } })`,
}

async function begin(options: CanariedOptions, router: (typeof ROUTERS)[number]) {
  const project = await canariedProject({ ...options, platform: router.platform })
  const platform = localPlatform({
    home: project.home,
    cluster: CLUSTER,
    ...(router.name === 'haproxy' ? { router: haproxyKind } : {}),
  })
  const client = startClient(await platform.gateway('production'), { perSecond: 120 })
  open.push({ project, client })
  const state = async (): Promise<string> => {
    const found = await Promise.all(['back', 'front'].map(name => platform.observe('production', name)))
    return found
      .map(
        ({ instances, traffic }) =>
          `${instances.map(i => `${i.side} ${i.revision.version}`).join(' ')} ${traffic.canary}%`,
      )
      .join(', ')
  }
  return { project, client, state }
}

const lost = ({ answers }: Client): number =>
  answers.filter(({ status }) => status === 0 || status > 500).length

for (const router of ROUTERS) {
  describe.skipIf(!router.there)(`on ${router.name}${router.there ? '' : ' (not installed)'}`, () => {
    const able = Object.keys(STRATEGIES).filter(name => router.name === 'gateway' || name !== 'mirror')

    test.each(able)('%s: what breaks is measured and taken back', { timeout: LONG }, async name => {
      const { project, client, state } = await begin({ strategy: FAULTY[name]! }, router)
      project.write('fault', 'back errors\n')
      const { code, stderr } = await project.release(['run', '--yes'])
      expect(code, stderr).toBe(1)
      expect(stderr).toContain(name === 'mirror' ? 'mismatch' : 'error rate')
      await client.stop()
      expect(lost(client)).toBe(0)
      if (name === 'mirror') expect(client.answers.filter(({ status }) => status !== 200)).toEqual([])
      expect(await state()).toBe('stable 1.0.0 0%, stable 1.0.0 0%')
    })
  })
}

test('an experiment that the new version does not win keeps the old one, and says so', {
  timeout: LONG,
}, async () => {
  const strategy = `abTest({ to: { percent: 40 }, for: '1s', primary: throughput().atLeast(100000), analysis: { ${METRICS} } })`
  const { project, client, state } = await begin({ strategy }, ROUTERS[0]!)
  const { code, stderr, stdout } = await project.release(['run', '--yes'])
  expect(code, stderr).toBe(0)
  expect(stdout + stderr).toContain('has not won')
  await client.stop()
  expect(client.answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(await state()).toBe('stable 1.0.0 0%, stable 1.0.0 0%')
})
