/**
 * The rollbacks of a run, for its report.
 */
import type { RunEvent } from './events.ts'
import type { Report, ReportRollback } from './report.ts'

/** In the order in which they were planned. `events` is the whole journal, oldest first. */
export function rollbacksIn(events: readonly RunEvent[]): Pick<Report, 'rollbacks'> {
  const rollbacks = new Map<number, ReportRollback>()
  for (const event of events) {
    if (event.type === 'rollback-planned')
      rollbacks.set(event.rollback, {
        number: event.rollback,
        because: event.because,
        strategy: event.strategy ?? 'service-by-service',
        plannedAt: event.at,
        finishedAt: null,
        validated: null,
        breach: event.breach ?? null,
      })
    const known = event.type === 'rollback-finished' ? rollbacks.get(event.rollback) : undefined
    if (event.type === 'rollback-finished' && known !== undefined)
      rollbacks.set(event.rollback, { ...known, finishedAt: event.at, validated: event.validated ?? null })
  }
  return rollbacks.size === 0 ? {} : { rollbacks: [...rollbacks.values()] }
}
