/**
 * Whatever is killed in the middle of a canary release: a drawn sample of everything that can be, at all moments. What has
 * little to do with the router is drawn for one of them.
 *
 * `node test/storm/canary.ts` plays all of them; what has to hold afterwards is said in test/rig/chaos.ts. Of the kills
 * of the measures' source, here is the one that says most about it.
 */
import { afterAll, describe, expect, test, vi } from 'vitest'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { isLost, startCallers } from '../rig/callers.ts'
import { CLUSTER, canariedProject } from '../rig/canaried.ts'
import { openArena } from '../rig/chaos.ts'
import { type ChaosCase, nameOf, type RouterName } from '../rig/chaos-case.ts'
import { sampleOf } from '../rig/chaos-matrix.ts'
import { haproxyMissing } from '../rig/haproxy.ts'
import { answerHere } from '../rig/here.ts'
import { prometheusMissing, prometheusOf } from '../rig/prometheus.ts'
import { until } from '../rig/wait.ts'

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000 })

/** Kinds of which nothing is drawn, since they are drawn for the other router, or played below. */
const ELSEWHERE: Readonly<Record<RouterName, readonly string[]>> = {
  gateway: ['runner, taking back', 'runner, and nobody resumes', 'prometheus'],
  haproxy: ['runner', 'runner and router', 'canary'],
}

/** The same cases each time: what fails here can be played again. */
const SEED = 11
const EACH = 1

/**
 * All instances of the new version end before `back` gets its share: HAProxy would send it to the old version, and
 * there would be nothing to measure.
 */
const UNSEEN = {
  router: 'haproxy',
  order: 'needs',
  version: 'good',
  victim: 'canary',
  moment: { node: 'production/back/canary/50/start', at: 'done' },
} as const satisfies ChaosCase

const totals = { releases: 0, killed: 0, calls: 0, lost: 0 }
afterAll(() => {
  const { releases, killed, calls, lost } = totals
  console.log(
    `chaos: ${killed} processes killed in ${releases} releases, each ended whole; ${lost} of ${calls} requests lost, each while its router was away`,
  )
})

const missing = await haproxyMissing()
const ROUTERS: readonly { readonly name: RouterName; readonly missing: string | null }[] = [
  { name: 'gateway', missing: null },
  { name: 'haproxy', missing },
]

describe.each(ROUTERS)('on $name', { concurrent: true }, router => {
  test('every kind of kill leaves one version with all requests, and a record that is whole', async ({
    skip,
  }) => {
    skip(router.missing !== null, router.missing ?? '')
    const arena = await openArena(router.name)
    try {
      const cases = [
        ...sampleOf(router.name, { seed: SEED, each: EACH, without: ELSEWHERE[router.name] }),
        ...(router.name === 'haproxy' ? [UNSEEN] : []),
      ]
      const amiss: string[] = []
      for (const kase of cases) {
        const told = await arena.play(kase)
        totals.releases += 1
        totals.killed += told.killed
        totals.calls += told.calls
        totals.lost += told.lost
        amiss.push(...told.amiss.map(line => `${nameOf(kase)}: ${line}`))
      }
      expect(amiss).toEqual([])
      expect(totals.killed).toBeGreaterThan(0)
    } finally {
      await arena.dispose()
    }
  })
})

describe('the source of the measures', { concurrent: true }, () => {
  test('a Prometheus that is killed is no pass: the release is taken back, and nobody loses a request', async ({
    skip,
  }) => {
    const why = prometheusMissing()
    skip(why !== null, why ?? '')
    const project = await canariedProject({ strategy: 'allAtOnce()' })
    const platform = localPlatform({ home: project.home, cluster: CLUSTER })
    const base = await platform.gateway('production')
    const prometheus = await prometheusOf(base)
    const callers = startCallers(base, { perSecond: 60 })
    try {
      const written = project.read('release.config.ts')
      const strategy = `canary({ steps: [50, 100], every: '1m', analysis: { metrics: [errorRate({ minRequests: 10 }).below('5%')], interval: '500ms', patience: '20s' } })`
      project.write(
        'release.config.ts',
        written
          .replace('allAtOnce()', strategy)
          .replace(/(on: local\([^)]*\)),/, `$1, metrics: prometheus('${prometheus.url}'),`),
      )
      const running = project.start(['run', '--yes'])
      const run = await until('the run has its name', () => /^run (\S+)$/m.exec(running.printed())?.[1])
      const node = 'production/back/canary/50/analyse'
      await until('Prometheus was read', async () =>
        (await answerHere(project.root, ['logs', run, node])).stdout.includes('is below'),
      )
      await prometheus.dispose()
      const { code, stderr } = await running.exit
      expect(code, stderr).toBe(1)
      const failed = await project.eventsOf(run, 'node-failed')
      expect(failed.map(event => [event.node, event.failure.code])).toEqual([[node, 'analysis-failed']])
      expect(failed[0]!.failure.message).toContain('could not be measured')
      const { instances, traffic } = await platform.observe('production', 'back')
      expect([instances.map(({ side, revision }) => `${side} ${revision.version}`), traffic.canary]).toEqual([
        ['stable 1.0.0'],
        0,
      ])
      await callers.stop()
      expect(callers.calls.filter(isLost)).toEqual([])
    } finally {
      await callers.stop()
      await prometheus.dispose()
      await project.dispose()
    }
  })
})
