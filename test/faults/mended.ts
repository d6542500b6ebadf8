/**
 * What has to be so after a disk has failed under the counted steps: the run is done all the same, or it was refused with
 * the place and the reason, and goes on once the cause is gone.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { verifyJournal } from '../../runner/journal/read.ts'
import { cutOff } from '../rig/crash.ts'
import type { Exit, TestProject } from '../rig/project.ts'
import type { Traced } from './failing-disk.ts'
import { effectsLeft } from './small-run.ts'

/** What the command line is started with under strace. */
export const tracedEnvironment = (project: TestProject): Readonly<Record<string, string>> => ({
  ...(process.env as Record<string, string>),
  NO_COLOR: '1',
  RELEASE_LOCAL_HOME: project.home,
  RELEASE_USER: 'alice@techcorp.example',
})

/** The project's run: the one whose journal is there. */
export const runOf = (project: TestProject): string | undefined =>
  project.runs().find(run => existsSync(join(project.folderOf(run), 'journal.jsonl')))

/** Mends the cause and goes on; what was done is neither lost nor done again that must not be. */
export async function assertMended(project: TestProject, failing: Traced): Promise<void> {
  if (failing.code !== 0) assertRefused(project, failing)
  const run = runOf(project)
  // Where nothing has begun there is nothing that could be lost: that it goes on is shown by all the others.
  const begun = run !== undefined && (await project.events(run)).length > 0
  if (!begun && !goesOnFromHere()) {
    expect(effectsLeft(project)).toEqual({ lint: 0, one: 0, two: 0 })
    return
  }
  const mended: Exit = await project.release(run === undefined ? ['run'] : ['resume', run])
  if (failing.code === 0 || mended.code === 2) expect(mended.stderr).toContain('error[nothing-to-resume]')
  else expect(mended.code, mended.stderr).toBe(0)
  const done = runOf(project)!
  const events = await project.events(done)
  expect(events.at(-1)).toMatchObject({ type: 'run-finished', outcome: 'succeeded' })
  await verifyJournal(join(project.folderOf(done), 'journal.jsonl'))
  const { lint, one, two } = effectsLeft(project)
  expect(one).toBe(1)
  expect(lint).toBeGreaterThanOrEqual(1)
  expect(lint).toBeLessThanOrEqual(1 + cutOff(events, 'small/lint'))
  expect(two).toBeGreaterThanOrEqual(1)
  expect(two).toBeLessThanOrEqual(1 + cutOff(events, 'small/two'))
  expect(project.processes()).toEqual([])
}

/** Of the cases in which nothing had begun, one in eight is gone on with all the same. */
const goesOnFromHere = (): boolean => notBegun++ % 8 === 0
let notBegun = 0

/** Exit 4, a code of ours, the place, the system's own words, and what to do. */
function assertRefused(project: TestProject, { code, stderr }: Traced): void {
  expect(code, stderr).toBe(4)
  expect(stderr).toMatch(/error\[(journal-unwritable|journal-unreadable|state-unusable)\]: /)
  expect(stderr).toContain(join(project.root, '.release'))
  expect(stderr).toMatch(/\b(EIO|ENOSPC|ENOENT): /)
  expect(stderr).toContain('  help: ')
  expect(stderr).not.toContain('    at ')
}
