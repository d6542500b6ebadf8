/**
 * The live part of the task list: what is going on now, as lines that fit the terminal.
 *
 * Boundary: pure; view and size in, lines out.
 *
 * Invariants:
 *  F1. At most `rows - 2` lines, at least one, and none wider than the terminal less one.
 *  F2. Costs as much as is shown: no loop goes over the nodes that are not active (the stages are looked through).
 *  F3. The root cause stands above all else, then what is asked of people, then what runs, then the rest.
 */
import { endedOf, type GroupView, type NodeView, type RunView, type RunViewState } from '../views/model.ts'
import { type Painter, padEnd, truncate, widthOf } from '../views/terminal-text.ts'
import { renderDuration } from '../views/time-text.ts'
import {
  approveCommands,
  attemptText,
  counted,
  countsText,
  firstLine,
  groupMark,
  listed,
  MARKS,
  markOf,
  placeOf,
  standingOf,
  tookText,
  uncertainCommands,
  untilText,
  waitsFor,
  wantedPeople,
} from '../views/words.ts'

export interface FrameOptions {
  readonly columns: number
  readonly rows: number
  /** Milliseconds since 1970. */
  readonly now: number
  readonly paint: Painter
}

/** Wider lines are harder to read, and a terminal that is made narrower would break them. */
const WIDEST = 120
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const

export function renderFrame(view: RunView, options: FrameOptions): readonly string[] {
  const budget = Math.max(1, options.rows - 2)
  const width = Math.max(1, Math.min(options.columns - 1, WIDEST))
  const head = [
    headline(view.state, options),
    ...alerts(view.state, options).slice(0, Math.floor(budget / 2)),
  ]
  const lines = [...head, ...tree(view, options, budget - head.length)]
  return lines.slice(0, budget).map(line => truncate(line, width))
}

function headline(state: RunViewState, { paint, now }: FrameOptions): string {
  const { release } = state.plan
  const running = [...state.active].filter(node => node.status.type === 'running').length
  const parts = [
    paint.bold(`${release.name} ${release.version}`),
    `${endedOf(state.counts)} of ${state.counts.total} done`,
    running === 0 ? null : `${running} running`,
    state.ready.size === 0 ? null : `${state.ready.size} ready`,
    state.startedAt === null ? null : renderDuration((state.finishedAt ?? now) - state.startedAt),
    state.run === '' ? null : paint.dim(state.run),
  ]
  return parts.filter(part => part !== null).join(paint.dim(' · '))
}

function alerts(state: RunViewState, { paint }: FrameOptions): readonly string[] {
  const lines: string[] = []
  const { cause } = state
  if (cause?.status.type === 'failed') {
    lines.push(
      paint.red(`${MARKS.failed} root cause: ${placeOf(cause)}: ${firstLine(cause.status.failure.message)}`),
    )
  }
  if (state.stop !== null) {
    const how = state.stop.by === 'cancel' ? 'cancelled' : 'interrupted; once more stops what runs, too'
    lines.push(paint.yellow(`■ nothing new starts: ${how}`))
  }
  for (const node of state.active) {
    if (lines.length > 6) break
    const { status } = node
    if (status.type === 'waiting' && status.for === 'person') {
      lines.push(...approveCommands(state, node).map(command => `${paint.yellow(MARKS.waiting)} ${command}`))
    } else if (status.type === 'uncertain') {
      lines.push(
        ...uncertainCommands(state, node).map(command => `${paint.yellow(MARKS.uncertain)} ${command}`),
      )
    }
  }
  return lines
}

// ── the tree ────────────────────────────────────────────────────────────────────────────────────

function tree(view: RunView, options: FrameOptions, budget: number): readonly string[] {
  const groups = [...view.state.stages, ...view.state.rollbacks]
  const active = groups.filter(group => group.active.size > 0)
  const shown = groups.length * 2 <= budget ? groups : active
  const folded = shown === groups ? [] : foldedGroups(groups, options)
  const rows = budget - folded.length - shown.length
  const shares = shareOut(
    rows,
    shown.map(group => group.active.size),
  )
  const next = nextNodes(view.state, rows - shares.reduce((sum, share) => sum + share, 0))
  const names = Math.min(30, Math.max(0, ...shown.map(group => widthOf(group.name))))
  const lines = shown.flatMap((group, i) => [
    groupLine(view.state, group, names, options),
    ...activeLines(view, group, shares[i]!, options),
    ...(next.get(group) ?? []).map(node => nextLine(node, options)),
  ])
  return [...lines, ...folded].slice(0, budget)
}

/** Rows for each, as evenly as they are asked for; those who ask for less leave theirs to the others. */
function shareOut(rows: number, asked: readonly number[]): readonly number[] {
  const shares = asked.map(() => 0)
  let left = Math.max(0, rows)
  for (let given = true; given && left > 0; ) {
    given = false
    for (const [i, wanted] of asked.entries()) {
      if (left === 0 || shares[i]! >= wanted) continue
      shares[i]! += 1
      left -= 1
      given = true
    }
  }
  return shares
}

function foldedGroups(groups: readonly GroupView[], { paint }: FrameOptions): readonly string[] {
  const quiet = groups.filter(group => group.active.size === 0)
  const pending = quiet.filter(group => standingOf(group) === 'pending').length
  const ended = quiet.length - pending
  const parts = [
    ended === 0 ? null : `${counted(ended, 'stage')} ended`,
    pending === 0 ? null : `${counted(pending, 'stage')} to come`,
  ].filter(part => part !== null)
  return parts.length === 0 ? [] : [paint.dim(` ${MARKS.pending} ${parts.join(', ')}`)]
}

function groupLine(state: RunViewState, group: GroupView, names: number, options: FrameOptions): string {
  const { paint, now } = options
  const standing = standingOf(group)
  const name = padEnd(group.name, names)
  const head = ` ${groupMark(group, paint)} ${standing === 'active' ? paint.bold(name) : name}`
  if (standing === 'pending') {
    const before = state.stages.filter(
      stage => group.after.includes(stage.name) && stage.counts.pending + stage.counts.active > 0,
    )
    const why =
      before.length === 0 ? '' : `, waits for ${listed(before.slice(0, 3).map(stage => stage.name))}`
    return paint.dim(`${head}  ${counted(group.counts.total, 'node')}${why}`)
  }
  const time =
    group.startedAt === null ? '' : `  ${renderDuration((group.finishedAt ?? now) - group.startedAt)}`
  return `${head}  ${countsText(group.counts)}${paint.dim(time)}`
}

function activeLines(
  view: RunView,
  group: GroupView,
  rows: number,
  options: FrameOptions,
): readonly string[] {
  const all = group.active.size
  const room = all > rows ? rows - 1 : rows
  const lines: string[] = []
  for (const node of group.active) {
    if (lines.length >= room) break
    lines.push(`   ${activeLine(view, node, options)}`)
  }
  if (all > rows && rows > 0) lines.push(options.paint.dim(`   … and ${all - lines.length} more`))
  return lines
}

function activeLine(view: RunView, node: NodeView, { paint, now }: FrameOptions): string {
  const { status } = node
  const detail = (text: string): string => `${markOf(node, paint)} ${node.title}  ${paint.yellow(text)}`
  switch (status.type) {
    case 'running': {
      const spinner = paint.cyan(SPINNER[Math.floor(now / 80) % SPINNER.length]!)
      const attempt = node.attempts > 1 ? `  ${paint.yellow(attemptText(node))}` : ''
      const last = view.lastLines(node).at(-1)
      const output = last === undefined ? '' : paint.dim(`  │ ${last}`)
      return `${spinner} ${node.title}${attempt}  ${paint.dim(tookText(node, now))}${output}`
    }
    case 'retrying':
      return detail(
        `${attemptText(node)} failed: ${firstLine(status.failure.message)}; again in ${renderDuration(status.until - now)}`,
      )
    case 'waiting':
      return status.for === 'person'
        ? detail(`waits for ${wantedPeople(node)}${untilText(status.until)}`)
        : detail(status.until === null ? 'waits' : `${renderDuration(status.until - now)} left`)
    case 'interrupted':
      return detail('cut off; it is looked at first')
    case 'uncertain':
      return detail('cut off, and nobody can tell whether it happened')
    case 'pending':
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'skipped':
      return `${markOf(node, paint)} ${node.title}`
  }
}

/** A wide join is looked through only so far (F2). */
const LOOKED_AT = 50
const NEXT = 5

/** What comes next in a group that is under way: dependants of what is active, seen through joins; at most `rows`. */
function nextNodes(state: RunViewState, rows: number): ReadonlyMap<GroupView, readonly NodeView[]> {
  const next = new Set<NodeView>()
  const open = [...take(state.active, LOOKED_AT)]
  for (let at = 0; at < open.length && at < LOOKED_AT && next.size < Math.min(rows, NEXT); at += 1) {
    for (const node of take(open[at]!.dependents, LOOKED_AT)) {
      if (node.status.type !== 'pending' || next.size >= Math.min(rows, NEXT)) continue
      if (node.hidden) open.push(node)
      else if (node.group.active.size > 0) next.add(node)
    }
  }
  return Map.groupBy(next, node => node.group)
}

function* take<T>(items: Iterable<T>, limit: number): Iterable<T> {
  let taken = 0
  for (const item of items) {
    if (taken++ === limit) return
    yield item
  }
}

const nextLine = (node: NodeView, { paint }: FrameOptions): string =>
  paint.dim(`   ${MARKS.pending} ${node.title}  ${waitsFor(node) ?? 'is next'}`)
