/**
 * `release simulate`: runs a plan in virtual time, then fails every node in every way and kills the runner at every
 * write, also while what has failed is taken back, and says for each what is left.
 *
 * What it proves, it proves of the engine that runs releases and of a world that behaves as the ports promise; what
 * the team's own functions do is taken as they declare it. An analysis measures at most {@link MOST_LOOKS} times here,
 * however long it is: what it finds is the same, and a month of watching costs no more than a minute.
 */
import type { Span } from '../../src/diagnostic.ts'
import type { Plan } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { type Coverage, type FoundHole, type StudyOptions, study, type Tried } from './study.ts'

export interface Simulation {
  readonly format: 2
  readonly plan: string
  /** Milliseconds from start to end where nothing fails and people answer at once. */
  readonly expected: number
  readonly timeline: readonly { readonly node: string; readonly from: number; readonly to: number }[]
  readonly covered: { readonly cases: number; readonly of: number; readonly seeds: number }
  readonly byKind: Coverage
  /** Nodes that no failure that was tried takes back, although they could be. */
  readonly unreached: readonly string[]
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

export async function simulate(options: StudyOptions): Promise<Simulation> {
  const plan = sparse(options.plan)
  const { smooth, byKind, ...found } = await study({ ...options, plan })
  return {
    format: 2,
    plan: plan.hash,
    ...timesOf(smooth),
    covered: { ...totalOf(byKind), seeds: options.seeds },
    byKind,
    ...found,
    unwatched: unwatchedIn(plan),
  }
}

/** All kinds together, and the case in which nothing fails. */
function totalOf(byKind: Coverage): { readonly cases: number; readonly of: number } {
  const all: readonly Tried[] = Object.values(byKind)
  const sum = (count: (one: Tried) => number): number => all.reduce((total, one) => total + count(one), 1)
  return { cases: sum(({ tried }) => tried), of: sum(({ of }) => of) }
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
