/** What `plan` and `check` remember: said again only while everything that it rests on is as it was. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { identify } from '../../runner/adapters/loopback/process-table.ts'
import { type Answer, readAnswer, writeAnswer } from '../../runner/remembered/answer.ts'
import { holds } from '../../runner/remembered/recall.ts'
import { takeNames, takeStamps } from '../../runner/remembered/stamps.ts'
import { createProject, type TestProject } from '../rig/project.ts'
import { until } from '../rig/wait.ts'

// Whole processes, some of which check types: a busy machine takes its time, and only what hangs comes to this.
vi.setConfig({ testTimeout: 180_000 })

const definition = `
import { environment, local, release, rolling, service } from 'release-as-code'
import { count } from './parts/count.ts'
const api = service('api', { instances: count })
export default release('remembered', { version: '1.0.0', components: [api], approvers: 'people' })
  .stage('s', s => s.deploy([api], { to: environment('test', { on: local() }), with: rolling() }))
`
const files = {
  'release.config.ts': definition,
  'parts/count.ts': 'export const count = 1\n',
  people:
    'alice@example.org namespaces="release-as-code" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJKyeFPvcRGdQ9zPzbrxq1T3eT5W8iVxHRzDlDKhmVX2 roles=owner\n',
  'release.config/api/package.json': '{ "scripts": { "start": "node server.js" } }',
  'release.config/api/server.js': '',
}

/** Another content of the same size under the same time. */
function touch(path: string): void {
  const { atime, mtime } = statSync(path)
  writeFileSync(path, readFileSync(path, 'utf8').replace('1', '3'))
  utimesSync(path, atime, mtime)
}

const projects: TestProject[] = []
afterEach(async () => {
  for (const project of projects.splice(0)) await project.dispose()
})

/** A project whose answers lie in it, and one kept answer that says `doctored` instead of what it said. */
async function remembering(args: readonly string[] = ['plan']) {
  const cache = { XDG_CACHE_HOME: '' }
  const project = createProject({ files, env: cache })
  projects.push(project)
  const folder = join(project.root, '.release', 'cache')
  mkdirSync(folder, { recursive: true })
  mkdirSync(join(project.root, 'release.config/api/empty'))
  cache.XDG_CACHE_HOME = folder
  const ask = () => project.release(args)
  const answers = join(folder, 'release-as-code', 'answers')
  const kept = (): string | undefined => {
    try {
      return readdirSync(answers)[0]
    } catch {
      return undefined
    }
  }
  // The first may find that what it rests on was written in the same instant as it began.
  await until('an answer is kept', async () => {
    expect(await ask()).toMatchObject({ code: 0 })
    return kept()
  })
  const path = join(answers, kept()!)
  const text = project.read(path.slice(project.root.length + 1))
  const { question, ...answer } = JSON.parse(text.slice(text.indexOf('\n') + 1)) as Answer & {
    question: string
  }
  const doctored: Answer = { ...answer, out: 'doctored\n' }
  writeFileSync(path, writeAnswer(doctored, question))
  return { project, ask, answer, path, question }
}

describe('an unchanged definition', () => {
  test('is answered from memory, with the words and the exit code', async () => {
    const { project, ask, answer } = await remembering()
    const { stdout, stderr, code } = await ask()
    expect({ stdout, stderr, code }).toEqual({ stdout: 'doctored\n', stderr: answer.err, code: 0 })
    expect(answer.out).toContain('remembered 1.0.0')
    project.write('parts/count.ts', 'export const count = 2\n')
    const anew = await ask()
    expect(anew.stdout).toContain('remembered 1.0.0')
    expect(anew.stdout).not.toBe(answer.out)
  })

  test('is told in each form by itself, and written where --out says', async () => {
    const { project, ask } = await remembering(['plan', '--out', '.release/plan.txt'])
    rmSync(join(project.root, '.release/plan.txt'))
    expect((await ask()).stdout).toBe('doctored\n')
    expect(project.read('.release/plan.txt')).toContain('remembered 1.0.0')
    const check = await project.release(['check', '--json'])
    expect(JSON.parse(check.stdout)).toMatchObject({ ok: true })
  })

  test('is read anew where the answer is damaged, or is one to another question', async () => {
    const { path, question, answer, ask } = await remembering()
    expect(readAnswer(path, question)).toMatchObject({ out: 'doctored\n' })
    expect(readAnswer(path, `${question} `)).toBeNull()
    const text = writeAnswer({ ...answer, out: 'doctored\n' }, question)
    writeFileSync(path, text.replace('doctored', 'd0ctored'))
    expect(readAnswer(path, question)).toBeNull()
    expect((await ask()).stdout).toBe(answer.out)
  })
})

test('everything that an answer rests on is looked at', async () => {
  const { project, answer } = await remembering()
  const at = (path: string): string => join(project.root, path)
  const changes: readonly (readonly [string, () => void])[] = [
    ['the definition', () => project.write('release.config.ts', `${definition}\n`)],
    ['what it imports, to the same text', () => project.write('parts/count.ts', files['parts/count.ts'])],
    ['what it imports, under its old time', () => touch(at('parts/count.ts'))],
    ['what would be found first', () => project.write('parts/count.ts.ts', '')],
    ['a nearer package.json', () => project.write('parts/package.json', '{}')],
    ['a tsconfig', () => project.write('tsconfig.json', '{}')],
    ['installed packages', () => mkdirSync(at('node_modules/other'), { recursive: true })],
    ['the approvers', () => project.write('people', '# nobody')],
    ['a source file', () => project.write('release.config/api/server.js', '//')],
    ['a source file that may be executed', () => chmodSync(at('release.config/api/server.js'), 0o755)],
    ['a source file in an empty folder', () => project.write('release.config/api/empty/new.js', '')],
    ['a link', () => symlinkSync('server.js', at('release.config/api/empty/link.js'))],
    ['a folder for this version', () => mkdirSync(at('release.config/api/1.0.0'))],
    [
      'what runs',
      () => mkdirSync(join(project.home, 'clusters/remembered/test/instances/api'), { recursive: true }),
    ],
  ]
  // What comes and goes beside a definition has no say.
  project.write('notes.txt', '')
  project.write('coverage/lcov.info', '')
  expect(holds(answer)).toBe(true)
  let now = answer
  for (const [what, change] of changes) {
    now = {
      ...now,
      stamps: takeStamps(
        now.stamps.map(([path]) => path),
        Infinity,
      )!,
      names: takeNames(
        now.names.map(([folder]) => folder),
        Infinity,
      )!,
    }
    expect({ what, holds: holds(now) }).toEqual({ what, holds: true })
    change()
    expect({ what, holds: holds(now) }).toEqual({ what, holds: false })
  }
})

test('what ran has to run still', async () => {
  const child = spawn('sleep', ['600'])
  await once(child, 'spawn')
  const running = [identify(child.pid!)!]
  const file = import.meta.filename
  const answer: Answer = {
    named: file,
    definition: file,
    stamps: [],
    names: [],
    running,
    err: '',
    out: '',
    file: null,
    code: 0,
  }
  try {
    expect(holds(answer)).toBe(true)
    expect(holds({ ...answer, running: [{ ...running[0]!, start: '1' }] })).toBe(false)
    expect(holds({ ...answer, running: [{ ...running[0]!, boot: 'another' }] })).toBe(false)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  expect(() => holds(answer)).toThrow()
})

test('what was touched as the work began is not vouched for', () => {
  const file = import.meta.filename
  expect(takeStamps([file], 0)).toBeNull()
  expect(takeStamps([file], Infinity)).toHaveLength(1)
  expect(takeStamps([`${file}.none`], 0)).toEqual([[`${file}.none`]])
})
