import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readInbox, removeSignal, sendSignal } from '../../runner/journal/inbox.ts'
import { readJournal } from '../../runner/journal/read.ts'
import {
  createRun,
  fileNameOf,
  listRuns,
  newRunId,
  openRun,
  type RunFolder,
  readMeta,
} from '../../runner/journal/run-store.ts'
import type { Signal } from '../../src/run/ports.ts'

let folder: string
let state: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-store-'))
  state = join(folder, '.release')
  await writeFile(join(folder, 'built.js'), 'the code')
  await writeFile(join(folder, 'built.js.map'), 'the map')
})
afterEach(() => rm(folder, { recursive: true }))

const create = (at: number, release = 'phoenix'): Promise<RunFolder> =>
  createRun(state, {
    root: '/project',
    definition: '/project/releases/phoenix.ts',
    release,
    version: '3.0.0',
    who: 'alice',
    plan: { hash: 'p', text: '{"plan":1}' },
    bundle: { hash: 'b', path: join(folder, 'built.js'), map: join(folder, 'built.js.map') },
    at,
  })

describe('createRun', () => {
  it('makes a folder that holds everything the run began with', async () => {
    const run = await create(Date.UTC(2026, 10, 21, 10, 15, 30))
    expect(run.id).toMatch(/^phoenix-3\.0\.0-20261121-101530-[0-9a-f]{4}$/)
    expect(await readFile(run.plan, 'utf8')).toBe('{"plan":1}')
    expect(await readFile(run.bundle, 'utf8')).toBe('the code')
    expect(await readFile(run.bundleMap, 'utf8')).toBe('the map')
    expect(await readMeta(run)).toMatchObject({
      run: run.id,
      release: 'phoenix',
      version: '3.0.0',
      plan: 'p',
    })
    expect(await readJournal(run.journal)).toMatchObject({ run: run.id, events: [], torn: 0 })
    expect((await readdir(run.path)).toSorted()).toEqual([
      'bundle.js',
      'bundle.js.map',
      'inbox',
      'journal.jsonl',
      'logs',
      'meta.json',
      'plan.json',
    ])
  })

  it('keeps the state out of git, and leaves an ignore file that is there alone', async () => {
    await create(0)
    expect(await readFile(join(state, '.gitignore'), 'utf8')).toBe('*\n')
    await writeFile(join(state, '.gitignore'), 'mine')
    await create(0)
    expect(await readFile(join(state, '.gitignore'), 'utf8')).toBe('mine')
  })

  it('gives each of many at one moment a folder of its own', async () => {
    const runs = await Promise.all(Array.from({ length: 20 }, () => create(0)))
    expect(new Set(runs.map(run => run.id)).size).toBe(20)
    expect(await listRuns(state)).toHaveLength(20)
  })
})

describe('newRunId', () => {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5)
  const random = Uint8Array.of(0x1a, 0x2b)
  it.each([
    ['phoenix', '3.0.0', 'phoenix-3.0.0-20260102-030405-1a2b'],
    ['Phönix / Web', '3.0.0-rc.1+build.5', 'ph-nix-web-3.0.0-rc.1+build.5-20260102-030405-1a2b'],
    ['../..', '1.0.0', '-1.0.0-20260102-030405-1a2b'],
  ])('%s %s', (release, version, expected) => {
    expect(newRunId({ release, version, at, random })).toBe(expected)
  })
})

describe('openRun', () => {
  const code = (run: string | undefined): Promise<unknown> =>
    openRun(state, run).then(
      one => one.id,
      (error: { code: string; exitCode: number }) => `${error.code} ${error.exitCode}`,
    )

  it('finds a run by its id, by its beginning, and the newest without', async () => {
    const [second, first] = [await create(2_000), await create(1_000)]
    const other = await create(1_500, 'other')
    expect(await code(first.id)).toBe(first.id)
    expect(await code('other')).toBe(other.id)
    expect(await code(second.id.slice(0, -1))).toBe(second.id)
    expect(await code(undefined)).toBe(second.id)
    expect(await code('latest')).toBe(second.id)
    expect((await listRuns(state)).map(run => run.id)).toEqual([first.id, other.id, second.id])
  })

  it('refuses what means none or several', async () => {
    expect(await code(undefined)).toBe('no-run 2')
    await create(1_000)
    await create(2_000)
    expect(await code('unknown')).toBe('no-run 2')
    expect(await code('../runs')).toBe('no-run 2')
    expect(await code('phoenix')).toBe('ambiguous-run 2')
  })

  it('does not take what a crash left half made for a run', async () => {
    const run = await create(1_000)
    await mkdir(join(state, 'runs', 'phoenix-half'))
    await writeFile(join(state, 'runs', 'phoenix-half', 'plan.json'), '{}')
    expect((await listRuns(state)).map(one => one.id)).toEqual([run.id])
    expect(await code('phoenix-half')).toBe('no-run 2')
  })
})

describe('fileNameOf', () => {
  it.each([
    ['production/payment-service/rolling/1', 'production~payment-service~rolling~1'],
    ['a~b', 'a%7eb'],
    ['..', '%2e.'],
    ['Unit Tests', '%55nit%20%54ests'],
    ['ü', '%c3%bc'],
    ['100%', '100%25'],
    ['NUL\0', '%4e%55%4c%00'],
  ])('%s', (key, expected) => {
    expect(fileNameOf(key)).toBe(expected)
  })

  it('keeps different keys apart, also without regard to case and at any length', () => {
    const parts = ['a', 'A', '/', '~', '%', '%41', '%61', '.', 'ü', ' ', 'x'.repeat(300), 'X'.repeat(300)]
    const keys = parts.flatMap(a => parts.flatMap(b => parts.map(c => a + b + c)))
    const names = new Map(keys.map(key => [key, fileNameOf(key).toLowerCase()]))
    expect(new Set(names.values()).size).toBe(new Set(keys).size)
    expect(Math.max(...[...names.values()].map(name => name.length))).toBeLessThanOrEqual(200)
  })
})

describe('the inbox', () => {
  const stop = (who: string): Signal => ({ type: 'stop', by: 'cancel', who })
  const whos = async (known: Iterable<string> = []): Promise<string[]> =>
    (await readInbox(inbox, new Set(known))).map(({ signal }) => ('who' in signal ? signal.who : signal.type))
  let inbox: string
  beforeEach(async () => {
    inbox = join(folder, 'inbox')
    await mkdir(inbox)
  })

  it('keeps signals in order, more than nine of them', async () => {
    for (let i = 0; i < 12; i++) await sendSignal(inbox, 'run', stop(`${i}`))
    expect(await whos()).toEqual(Array.from({ length: 12 }, (_, i) => `${i}`))
  })

  it('never gives a name twice, also after the last was taken out', async () => {
    const first = await sendSignal(inbox, 'run', stop('a'))
    await removeSignal(inbox, first)
    const second = await sendSignal(inbox, 'run', stop('b'))
    expect(second).not.toBe(first)
    expect(await whos([first])).toEqual(['b'])
    expect(await whos([second])).toEqual([])
  })

  it('loses none of many sent at once', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, i) => sendSignal(inbox, 'run', stop(`${i}`))))
    expect((await whos()).toSorted()).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`).toSorted())
  })

  it.each([
    ['no JSON', '{'],
    ['another format', '{"format":2,"key":"run","signal":{"type":"abort","who":"a"}}'],
    ['no key', '{"format":1,"signal":{"type":"abort","who":"a"}}'],
    ['an unknown signal', '{"format":1,"key":"run","signal":{"type":"dance"}}'],
    ['a decision without its text', '{"format":1,"key":"a","signal":{"type":"decision","decision":{}}}'],
    ['null', 'null'],
  ])('puts %s aside, and delivers what comes after it', async (_, text) => {
    const name = `00000001-${'0'.repeat(16)}.json`
    await writeFile(join(inbox, name), text)
    await sendSignal(inbox, 'run', stop('alice'))
    expect(await whos()).toEqual(['alice'])
    expect(await readdir(inbox)).toContain(`${name}.unreadable`)
    expect(await whos()).toEqual(['alice'])
  })
})
