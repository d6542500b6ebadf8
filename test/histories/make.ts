/**
 * Makes the histories of the present format anew: `node test/histories/make.ts`; some of them with their names after it.
 *
 * Each is the folder of a run of the real command line, without what belongs to a machine: locks, and folders that
 * are empty. Run it for a new format, beside those of the formats before: what was once released stays for ever.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { JOURNAL_FORMAT } from '../../runner/journal/frame.ts'
import { type Client, platformOf, startClient } from '../rig/canaried.ts'
import { keyOf, writeApprovers } from '../rig/people.ts'
import { createProject, type Exit, type TestProject } from '../rig/project.ts'
import { until } from '../rig/wait.ts'
import { definitionText, OLD, servedFiles, servedText } from './definition.ts'
import { NOWHERE } from './open.ts'

const target = join(import.meta.dirname, 'fixtures', `format-${JOURNAL_FORMAT}`)

const KEPT = ['meta.json', 'plan.json', 'bundle.js', 'bundle.js.map', 'journal.jsonl', 'logs', 'guards']

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

interface History {
  readonly signed?: true
  /** The definition of one that serves, and is asked while its story goes on. */
  readonly served?: string
  readonly story: Story
}

/** Released over an older version, under requests. */
const released = async (project: TestProject): Promise<string> => {
  const exit = await project.release(['run'])
  expectCode(exit, 0)
  return exit.run
}

/** The new version fails all at once, and the guard takes it back. */
const guarded: Story = async project => {
  const run = await released(project)
  const guard = project.start(['watch', run, '--guard'])
  await until('a guard that measures', () => guard.printed().includes('error rate'))
  const base = await platformOf(project).gateway('production')
  // Each of the two instances is asked.
  for (let i = 0; i < 20; i += 1) await fetch(`${base}/front/break`)
  expectCode(await guard.exit, 1)
  return run
}

const ANALYSIS = `{ metrics: [errorRate({ minRequests: 5, interval: '100ms' }).below('5%')], patience: '30s' }`
const TRIGGER = `trigger(errorRate({ minRequests: 5 }).above('20%'), { period: '500ms', breaches: 1 })`

const stories: Readonly<Record<string, History>> = {
  deployed: {
    served: servedText({ strategy: 'rolling({ batch: 1 })' }),
    story: async project => {
      const run = await released(project)
      expectCode(await project.release(['rollback', run]), 0)
      return run
    },
  },
  canary: {
    served: servedText({
      strategy: `canary({ steps: [50, 100], every: '500ms', analysis: ${ANALYSIS} })`,
      guard: `.guard({ for: '60s', every: '250ms', triggers: [${TRIGGER}] })`,
    }),
    story: guarded,
  },
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

async function bringUpOld(project: TestProject): Promise<Client> {
  expectCode(await project.release(['run', '--param', `version=${OLD}`]), 0)
  return startClient(await platformOf(project).gateway('production'), { perSecond: 60 })
}

const asked = process.argv.slice(2)
for (const [name, { signed = false, served, story }] of Object.entries(stories)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const text = served ?? definitionText({ approvers: signed })
  const files = served === undefined ? {} : servedFiles()
  const project = createProject({ files: { 'release.config.ts': text, ...files } })
  let client: Client | undefined
  try {
    if (served !== undefined) client = await bringUpOld(project)
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
    await client?.stop()
    await project.dispose()
  }
}
