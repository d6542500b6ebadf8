/**
 * Counters that only grow, although servers are taken away and workers end.
 *
 * A server has its instance's name, and no other instance ever gets it: its counters are of one side and one version.
 * What is gone from HAProxy is kept in `counts.json`, for as long as this HAProxy runs.
 *
 * Invariants:
 *  1. A row is kept by its worker and name, and added to the sums when it is no longer to be read: written in one
 *     step, so that a crash counts nothing twice.
 *  2. What a worker of before a reload counts after it was last read is not seen.
 */
import type { Side } from '../../../../src/plan/plan.ts'
import type { Counters } from '../../../../src/run/ports.ts'
import type { Identity } from '../../loopback/process-table.ts'
import { readState, replaceFile } from '../../loopback/state-file.ts'
import { haproxyFiles } from './files.ts'
import type { ServerRow, Worker } from './workers.ts'

type Counted = Pick<ServerRow, 'component' | 'side' | 'version' | 'requests' | 'errors' | 'unanswered'>

interface CountsFile {
  readonly format: 1
  /** The HAProxy that counted. */
  readonly process: Identity
  /** By worker and server: as it was last read. */
  readonly rows: Readonly<Record<string, Counted>>
  /** Of what is gone. */
  readonly sums: readonly Counted[]
}

const isNewer = (a: Counted, b: Counted): boolean => a.requests >= b.requests && a.errors >= b.errors

const rowsOf = (workers: readonly Worker[]): Readonly<Record<string, Counted>> =>
  Object.fromEntries(
    workers.flatMap(({ pid, rows }) =>
      rows.map(({ name, component, side, version, requests, errors, unanswered }) => [
        `${pid} ${name}`,
        { component, side, version, requests, errors, unanswered },
      ]),
    ),
  )

/** By component, side and version. */
const summed = (rows: readonly Counted[]): readonly Counted[] => {
  const sums = new Map<string, Counted>()
  for (const row of rows) {
    const key = JSON.stringify([row.component, row.side, row.version])
    const before = sums.get(key)
    sums.set(key, {
      ...row,
      requests: row.requests + (before?.requests ?? 0),
      errors: row.errors + (before?.errors ?? 0),
      unanswered: row.unanswered + (before?.unanswered ?? 0),
    })
  }
  return [...sums.values()]
}

/** What was kept, and what the workers count now, brought together. */
const folded = (before: CountsFile, workers: readonly Worker[]): CountsFile => {
  const rows = rowsOf(workers)
  const gone = Object.entries(before.rows).flatMap(([key, row]) => {
    const now = rows[key]
    return now !== undefined && isNewer(now, row) ? [] : [row]
  })
  return { ...before, rows, sums: summed([...before.sums, ...gone]) }
}

const readCounts = async (folder: string, process: Identity): Promise<CountsFile> => {
  const kept = await readState<CountsFile>(haproxyFiles(folder).counts)
  const isOurs = kept !== null && kept.process.pid === process.pid && kept.process.start === process.start
  return isOurs ? kept : { format: 1, process, rows: {}, sums: [] }
}

/** Keeps what is counted now: before and after something is taken away. */
export const keepCounts = async (
  folder: string,
  process: Identity,
  workers: readonly Worker[],
): Promise<void> => {
  const now = folded(await readCounts(folder, process), workers)
  await replaceFile(haproxyFiles(folder).counts, `${JSON.stringify(now)}\n`)
}

/** A component's counters; nothing is kept. */
export const countersOf = async (
  folder: string,
  process: Identity,
  { component, workers }: { component: string; workers: readonly Worker[] },
): Promise<readonly Counters[]> => {
  const { rows, sums } = folded(await readCounts(folder, process), workers)
  return summed([...sums, ...Object.values(rows)])
    .filter(row => row.component === component)
    .map(({ side, version, requests, errors, unanswered }) => ({
      component,
      side: side as Side,
      version,
      requests,
      errors,
      unanswered,
      seconds: null,
      buckets: null,
      mirrored: 0,
      mismatched: 0,
    }))
}
