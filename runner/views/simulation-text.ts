/**
 * A simulation for people: how long, when what, how much was tried, and every hole with the line that has it.
 */
import type { Plan } from '../../src/plan/plan.ts'
import type { Simulation } from '../simulate/simulate.ts'
import type { FoundHole } from '../simulate/study.ts'
import { type Painter, padEnd, plain } from './terminal-text.ts'
import { renderDuration } from './time-text.ts'

export interface SimulationTextOptions {
  readonly paint: Painter
  readonly plan: Plan
  /** How many earlier runs the durations come from, and for how many nodes they do. */
  readonly known: { readonly runs: number; readonly nodes: number }
}

const BAR = 48

export function renderSimulation(simulation: Simulation, options: SimulationTextOptions): string {
  const { paint, plan } = options
  const { release } = plan
  const lines = [
    `${paint.bold(`${release.name} ${release.version}`)}: ${plan.nodes.length} nodes, expected to take ${renderDuration(simulation.expected)} where nothing fails and people answer at once`,
    sourceOf(options),
    '',
    ...timeline(simulation, options),
    ...weights(simulation, plan),
    '',
    ...coverage(simulation),
    ...unwatchedLines(simulation, paint),
    '',
    ...verdict(simulation, paint),
  ]
  return `${lines.join('\n')}\n`
}

function sourceOf({ plan, known }: SimulationTextOptions): string {
  const assumed = plan.nodes.length - known.nodes
  if (known.runs === 0) return 'There are no earlier runs: all durations are assumed.'
  const runs = known.runs === 1 ? 'one earlier run' : `${known.runs} earlier runs`
  return `Durations: the median of ${runs} for ${known.nodes} nodes, assumed for ${assumed}.`
}

/** No failure shows it, and no simulation could: what nobody measures. */
const unwatchedLines = ({ unwatched }: Simulation, paint: Painter): readonly string[] =>
  unwatched.map(({ environment, component, position }) => {
    const where = position === null ? '' : ` (${position.file}:${position.line}:${position.column})`
    return paint.yellow(
      `! ${plain(component)} in ${plain(environment)} gets requests while nothing of it is measured: only its health would stop it${where}`,
    )
  })

/** How requests are divided, one line for all components that go through the same steps at the same times. */
function weights({ timeline }: Simulation, plan: Plan): readonly string[] {
  const ends = new Map(timeline.map(({ node, to }) => [node, to]))
  const courses = new Map<string, string[]>()
  const places = plan.nodes.filter(({ operation }) => operation.kind === 'promote')
  for (const { component = '', environment = '' } of places) {
    const steps = plan.nodes.filter(
      node => node.component === component && node.environment === environment && ends.has(node.key),
    )
    const said = steps.flatMap(({ key, operation }) => {
      const at = renderDuration(ends.get(key)!)
      if (operation.kind === 'promote') return [`promoted at ${at}`]
      if (operation.kind !== 'shift' || operation.traffic.canary === 0) return []
      return [`${operation.traffic.canary} % at ${at}`]
    })
    const watches = steps.filter(({ operation }) => operation.kind === 'analyse').length
    const watched = watches === 0 ? 'not watched' : `watched ${watches === 1 ? 'once' : `${watches} times`}`
    const course = `${said.join(', ')}; ${watched}`
    courses.set(`${environment} ${course}`, [...(courses.get(`${environment} ${course}`) ?? []), component])
  }
  return [...courses].map(([course, names]) => {
    const [environment = ''] = course.split(' ')
    return `  ${plain(names.join(', '))} in ${plain(environment)}: ${course.slice(environment.length + 1)}`
  })
}

/** A bar for each stage, from its first node's begin to its last one's end. */
function timeline(simulation: Simulation, { plan, paint }: SimulationTextOptions): readonly string[] {
  const width = Math.max(...plan.stages.map(stage => stage.name.length))
  const total = Math.max(1, simulation.expected)
  return plan.stages.map(({ name }) => {
    const keys = new Set(plan.nodes.filter(node => node.stage === name).map(node => node.key))
    const own = simulation.timeline.filter(({ node }) => keys.has(node))
    if (own.length === 0) return `  ${padEnd(plain(name), width)}  ${paint.dim('takes no time')}`
    const from = Math.min(...own.map(span => span.from))
    const to = Math.max(...own.map(span => span.to))
    const start = Math.floor((from / total) * BAR)
    const length = Math.max(1, Math.round(((to - from) / total) * BAR))
    const bar = `${' '.repeat(start)}${'█'.repeat(Math.min(length, BAR - start))}`
    return `  ${padEnd(plain(name), width)}  ${padEnd(bar, BAR)}  ${renderDuration(from)} – ${renderDuration(to)}`
  })
}

/** All together, and of each kind how much of it. */
function coverage({ covered, byKind, unreached }: Simulation): readonly string[] {
  const seeds = covered.seeds === 1 ? '' : `, each in ${covered.seeds} orders`
  const whole = `All ${covered.of} cases were tried${seeds}:`
  const part = `${covered.cases} of ${covered.of} cases were tried${seeds}; of the kills a sample (--most):`
  const counts = KINDS.map(([kind]) => `${byKind[kind].tried} of ${byKind[kind].of}`)
  const width = Math.max(...counts.map(count => count.length))
  return [
    isWhole(covered) ? whole : part,
    ...KINDS.map(([, words], index) => `  ${counts[index]!.padStart(width)}  ${words}`),
    ...unreachedLines(unreached),
  ]
}

const KINDS: readonly (readonly [kind: keyof Simulation['byKind'], words: string])[] = [
  ['faults', 'ways in which a node can fail'],
  ['undoFaults', 'in which taking back what was done can'],
  ['kills', 'kills of the runner, before and after each write'],
  ['killsAfterFaults', 'the same once something fails: while it is tried again, contained, taken back'],
]

/** What is never taken back may be so on purpose: the policy of its stage, or what comes after it and freezes it. */
function unreachedLines(unreached: readonly string[]): readonly string[] {
  if (unreached.length === 0) return []
  const named = unreached.slice(0, MOST_NAMED).map(plain).join(', ')
  const more = unreached.length > MOST_NAMED ? ` and ${unreached.length - MOST_NAMED} more` : ''
  return [`  no failure that was tried takes back ${named}${more}`]
}

const MOST_NAMED = 3

const isWhole = ({ cases, of }: Simulation['covered']): boolean => cases === of

function verdict({ holes, covered }: Simulation, paint: Painter): readonly string[] {
  if (holes.length === 0) {
    const which = isWhole(covered) ? 'Every case' : 'Every case that was tried'
    return [paint.green(`✓ ${which} ends all new, all old, or exactly as its policy promises.`)]
  }
  const count = holes.length === 1 ? '1 hole' : `${holes.length} holes`
  return [paint.red(`✗ ${count}:`), ...holes.flatMap(hole => ['', ...describe(hole, paint)])]
}

function describe(
  { kind, left, fix, because, cases, position, node }: FoundHole,
  paint: Painter,
): readonly string[] {
  const more = cases === 1 ? '' : `, and ${cases - 1} more cases`
  return [
    `${paint.bold(`${kind}`)}  ${plain(node)}`,
    `  what is left   ${plain(left)}`,
    `  when           ${plain(because)}${more}`,
    ...(position === null ? [] : [`  asked for at   ${position.file}:${position.line}:${position.column}`]),
    `  closed by      ${fix}`,
  ]
}
