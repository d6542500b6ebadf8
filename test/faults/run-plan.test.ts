/**
 * The plan that a run keeps: taken when it is the one that was written, refused when it is another, whatever still fits in it.
 */

import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Plan } from '../../src/plan/plan.ts'
import type { TestProject } from '../rig/project.ts'
import { countedSteps } from './small-run.ts'

let project: TestProject
let run: string
const path = (name: string): string => `.release/runs/${run}/${name}`
let text: string
let meta: Record<string, unknown>

beforeAll(async () => {
  project = countedSteps()
  const exit = await project.release(['run'])
  expect(exit.code, exit.stderr).toBe(0)
  run = exit.run
  text = project.read(path('plan.json'))
  meta = JSON.parse(project.read(path('meta.json'))) as Record<string, unknown>
})
afterAll(() => project?.dispose())

/** How `status` ends with that text as the plan, and with those properties in the run's description. */
const statusWith = async (plan: string, of: Record<string, unknown> = meta) => {
  project.write(path('plan.json'), plan)
  project.write(path('meta.json'), `${JSON.stringify(of, null, 2)}\n`)
  return project.release(['status', run])
}

/** The plan with nodes that need nothing, and nothing else. */
const altered = (): string => {
  const plan = JSON.parse(text) as Plan
  return JSON.stringify({ ...plan, nodes: plan.nodes.map(node => ({ ...node, needs: [] })) })
}

test('its text is known by the run', () => {
  expect(meta.planText).toBe(createHash('sha256').update(text).digest('hex'))
})

test('as it was written, or written otherwise, it is taken', async () => {
  expect((await statusWith(text)).code).toBe(0)
  expect((await statusWith(JSON.stringify(JSON.parse(text), null, 4))).code).toBe(0)
  const { planText: _, ...older } = meta
  expect((await statusWith(text, older)).code).toBe(0)
})

test.each([
  { what: 'altered', plan: altered, says: /its hash does not fit what it says/ },
  { what: 'cut off', plan: () => text.slice(0, -20), says: /could not be read as a plan/ },
])('$what, it is refused with its place', async ({ plan, says }) => {
  const { code, stderr } = await statusWith(plan())
  expect(code, stderr).toBe(4)
  expect(stderr).toMatch(/error\[run-damaged\]: the plan of the run /)
  expect(stderr).toMatch(says)
  expect(stderr).toContain(join(project.root, path('plan.json')))
})

test('and so is another plan, whole as it is', async () => {
  project.write('release.config.ts', project.read('release.config.ts').replace('1.0.0', '2.0.0'))
  const other = await project.release(['run'])
  expect(other.code, other.stderr).toBe(0)
  const { code, stderr } = await statusWith(project.read(`.release/runs/${other.run}/plan.json`))
  expect(code, stderr).toBe(4)
  expect(stderr).toContain('it is not the plan that the journal names')
  rmSync(join(project.root, path('plan.json')))
  const gone = await project.release(['status', run])
  expect(gone.code).toBe(4)
  expect(gone.stderr).toContain('plan.json is gone')
})
