/**
 * Appends to a journal until it is killed: `node journal-writer.child.ts JOURNAL ROUND`.
 *
 * Prints a record's name only when its append was acknowledged. Lone appends, groups and concurrent ones in
 * turn, so that a kill finds the writer in every state.
 */
import { writeSync } from 'node:fs'
import { openJournal } from '../../runner/journal/journal-file.ts'
import type { RunEvent } from '../../src/run/events.ts'

const [path = '', round = ''] = process.argv.slice(2)
const { journal } = await openJournal(path, { guard: () => {} })
const event = (node: string): RunEvent => ({
  type: 'node-skipped',
  at: Date.now(),
  node,
  because: 'x'.repeat(node.length * 40),
})

async function append(...names: readonly string[]): Promise<void> {
  await journal.append({ events: names.map(event) })
  writeSync(1, `${names.join('\n')}\n`)
}

for (let i = 0; ; i++) {
  const name = `${round}/${i}`
  await append(name)
  await append(`${name}/a`, `${name}/b`, `${name}/c`)
  await Promise.all(Array.from({ length: 5 }, (_, n) => append(`${name}/${n}`)))
}
