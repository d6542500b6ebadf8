/**
 * What a run did with traffic, and what it measured meanwhile, in the order in which it happened.
 *
 * Boundary: pure; a part of the report's fold. What a measurement means was judged when it was taken.
 *
 *  M1. A share is where the requests went after that moment, whichever node or rollback put it there.
 *  M2. Every analysis that came to an end or was stopped stands in it, also one whose node was run again later.
 *      One that was stopped has decided nothing.
 */
import type { PlanNode } from '../plan/plan.ts'
import type { RunEvent } from './events.ts'
import { type Evidence, type EvidenceSeries, isEvidence, MOST_POINTS } from './evidence.ts'
import type { ReportAnalysis, ReportMeasure, ReportTraffic } from './report.ts'

export interface Measured {
  readonly analyses: ReportAnalysis[]
  readonly traffic: ReportTraffic[]
  /** By environment and component: percent of the requests that the new version gets now. */
  readonly shares: Map<string, number>
  /** By an experiment's node: which side won. */
  readonly winners: Map<string, NonNullable<Evidence['winner']>>
}

export const nothingMeasured = (): Measured => ({
  analyses: [],
  traffic: [],
  shares: new Map(),
  winners: new Map(),
})

/** A node that has ended; `undoes`: it is a rollback's, and takes that one back. */
export interface Ended {
  readonly node: PlanNode
  readonly undoes: string | null
}

type EndEvent = Extract<RunEvent, { type: 'node-succeeded' | 'node-failed' | 'node-cancelled' }>

/** Takes in what the end of a node says of traffic and measurements. */
export function takeMeasured(measured: Measured, { node, undoes }: Ended, event: EndEvent): void {
  if (undoes !== null) {
    if (event.type === 'node-succeeded') takeBack(measured, node, event)
    return
  }
  const { kind } = node.operation
  if (kind === 'analyse') takeAnalysis(measured, node, event)
  else if (event.type === 'node-succeeded' && kind === 'shift') takeShift(measured, node, event)
  else if (event.type === 'node-succeeded' && kind === 'promote') takePromotion(measured, node, event)
}

// ── traffic ─────────────────────────────────────────────────────────────────────────────────────

function takeShift(measured: Measured, node: PlanNode, event: EndEvent): void {
  if (node.operation.kind !== 'shift') return
  const { canary, baseline, mirror, match } = node.operation.traffic
  move(measured, node, { kind: 'shifted', event, canary, baseline, mirror, matched: match.length > 0 })
}

/** An experiment's loser is promoted to nothing: the old version keeps all requests. */
function takePromotion(measured: Measured, node: PlanNode, event: EndEvent): void {
  if (node.operation.kind !== 'promote') return
  const { decidedBy } = node.operation
  const lost = decidedBy !== null && measured.winners.get(decidedBy) === 'stable'
  move(measured, node, { kind: 'promoted', event, ...ALONE, canary: lost ? 0 : 100 })
}

const ALONE = { baseline: 0, mirror: 0, matched: false } as const

/** Several nodes may put all requests back; what counts is the first. */
function takeBack(measured: Measured, node: PlanNode, event: EndEvent): void {
  const moves = node.operation.kind === 'shift' || node.operation.kind === 'promote'
  if (!moves || !isDivided(measured, node)) return
  move(measured, node, { kind: 'taken-back', event, ...ALONE, canary: 0 })
}

const isDivided = ({ traffic, shares }: Measured, node: PlanNode): boolean => {
  const place = placeOf(node)
  if ((shares.get(place) ?? 0) > 0) return true
  const last = traffic.findLast(moment => `${moment.environment}/${moment.component}` === place)
  return last !== undefined && (last.baseline > 0 || last.mirror > 0 || last.matched)
}

const placeOf = ({ environment, component }: PlanNode): string => `${environment}/${component}`

interface Move {
  readonly kind: ReportTraffic['kind']
  readonly event: EndEvent
  readonly canary: number
  readonly baseline: number
  readonly mirror: number
  readonly matched: boolean
}

function move({ traffic, shares }: Measured, node: PlanNode, { event, ...moved }: Move): void {
  const { component, environment, lockstep = null } = node
  if (component === undefined || environment === undefined) return
  shares.set(placeOf(node), moved.canary)
  traffic.push({ at: event.at, node: event.node, component, environment, lockstep, ...moved })
}

// ── measurements ────────────────────────────────────────────────────────────────────────────────

function takeAnalysis({ analyses, winners }: Measured, node: PlanNode, event: EndEvent): void {
  const left = event.type === 'node-succeeded' ? event.value : event.evidence
  if (!isEvidence(left)) return
  const { started, ended, requests, series, scores } = left
  const cancelled = event.type === 'node-cancelled'
  const winner = cancelled ? undefined : left.winner
  if (winner !== undefined) winners.set(node.key, winner)
  analyses.push({
    node: node.key,
    title: node.title,
    passed: event.type === 'node-succeeded',
    ...(cancelled && { cancelled }),
    startedAt: started,
    finishedAt: ended,
    requests,
    measures: series.map(measureOf),
    ...(winner !== undefined && { winner }),
    ...(scores !== undefined && { scores }),
  })
}

const measureOf = (series: EvidenceSeries): ReportMeasure => ({
  name: series.name,
  unit: series.unit,
  target: series.target,
  threshold: series.threshold,
  ...(series.margin !== undefined && { margin: series.margin }),
  expected: series.expected,
  verdict: series.verdict,
  reason: series.reason,
  last: series.points.findLast(([, value]) => value !== null)?.[1] ?? null,
  requests: series.requests ?? countedIn(series),
  points: series.points,
})

/** Of a series that has lost points to its length, nobody knows any more how many requests it rests on. */
function countedIn({ points }: EvidenceSeries): number | null {
  if (points.length > MOST_POINTS / 2) return null
  const counts = points.flatMap(([, , , requests]) => requests ?? [])
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0)
}
