import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSecrets } from '../../../runner/adapters/secrets/secrets.ts'
import type { ReleaseError } from '../../../src/errors.ts'
import type { PlanSecret } from '../../../src/plan/plan.ts'

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'secrets-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const node = process.execPath
const env = { PATH: process.env.PATH, TOKEN: 'from-the-environment', EMPTY: '', SHORT: 'abc', BLANK: '     ' }
const make = (secret: PlanSecret, more: { commandTimeout?: number } = {}) =>
  createSecrets([secret], { root, env, ...more })
const printing = (code: string): PlanSecret => ({ name: 'S', from: 'command', argv: [node, '-e', code] })
const failure = (secret: PlanSecret, more: { commandTimeout?: number } = {}): Promise<ReleaseError> =>
  make(secret, more)
    .read('S')
    .then(
      () => Promise.reject(new Error('it was read')),
      e => e,
    )

describe('secrets', { timeout: 60_000 }, () => {
  it('are read from the environment', async () => {
    expect(await make({ name: 'S', from: 'env', variable: 'TOKEN' }).read('S')).toBe('from-the-environment')
  })

  it('are read from a file, without one newline at its end', async () => {
    await writeFile(join(root, 's1'), 'value\n\n')
    await writeFile(join(root, 's2'), 'value\r\n')
    expect(await make({ name: 'S', from: 'file', path: 's1' }).read('S')).toBe('value\n')
    expect(await make({ name: 'S', from: 'file', path: 's2' }).read('S')).toBe('value')
  })

  it('are read from a command, which gets no shell and an empty input', async () => {
    const code = 'process.stdin.on("data", () => {}).on("end", () => console.log("$HOME `id`"))'
    expect(await make(printing(code)).read('S')).toBe('$HOME `id`')
  })

  it('are scrubbed from the moment they are read, whole and in pieces', async () => {
    const secrets = make({ name: 'S', from: 'env', variable: 'TOKEN' })
    const scrubber = secrets.scrubber()
    expect(secrets.scrub('from-the-environment')).toBe('from-the-environment')
    await secrets.read('S')
    expect(secrets.scrub('is from-the-environment.')).toBe('is [secret S].')
    expect(scrubber.write('is from-the-') + scrubber.write('environment.') + scrubber.end()).toBe(
      'is [secret S].',
    )
  })

  it('are run once, however many ask at once', async () => {
    const file = join(root, 'count')
    const code = `require('fs').appendFileSync(${JSON.stringify(file)}, 'x'); console.log(require('fs').readFileSync(${JSON.stringify(file)}, 'utf8') + '-value')`
    const secrets = make(printing(code))
    expect(await Promise.all([secrets.read('S'), secrets.read('S'), secrets.read('S')])).toEqual(
      Array(3).fill('x-value'),
    )
  })

  it('are looked for again after a failure', async () => {
    const secrets = make({ name: 'S', from: 'file', path: 'later' })
    await expect(secrets.read('S')).rejects.toMatchObject({ code: 'secret-missing' })
    await writeFile(join(root, 'later'), 'now it is here')
    expect(await secrets.read('S')).toBe('now it is here')
  })

  it('resolve the values of a plan', async () => {
    const secrets = make({ name: 'S', from: 'env', variable: 'TOKEN' })
    expect(await secrets.resolve({ value: 'plain' })).toBe('plain')
    expect(await secrets.resolve({ secret: 'S' })).toBe('from-the-environment')
  })

  it.each<[string, PlanSecret, string, string]>([
    [
      'an unset variable',
      { name: 'S', from: 'env', variable: 'NOPE' },
      'secret-missing',
      'the secret S is missing: looked for in the environment variable NOPE',
    ],
    [
      'an empty variable',
      { name: 'S', from: 'env', variable: 'EMPTY' },
      'secret-missing',
      'the secret S is empty: looked for in the environment variable EMPTY',
    ],
    [
      'no file',
      { name: 'S', from: 'file', path: 'no/such' },
      'secret-missing',
      'the secret S is missing: looked for in the file no/such',
    ],
    [
      'a folder',
      { name: 'S', from: 'file', path: '.' },
      'secret-missing',
      'the secret S cannot be read from the file . (EISDIR)',
    ],
    [
      'a silent command',
      { name: 'S', from: 'command', argv: ['true'] },
      'secret-missing',
      'the secret S is empty: looked for in the output of "true"',
    ],
    [
      'a failing command',
      { name: 'S', from: 'command', argv: ['false'] },
      'secret-missing',
      'the secret S could not be read: its command "false" ended with exit code 1',
    ],
    [
      'no command',
      { name: 'S', from: 'command', argv: ['no-such-command'] },
      'secret-missing',
      'the secret S could not be read: its command "no-such-command" was not found',
    ],
    [
      'a short value',
      { name: 'S', from: 'env', variable: 'SHORT' },
      'secret-too-short',
      'the secret S (the environment variable SHORT) has fewer than 4 characters, so that it could not be taken out of logs',
    ],
    [
      'a value of blanks',
      { name: 'S', from: 'env', variable: 'BLANK' },
      'secret-too-short',
      'the secret S (the environment variable BLANK) has fewer than 4 characters, so that it could not be taken out of logs',
    ],
  ])('fail clearly for %s', async (_, secret, code, message) => {
    const error = await failure(secret)
    expect(error).toMatchObject({ code, message })
    expect(error.hint).toBeTruthy()
  })

  it('fail when their command does not end', async () => {
    const error = await failure(printing('setInterval(() => {}, 1000)'), { commandTimeout: 300 })
    expect(error.message).toMatch(/did not end in time/)
  })

  it('never stand in an error', async () => {
    const error = await failure(
      printing('console.log("top-secret-1"); console.error("top-secret-2"); process.exit(3)'),
    )
    expect(error.message).toMatch(/exit code 3/)
    // The hint repeats the command as the plan has it, which is no secret; what it printed is nowhere.
    const shown = inspect(
      { ...error, hint: '', message: error.message, stack: error.stack, cause: error.cause },
      { depth: 9 },
    )
    expect(shown).not.toMatch(/top-secret/)
  })

  it('are refused when the plan does not name them', async () => {
    await expect(make({ name: 'S', from: 'env', variable: 'TOKEN' }).read('T')).rejects.toMatchObject({
      code: 'secret-unknown',
      hint: 'It has these: S.',
    })
  })
})
