/** The words of the command line: help, versions, and what is said to those who mistype. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { COMMANDS } from '../../runner/cli/commands.ts'
import { ownPackage } from '../../runner/load/own-package.ts'
import { createProject, type TestProject } from '../rig/project.ts'

// Many whole processes each: a busy machine takes its time, and only what hangs comes to this.
vi.setConfig({ testTimeout: 180_000 })

const definition = `
import { release } from 'release-as-code'
export default release('words', { version: '1.0.0' }).stage('s', s => s.gate('g', () => true))
`

let project: TestProject
beforeAll(() => {
  project = createProject({ files: { 'release.config.ts': definition } })
})
afterAll(() => project.dispose())

describe('help', () => {
  test('of the whole, in three spellings and with no command at all', async () => {
    const said = await Promise.all([['--help'], ['-h'], ['help'], []].map(args => project.release(args)))
    for (const { code, stdout, stderr } of said) {
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: said[0]?.stdout, stderr: '' })
    }
    expect(said[0]?.stdout).toMatchInlineSnapshot(`
      "release <command> [arguments]: a release of many services, written as code.

        init      write a first definition that runs as it is
        check     say everything that is wrong with a definition
        plan      show what would be done, or what changed
        simulate  prove that every failure ends as promised, or name the hole
        run       run a release
        resume    go on with a run from its last checkpoint
        status    say where a run stands
        list      list the runs
        logs      print what a run, or one of its nodes, printed
        watch     follow a run that another terminal runs
        approve   give an approval
        reject    refuse an approval
        cancel    let a run end without starting anything more
        rollback  undo what a run did, newest first
        report    say what happened, when, by whom, measured how
        verify    check that a journal is whole and every approval is signed
        local     show or stop what runs on the local platform

      Every command takes:
        --json      print JSON on stdout, and nothing else there
        --state     where runs are kept (.release beside the package.json above the definition)
        --no-color  no colour, as with NO_COLOR
        --help      print this help

      Exit codes: 0 done, 1 the release failed, 2 the definition or an argument is wrong, 3 waiting,
      4 the state is in use or unusable, 5 done in part, 130 interrupted and resumable.

      Example:
        release plan releases/phoenix.ts
      "
    `)
  })

  test('of each command, by --help and by help COMMAND', async () => {
    const names = Object.keys(COMMANDS)
    const said: string[] = []
    for (const name of names) {
      const [one, other] = await Promise.all([
        project.release([name, '--help']),
        project.release(['help', name]),
      ])
      expect(one).toMatchObject({ code: 0, stderr: '' })
      expect(other.stdout).toBe(one.stdout)
      expect(one.stdout).toContain('Example:\n  release ')
      said.push(one.stdout)
    }
    expect(`\n${said.join('\n')}`).toMatchInlineSnapshot(`
      "
      release init [DIR]

      Writes a first definition, with a small service, that runs as it is. Overwrites nothing.

        --json       print JSON on stdout, and nothing else there
        --state DIR  where runs are kept (.release beside the package.json above the definition)
        --no-color   no colour, as with NO_COLOR
        -h, --help   print this help

      Example:
        release init hello && cd hello && release run --yes

      release check [FILE]

      Says everything that is wrong with a definition: types, names, graph, safety.

        --param NAME=VALUE  a value for one of the params (may be given more than once)
        --concurrency N     how many effects may be in flight at once (what the definition says, else 8)
        --json              print JSON on stdout, and nothing else there
        --state DIR         where runs are kept (.release beside the package.json above the definition)
        --no-color          no colour, as with NO_COLOR
        -h, --help          print this help

      Example:
        release check releases/phoenix.ts

      release plan [FILE]

      Shows what a release would do, or with --against what is different from an older plan.

        --param NAME=VALUE  a value for one of the params (may be given more than once)
        --concurrency N     how many effects may be in flight at once (what the definition says, else 8)
        --format FORMAT     text, json, mermaid, dot, svg, html (text)
        --out FILE          write it there instead of to stdout
        --against PLAN      an older plan as JSON: say what is added, removed and changed
        --json              print JSON on stdout, and nothing else there
        --state DIR         where runs are kept (.release beside the package.json above the definition)
        --no-color          no colour, as with NO_COLOR
        -h, --help          print this help

      Example:
        release plan releases/phoenix.ts --format html --out plan.html

      release simulate [FILE]

      Runs the plan in virtual time, fails every node in every way and kills the runner at every write, also of what is taken back: proves that each case ends as its policy promises, or names the hole.

        --param NAME=VALUE  a value for one of the params (may be given more than once)
        --concurrency N     how many effects may be in flight at once (what the definition says, else 8)
        --seeds N           orders of events tried for each case (1)
        --most N            kills of the runner at the most; beyond, a sample (1000)
        --json              print JSON on stdout, and nothing else there
        --state DIR         where runs are kept (.release beside the package.json above the definition)
        --no-color          no colour, as with NO_COLOR
        -h, --help          print this help

      Example:
        release simulate releases/phoenix.ts

      release run [FILE]

      Runs a release. What was done is remembered: whatever happens, \`release resume\` goes on.

        --param NAME=VALUE  a value for one of the params (may be given more than once)
        --concurrency N     how many effects may be in flight at once (what the definition says, else 8)
        --plan PLAN         run exactly this saved plan; refused when the world has changed since
        --only STAGE        only this stage, and every gate and approval that guards it (may be given more than once)
        -y, --yes           a protected environment may be changed without asking
        --wait TIME         how long to stay when only a person is waited for: a duration or \`forever\` (on a terminal: forever; elsewhere: 0s)
        --json              print JSON on stdout, and nothing else there
        --state DIR         where runs are kept (.release beside the package.json above the definition)
        --no-color          no colour, as with NO_COLOR
        -h, --help          print this help

      Example:
        release run releases/phoenix.ts --param version=3.0.0 --yes

      release resume [RUN]

      Goes on with a run: after a crash, a Ctrl-C, a wait, or a failure whose cause is gone.

        --rerun STEP        a step that was cut off and may be done again (may be given more than once)
        --skip STEP[=JSON]  a step that was cut off and was done, with what it returned (may be given more than once)
        --adopt             take the definition as it is now, if all that is done already is the same in it
        --wait TIME         how long to stay when only a person is waited for: a duration or \`forever\` (on a terminal: forever; elsewhere: 0s)
        --json              print JSON on stdout, and nothing else there
        --state DIR         where runs are kept (.release beside the package.json above the definition)
        --no-color          no colour, as with NO_COLOR
        -h, --help          print this help

      Example:
        release resume --rerun smoke

      release status [RUN]

      Says where a run stands, what it waits for, and the command that lets it go on.

        --json       print JSON on stdout, and nothing else there
        --state DIR  where runs are kept (.release beside the package.json above the definition)
        --no-color   no colour, as with NO_COLOR
        -h, --help   print this help

      Example:
        release status

      release list

      Lists the runs, oldest first.

        --json       print JSON on stdout, and nothing else there
        --state DIR  where runs are kept (.release beside the package.json above the definition)
        --no-color   no colour, as with NO_COLOR
        -h, --help   print this help

      Example:
        release list --json

      release logs RUN [NODE]

      Prints what the nodes of a run printed, or one of them; secrets are scrubbed.

        --json       print JSON on stdout, and nothing else there
        --state DIR  where runs are kept (.release beside the package.json above the definition)
        --no-color   no colour, as with NO_COLOR
        -h, --help   print this help

      Example:
        release logs phoenix-3.0.0-20261121-101530-1a2b 'preflight/unit tests'

      release watch [RUN]

      Shows a run as it goes on in another terminal, until it ends. With --guard, watches over a release that is done.

        --guard      measure what was released, and take it back when a trigger of its guard fires (exit 1)
        --for TIME   with --guard: how long, from now (as the definition says, from the first watch)
        --json       print JSON on stdout, and nothing else there
        --state DIR  where runs are kept (.release beside the package.json above the definition)
        --no-color   no colour, as with NO_COLOR
        -h, --help   print this help

      Example:
        release watch --guard

      release approve [RUN] APPROVAL

      Gives an approval, signed with your SSH key and bound to this run and its plan.

        --as ROLE      the role in which you speak; left out where only one fits
        --key FILE     the SSH key to sign with; left out: the agent, then ~/.ssh
        --person NAME  who you are, where the release names no approvers or your key has two names
        --json         print JSON on stdout, and nothing else there
        --state DIR    where runs are kept (.release beside the package.json above the definition)
        --no-color     no colour, as with NO_COLOR
        -h, --help     print this help

      Example:
        release approve 'go live' --as release-manager

      release reject [RUN] APPROVAL

      Refuses an approval: it fails, and the failure policy decides what follows.

        --as ROLE      the role in which you speak; left out where only one fits
        --key FILE     the SSH key to sign with; left out: the agent, then ~/.ssh
        --person NAME  who you are, where the release names no approvers or your key has two names
        --reason TEXT  why; it is recorded
        --json         print JSON on stdout, and nothing else there
        --state DIR    where runs are kept (.release beside the package.json above the definition)
        --no-color     no colour, as with NO_COLOR
        -h, --help     print this help

      Example:
        release reject 'go live' --as release-manager --reason 'the load test is red'

      release cancel RUN

      Lets what runs end and starts nothing more. Nothing is undone: that is what rollback is for.

        --json       print JSON on stdout, and nothing else there
        --state DIR  where runs are kept (.release beside the package.json above the definition)
        --no-color   no colour, as with NO_COLOR
        -h, --help   print this help

      Example:
        release cancel phoenix-3.0.0-20261121-101530-1a2b

      release rollback RUN

      Undoes what a run did, newest first along the graph, and sees that all is as it was.

        --to NODE         only what was done after this node
        --strategy ORDER  service-by-service, staged or immediate (as the definition says; else service-by-service)
        --within TIME     only while the run ended no longer ago than this, and taking no longer than this
        --through         also what was frozen, because something that cannot be undone was built on it
        --dry-run         say what would be undone, and what could not be; change nothing
        --json            print JSON on stdout, and nothing else there
        --state DIR       where runs are kept (.release beside the package.json above the definition)
        --no-color        no colour, as with NO_COLOR
        -h, --help        print this help

      Example:
        release rollback phoenix-3.0.0-20261121-101530-1a2b --dry-run

      release report [RUN]

      Says what happened in a run: who, what, when, each figure, the cause, what was taken back and what not.

        --format FORMAT  md, html or json (md)
        --out FILE       write it there instead of to stdout
        --json           print JSON on stdout, and nothing else there
        --state DIR      where runs are kept (.release beside the package.json above the definition)
        --no-color       no colour, as with NO_COLOR
        -h, --help       print this help

      Example:
        release report --format html --out report.html

      release verify [RUN]

      Checks that a journal is whole and unchanged, that plan and bundle are its own, and every signature.

        --json       print JSON on stdout, and nothing else there
        --state DIR  where runs are kept (.release beside the package.json above the definition)
        --no-color   no colour, as with NO_COLOR
        -h, --help   print this help

      Example:
        release verify phoenix-3.0.0-20261121-101530-1a2b

      release local status|stop

      Shows what runs on the local platform of this machine, or drains and stops it.

        --cluster NAME      stop: only this cluster
        --environment NAME  stop: only this environment
        --json              print JSON on stdout, and nothing else there
        --state DIR         where runs are kept (.release beside the package.json above the definition)
        --no-color          no colour, as with NO_COLOR
        -h, --help          print this help

      Example:
        release local stop --environment staging
      "
    `)
  })

  test('whatever else is wrong, as long as the options are known', async () => {
    expect(await project.release(['approve', '--help'])).toMatchObject({ code: 0, stderr: '' })
  })
})

test('the version is that of the package', async () => {
  for (const word of ['--version', '-v']) {
    expect(await project.release([word])).toMatchObject({
      code: 0,
      stdout: `${ownPackage().version}\n`,
      stderr: '',
    })
  }
})

describe('what is mistyped', () => {
  const said = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await project.release(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    return `\n${stderr}`
  }

  test('a command', async () => {
    expect(await said('paln')).toMatchInlineSnapshot(`
      "
      error[unknown-command]: there is no command "paln"
        = hint: Did you mean plan?
      "
    `)
    expect(await said('deploy-everything')).toMatchInlineSnapshot(`
      "
      error[unknown-command]: there is no command "deploy-everything"
        = hint: There are init, check, plan, simulate, run, resume, status, list, logs, watch, approve, reject, cancel, rollback, report, verify, local.
      "
    `)
    expect(await said('help', 'reprot')).toMatchInlineSnapshot(`
      "
      error[unknown-command]: there is no command "reprot"
        = hint: Did you mean report?
      "
    `)
    expect(await said('constructor')).toContain('there is no command "constructor"')
  })

  test('options and arguments, all at once', async () => {
    expect(await said('plan', 'a', 'b', '--formta', 'json', '--out', '--yes')).toMatchInlineSnapshot(`
      "
      error[unknown-option]: there is no option --formta
        = hint: Did you mean --format?

      error[option-value]: --out needs a value, and --yes is an option
        = hint: Write --out FILE; or --out=--yes, if that is the value.

      error[arguments]: release plan: b is one argument too many
        = hint: Write release plan [FILE].
      "
    `)
    expect(await said('run', '--yes=no', '--plan')).toMatchInlineSnapshot(`
      "
      error[option-value]: --yes takes no value
        = hint: Write --yes.

      error[option-value]: --plan needs a value
        = hint: Write --plan PLAN.
      "
    `)
    expect(await said('run', '--plan', 'a', '--plan', 'b', '-x')).toMatchInlineSnapshot(`
      "
      error[option-twice]: --plan is given twice
        = hint: Say it once.

      error[unknown-option]: there is no option -x
        = hint: There are --param, --concurrency, --plan, --only, --yes, --wait, --json, --state, --no-color, --help.
      "
    `)
    expect(await said('approve')).toMatchInlineSnapshot(`
      "
      error[arguments]: release approve: something is missing
        = hint: Write release approve [RUN] APPROVAL.
      "
    `)
    expect(await said('run', '--plan', '--yes')).toMatchInlineSnapshot(`
      "
      error[option-value]: --plan needs a value, and --yes is an option
        = hint: Write --plan PLAN; or --plan=--yes, if that is the value.
      "
    `)
    expect(await said('plan', '--__proto__', '--toString=1')).toContain('there is no option --toString')
  })

  test('values', async () => {
    expect(await said('plan', '--format', 'pdf')).toMatchInlineSnapshot(`
      "
      error[format]: --format pdf: there is no such format
        = hint: There are text, json, mermaid, dot, svg, html.
      "
    `)
    expect(await said('report', '--format', 'pdf')).toMatchInlineSnapshot(`
      "
      error[format]: --format pdf: there is no such format
        = hint: There are md, html and json.
      "
    `)
    expect(await said('run', '--wait', 'long')).toMatchInlineSnapshot(`
      "
      error[not-a-duration]: --wait long: that is no duration
        = hint: Say how long, as in --wait 90s, or --wait forever.
      "
    `)
    expect(await said('plan', '--param', 'pace', '--param', '=x')).toMatchInlineSnapshot(`
      "
      error[param-argument]: --param pace: a name and a value were expected
        = hint: Write --param name=value.

      error[param-argument]: --param =x: a name and a value were expected
        = hint: Write --param name=value.
      "
    `)
    expect(await said('plan', '--param', 'a=1', '--param', 'a=2')).toMatchInlineSnapshot(`
      "
      error[param-twice]: --param a is given twice
        = hint: Say it once.
      "
    `)
    expect(await said('run', '--only', 'S')).toMatchInlineSnapshot(`
      "
      error[unknown-stage]: --only S: there is no such stage
        = hint: Did you mean s?
      "
    `)
    expect(await said('local', 'restart')).toMatchInlineSnapshot(`
      "
      error[arguments]: release local restart: it takes status or stop
        = hint: There are status, stop.
      "
    `)
    expect(await said('reject', 'g')).toMatchInlineSnapshot(`
      "
      error[reason-missing]: a rejection needs a reason
        = hint: Say --reason 'why'.
      "
    `)
  })

  test('files and runs', async () => {
    expect((await said('plan', 'nowhere.ts')).replaceAll(project.root, '<root>')).toMatchInlineSnapshot(`
      "
      error[no-definition]: there is no definition at <root>/nowhere.ts
        = hint: look for a misspelling; the name is taken relative to <root>
      "
    `)
    expect(
      (await said('run', '--plan', 'nowhere.json')).replaceAll(project.root, '<root>'),
    ).toMatchInlineSnapshot(`
      "
      error[plan-unreadable]: <root>/nowhere.json could not be read as a plan: ENOENT: no such file or directory, open '<root>/nowhere.json'
        = hint: Make one with: release plan FILE --format json --out PLAN
      "
    `)
    for (const command of ['status', 'watch', 'report', 'verify', 'resume']) {
      expect((await said(command)).replaceAll(project.root, '<root>')).toContain('error[no-run]')
      expect(await said(command, 'nothing')).toContain('error[no-run]')
    }
    for (const command of ['logs', 'cancel', 'rollback']) {
      expect(await said(command, 'nothing')).toContain('error[no-run]')
    }
  })

  test('with --json it is a document on stdout, and a sentence on stderr', async () => {
    const { code, stdout, stderr } = await project.release(['plan', '--fromat', 'x', '--json'])
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchInlineSnapshot(`
      {
        "diagnostics": [
          {
            "code": "unknown-option",
            "hint": "Did you mean --format?",
            "message": "there is no option --fromat",
            "severity": "error",
          },
        ],
        "error": {
          "code": "unknown-option",
          "hint": "Did you mean --format?",
          "message": "there is no option --fromat",
        },
      }
    `)
    expect(stderr).toContain('error[unknown-option]')
  })
})

describe('colour', () => {
  test.each([
    ['NO_COLOR', [], { NO_COLOR: '1', FORCE_COLOR: '1' }],
    ['--no-color', ['--no-color'], { NO_COLOR: '', FORCE_COLOR: '1' }],
    ['no terminal', [], { NO_COLOR: '' }],
  ] as const)('none: %s', async (_, args, env) => {
    const shown = await project.release(['plan', ...args], { env })
    expect(shown.code).toBe(0)
    const failed = await project.release(['nonsense', ...args], { env })
    expect(shown.stdout + shown.stderr + failed.stderr).not.toContain('\u001b[')
  })
})

describe('a reader that goes away, a disk that is full', () => {
  const bin = join(ownPackage().root, 'runner/release.ts')
  const shell = (line: string) =>
    promisify(execFile)('/bin/bash', ['-c', line], { cwd: project.root }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    )

  test('is no failure of ours', async () => {
    const command = `"${process.execPath}" "${bin}" plan --format json`
    const { stdout, stderr } = await shell(`set -o pipefail; { ${command}; echo "exit $?" >&2; } | true`)
    expect({ stdout, stderr }).toEqual({ stdout: '', stderr: 'exit 0\n' })
  })

  test('is one', async () => {
    const { code, stderr } = await shell(`exec "${process.execPath}" "${bin}" plan --format json > /dev/full`)
    expect(code).toBe(1)
    expect(stderr).toBe(
      'error[output-lost]: what was to be printed could not be written: ENOSPC: no space left on device, write\n',
    )
  })
})

describe('nothing makes it fall over', () => {
  const words = ['plan', 'status', '--json', '--state', '/dev/null', '--', '-', '', '--=', '--param', 'a=b', '../..', '\u0000x', '-xyz', '--wait=', '🚀', '--only=s', '--no-color', '--format', '/proc/self/mem'] // biome-ignore format: a list of words
  /** A small generator, so that a failure can be told by its number. */
  const pick = (seed: number) => {
    let state = (seed + 1) * 2654435761
    return (below: number): number => {
      state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0
      return state % below
    }
  }
  const combination = (seed: number): readonly string[] => {
    const next = pick(seed)
    const commands = ['plan', 'check', 'status', 'list', 'logs', 'watch', 'approve', 'reject', 'cancel', 'rollback', 'report', 'verify', 'resume'] // biome-ignore format: a list of words
    const rest = Array.from({ length: next(5) }, () => words[next(words.length)]!)
    return [commands[next(commands.length)]!, ...rest].map(word => word.replaceAll('\u0000', '\u0001'))
  }

  test('20 combinations of words', async () => {
    for (let seed = 0; seed < 20; seed += 4) {
      const few = [seed, seed + 1, seed + 2, seed + 3].map(combination)
      const ends = await Promise.all(few.map(args => project.release(args)))
      for (const [index, { code, stdout, stderr }] of ends.entries()) {
        const what = JSON.stringify(few[index])
        expect([0, 2, 4], `${what}: ${stderr}`).toContain(code)
        expect(stdout + stderr, what).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m)
        if (code !== 0) expect(stderr, what).toMatch(/^error\[[a-z-]+\]/m)
      }
    }
  })
})
