/**
 * What happened, as lines that stay: the part of a view that scrolls.
 *
 * Boundary: turns changes of a run's view into text; writes nothing itself and reads no clock.
 *
 * Invariants:
 *  N1. Every node's end is in exactly one line, or counted in exactly one; nothing that is asked of people is left out.
 *  N2. Nodes skipped for the same reason, one after the other, share a line: one failure must not be buried under its
 *      thousand consequences. They are held back until something else happens or `flush` is called.
 *  N3. A line holds no control character but the painter's colours.
 */
import type { RunEvent } from '../../src/run/events.ts'
import type { NodeView, RunView, RunViewState, ViewChange } from './model.ts'
import { type Painter, padEnd, plain } from './terminal-text.ts'
import { renderDuration } from './time-text.ts'
import {
  approveCommands,
  becauseOf,
  breachText,
  counted,
  failureLines,
  firstLine,
  listed,
  MARKS,
  markOf,
  ORDERS,
  placeOf,
  tookText,
  uncertainCommands,
  untilText,
  validationLines,
  wantedPeople,
} from './words.ts'

export interface NarratorOptions {
  readonly paint: Painter
  /** key: for logs that are searched. place: stage and title, for people at a terminal. */
  readonly names: 'key' | 'place'
  /** all: begins and output too. ends: where something else shows what is running. */
  readonly detail: 'all' | 'ends'
}

export interface Narrator {
  /** The lines that this change is worth, oldest first; none for what was history when it was taken in. */
  tell(change: ViewChange): readonly string[]
  /** What was held back (N2). */
  flush(): readonly string[]
}

export function createNarrator(view: RunView, options: NarratorOptions): Narrator {
  const skips = new SkipGroup(view.state, options)
  return {
    tell(change) {
      if (change.type === 'output') {
        return options.detail === 'all' ? [...skips.flush(), ...outputLines(change, options)] : []
      }
      if (change.source === 'history') return []
      const { event, node } = change
      if (event.type === 'node-skipped')
        return node === null || node.hidden ? [] : skips.add(node, event.because)
      const lines = linesOf(event, node, { ...options, state: view.state })
      return lines.length === 0 ? [] : [...skips.flush(), ...lines]
    },
    flush: () => skips.flush(),
  }
}

/** Consecutive skipped nodes of one reason. */
class SkipGroup {
  readonly #state: RunViewState
  readonly #options: NarratorOptions
  #because: string | null = null
  #nodes: NodeView[] = []

  constructor(state: RunViewState, options: NarratorOptions) {
    this.#state = state
    this.#options = options
  }

  add(node: NodeView, because: string): readonly string[] {
    const before = this.#because === because ? [] : this.flush()
    this.#because = because
    this.#nodes.push(node)
    return before
  }

  flush(): readonly string[] {
    const nodes = this.#nodes
    if (nodes.length === 0 || this.#because === null) return []
    const reason = becauseOf(this.#state, this.#because)
    this.#nodes = []
    this.#because = null
    const { paint } = this.#options
    const [first] = nodes
    if (nodes.length === 1 && first) {
      return [paint.dim(`${MARKS.skipped} ${nameOf(first, this.#options)}: skipped, ${reason}`)]
    }
    const named = nodes.slice(0, 3).map(node => nameOf(node, { ...this.#options, names: 'key' }))
    const rest = nodes.length - named.length
    const list = rest > 0 ? `${named.join(', ')} and ${rest} more` : listed(named)
    return [paint.dim(`${MARKS.skipped} ${nodes.length} nodes skipped, ${reason}: ${list}`)]
  }
}

const nameOf = (node: NodeView, { names }: NarratorOptions): string =>
  names === 'key' ? plain(node.key) : placeOf(node)

const outputLines = (change: Extract<ViewChange, { type: 'output' }>, { paint }: NarratorOptions): string[] =>
  change.lines.map(line => `${paint.dim(`${plain(change.node.key)} |`)} ${line}`)

// ── events ──────────────────────────────────────────────────────────────────────────────────────

interface Telling extends NarratorOptions {
  readonly state: RunViewState
}

function linesOf(event: RunEvent, node: NodeView | null, telling: Telling): readonly string[] {
  if ('node' in event) {
    const silent = node === null || node.hidden || event.type === 'node-skipped'
    return silent ? [] : nodeLines(event, node, telling)
  }
  const { paint, state } = telling
  switch (event.type) {
    case 'run-started':
      return [begun(event, telling)]
    case 'runner-attached':
      return state.attachments < 2
        ? []
        : [
            paint.bold(
              `${MARKS.running} ${plain(event.who)} goes on with ${state.run} on ${plain(event.host)} (pid ${event.pid})`,
            ),
          ]
    case 'plan-adopted':
      return [`${MARKS.running} ${plain(event.who)} goes on with another plan: ${event.plan.slice(0, 12)}`]
    case 'rollback-planned':
      return rollbackLines(event, telling)
    case 'rollback-finished':
      return rollbackDone(event.rollback, telling)
    case 'stop-asked':
      return [paint.yellow(`■ ${stopText(event)}`)]
    case 'run-left':
      return [
        paint.yellow(
          `${MARKS.waiting} the runner leaves: ${leftText(event, state)}; release resume ${state.run} goes on`,
        ),
      ]
    case 'run-reopened':
      return [
        `${MARKS.running} ${plain(event.who)} goes on: ${counted(event.nodes.length, 'node')} to run again`,
      ]
    case 'run-finished':
      return [finished(event, telling)]
    default:
      return []
  }
}

type OfNode = Exclude<Extract<RunEvent, { node: string }>, { type: 'node-skipped' }>

function nodeLines(event: OfNode, node: NodeView, telling: Telling): readonly string[] {
  const { paint, state } = telling
  const line = (mark: string, text: string): string => `${mark} ${text}`
  const name = naming(node, telling)
  switch (event.type) {
    case 'node-started':
      if (telling.detail === 'ends') return []
      return [line(markOf(node, paint), event.attempt === 1 ? name : `${name}: attempt ${event.attempt}`)]
    case 'node-waiting':
      return waitingLines(event, node, telling)
    case 'node-succeeded':
      return [line(markOf(node, paint), `${name}${outcomeText(node, telling)}${took(node, event.at, paint)}`)]
    case 'node-retrying':
      return [
        line(
          paint.yellow(MARKS.retrying),
          `${name}: attempt ${event.attempt} failed, ${firstLine(event.failure.message)}; again in ${renderDuration(event.until - event.at)}`,
        ),
      ]
    case 'node-failed':
      return [
        line(
          paint.red(MARKS.failed),
          `${paint.red(name)}${rootText(node, state)}${took(node, event.at, paint)}`,
        ),
        ...failureLines(event.failure, paint).map(text => `    ${text}`),
      ]
    case 'node-cancelled':
      return [paint.dim(line(MARKS.cancelled, `${name}: stopped, ${becauseOf(state, event.because)}`))]
    case 'node-uncertain':
      return [
        line(
          paint.yellow(MARKS.uncertain),
          `${name}: it was cut off, and nobody can tell whether it happened; say which:`,
        ),
        ...uncertainCommands(state, node).map(command => `    ${command}`),
      ]
    case 'node-rerun':
      return [line(MARKS.retrying, `${name}: runs again, says ${plain(event.who)}`)]
    case 'approval-given': {
      const people = wantedPeople(node)
      const rest = people === '' ? '' : `; still waits for ${people}`
      const signed = event.key === null ? 'unsigned' : `signed with ${plain(event.key)}`
      return [
        line(
          paint.green(MARKS.succeeded),
          `${name}: ${plain(event.person)} approves as ${plain(event.role)}, ${signed}${rest}`,
        ),
      ]
    }
    case 'approval-refused':
      return [
        line(
          paint.yellow(MARKS.warned),
          `${name}: the word of ${plain(event.person)} does not count: ${firstLine(event.reason)}`,
        ),
      ]
    case 'approval-rejected':
      return [
        line(
          paint.red(MARKS.failed),
          `${name}: ${plain(event.person)} rejects as ${plain(event.role)}: ${firstLine(event.reason)}`,
        ),
      ]
  }
}

const naming = (node: NodeView, { names }: Telling): string =>
  names === 'key' ? `${padEnd(plain(node.key), 36)}  ${node.title}` : placeOf(node)

const took = (node: NodeView, at: number, paint: Painter): string =>
  node.startedAt === null || node.startedAt === at ? '' : paint.dim(` (${tookText(node, at)})`)

function outcomeText(node: NodeView, { paint }: Telling): string {
  const how = node.status.type === 'succeeded' ? node.status.how : 'performed'
  const notes = [
    node.warning === null ? null : paint.yellow(firstLine(node.warning)),
    node.summary === null || node.summary === node.warning ? null : firstLine(node.summary),
    how === 'observed' ? 'it was so already' : how === 'given' ? 'taken as done on a person’s word' : null,
  ].filter(note => note !== null)
  const taken = node.undoes === null ? '' : ' taken back'
  return `${taken}${notes.length === 0 ? '' : `: ${notes.join('; ')}`}`
}

const rootText = (node: NodeView, state: RunViewState): string => {
  if (node.undoes !== null) return ' could not be taken back'
  return state.cause === node ? ' failed: the root cause' : ' failed'
}

function waitingLines(
  event: Extract<RunEvent, { type: 'node-waiting' }>,
  node: NodeView,
  telling: Telling,
): readonly string[] {
  const { paint, state } = telling
  const mark = paint.yellow(MARKS.waiting)
  const name = naming(node, telling)
  if (event.for === 'time') return [`${mark} ${name}: waits${untilText(event.until)}`]
  return [
    `${mark} ${name}: waits for ${wantedPeople(node)}${untilText(event.until)}`,
    ...approveCommands(state, node).map(command => `    ${command}`),
  ]
}

function begun(event: Extract<RunEvent, { type: 'run-started' }>, { paint, state }: Telling): string {
  const stages = counted(state.plan.stages.length, 'stage')
  const only = event.only === null ? '' : `, only ${listed(event.only.map(plain))} and what guards it`
  return paint.bold(
    `${MARKS.running} ${plain(event.release)} ${plain(event.version)} as ${event.run}: ${counted(state.counts.total, 'node')} in ${stages}${only}, started by ${plain(event.who)}`,
  )
}

function rollbackLines(
  event: Extract<RunEvent, { type: 'rollback-planned' }>,
  telling: Telling,
): readonly string[] {
  const { paint, state } = telling
  const kept = event.kept.map(({ node, reason }) => {
    const view = state.nodes.get(node)
    return `    ${MARKS.warned} ${view === undefined ? plain(node) : placeOf(view)} stays: ${firstLine(reason)}`
  })
  const effects = counted(event.nodes.length, 'effect')
  const why = becauseOf(state, event.because)
  return [
    ...(event.breach === undefined ? [] : [paint.red(`${MARKS.failed} ${breachText(event.breach)}`)]),
    paint.bold(
      `${MARKS.undone} rollback ${event.rollback}, ${why}: ${effects} to take back, ${ORDERS[event.strategy ?? 'service-by-service']}`,
    ),
    ...kept,
  ]
}

function rollbackDone(number: number, { paint, state }: Telling): readonly string[] {
  const group = state.rollbacks.find(({ rollback }) => rollback?.number === number)
  if (group?.rollback?.finishedAt == null || group.startedAt === null) return []
  const { counts } = group
  const left = counts.total - counts.succeeded
  const text = `${counts.succeeded} of ${counts.total} taken back in ${renderDuration(group.rollback.finishedAt - group.startedAt)}`
  const line = `${MARKS.undone} rollback ${number} ended: ${text}${left > 0 ? `, ${left} not` : ''}`
  const { validated } = group.rollback
  return [
    left > 0 ? paint.red(line) : paint.bold(line),
    ...(validated === null ? [] : validationLines(validated, paint).map(text => `    ${text}`)),
  ]
}

const stopText = (event: Extract<RunEvent, { type: 'stop-asked' }>): string =>
  event.by === 'interrupt'
    ? `${plain(event.who)} interrupts: what runs comes to its end, nothing new starts; a second Ctrl-C stops that too`
    : `${plain(event.who)} cancels the run: what runs comes to its end, nothing new starts`

function leftText({ why, waiting }: Extract<RunEvent, { type: 'run-left' }>, state: RunViewState): string {
  if (why === 'interrupted') return 'it was interrupted'
  const names = waiting
    .map(key => state.nodes.get(key))
    .map((node, i) => (node ? placeOf(node) : plain(waiting[i]!)))
  return `the run only waits for ${listed(names)}`
}

function finished(event: Extract<RunEvent, { type: 'run-finished' }>, { paint, state }: Telling): string {
  const time = state.startedAt === null ? '' : ` in ${renderDuration(event.at - state.startedAt)}`
  switch (event.outcome) {
    case 'succeeded':
      return paint.green(`${MARKS.succeeded} ${state.run} succeeded${time}`)
    case 'partial':
      return paint.yellow(`${MARKS.warned} ${state.run} is done in part${time}`)
    case 'failed':
      return paint.red(`${MARKS.failed} ${state.run} failed${time}`)
    case 'cancelled':
      return paint.yellow(`${MARKS.cancelled} ${state.run} was cancelled${time}`)
    case 'rolled-back':
      return paint.cyan(`${MARKS.undone} ${state.run} is rolled back${time}`)
  }
}
