/**
 * A run in a few lines: `release status`, `release list`, and what is said at the end of `run` and `resume`.
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
  const { paint, now } = options
  const lines = [
    `${paint.bold(`${state.plan.release.name} ${state.plan.release.version}`)}  ${state.run}  ${standingText(state, options)}`,
    ...origin(state, options),
    '',
    ...groupTable(state, options),
    ...activeSection(state, options),
    ...causeSection(state, paint),
    ...rollbackSection(state, paint),
    ...nextSection(state, { paint, now, runner: options.runner }),
  ]
  return `${lines.join('\n')}\n`
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
  return lines.length === 0 ? [] : ['', ...lines]
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
    state.startedAt === null ? '' : ` in ${renderDuration((state.finishedAt ?? now) - state.startedAt)}`
  const { release } = state.plan
  const lines = [
    ...causeSection(state, paint).slice(1),
    ...rollbackSection(state, paint),
    ...warningSection(state, paint),
    ...(hasSections(state) ? [''] : []),
    `${paint.bold(`${release.name} ${release.version}`)}  ${state.run}  ${standingText(state, options)}${time}: ${progressText(state.counts)}`,
    ...nextSection(state, options),
  ]
  return `${lines.join('\n')}\n`
}

const hasSections = (state: RunViewState): boolean =>
  state.cause !== null || state.rollbacks.length > 0 || state.counts.warned > 0

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
    '',
    `${paint.red(MARKS.failed)} ${paint.bold(placeOf(cause))} failed: the root cause`,
    ...failureLines(cause.status.failure, paint).map(line => `  ${line}`),
    ...(position === undefined ? [] : [`  ${paint.dim(`asked for at ${spanText(position)}`)}`]),
    `  ${paint.dim(`all it printed: release logs ${state.run} ${plain(cause.key)}`)}`,
    ...(failed > 1
      ? [`  ${paint.dim(`${counted(failed - 1, 'other node')} failed as well: release report ${state.run}`)}`]
      : []),
  ]
}

const spanText = ({ file, line, column }: Span): string => `${file}:${line}:${column}`

function rollbackSection(state: RunViewState, paint: Painter): readonly string[] {
  return state.rollbacks.flatMap(group => ['', ...oneRollback(state, group, paint)])
}

function oneRollback(state: RunViewState, group: GroupView, paint: Painter): readonly string[] {
  const { rollback, counts } = group
  if (rollback === null) return []
  const failed = group.nodes.filter(({ status }) => status.type === 'failed')
  const open = counts.pending + counts.active
  const text = `${counts.succeeded} of ${counts.total} taken back${open > 0 ? `, ${open} to go` : ''}`
  return [
    `${paint.cyan(MARKS.undone)} rollback ${rollback.number}, ${becauseOf(state, rollback.because)}: ${text}`,
    ...failed.map(node => {
      const reason = node.status.type === 'failed' ? firstLine(node.status.failure.message) : ''
      return `  ${paint.red(MARKS.failed)} ${placeOf(node)} could not be taken back: ${reason}`
    }),
    ...rollback.kept.map(({ node, reason }) => {
      const kept = state.nodes.get(node)
      return `  ${paint.yellow(MARKS.warned)} ${kept === undefined ? plain(node) : placeOf(kept)} stays: ${firstLine(reason)}`
    }),
  ]
}

function warningSection(state: RunViewState, paint: Painter): readonly string[] {
  if (state.counts.warned === 0) return []
  const warned = [...state.nodes.values()].filter(
    ({ warning, status }) => warning !== null && status.type === 'succeeded',
  )
  return [
    '',
    ...warned.map(node => `${paint.yellow(MARKS.warned)} ${placeOf(node)}: ${firstLine(node.warning ?? '')}`),
  ]
}

/** What waits for whom, and the commands that go on. */
function nextSection(state: RunViewState, options: StatusOptions): readonly string[] {
  const standing = standingOfRun(state, options.runner)
  const people = [...state.active].flatMap(node => peopleLines(state, node))
  const commands = commandsFor(state, standing)
  return people.length + commands.length === 0
    ? []
    : ['', ...people, ...commands.map(command => `  ${command}`)]
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

function commandsFor(state: RunViewState, standing: RunStanding): readonly string[] {
  switch (standing) {
    case 'waiting':
    case 'interrupted':
      return [`release resume ${state.run}`]
    case 'failed':
    case 'partial':
    case 'cancelled':
      return [`release report ${state.run}`, `release resume ${state.run}`]
    case 'succeeded':
    case 'rolled-back':
      return [`release report ${state.run}`]
    case 'running':
      return []
  }
}

// ── release list ────────────────────────────────────────────────────────────────────────────────

/** One run as `release list` shows it. */
export interface RunRow {
  readonly run: string
  readonly release: string
  readonly version: string
  readonly standing: RunStanding
  readonly who: string
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly done: number
  readonly total: number
  /** What it waits for a person to say; empty where nothing. */
  readonly waitsFor: readonly string[]
}

export function runRow(state: RunViewState, runner: StatusOptions['runner']): RunRow {
  const asks = [...state.active].filter(
    ({ status }) => status.type === 'uncertain' || (status.type === 'waiting' && status.for === 'person'),
  )
  return {
    run: state.run,
    release: state.plan.release.name,
    version: state.plan.release.version,
    standing: standingOfRun(state, runner),
    who: state.who,
    startedAt: state.startedAt,
    finishedAt: state.finishedAt,
    done: endedOf(state.counts),
    total: state.counts.total,
    waitsFor: asks.map(placeOf),
  }
}

/** A table of runs, in the order given, with a head; one sentence where there are none. */
export function renderRunList(
  rows: readonly RunRow[],
  { paint, now }: { readonly paint: Painter; readonly now: number },
): string {
  if (rows.length === 0) return 'There are no runs yet: release run begins one.\n'
  const head = ['RUN', 'RELEASE', 'STANDING', 'DONE', 'STARTED', 'TOOK', 'BY']
  const cells = rows.map(row => [
    row.run,
    `${row.release} ${row.version}`,
    row.waitsFor.length === 0 ? row.standing : `${row.standing}: ${row.waitsFor.join(', ')}`,
    `${row.done}/${row.total}`,
    row.startedAt === null ? '' : renderTime(row.startedAt),
    row.startedAt === null ? '' : renderDuration((row.finishedAt ?? now) - row.startedAt),
    plain(row.who),
  ])
  const widths = head.map((title, i) => Math.max(...[title, ...cells.map(row => row[i]!)].map(widthOf)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => padEnd(cell, widths[i]!))
      .join('  ')
      .trimEnd()
  return `${[paint.bold(line(head)), ...cells.map(line)].join('\n')}\n`
}
