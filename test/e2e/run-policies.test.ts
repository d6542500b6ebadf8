/**
 * What becomes of a release when one of its components fails: each failure policy, on the local platform, by the real
 * command line.
 */
import { afterEach, describe, expect, test } from 'vitest'
import type { FailurePolicy } from '../../src/plan/plan.ts'
import type { Report } from '../../src/run/report.ts'
import { deployedProject, deployFirst, liveOf } from '../rig/deployed.ts'
import type { TestProject } from '../rig/project.ts'

const LONG = 300_000

const open: TestProject[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(project => project.dispose()))
})

const OLD = { a: '1.0.0 1.0.0', b: '1.0.0', c: '1.0.0', d: '1.0.0' }
const NEW = { a: '2.0.0 2.0.0', b: '2.0.0', c: '2.0.0', d: '2.0.0' }

const withFirst = async (policy: FailurePolicy, broken: string, after = ''): Promise<TestProject> => {
  const project = deployedProject({ policy, after })
  open.push(project)
  await deployFirst(project)
  project.write('broken', broken)
  return project
}

const reportOf = async (project: TestProject, run: string): Promise<Report> => {
  const { code, stdout } = await project.release(['report', run, '--format', 'json'])
  expect(code).toBe(0)
  return JSON.parse(stdout) as Report
}

/** Keys of the nodes whose failure was recorded. */
const failures = async (project: TestProject, run: string): Promise<readonly string[]> =>
  (await project.eventsOf(run, 'node-failed')).map(event => event.node)

/** Nodes of a run that in the end did not come to what was planned. */
const unfinished = async (project: TestProject, run: string): Promise<readonly string[]> =>
  (await reportOf(project, run)).stages
    .flatMap(stage => stage.nodes)
    .filter(node => node.outcome !== 'succeeded')
    .map(node => node.key)

const note = `.stage('note', s => s.step('note', () => 'noted', { idempotent: true, undo: 'none' }))`

describe('a component that fails', () => {
  test(
    'stop: what is done stays, and when the cause is mended the run goes on from there',
    async () => {
      const project = await withFirst('stop', 'b')
      const failed = await project.release(['run'])
      expect(failed.code).toBe(1)
      expect(await liveOf(project)).toMatchObject({ a: NEW.a, b: OLD.b })
      expect(await project.eventsOf(failed.run, 'rollback-planned')).toEqual([])
      project.write('broken', '')
      const resumed = await project.release(['resume', failed.run])
      expect(resumed).toMatchObject({ code: 0 })
      expect(await liveOf(project)).toEqual(NEW)
      expect(await unfinished(project, failed.run)).toEqual([])
      // What was done before is not done again.
      const starts = (await project.eventsOf(failed.run, 'node-started')).map(event => event.node)
      expect(starts.filter(node => node.startsWith('production/a/rolling'))).toHaveLength(2)
    },
    LONG,
  )

  test(
    'rollback-all: everything runs again what it ran before; the cause is named once, its consequences apart',
    async () => {
      const project = await withFirst('rollback-all', 'b', note)
      const failed = await project.release(['run'])
      expect(failed.code).toBe(1)
      expect(await liveOf(project)).toEqual(OLD)
      const [cause, ...others] = await failures(project, failed.run)
      expect(cause).toMatch(/^production\/b\//)
      expect(others).toEqual([])
      const report = await reportOf(project, failed.run)
      expect(report.outcome).toBe('failed')
      expect(report.cause?.node).toBe(cause)
      const named = report.consequences.map(({ node }) => node)
      expect(named).not.toContain(cause)
      expect(named).toContain('note/note')
      const again = await project.release(['resume', failed.run])
      expect(again.code).toBe(2)
      expect(again.stderr).toContain('was rolled back')
    },
    LONG,
  )

  test(
    'rollback-dependents: it and what needs it go back; failing once more it is taken back once more',
    async () => {
      const project = await withFirst('rollback-dependents', 'b')
      const failed = await project.release(['run'])
      expect(failed.code).toBe(1)
      expect(await liveOf(project)).toMatchObject({ a: NEW.a, b: OLD.b })
      const again = await project.release(['resume', failed.run])
      expect(again.code).toBe(1)
      expect(await liveOf(project)).toMatchObject({ a: NEW.a, b: OLD.b })
      const planned = await project.eventsOf(failed.run, 'rollback-planned')
      expect(planned.map(event => event.rollback)).toEqual([1, 2])
      project.write('broken', '')
      expect(await project.release(['resume', failed.run])).toMatchObject({ code: 0 })
      expect(await liveOf(project)).toEqual(NEW)
      expect(await unfinished(project, failed.run)).toEqual([])
    },
    LONG,
  )

  test(
    'rollback-dependents: the components that need the failed one go back with it',
    async () => {
      const project = await withFirst('rollback-dependents', 'a')
      const failed = await project.release(['run'])
      expect(failed.code).toBe(1)
      expect(await liveOf(project)).toMatchObject({ a: OLD.a, b: OLD.b })
    },
    LONG,
  )

  test(
    'continue-partial: what does not need it is released, and the run is done in part',
    async () => {
      const project = await withFirst('continue-partial', 'a')
      const failed = await project.release(['run'])
      expect(failed.code).toBe(5)
      expect(await liveOf(project)).toEqual({ ...NEW, a: OLD.a, b: OLD.b })
      const report = await reportOf(project, failed.run)
      expect(report.outcome).toBe('partial')
      expect(report.cause?.node).toMatch(/^production\/a\//)
      expect(report.consequences.some(({ node }) => node.startsWith('production/b/'))).toBe(true)
      project.write('broken', '')
      expect(await project.release(['resume', failed.run])).toMatchObject({ code: 0 })
      expect(await liveOf(project)).toEqual(NEW)
      expect(await unfinished(project, failed.run)).toEqual([])
    },
    LONG,
  )

  test(
    'not critical: it and what needs it stay as they were, whatever the policy',
    async () => {
      const project = await withFirst('rollback-all', 'c')
      const failed = await project.release(['run'])
      expect(failed.code).toBe(5)
      expect(await liveOf(project)).toEqual({ ...NEW, c: OLD.c, d: OLD.d })
      expect(await failures(project, failed.run)).toHaveLength(1)
    },
    LONG,
  )
})
