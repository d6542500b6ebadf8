/**
 * A run of the real command line in which one write to its state fails: each of them once with EIO and once with ENOSPC.
 *
 * Which writes there are is read off an undisturbed run under strace; random names and the time are settled, so that
 * each run writes the same files, and only writes to these are counted and made to fail. Files with a process's number
 * in their name are left to others: the record of a running command to run-state-folder.test.ts with its full disks, what
 * is only kept to be quick to run-disk.test.ts.
 */
import { cpSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { inLanes } from '../rig/crash.ts'
import type { TestProject } from '../rig/project.ts'
import {
  ERRORS,
  straceMissing,
  type Touch,
  type Traced,
  type TraceOptions,
  traced,
  untilInjected,
} from './failing-disk.ts'
import { assertMended, tracedEnvironment } from './mended.ts'
import { countedSteps, forget } from './small-run.ts'

const HOUR = 3_600_000
const missing = straceMissing()
beforeEach(({ skip }) => skip(missing !== null, missing ?? ''))

const projects: TestProject[] = []
afterAll(async () => {
  await Promise.all(projects.map(project => project.dispose()))
})

/** Every call that puts bytes into a file, or takes them away. */
const WRITING = [
  'write',
  'pwrite64',
  'writev',
  'pwritev',
  'pwritev2',
  'sendfile',
  'copy_file_range',
  'truncate',
  'ftruncate',
  'fallocate',
]

const SETTLED = { NODE_OPTIONS: `--import=${resolve(import.meta.dirname, 'settled-names.ts')}` }

/** A write that can be met again: the nth of its kind, of those to these files, in its thread. */
interface Write {
  readonly call: string
  readonly nth: number
  /** The file's place in the project, for people. */
  readonly file: string
  /** Relative to the project. */
  readonly paths: readonly string[]
}

const hasProcessInName = ({ path }: Touch): boolean => /\/(children|bundles|checks)\//.test(path)

/** Counted in each thread, as strace does. */
function writesOf(project: TestProject, touches: readonly Touch[]): readonly Write[] {
  return [true, false].flatMap(main => {
    const own = touches.filter(touch => touch.main === main && !hasProcessInName(touch))
    const relative = ({ path }: Touch): string => path.slice(project.root.length + 1)
    const paths = [...new Set(own.map(relative))]
    const seen = new Map<string, number>()
    return own.map(touch => {
      const nth = (seen.get(touch.call) ?? 0) + 1
      seen.set(touch.call, nth)
      return { call: touch.call, nth, file: relative(touch), paths }
    })
  })
}

interface Sweep {
  readonly args: readonly string[]
  /** Brings the project to where the case begins. */
  readonly prepare: (project: TestProject) => void
}

/** Returns the writes that were made to fail, by what they were. */
async function sweep(made: readonly TestProject[], { args, prepare }: Sweep): Promise<readonly string[]> {
  const optionsFor = (project: TestProject): TraceOptions => ({
    env: { ...tracedEnvironment(project), ...SETTLED },
    calls: WRITING,
  })
  const writes = new Map<TestProject, readonly Write[]>()
  for (const project of made) {
    prepare(project)
    const undisturbed = await traced(project, args, optionsFor(project))
    expect(undisturbed.code, undisturbed.stderr).toBe(0)
    writes.set(project, writesOf(project, undisturbed.touches))
  }
  // What both lanes do: one of them may have shared a write.
  const common = Math.min(...[...writes.values()].map(({ length }) => length))
  const cases = writes
    .get(made[0]!)!
    .slice(0, common)
    .flatMap(({ call, nth, file }, index) =>
      ERRORS.map(error => ({ index, error, toString: () => `${call} ${nth} to ${file}: ${error}` })),
    )
  await inLanes(made, cases, async (project, { index, error }) => {
    const { call, nth, paths } = writes.get(project)![index]!
    const meet = async (): Promise<Traced> => {
      prepare(project)
      return traced(project, args, {
        ...optionsFor(project),
        paths: paths.map(path => join(project.root, path)),
        inject: { call, nth, error },
      })
    }
    const failing = await untilInjected(meet)
    // Where a write was shared, the one that is met may be another file's: there the rules are the same.
    expect(failing.injected).toHaveLength(1)
    expect(failing.injected[0]).toMatch(
      new RegExp(paths.map(path => `<${join(project.root, path)}`).join('|')),
    )
    await assertMended(project, failing)
  })
  return cases.map(String)
}

const lanes = async (begin: (project: TestProject) => Promise<void>): Promise<readonly TestProject[]> => {
  const made = [countedSteps(), countedSteps()]
  projects.push(...made)
  await Promise.all(made.map(begin))
  for (const project of made) {
    cpSync(join(project.root, '.release'), join(project.root, 'kept'), { recursive: true })
  }
  return made
}

const restore = (project: TestProject): void => {
  forget(project)
  cpSync(join(project.root, 'kept'), join(project.root, '.release'), { recursive: true })
}

describe('one write that fails', () => {
  test(
    'in a run: each with EIO and with ENOSPC',
    async () => {
      const made = await lanes(async project => {
        expect((await project.release(['check'])).code).toBe(0)
      })
      const failed = await sweep(made, {
        args: ['run'],
        prepare: restore,
      })
      expect(failed.filter(name => /journal\.jsonl:/.test(name)).length).toBeGreaterThanOrEqual(14)
      expect(failed.length).toBeGreaterThanOrEqual(26)
    },
    HOUR,
  )

  test(
    'in a resume: each with EIO and with ENOSPC',
    async () => {
      const made = await lanes(async project => {
        const cut = await project.release(['run'], { fault: 'effect:after:small/lint#1:1', env: SETTLED })
        expect(cut.signal).toBe('SIGKILL')
      })
      const failed = await sweep(made, {
        args: ['resume'],
        prepare: restore,
      })
      expect(failed.length).toBeGreaterThanOrEqual(16)
    },
    HOUR,
  )
})
