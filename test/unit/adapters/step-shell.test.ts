import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type StepShell,
  type StepShellOptions,
  stepShell,
} from '../../../runner/adapters/commands/step-shell.ts'
import { quote } from '../../../runner/adapters/commands/zx.ts'
import type { Shell } from '../../../src/definition/step.ts'
import type { ReleaseError } from '../../../src/errors.ts'
import { createScrubber, disguisesOf, scrub } from '../../../src/run/scrub.ts'
import { groupMembers, killAtEnd, until } from '../../contract/commands.ts'

let root = ''
let log = ''
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'step shell-')))
  await mkdir(join(root, 'sub'))
})
afterAll(() => rm(root, { recursive: true, force: true }))
beforeEach(() => {
  log = ''
})

const disguises = disguisesOf('TOKEN', "hunter2-'hunter2'")
const make = (more: Partial<StepShellOptions> = {}): Promise<StepShell> =>
  stepShell({
    root,
    secrets: { scrub: text => scrub(text, disguises), scrubber: () => createScrubber(() => disguises) },
    signal: new AbortController().signal,
    write: text => {
      log += text
    },
    grace: 100,
    ...more,
  })
const failure = (running: PromiseLike<unknown>): Promise<ReleaseError> =>
  Promise.resolve(running).then(
    () => Promise.reject(new Error('it succeeded')),
    error => error,
  )

describe("a step's $", { timeout: 60_000 }, () => {
  it('has the shape that the language promises', async () => {
    const $: Shell = await make()
    const output = await $`echo typed`
    expect(`${output}`).toBe('typed')
  })

  it('runs a line in a plain shell and returns what it printed', async () => {
    const $ = await make()
    expect(await $`echo one; echo two >&2; echo "$0" | tr a-z A-Z`).toMatchObject({
      stdout: 'one\n/BIN/SH\n',
      stderr: 'two\n',
      exitCode: 0,
      signal: null,
    })
    expect(log).toMatch(/^\$ echo one; echo two >&2; echo "\$0" \| tr a-z A-Z\n/)
    expect(log).toContain('two\n')
  })

  it.each([
    ['plain'],
    [''],
    ['two words'],
    ["it's; rm -rf x"],
    ['$(id) `id` $HOME'],
    ['a\nb\n\n'],
    ['-n'],
    ['--flag=*'],
    ['~'],
    ['\\'],
    ['☃ 🚀'],
    ['!'],
  ])('puts %j in as one argument', async value => {
    const $ = await make()
    const print = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))'
    expect(await $`${process.execPath} -e ${print} -- ${value} ${[value, 'x']}`.json()).toEqual([
      value,
      value,
      'x',
    ])
    expect(await $`${process.execPath} -e ${print} -- --name=${value}`.json()).toEqual([`--name=${value}`])
  })

  it('puts in numbers, truth values and the output of other commands', async () => {
    const $ = await make()
    const word = await $`echo "a  b"`
    expect(await $`printf '%s|' ${1} ${true} ${word} ${[]}`.text()).toBe('1|true|a  b|')
  })

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an object', { a: 1 }],
    ['a function', () => 1],
    ['a promise', Promise.resolve('x')],
    ['an undefined in an array', ['a', undefined]],
    ['a NUL character', 'a\0'],
  ])('refuses %s, instead of running something else', async (_, value) => {
    const $ = await make()
    expect(() => $`rm -rf ${value}/x`).toThrowError(expect.objectContaining({ code: 'shell-argument' }))
  })

  it('reads text, JSON and lines', async () => {
    const $ = await make()
    expect(await $`printf 'a\nb\n'`.text()).toBe('a\nb\n')
    expect(await $`printf 'a\r\nb\n\nc'`.lines()).toEqual(['a', 'b', '', 'c'])
    expect(await $`true`.lines()).toEqual([])
    expect(await $`echo '{"a":[1]}'; echo warning >&2`.json()).toEqual({ a: [1] })
    expect(await failure($`echo no`.json())).toMatchObject({
      code: 'not-json',
      message: '`echo no` did not print JSON on its standard output',
    })
  })

  it('fails with the command, its exit code and its last lines', async () => {
    const $ = await make()
    const error = await failure($`seq 1 30; echo broken >&2; exit 7`)
    expect(error).toMatchObject({ code: 'exit-code' })
    expect(error.message.split('\n')[0]).toBe('`seq 1 30; echo broken >&2; exit 7` ended with exit code 7:')
    expect(error.message).toMatch(/\n30\n/)
    expect(error.message).not.toMatch(/\n5\n/)
    expect(error.tail).toContain('broken')
  })

  it('fails for a program that is not there, a signal, a folder that is not there', async () => {
    const $ = await make()
    expect(await failure($`no-such-program`)).toMatchObject({
      code: 'exit-code',
      message: expect.stringMatching(/^`no-such-program` ended with exit code 127:\n.*not found/),
      hint: expect.stringContaining('install it'),
    })
    expect(await failure($`kill -KILL $$`)).toMatchObject({
      code: 'signal',
      message: '`kill -KILL $$` ended with signal SIGKILL',
    })
    expect(await failure($({ cwd: 'nowhere' })`true`)).toMatchObject({
      code: 'command-failed-to-start',
      message: `\`true\` could not be started in ${root}/nowhere (ENOENT)`,
    })
  })

  it('does not fail when it was told not to', async () => {
    const $ = await make()
    expect(await $`exit 3`.nothrow()).toMatchObject({ exitCode: 3 })
    expect(await $({ nothrow: true })`exit 4`).toMatchObject({ exitCode: 4 })
    expect(await $`echo x; exit 5`.nothrow().text()).toBe('x\n')
  })

  it('stays out of the log when it was told to', async () => {
    const $ = await make()
    await $`echo one`.quiet()
    await $({ quiet: true })`echo two`
    expect(log).toBe('')
  })

  it('takes a folder, an environment and an input, and adds them up', async () => {
    const $ = await make({ env: { FROM_OPTIONS: 'o' } })
    const sub = $({ cwd: 'sub', env: { A: '1' } })({ env: { B: '2' } })
    expect(await sub`echo "$PWD $A $B $FROM_OPTIONS"`.text()).toBe(`${root}/sub 1 2 o\n`)
    expect(await $({ input: 'in\nput' })`cat`.text()).toBe('in\nput')
    expect(await $({ input: '' })`cat`.text()).toBe('')
    expect(await $({ input: 'x'.repeat(1_000_000) })`true`).toMatchObject({ exitCode: 0 })
    expect(await $`cat`.text()).toBe('')
  })

  it('is not moved by the settings of zx in the environment', async () => {
    process.env.ZX_SHELL = '/bin/false'
    process.env.ZX_PREFIX = 'exit 9;'
    try {
      const $ = await make()
      expect(await $`echo fine`.text()).toBe('fine\n')
    } finally {
      delete process.env.ZX_SHELL
      delete process.env.ZX_PREFIX
    }
  })

  it('shows no secret: not in the log, not in an error, however it is put in', async () => {
    const $ = await make()
    const secret = "hunter2-'hunter2'"
    const error = await failure($`printf '%s\n' ${secret}; printf '%s' ${`x${secret}`} >&2; false`)
    expect(log).toContain('[secret TOKEN]')
    expect(inspect(error, { depth: 9 }) + log).not.toMatch(/hunter2/)
    const long = await failure($`echo ${'x'.repeat(190)} ${secret}; false`)
    expect(long.message).not.toMatch(/hunter2/)
    expect(await $`printf '%s' ${secret}`.text()).toBe(secret)
  })

  it('ends with all that it started when the node is aborted, and starts nothing after', async () => {
    const abort = new AbortController()
    const $ = await make({ signal: abort.signal })
    const running = failure($`sleep 1000 & echo $$; sleep 1000`)
    await until(() => /\n\d+\n/.test(log), 'it runs')
    const pid = Number(/\n(\d+)\n/.exec(log)![1])
    killAtEnd(pid)
    abort.abort()
    expect(await running).toMatchObject({ code: 'cancelled' })
    expect(await groupMembers(pid)).toEqual([])
    expect(await failure($`touch never`)).toMatchObject({ code: 'cancelled' })
    expect(existsSync(join(root, 'never'))).toBe(false)
  })

  it('ends a command that prints more than can be kept', async () => {
    const $ = await make({ limit: 1_000_000 })
    expect(await failure($`yes`.quiet())).toMatchObject({ code: 'output-limit' })
  })

  it('runs side by side', async () => {
    const $ = await make()
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => $`echo ${i}`.text()))
    expect(all).toEqual(Array.from({ length: 10 }, (_, i) => `${i}\n`))
  })
})

describe('quoting for sh', () => {
  it.each([
    ['a', 'a'],
    ['', "''"],
    ["it's", "'it'\\''s'"],
    ['--a=b', '--a=b'],
    ['~', "'~'"],
  ])('%j is %s', (text, expected) => expect(quote(text)).toBe(expected))
})
