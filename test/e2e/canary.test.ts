/**
 * Strategies that divide traffic, on real processes with a client that keeps asking.
 */
import { afterEach, describe, expect, test } from 'vitest'
import {
  type CanariedOptions,
  type Client,
  canariedProject,
  platformOf,
  startClient,
} from '../rig/canaried.ts'
import type { TestProject } from '../rig/project.ts'

const LONG = 120_000

const open: { project: TestProject; client: Client | null }[] = []
afterEach(async () => {
  for (const { client, project } of open.splice(0)) {
    await client?.stop()
    await project.dispose()
  }
})

const ANALYSIS = `{ metrics: [errorRate({ minRequests: 10 }).below('1%'), latency('p95').below('5s')], interval: '250ms', patience: '10s' }`
const CANARY = `canary({ steps: [25, 50, 100], every: '1s', analysis: ${ANALYSIS} })`

async function begin(
  options: CanariedOptions,
  traffic = true,
): Promise<{ project: TestProject; client: Client }> {
  const project = await canariedProject(options)
  const base = await platformOf(project).gateway('production')
  const client = startClient(base, { perSecond: traffic ? 120 : 0 })
  open.push({ project, client })
  return { project, client }
}

const versionsOf = async (project: TestProject): Promise<string> => {
  const found = await Promise.all(
    ['back', 'front'].map(name => platformOf(project).observe('production', name)),
  )
  return found
    .map(
      ({ instances, traffic }) =>
        `${instances.map(i => `${i.side} ${i.revision.version}`).join(' ')} ${traffic.canary}%`,
    )
    .join(', ')
}

const failuresOf = (client: Client): number => client.answers.filter(answer => answer.status !== 200).length

describe('canary', () => {
  test.each(['needs', 'lockstep'] as const)(
    'a good version takes over: order %s',
    { timeout: LONG },
    async order => {
      const { project, client } = await begin({ strategy: CANARY, order })
      const { code, stderr, stdout } = await project.release(['run', '--yes'])
      expect(code, stderr + stdout).toBe(0)
      await client.stop()
      expect(failuresOf(client)).toBe(0)
      expect(await versionsOf(project)).toBe('stable 2.0.0 0%, stable 2.0.0 0%')
      if (order === 'lockstep') expect(client.answers.filter(({ text }) => isMixed(text))).toEqual([])
    },
  )

  test.each(['needs', 'lockstep'] as const)(
    'errors are measured and taken back: order %s',
    { timeout: LONG },
    async order => {
      const { project, client } = await begin({ strategy: CANARY, order })
      project.write('fault', 'back errors\n')
      const { code, stderr } = await project.release(['run', '--yes'])
      expect(code, stderr).toBe(1)
      expect(stderr).toContain('error rate')
      await client.stop()
      expect(await versionsOf(project)).toBe('stable 1.0.0 0%, stable 1.0.0 0%')
      // Whoever was not on the canary saw nothing of it.
      const bad = client.answers.filter(({ status }) => status !== 200)
      expect(bad.length).toBeLessThan(client.answers.length * 0.3)
      if (order === 'lockstep') expect(bad.filter(({ version }) => version !== '2.0.0')).toEqual([])
    },
  )

  test('without traffic it does not pass', { timeout: LONG }, async () => {
    const strategy = CANARY.replace("patience: '10s'", "patience: '2s'")
    const { project } = await begin({ strategy }, false)
    const { code, stderr } = await project.release(['run', '--yes'])
    expect(code, stderr).toBe(1)
    expect(stderr).toContain('no data')
    expect(await versionsOf(project)).toBe('stable 1.0.0 0%, stable 1.0.0 0%')
  })
})

/** In lockstep a request meets one version all the way. */
const isMixed = (text: string): boolean => text.includes('1.0.0') && text.includes('2.0.0')
