/**
 * What an append costs, and what reading a journal does.
 *
 * The journal beside the floor (append and fdatasync of the same bytes, nothing else), in turns on the same disk.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeGroup, START } from '../../runner/journal/frame.ts'
import { createJournal, openJournal } from '../../runner/journal/journal-file.ts'
import { readJournal } from '../../runner/journal/read.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { type Bench, median, type Row, ratioOf } from './table.ts'

const event: RunEvent = {
  type: 'node-succeeded',
  at: 1_750_000_000_000,
  node: 'production/payment-service/rolling/1',
  attempt: 1,
  value: { instances: [{ slot: 0, digest: 'd'.repeat(64) }] },
  summary: 'instance 1 of 2 runs 3.0.0',
  warning: null,
  how: 'performed',
}
const line = Buffer.from(encodeGroup(START, { events: [event] }).text)
const guard = (): void => {}

/** Milliseconds a round takes at the median. */
async function rounds(count: number, round: () => Promise<unknown>): Promise<number> {
  const took: number[] = []
  for (let i = 0; i < count; i++) {
    const from = performance.now()
    await round()
    took.push(performance.now() - from)
  }
  return median(took)
}

async function appending(size: number, folder: string, turns: number): Promise<Row> {
  const path = join(folder, `${size}.jsonl`)
  await createJournal(path, 'bench')
  const { journal } = await openJournal(path, { guard })
  const file = await open(join(folder, `${size}.floor`), 'a')
  const bytes = Buffer.concat(Array(size).fill(line))
  const group = (): Promise<unknown> =>
    Promise.all(Array.from({ length: size }, () => journal.append({ events: [event] })))
  const took = { floor: [] as number[], ours: [] as number[] }
  for (let turn = 0; turn < turns; turn++) {
    took.floor.push(await rounds(60, () => file.write(bytes).then(() => file.datasync())))
    took.ours.push(await rounds(60, group))
  }
  await Promise.all([journal.close(), file.close()])
  return {
    area: 'journal',
    name: `records a second on disk, ${size} at once`,
    value: (size * 1000) / median(took.ours),
    unit: 'records/s',
    ratio: ratioOf(took.floor, took.ours),
    against: 'append and fdatasync of the same bytes',
  }
}

async function reading(folder: string, turns: number): Promise<readonly Row[]> {
  const path = join(folder, 'long.jsonl')
  await createJournal(path, 'bench')
  const { journal } = await openJournal(path, { guard })
  await Promise.all(Array.from({ length: 20_000 }, () => journal.append({ events: [event] })))
  await journal.close()
  const read = await rounds(turns, () => readJournal(path))
  const reopen = await rounds(turns, async () => (await openJournal(path, { guard })).journal.close())
  return [
    { area: 'journal', name: '20,000 records read and checked', value: read, unit: 'ms' },
    { area: 'journal', name: '20,000 records taken over by a new runner', value: reopen, unit: 'ms' },
  ]
}

export const rows: Bench = async ({ quick, progress }) => {
  const folder = mkdtempSync(join(tmpdir(), 'journal-bench-'))
  try {
    const found: Row[] = []
    for (const size of quick ? [1, 20] : [1, 5, 20, 100]) {
      progress(`${size} at once`)
      found.push(await appending(size, folder, quick ? 1 : 5))
    }
    progress('reading')
    found.push(...(await reading(folder, quick ? 1 : 5)))
    return found
  } finally {
    rmSync(folder, { recursive: true })
  }
}
