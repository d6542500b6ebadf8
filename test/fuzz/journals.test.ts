/** Damaged journals: what is read is a beginning of what was written, or the damage is refused with its place. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { encodeGroup, encodeHeader, START, scan } from '../../runner/journal/frame.ts'
import { readJournal } from '../../runner/journal/read.ts'
import { recoverJournal } from '../../runner/journal/recovery.ts'
import type { RunFolder } from '../../runner/journal/run-store.ts'
import { told } from '../../runner/open-run.ts'
import { parsePlan } from '../../runner/plan-file.ts'
import { createRunView } from '../../runner/views/model.ts'
import { renderReportMarkdown } from '../../runner/views/report-md.ts'
import { renderStatus } from '../../runner/views/status.ts'
import { painterOf } from '../../runner/views/terminal-text.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { buildReport } from '../../src/run/build-report.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { foldRun } from '../../src/run/fold.ts'
import { historyFolder } from '../histories/open.ts'
import { fuzz } from './fuzz.ts'
import { type Dice, damageBytes, damageJson } from './mutate.ts'

// Inputs by the thousand: what hangs is found by the limit of each.
vi.setConfig({ testTimeout: 300_000 })

const folder = mkdtempSync(join(tmpdir(), 'fuzz-journals-'))
afterAll(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'journal.jsonl')

interface History {
  readonly bytes: Buffer
  readonly events: readonly RunEvent[]
  readonly plan: Plan
}

const histories: readonly History[] = await Promise.all(
  readdirSync(dirname(historyFolder(1, 'any')))
    .sort()
    .map(async name => {
      const bytes = readFileSync(join(historyFolder(1, name), 'journal.jsonl'))
      const text = readFileSync(join(historyFolder(1, name), 'plan.json'), 'utf8')
      return {
        bytes,
        events: scan(bytes, START).entries.map(entry => entry.event),
        plan: await parsePlan(name, text),
      }
    }),
)

/** Everything that looks at a run's events. */
const lookAt = (plan: Plan, events: readonly RunEvent[]): void => {
  told({ journal: path } as RunFolder, () => {
    foldRun(plan, events)
    const view = createRunView(plan)
    for (const event of events) view.apply(event)
    const paint = painterOf({ color: false })
    renderStatus(view.state, { paint, now: 1_800_000_000_000, runner: 'gone' })
    JSON.stringify(renderReportMarkdown(buildReport(plan, events)))
  })
}

test('bytes that were damaged in any way', async () => {
  const outcomes = await fuzz({ seeds: 2_500 }, async roll => {
    const { bytes, events, plan } = roll.pick(histories)
    const damaged = damageBytes(bytes, roll)
    writeFileSync(path, damaged)
    const read = await readJournal(path)
    expect(read.events).toEqual(events.slice(0, read.events.length))
    lookAt(plan, read.events)
    const recovered = await recoverJournal(path, () => {})
    expect(recovered.entries).toEqual(read.entries)
    expect(recovered.cut).toBe(damaged.length - recovered.position.offset)
    expect((await readJournal(path)).torn).toBe(0)
  })
  expect(Object.keys(outcomes).sort()).toEqual(['journal-damaged', 'passed'])
})

/** A chain that is whole around events that nobody wrote. */
const sealed = (events: readonly RunEvent[]): Buffer => {
  const header = encodeHeader('fuzzed')
  return Buffer.from(header.text + encodeGroup(header.position, { events }).text)
}

const jumble = (events: readonly RunEvent[], roll: Dice): readonly RunEvent[] => {
  const foreign = roll.pick(histories).events
  const cut = roll.number(events.length + 1)
  return roll.pick([
    () => damageJson(events, roll, 'any'),
    () => damageJson(events, roll, 'alike'),
    () => [...events.slice(cut), ...events.slice(0, cut)],
    () => [...events.slice(0, cut), ...foreign.slice(roll.number(foreign.length))],
    () => events.filter(() => roll.number(8) > 0),
    () => events.flatMap(event => (roll.number(8) === 0 ? [event, event] : [event])),
  ])()
}

test('records that are whole and tell what cannot be', async () => {
  const outcomes = await fuzz({ seeds: 2_000 }, async roll => {
    const { events, plan } = roll.pick(histories)
    writeFileSync(path, sealed(jumble(events, roll)))
    lookAt(plan, (await readJournal(path)).events)
  })
  expect(Object.keys(outcomes).sort()).toEqual(['journal-damaged', 'passed', 'run-unfit'])
})
