/**
 * A machine that is put to sleep under a run, and wakes late: SIGSTOP and SIGCONT to its runner.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { createProject, type TestProject } from '../rig/project.ts'
import { until } from '../rig/wait.ts'

let project: TestProject | undefined
afterEach(async () => {
  await project?.dispose()
  project = undefined
})

const definition = `import { release } from 'release-as-code'

export default release('asleep', { version: '1.0.0' })
  .stage('waits', s => s.wait('200ms').wait('250ms'))
`

test('what is waited for next counts from when the machine woke', async () => {
  const made = createProject({ files: { 'release.config.ts': definition } })
  project = made
  const running = made.start(['run'])
  const run = await until('the run is there', () => made.runs()[0])
  await until('the first wait is on record', async () => (await made.eventsOf(run, 'node-waiting'))[0])
  running.kill('SIGSTOP')
  // Time that goes by is what this is about: longer than both waits.
  await pause(600)
  running.kill('SIGCONT')
  const { code, stderr } = await running.exit
  expect(code, stderr).toBe(0)
  const [first, second] = await made.eventsOf(run, 'node-succeeded')
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(230)
})
