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
import { countKills, sampleKills } from './kills.ts'
import { type CaseResult, type Crash, simulateCase } from './simulate-case.ts'

export interface SimulationOptions {
  readonly plan: Plan
  readonly duration: (node: PlanNode) => number
  /** Orders of events tried for each case. */
  readonly seeds: number
  /** Kills at the most; beyond, a sample is taken and the coverage says so. Every fault is tried, however many there are. */
  readonly most: number
  /** `total` is an estimate until the faults are done: how many kills there are is known then. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface FoundHole extends Hole {
  /** What brings it about, the first of `cases`: so many were tried and show it. */
  readonly because: string
  readonly cases: number
  readonly position: Span | null
}

export interface Simulation {
  readonly format: 2
  readonly plan: string
  /** Milliseconds from start to end where nothing fails and people answer at once. */
  readonly expected: number
  readonly timeline: readonly { readonly node: string; readonly from: number; readonly to: number }[]
  readonly covered: { readonly cases: number; readonly of: number; readonly seeds: number }
  readonly byKind: Coverage
  readonly holes: readonly FoundHole[]
  /** What no failure shows: traffic that goes to a new version while nothing of it is measured. */
  readonly unwatched: readonly Unwatched[]
}

export interface Tried {
  readonly tried: number
  readonly of: number
}

export interface Coverage {
  /** Every node, failed in each of its ways. */
  readonly faults: Tried
  /** Every undoing, failed while something else has failed. */
  readonly undoFaults: Tried
  /** The runner is killed at each write of the run in which nothing fails. */
  readonly kills: Tried
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

/** The same kills for the same plan: a hole that was found is found again. */
const SAMPLE_SEED = 1

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
  return new Study(options).run()
}

class Study {
  readonly #options: SimulationOptions
  readonly #plan: Plan
  readonly #holes = new Map<string, FoundHole>()
  #done = 0

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#plan = sparse(options.plan)
  }

  async run(): Promise<Simulation> {
    const { most, seeds } = this.#options
    const plan = this.#plan
    const smooth = await this.#play({ faults: [], crash: null }, 0)
    this.#note(judgeCase(plan, [], smooth), 'nothing fails')
    const faults = faultScenarios(plan)
    const undoFaults = undoFaultScenarios(plan)
    const writes = [{ faults: [], because: null, from: 1, to: smooth.events.length, group: '' }]
    const kills = sampleKills(writes, { most, seed: SAMPLE_SEED })
    const all = [...faults, ...undoFaults, ...kills]
    for (const scenario of all) await this.#try(scenario, all.length)
    const byKind: Coverage = {
      faults: { tried: faults.length, of: faults.length },
      undoFaults: { tried: undoFaults.length, of: undoFaults.length },
      kills: { tried: kills.length, of: countKills(writes) },
    }
    return {
      format: 2,
      plan: plan.hash,
      ...timesOf(smooth.events),
      covered: { ...totalOf(byKind), seeds },
      byKind,
      holes: [...this.#holes.values()],
      unwatched: unwatchedIn(plan),
    }
  }

  async #try(scenario: Scenario, total: number): Promise<void> {
    for (let seed = 0; seed < this.#options.seeds; seed += 1) {
      const result = await this.#play(scenario, seed)
      this.#note(judgeCase(this.#plan, scenario.faults, result), scenario.because)
    }
    this.#done += 1
    this.#options.onProgress?.(this.#done, total)
  }

  #play({ faults, crash }: Pick<Scenario, 'faults' | 'crash'>, seed: number): Promise<CaseResult> {
    return simulateCase({ plan: this.#plan, duration: this.#options.duration, faults, crash, seed })
  }

  #note(found: readonly Hole[], because: string): void {
    for (const hole of found) {
      const key = `${hole.kind} ${hole.node}`
      const known = this.#holes.get(key)
      const position = this.#plan.positions[hole.node] ?? null
      if (known === undefined) this.#holes.set(key, { ...hole, because, cases: 1, position })
      else this.#holes.set(key, { ...known, cases: known.cases + 1 })
    }
  }
}

/** All kinds together, and the case in which nothing fails. */
function totalOf(byKind: Coverage): { readonly cases: number; readonly of: number } {
  const all: readonly Tried[] = Object.values(byKind)
  const sum = (count: (one: Tried) => number): number => all.reduce((total, one) => total + count(one), 1)
  return { cases: sum(({ tried }) => tried), of: sum(({ of }) => of) }
}

const faultScenarios = (plan: Plan): readonly Scenario[] =>
  faultsOf(plan).map(fault => ({ faults: [fault], crash: null, because: describeFault(fault) }))

const undoFaultScenarios = (plan: Plan): readonly Scenario[] =>
  undoFaultsOf(plan).flatMap(undo => {
    const later = laterFault(plan, undo)
    if (later === null) return []
    const because = `${describeFault(later)}, and ${describeFault(undo)}`
    return [{ faults: [later, undo], crash: null, because }]
  })

/** The last fault of the plan that comes after the node, so that the node has to be taken back. */
function laterFault(plan: Plan, { node }: Fault): Fault | null {
  const order = plan.nodes.findIndex(one => one.key === node)
  const later = new Set(plan.nodes.slice(order + 1).map(one => one.key))
  return faultsOf(plan).findLast(fault => later.has(fault.node)) ?? null
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
