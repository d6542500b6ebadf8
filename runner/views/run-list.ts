/**
 * The table of `release list`.
 *
 * Boundary: a row is folded from a run's events alone, so that listing a hundred runs reads no plan.
 */
import type { RunEvent } from '../../src/run/events.ts'
import type { RunStanding } from '../../src/run/report.ts'
import { type Painter, padEnd, plain, widthOf } from './terminal-text.ts'
import { renderDuration, renderTime } from './time-text.ts'

/** One run as `release list` shows it; its JSON form too. */
export interface RunRow {
  readonly run: string
  readonly release: string
  readonly version: string
  /** damaged: its journal cannot be read. */
  readonly standing: RunStanding | 'damaged'
  readonly who: string
  /** Milliseconds since 1970. */
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** Keys of the nodes for which a person's word is wanted. */
  readonly waitsFor: readonly string[]
}

/** The row of a run. `runner`: whether one has the run now; unknown: nobody looked. null: it has no first event. */
export function runRow(events: readonly RunEvent[], runner: 'alive' | 'gone' | 'unknown'): RunRow | null {
  const [first] = events
  if (first?.type !== 'run-started') return null
  let standing: RunStanding = 'running'
  let finishedAt: number | null = null
  const asking = new Set<string>()
  for (const event of events) {
    standing = standingAfter(standing, event)
    finishedAt = event.type === 'run-finished' ? event.at : isEnd(standing) ? finishedAt : null
    if ('node' in event) keepAsking(asking, event)
  }
  return {
    run: first.run,
    release: first.release,
    version: first.version,
    standing: standing === 'running' && runner === 'gone' ? 'interrupted' : standing,
    who: first.who,
    startedAt: first.at,
    finishedAt,
    waitsFor: isEnd(standing) ? [] : [...asking],
  }
}

function standingAfter(before: RunStanding, event: RunEvent): RunStanding {
  switch (event.type) {
    case 'run-finished':
      return event.outcome
    case 'run-left':
      return event.why
    case 'run-reopened':
    case 'rollback-planned':
      return 'running'
    case 'runner-attached':
      return isEnd(before) ? before : 'running'
    default:
      return before
  }
}

const isEnd = (standing: RunStanding): boolean =>
  standing !== 'running' && standing !== 'waiting' && standing !== 'interrupted'

function keepAsking(asking: Set<string>, event: Extract<RunEvent, { node: string }>): void {
  switch (event.type) {
    case 'node-waiting':
      if (event.for === 'person') asking.add(event.node)
      return
    case 'node-uncertain':
      asking.add(event.node)
      return
    case 'node-started':
    case 'node-succeeded':
    case 'node-failed':
    case 'node-cancelled':
    case 'node-skipped':
    case 'node-rerun':
      asking.delete(event.node)
      return
    case 'node-retrying':
    case 'approval-given':
    case 'approval-refused':
    case 'approval-rejected':
      return
    default:
      event satisfies never
  }
}

/** A table of runs, in the order given, with a head; one sentence where there are none. Ends with a line break. */
export function renderRunList(
  rows: readonly RunRow[],
  { paint, now }: { readonly paint: Painter; readonly now: number },
): string {
  if (rows.length === 0) return 'There are no runs yet: release run begins one.\n'
  const head = ['RUN', 'RELEASE', 'STANDING', 'STARTED', 'TOOK', 'BY']
  const cells = rows.map(row => [
    row.run,
    plain(`${row.release} ${row.version}`),
    row.waitsFor.length === 0 ? row.standing : `${row.standing}: ${row.waitsFor.map(plain).join(', ')}`,
    row.startedAt === null ? '' : renderTime(row.startedAt),
    row.startedAt === null ? '' : renderDuration((row.finishedAt ?? now) - row.startedAt),
    plain(row.who),
  ])
  const widths = head.map((title, i) => Math.max(...[title, ...cells.map(row => row[i]!)].map(widthOf)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => padEnd(cell, widths[i]!))
      .join('  ')
      .trimEnd()
  return `${[paint.bold(line(head)), ...cells.map(line)].join('\n')}\n`
}
