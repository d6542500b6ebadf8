/**
 * Runs of released versions: each still opens, verifies, tells the same, and goes on to its end.
 *
 * The fixtures are never edited. Where a test here fails, readers have to learn the old format, not the fixture the new.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { readJournal } from '../../runner/journal/read.ts'
import { readPlanFile } from '../../runner/plan-file.ts'
import type { OperationKind } from '../../src/plan/plan.ts'
import { renderText } from '../../src/plan/render/text.ts'
import type { RunEventType } from '../../src/run/events.ts'
import { answerHere } from '../rig/here.ts'
import type { Exit, TestProject } from '../rig/project.ts'
import { historyFolder, NOWHERE, reviveHistory } from './open.ts'

let project: TestProject | undefined
afterEach(async () => {
  await project?.dispose()
  project = undefined
})

const revive = (name: string): { readonly project: TestProject; readonly run: string } => {
  const revived = reviveHistory(historyFolder(1, name))
  project = revived.project
  return revived
}

const ok = ({ code, stdout, stderr }: Pick<Exit, 'code' | 'stdout' | 'stderr'>): string => {
  expect(code, stderr).toBe(0)
  return stdout
}

/** All that are there. */
const NAMES = readdirSync(dirname(historyFolder(1, 'any'))).sort()

/** What format 1 holds: each of these stands in some history. */
const EVENTS: readonly RunEventType[] = [
  'approval-given',
  'rollback-planned',
  'rollback-finished',
  'run-finished',
]
const OPERATIONS: readonly OperationKind[] = ['replace', 'verify', 'start', 'shift', 'analyse', 'promote']

test('the histories hold what the format can', async () => {
  const types = new Set<string>()
  const done = new Set<string>()
  for (const name of NAMES) {
    const { events } = await readJournal(join(historyFolder(1, name), 'journal.jsonl'))
    const { nodes } = await readPlanFile(join(historyFolder(1, name), 'plan.json'))
    const kinds = new Map(nodes.map(({ key, operation }) => [key, operation.kind]))
    for (const event of events) {
      types.add(event.type)
      if (event.type === 'node-succeeded') done.add(kinds.get(event.node) ?? 'undone')
    }
  }
  expect([...types]).toEqual(expect.arrayContaining([...EVENTS]))
  expect([...done]).toEqual(expect.arrayContaining([...OPERATIONS, 'undone']))
})

describe.each(NAMES)('the history "%s" of format 1', name => {
  test('verifies, every record and signature', async () => {
    const { project, run } = revive(name)
    const verified = JSON.parse(ok(await answerHere(project.root, ['verify', run, '--json'])))
    expect(verified).toMatchObject({ run, ok: true, torn: 0 })
    const lines = project.lines(join('.release', 'runs', run, 'journal.jsonl'))
    expect(verified.records).toBe(lines.length - 1)
    expect(verified.head).toBe(JSON.parse(lines.at(-1)!).hash)
  })

  test('tells what it told', async () => {
    const { project, run } = revive(name)
    const report = ok(await answerHere(project.root, ['report', run]))
    await expect(report).toMatchFileSnapshot(`fixtures/expected/format-1/${name}.report.md`)
    const json = ok(await answerHere(project.root, ['report', run, '--format', 'json']))
    await expect(json).toMatchFileSnapshot(`fixtures/expected/format-1/${name}.report.json`)
    const { standing, waitsFor } = JSON.parse(ok(await answerHere(project.root, ['status', run, '--json'])))
    expect({ standing, waitsFor }).toMatchSnapshot()
    expect(ok(await answerHere(project.root, ['list']))).toContain(run)
    expect(ok(await answerHere(project.root, ['logs', run]))).toContain('two findings')
  })

  test('holds a plan that still reads', async () => {
    const plan = await readPlanFile(join(historyFolder(1, name), 'plan.json'))
    expect(plan.release).toEqual({ name: 'history', version: '1.2.3', codename: 'Clio' })
    expect(renderText(plan, { color: false, width: 100 })).toMatchSnapshot()
  })

  test('depends on no folder of the machine that made it', () => {
    expect(JSON.parse(readFileSync(join(historyFolder(1, name), 'meta.json'), 'utf8')).root).toBe(NOWHERE)
    for (const file of ['plan.json', 'bundle.js', 'bundle.js.map', 'journal.jsonl']) {
      expect(readFileSync(join(historyFolder(1, name), file), 'utf8')).not.toMatch(/release-project|\/tmp\//)
    }
  })
})

const approve = (project: TestProject, run: string): Promise<Exit> =>
  project.release(['approve', run, 'go-live', '--person', 'bob@techcorp.example'])

const outcomeOf = async (project: TestProject, run: string): Promise<unknown> =>
  (await project.eventsOf(run, 'run-finished')).at(-1)?.outcome

describe('a history of format 1 goes on to its end', () => {
  test('that was left waiting: approved and done', async () => {
    const { project, run } = revive('waiting')
    ok(await approve(project, run))
    ok(await project.release(['resume', run]))
    expect(await outcomeOf(project, run)).toBe('succeeded')
    expect(project.lines('effects.log')).toEqual(['publish', 'announce', 'summary'])
    ok(await project.release(['verify', run]))
  })

  test('that crashed in the middle: done again where it was cut off, waits, and done', async () => {
    const { project, run } = revive('crashed')
    expect((await project.release(['resume', run])).code).toBe(3)
    expect(project.lines('effects.log')).toEqual(['image'])
    ok(await approve(project, run))
    ok(await project.release(['resume', run]))
    expect(await outcomeOf(project, run)).toBe('succeeded')
    ok(await project.release(['verify', run]))
  })

  test('that is uncertain: asks still, takes the answer, and is done', async () => {
    const { project, run } = revive('uncertain')
    expect((await project.release(['resume', run])).code).toBe(3)
    ok(await project.release(['resume', run, '--rerun', 'announce']))
    expect(await outcomeOf(project, run)).toBe('succeeded')
    expect(project.lines('effects.log')).toEqual(['announce', 'summary'])
  })

  test.each(['finished', 'rolled-back', 'deployed', 'canary'])(
    'that is %s: there is nothing to go on with',
    async name => {
      const { project, run } = revive(name)
      const { code, stderr } = await project.release(['resume', run])
      expect(code).toBe(2)
      expect(stderr).toContain('error[nothing-to-resume]')
      expect(project.lines('effects.log')).toEqual([])
    },
  )

  test('that a guard took back: the report says what it saw and why', async () => {
    const { project, run } = revive('canary')
    const report = ok(await answerHere(project.root, ['report', run]))
    expect(report).toContain('## Why the guard took it back')
    expect(report).toContain('error rate')
    const again = await project.release(['watch', run, '--guard'])
    expect(again).toMatchObject({ code: 2 })
    expect(again.stderr).toContain('another guard has taken the release back')
    expect(project.processes(), 'no gateway was started to see that').toEqual([])
  })

  test('that is finished: can be rolled back', async () => {
    const { project, run } = revive('finished')
    ok(await project.release(['rollback', run]))
    expect(project.lines('effects.log')).toEqual(['undo summary', 'undo publish', 'undo image'])
    expect(await outcomeOf(project, run)).toBe('rolled-back')
    ok(await project.release(['verify', run]))
  })
})
