/**
 * How long a node takes: the median of earlier runs of the release where there are some, an assumption otherwise.
 */
import type { OperationKind, PlanNode } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { readJournal } from '../journal/read.ts'
import { listRuns } from '../journal/run-store.ts'

/** In milliseconds, where nothing is known. People are taken to answer at once. */
const ASSUMED: Readonly<Record<Exclude<OperationKind, 'analyse'>, number>> = {
  gate: 60_000,
  step: 30_000,
  notify: 1_000,
  prepare: 2_000,
  replace: 15_000,
  verify: 1_000,
  start: 15_000,
  shift: 1_000,
  promote: 5_000,
  remove: 5_000,
  approval: 0,
  wait: 0,
  join: 0,
}

/** Runs that are looked at, the newest. */
const MOST_RUNS = 20

export interface Durations {
  readonly of: (node: PlanNode) => number
  /** How many earlier runs were read. */
  readonly runs: number
  readonly isKnown: (node: PlanNode) => boolean
}

export async function readDurations(state: string, release: string): Promise<Durations> {
  const runs = (await listRuns(state).catch(() => [])).filter(run => run.meta.release === release)
  const taken = new Map<string, number[]>()
  let read = 0
  for (const run of runs.slice(-MOST_RUNS)) {
    const journal = await readJournal(run.journal).catch(() => null)
    if (journal === null) continue
    read += 1
    collect(journal.events, taken)
  }
  const known = new Map([...taken].map(([node, times]) => [node, median(times)]))
  return {
    of: node => known.get(node.key) ?? assumedFor(node),
    runs: read,
    isKnown: node => known.has(node.key),
  }
}

/** An analysis takes as long as it says: what was measured in an earlier run may have ended it early. */
const assumedFor = ({ operation }: PlanNode): number =>
  operation.kind === 'analyse' ? operation.duration : ASSUMED[operation.kind]

function collect(events: readonly RunEvent[], taken: Map<string, number[]>): void {
  const begun = new Map<string, number>()
  for (const event of events) {
    if (event.type === 'node-started') begun.set(event.node, event.at)
    if (event.type !== 'node-succeeded' || event.how !== 'performed') continue
    const from = begun.get(event.node)
    if (from !== undefined) taken.set(event.node, [...(taken.get(event.node) ?? []), event.at - from])
  }
}

function median(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
