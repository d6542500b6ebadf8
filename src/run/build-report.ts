/**
 * The report of a run: the fold of its events over its plan.
 *
 * Boundary: pure; see report.ts for what a report promises, and report-fold.ts for what the events tell.
 */
import type { Plan, PlanNode } from '../plan/plan.ts'
import type { RunEvent } from './events.ts'
import type { GuardSummary } from './guard-record.ts'
import {
  type NodeStanding,
  REPORT_FORMAT,
  type Report,
  type ReportCause,
  type ReportConsequence,
  type ReportGate,
  type ReportNode,
  type ReportStage,
  type ReportUndone,
} from './report.ts'
import { foldReport, type ReportFold, type Track } from './report-fold.ts'
import { rollbacksIn } from './report-rollbacks.ts'

/**
 * What the events say of the run, in the plan's words. `events` is the whole journal, oldest first; `guards` is what was
 * watched after it.
 */
export function buildReport(
  plan: Plan,
  events: readonly RunEvent[],
  guards: readonly GuardSummary[] = [],
): Report {
  const fold = foldReport(plan, events)
  return {
    format: REPORT_FORMAT,
    run: fold.run,
    release: plan.release.name,
    version: plan.release.version,
    plan: fold.planHash,
    params: plan.params,
    outcome: fold.standing,
    who: fold.who,
    startedAt: fold.startedAt,
    finishedAt: fold.finishedAt,
    duration: fold.finishedAt === null ? null : fold.finishedAt - fold.startedAt,
    stages: stagesOf(fold),
    gates: gatesOf(fold),
    approvals: fold.approvals,
    analyses: fold.measured.analyses,
    traffic: fold.measured.traffic,
    cause: causeOf(fold),
    consequences: consequencesOf(fold),
    rolledBack: fold.rollbacks.map(undoneReport),
    notRolledBack: notRolledBackOf(fold),
    ...rollbacksIn(events),
    ...(guards.length === 0 ? {} : { guards }),
    irreversible: irreversibleOf(fold),
    interruptions: fold.interruptions,
    stops: fold.stops,
  }
}

function stagesOf(fold: ReportFold): readonly ReportStage[] {
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

function nodeReport(fold: ReportFold, node: PlanNode): ReportNode {
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

function gatesOf(fold: ReportFold): readonly ReportGate[] {
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

function causeOf(fold: ReportFold): ReportCause | null {
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

function consequencesOf(fold: ReportFold): readonly ReportConsequence[] {
  return fold.plan.nodes.flatMap(({ key }) => {
    const { outcome, because } = fold.tracks.get(key)!
    return outcome === 'skipped' || outcome === 'cancelled' ? { node: key, outcome, because } : []
  })
}

function undoneReport({ node, track }: ReportFold['rollbacks'][number]): ReportUndone {
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
function notRolledBackOf(fold: ReportFold): Report['notRolledBack'] {
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

const whyKept = (fold: ReportFold, node: PlanNode): string =>
  node.undo.kind === 'irreversible'
    ? `it cannot be taken back: ${node.undo.reason}`
    : fold.standing === 'cancelled'
      ? 'the run was cancelled and no rollback was asked for'
      : 'the failure policy undoes nothing'

const doneForGood = (fold: ReportFold): readonly PlanNode[] =>
  fold.plan.nodes.filter(({ key, undo }) => {
    const track = fold.tracks.get(key)!
    return track.outcome === 'succeeded' && !track.undone && undo.kind !== 'nothing'
  })

function irreversibleOf(fold: ReportFold): Report['irreversible'] {
  return doneForGood(fold).flatMap(({ key, title, undo }) =>
    undo.kind === 'irreversible' ? { node: key, title, reason: undo.reason } : [],
  )
}
