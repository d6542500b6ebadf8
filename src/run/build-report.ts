/**
 * The report of a run: the fold of its events over its plan.
 *
 * Boundary: pure; see report.ts for what a report promises. A journal that was cut off anywhere still gives a
 * report: of what was known by then.
 *
 * Invariants:
 *  B1. An event of a node that the plan does not hold (of a plan that was replaced) changes no node.
 *  B2. Only the plan's own nodes can be the cause; a rollback that fails is said in `rolledBack` and `notRolledBack`.
 */
import type { Plan, PlanNode } from '../plan/plan.ts'
import type { Failure, Outcome, RollbackNode, RunEvent } from './events.ts'
import {
  type NodeStanding,
  REPORT_FORMAT,
  type Report,
  type ReportApproval,
  type ReportCause,
  type ReportConsequence,
  type ReportGate,
  type ReportInterruption,
  type ReportNode,
  type ReportStage,
  type ReportUndone,
  type RunStanding,
} from './report.ts'

interface Track {
  readonly node: PlanNode
  readonly undoes: string | null
  outcome: NodeStanding
  attempts: number
  startedAt: number | null
  finishedAt: number | null
  summary: string | null
  warning: string | null
  value: ReportGate['value']
  failure: Failure | null
  because: string
  undone: boolean
}

interface Fold {
  readonly plan: Plan
  readonly tracks: Map<string, Track>
  readonly rollbacks: { readonly node: string; readonly track: Track }[]
  readonly kept: Map<string, string>
  readonly approvals: ReportApproval[]
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

/** What the events say of the run, in the plan's words. `events` is the whole journal, oldest first. */
export function buildReport(plan: Plan, events: readonly RunEvent[]): Report {
  const fold = emptyFold(plan)
  for (const event of events) {
    take(fold, event)
    fold.lastAt = event.at
  }
  return {
    format: REPORT_FORMAT,
    run: fold.run,
    release: plan.release.name,
    version: plan.release.version,
    plan: fold.planHash,
    outcome: fold.standing,
    who: fold.who,
    startedAt: fold.startedAt,
    finishedAt: fold.finishedAt,
    duration: fold.finishedAt === null ? null : fold.finishedAt - fold.startedAt,
    stages: stagesOf(fold),
    gates: gatesOf(fold),
    approvals: fold.approvals,
    cause: causeOf(fold),
    consequences: consequencesOf(fold),
    rolledBack: fold.rollbacks.map(undoneReport),
    notRolledBack: notRolledBackOf(fold),
    irreversible: irreversibleOf(fold),
    interruptions: fold.interruptions,
    stops: fold.stops,
  }
}

function emptyFold(plan: Plan): Fold {
  return {
    plan,
    tracks: new Map(plan.nodes.map(node => [node.key, newTrack(node, null)])),
    rollbacks: [],
    kept: new Map(),
    approvals: [],
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

function take(fold: Fold, event: RunEvent): void {
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

function takeNode(fold: Fold, track: Track, event: NodeEvent): void {
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
      if (track.undoes !== null) takeBack(fold, track.undoes)
      endTrack(track, 'succeeded', event.at)
      return
    case 'node-failed':
      track.failure = event.failure
      if (track.undoes === null) fold.cause ??= event.node
      endTrack(track, 'failed', event.at)
      return
    case 'node-cancelled':
      track.because = event.because
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

function takeBack(fold: Fold, key: string): void {
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
function attach(fold: Fold, event: Extract<RunEvent, { type: 'runner-attached' }>): void {
  const open = fold.interruptions.at(-1)
  if (fold.attached) {
    fold.interruptions.push({ from: fold.lastAt, until: event.at, why: 'crashed', resumedBy: event.who })
  } else if (open !== undefined && open.until === null) {
    fold.interruptions[fold.interruptions.length - 1] = { ...open, until: event.at, resumedBy: event.who }
  }
  fold.attached = true
  if (fold.finishedAt === null) fold.standing = 'running'
}

function finish(fold: Fold, at: number, outcome: Outcome, cause: string | null): void {
  fold.attached = false
  fold.standing = outcome
  fold.finishedAt = at
  fold.cause = cause ?? (outcome === 'succeeded' ? null : fold.cause)
}

function addRollbackNode(fold: Fold, node: RollbackNode): void {
  const undoes = fold.tracks.get(node.undoes)
  if (undoes === undefined) return
  const track = newTrack(undoes.node, node.undoes)
  fold.tracks.set(node.key, track)
  fold.rollbacks.push({ node: node.key, track })
}

function approvalReport(
  fold: Fold,
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

function stagesOf(fold: Fold): readonly ReportStage[] {
  const byStage = Map.groupBy(fold.plan.nodes, node => node.stage)
  return fold.plan.stages.map(({ name }) =>
    stageReport(
      name,
      (byStage.get(name) ?? []).map(node => nodeReport(fold, node)),
    ),
  )
}

function stageReport(name: string, nodes: readonly ReportNode[]): ReportStage {
  const starts = nodes.flatMap(node => node.startedAt ?? [])
  const ends = nodes.flatMap(node => node.finishedAt ?? [])
  const outcome = standingOfStage(nodes)
  const ended = !['pending', 'running', 'waiting', 'uncertain'].includes(outcome)
  return {
    name,
    outcome,
    startedAt: starts.length === 0 ? null : earliest(starts),
    finishedAt: ended && ends.length > 0 ? latest(ends) : null,
    nodes,
  }
}

// Not Math.min(...times): a stage of a hundred thousand nodes would overflow the stack.
const earliest = (times: readonly number[]): number => times.reduce((a, b) => Math.min(a, b))
const latest = (times: readonly number[]): number => times.reduce((a, b) => Math.max(a, b))

/** Said of a stage as soon as it holds of one of its nodes, the gravest first. */
const GRAVEST: readonly NodeStanding[] = ['failed', 'uncertain', 'running', 'waiting', 'cancelled']

function standingOfStage(nodes: readonly ReportNode[]): NodeStanding {
  const found = new Set(nodes.map(node => node.outcome))
  const gravest = GRAVEST.find(standing => found.has(standing))
  if (gravest !== undefined) return gravest
  if (found.has('pending')) return found.size === 1 || !found.has('succeeded') ? 'pending' : 'running'
  return found.has('succeeded') || found.size === 0 ? 'succeeded' : 'skipped'
}

function nodeReport(fold: Fold, node: PlanNode): ReportNode {
  const track = fold.tracks.get(node.key)!
  return {
    key: node.key,
    title: node.title,
    outcome: track.outcome,
    attempts: track.attempts,
    startedAt: track.startedAt,
    finishedAt: track.finishedAt,
    duration: durationOf(track),
    summary: track.summary,
    warning: track.warning,
    ...(track.failure !== null && { failure: track.failure }),
  }
}

const durationOf = (track: Track): number | null =>
  track.startedAt === null || track.finishedAt === null ? null : track.finishedAt - track.startedAt

function gatesOf(fold: Fold): readonly ReportGate[] {
  return fold.plan.nodes.flatMap(node => {
    if (node.operation.kind !== 'gate') return []
    const track = fold.tracks.get(node.key)!
    const { name, required } = node.operation
    return {
      node: node.key,
      name,
      required,
      passed: passedOf(track, required),
      summary: track.summary ?? track.warning ?? track.failure?.message ?? null,
      value: track.value,
      at: track.finishedAt,
    }
  })
}

/** A gate that is not required succeeds with a warning where its check failed. */
function passedOf(track: Track, required: boolean): boolean | null {
  if (track.outcome === 'failed') return false
  return track.outcome === 'succeeded' ? required || track.warning === null : null
}

function causeOf(fold: Fold): ReportCause | null {
  const track = fold.cause === null ? undefined : fold.tracks.get(fold.cause)
  if (track === undefined || track.failure === null) return null
  const position = fold.plan.positions[track.node.key]
  return {
    node: track.node.key,
    title: track.node.title,
    failure: track.failure,
    ...(position !== undefined && { position }),
  }
}

function consequencesOf(fold: Fold): readonly ReportConsequence[] {
  return fold.plan.nodes.flatMap(({ key }) => {
    const { outcome, because } = fold.tracks.get(key)!
    return outcome === 'skipped' || outcome === 'cancelled' ? { node: key, outcome, because } : []
  })
}

function undoneReport({ node, track }: Fold['rollbacks'][number]): ReportUndone {
  return {
    node,
    undoes: track.undoes ?? node,
    outcome: track.outcome,
    startedAt: track.startedAt,
    finishedAt: track.finishedAt,
    duration: durationOf(track),
    ...(track.failure !== null && { failure: track.failure }),
  }
}

/** R3: what a rollback kept, what it failed to take back, and where none was made, all that was done. */
function notRolledBackOf(fold: Fold): Report['notRolledBack'] {
  const reasons = new Map(fold.kept)
  for (const { track } of fold.rollbacks) {
    if (track.undoes !== null && track.outcome !== 'succeeded') reasons.set(track.undoes, whyNotUndone(track))
  }
  if (fold.rollbacks.length === 0 && (fold.standing === 'failed' || fold.standing === 'cancelled')) {
    for (const node of doneForGood(fold))
      if (!reasons.has(node.key)) reasons.set(node.key, whyKept(fold, node))
  }
  return [...reasons]
    .filter(([node]) => fold.tracks.get(node)?.undone !== true)
    .map(([node, reason]) => ({ node, reason }))
}

function whyNotUndone(track: Track): string {
  if (track.outcome === 'failed')
    return `taking it back failed: ${track.failure?.message ?? 'no reason is known'}`
  if (track.outcome === 'skipped') return `taking it back was skipped, because of ${track.because}`
  if (track.outcome === 'cancelled') return `taking it back was stopped, because of ${track.because}`
  return 'it has not been taken back yet'
}

const whyKept = (fold: Fold, node: PlanNode): string =>
  node.undo.kind === 'irreversible'
    ? `it cannot be taken back: ${node.undo.reason}`
    : fold.standing === 'cancelled'
      ? 'the run was cancelled and no rollback was asked for'
      : 'the failure policy undoes nothing'

const doneForGood = (fold: Fold): readonly PlanNode[] =>
  fold.plan.nodes.filter(({ key, undo }) => {
    const track = fold.tracks.get(key)!
    return track.outcome === 'succeeded' && !track.undone && undo.kind !== 'nothing'
  })

function irreversibleOf(fold: Fold): Report['irreversible'] {
  return doneForGood(fold).flatMap(({ key, title, undo }) =>
    undo.kind === 'irreversible' ? { node: key, title, reason: undo.reason } : [],
  )
}
