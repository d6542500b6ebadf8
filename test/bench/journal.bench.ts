/**
 * What an append costs: `node test/bench/journal.bench.ts [folder]`.
 *
 * Prints the journal beside the floor (append and fdatasync of the same bytes, nothing else), measured in
 * turns on the same disk, because only their ratio holds on another machine.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeGroup, START } from '../../runner/journal/frame.ts'
import { createJournal, openJournal } from '../../runner/journal/journal-file.ts'
import { readJournal } from '../../runner/journal/read.ts'
import type { RunEvent } from '../../src/run/events.ts'

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
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'journal-bench-'))
const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!

/** Milliseconds a round of `size` records takes at the median. */
async function rounds(count: number, round: () => Promise<unknown>): Promise<number> {
  const took: number[] = []
  for (let i = 0; i < count; i++) {
    const from = performance.now()
    await round()
    took.push(performance.now() - from)
  }
  return median(took)
}

async function compare(size: number): Promise<void> {
  const path = join(folder, `${size}.jsonl`)
  await createJournal(path, 'bench')
  const { journal } = await openJournal(path, { guard: () => {} })
  const file = await open(join(folder, `${size}.floor`), 'a')
  const bytes = Buffer.concat(Array(size).fill(line))
  const floors: number[] = []
  const ours: number[] = []
  for (let turn = 0; turn < 5; turn++) {
    floors.push(await rounds(60, () => file.write(bytes).then(() => file.datasync())))
    ours.push(
      await rounds(60, () =>
        Promise.all(Array.from({ length: size }, () => journal.append({ events: [event] }))),
      ),
    )
  }
  await Promise.all([journal.close(), file.close()])
  const [floor, own] = [median(floors), median(ours)]
  console.log(
    `${String(size).padStart(4)} at once: ${own.toFixed(3)} ms, floor ${floor.toFixed(3)} ms, ratio ${(own / floor).toFixed(2)}, ${Math.round((size / own) * 1000)} records a second`,
  )
}

try {
  for (const size of [1, 5, 20, 100]) await compare(size)
  const path = join(folder, 'long.jsonl')
  await createJournal(path, 'bench')
  const { journal } = await openJournal(path, { guard: () => {} })
  await Promise.all(Array.from({ length: 20_000 }, () => journal.append({ events: [event] })))
  await journal.close()
  const read = await rounds(5, () => readJournal(path))
  const reopen = await rounds(5, async () => (await openJournal(path, { guard: () => {} })).journal.close())
  console.log(`20,000 records: ${read.toFixed(0)} ms to read and check, ${reopen.toFixed(0)} ms to take over`)
} finally {
  rmSync(folder, { recursive: true })
}
