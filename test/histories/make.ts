/**
 * Makes the histories of the present format anew: `node test/histories/make.ts`.
 *
 * Each is the folder of a run of the real command line, without what belongs to a machine: locks, and folders that
 * are empty. Run it for a new format, beside those of the formats before: what was once released stays for ever.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JOURNAL_FORMAT } from '../../runner/journal/frame.ts'
import { keyOf, writeApprovers } from '../rig/people.ts'
import { createProject, type Exit, type TestProject } from '../rig/project.ts'
import { definitionText } from './definition.ts'
import { NOWHERE } from './open.ts'

const target = join(import.meta.dirname, 'fixtures', `format-${JOURNAL_FORMAT}`)

const KEPT = ['meta.json', 'plan.json', 'bundle.js', 'bundle.js.map', 'journal.jsonl', 'logs']

/** A run brought to where its history ends. Returns its id. */
type Story = (project: TestProject) => Promise<string>

const expectCode = ({ code, stderr }: Exit, wanted: number | null): void => {
  if (code !== wanted) throw new Error(`exit code ${code} in place of ${wanted}: ${stderr}`)
}

const untilApproval: Story = async project => {
  const exit = await project.release(['run'])
  expectCode(exit, 3)
  return exit.run
}

const approve = async (project: TestProject, run: string): Promise<void> =>
  expectCode(await project.release(['approve', run, 'go-live', '--person', 'bob@techcorp.example']), 0)

const stories: Readonly<Record<string, { readonly signed?: true; readonly story: Story }>> = {
  finished: {
    signed: true,
    story: async project => {
      const run = await untilApproval(project)
      expectCode(
        await project.release(['approve', run, 'go-live', '--as', 'lead', '--key', keyOf(project, 'bob')]),
        0,
      )
      expectCode(await project.release(['resume', run]), 0)
      return run
    },
  },
  waiting: { story: untilApproval },
  crashed: {
    story: async project => {
      expectCode(await project.release(['run'], { fault: 'effect:after:build/image#1:1' }), null)
      return project.runs()[0]!
    },
  },
  'rolled-back': {
    story: async project => {
      const exit = await project.release(['run', '--param', 'fail=yes'])
      expectCode(exit, 3)
      await approve(project, exit.run)
      expectCode(await project.release(['resume', exit.run]), 1)
      return exit.run
    },
  },
  uncertain: {
    story: async project => {
      const run = await untilApproval(project)
      await approve(project, run)
      expectCode(await project.release(['resume', run], { fault: 'effect:after:publish/announce#1:1' }), null)
      expectCode(await project.release(['resume', run]), 3)
      return run
    },
  },
}

for (const [name, { signed = false, story }] of Object.entries(stories)) {
  const project = createProject({ files: { 'release.config.ts': definitionText({ approvers: signed }) } })
  try {
    if (signed) writeApprovers(project, { alice: ['lead'], bob: ['lead'] })
    const run = await story(project)
    const folder = join(target, name)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const there = readdirSync(project.folderOf(run))
    for (const part of KEPT.filter(one => there.includes(one))) {
      cpSync(join(project.folderOf(run), part), join(folder, part), { recursive: true })
    }
    const meta = readFileSync(join(folder, 'meta.json'), 'utf8')
    writeFileSync(join(folder, 'meta.json'), meta.replaceAll(project.root, NOWHERE))
    process.stdout.write(`${name}: ${run}\n`)
  } finally {
    await project.dispose()
  }
}
