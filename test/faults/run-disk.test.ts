/**
 * A run of the real command line on a disk that fails: every write, sync and rename of the state's files, and every
 * look at them, is answered with an error once; every write of a run with EIO, and once more with ENOSPC.
 *
 * Whatever failed, one of two things is so. The run is done all the same (what failed came after its end, or was a
 * cache), or it was refused with exit 4, the file and what the system said; then it goes on once the cause is gone,
 * and nothing that was done is lost or done again that must not be.
 */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { inLanes } from '../rig/crash.ts'
import type { TestProject } from '../rig/project.ts'
import {
  ERRORS,
  type Injection,
  straceMissing,
  type Traced,
  type TraceOptions,
  traced,
  untilInjected,
} from './failing-disk.ts'
import { assertMended, runOf, tracedEnvironment } from './mended.ts'
import { countedSteps, forget } from './small-run.ts'

const HOUR = 3_600_000
const missing = straceMissing()
beforeEach(({ skip }) => skip(missing !== null, missing ?? ''))

const projects: TestProject[] = []
afterAll(async () => {
  await Promise.all(projects.map(project => project.dispose()))
})

const lanes = (): readonly [TestProject, TestProject] => {
  const made = [countedSteps(), countedSteps()] as const
  projects.push(...made)
  return made
}

const WRITES = ['fdatasync', 'fsync', 'rename', 'link', 'mkdir']

interface Sweep {
  readonly args: readonly string[]
  readonly errors: 'both' | 'in turn'
  readonly calls: readonly string[]
  readonly paths?: (project: TestProject) => readonly string[]
  /** Brings the project to where the case begins. */
  readonly prepare: (project: TestProject) => void
}

interface Case extends Injection {
  toString(): string
}

/** Calls that look: they run into a broken disk, and never into a full one. */
const LOOKING = ['read', 'getdents64']

/** Every call that the undisturbed command makes, as the one that fails: with both errors, or with one of them in turn. */
const casesOf = (counts: Readonly<Record<string, number>>, errors: Sweep['errors']): readonly Case[] =>
  Object.entries(counts).flatMap(([call, most]) =>
    Array.from({ length: most }, (_, index) => index + 1).flatMap(nth =>
      ERRORS.filter(error => error === 'EIO' || !LOOKING.includes(call))
        .filter((_, index, able) => errors === 'both' || index === nth % able.length)
        .map(error => ({ call, nth, error, toString: () => `${call} ${nth} with ${error}` })),
    ),
  )

/** How often each call is made at least. */
const fewerOf = ([one, other]: readonly Traced[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(one!.counts).map(([call, count]) => [call, Math.min(count, other!.counts[call] ?? 0)]),
  )

/** Returns how many calls were made to fail. */
const sweep = async (
  made: readonly [TestProject, TestProject],
  { args, errors, calls, paths, prepare }: Sweep,
): Promise<number> => {
  const optionsFor = (project: TestProject): TraceOptions => ({
    env: tracedEnvironment(project),
    calls,
    ...(paths && { paths: paths(project) }),
  })
  const meet = async (project: TestProject, inject?: Injection): Promise<Traced> => {
    prepare(project)
    return traced(project, args, { ...optionsFor(project), ...(inject && { inject }) })
  }
  // One that takes long looks once more whether somebody has written to it.
  const undisturbed = [await meet(made[0]), await meet(made[0])]
  for (const { code, stderr } of undisturbed) expect(code, stderr).toBe(0)
  const cases = casesOf(fewerOf(undisturbed), errors)
  await inLanes(made, cases, async (project, inject) => {
    const failing = await untilInjected(() => meet(project, inject))
    expect(failing.injected).not.toEqual([])
    await assertMended(project, failing)
  })
  return cases.length
}

/** Runs one process up to its first record and keeps the folder as it is then. */
const killedAtItsBeginning = async (project: TestProject): Promise<void> => {
  const { signal } = await project.release(['run'], { fault: 'journal:before-append:run-started:1' })
  expect(signal).toBe('SIGKILL')
  cpSync(join(project.root, '.release'), join(project.root, 'kept'), { recursive: true })
}

const restore = (project: TestProject): void => {
  forget(project)
  cpSync(join(project.root, 'kept'), join(project.root, '.release'), { recursive: true })
}

const inRun = (project: TestProject, names: readonly string[]): readonly string[] =>
  names.map(name => join(project.folderOf(runOf(project)!), name))

describe('a disk that fails once', () => {
  test(
    'in a run: whatever is written, synced or renamed',
    async () => {
      const made = lanes()
      await Promise.all(made.map(project => project.release(['check'])))
      const kept = ['bundles', 'checks', '.gitignore']
      for (const project of made) {
        for (const name of kept) {
          cpSync(join(project.root, '.release', name), join(project.root, 'kept', name), { recursive: true })
        }
      }
      const failed = await sweep(made, { args: ['run'], errors: 'both', calls: WRITES, prepare: restore })
      expect(failed).toBeGreaterThanOrEqual(60)
    },
    HOUR,
  )

  test(
    'in the first run of a checkout: nothing that is only kept to be quick is missed',
    async () => {
      const failed = await sweep(lanes(), {
        args: ['run'],
        errors: 'in turn',
        calls: ['rename'],
        prepare: forget,
      })
      expect(failed).toBeGreaterThanOrEqual(8)
    },
    HOUR,
  )

  test(
    'in a resume: whatever is opened, read, listed or appended in the run',
    async () => {
      const made = lanes()
      await Promise.all(made.map(killedAtItsBeginning))
      const failed = await sweep(made, {
        args: ['resume'],
        errors: 'in turn',
        calls: ['openat', 'read', 'getdents64', 'write', 'link'],
        paths: project =>
          inRun(project, [
            '',
            'meta.json',
            'journal.jsonl',
            'plan.json',
            'lock.1.json',
            'lock.2.json',
            'inbox',
          ]),
        prepare: restore,
      })
      expect(failed).toBeGreaterThanOrEqual(25)
      // What the main thread touches is counted by itself.
      const own = await sweep(made, {
        args: ['resume'],
        errors: 'in turn',
        calls: ['openat', 'read', 'mkdir', 'write'],
        paths: project => inRun(project, ['bundle.js', 'children', 'logs/small~lint.log']),
        prepare: restore,
      })
      expect(own).toBeGreaterThanOrEqual(4)
    },
    HOUR,
  )
})
