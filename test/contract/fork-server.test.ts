/**
 * What a fork server promises beside the contract of commands: how it and the runner survive each other.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { endLeftovers } from '../../runner/adapters/commands/children.ts'
import { processCommands } from '../../runner/adapters/commands/commands.ts'
import { type ForkServer, startForkServer } from '../../runner/adapters/commands/fork-server.ts'
import type { Launch } from '../../runner/adapters/commands/launch.ts'
import { launchQuickly } from '../../runner/adapters/commands/quick-launch.ts'
import type { CommandContext, CommandResult } from '../../src/run/ports.ts'
import { createScrubber } from '../../src/run/scrub.ts'
import { readyServer } from '../fixtures/commands/ready-server.ts'
import { groupMembers, isAlive, killAtEnd, until } from './commands.ts'

describe('a fork server', { timeout: 60_000 }, () => {
  let root = ''
  let dir = ''
  let printed = ''
  beforeEach(async () => {
    printed = ''
    root = await mkdtemp(join(tmpdir(), 'fork-server-'))
    dir = join(root, 'children')
  })
  afterEach(() => rm(root, { recursive: true, force: true }))

  const run = `phoenix-${process.pid}`
  const open = async (): Promise<ForkServer> => {
    const server = await readyServer(run)
    onTestFinished(() => server.close())
    return server
  }
  const perform = (
    launch: Launch,
    code: string,
    more: Partial<CommandContext> = {},
  ): Promise<CommandResult> =>
    processCommands({
      root,
      secrets: { scrubber: () => createScrubber(() => []) },
      children: { dir, run },
      grace: 200,
      launch,
    }).run(
      { argv: ['/bin/sh', '-c', code], cwd: '' },
      {
        signal: new AbortController().signal,
        write: text => {
          printed += text
        },
        node: 'staging/smoke',
        ...more,
      },
    )
  const by =
    (server: ForkServer): Launch =>
    start =>
      server.launch(start)
  const firstPid = async (): Promise<number> => {
    await until(() => /^\d+\n/.test(printed), 'the command prints a pid')
    const pid = Number.parseInt(printed, 10)
    killAtEnd(pid)
    return pid
  }

  it('holds nothing of what the runner was given, neither in its environment nor in its arguments', async () => {
    process.env.VERY_SECRET = 'hunter2-hunter2'
    onTestFinished(() => void delete process.env.VERY_SECRET)
    const server = await open()
    await perform(by(server), 'test "$VERY_SECRET" = hunter2-hunter2; exit $?')
    const environment = await readFile(`/proc/${server.pid}/environ`, 'utf8')
    expect(environment).toBe(`RELEASE_NODE=${run}/#starter\0`)
    expect(await readFile(`/proc/${server.pid}/cmdline`, 'utf8')).toMatch(
      /^\/usr\/bin\/perl\0[^\0]*\/fork-server\.pl\0$/,
    )
  })

  it('keeps its own memory flat, whatever comes through', async () => {
    const server = await open()
    const memory = async (): Promise<number> =>
      Number(/^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${server.pid}/status`, 'utf8'))![1])
    await perform(by(server), 'true')
    const before = await memory()
    let size = 0
    const slow = (text: string): void => {
      size += text.length
      // The runner is busy: what is printed has to wait with the command.
      if (size % (1 << 24) === 0) for (const until = performance.now() + 20; performance.now() < until; );
    }
    await perform(by(server), 'head -c 1000000000 /dev/zero', { write: slow })
    expect(size).toBe(1_000_000_000)
    expect((await memory()) - before).toBeLessThan(4096)
  })

  it('lets other commands go on while one floods it', async () => {
    const server = await open()
    const abort = new AbortController()
    const flood = perform(by(server), 'exec cat /dev/zero', { signal: abort.signal, write: () => {} })
    for (let turn = 0; turn < 5; turn++) {
      const result = await perform(by(server), `echo ${turn}`, { node: 'staging/other' })
      expect(result.output).toBe(`${turn}\n`)
    }
    abort.abort()
    expect(await flood).toMatchObject({ signal: 'SIGTERM' })
  })

  it('takes its commands with it when it is killed, and they have neither failed nor passed', async () => {
    const server = await open()
    const running = perform(
      by(server),
      'trap "" TERM; setsid sleep 1000 & sleep 1000 & echo $$; while :; do sleep 1; done',
    )
    const pid = await firstPid()
    const stray = Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ')[0])
    process.kill(server.pid!, 'SIGKILL')
    await expect(running).rejects.toMatchObject({
      code: 'command-cut-off',
      message: expect.stringMatching(/^the command "\/bin\/sh" was cut off: /),
    })
    expect(await groupMembers(pid)).toEqual([])
    expect(await isAlive(stray)).toBe(false)
    expect(readdirSync(dir)).toEqual([])
  })

  it('is not asked any more once it has gone', async () => {
    const server = await open()
    const launch: Launch = start => {
      expect(server.takes(start)).toBe(false)
      return Promise.resolve({ kind: 'ended', exitCode: 0, signal: null })
    }
    process.kill(server.pid!, 'SIGKILL')
    await until(async () => !(await isAlive(server.pid!)), 'the server is dead')
    await until(() => !existsSync(`/proc/${server.pid}`), 'it is collected')
    await perform(launch, 'true')
    await expect(perform(by(server), 'true')).rejects.toThrow('what it does not take')
  })

  it('cuts off what it was asked for and had not begun', async () => {
    const server = await open()
    process.kill(server.pid!, 'SIGSTOP')
    const asked = Array.from({ length: 5 }, (_, i) => perform(by(server), `touch "${root}/began-${i}"`))
    const settled = Promise.allSettled(asked)
    process.kill(server.pid!, 'SIGKILL')
    for (const result of await settled) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'command-cut-off' } })
    }
    expect(readdirSync(root)).toEqual([])
  })

  it('starts nothing for a runner that has gone, and leaves what it had started as it is', async () => {
    const file = join(root, 'never')
    const fixture = new URL('../fixtures/commands/dying-runner.ts', import.meta.url).pathname
    const runner = spawn(process.execPath, [fixture, JSON.stringify({ root, dir, run, file })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise(resolve => runner.once('exit', resolve))
    runner.stdout.on('data', chunk => {
      printed += chunk
    })
    // The server is stopped by then, and has one more command to start.
    await until(() => /^\d+ \d+\nasked\n$/.test(printed), 'the runner has asked')
    const [server, command] = printed.split(/\s/).map(Number) as [number, number]
    killAtEnd(server)
    killAtEnd(command)
    runner.kill('SIGKILL')
    await ended
    process.kill(server, 'SIGCONT')
    await until(async () => !(await isAlive(server)), 'the server has gone')
    expect(existsSync(file)).toBe(false)
    expect(await isAlive(command)).toBe(true)
    expect(await endLeftovers({ dir, run, grace: 200 })).toEqual({ nodes: ['staging/first'], alive: [] })
    expect(await isAlive(command)).toBe(false)
  })

  it('is ended with the leftovers of a run while it is still about to start something', async () => {
    const server = await open()
    process.kill(server.pid!, 'SIGSTOP')
    const asked = perform(by(server), `touch "${root}/never"`)
    const refused = expect(asked).rejects.toMatchObject({ code: 'command-cut-off' })
    await endLeftovers({ dir, run, nodes: ['staging/smoke'], grace: 50 })
    expect(await isAlive(server.pid!)).toBe(false)
    await refused
    expect(existsSync(join(root, 'never'))).toBe(false)
  })

  it('comes after the first few commands of a run, and goes unnoticed', async () => {
    const launch = launchQuickly()
    const parents = new Set<string>()
    await until(async () => {
      await perform(launch, 'echo $PPID', { write: text => parents.add(text.trim()) })
      return parents.size === 2
    }, 'a server starts commands')
    const [runner, server] = [...parents].map(Number) as [number, number]
    expect(runner).toBe(process.pid)
    expect(await readFile(`/proc/${server}/cmdline`, 'utf8')).toContain('fork-server.pl')
    const running = perform(launch, 'echo here; sleep 1000')
    await until(() => printed.includes('here'), 'it runs')
    process.kill(server, 'SIGKILL')
    await expect(running).rejects.toMatchObject({ code: 'command-cut-off' })
    expect((await perform(launch, 'echo $PPID')).output).toBe(`${process.pid}\n`)
  })

  it.each<[string, string]>([
    ['there is no perl', '/nowhere/perl'],
    ['perl does not work', '/bin/false'],
    ['perl says something else', '/bin/echo'],
  ])('is not used where %s', async (_, interpreter) => {
    const server = startForkServer(run, { interpreter })
    const alive = setInterval(() => {}, 1000)
    onTestFinished(() => clearInterval(alive))
    expect((await server?.ready) ?? false).toBe(false)
  })
})
