/**
 * kill -9 during deployments and during their rollback, on the local platform.
 *
 * What is counted are the instances that were started: a crash may not start one twice. Each case begins where the
 * one before it ended, and releases the other of the two versions.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { verifyJournal } from '../../runner/journal/read.ts'
import { inLanes, KillCount, pointsOf, RandomMoments, tellingOf } from '../rig/crash.ts'
import { deployedProject, deployFirst, liveOf, startsOf } from '../rig/deployed.ts'
import type { TestProject } from '../rig/project.ts'

const HOUR = 3_600_000

const projects: TestProject[] = []
afterAll(async () => {
  await Promise.all(projects.map(project => project.dispose()))
})

/** Two projects in which 1.0.0 runs, and the points that a release of 2.0.0 or of 1.0.0 passes. */
const lanes = async (): Promise<readonly TestProject[]> => {
  const made = [1, 2].map(() => deployedProject({ policy: 'rollback-all', components: ['a', 'b'] }))
  projects.push(...made)
  await Promise.all(made.map(deployFirst))
  return made
}

const forget = (project: TestProject): void => rmSync(join(project.root, 'starts.log'), { force: true })

const next = async (project: TestProject): Promise<string> =>
  (await liveOf(project)).a === '2.0.0 2.0.0' ? '1.0.0' : '2.0.0'

interface Killed {
  readonly run: string
  readonly code: number | null
  readonly kills: number
}

/** Runs with a kill, and resumes until the run ends. */
const count = new KillCount()
afterAll(() => count.say('crashes of a deployment on the local platform'))

const survive = async (
  project: TestProject,
  version: string,
  kill: { readonly fault: string } | { readonly moments: RandomMoments; readonly most: number },
): Promise<Killed> => {
  const before = new Set(project.runs())
  for (let nth = 0, kills = 0; nth < 20; nth += 1) {
    const run = project.runs().find(id => !before.has(id))
    const args = run === undefined ? ['run', '--param', `version=${version}`] : ['resume', run]
    const running = project.start(args, 'fault' in kill && nth === 0 ? { fault: kill.fault } : {})
    const after = 'moments' in kill && nth < kill.most ? kill.moments.next() : undefined
    const timer = after === undefined ? undefined : setTimeout(() => running.kill('SIGKILL'), after)
    const { code, signal } = await running.exit.finally(() => clearTimeout(timer))
    if (signal !== 'SIGKILL' && after !== undefined && 'moments' in kill) kill.moments.tooLate()
    if (signal !== 'SIGKILL') return { run: run ?? project.runs().find(id => !before.has(id))!, code, kills }
    kills += 1
    count.total += 1
    const killed = project.runs().find(id => !before.has(id))
    const last = killed === undefined ? undefined : (await project.events(killed)).at(-1)
    if (killed !== undefined && last?.type === 'run-finished') {
      return { run: killed, code: last.outcome === 'succeeded' ? 0 : 1, kills }
    }
  }
  throw new Error('it did not end in 20 launches')
}

const assertReleased = async (project: TestProject, ended: Killed, version: string): Promise<void> => {
  expect(ended.code).toBe(0)
  expect(await liveOf(project)).toEqual({ a: `${version} ${version}`, b: version, c: '', d: '' })
  expect(startsOf(project, version)).toEqual({ 'a/0': 1, 'a/1': 1, 'b/0': 1 })
  expect(instances(project)).toBe(3)
  await verifyJournal(join(project.folderOf(ended.run), 'journal.jsonl'))
}

/** Processes that are neither the gateway nor a command line: what was started for slots and still runs. */
const instances = (project: TestProject): number => project.instances().length

/** At random times: so many kills, in at most so many runs. */
const KILLS = 8
const MOST_RUNS = 30

describe('a deployment that is killed', () => {
  test(
    'at every record and effect ends with each instance started once',
    async () => {
      const made = await lanes()
      const [first] = made
      const { run } = await first!.release(['run'])
      const points = tellingOf(pointsOf(await first!.events(run)))
      expect(points.length).toBeGreaterThanOrEqual(23)
      await inLanes(made, points, async (project, point) => {
        const version = await next(project)
        forget(project)
        const ended = await survive(project, version, { fault: point })
        expect(ended.kills).toBe(1)
        await assertReleased(project, ended, version)
      })
    },
    HOUR,
  )

  test(
    'at random times, up to four times, ends with each instance started once',
    async () => {
      const made = await lanes()
      const moments = new RandomMoments(1, 1_400)
      let kills = 0
      await inLanes(made, Array.from({ length: MOST_RUNS }), async project => {
        if (kills >= KILLS) return
        const version = await next(project)
        forget(project)
        const ended = await survive(project, version, { moments, most: 4 })
        kills += ended.kills
        await assertReleased(project, ended, version)
      })
      expect(kills).toBeGreaterThanOrEqual(KILLS)
    },
    HOUR,
  )

  test(
    'at every record and effect of its rollback ends with the old version everywhere, though its source is gone',
    async () => {
      const made = await lanes()
      for (const project of made) {
        project.write('broken', 'b')
        rmSync(join(project.root, 'release.config/a/1.0.0'), { recursive: true })
        rmSync(join(project.root, 'release.config/b/1.0.0'), { recursive: true })
      }
      const [first] = made
      const { run, code } = await first!.release(['run'])
      expect(code).toBe(1)
      const all = pointsOf(await first!.events(run))
      const points = tellingOf(all.slice(all.indexOf('journal:before-append:node-failed:1')))
      expect(points.length).toBeGreaterThanOrEqual(13)
      await inLanes(made, points, async (project, point) => {
        forget(project)
        const ended = await survive(project, '2.0.0', { fault: point })
        expect(ended).toMatchObject({ code: 1, kills: 1 })
        expect(await liveOf(project)).toEqual({ a: '1.0.0 1.0.0', b: '1.0.0', c: '', d: '' })
        expect(startsOf(project, '1.0.0')).toEqual({ 'a/0': 1, 'a/1': 1 })
        expect(instances(project)).toBe(3)
        await verifyJournal(join(project.folderOf(ended.run), 'journal.jsonl'))
      })
    },
    HOUR,
  )
})
