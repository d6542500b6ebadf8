/** The command line with runs behind it: finished, failed, waiting, tampered with; for people and as JSON. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type SchemaName, validate } from '../../runner/load/validate.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { createProject, type Exit, type TestProject } from '../rig/project.ts'

// Many whole processes each: a busy machine takes its time, and only what hangs comes to this.
vi.setConfig({ testTimeout: 180_000 })

const open: TestProject[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(project => project.dispose()))
})
const projectOf = (files: Readonly<Record<string, string>>): TestProject => {
  const project = createProject({ files })
  open.push(project)
  return project
}

/** What differs from run to run, made the same. */
const plain = (text: string, run: string, root = ''): string =>
  text
    .replaceAll(run, '<run>')
    .replaceAll(root === '' ? '\u0000' : root, '<root>')
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/g, '<time>')
    .replaceAll(/\b\d+(\.\d+)? m?s\b/g, '<n> s')
    .replaceAll(/\b[0-9a-f]{64}\b/g, '<hash>')
    .replaceAll(/\b[0-9a-f]{8}([0-9a-f]{4})?\b/g, '<short>')

const document = async (exit: Exit, schema?: SchemaName): Promise<unknown> => {
  const value: unknown = JSON.parse(exit.stdout)
  if (schema !== undefined) expect(await validate(schema, value)).toEqual([])
  return value
}

const build = `
import { command, param, release } from 'release-as-code'
const loud = param('loud', { default: false })
export default release('build', { version: '1.2.3', params: [loud] })
  .stage('check', s => s
    .gate('passes', command(['node', '-e', 'console.log("looked at it")']).passes())
    .gate('only a warning', command(['node', '-e', 'process.exit(3)']).passes(), { required: false }))
  .stage('make', s => s
    .step('image', ({ log, params }) => { log('made it'); return { digest: 'd', loud: params.loud } }, {
      idempotent: true, undo: ({ log }) => log('unmade it') })
    .step('mail', () => undefined, { idempotent: true, undo: 'none' }))
`

describe('a finished run', () => {
  let project: TestProject
  let run = ''
  beforeAll(async () => {
    project = createProject({ files: { 'release.config.ts': build } })
    const exit = await project.release(['run', '--param', 'loud=true'])
    expect(exit.code, exit.stderr).toBe(0)
    expect(exit.stdout).toBe(`run ${exit.run}\n`)
    run = exit.run
  })
  afterAll(() => project.dispose())

  test('status, list and watch say so', async () => {
    const [status, list, watch] = await Promise.all(
      ['status', 'list', 'watch'].map(each => project.release([each])),
    )
    expect([status?.code, list?.code, watch?.code]).toEqual([0, 0, 0])
    expect(`\n${plain(status!.stdout, run)}`).toMatchInlineSnapshot(`
      "
      build 1.2.3  <run>  succeeded
      started by alice@techcorp.example at <time>, took <n> s

      ! check  2 of 2, 1 warning  <n> s
      ✓ make   2 of 2             <n> s

        release report <run>
      "
    `)
    expect(list?.stdout).toContain(run)
    expect(watch?.stderr).toContain(`build 1.2.3  ${run}  succeeded`)
  })

  test('logs tells what was printed, by all and by one, and suggests a node', async () => {
    const all = await project.release(['logs', 'latest'])
    expect(plain(all.stdout, run)).toContain('── check/passes\n')
    expect(all.stdout).toContain('looked at it\n')
    expect((await project.release(['logs', run, 'image'])).stdout).toBe('made it\n')
    const wrong = await project.release(['logs', run, 'imag'])
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
    expect(wrong.stderr).toContain('error[unknown-node]: the run has no node imag')
  })

  test('as JSON, and nothing else on stdout', async () => {
    const json = (...args: string[]) => project.release([...args, '--json'])
    const rows = (await document(await json('list'))) as { run: string; standing: string }[]
    expect(rows.map(row => [row.run, row.standing])).toEqual([[run, 'succeeded']])
    expect(await document(await json('status'))).toMatchObject({ run, standing: 'succeeded', runner: 'gone' })
    expect(await document(await json('report', run), 'report')).toMatchObject({ outcome: 'succeeded' })
    expect(await document(await json('verify', run))).toMatchObject({ run, ok: true, torn: 0, approvals: [] })
    expect(await document(await json('rollback', run, '--dry-run'))).toMatchObject({
      run,
      nodes: [],
      kept: [{ node: 'make/image' }, { node: 'make/mail' }],
    })
    expect(await document(await json('rollback', run, '--dry-run', '--through'))).toMatchObject({
      run,
      nodes: [{ undoes: 'make/image' }],
      kept: [{ node: 'make/mail' }],
    })
    const printed = (await json('logs', run)).stdout.trimEnd().split('\n')
    expect(printed.map(line => (JSON.parse(line) as { type: string }).type)).toEqual(
      printed.map(() => 'output'),
    )
  })

  test('rollback --dry-run changes nothing; rollback --to and of nothing are refused in words', async () => {
    const before = readFileSync(join(project.folderOf(run), 'journal.jsonl'), 'utf8')
    const dry = await project.release(['rollback', run, '--dry-run', '--through'])
    expect(`\n${dry.stdout}`).toMatchInlineSnapshot(`
      "
      This would be undone, in this order:
         1. step: image  (make/image)

      This stays:
        step: mail: the step "mail" says that nothing can undo it
      "
    `)
    const odd = await project.release(['rollback', run, '--to', 'make/nothing'])
    expect(odd).toMatchObject({ code: 2, stdout: '' })
    const done = await project.release(['cancel', run])
    expect(done.code).toBe(2)
    expect(done.stderr).toContain(`error[run-finished]: the run ${run} has ended already`)
    expect(readFileSync(join(project.folderOf(run), 'journal.jsonl'), 'utf8')).toBe(before)
  })

  test('is found from a folder within, by the beginning of its name, and where --state says', async () => {
    const deep = join(project.root, 'a/b')
    mkdirSync(deep, { recursive: true })
    expect((await project.release(['status', run.slice(0, -2)], { cwd: deep })).stdout).toContain(run)
    const elsewhere = await project.release(['list', '--state', 'elsewhere'])
    expect(elsewhere).toMatchObject({ code: 0, stdout: 'There are no runs yet: release run begins one.\n' })
    const own = await project.release(['run', '../../release.config.ts', '--state', 'own'], { cwd: deep })
    expect(own.code, own.stderr).toBe(0)
    expect(existsSync(join(deep, 'own/runs', own.run, 'journal.jsonl'))).toBe(true)
    expect((await project.release(['status', '--state', 'a/b/own'])).stdout).toContain(own.run)
    expect((await project.release(['list', '--json'])).stdout).not.toContain(own.run)
  })

  test('run --json: every line is an event of the schema or output, and the last says how it ended', async () => {
    const { code, stdout, stderr } = await project.release(['run', '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { type: string })
    for (const line of lines) expect(await validate('line', line)).toEqual([])
    const events = lines.filter(({ type }) => type !== 'output')
    expect(events.at(0)).toMatchObject({ type: 'run-started', release: 'build' })
    expect(events.at(-1)).toMatchObject({ type: 'run-finished', outcome: 'succeeded' })
    const { run: id } = events[0] as unknown as { run: string }
    expect(events).toEqual(await project.events(id))
  })
})

test('--concurrency goes into the plan, and is a whole number from 1', async () => {
  const project = projectOf({ 'release.config.ts': build })
  const { stdout } = await project.release(['plan', '--concurrency', '2', '--format', 'json'])
  expect((JSON.parse(stdout) as { concurrency: number }).concurrency).toBe(2)
  const refused = await project.release(['run', '--concurrency', 'none'])
  expect(refused).toMatchObject({ code: 2 })
  expect(refused.stderr).toContain('error[not-a-count]: --concurrency none')
})

describe('a journal that was tampered with', () => {
  test('is refused with the place, by verify and by whoever would go on', async () => {
    const project = projectOf({ 'release.config.ts': build })
    const { run } = await project.release(['run'])
    const path = join(project.folderOf(run), 'journal.jsonl')
    const lines = readFileSync(path, 'utf8').split('\n')
    const at = lines.findIndex(line => line.includes('node-succeeded'))
    const offset = Buffer.byteLength(`${lines.slice(0, at).join('\n')}\n`)
    lines[at] = lines[at]!.replace('"warning":null', '"warning":"ok"')
    writeFileSync(path, lines.join('\n'))
    for (const command of [
      ['verify', run],
      ['status', run],
      ['resume', run],
      ['rollback', run],
    ]) {
      const { code, stdout, stderr } = await project.release(command)
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
      expect(stderr).toMatch(/^error\[journal-damaged\]/)
      expect(stderr).toContain(
        `is damaged at byte ${offset}, record ${at}: its hash does not match its bytes.`,
      )
    }
    const { stdout } = await project.release(['list', '--json'])
    expect(JSON.parse(stdout)).toMatchObject([{ run, standing: 'damaged' }])
  })

  test('so is a plan', async () => {
    const project = projectOf({ 'release.config.ts': build })
    const { run } = await project.release(['run'])
    const path = join(project.folderOf(run), 'plan.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"required": true', '"required": false'))
    const { code, stderr } = await project.release(['verify', run])
    expect(code).toBe(4)
    expect(stderr).toContain('its hash does not fit what it says')
  })
})

describe('a failed run', () => {
  test('says what failed and why, everywhere', async () => {
    const project = projectOf({
      'release.config.ts': `
import { release } from 'release-as-code'
export default release('broken', { version: '1.0.0' })
  .stage('one', s => s.step('first', () => 'done', { idempotent: true, undo: ({ log }) => log('undone') }))
  .stage('two', s => s.step('second', () => { throw new Error('the database is gone') }, { idempotent: true, undo: 'not-needed' }))
  .stage('three', s => s.gate('never', () => true))
`,
    })
    const failed = await project.release(['run'])
    expect(failed.code).toBe(1)
    const { run } = failed
    const status = await project.release(['status'])
    expect(status.code).toBe(0)
    expect(`\n${plain(status.stdout, run)}`).toMatchInlineSnapshot(`
      "
      broken 1.0.0  <run>  failed
      started by alice@techcorp.example at <time>, took <n> s

      ✓ one         1 of 1             <n> s
      ✗ two         0 of 1, 1 failed   <n> s
      – three       0 of 1, 1 skipped
      ↶ rollback 1  1 of 1             <n> s

      ✗ two · step: second failed: the root cause
        the database is gone
        asked for at release.config.ts:5:24
        all it printed: release logs <run> two/second

      ↶ rollback 1, because two · step: second failed: 1 of 1 taken back

        release report <run>
      "
    `)
    expect((await project.release(['report'])).stdout).toContain('the database is gone')
    expect((await project.release(['logs', run, 'first'])).stdout).toContain('undone')
    expect((await project.release(['verify'])).code).toBe(0)
    const resumed = await project.release(['resume'])
    expect(resumed.code).toBe(2)
    expect(plain(resumed.stderr, run)).toMatchInlineSnapshot(`
      "error[nothing-to-resume]: the run <run> was rolled back: there is nothing to go on from
        = hint: Mend the cause and start a new one with: release run
      "
    `)
  })
})

describe('a waiting run', () => {
  const waits = `
import { release } from 'release-as-code'
export default release('waits', { version: '1.0.0' })
  .stage('go', s => s.approval('go live', { from: { boss: 1 } }))
  .stage('then', s => s.gate('g', () => true))
`
  test('tells what it waits for and how to let it go on; cancelled, it ends when it is resumed', async () => {
    const project = projectOf({ 'release.config.ts': waits })
    const left = await project.release(['run'])
    expect(left.code).toBe(3)
    const { run } = left
    expect(`\n${plain((await project.release(['status'])).stdout, run)}`).toMatchInlineSnapshot(`
      "
      waits 1.0.0  <run>  waiting
      started by alice@techcorp.example at <time>, <n> s ago

      ▸ go    0 of 1  <n> s
      · then  0 of 1

      ◷ go · approval: go live  waits for 1 boss
      · then · gate: g  waits for go · approval: go live

      go · approval: go live waits for 1 boss:
        release approve <run> 'go live' --as boss
        release resume <run>
      "
    `)
    const listed = JSON.parse((await project.release(['list', '--json'])).stdout) as unknown
    expect(listed).toMatchObject([{ run, standing: 'waiting', waitsFor: ['go/go live'] }])
    expect((await project.release(['watch'])).code).toBe(0)
    expect((await project.release(['verify'])).code).toBe(0)
    expect((await project.release(['report', '--json'])).code).toBe(0)
    const cancelled = await project.release(['cancel', run])
    expect(plain(cancelled.stdout, run)).toBe(
      'nobody runs <run> now; it will be cancelled by: release resume <run>\n',
    )
    const resumed = await project.release(['resume'])
    expect(resumed.code, resumed.stderr).toBe(1)
    expect((await project.release(['status'])).stdout).toContain('cancelled')
  })

  test('two that wait for the same: which is meant has to be said', async () => {
    const project = projectOf({ 'release.config.ts': waits })
    const runs = [(await project.release(['run'])).run, (await project.release(['run'])).run]
    const both = await project.release(['approve', 'go live', '--person', 'bob@x'])
    expect(both.code).toBe(2)
    for (const run of runs) expect(both.stderr).toContain(run)
    expect((await project.release(['approve', runs[0]!, 'go live', '--person', 'bob@x'])).code).toBe(0)
  })
})

describe('plan and check', () => {
  let project: TestProject
  beforeAll(() => {
    project = createProject({ files: { 'release.config.ts': build } })
  })
  afterAll(() => project.dispose())

  test('one definition is one plan, to the last byte, in every format; --out writes what stdout would show', async () => {
    for (const format of ['text', 'json', 'mermaid', 'dot']) {
      const [once, again] = await Promise.all([1, 2].map(() => project.release(['plan', '--format', format])))
      expect(once).toMatchObject({ code: 0, stderr: '' })
      expect(again?.stdout).toBe(once?.stdout)
      const out = await project.release(['plan', '--format', format, '--out', `plan.${format}`])
      expect(out).toMatchObject({ code: 0, stdout: '' })
      expect(project.read(`plan.${format}`)).toBe(once?.stdout)
    }
    const json = await project.release(['plan', '--json'])
    expect(json.stdout).toBe(project.read('plan.json'))
    expect(await document(json, 'plan')).toMatchObject({ release: { name: 'build', version: '1.2.3' } })
  })

  test('--against says what changed, and run --plan runs exactly that plan or none', async () => {
    await project.release(['plan', '--format', 'json', '--out', 'old.json'])
    const other = await project.release(['plan', '--against', 'old.json', '--param', 'loud=true'])
    expect(other.code).toBe(0)
    expect(other.stdout).toContain('loud')
    const drawn = await project.release(['plan', '--against', 'old.json', '--format', 'dot'])
    expect(drawn).toMatchObject({ code: 2, stdout: '' })
    const diff = await project.release(['plan', '--against', 'old.json', '--json', '--param', 'loud=true'])
    expect(Object.keys((await document(diff)) as object).length).toBeGreaterThan(0)
    const stale = await project.release(['run', '--plan', 'old.json', '--param', 'loud=true'])
    expect(stale.code).toBe(2)
    expect(stale.stderr).toContain('error[plan-stale]')
    const exact = await project.release(['run', '--plan', 'old.json'])
    expect(exact.code, exact.stderr).toBe(0)
    const [started] = await project.eventsOf(exact.run, 'run-started')
    expect(started?.plan).toBe((JSON.parse(project.read('old.json')) as Plan).hash)
    project.write('old.json', project.read('old.json').replace('"required": true', '"required": false'))
    const forged = await project.release(['run', '--plan', 'old.json'])
    expect(forged.code).toBe(2)
    expect(forged.stderr).toContain('error[plan-changed]')
  })

  test('check shows everything at its line, for people and as JSON; 2 where anything is an error', async () => {
    project.write(
      'wrong.ts',
      `import { command, release } from 'release-as-code'

export default release('wrong', { version: 'v1' })
  .stage('a', s => s.gate('g', command('npm test | tee log').passes()))
  .stage('b', s => s.step('s', () => {}))
`,
    )
    const said = await project.release(['check', 'wrong.ts'])
    expect(said.code).toBe(2)
    expect(`\n${said.stdout}`).toMatchInlineSnapshot(`
      "
      error[not-a-version]: the release's version is "v1", which is no SemVer version
       --> wrong.ts:3:16
        |
      3 | export default release('wrong', { version: 'v1' })
        |                ^^^^^^^
        = hint: Write three numbers, as in '3.0.0'.

      error[not-a-command]: "npm test | tee log": "|" pipes into a second command, which needs a shell
       --> wrong.ts:4:22
        |
      4 |   .stage('a', s => s.gate('g', command('npm test | tee log').passes()))
        |                      ^^^^
        = hint: Commands run without a shell. Do it in a step (await $\`…\`) or in a script of package.json; quote it to mean the character itself.

      warning[step-without-undo]: nothing undoes the step "s": a rollback leaves what it did
       --> wrong.ts:5:22
        |
      5 |   .stage('b', s => s.step('s', () => {}))
        |                      ^^^^
        = hint: Give it an \`undo\` function; or undo: 'not-needed' if nothing lasts, or undo: 'none' if nothing can.

      warning[step-not-resumable]: should a crash cut the step "s" off, nobody could tell whether it was done: resume will stop and ask
       --> wrong.ts:5:22
        |
      5 |   .stage('b', s => s.step('s', () => {}))
        |                      ^^^^
        = hint: Give it \`observe\`, which returns its value where it is done already, or idempotent: true where a second run does no harm.

      2 errors, 2 warnings in wrong.ts
      "
    `)
    const json = (await document(await project.release(['check', 'wrong.ts', '--json']))) as {
      diagnostics: { code: string; span: { file: string; line: number; column: number } }[]
    }
    expect(json).toMatchObject({ ok: false, errors: 2, warnings: 2, plan: null })
    expect(
      json.diagnostics.map(({ code, span }) => `${span.file}:${span.line} ${code}`),
    ).toMatchInlineSnapshot(`
      [
        "wrong.ts:3 not-a-version",
        "wrong.ts:4 not-a-command",
        "wrong.ts:5 step-without-undo",
        "wrong.ts:5 step-not-resumable",
      ]
    `)
    const fine = await project.release(['check'])
    expect(fine).toMatchObject({ code: 0, stderr: '' })
    expect(fine.stdout).toBe('0 errors, 0 warnings in release.config.ts; 2 stages, 4 nodes\n')
  })
})

describe('what the world says to check', () => {
  const check = async (project: TestProject): Promise<string> => {
    const { code, stdout } = await project.release(['check'])
    expect(code).toBe(2)
    const told = stdout.split('\n').filter(line => /^(error|warning)\[| --> |= hint/.test(line))
    return `\n${told.join('\n')}\n`
  }

  test('folders that are missing, or do not say how they start, and approvers that cannot be read, all at once', async () => {
    const project = projectOf({
      'release.config.ts': `import { environment, local, release, service } from 'release-as-code'
const gone = service('gone')
const mute = service('mute')
const shell = service('shell')
const here = environment('here', { on: local() })
export default release('world', { version: '1.0.0', components: [gone, mute, shell], approvers: 'nowhere/approvers' })
  .stage('s', s => s.approval('a', { from: { boss: 1 } }).deploy([gone, mute, shell], { to: here }))
`,
      'release.config/mute/package.json': '{}',
      'release.config/shell/package.json': '{ "scripts": { "start": "node . && echo done" } }',
    })
    expect((await check(project)).replaceAll(project.root, '<root>')).toMatchInlineSnapshot(`
      "
      error[source-missing]: gone has no folder to deploy: looked for release.config/gone/1.0.0 and release.config/gone
       --> release.config.ts:2:14
        = hint: Put its files there, or say where they are: source: 'path/to/gone'.
      error[start-missing]: mute: <root>/release.config/mute/package.json has no start script.
       --> release.config.ts:3:14
        = hint: Add "scripts": {"start": "node server.js"} to it, or say \`start\` at the component.
      error[start-needs-shell]: shell: The start script in <root>/release.config/shell/package.json, "node . && echo done", cannot be run: "&&" runs a second command, which needs a shell.
       --> release.config.ts:4:15
        = hint: Commands run without a shell. Do it in a step (await $\`…\`) or in a script of package.json; quote it to mean the character itself. Scripts are started directly, so that ending one ends the program and not a shell.
      error[approvers-unreadable]: the approvers file nowhere/approvers could not be read: ENOENT: no such file or directory, open '<root>/nowhere/approvers'
       --> release.config.ts:6:16
        = hint: It is an SSH allowed-signers file: a line for each person, 'alice@example.org ssh-ed25519 AAAA… roles=release-manager'.
      "
    `)
  })

  test('approvers in the definition are judged as those in a file are', async () => {
    const key = (letter: string): string => `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${letter.repeat(43)}`
    const project = projectOf({
      'release.config.ts': `import { release } from 'release-as-code'
export default release('world', { version: '1.0.0', approvers: {
  boss: [{ person: 'alice@x', key: '${key('A')}' }, { person: 'bob@x', key: '${key('A')}' }],
  chief: [{ person: 'carol@x', key: 'ssh-ed25519 AAAA' }],
} })
  .stage('s', s => s.approval('a', { from: { boss: 2 } }))
`,
    })
    expect(await check(project)).toMatchInlineSnapshot(`
      "
      error[approver-key]: the ssh-ed25519 key of carol@x is cut off or damaged
       --> release.config.ts:2:16
        = hint: Copy the whole line of the .pub file.
      error[approver-shared]: bob@x has the same key as alice@x
       --> release.config.ts:2:16
        = hint: Give each person a key of their own: one person counts once.
      "
    `)
  })
})

test('a newcomer: init, plan, run, and a look at it', async () => {
  const project = projectOf({})
  const home = { env: { RELEASE_USER: 'newcomer@techcorp.example' } }
  const init = await project.release(['init', 'hello/world'])
  expect(init.code, init.stderr).toBe(0)
  expect(`\n${init.stdout}`).toMatchInlineSnapshot(`
    "
    wrote hello/world/package.json
    wrote hello/world/release.config.ts
    wrote hello/world/services/hello/package.json
    wrote hello/world/services/hello/server.js

    Next:
      cd hello/world
      release plan
      release run --yes
    "
  `)
  // Beside a package.json that is there already, none is written.
  const beside = await project.release(['init', '--json'])
  expect(await document(beside)).toMatchObject({
    files: ['release.config.ts', 'services/hello/package.json', 'services/hello/server.js'],
  })
  const again = await project.release(['init', 'hello/world'])
  expect(again).toMatchObject({ code: 2, stdout: '' })
  expect(again.stderr).toContain('error[file-exists]')
  const there = { ...home, cwd: join(project.root, 'hello/world') }
  expect((await project.release(['check'], there)).stdout).toContain('0 errors, 0 warnings')
  expect((await project.release(['plan'], there)).code).toBe(0)
  const unasked = await project.release(['run'], there)
  expect(unasked).toMatchObject({ code: 2, stdout: '' })
  expect(unasked.stderr).toContain('error[needs-yes]: this changes production, which is protected')
  // What stays away from production needs no yes.
  const checked = await project.release(['run', '--only', 'preflight'], there)
  expect(checked.code, checked.stderr).toBe(0)
  expect((await project.release(['run', '--only', 'production'], there)).code).toBe(2)
  const ran = await project.release(['run', '--yes'], there)
  expect(ran.code, ran.stderr).toBe(0)
  const local = await project.release(['local', 'status'], there)
  expect(local.stdout.match(/healthy, gets traffic/g)).toHaveLength(4)
  expect((await project.release(['run', '--yes'], there)).code).toBe(0)
  expect((await project.release(['rollback', ran.run, '--dry-run'], there)).stdout).toContain('in this order')
  const stop = await project.release(['local', 'stop'], there)
  expect(stop.code, stop.stderr).toBe(0)
  expect(project.processes()).toEqual([])
}, 180_000)
