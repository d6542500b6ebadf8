/**
 * What people do to a run while it runs, and what they say about it afterwards: Ctrl-C, SIGTERM, cancel, resume with an
 * answer, `--only`, a saved plan, another definition. By the real command line, without a platform.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Plan } from '../../src/plan/plan.ts'
import { isLive } from '../rig/processes.ts'
import { createProject, type Running, type TestProject } from '../rig/project.ts'
import { until } from '../rig/wait.ts'

const LONG = 300_000

const open: TestProject[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(project => project.dispose()))
})

const HEAD = `import { command, release } from 'release-as-code'
const fs = async () => await import('node:fs')
const count = async (line: string) => (await fs()).appendFileSync('effects.log', line + '\\n')
/** Until the file is there. */
const until = async (path: string) => {
  const { existsSync } = await fs()
  while (!existsSync(path)) await new Promise(resolve => setTimeout(resolve, 5))
}
`

/** A project whose release has these stages, as they are written. */
const projectOf = (stages: string, more: Readonly<Record<string, string>> = {}): TestProject => {
  const text = `${HEAD}\nexport default release('controlled', { version: '3.0.0' })\n${stages}\n`
  const project = createProject({ files: { 'release.config.ts': text, ...more } })
  open.push(project)
  return project
}

const counted = (project: TestProject): readonly string[] => project.lines('effects.log')

/** Waits until an effect has begun, as its line tells. @throws Error with what was printed where the run ends before */
const begun = async (project: TestProject, running: Running, line: string): Promise<void> => {
  let ended = false
  void running.exit.then(() => {
    ended = true
  })
  await until(`"${line}" in effects.log`, () => {
    if (ended && !counted(project).includes(line)) throw new Error(`it ended before: ${running.printed()}`)
    return counted(project).includes(line)
  })
}

const TWO_STEPS = `
  .stage('work', s => s
    .step('first', async () => { await count('first'); await until('go'); await count('first is done') }, { idempotent: true, undo: 'none' })
    .step('second', () => count('second'), { idempotent: true, undo: 'none' }))`

/** Its command ignores SIGTERM's first word and has a child that has crept out of its group. */
const WITH_CHILDREN = `
  .stage('work', s => s
    .step('first', async ({ $ }) => {
      await $\`sh -c \${'test -e go && exec echo again >> effects.log; echo $$ >> pids; setsid sh -c "echo \\\\$\\\\$ >> pids; echo first >> effects.log; exec sleep 600" & wait'}\`
    }, { idempotent: true, undo: 'none' TIMEOUT })
    .step('second', () => count('second'), { idempotent: true, undo: 'none' }))`

const pidsOf = (project: TestProject): readonly number[] => project.lines('pids').map(Number)

describe('Ctrl-C', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(
      `${signal} once: what runs ends, nothing more starts, and the run is gone on with`,
      async () => {
        const project = projectOf(TWO_STEPS)
        const running = project.start(['run'])
        await begun(project, running, 'first')
        running.kill(signal)
        const run = project.runs()[0]!
        await until(
          'the stop is recorded',
          async () => (await project.eventsOf(run, 'stop-asked')).length > 0,
        )
        project.write('go', '')
        expect((await running.exit).code).toBe(130)
        expect(counted(project)).toEqual(['first', 'first is done'])
        expect((await project.release(['resume', run])).code).toBe(0)
        expect(counted(project)).toEqual(['first', 'first is done', 'second'])
      },
      LONG,
    )

    test(
      `${signal} twice: what runs is ended with all that it started, and the run is gone on with`,
      async () => {
        const project = projectOf(WITH_CHILDREN.replace('TIMEOUT', ''))
        const running = project.start(['run'])
        await begun(project, running, 'first')
        running.kill(signal)
        const run = project.runs()[0]!
        await until(
          'the stop is recorded',
          async () => (await project.eventsOf(run, 'stop-asked')).length > 0,
        )
        running.kill(signal)
        expect((await running.exit).code).toBe(130)
        expect(pidsOf(project).length).toBe(2)
        expect(pidsOf(project).filter(isLive)).toEqual([])
        project.write('release.config.ts', project.read('release.config.ts').replaceAll('3.0.0', '3.0.1'))
        project.write('go', '')
        const resumed = await project.release(['resume', run])
        expect(resumed.code).toBe(0)
        expect(resumed.stderr).toContain('has changed since')
        expect(counted(project)).toEqual(['first', 'again', 'second'])
        expect((await project.eventsOf(run, 'run-started')).map(event => event.version)).toEqual(['3.0.0'])
      },
      LONG,
    )
  }
})

test(
  'a time limit ends everything that the command has started',
  async () => {
    const project = projectOf(WITH_CHILDREN.replace('TIMEOUT', ", timeout: '5s'"))
    const { code, run } = await project.release(['run'])
    expect(code).toBe(1)
    const [failed] = await project.eventsOf(run, 'node-failed')
    expect(failed?.failure.code).toBe('time-limit')
    expect(pidsOf(project).length).toBe(2)
    expect(pidsOf(project).filter(isLive)).toEqual([])
    expect(counted(project)).toEqual(['first'])
  },
  LONG,
)

test(
  'what a killed runner left running is ended before its run goes on, also where it was not on record',
  async () => {
    const project = projectOf(WITH_CHILDREN.replace('TIMEOUT', ''))
    const running = project.start(['run'])
    await begun(project, running, 'first')
    running.kill('SIGKILL')
    await running.exit
    const run = project.runs()[0]!
    const left = pidsOf(project)
    expect(left.filter(isLive)).toHaveLength(2)
    // As if the crash had come between the start of the command and its record.
    const { rmSync } = await import('node:fs')
    rmSync(join(project.folderOf(run), 'children'), { recursive: true, force: true })
    project.write('go', '')
    expect((await project.release(['resume', run])).code).toBe(0)
    expect(left.filter(isLive)).toEqual([])
    expect(counted(project)).toEqual(['first', 'again', 'second'])
  },
  LONG,
)

describe('cancel', () => {
  test(
    'from another terminal: what runs ends, nothing more starts, nothing is undone',
    async () => {
      const project = projectOf(TWO_STEPS)
      const running = project.start(['run'])
      await begun(project, running, 'first')
      const run = project.runs()[0]!
      expect((await project.release(['cancel', run])).code).toBe(0)
      await until('the stop is recorded', async () => (await project.eventsOf(run, 'stop-asked')).length > 0)
      project.write('go', '')
      expect((await running.exit).code).toBe(1)
      expect(counted(project)).toEqual(['first', 'first is done'])
      expect((await project.eventsOf(run, 'run-finished')).map(event => event.outcome)).toEqual(['cancelled'])
    },
    LONG,
  )

  test(
    'while nobody runs it: the next to take it up starts nothing',
    async () => {
      const project = projectOf(TWO_STEPS)
      const killed = await project.release(['run'], { fault: 'journal:after-append:runner-attached:1' })
      expect(killed.signal).toBe('SIGKILL')
      const run = project.runs()[0]!
      expect((await project.release(['cancel', run])).stdout).toContain('will be cancelled')
      expect((await project.release(['resume', run])).code).toBe(1)
      expect(counted(project)).toEqual([])
      expect((await project.eventsOf(run, 'run-finished')).map(event => event.outcome)).toEqual(['cancelled'])
    },
    LONG,
  )

  test(
    'and then a crash: it stays cancelled',
    async () => {
      const project = projectOf(TWO_STEPS)
      const running = project.start(['run'], { fault: 'journal:before-append:node-succeeded:1' })
      await begun(project, running, 'first')
      const run = project.runs()[0]!
      await project.release(['cancel', run])
      await until('the stop is recorded', async () => (await project.eventsOf(run, 'stop-asked')).length > 0)
      project.write('go', '')
      expect((await running.exit).signal).toBe('SIGKILL')
      expect((await project.release(['resume', run])).code).toBe(1)
      expect(counted(project)).not.toContain('second')
    },
    LONG,
  )
})

describe('a step that can neither be observed nor repeated', () => {
  const CHARGE = `
  .stage('work', s => s
    .step('charge', async () => { await count('charge'); return { receipt: 'from the step' } }, { undo: 'none' })
    .step('thank', async ({ outputs }) => { await count('thanks for ' + outputs.charge.receipt) }, { idempotent: true, undo: 'none' }))`

  const cut = async (): Promise<{ project: TestProject; run: string }> => {
    const project = projectOf(CHARGE)
    const { signal } = await project.release(['run'], { fault: 'effect:after:work/charge#1:1' })
    expect(signal).toBe('SIGKILL')
    const run = project.runs()[0]!
    const asked = await project.release(['resume', run])
    expect(asked.code).toBe(3)
    expect(asked.stderr).toContain('charge')
    expect(counted(project)).toEqual(['charge'])
    return { project, run }
  }

  test(
    'was cut off: resume asks, and asks again; --rerun does it once more',
    async () => {
      const { project, run } = await cut()
      expect((await project.release(['resume', run])).code).toBe(3)
      const other = await project.release(['resume', run, '--rerun', 'thank'])
      expect(other.code).toBe(2)
      expect(other.stderr).toContain('work/charge')
      expect((await project.release(['resume', run, '--rerun', 'charge'])).code).toBe(0)
      expect(counted(project)).toEqual(['charge', 'charge', 'thanks for from the step'])
    },
    LONG,
  )

  test(
    'was cut off: --skip takes a person’s word for what it returned',
    async () => {
      const { project, run } = await cut()
      expect((await project.release(['resume', run, '--skip', 'charge={"receipt":'])).code).toBe(2)
      const skipped = await project.release(['resume', run, '--skip', 'charge={"receipt":"by hand"}'])
      expect(skipped.code).toBe(0)
      expect(counted(project)).toEqual(['charge', 'thanks for by hand'])
      expect((await project.release(['verify', run])).code).toBe(0)
    },
    LONG,
  )
})

const STAGES = `
  .stage('preflight', s => s
    .gate('lint', command(['sh', '-c', 'echo lint >> effects.log']).passes())
    .step('prepare', () => count('prepare'), { idempotent: true, undo: 'none' }))
  .stage('build', s => s.step('build', () => count('build'), { idempotent: true, undo: 'none' }))
  .stage('other', { after: ['preflight'] }, s => s.step('other', () => count('other'), { idempotent: true, undo: 'none' }))`

describe('--only', () => {
  test(
    'runs the stage and the gates before it, and nothing else, also where a crash comes between',
    async () => {
      for (const fault of [
        undefined,
        'journal:before-append:run-started:1',
        'journal:after-append:node-skipped:1',
      ]) {
        const project = projectOf(STAGES)
        const first = await project.release(['run', '--only', 'build'], fault === undefined ? {} : { fault })
        const last = fault === undefined ? first : await project.release(['resume', project.runs()[0]!])
        expect([fault, last.code]).toEqual([fault, 0])
        expect(counted(project)).toEqual(['lint', 'build'])
      }
    },
    LONG,
  )

  test(
    'keeps the approval before the stage, though the step between them is left out',
    async () => {
      const project = projectOf(`
  .stage('go-live', s => s
    .approval('go live', { from: { lead: 1 } })
    .step('tell', () => count('tell'), { idempotent: true, undo: 'none' }))
  .stage('build', s => s.step('build', () => count('build'), { idempotent: true, undo: 'none' }))`)
      const { code, run } = await project.release(['run', '--only', 'build'])
      expect(code).toBe(3)
      expect(counted(project)).toEqual([])
      expect((await project.release(['approve', run, 'go live', '--person', 'bob'])).code).toBe(0)
      expect((await project.release(['resume', run])).code).toBe(0)
      expect(counted(project)).toEqual(['build'])
    },
    LONG,
  )

  test(
    'of a stage that is not there is refused, and nothing begins',
    async () => {
      const project = projectOf(STAGES)
      const { code, stderr } = await project.release(['run', '--only', 'biuld'])
      expect(code).toBe(2)
      expect(stderr).toContain('Did you mean build?')
      expect(project.runs()).toEqual([])
    },
    LONG,
  )
})

describe('a saved plan', () => {
  test(
    'is run as it was saved, and refused once the definition says something else',
    async () => {
      const project = projectOf(STAGES)
      const planned = await project.release(['plan', '--format', 'json', '--out', 'saved.json'])
      expect(planned.code).toBe(0)
      const ran = await project.release(['run', '--plan', 'saved.json'])
      expect(ran.code).toBe(0)
      const { hash } = JSON.parse(project.read('saved.json')) as Plan
      expect((await project.eventsOf(ran.run, 'run-started'))[0]?.plan).toBe(hash)
      project.write(
        'release.config.ts',
        project
          .read('release.config.ts')
          .replace("'build', () => count('build')", "'build', () => count('another')"),
      )
      const stale = await project.release(['run', '--plan', 'saved.json'])
      expect(stale.code).toBe(2)
      expect(stale.stderr).toContain('the saved plan is stale')
      project.write(
        'saved.json',
        project.read('saved.json').replace('"version": "3.0.0"', '"version": "3.0.9"'),
      )
      const forged = await project.release(['run', '--plan', 'saved.json'])
      expect(forged.code).toBe(2)
      expect(forged.stderr).toContain('is not as it was made')
      expect(counted(project)).not.toContain('another')
    },
    LONG,
  )
})

describe('a definition that has changed since the run began', () => {
  const killed = async (): Promise<{ project: TestProject; run: string }> => {
    const project = projectOf(STAGES)
    await project.release(['run'], { fault: 'journal:after-append:node-succeeded:2' })
    return { project, run: project.runs()[0]! }
  }
  const change = (project: TestProject, from: string, to: string): void => {
    const text = project.read('release.config.ts')
    expect(text).toContain(from)
    project.write('release.config.ts', text.replace(from, to))
  }

  test(
    'is said, and the run goes on with the one it began with',
    async () => {
      const { project, run } = await killed()
      change(project, "count('build')", "count('another build')")
      const resumed = await project.release(['resume', run])
      expect(resumed.code).toBe(0)
      expect(resumed.stderr).toContain('release.config.ts has changed since the run')
      expect(counted(project)).toContain('build')
      expect(counted(project)).not.toContain('another build')
    },
    LONG,
  )

  test(
    'has gone: that is said, and the run goes on',
    async () => {
      const { project, run } = await killed()
      const { rmSync } = await import('node:fs')
      rmSync(join(project.root, 'release.config.ts'))
      const resumed = await project.release(['resume', run])
      expect(resumed.code).toBe(0)
      expect(resumed.stderr).toContain('is gone')
    },
    LONG,
  )

  test(
    '--adopt takes it where what is done is the same in it, also through another crash',
    async () => {
      const { project, run } = await killed()
      change(project, "count('build')", "count('another build')")
      change(project, ".step('other', () => count('other')", ".step('new', () => count('new')")
      const fault = 'journal:after-append:plan-adopted:1'
      expect((await project.release(['resume', run, '--adopt'], { fault })).signal).toBe('SIGKILL')
      expect((await project.release(['resume', run])).code).toBe(0)
      const lines = counted(project)
      expect(lines.filter(line => ['another build', 'new'].includes(line))).toHaveLength(2)
      expect(lines).not.toContain('build')
      expect(lines).not.toContain('other')
      expect(lines.filter(line => line === 'lint')).toHaveLength(1)
      expect((await project.release(['verify', run])).code).toBe(0)
    },
    LONG,
  )

  test(
    '--adopt is refused where something that has begun would be another, and the run stays as it was',
    async () => {
      const { project, run } = await killed()
      const before = readFileSync(join(project.folderOf(run), 'journal.jsonl'), 'utf8')
      change(project, 'echo lint >>', 'echo stricter lint >>')
      const refused = await project.release(['resume', run, '--adopt'])
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain('preflight/lint has begun already')
      expect(readFileSync(join(project.folderOf(run), 'journal.jsonl'), 'utf8')).toBe(before)
    },
    LONG,
  )
})

describe('time', () => {
  test(
    'a wait that had not begun when its runner died begins when the next takes the run up',
    async () => {
      const project = projectOf(`.stage('settle', s => s.wait('300ms'))`)
      await project.release(['run'], { fault: 'journal:before-append:node-waiting:1' })
      const run = project.runs()[0]!
      expect((await project.release(['resume', run])).code).toBe(0)
      const attached = (await project.eventsOf(run, 'runner-attached'))[1]!
      const waiting = (await project.eventsOf(run, 'node-waiting'))[0]!
      expect(waiting.until! - attached.at).toBeGreaterThanOrEqual(300)
    },
    LONG,
  )

  test(
    'another attempt does not come before its time because the runner died',
    async () => {
      const project = projectOf(`.stage('work', s => s
        .step('flaky', async () => {
          await count('flaky')
          if ((await (await fs()).readFileSync('effects.log', 'utf8')).split('flaky').length < 3) throw new Error('not yet')
        }, { idempotent: true, undo: 'none', retry: { limit: 1, delay: '3s' } }))`)
      await project.release(['run'], { fault: 'journal:after-append:node-retrying:1' })
      const run = project.runs()[0]!
      expect((await project.release(['resume', run])).code).toBe(0)
      const retrying = (await project.eventsOf(run, 'node-retrying'))[0]!
      const second = (await project.eventsOf(run, 'node-started'))[1]!
      expect(second.at).toBeGreaterThanOrEqual(retrying.until)
      expect(counted(project)).toEqual(['flaky', 'flaky'])
    },
    LONG,
  )
})

test(
  'a cancel does not keep a rollback from its end, not even with a crash between them',
  async () => {
    const project = projectOf(`.stage('work', s => s
      .step('first', () => count('first'), { idempotent: true, undo: () => count('undo first') })
      .step('second', () => count('second'), { idempotent: true, undo: async () => { await count('undo second'); await until('go') } })
      .step('third', () => { throw new Error('it was asked to fail') }, { idempotent: true, undo: 'not-needed' }))
      .onFailure('rollback-all')`)
    const running = project.start(['run'])
    await begun(project, running, 'undo second')
    const run = project.runs()[0]!
    expect((await project.release(['cancel', run])).code).toBe(0)
    await until('the stop is recorded', async () => (await project.eventsOf(run, 'stop-asked')).length > 0)
    running.kill('SIGKILL')
    await running.exit
    project.write('go', '')
    expect((await project.release(['resume', run])).code).toBe(1)
    expect(counted(project)).toEqual(['first', 'second', 'undo second', 'undo second', 'undo first'])
    expect(await project.eventsOf(run, 'rollback-finished')).toHaveLength(1)
  },
  LONG,
)

test(
  'a run that was killed before its first record is told as such, and begins as it was asked to',
  async () => {
    const project = projectOf(STAGES)
    const fault = 'journal:before-append:run-started:1'
    expect((await project.release(['run', '--only', 'other'], { fault })).signal).toBe('SIGKILL')
    const run = project.runs()[0]!
    expect(await project.events(run)).toEqual([])
    expect((await project.release(['status', run])).stdout).toContain('it has not begun')
    const report = await project.release(['report', run])
    expect(report).toMatchObject({ code: 2, stdout: '' })
    expect(report.stderr).toContain('nothing has happened in it')
    expect((await project.release(['resume', run])).code).toBe(0)
    expect(counted(project)).toEqual(['lint', 'other'])
    const [started] = await project.eventsOf(run, 'run-started')
    expect(started).toMatchObject({ run, who: 'alice@techcorp.example', only: ['other'] })
  },
  LONG,
)
