/**
 * What a run's events tell of each node, of its rollbacks, its people and its runners: what a report is made from.
 *
 * Boundary: pure. A journal that was cut off anywhere still folds: to what was known by then.
 *
 * Invariants:
 *  B1. An event of a node that the plan does not hold (of a plan that was replaced) changes no node.
 *  B2. Only the plan's own nodes can be the cause; a rollback that fails is said in `rolledBack` and `notRolledBack`.
 */
import type { Json, Plan, PlanNode } from '../plan/plan.ts'
import type { Failure, Outcome, RollbackNode, RunEvent } from './events.ts'
import type { NodeStanding, ReportApproval, ReportInterruption, RunStanding } from './report.ts'
import { type Measured, nothingMeasured, takeMeasured } from './report-measured.ts'

/** One node of the plan, or one of a rollback. */
export interface Track {
  readonly node: PlanNode
  readonly undoes: string | null
  outcome: NodeStanding
  attempts: number
  startedAt: number | null
  finishedAt: number | null
  summary: string | null
  warning: string | null
  value: Json
  failure: Failure | null
  because: string
  undone: boolean
}

export interface ReportFold {
  readonly plan: Plan
  readonly tracks: Map<string, Track>
  readonly rollbacks: { readonly node: string; readonly track: Track }[]
  readonly kept: Map<string, string>
  readonly approvals: ReportApproval[]
  readonly measured: Measured
  readonly interruptions: ReportInterruption[]
  readonly stops: { at: number; by: 'interrupt' | 'cancel'; who: string }[]
  run: string
  planHash: string
  who: string
  startedAt: number
  /** Whether somebody was running it when the last event was written. */
  attached: boolean
  standing: RunStanding
  finishedAt: number | null
  cause: string | null
  lastAt: number
}

/** The events are the whole journal, oldest first. */
export function foldReport(plan: Plan, events: readonly RunEvent[]): ReportFold {
  const fold = emptyFold(plan)
  for (const event of events) {
    take(fold, event)
    fold.lastAt = event.at
  }
  return fold
}

function emptyFold(plan: Plan): ReportFold {
  return {
    plan,
    tracks: new Map(plan.nodes.map(node => [node.key, newTrack(node, null)])),
    rollbacks: [],
    kept: new Map(),
    approvals: [],
    measured: nothingMeasured(),
    interruptions: [],
    stops: [],
    run: '',
    planHash: plan.hash,
    who: '',
    startedAt: 0,
    attached: false,
    standing: 'running',
    finishedAt: null,
    cause: null,
    lastAt: 0,
  }
}

const newTrack = (node: PlanNode, undoes: string | null): Track => ({
  node,
  undoes,
  outcome: 'pending',
  attempts: 0,
  startedAt: null,
  finishedAt: null,
  summary: null,
  warning: null,
  value: null,
  failure: null,
  because: '',
  undone: false,
})

function take(fold: ReportFold, event: RunEvent): void {
  switch (event.type) {
    case 'run-started':
      fold.run = event.run
      fold.planHash = event.plan
      fold.who = event.who
      fold.startedAt = event.at
      return
    case 'runner-attached':
      attach(fold, event)
      return
    case 'plan-adopted':
      fold.planHash = event.plan
      return
    case 'node-started':
    case 'node-waiting':
    case 'node-succeeded':
    case 'node-retrying':
    case 'node-failed':
    case 'node-cancelled':
    case 'node-skipped':
    case 'node-uncertain':
    case 'node-rerun': {
      const track = fold.tracks.get(event.node)
      if (track !== undefined) takeNode(fold, track, event)
      return
    }
    case 'approval-given':
    case 'approval-rejected':
      fold.approvals.push(approvalReport(fold, event))
      return
    case 'approval-refused':
      return
    case 'rollback-planned':
      fold.standing = 'running'
      fold.finishedAt = null
      for (const node of event.nodes) addRollbackNode(fold, node)
      for (const { node, reason } of event.kept) fold.kept.set(node, reason)
      return
    case 'rollback-finished':
      return
    case 'stop-asked':
      fold.stops.push({ at: event.at, by: event.by, who: event.who })
      return
    case 'run-left':
      fold.attached = false
      fold.standing = event.why
      fold.interruptions.push({ from: event.at, until: null, why: event.why, resumedBy: null })
      return
    case 'run-reopened':
      fold.cause = null
      fold.standing = 'running'
      fold.finishedAt = null
      for (const key of event.nodes) reopen(fold.tracks.get(key))
      return
    case 'run-finished':
      finish(fold, event.at, event.outcome, event.cause)
      return
    default:
      event satisfies never
  }
}

type NodeEvent = Exclude<
  Extract<RunEvent, { node: string }>,
  { type: 'approval-given' | 'approval-refused' | 'approval-rejected' }
>

function takeNode(fold: ReportFold, track: Track, event: NodeEvent): void {
  switch (event.type) {
    case 'node-started':
      track.outcome = 'running'
      track.attempts += 1
      track.startedAt ??= event.at
      return
    case 'node-waiting':
      track.outcome = 'waiting'
      track.startedAt ??= event.at
      return
    case 'node-retrying':
      track.failure = event.failure
      return
    case 'node-succeeded':
      track.summary = event.summary
      track.warning = event.warning
      track.value = event.value
      takeMeasured(fold.measured, track, event)
      if (track.undoes !== null) takeBack(fold, track.undoes)
      endTrack(track, 'succeeded', event.at)
      return
    case 'node-failed':
      track.failure = event.failure
      takeMeasured(fold.measured, track, event)
      if (track.undoes === null) fold.cause ??= event.node
      endTrack(track, 'failed', event.at)
      return
    case 'node-cancelled':
      track.because = event.because
      takeMeasured(fold.measured, track, event)
      endTrack(track, 'cancelled', event.at)
      return
    case 'node-skipped':
      track.because = event.because
      track.outcome = 'skipped'
      return
    case 'node-uncertain':
      track.outcome = 'uncertain'
      return
    case 'node-rerun':
      reopen(track)
      return
    default:
      event satisfies never
  }
}

function endTrack(track: Track, outcome: NodeStanding, at: number): void {
  track.outcome = outcome
  track.startedAt ??= at
  track.finishedAt = at
}

function takeBack(fold: ReportFold, key: string): void {
  const undone = fold.tracks.get(key)
  if (undone !== undefined) undone.undone = true
}

/** What it did before it is run again is history: its times begin anew, its attempts go on counting. */
function reopen(track: Track | undefined): void {
  if (track === undefined) return
  track.outcome = 'pending'
  track.startedAt = null
  track.finishedAt = null
  track.undone = false
}

/** A runner that comes while another is still said to be there comes after a crash. */
function attach(fold: ReportFold, event: Extract<RunEvent, { type: 'runner-attached' }>): void {
  const open = fold.interruptions.at(-1)
  if (fold.attached) {
    fold.interruptions.push({ from: fold.lastAt, until: event.at, why: 'crashed', resumedBy: event.who })
  } else if (open !== undefined && open.until === null) {
    fold.interruptions[fold.interruptions.length - 1] = { ...open, until: event.at, resumedBy: event.who }
  }
  fold.attached = true
  if (fold.finishedAt === null) fold.standing = 'running'
}

function finish(fold: ReportFold, at: number, outcome: Outcome, cause: string | null): void {
  fold.attached = false
  fold.standing = outcome
  fold.finishedAt = at
  fold.cause = cause ?? (outcome === 'succeeded' ? null : fold.cause)
}

function addRollbackNode(fold: ReportFold, node: RollbackNode): void {
  const undoes = fold.tracks.get(node.undoes)
  if (undoes === undefined) return
  const track = newTrack(undoes.node, node.undoes)
  fold.tracks.set(node.key, track)
  fold.rollbacks.push({ node: node.key, track })
}

function approvalReport(
  fold: ReportFold,
  event: Extract<RunEvent, { type: 'approval-given' | 'approval-rejected' }>,
): ReportApproval {
  const operation = fold.tracks.get(event.node)?.node.operation
  return {
    node: event.node,
    name: operation?.kind === 'approval' ? operation.name : event.node,
    verdict: event.type === 'approval-given' ? 'approved' : 'rejected',
    person: event.person,
    role: event.role,
    key: event.key,
    reason: event.type === 'approval-rejected' ? event.reason : null,
    at: event.at,
  }
}
