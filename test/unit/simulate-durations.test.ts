/** How long the nodes of a simulation take: what earlier runs of the same release say, otherwise an assumption. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeGroup, encodeHeader } from '../../runner/journal/frame.ts'
import { createRun } from '../../runner/journal/run-store.ts'
import { readDurations } from '../../runner/simulate/durations.ts'
import { command, release } from '../../src/index.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { planOf, sha256 } from './compile-rig.ts'

const plan = planOf(
  release('shop', { version: '2.0.0' }).stage('s', s => s.gate('tests', command('true').passes())),
  {},
)
const [gate] = plan.nodes

let state: string
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'release-durations-'))
})
afterEach(() => rmSync(state, { recursive: true, force: true }))

/** Attempts at the gate that each took so long, in milliseconds, and how the last one ended. */
type Story = { readonly took: readonly number[]; readonly how?: 'performed' | 'observed' | 'failed' }

let created = 0
async function ran({ took, how = 'performed' }: Story, name = 'shop'): Promise<void> {
  created += 1
  const bundle = join(state, 'bundle.js')
  writeFileSync(bundle, '')
  const folder = await createRun(state, {
    ...{ release: name, version: '1.0.0', who: 'ann', root: state, definition: bundle },
    plan: { hash: sha256('plan'), text: '{}' },
    bundle: { hash: sha256(''), path: bundle },
    at: Date.UTC(2026, 0, created),
  })
  const node = gate!.key
  const events = took.flatMap((time, index): RunEvent[] => {
    const attempt = index + 1
    const started: RunEvent = { type: 'node-started', node, attempt, at: 1000 * attempt }
    const at = started.at + time
    const failure = { code: 'simulated', message: 'it was made to fail' }
    if (attempt < took.length)
      return [started, { type: 'node-retrying', node, attempt, failure, until: at, at }]
    if (how === 'failed') return [started, { type: 'node-failed', node, attempt, failure, at }]
    const done = { type: 'node-succeeded', value: null, summary: null, warning: null } as const
    return [started, { ...done, node, attempt, how, at }]
  })
  appendFileSync(folder.journal, encodeGroup(encodeHeader(folder.id).position, { events }).text)
}

test('nothing is known before a first run', async () => {
  const durations = await readDurations(state, 'shop')
  expect(durations.runs).toBe(0)
  expect(durations.isKnown(gate!)).toBe(false)
  expect(durations.of(gate!)).toBe(60_000)
})

test('the median of what succeeded: the last attempt alone, not what was found done already, no other release', async () => {
  await ran({ took: [10] })
  await ran({ took: [900, 30] })
  await ran({ took: [500] })
  await ran({ took: [1], how: 'observed' })
  await ran({ took: [1], how: 'failed' })
  await ran({ took: [1] }, 'other')
  const durations = await readDurations(state, 'shop')
  expect(durations.runs).toBe(5)
  expect(durations.isKnown(gate!)).toBe(true)
  expect(durations.of(gate!)).toBe(30)
  await ran({ took: [40] })
  expect((await readDurations(state, 'shop')).of(gate!)).toBe(35)
})

test('only the newest runs count', async () => {
  for (let run = 0; run < 2; run += 1) await ran({ took: [9000] })
  for (let run = 0; run < 20; run += 1) await ran({ took: [7] })
  const durations = await readDurations(state, 'shop')
  expect(durations.runs).toBe(20)
  expect(durations.of(gate!)).toBe(7)
})
