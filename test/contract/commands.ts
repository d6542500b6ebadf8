/**
 * The contract of the port `Commands`: every adapter passes it.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { CommandContext, CommandResult, Commands, ScrubbingSecrets } from '../../src/run/ports.ts'
import { createScrubber, type Disguise, disguisesOf } from '../../src/run/scrub.ts'

/** A way to make the adapter. `grace` is in milliseconds. */
export type MakeCommands = (options: {
  readonly root: string
  readonly env: Readonly<Record<string, string>>
  readonly secrets: Pick<ScrubbingSecrets, 'scrubber'>
  readonly grace: number
}) => Commands

const nastyArguments = [
  'plain',
  '',
  ' ',
  'two words',
  "it's",
  '"quoted"',
  '`id`',
  '$(id)',
  '$HOME',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's variable, not ours
  '${HOME}',
  'a\nb\n',
  '\t\r',
  '-n',
  '--',
  '--flag=a b',
  '*',
  '~',
  '!!',
  ';rm -rf x',
  '&& echo',
  '|',
  '\\',
  '\\n',
  'ünï ☃ 🚀',
  '#',
  '%s%n',
  "'\\''",
  'x'.repeat(50_000),
]

/** Whether a process is there and not merely uncollected. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return stat !== null && !/^[ZX]$/.test(stat.slice(stat.lastIndexOf(')') + 2)[0]!)
}

/** Waits for a condition; fails when it does not come. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 45_000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await pause(10)
  }
}

export const killAtEnd = (pid: number): void =>
  onTestFinished(() => {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {}
  })

export function commandsContract(name: string, make: MakeCommands): void {
  // Processes are slow to start on a machine that is busy; nothing here waits longer than it must.
  describe(`${name} runs commands`, { timeout: 60_000 }, () => {
    let root = ''
    let disguises: readonly Disguise[] = []
    let printed = ''
    beforeAll(async () => {
      root = await realpath(await mkdtemp(join(tmpdir(), 'commands-')))
      await mkdir(join(root, 'sub'))
    })
    afterAll(() => rm(root, { recursive: true, force: true }))

    const run = (
      argv: readonly string[],
      more: Partial<CommandContext> & { cwd?: string; grace?: number } = {},
    ): Promise<CommandResult> => {
      printed = ''
      const { cwd = '', grace = 200, ...context } = more
      const commands = make({
        root,
        env: { FROM_OPTIONS: 'options', BOTH: 'options' },
        secrets: { scrubber: () => createScrubber(() => disguises) },
        grace,
      })
      return commands.run(
        { argv, cwd },
        {
          signal: new AbortController().signal,
          write: text => {
            printed += text
          },
          ...context,
        },
      )
    }
    const script = (code: string, ...args: string[]): string[] => [
      process.execPath,
      '-e',
      code,
      '--',
      ...args,
    ]
    const shell = (code: string): string[] => ['/bin/sh', '-c', code]
    /** The pid that a shell script prints first. */
    const firstPid = async (): Promise<number> => {
      await until(() => /^\d+\n/.test(printed), 'the command prints a pid')
      const pid = Number.parseInt(printed, 10)
      killAtEnd(pid)
      return pid
    }

    it('passes arguments as they are, however nasty', async () => {
      const result = await run(
        script('process.stdout.write(JSON.stringify(process.argv.slice(1)))', ...nastyArguments),
      )
      expect(result).toMatchObject({ exitCode: 0, signal: null })
      expect(JSON.parse(printed)).toEqual(nastyArguments)
    })

    it('runs a program whose path has blanks and quotes', async () => {
      const path = join(root, `it's a "program"`)
      await writeFile(path, '#!/bin/sh\necho "$0 ran"\n')
      await chmod(path, 0o755)
      await run([path])
      expect(printed).toBe(`${path} ran\n`)
    })

    it('reports the exit code, the signal, the output and the time', async () => {
      expect(await run(shell('echo out; echo err >&2; exit 3'))).toMatchObject({
        exitCode: 3,
        signal: null,
        output: expect.stringMatching(/^(out\nerr\n|err\nout\n)$/),
        duration: expect.any(Number),
      })
      expect(await run(shell('kill -KILL $$'))).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
    })

    it('starts in its folder, with the environment of the runner, of the options and of the call', async () => {
      await run(shell('echo "$PWD $FROM_OPTIONS $BOTH $FROM_CALL"; test -n "$PATH"'), {
        cwd: 'sub',
        env: { FROM_CALL: 'call', BOTH: 'call' },
      })
      expect(printed).toBe(`${root}/sub options call call\n`)
    })

    it('looks for a program where the PATH of the command says', async () => {
      await mkdir(join(root, 'bin'))
      await writeFile(join(root, 'bin', 'only-here'), '#!/bin/sh\necho "found, with $#"\n')
      await chmod(join(root, 'bin', 'only-here'), 0o755)
      await run(['only-here', ''], { env: { PATH: `${root}/bin:/usr/bin:/bin` } })
      expect(printed).toBe('found, with 1\n')
      await expect(run(['only-here'])).rejects.toMatchObject({ code: 'command-not-found' })
    })

    it('gives one command nothing of the environment of another', async () => {
      const tell = script('console.log(JSON.stringify(process.env))')
      const told = async (env: Record<string, string>): Promise<Record<string, string>> => {
        await run(tell, { env })
        const { RELEASE_NODE: _, ...others } = JSON.parse(printed)
        return others
      }
      const plain = await told({})
      const values = {
        EMPTY: '',
        LINES: 'a\nb=c\n',
        UMLAUT: 'ü☃',
        EQUALS: '=a=b',
        BOTH: 'call',
        HOME: '/nowhere',
      }
      expect(await told(values)).toEqual({ ...plain, ...values })
      expect(await told({})).toEqual(plain)
      const { PWD: _, ...own } = process.env
      expect(plain).toMatchObject({ ...own, FROM_OPTIONS: 'options', BOTH: 'options' })
    })

    it('gives a command a session of its own, nothing to read, and no open file of ours', async () => {
      const code = 'cut -d" " -f1,5,6 /proc/$$/stat; readlink /proc/$$/fd/0; ls /proc/$$/fd; exit 0'
      await run(shell(code))
      const [ids, input, ...files] = printed.trim().split('\n')
      const [pid, group, session] = ids!.split(' ')
      expect([group, session, input]).toEqual([pid, pid, '/dev/null'])
      // The shell itself may keep one more for its script.
      expect(files.map(Number).filter(file => file < 10)).toEqual([0, 1, 2])
    })

    it('tells an exit code above 128 from a death by signal', async () => {
      expect(await run(shell('exit 143'))).toMatchObject({ exitCode: 143, signal: null })
      expect(await run(shell('exit 127'))).toMatchObject({ exitCode: 127, signal: null })
      expect(await run(shell('kill -TERM $$'))).toMatchObject({ exitCode: null, signal: 'SIGTERM' })
      expect(await run(shell('kill -ABRT $$'))).toMatchObject({ exitCode: null, signal: 'SIGABRT' })
    })

    it('leaves signals as a program expects them', async () => {
      // What is ignored or blocked is inherited: without this, `yes | head` would never end.
      await run(shell('grep -E "^Sig(Blk|Ign)" /proc/self/status'))
      expect(printed).toMatch(/^SigBlk:\t0{16}\nSigIgn:\t0{16}\n$/)
    })

    it('loses nothing of a burst at the end, on either stream', async () => {
      const code = `for (const to of [1, 2]) for (let left = 1 << 20; left > 0; ) left -= require('fs').writeSync(to, 'x'.repeat(Math.min(left, 7000)))`
      let size = 0
      await run(script(code), { write: text => (size += text.length) })
      expect(size).toBe(2 << 20)
    })

    it('ends a command that is aborted before anything is known of it', async () => {
      const abort = new AbortController()
      const file = join(root, 'too-late')
      const running = run(shell(`sleep 1000; touch "${file}"`), { signal: abort.signal })
      abort.abort()
      expect(await running).toMatchObject({ exitCode: null, signal: 'SIGTERM' })
      expect(existsSync(file)).toBe(false)
    })

    it('goes on when its closed outputs outlive nothing and its program outlives them', async () => {
      const file = join(root, 'after-the-outputs')
      expect(await run(shell(`exec >&- 2>&-; sleep 0.2; touch "${file}"; exit 7`))).toMatchObject({
        exitCode: 7,
      })
      expect(existsSync(file)).toBe(true)
    })

    it('closes stdin, so that nothing waits for an answer that never comes', async () => {
      expect(await run(['cat'])).toMatchObject({ exitCode: 0, output: '' })
    })

    it('shows output as it comes', async () => {
      const file = join(root, 'go-on')
      const running = run(shell(`echo ready; while ! test -e "${file}"; do sleep 0.01; done; echo done`))
      await until(() => printed === 'ready\n', 'the first line is shown')
      await writeFile(file, '')
      expect((await running).output).toBe('ready\ndone\n')
    })

    it.each<[string, string[], { cwd?: string }, string, string]>([
      [
        'a program that is not there',
        ['no-such-program'],
        {},
        'command-not-found',
        'the program "no-such-program" was not found',
      ],
      [
        'a file that is no program',
        ['./sub'],
        {},
        'command-not-found',
        'the program "./sub" may not be executed',
      ],
      [
        'a folder that is not there',
        ['true'],
        { cwd: 'nowhere' },
        'command-folder',
        '"true" cannot start in ROOT/nowhere: there is no such folder',
      ],
      ['no program', [], {}, 'command-empty', 'a command has no program to run'],
      ['an empty program', [''], {}, 'command-empty', 'a command has no program to run'],
      [
        'a NUL character',
        ['echo', 'a\0b'],
        {},
        'command-failed-to-start',
        'argument 1 of "echo" holds a NUL character',
      ],
      [
        'too long an argument',
        ['echo', 'x'.repeat(200_000)],
        {},
        'command-failed-to-start',
        '"echo" could not be started (E2BIG)',
      ],
    ])('fails clearly for %s', async (_, argv, more, code, message) => {
      await expect(run(argv, more)).rejects.toMatchObject({ code, message: message.replace('ROOT', root) })
    })

    it('scrubs secrets, also when they are written in pieces, from both streams', async () => {
      disguises = disguisesOf('TOKEN', 'hunter2-hunter2')
      const code = `
        const { writeSync } = require('fs')
        const wait = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 15)
        for (const part of ['a hun', 'ter2-', 'hunter', '2 b\\n']) { writeSync(1, part); writeSync(2, part); wait() }
        writeSync(1, Buffer.from('user:hunter2-hunter2').toString('base64') + '\\n')
        writeSync(1, 'no rest: hunter2-hun')`
      const result = await run(script(code))
      disguises = []
      expect(printed).toBe(result.output)
      expect(printed).not.toMatch(/hunter2-hunter2|aHVudGVyMi1odW50ZXIy/)
      // Once on each stream, once in base64; the streams may mingle between.
      expect(printed.match(/\[secret TOKEN\]/g)).toHaveLength(3)
      expect(printed).toContain('no rest: ')
      expect(printed).toMatch(/hunter2-hun(?!ter)/)
    })

    it('keeps characters whole that are written byte by byte', async () => {
      const code = `
        const { writeSync } = require('fs')
        for (const byte of Buffer.from('☃🚀é')) { writeSync(1, Buffer.of(byte)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5) }`
      expect((await run(script(code))).output).toBe('☃🚀é')
    })

    it('keeps the end of a large output, in little memory', async () => {
      disguises = disguisesOf('TOKEN', 'hunter2-hunter2')
      let size = 0
      global.gc?.()
      const before = process.memoryUsage().rss
      let most = 0
      const result = await run(shell('head -c 400000000 /dev/zero | tr "\\0" x; echo; echo the end'), {
        write: text => {
          size += text.length
          most = Math.max(most, process.memoryUsage.rss())
        },
      })
      disguises = []
      expect(size).toBe(400_000_009)
      expect(result.output).toHaveLength(64 * 1024)
      expect(result.output.endsWith('xxx\nthe end\n')).toBe(true)
      expect(most - before).toBeLessThan(300 * 2 ** 20)
    })

    it('tells what the log refused, and does not come down with it', async () => {
      const broken = new Error('no space left')
      const write = () => {
        throw broken
      }
      await expect(run(['echo', 'x'], { write })).rejects.toBe(broken)
    })

    it('starts nothing for a signal that was aborted before', async () => {
      const file = join(root, 'never')
      expect(await run(['touch', file], { signal: AbortSignal.abort() })).toMatchObject({
        signal: 'SIGTERM',
        exitCode: null,
      })
      expect(existsSync(file)).toBe(false)
    })

    it('ends the whole tree when its signal aborts, gently first', async () => {
      const abort = new AbortController()
      const code = `(sleep 1000 & sleep 1000) & trap 'echo tidied; exit 0' TERM; echo $$; while :; do sleep 0.01; done`
      const running = run(shell(code), { signal: abort.signal, grace: 10_000 })
      const pid = await firstPid()
      abort.abort()
      const result = await running
      expect(result).toMatchObject({ exitCode: 0, output: expect.stringContaining('tidied\n') })
      expect(await groupMembers(pid)).toEqual([])
    })

    it('ends what ignores SIGTERM, and what has forked away twice', async () => {
      const abort = new AbortController()
      const code = `trap '' TERM; (sh -c 'while :; do sleep 1; done' & ) ; (sh -c '(sleep 1000 &)' &); echo $$; while :; do sleep 1; done`
      const running = run(shell(code), { signal: abort.signal, grace: 50 })
      const pid = await firstPid()
      await until(async () => (await groupMembers(pid)).length >= 4, 'the tree has grown')
      abort.abort()
      expect(await running).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
      expect(await groupMembers(pid)).toEqual([])
    })

    it('ends what a command has left running in its group', async () => {
      const result = await run(shell('sleep 1000 & echo $!'))
      const pid = Number.parseInt(result.output, 10)
      killAtEnd(pid)
      expect(result.exitCode).toBe(0)
      expect(await isAlive(pid)).toBe(false)
    })

    it('does not wait for a daemon that keeps the pipe open, and leaves it alone', async () => {
      const code = `const c = require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'inherit' }); c.unref(); console.log(c.pid); process.exit(0)`
      const result = await run(script(code))
      const pid = Number.parseInt(result.output, 10)
      killAtEnd(pid)
      expect(result.exitCode).toBe(0)
      expect(await isAlive(pid)).toBe(true)
    })

    it('runs many at once, each with its own output', async () => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => run(['echo', String(i)], { write: () => {} })),
      )
      expect(results.map(result => result.output)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}\n`))
    })
  })
}

/** Live pids of a process group. */
export async function groupMembers(group: number): Promise<number[]> {
  const { readdir } = await import('node:fs/promises')
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    pids.map(async pid => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return Number(pgrp) === group && state !== 'Z' && state !== 'X' ? pid : null
    }),
  )
  return found.filter(pid => pid !== null)
}
