import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { endLeftovers } from '../../runner/adapters/commands/children.ts'
import { processCommands } from '../../runner/adapters/commands/commands.ts'
import { launchDirectly } from '../../runner/adapters/commands/direct-launch.ts'
import type { ForkServer } from '../../runner/adapters/commands/fork-server.ts'
import type { Launch } from '../../runner/adapters/commands/launch.ts'
import { createScrubber } from '../../src/run/scrub.ts'
import { readyServer } from '../fixtures/commands/ready-server.ts'
import { commandsContract, groupMembers, isAlive, killAtEnd, until } from './commands.ts'

let server: ForkServer | null = null
beforeAll(async () => {
  server = await readyServer('contract')
})
afterAll(() => server?.close())

commandsContract('the runner itself', options => processCommands({ ...options, launch: launchDirectly }))
commandsContract('a fork server', options =>
  processCommands({
    ...options,
    launch: start => server!.launch(start),
    children: { dir: join(options.root, 'children'), run: 'contract' },
  }),
)

describe.each(['direct', 'server'])(
  'what a crashed runner has left running, %s',
  { timeout: 60_000 },
  way => {
    let root = ''
    let dir = ''
    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), 'leftovers-'))
      dir = join(root, 'children')
    })
    afterEach(() => rm(root, { recursive: true, force: true }))
    let launch: Launch = launchDirectly
    beforeAll(async () => {
      if (way === 'direct') return
      // Of another run: to end what is left of a run is to end its servers too.
      const server = await readyServer('beside')
      launch = start => server.launch(start)
      return () => server.close()
    })

    const run = `phoenix-${process.pid}`
    const node = 'staging/smoke'
    const commands = () =>
      processCommands({
        root,
        secrets: { scrubber: () => createScrubber(() => []) },
        children: { dir, run },
        grace: 200,
        launch,
      })

    /** Starts a runner, waits until its command has printed its pid, and kills the runner. */
    const crash = async (code: string): Promise<number> => {
      const options = { root, dir, run, node, way, argv: ['/bin/sh', '-c', code] }
      const fixture = new URL('../fixtures/commands/runner.ts', import.meta.url).pathname
      const runner = spawn(process.execPath, [fixture, JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let printed = ''
      runner.stdout.on('data', chunk => {
        printed += chunk
      })
      await until(() => printed.includes('\n'), 'the command has started')
      const pid = Number.parseInt(printed, 10)
      killAtEnd(pid)
      const ended = new Promise(resolve => runner.once('exit', resolve))
      runner.kill('SIGKILL')
      await ended
      return pid
    }
    const waiting = 'trap "" TERM; sleep 1000 & echo $$; while :; do sleep 1; done'

    it('is on record while it runs, and not after', async () => {
      const abort = new AbortController()
      let printed = ''
      const running = commands().run(
        { argv: ['/bin/sh', '-c', 'echo $$ $RELEASE_NODE; sleep 1000'], cwd: '' },
        { signal: abort.signal, write: text => (printed += text), node },
      )
      await until(() => printed.includes('\n'), 'the command has started')
      expect(printed).toMatch(/^\d+ phoenix-\d+\/staging\/smoke\n$/)
      const record = JSON.parse(await readFile(join(dir, `${Number.parseInt(printed, 10)}.json`), 'utf8'))
      expect(record).toMatchObject({
        token: `${run}/${node}`,
        startTime: expect.any(Number),
        boot: expect.any(String),
      })
      abort.abort()
      await running
      expect(readdirSync(dir)).toEqual([])
    })

    it('is ended before the run goes on', async () => {
      const pid = await crash(waiting)
      expect((await groupMembers(pid)).length).toBeGreaterThan(1)
      expect(await endLeftovers({ dir, run, grace: 50 })).toEqual({ nodes: [node], alive: [] })
      expect(await groupMembers(pid)).toEqual([])
      expect(existsSync(dir)).toBe(false)
    })

    it('is ended when only children of the command are left', async () => {
      const pid = await crash('sleep 1000 & echo $$; sleep 1000')
      process.kill(pid, 'SIGKILL')
      await until(async () => !(await isAlive(pid)), 'the leader is dead')
      expect((await groupMembers(pid)).length).toBeGreaterThan(0)
      expect(await endLeftovers({ dir, run, grace: 50 })).toEqual({ nodes: [node], alive: [] })
      expect(await groupMembers(pid)).toEqual([])
    })

    it('is found by its token when the crash came before the record', async () => {
      const pid = await crash(waiting)
      await rm(dir, { recursive: true })
      expect(await endLeftovers({ dir, run, nodes: ['another/node'], grace: 50 })).toEqual({
        nodes: [],
        alive: [],
      })
      expect(await isAlive(pid)).toBe(true)
      await endLeftovers({ dir, run, nodes: [node], grace: 50 })
      expect(await groupMembers(pid)).toEqual([])
    })

    it('is found by its token when the record was cut off', async () => {
      const pid = await crash(waiting)
      await writeFile(join(dir, `${pid}.json`), '{"pid":12')
      await endLeftovers({ dir, run, nodes: [node], grace: 50 })
      expect(await groupMembers(pid)).toEqual([])
    })

    it('is found when it has left its group', async () => {
      const pid = await crash('setsid sleep 1000 & echo $!; sleep 1000')
      await until(async () => (await groupMembers(pid)).length === 1, 'it has a group of its own')
      await endLeftovers({ dir, run, grace: 50 })
      expect(await isAlive(pid)).toBe(false)
    })

    it('is not taken for another process that has its pid now', async () => {
      const stranger = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
      killAtEnd(stranger.pid!)
      const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
      const record = (change: object) =>
        writeFile(
          join(dir, `${stranger.pid}.json`),
          JSON.stringify({ pid: stranger.pid, startTime: 1, boot, token: `${run}/${node}`, ...change }),
        )
      await mkdir(dir)
      for (const change of [
        {},
        { startTime: null },
        { boot: 'an earlier one' },
        { boot: null },
        { pid: 1 },
        { pid: 0 },
        { pid: -1 },
      ]) {
        await mkdir(dir, { recursive: true })
        await record(change)
        expect(await endLeftovers({ dir, run, grace: 50 })).toEqual({ nodes: [], alive: [] })
        expect(await isAlive(stranger.pid!)).toBe(true)
      }
    })

    it('cannot be what was never put on record: it is ended, and the state is called unusable', async () => {
      await writeFile(dir, 'no folder')
      const file = join(root, 'too-late')
      const running = commands().run(
        { argv: ['/bin/sh', '-c', `sleep 1000; touch "${file}"`], cwd: '' },
        { signal: new AbortController().signal, write: () => {}, node },
      )
      await expect(running).rejects.toMatchObject({
        code: 'state-unusable',
        message: expect.stringMatching(
          /^The command was ended, because it cannot be put on record in .*ENOTDIR/,
        ),
      })
      expect(existsSync(file)).toBe(false)
    })

    it('may be nothing', async () => {
      expect(await endLeftovers({ dir, run, nodes: [node] })).toEqual({ nodes: [], alive: [] })
    })

    it('is ended with what it started outside its group when the node is stopped', async () => {
      const abort = new AbortController()
      let printed = ''
      const running = commands().run(
        {
          argv: ['/bin/sh', '-c', 'setsid sh -c \'trap "" TERM; echo $$; sleep 1000\' & sleep 1000'],
          cwd: '',
        },
        { signal: abort.signal, write: text => (printed += text), node },
      )
      await until(() => printed.includes('\n'), 'it runs')
      const pid = Number.parseInt(printed, 10)
      killAtEnd(pid)
      abort.abort()
      await running
      expect(await isAlive(pid)).toBe(false)
    })
  },
)
