/**
 * The watch over a release that is done, on real processes with a client that keeps asking.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import guardSchema from '../../schemas/guard.schema.json' with { type: 'json' }
import type { GuardLine, GuardLineType } from '../../src/run/guard-record.ts'
import {
  type CanariedOptions,
  type Client,
  canariedProject,
  platformOf,
  startClient,
} from '../rig/canaried.ts'
import type { Running, TestProject } from '../rig/project.ts'
import { until } from '../rig/wait.ts'
import { compileSchema } from '../unit/schema-truth.ts'

const LONG = 300_000

const open: { project: TestProject; client: Client | null }[] = []
afterEach(async () => {
  for (const { client, project } of open.splice(0)) {
    await client?.stop()
    await project.dispose()
  }
})

const TRIGGER = `language.trigger(errorRate({ minRequests: 5 }).above('20%'), { period: '500ms', breaches: 2 })`
const GUARD = `.guard({ for: '60s', every: '250ms', triggers: [${TRIGGER}], anomalies: { points: 5 } })`

async function begin(
  options: Partial<CanariedOptions> = {},
): Promise<{ project: TestProject; client: Client }> {
  const project = await canariedProject({ strategy: 'allAtOnce()', after: GUARD, ...options })
  const client = startClient(await platformOf(project).gateway('production'), { perSecond: 80 })
  open.push({ project, client })
  return { project, client }
}

async function released(
  options: Partial<CanariedOptions> = {},
): Promise<{ project: TestProject; run: string }> {
  const { project } = await begin(options)
  const { code, stderr, run } = await project.release(['run', '--yes'])
  expect(code, stderr).toBe(0)
  return { project, run }
}

const versionsOf = async (project: TestProject): Promise<string> => {
  const found = await Promise.all(
    ['back', 'front'].map(name => platformOf(project).observe('production', name)),
  )
  return found
    .map(({ instances, traffic }) => {
      const all = instances.map(i => `${i.side} ${i.revision.version}${i.healthy && i.routed ? '' : ' ill'}`)
      return `${all.join(' ')} ${traffic.canary}%`
    })
    .join(', ')
}

const isRight = compileSchema(guardSchema)

/** Those of the guard's own lines; all of them by the schema. */
function linesOf<Type extends GuardLineType>(
  { stdout }: { readonly stdout: string },
  type: Type,
): readonly Extract<GuardLine, { type: Type }>[] {
  const lines = stdout
    .split('\n')
    .filter(text => text.startsWith('{"type":"guard-') || /^\{.*"type":"guard-/.test(text))
    .map(text => JSON.parse(text) as GuardLine)
  for (const line of lines) expect(isRight(line), JSON.stringify([line, isRight.errors])).toBe(true)
  return lines.filter((line): line is Extract<GuardLine, { type: Type }> => line.type === type)
}

const watches = (running: Running): Promise<true> =>
  until('a guard that measures', () => running.printed().includes('latency p95'))

describe('watch --guard', () => {
  test('a good release: its time is over, and nothing was taken back', { timeout: LONG }, async () => {
    const { project, run } = await released()
    const exit = await project.release(['watch', run, '--guard', '--for', '6s', '--json'])
    expect(exit.code, exit.stderr).toBe(0)
    const rounds = linesOf(exit, 'guard-round')
    expect(rounds.length).toBeGreaterThanOrEqual(3)
    const named = rounds.map(({ targets }) =>
      targets.map(target => [
        target.component,
        target.version,
        target.instances?.healthy,
        ...target.measured.map(({ name, value }) => `${name}${value === null ? ' –' : ''}`),
      ]),
    )
    const all = ['error rate', 'latency p95', 'throughput', 'cpu', 'memory']
    expect(named).toContainEqual([
      ['back', '2.0.0', 1, ...all],
      ['front', '2.0.0', 1, ...all],
    ])
    expect(linesOf(exit, 'guard-ended')).toMatchObject([{ outcome: 'quiet' }])
    expect(await project.eventsOf(run, 'rollback-planned')).toEqual([])
    const { stdout } = await project.release(['report', run])
    expect(stdout).toContain('its time was over, and nothing had to be taken back')
  })

  test('a trigger fires, later and without the source: all is taken back and said', {
    timeout: LONG,
  }, async () => {
    const { project, run } = await released()
    rmSync(join(project.root, 'release.config.ts'))
    rmSync(join(project.root, 'release.config'), { recursive: true })
    const guard = project.start(['watch', run, '--guard'])
    await watches(guard)
    project.write('fault', 'back errors\n')
    const { code, stderr } = await guard.exit
    expect(code, stderr).toBe(1)
    expect(await versionsOf(project)).toBe('stable 1.0.0 0%, stable 1.0.0 0%')
    const [planned] = await project.eventsOf(run, 'rollback-planned')
    expect(planned).toMatchObject({ because: 'guard', scope: { kind: 'all' } })
    const { breach } = planned!
    expect(breach).toMatchObject({ environment: 'production', measure: 'error rate', threshold: 0.2 })
    expect(breach!.expected).toBe('at most 20%')
    expect(breach!.measurements.filter(([, value]) => value !== null && value > 0.2).length).toBeGreaterThan(
      0,
    )
    const [finished] = await project.eventsOf(run, 'rollback-finished')
    expect(finished!.validated).toMatchObject({ ok: true, recoveries: [] })
    expect((await project.eventsOf(run, 'run-finished')).at(-1)).toMatchObject({ outcome: 'rolled-back' })
    // The one root cause comes first of what is said at the end.
    const end = stderr.slice(stderr.lastIndexOf(': the root cause') - 200)
    expect(end).toMatch(
      /(back|front) 2\.0\.0 in production: error rate .* is not at most 20%.*: the root cause/,
    )
    const { stdout } = await project.release(['report', run])
    expect(stdout).toContain('## Why the guard took it back')
    expect(stdout).toContain('## What runs since')
    expect(stdout).toContain('took the release back')
    expect((await project.release(['verify', run])).code).toBe(0)
    const again = await project.release(['watch', run, '--guard'])
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('another guard has taken the release back')
  })

  test('an instance that dies is restarted; what is stopped on purpose is not', {
    timeout: LONG,
  }, async () => {
    // Callers of what has died get errors until it is back: that is not to fire.
    const { project, run } = await released({ after: GUARD.replace("'500ms'", "'30s'") })
    const before = await platformOf(project).observe('production', 'front')
    const guard = project.start(['watch', run, '--guard', '--json'])
    await watches(guard)
    process.kill(before.instances[0]!.pid, 'SIGKILL')
    await until('a recovery', () => guard.printed().includes('guard-recovery'))
    guard.kill('SIGINT')
    const exit = await guard.exit
    expect(exit.code, exit.stderr).toBe(130)
    expect(linesOf(exit, 'guard-recovery')).toMatchObject([
      { name: 'restart', component: 'front', outcome: 'mended' },
    ])
    expect(await versionsOf(project)).toBe('stable 2.0.0 0%, stable 2.0.0 0%')
    // The next one goes on with the same time, and brings nothing back that is stopped on purpose.
    const next = project.start(['watch', run, '--guard', '--json'])
    await watches(next)
    const stopped = await project.release(['local', 'stop'])
    expect(stopped.code, stopped.stderr).toBe(0)
    const end = await next.exit
    expect(end.code, end.stderr).toBe(1)
    const [began, again] = [exit, end].map(each => linesOf(each, 'guard-started')[0]!)
    expect(again!.until).toBe(began!.until)
    expect(linesOf(end, 'guard-ended')).toMatchObject([
      { outcome: 'gone', reason: 'somebody has stopped back in production, front in production' },
    ])
    expect(await versionsOf(project)).toBe(' 0%,  0%')
  })

  test('two watch one run: one of them acts, and nothing is taken back twice', {
    timeout: LONG,
  }, async () => {
    const { project, run } = await released()
    const guards = [project.start(['watch', run, '--guard']), project.start(['watch', run, '--guard'])]
    await Promise.all(guards.map(watches))
    project.write('fault', 'front errors\n')
    const codes = (await Promise.all(guards.map(({ exit }) => exit))).map(({ code }) => code)
    // The other one waits for the run's lock, and finds then that the release stands no more.
    expect(codes).toEqual([1, 1])
    expect(await project.eventsOf(run, 'rollback-planned')).toHaveLength(1)
    expect(await versionsOf(project)).toBe('stable 1.0.0 0%, stable 1.0.0 0%')
  })

  test('a runner dies while traffic is divided: it goes back, and the run ends', {
    timeout: LONG,
  }, async () => {
    const strategy = `canary({ steps: [25, 100], every: '30s', analysis: { metrics: [errorRate({ minRequests: 10 }).below('1%')], interval: '250ms' } })`
    const { project } = await begin({ strategy })
    const dying = project.start(['run', '--yes'])
    await until('divided traffic', async () => {
      const { traffic } = await platformOf(project).observe('production', 'back')
      return traffic.canary === 25
    })
    dying.kill('SIGKILL')
    await dying.exit
    const run = project.runs().at(-1)!
    const exit = await project.release(['watch', run, '--guard', '--json'])
    expect(exit.code, exit.stderr).toBe(1)
    expect(linesOf(exit, 'guard-decided')).toMatchObject([{ components: ['back'] }])
    expect(await versionsOf(project)).toBe('stable 1.0.0 0%, stable 1.0.0 0%')
    expect(await project.eventsOf(run, 'rollback-planned')).toMatchObject([
      { because: 'guard', scope: { kind: 'traffic', components: ['back'] } },
    ])
    expect((await project.eventsOf(run, 'run-finished')).at(-1)).toMatchObject({ outcome: 'failed' })
  })

  test('what cannot be guarded is said, and nothing is changed', { timeout: LONG }, async () => {
    const { project, run } = await released({ after: '' })
    const exit = await project.release(['watch', run, '--guard'])
    expect(exit.code).toBe(2)
    expect(exit.stderr).toContain('no-guard')
  })
})
