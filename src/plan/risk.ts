/**
 * What a plan risks where it divides traffic: how much meets a new version, how soon a breach shows, how soon all is back.
 *
 * Boundary: pure; read from the plan's nodes alone. Times are upper bounds of what the plan waits for, not measurements.
 */
import { exposedShare, timeToDetect } from '../judge/exposure.ts'
import { requestsNeeded } from '../judge/power.ts'
import type { AnalyseOperation, Millis, Plan, PlanMetric, PlanNode, ShiftOperation } from './plan.ts'
import { type ComparisonReach, comparisonsOf } from './reach.ts'

/** One deployment in lockstep, or one component's. */
export interface Risk {
  /** `production/lockstep`, `production/web-app`. */
  readonly name: string
  readonly components: readonly string[]
  readonly lockstep: boolean
  /** Percent of the requests, in the order in which they come; mirrored ones are no risk and do not count. */
  readonly weights: readonly number[]
  /** The greatest share below all, from 0 to 1: what a breach that shows at once can reach. */
  readonly exposed: number
  /** The same if each of the components that a request passes through drew a side for itself. */
  readonly exposedApart: number
  /** Canaried components that one request can pass through, at most. */
  readonly hops: number
  /**
   * From a breach of a threshold to its verdict, at most, whichever threshold it is; where only distributions are compared,
   * to the end of the longest watch. null: nothing is measured.
   */
  readonly detected: Millis | null
  /** From there until all requests are on the old version again, at most, where each change takes one attempt. */
  readonly back: Millis
  /** Requests to the new version before a verdict. */
  readonly requests: number
  /** Requests without any error that show it to be within its strictest threshold, with 98 % certainty; null: no such. */
  readonly certain: { readonly metric: string; readonly requests: number } | null
  /** What is compared as distributions, and what that can find. */
  readonly comparisons: readonly ComparisonReach[]
}

/** One entry for each deployment that divides traffic, in plan order. */
export function risksOf(plan: Plan): readonly Risk[] {
  const groups = new Map<string, PlanNode[]>()
  for (const node of plan.nodes) {
    if (!isProgressive(node) || node.component === undefined) continue
    const name = node.lockstep ?? `${node.environment}/${node.component}`
    const known = groups.get(name)
    if (known === undefined) groups.set(name, [node])
    else known.push(node)
  }
  return [...groups].map(([name, nodes]) => riskOf(plan, name, nodes))
}

const isProgressive = ({ operation, component }: PlanNode): boolean =>
  operation.kind === 'shift' || (operation.kind === 'analyse' && component !== undefined)

function riskOf(plan: Plan, name: string, nodes: readonly PlanNode[]): Risk {
  const shifts = nodes.flatMap(({ operation }) => (operation.kind === 'shift' ? [operation] : []))
  const watches = nodes.flatMap(({ operation }) => (operation.kind === 'analyse' ? [operation] : []))
  const metrics = watches.flatMap(watch => watch.metrics)
  const components = [...new Set(nodes.map(node => node.component!))]
  const weights = [...new Set(shifts.map(shareOf))].sort((a, b) => a - b)
  const lockstep = nodes[0]!.lockstep !== undefined
  const shares = weights.filter(weight => weight > 0)
  const weight = Math.max(0, ...shares.filter(w => w < 100), ...(shares.length === 1 ? shares : [])) / 100
  const hops = longestChain(plan, components)
  return {
    name,
    components,
    lockstep,
    weights,
    exposed: weight,
    exposedApart: weight === 1 ? 1 : exposedShare({ weight, hops, coupling: 'independent' }),
    hops,
    detected: detectionIn(nodes),
    back: longestShift(nodes) * (lockstep ? hops : 1),
    requests: Math.max(0, ...metrics.map(metric => metric.minRequests), ...nodes.map(wantedBy)),
    certain: strictest(metrics),
    comparisons: comparisonsOf(watches),
  }
}

const shareOf = ({ traffic }: ShiftOperation): number => traffic.canary

const wantedBy = ({ operation }: PlanNode): number =>
  operation.kind === 'analyse' ? (operation as AnalyseOperation).requests : 0

/** In lockstep what needs a provider is taken back before it: one after the other along the longest way. */
const longestShift = (nodes: readonly PlanNode[]): Millis =>
  Math.max(0, ...nodes.map(({ operation, timeout }) => (operation.kind === 'shift' ? (timeout ?? 0) : 0)))

/**
 * A measure that a phase and what goes on beside it both look at is seen by the first of the two; a breach may begin in
 * any of the phases; and of several measures, any may be the one that breaches.
 */
function detectionIn(nodes: readonly PlanNode[]): Millis | null {
  const watches = nodes.flatMap(({ operation, component }) =>
    operation.kind === 'analyse' ? [{ ...operation, component }] : [],
  )
  const [phases, backgrounds] = [watches.filter(w => w.until === null), watches.filter(w => w.until !== null)]
  const worst = (phases.length > 0 ? phases : backgrounds).flatMap(phase => {
    const beside = backgrounds.filter(({ component }) => component === phase.component)
    return soonestIn([phase, ...beside])
  })
  if (worst.length > 0) return Math.max(...worst)
  return watches.length === 0 ? null : Math.max(...watches.map(({ duration }) => duration))
}

/** For each measure with a threshold, when the first of these that go on together sees it breached. */
function soonestIn(watches: readonly AnalyseOperation[]): readonly Millis[] {
  const soonest = new Map<string, Millis>()
  for (const metric of watches.flatMap(({ metrics }) => metrics)) {
    if (metric.expected.kind === 'comparison') continue
    soonest.set(metric.name, Math.min(detectionOf(metric), soonest.get(metric.name) ?? Infinity))
  }
  return [...soonest.values()]
}

const detectionOf = ({ interval, delay, failureLimit }: PlanMetric): Millis =>
  timeToDetect({ interval, initialDelay: delay, failureLimit })

function strictest(metrics: readonly PlanMetric[]): Risk['certain'] {
  const all = metrics.flatMap(({ name, unit, expected }) => {
    if (expected.kind !== 'condition') return []
    const { condition } = expected
    const healthy = condition.kind === 'below' || condition.kind === 'at-most' ? 0 : 1
    const needed = requestsNeeded({ condition, unit }, healthy)
    return needed === null ? [] : [{ metric: name, requests: needed.requests }]
  })
  return all.sort((a, b) => b.requests - a.requests)[0] ?? null
}

/** The longest way of needs through these components. */
function longestChain(plan: Plan, names: readonly string[]): number {
  const held = new Set(names)
  const length = new Map<string, number>()
  for (const { name, needs } of plan.components) {
    if (!held.has(name)) continue
    length.set(name, 1 + Math.max(0, ...needs.map(need => length.get(need.component) ?? 0)))
  }
  return Math.max(0, ...length.values())
}
