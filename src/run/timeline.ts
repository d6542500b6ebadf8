/**
 * When each node ran, waited and was tried again: what a picture of a run over time is drawn from.
 *
 *     node-started ──▶ ran ──▶ succeeded | failed | cancelled | cut-off | retried ──▶ paused ──▶ ran …
 *     node-waiting ──▶ waited ──▶ succeeded | failed | cancelled
 *
 * Boundary: pure; a fold of the events over the plan. Times are milliseconds since 1970.
 *
 *  T1. Spans of one node never overlap, and stand in the order in which they began.
 *  T2. A span that a crash cut off ends when its runner was last heard of, not when another one came.
 */
import type { Plan, PlanNode } from '../plan/plan.ts'
import type { RunEvent } from './events.ts'

export type SpanEnd = 'succeeded' | 'failed' | 'cancelled' | 'retried' | 'cut-off'

export interface Span {
  /** The plan's node; for a rollback's, the one that it takes back. */
  readonly node: PlanNode
  /** Number of the rollback that it belongs to; null: of the plan itself. */
  readonly rollback: number | null
  /** ran: one attempt. waited: for a person or a time. paused: before the next attempt. */
  readonly kind: 'ran' | 'waited' | 'paused'
  readonly from: number
  /** null: it has not ended. */
  readonly until: number | null
  /** null: it has not ended; a pause ends with the next attempt. */
  readonly end: SpanEnd | null
}

export interface Timeline {
  readonly from: number
  /** Of the last event. */
  readonly until: number
  readonly spans: readonly Span[]
}

type Owner = Pick<Span, 'node' | 'rollback'>
type Open = { -readonly [K in keyof Span]: Span[K] }

interface Fold {
  readonly owners: Map<string, Owner>
  readonly open: Map<string, Open>
  readonly spans: Open[]
  attached: boolean
  lastAt: number
}

/** The spans of a whole journal, oldest first. */
export function buildTimeline(plan: Plan, events: readonly RunEvent[]): Timeline {
  const from = events[0]?.at ?? 0
  const fold: Fold = {
    owners: new Map(plan.nodes.map(node => [node.key, { node, rollback: null }])),
    open: new Map(),
    spans: [],
    attached: false,
    lastAt: from,
  }
  for (const event of events) {
    take(fold, event)
    fold.lastAt = event.at
  }
  return { from, until: fold.lastAt, spans: fold.spans }
}

function take(fold: Fold, event: RunEvent): void {
  switch (event.type) {
    case 'node-started':
      begin(fold, event.node, 'ran', event.at)
      return
    case 'node-waiting':
      begin(fold, event.node, 'waited', event.at)
      return
    case 'node-retrying':
      close(fold, event.node, 'retried', event.at)
      begin(fold, event.node, 'paused', event.at)
      return
    case 'node-succeeded':
      close(fold, event.node, 'succeeded', event.at)
      return
    case 'node-failed':
      close(fold, event.node, 'failed', event.at)
      return
    case 'node-cancelled':
      close(fold, event.node, 'cancelled', event.at)
      return
    case 'rollback-planned':
      for (const { key, undoes } of event.nodes) {
        const owner = fold.owners.get(undoes)
        if (owner !== undefined) fold.owners.set(key, { node: owner.node, rollback: event.rollback })
      }
      return
    case 'runner-attached':
      if (fold.attached) cutOff(fold, fold.lastAt)
      fold.attached = true
      return
    case 'run-left':
    case 'run-finished':
      cutOff(fold, event.at)
      fold.attached = false
      return
    default:
      // Whatever else is recorded begins and ends nothing.
      return
  }
}

function begin(fold: Fold, key: string, kind: Span['kind'], at: number): void {
  const owner = fold.owners.get(key)
  if (owner === undefined) return
  close(fold, key, null, at)
  const span: Open = { ...owner, kind, from: at, until: null, end: null }
  fold.open.set(key, span)
  fold.spans.push(span)
}

function close(fold: Fold, key: string, end: SpanEnd | null, at: number): void {
  const span = fold.open.get(key)
  if (span === undefined) return
  fold.open.delete(key)
  span.until = Math.max(span.from, at)
  span.end = end
}

/** Waits go on without a runner; what ran does not. */
function cutOff(fold: Fold, at: number): void {
  for (const [key, { kind }] of fold.open) if (kind === 'ran') close(fold, key, 'cut-off', at)
}
