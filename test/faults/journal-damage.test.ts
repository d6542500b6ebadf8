/** Every cut and every altered byte: what a crash leaves is mended, anything else is refused with its place. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createJournal, openJournal } from '../../runner/journal/journal-file.ts'
import { readJournal } from '../../runner/journal/read.ts'
import type { RunEvent } from '../../src/run/events.ts'

const skipped = (node: string): RunEvent => ({ type: 'node-skipped', at: 1, node, because: 'test' })
const guard = (): void => {}

// Thousands of small files are written and synced, on whatever disk the tests have.
vi.setConfig({ testTimeout: 120_000 })

let folder: string
let path: string
let whole: Buffer
/** Where each line begins, and the end. */
let starts: number[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-damage-'))
  path = join(folder, 'journal.jsonl')
  await createJournal(path, 'run')
  const { journal } = await openJournal(path, { guard })
  await journal.append({ events: [skipped('a')] })
  await journal.append({ events: [skipped('b')], key: 'call', acks: ['1'] })
  await journal.append({ events: [skipped('ü "}')] })
  await journal.close()
  whole = await readFile(path)
  starts = [0]
  for (let at = 0; at < whole.length; at++) if (whole[at] === 0x0a) starts.push(at + 1)
})
afterAll(() => rm(folder, { recursive: true }))

/** What opening these bytes gives: how many events, or where the damage is. */
async function opened(bytes: Buffer): Promise<number | string> {
  await writeFile(path, bytes)
  try {
    const { journal, entries } = await openJournal(path, { guard })
    await journal.append({ events: [skipped('on')] })
    await journal.close()
    const after = await readJournal(path)
    expect(after.torn).toBe(0)
    expect(after.events).toEqual([...entries.map(entry => entry.event), skipped('on')])
    return entries.length
  } catch (error) {
    expect(error).toMatchObject({ code: 'journal-damaged', exitCode: 4 })
    expect(await readFile(path), 'a refused journal is left as it was').toEqual(bytes)
    return /at byte \d+, record \d+/.exec(String(error))?.[0] ?? String(error)
  }
}

const lineOf = (at: number): number => starts.findLastIndex(start => start <= at)

function changed(bytes: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = byte
  return copy
}

describe('a journal cut off', () => {
  it('anywhere after its header keeps every whole record before the cut, and goes on', async () => {
    for (let end = starts[1]!; end <= whole.length; end++) {
      // A record that lacks only its line feed is whole.
      const expected = starts.filter(start => start > 0 && start - 1 <= end).length - 1
      expect(await opened(whole.subarray(0, end)), `cut at ${end}`).toBe(expected)
    }
  })

  it('in its header is refused: it comes to be whole or not at all', async () => {
    for (let end = 0; end < starts[1]! - 1; end++) {
      expect(await opened(whole.subarray(0, end))).toBe('at byte 0, record 0')
    }
  })
})

describe('an altered byte', () => {
  it('is refused with the place of its record, wherever it is and whatever it becomes', async () => {
    for (let at = 0; at < whole.length; at++) {
      const record = lineOf(at)
      const place = `at byte ${starts[record]}, record ${record}`
      for (const byte of [whole[at]! ^ 1, whole[at]! ^ 0x80, 0x0a, 0x00]) {
        if (byte === whole[at]) continue
        expect(await opened(changed(whole, at, byte)), `byte ${at} became ${byte}`).toBe(place)
      }
    }
  })
})

describe('what an interrupted append leaves', () => {
  const line = (): Buffer => whole.subarray(starts[3])
  it.each<[string, () => Buffer, number | string]>([
    ['nothing', () => Buffer.alloc(0), 2],
    ['zeros to the end of the file', () => Buffer.alloc(300), 2],
    ['zeros after a part', () => Buffer.concat([line().subarray(0, 40), Buffer.alloc(600)]), 2],
    ['a part', () => line().subarray(0, 40), 2],
    ['garbage without an end', () => Buffer.from('garbage'), 2],
  ])('%s: is cut off', async (_, tail, expected) => {
    expect(await opened(Buffer.concat([whole.subarray(0, starts[3]), tail()]))).toBe(expected)
  })

  it('a sector of zeros within a record is cut off where nothing whole follows it, and refused where it does', async () => {
    await writeFile(path, whole.subarray(0, starts[2]))
    const { journal } = await openJournal(path, { guard })
    await journal.append({ events: [skipped('x'.repeat(2_000))] })
    const long = await readFile(path)
    await journal.append({ events: [skipped('y')] })
    const followed = await readFile(path)
    await journal.close()
    const hole = 512 * Math.ceil((starts[2]! + 200) / 512)
    expect(await opened(Buffer.from(long).fill(0, hole, hole + 512))).toBe(1)
    expect(await opened(Buffer.from(followed).fill(0, hole, hole + 512))).toBe(
      `at byte ${starts[2]}, record 2`,
    )
    expect(await opened(Buffer.from(long).fill(0, hole + 1, hole + 511))).toBe(
      `at byte ${starts[2]}, record 2`,
    )
  })
})

describe('a record that does not belong', () => {
  it.each<[string, (lines: string[]) => string[], string]>([
    ['taken out', ([h, , ...rest]) => [h!, ...rest], 'record 1: it says that it is record 2'],
    ['twice', ([h, a, ...rest]) => [h!, a!, a!, ...rest], 'record 2: it says that it is record 1'],
    ['swapped', ([h, a, b, c]) => [h!, b!, a!, c!], 'record 1: it says that it is record 2'],
    [
      'a complete line of garbage',
      lines => [...lines, 'garbage\n'],
      'record 4: its line does not end in a hash',
    ],
    ['no JSON', ([h]) => [h!, '\n'], 'record 1: its line does not end in a hash'],
  ])('%s: is refused', async (_, change, expected) => {
    const lines = starts.slice(0, -1).map((start, i) => whole.toString('utf8', start, starts[i + 1]))
    await writeFile(path, change(lines).join(''))
    await expect(openJournal(path, { guard })).rejects.toThrow(expected)
    await expect(readJournal(path)).rejects.toThrow(expected)
  })

  it('of another run with the same number is refused by the chain', async () => {
    const other = join(folder, 'other.jsonl')
    await createJournal(other, 'other')
    const { journal } = await openJournal(other, { guard })
    await journal.append({ events: [skipped('a')] })
    await journal.close()
    const foreign = (await readFile(other)).toString().split('\n')[1]
    await writeFile(path, `${whole.toString('utf8', 0, starts[1])}${foreign}\n`)
    await expect(openJournal(path, { guard })).rejects.toThrow('it does not follow the record before it')
  })
})

it('leaves nothing lying about', async () => {
  expect((await readdir(folder)).toSorted()).toEqual(['journal.jsonl', 'other.jsonl'])
})
