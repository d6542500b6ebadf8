/**
 * A wall clock that jumps, under a run of the real command line: libfaketime sets it, from within the run's own steps.
 *
 * Only the wall clock is faked; real time goes on as it does, so that a wait that lasted too long would hang here.
 */
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { verifyJournal } from '../../runner/journal/read.ts'
import { createProject, type TestProject } from '../rig/project.ts'

const DAY = 86_400_000
const library = ['/usr/lib/*/faketime/libfaketime.so.1', '/usr/lib/faketime/libfaketime.so.1']
  .flatMap(pattern => globSync(pattern))
  .find(path => existsSync(path))
const missing =
  library === undefined ? 'libfaketime is not installed (test/toolchain/install-debian.sh faketime)' : null
beforeEach(({ skip }) => skip(missing !== null, missing ?? ''))

let project: TestProject | undefined
afterEach(async () => {
  await project?.dispose()
  project = undefined
})

/** Steps that set the clock by so much against the real one, and a wait between them. */
const definition = `import { release } from 'release-as-code'
import { writeFileSync } from 'node:fs'

const clock = (by: string) => () => writeFileSync('clock', by + '\\n')
const harmless = { idempotent: true, undo: 'none' } as const

export default release('clock', { version: '1.0.0' })
  .stage('forward', s => s
    .step('a month on', clock('+30d'), harmless)
    .wait('300ms')
    .step('a year back', clock('-365d'), harmless)
    .wait('400ms')
    .step('back to now', clock('+0'), harmless))
  .stage('go-live', s => s.approval('go-live', { from: { lead: 1 }, expires: '2d' }))
  .stage('end', s => s.wait('200ms').step('done', () => 'done', harmless))
`

const clockProject = (): TestProject => {
  project = createProject({
    files: { 'release.config.ts': definition, clock: '+0\n' },
    env: {
      LD_PRELOAD: library!,
      FAKETIME_TIMESTAMP_FILE: '/dev/null',
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  })
  return project
}

const faked = (made: TestProject): { readonly env: Readonly<Record<string, string>> } => ({
  env: { FAKETIME_TIMESTAMP_FILE: join(made.root, 'clock') },
})

const approve = ['approve', 'latest', 'go-live', '--person', 'bob']

test('no wait is longer or missing, no stamp goes back, and an approval given in time counts', async () => {
  const made = clockProject()
  const began = performance.now()
  const left = await made.release(['run'], faked(made))
  expect(left.code, left.stderr).toBe(3)
  expect(performance.now() - began).toBeGreaterThanOrEqual(700)
  const asked = (await made.eventsOf(left.run, 'node-waiting')).find(
    ({ node }) => node === 'go-live/go-live',
  )!
  // It was asked for by the latest time that the run knew, which was a month ahead: that is no less time for people.
  expect(asked.until! - Date.now()).toBeGreaterThan(2 * DAY)
  expect((await made.release(approve, faked(made))).code).toBe(0)
  const ended = await made.release(['resume'], faked(made))
  expect(ended.code, ended.stderr).toBe(0)
  const events = await made.events(left.run)
  expect(events.at(-1)).toMatchObject({ type: 'run-finished', outcome: 'succeeded' })
  const stamps = events.map(({ at }) => at)
  expect(stamps).toEqual(stamps.toSorted((a, b) => a - b))
  for (const wait of events.filter(event => event.type === 'node-waiting')) {
    if (wait.for !== 'time') continue
    const end = events.find(event => event.type === 'node-succeeded' && event.node === wait.node)!
    expect(end.at, wait.node).toBeGreaterThanOrEqual(wait.until!)
  }
  await verifyJournal(join(made.folderOf(left.run), 'journal.jsonl'))
})

test('an approval that nobody gave in time expires, also while nobody runs the run', async () => {
  const made = clockProject()
  const left = await made.release(['run'], faked(made))
  expect(left.code, left.stderr).toBe(3)
  made.write('clock', '+40d\n')
  const late = await made.release(approve, faked(made))
  expect(late.code).not.toBe(0)
  expect(late.stderr).toMatch(/expired/)
  const ended = await made.release(['resume'], faked(made))
  expect(ended.code, ended.stderr).toBe(1)
  const [failed] = await made.eventsOf(left.run, 'node-failed')
  expect(failed).toMatchObject({ node: 'go-live/go-live', failure: { code: 'approval-expired' } })
})

test('an approval that was given a day ago, by a clock set back, still counts once', async () => {
  const made = clockProject()
  const left = await made.release(['run'], faked(made))
  expect(left.code, left.stderr).toBe(3)
  made.write('clock', '-1d\n')
  expect((await made.release(approve, faked(made))).code).toBe(0)
  const again = await made.release(approve, faked(made))
  made.write('clock', '+0\n')
  const ended = await made.release(['resume'], faked(made))
  expect(ended.code, ended.stderr).toBe(0)
  expect(await made.eventsOf(left.run, 'approval-given')).toHaveLength(1)
  expect([0, 2]).toContain(again.code)
})
