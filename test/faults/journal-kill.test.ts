/** A writer killed again and again: what was acknowledged is there, and nothing else has come between. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createJournal } from '../../runner/journal/journal-file.ts'
import { readJournal } from '../../runner/journal/read.ts'

const KILLS = 50
const writer = join(import.meta.dirname, 'journal-writer.child.ts')
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-kill-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Lets a writer acknowledge that many records, kills it, and returns all that it acknowledged. */
async function killAfter(path: string, round: number, acknowledgements: number): Promise<string[]> {
  const child: ChildProcess = spawn(process.execPath, [writer, path, `r${round}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
    if (output.split('\n').length > acknowledgements) child.kill('SIGKILL')
  })
  const [code, signal] = await once(child, 'close')
  expect([code, signal]).toEqual([null, 'SIGKILL'])
  return output.split('\n').slice(0, -1)
}

it(`loses no acknowledged record in ${KILLS} kills`, { timeout: 120_000 }, async () => {
  const path = join(folder, 'journal.jsonl')
  await createJournal(path, 'run')
  let acknowledged: string[] = []
  for (let round = 0; round < KILLS; round++) {
    acknowledged = [...acknowledged, ...(await killAfter(path, round, 1 + ((round * 7) % 40)))]
    const { events } = await readJournal(path)
    const recorded = events.map(event => ('node' in event ? event.node : event.type))
    const there = new Set(recorded)
    expect(acknowledged.filter(name => !there.has(name))).toEqual([])
    expect(there.size).toBe(recorded.length)
    // All of a group counts, or none of it.
    const opened = recorded.filter(name => name.endsWith('/a')).length
    expect(recorded.filter(name => name.endsWith('/c')).length).toBe(opened)
  }
})
