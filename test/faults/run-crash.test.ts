/**
 * kill -9 at every point of a run that tells, and what is left of it afterwards.
 *
 * Each case is one run of the real command line: killed at one point, resumed until it ends, and compared with a run
 * that nothing disturbed. Nothing is taken on trust: that the kill happened is asserted too.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { exitCodeOf } from '../../runner/execute.ts'
import { verifyJournal } from '../../runner/journal/read.ts'
import { countedProject, effectsOf, endState } from '../rig/counted.ts'
import { cutOff, inLanes, KillCount, pointsOf, RandomMoments, tellingOf, valuesOf } from '../rig/crash.ts'
import type { Exit, TestProject } from '../rig/project.ts'

const HOUR = 3_600_000

/** Nodes of the counted release, by the line that each performance of theirs leaves. */
const NODE_OF: Readonly<Record<string, string>> = {
  'gate lint': 'preflight/lint',
  'gate audit': 'preflight/audit',
  image: 'build/image',
  flaky: 'build/flaky',
  shard: 'build/shards',
  publish: 'publish/publish',
  summary: 'publish/summary',
  'undo summary': 'rollback/1/publish/summary',
  'undo publish': 'rollback/1/publish/publish',
  'undo shards': 'rollback/1/build/shards',
  'undo image': 'rollback/1/build/image',
}

const projects: TestProject[] = []
const killed = new KillCount()

afterAll(async () => {
  killed.say('crashes of a run without a platform')
  await Promise.all(projects.map(project => project.dispose()))
})

const lanes = (approval: boolean): readonly TestProject[] => {
  const made = [countedProject({ approval }), countedProject({ approval })]
  projects.push(...made)
  return made
}

const clean = (project: TestProject): void => {
  for (const path of ['effects.log', 'published.log', 'image', 'summary.json', 'failed-once', 'shards']) {
    rmSync(join(project.root, path), { recursive: true, force: true })
  }
}

interface Ended {
  readonly run: string
  readonly code: number | null
  readonly kills: number
}

interface Drive {
  /** Arguments of `run`. */
  readonly args?: readonly string[]
  /** Where the n-th process is killed, from 0; undefined: it is left alone. */
  readonly faults: (nth: number) => string | undefined
  /** When a process is killed from outside, up to so often; left out: not at all. */
  readonly outside?: { readonly moments: RandomMoments; readonly most: number }
}

/** Starts a run, resumes it as often as it is killed or left, approves what waits, until it ends. */
const drive = async (project: TestProject, { args = [], faults, outside }: Drive): Promise<Ended> => {
  clean(project)
  const before = new Set(project.runs())
  let kills = 0
  for (let nth = 0; nth < 40; nth += 1) {
    const run = project.runs().find(id => !before.has(id))
    const after = outside !== undefined && nth < outside.most ? outside.moments.next() : undefined
    const exit = await launch(project, run === undefined ? ['run', ...args] : ['resume', run], {
      fault: faults(nth),
      after,
    })
    if (exit.signal !== 'SIGKILL' && after !== undefined) outside?.moments.tooLate()
    if (exit.signal === 'SIGKILL') {
      kills += 1
      killed.total += 1
      const last = exit.run === '' ? undefined : (await project.events(exit.run)).at(-1)
      // There is nothing to resume: it was killed after its end.
      if (last?.type === 'run-finished') {
        return { run: exit.run, code: exitCodeOf({ type: 'finished', outcome: last.outcome }), kills }
      }
    } else if (exit.code === 3) await approve(project, run ?? exit.run)
    else return { run: run ?? exit.run, code: exit.code, kills }
  }
  throw new Error('it did not end in 40 launches')
}

const launch = async (
  project: TestProject,
  args: readonly string[],
  { fault, after }: { readonly fault: string | undefined; readonly after: number | undefined },
): Promise<Exit> => {
  const running = project.start(args, fault === undefined ? {} : { fault })
  const timer = after === undefined ? undefined : setTimeout(() => running.kill('SIGKILL'), after)
  return running.exit.finally(() => clearTimeout(timer))
}

const approve = async (project: TestProject, run: string): Promise<void> => {
  const { code, stderr } = await project.release(['approve', run, 'go-live', '--person', 'bob'])
  if (code !== 0) throw new Error(`the approval did not count: ${stderr}`)
}

interface Undisturbed {
  readonly state: Readonly<Record<string, string>>
  readonly values: Readonly<Record<string, unknown>>
  readonly effects: Readonly<Record<string, number>>
  readonly points: readonly string[]
  readonly code: number | null
}

const undisturbed = async (project: TestProject, args: readonly string[] = []): Promise<Undisturbed> => {
  const { run, code } = await drive(project, { args, faults: () => undefined })
  const events = await project.events(run)
  return {
    code,
    state: endState(project),
    values: valuesOf(events),
    effects: effectsOf(project),
    points: tellingOf(pointsOf(events)),
  }
}

/** The run ended as if nothing had happened, and did nothing that its contract does not allow. */
const assertSame = async (project: TestProject, ended: Ended, expected: Undisturbed): Promise<void> => {
  const events = await project.events(ended.run)
  expect(ended.code).toBe(expected.code)
  expect(endState(project)).toEqual(expected.state)
  expect(valuesOf(events)).toEqual(expected.values)
  const effects = effectsOf(project)
  expect(Object.keys(effects).sort()).toEqual(Object.keys(expected.effects).sort())
  for (const [effect, count] of Object.entries(expected.effects)) {
    // What can be observed happens exactly once; the rest again only where an attempt was cut off.
    const most = effect === 'publish' ? count : count + perAttempt(effect) * cutOff(events, NODE_OF[effect]!)
    expect(effects[effect], effect).toBeGreaterThanOrEqual(count)
    expect(effects[effect], effect).toBeLessThanOrEqual(most)
  }
  await verifyJournal(join(project.folderOf(ended.run), 'journal.jsonl'))
  expect(project.processes()).toEqual([])
}

const perAttempt = (effect: string): number => (effect === 'shard' ? 2 : 1)

/** At random times: so many kills, in at most so many runs. */
const KILLS = 16
const MOST_RUNS = 40

describe('a run that is killed', () => {
  test(
    'at every point goes on and ends as if it had not been',
    async () => {
      const made = lanes(false)
      const [expected] = await Promise.all(made.map(project => undisturbed(project)))
      expect(expected!.points.length).toBeGreaterThanOrEqual(28)
      await inLanes(made, expected!.points, async (project, point) => {
        const ended = await drive(project, { faults: nth => (nth === 0 ? point : undefined) })
        expect(ended.kills).toBe(1)
        await assertSame(project, ended, expected!)
      })
    },
    HOUR,
  )

  test(
    'at every point of its rollback ends with everything taken back',
    async () => {
      const made = lanes(false)
      const args = ['--param', 'fail=yes']
      const [expected] = await Promise.all(made.map(project => undisturbed(project, args)))
      expect(expected!.code).toBe(1)
      expect(expected!.state).toMatchObject({
        image: '',
        'published.log': '',
        'summary.json': '',
        'shards/a': '',
      })
      const points = expected!.points.slice(expected!.points.indexOf('journal:before-append:node-failed:1'))
      expect(points.length).toBeGreaterThanOrEqual(15)
      await inLanes(made, points, async (project, point) => {
        const ended = await drive(project, { args, faults: nth => (nth === 0 ? point : undefined) })
        expect(ended.kills).toBe(1)
        await assertSame(project, ended, expected!)
      })
    },
    HOUR,
  )

  test(
    'while a person takes it back goes on taking it back',
    async () => {
      const made = lanes(false)
      const asked = async (project: TestProject, fault?: string): Promise<Ended> => {
        const { run } = await drive(project, { faults: () => undefined })
        const before = (await project.events(run)).length
        const exit = await launch(project, ['rollback', run], { fault, after: undefined })
        if (exit.signal !== 'SIGKILL') return { run, code: exit.code, kills: 0 }
        killed.total += 1
        const events = (await project.events(run)).slice(before)
        const last = events.at(-1)
        if (last?.type === 'run-finished')
          return { run, code: exitCodeOf({ ...last, type: 'finished' }), kills: 1 }
        // Until the rollback is on record nothing is to be gone on with: the person says it again.
        const planned = events.some(event => event.type === 'rollback-planned')
        const { code } = await project.release([planned ? 'resume' : 'rollback', run])
        return { run, code, kills: 1 }
      }
      const first = await asked(made[0]!)
      expect(first.code).toBe(0)
      const all = await made[0]!.events(first.run)
      const expected = {
        code: 0,
        state: endState(made[0]!),
        values: valuesOf(all),
        effects: effectsOf(made[0]!),
        points: tellingOf(pointsOf(all.slice(all.findLastIndex(event => event.type === 'runner-attached')))),
      }
      expect(expected.state).toMatchObject({ image: '', 'published.log': '', 'summary.json': '' })
      expect(expected.points.length).toBeGreaterThanOrEqual(15)
      await inLanes(made, expected.points, async (project, point) => {
        const ended = await asked(project, point)
        expect(ended.kills).toBe(1)
        await assertSame(project, ended, expected)
      })
    },
    HOUR,
  )

  test(
    'while people approve it counts each approval once',
    async () => {
      const made = lanes(true)
      const [expected] = await Promise.all(made.map(project => undisturbed(project)))
      // What a process passes on its way to the approval, and what the one after it passes from there on.
      const asking = [
        'journal:before-append:node-waiting:2',
        'journal:after-append:node-waiting:2',
        'journal:before-append:run-left:1',
        'journal:after-append:run-left:1',
      ]
      const hearing = [
        'journal:before-append:runner-attached:1',
        'journal:after-append:runner-attached:1',
        'effect:before:decision/go-live/go-live#1:1',
        'effect:after:decision/go-live/go-live#1:1',
        'journal:before-append:approval-given:1',
        'journal:after-append:approval-given:1',
        'journal:before-append:node-succeeded:1',
        'journal:after-append:node-succeeded:1',
      ]
      const cases = [
        ...asking.map(point => ({ point, at: 0, toString: () => point })),
        ...hearing.map(point => ({ point, at: 1, toString: () => point })),
      ]
      await inLanes(made, cases, async (project, { point, at }) => {
        const ended = await drive(project, { faults: nth => (nth === at ? point : undefined) })
        expect(ended.kills).toBe(1)
        await assertSame(project, ended, expected!)
        expect(await project.eventsOf(ended.run, 'approval-given')).toHaveLength(1)
      })
    },
    HOUR,
  )

  test(
    'again and again, at its second and third record of every life, goes on all the same',
    async () => {
      const made = lanes(false)
      const [expected] = await Promise.all(made.map(project => undisturbed(project)))
      const points = ['journal:after-append:node-started:1', 'journal:before-append:node-succeeded:2']
      const cases = points.map(point => ({ point, toString: () => `always at ${point}` }))
      await inLanes(made, cases, async (project, { point }) => {
        const ended = await drive(project, { faults: nth => (nth < 12 ? point : undefined) })
        expect(ended.kills).toBeGreaterThanOrEqual(3)
        await assertSame(project, ended, expected!)
      })
    },
    HOUR,
  )

  test(
    'at random times, up to six times, goes on and ends as if it had not been',
    async () => {
      const made = lanes(false)
      const [expected] = await Promise.all(made.map(project => undisturbed(project)))
      const moments = new RandomMoments(1, 580)
      let kills = 0
      await inLanes(made, Array.from({ length: MOST_RUNS }), async project => {
        if (kills >= KILLS) return
        const ended = await drive(project, { faults: () => undefined, outside: { moments, most: 6 } })
        kills += ended.kills
        await assertSame(project, ended, expected!)
      })
      expect(kills).toBeGreaterThanOrEqual(KILLS)
    },
    HOUR,
  )
})
