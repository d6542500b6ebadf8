/**
 * `npm run phoenix`: what people see of a whole release under customers, from nothing to the record of it.
 */
import { afterEach, expect, test } from 'vitest'
import { phoenixProject, showPhoenix } from '../rig/phoenix.ts'
import type { TestProject } from '../rig/project.ts'

/** Minutes on two quiet cores; a machine that is busy with other things has this long. */
const LONG = 900_000

let project: TestProject | undefined
afterEach(() => project?.dispose(), LONG)

test('3.0.0 takes over step by step, and no customer notices', { timeout: LONG }, async () => {
  project = phoenixProject()
  const { code, printed } = await showPhoenix(project, [])
  expect(code, printed).toBe(0)
  for (const share of [5, 25, 50, 100]) expect(printed).toContain(`→ ${share} % in production: `)
  expect(printed).toMatch(
    /✓ order +3\.0\.0 +\d+ requests: error rate 0 %, latency p95 \d+ ms, availability 100 %/,
  )
  expect(printed).toMatch(/everybody else +\d+ requests +0 errors +0 lost/)
  expect(printed).toMatch(/web-app +now 3\.0\.0 +answers: \d+ by 2\.9\.0, \d+ by 3\.0\.0/)
})

test.skipIf(process.env.RELEASE_LONG === undefined)(
  'called again it begins where it stands, and customers see the old version come back (RELEASE_LONG=1)',
  { timeout: LONG },
  async () => {
    project = phoenixProject()
    const first = await showPhoenix(project, [])
    expect(first.code, first.printed).toBe(0)
    const again = await showPhoenix(project, ['--param', 'fault=slow'])
    expect(again.code, again.printed).toBe(1)
    expect(again.printed).toContain('→ 5 % in production: ')
    expect(again.printed).toMatch(/payment-service 3\.0\.0 in production: latency p95/)
    expect(again.printed).toMatch(/web-app +now 2\.9\.0 /)
  },
)
