/**
 * A run in a few lines: `release status`, and what is said at the end of `run` and `resume`.
 *
 * Boundary: pure text over a run's view. Whether a runner is alive cannot be known from events: the caller, who has
 * looked at the lock, says so.
 */
import type { Span } from '../../src/diagnostic.ts'
import type { RunStanding } from '../../src/run/report.ts'
import { type Counts, endedOf, type GroupView, type NodeView, type RunViewState } from './model.ts'
import { type Painter, padEnd, plain, widthOf } from './terminal-text.ts'
import { renderDuration, renderTime } from './time-text.ts'
import {
  approveCommands,
  becauseOf,
  breachText,
  counted,
  countsText,
  failureLines,
  firstLine,
  groupMark,
  listed,
  MARKS,
  markOf,
  placeOf,
  tookText,
  uncertainCommands,
  untilText,
  validationLines,
  waitsFor,
  wantedPeople,
} from './words.ts'

export interface StatusOptions {
  readonly paint: Painter
  /** Milliseconds since 1970. */
  readonly now: number
  /** Whether a runner has the run now; unknown: nobody looked. */
  readonly runner: 'alive' | 'gone' | 'unknown'
}

/** How the run stands, as the events and the runner's presence say. */
export function standingOfRun(state: RunViewState, runner: StatusOptions['runner']): RunStanding {
  if (state.phase === 'finished') return state.outcome ?? 'failed'
  if (state.phase === 'left') return state.left?.why ?? 'interrupted'
  return runner === 'gone' ? 'interrupted' : 'running'
}

// ── release status ──────────────────────────────────────────────────────────────────────────────

/** What `release status [RUN]` prints: ends with a line break. */
export function renderStatus(state: RunViewState, options: StatusOptions): string {
  const { paint } = options
  const { name, version } = state.plan.release
  return joined([
    [
      `${paint.bold(`${name} ${version}`)}  ${state.run}  ${standingText(state, options)}`,
      ...origin(state, options),
    ],
    groupTable(state, options),
    activeSection(state, options),
    causeSection(state, paint),
    ...rollbackSections(state, paint),
    nextSection(state, options),
  ])
}

function standingText(state: RunViewState, { paint, runner }: StatusOptions): string {
  const standing = standingOfRun(state, runner)
  switch (standing) {
    case 'succeeded':
      return paint.green('succeeded')
    case 'failed':
      return paint.red('failed')
    case 'partial':
      return paint.yellow('done in part')
    case 'cancelled':
      return paint.yellow('cancelled')
    case 'rolled-back':
      return paint.cyan('rolled back')
    case 'running':
      return paint.cyan('running')
    case 'waiting':
      return paint.yellow('waiting')
    case 'interrupted':
      return paint.yellow(state.phase === 'left' ? 'interrupted' : 'interrupted: its runner is gone')
  }
}

function origin(state: RunViewState, { now, runner }: StatusOptions): readonly string[] {
  if (state.startedAt === null) return ['it has not begun']
  const end = state.finishedAt
  const time = renderDuration((end ?? now) - state.startedAt)
  const lines = [
    `started by ${plain(state.who)} at ${renderTime(state.startedAt)}, ${end === null ? `${time} ago` : `took ${time}`}`,
  ]
  if (runner === 'alive' && state.runner !== null) {
    const { who, host, pid, since } = state.runner
    lines.push(`run by ${plain(who)} on ${plain(host)} (pid ${pid}) since ${renderTime(since)}`)
  }
  if (state.only !== null) lines.push(`only ${listed(state.only.map(plain))}, and what guards it`)
  return lines
}

function groupTable(state: RunViewState, { paint, now }: StatusOptions): readonly string[] {
  const groups = [...state.stages, ...state.rollbacks]
  const names = Math.max(...groups.map(group => widthOf(group.name)), 0)
  const counts = Math.max(...groups.map(group => countsText(group.counts).length), 0)
  return groups.map(group => {
    const time = group.startedAt === null ? '' : renderDuration((group.finishedAt ?? now) - group.startedAt)
    const row = `${groupMark(group, paint)} ${padEnd(group.name, names)}  ${padEnd(countsText(group.counts), counts)}  ${paint.dim(time)}`
    return row.trimEnd()
  })
}

const SHOWN = 20

/** What is under way, and what stands next in line and why it does not start. */
function activeSection(state: RunViewState, { paint, now }: StatusOptions): readonly string[] {
  const active = [...state.active]
  const next = new Set(
    active.flatMap(node =>
      node.dependents.filter(({ hidden, status }) => !hidden && status.type === 'pending'),
    ),
  )
  const lines = [
    ...active
      .slice(0, SHOWN)
      .map(node => `${markOf(node, paint)} ${placeOf(node)}  ${activeText(node, now)}`),
    ...(active.length > SHOWN ? [`  … and ${active.length - SHOWN} more`] : []),
    ...[...next]
      .slice(0, 5)
      .map(node => paint.dim(`${MARKS.pending} ${placeOf(node)}  ${waitsFor(node) ?? 'is next'}`)),
  ]
  return lines
}

function activeText(node: NodeView, now: number): string {
  const { status } = node
  switch (status.type) {
    case 'waiting':
      return status.for === 'person'
        ? `waits for ${wantedPeople(node)}${untilText(status.until)}`
        : `waits${untilText(status.until)}`
    case 'retrying':
      return `attempt ${node.attempts} failed, again at ${renderTime(status.until)}: ${firstLine(status.failure.message)}`
    case 'uncertain':
      return 'cut off, and nobody can tell whether it happened'
    case 'interrupted':
      return 'cut off; resume looks at it first'
    case 'running':
      return `runs for ${tookText(node, now)}`
    case 'pending':
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'skipped':
      return status.type
  }
}

// ── the end of run and resume ───────────────────────────────────────────────────────────────────

/** What is said when `run` or `resume` ends, however it ends: the root cause first, and what to do next. */
export function renderSummary(state: RunViewState, options: StatusOptions): string {
  const { paint, now } = options
  const time =
    state.startedAt === null ? '' : ` after ${renderDuration((state.finishedAt ?? now) - state.startedAt)}`
  const { release } = state.plan
  const standing = `${paint.bold(`${release.name} ${release.version}`)}  ${state.run}  ${standingText(state, options)}${time}: ${progressText(state.counts)}`
  return joined([
    causeSection(state, paint),
    ...rollbackSections(state, paint),
    warningSection(state, paint),
    [standing],
    nextSection(state, options),
  ])
}

/** Sections with an empty line between them; empty ones are left out. */
const joined = (sections: readonly (readonly string[])[]): string =>
  `${sections
    .filter(section => section.length > 0)
    .map(section => section.join('\n'))
    .join('\n\n')}\n`

function progressText(counts: Readonly<Counts>): string {
  const rest = counts.total - endedOf(counts)
  return `${countsText(counts)} done${rest === 0 ? '' : `, ${rest} to go`}`.replace(
    /^(\d+ of \d+)(.*) done/,
    '$1 done$2',
  )
}

function causeSection(state: RunViewState, paint: Painter): readonly string[] {
  const { cause } = state
  if (cause?.status.type !== 'failed') return []
  const position = state.plan.positions[cause.node.key]
  const { failed } = state.counts
  return [
    `${paint.red(MARKS.failed)} ${paint.bold(placeOf(cause))} failed: the root cause`,
    ...failureLines(cause.status.failure, paint).map(line => `  ${line}`),
    ...(position === undefined ? [] : [`  ${paint.dim(`asked for at ${spanText(position)}`)}`]),
    ...(cause.attempts === 0
      ? []
      : [`  ${paint.dim(`all it printed: release logs ${state.run} ${plain(cause.key)}`)}`]),
    ...(failed > 1
      ? [`  ${paint.dim(`${counted(failed - 1, 'other node')} failed as well: release report ${state.run}`)}`]
      : []),
  ]
}

const spanText = ({ file, line, column }: Span): string => `${file}:${line}:${column}`

const rollbackSections = (state: RunViewState, paint: Painter): readonly (readonly string[])[] =>
  state.rollbacks.map(group => oneRollback(state, group, paint))

function oneRollback(state: RunViewState, group: GroupView, paint: Painter): readonly string[] {
  const { rollback, counts } = group
  if (rollback === null) return []
  const failed = group.nodes.filter(({ status }) => status.type === 'failed')
  const open = counts.pending + counts.active
  const text = `${counts.succeeded} of ${counts.total} taken back${open > 0 ? `, ${open} to go` : ''}`
  const { breach, validated } = rollback
  return [
    ...(breach === null
      ? []
      : [`${paint.red(MARKS.failed)} ${paint.bold(breachText(breach))}: the root cause`]),
    `${paint.cyan(MARKS.undone)} rollback ${rollback.number}, ${becauseOf(state, rollback.because)}: ${text}`,
    ...failed.map(node => {
      const reason = node.status.type === 'failed' ? firstLine(node.status.failure.message) : ''
      return `  ${paint.red(MARKS.failed)} ${placeOf(node)} could not be taken back: ${reason}`
    }),
    ...rollback.kept.map(({ node, reason }) => {
      const kept = state.nodes.get(node)
      return `  ${paint.yellow(MARKS.warned)} ${kept === undefined ? plain(node) : placeOf(kept)} stays: ${firstLine(reason)}`
    }),
    ...(validated === null ? [] : validationLines(validated, paint).map(line => `  ${line}`)),
  ]
}

function warningSection(state: RunViewState, paint: Painter): readonly string[] {
  if (state.counts.warned === 0) return []
  const warned = [...state.nodes.values()].filter(
    ({ warning, status }) => warning !== null && status.type === 'succeeded',
  )
  return warned.map(
    node => `${paint.yellow(MARKS.warned)} ${placeOf(node)}: ${firstLine(node.warning ?? '')}`,
  )
}

/** What waits for whom, and the commands that go on. */
function nextSection(state: RunViewState, options: StatusOptions): readonly string[] {
  const standing = standingOfRun(state, options.runner)
  const people = [...state.active].flatMap(node => peopleLines(state, node))
  const commands = commandsFor(state, standing)
  return [...people, ...commands.map(command => `  ${command}`)]
}

function peopleLines(state: RunViewState, node: NodeView): readonly string[] {
  const { status } = node
  if (status.type === 'uncertain') {
    return [
      `${placeOf(node)} was cut off, and nobody can tell whether it happened. Look, and say which:`,
      ...uncertainCommands(state, node).map(command => `  ${command}`),
    ]
  }
  if (status.type !== 'waiting' || status.for !== 'person') return []
  const given = node.approval?.given.map(({ person, role }) => `${plain(person)} as ${plain(role)}`) ?? []
  const so = given.length === 0 ? '' : ` (given by ${listed(given)})`
  return [
    `${placeOf(node)} waits for ${wantedPeople(node)}${untilText(status.until)}${so}:`,
    ...approveCommands(state, node).map(command => `  ${command}`),
  ]
}

/** A run that was rolled back as a whole has nothing to go on from. */
const canGoOn = (state: RunViewState): boolean =>
  !state.rollbacks.some(group => group.rollback?.scope.kind === 'all' && group.nodes.length > 0)

function commandsFor(state: RunViewState, standing: RunStanding): readonly string[] {
  const { run } = state
  switch (standing) {
    case 'waiting':
    case 'interrupted':
      // Resumed as it is, it would only ask again.
      return [...state.active].some(({ status }) => status.type === 'uncertain')
        ? []
        : [`release resume ${run}`]
    case 'failed':
    case 'partial':
    case 'cancelled': {
      const nothingUndone = state.rollbacks.length === 0 && state.counts.succeeded > 0
      return [
        `release report ${run}`,
        ...(canGoOn(state) ? [`release resume ${run}`] : []),
        ...(nothingUndone ? [`release rollback ${run} --dry-run`] : []),
      ]
    }
    case 'succeeded':
    case 'rolled-back':
      return [`release report ${run}`]
    case 'running':
      return []
  }
}
