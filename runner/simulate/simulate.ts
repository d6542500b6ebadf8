/**
 * `release simulate`: runs a plan in virtual time, then fails every node in every way and kills the runner at every
 * write, and says for each what is left.
 *
 * What it proves, it proves of the engine that runs releases and of a world that behaves as the ports promise; what
 * the team's own functions do is taken as they declare it. An analysis measures at most {@link MOST_LOOKS} times here,
 * however long it is: what it finds is the same, and a month of watching costs no more than a minute.
 */
import type { Span } from '../../src/diagnostic.ts'
import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { describeFault, type Fault, faultsOf, undoFaultsOf } from './faults.ts'
import { type Hole, judgeCase } from './judge-case.ts'
import { type Crash, simulateCase } from './simulate-case.ts'

export interface SimulationOptions {
  readonly plan: Plan
  readonly duration: (node: PlanNode) => number
  /** Orders of events tried for each case. */
  readonly seeds: number
  /** Cases at the most; beyond, an even sample is taken and the coverage says so. */
  readonly most: number
  readonly onProgress?: (done: number, total: number) => void
}

export interface FoundHole extends Hole {
  /** What brings it about, the first of `cases`. */
  readonly because: string
  readonly cases: number
  readonly position: Span | null
}

export interface Simulation {
  readonly format: 1
  readonly plan: string
  /** Milliseconds from start to end where nothing fails and people answer at once. */
  readonly expected: number
  readonly timeline: readonly { readonly node: string; readonly from: number; readonly to: number }[]
  readonly covered: { readonly cases: number; readonly of: number; readonly seeds: number }
  readonly byKind: { readonly faults: number; readonly undoFaults: number; readonly crashes: number }
  readonly holes: readonly FoundHole[]
  /** What no failure shows: traffic that goes to a new version while nothing of it is measured. */
  readonly unwatched: readonly Unwatched[]
}

/** Components whose requests go to a new version step by step, and of which nothing is measured meanwhile. */
export interface Unwatched {
  readonly environment: string
  readonly component: string
  readonly position: Span | null
}

interface Scenario {
  readonly faults: readonly Fault[]
  readonly crash: Crash | null
  readonly because: string
}

/** Enough for every metric to be judged, and for two distributions to be told apart. */
const MOST_LOOKS = 24

/** The plan with as few measurements as tell the same. */
const sparse = (plan: Plan): Plan => ({
  ...plan,
  nodes: plan.nodes.map(node => {
    const { operation } = node
    if (operation.kind !== 'analyse') return node
    const least = operation.duration / MOST_LOOKS
    const metrics = operation.metrics.map(metric => ({
      ...metric,
      interval: Math.max(metric.interval, least),
    }))
    return { ...node, operation: { ...operation, metrics } }
  }),
})

export async function simulate(options: SimulationOptions): Promise<Simulation> {
  const { duration } = options
  const plan = sparse(options.plan)
  const smooth = await simulateCase({ plan, duration, faults: [], crash: null, seed: 0 })
  const scenarios = scenariosOf(plan, smooth.events.length)
  const chosen = sample(scenarios.all, options.most)
  const holes = new Map<string, FoundHole>()
  note(holes, plan, judgeCase(plan, [], smooth), 'nothing fails')
  let done = 0
  for (const { faults, crash, because } of chosen) {
    for (let seed = 0; seed < options.seeds; seed += 1) {
      const result = await simulateCase({ plan, duration, faults, crash, seed })
      note(holes, plan, judgeCase(plan, faults, result), because)
    }
    done += 1
    options.onProgress?.(done, chosen.length)
  }
  return {
    format: 1,
    plan: plan.hash,
    ...timesOf(smooth.events),
    covered: { cases: chosen.length + 1, of: scenarios.all.length + 1, seeds: options.seeds },
    byKind: scenarios.byKind,
    holes: [...holes.values()],
    unwatched: unwatchedIn(plan),
  }
}

function scenariosOf(
  plan: Plan,
  events: number,
): { readonly all: readonly Scenario[]; readonly byKind: Simulation['byKind'] } {
  const faults = faultsOf(plan).map(fault => ({
    faults: [fault],
    crash: null,
    because: describeFault(fault),
  }))
  const undoFaults = undoFaultsOf(plan).flatMap(undo => {
    const later = laterFault(plan, undo)
    return later === null
      ? []
      : [
          {
            faults: [later, undo],
            crash: null,
            because: `${describeFault(later)}, and ${describeFault(undo)}`,
          },
        ]
  })
  const crashes = Array.from({ length: events }, (_, index) => index + 1).flatMap(written =>
    (['after', 'before-next'] as const).map(moment => ({
      faults: [],
      crash: { written, moment },
      because: `the runner is killed ${moment === 'after' ? `after write ${written}` : `before write ${written + 1}`}`,
    })),
  )
  const byKind = { faults: faults.length, undoFaults: undoFaults.length, crashes: crashes.length }
  return { all: [...faults, ...undoFaults, ...crashes], byKind }
}

/** The last fault of the plan that comes after the node, so that the node has to be taken back. */
function laterFault(plan: Plan, { node }: Fault): Fault | null {
  const order = plan.nodes.findIndex(one => one.key === node)
  const later = new Set(plan.nodes.slice(order + 1).map(one => one.key))
  return faultsOf(plan).findLast(fault => later.has(fault.node)) ?? null
}

/** An even choice, the first and the last included. */
function sample<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all
  return Array.from({ length: most }, (_, index) => all[Math.round((index * (all.length - 1)) / (most - 1))]!)
}

function note(holes: Map<string, FoundHole>, plan: Plan, found: readonly Hole[], because: string): void {
  for (const hole of found) {
    const key = `${hole.kind} ${hole.node}`
    const known = holes.get(key)
    if (known === undefined)
      holes.set(key, { ...hole, because, cases: 1, position: plan.positions[hole.node] ?? null })
    else holes.set(key, { ...known, cases: known.cases + 1 })
  }
}

function timesOf(events: readonly RunEvent[]): Pick<Simulation, 'expected' | 'timeline'> {
  const start = events[0]?.at ?? 0
  const begun = new Map<string, number>()
  const timeline: { node: string; from: number; to: number }[] = []
  for (const event of events) {
    if (event.type === 'node-started' || event.type === 'node-waiting') begun.set(event.node, event.at)
    if (event.type !== 'node-succeeded' || !begun.has(event.node)) continue
    timeline.push({ node: event.node, from: begun.get(event.node)! - start, to: event.at - start })
  }
  return { expected: (events.at(-1)?.at ?? start) - start, timeline }
}

function unwatchedIn(plan: Plan): readonly Unwatched[] {
  const watched = new Set(
    plan.nodes.flatMap(({ operation }) =>
      operation.kind === 'analyse'
        ? operation.targets.filter(({ side }) => side === 'canary').map(placeText)
        : [],
    ),
  )
  return plan.nodes.flatMap(({ key, operation, environment = '', component = '' }) =>
    operation.kind === 'promote' && !watched.has(placeText({ environment, component }))
      ? [{ environment, component, position: plan.positions[key] ?? null }]
      : [],
  )
}

const placeText = ({ environment, component }: Pick<Unwatched, 'environment' | 'component'>): string =>
  `${environment}/${component}`
