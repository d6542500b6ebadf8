/**
 * How views speak of nodes, people and commands, so that the same thing has the same words in all of them.
 *
 * Boundary: pure; one line of text each, coloured by the painter that is handed in.
 */
import type { RollbackStrategy } from '../../src/plan/plan.ts'
import type { Failure } from '../../src/run/events.ts'
import type { GuardBreach } from '../../src/run/guard-record.ts'
import type { Validation } from '../../src/run/validation.ts'
import {
  blockersOf,
  type Counts,
  type GroupView,
  type NodeView,
  outstanding,
  type RunViewState,
} from './model.ts'
import { type Painter, plain, plainLines } from './terminal-text.ts'
import { renderDuration, renderTime } from './time-text.ts'

/** One cell each, and none that some terminals draw two cells wide. */
export const MARKS = {
  pending: '·',
  running: '▸',
  retrying: '↻',
  waiting: '◷',
  interrupted: '‖',
  uncertain: '?',
  succeeded: '✓',
  warned: '!',
  failed: '✗',
  cancelled: '–',
  skipped: '–',
  undone: '↶',
} as const

/** The node's standing as one coloured cell. */
export function markOf(node: NodeView, paint: Painter): string {
  switch (node.status.type) {
    case 'pending':
    case 'skipped':
    case 'cancelled':
      return paint.dim(MARKS[node.status.type])
    case 'running':
      return paint.cyan(MARKS.running)
    case 'retrying':
    case 'waiting':
    case 'interrupted':
    case 'uncertain':
      return paint.yellow(MARKS[node.status.type])
    case 'failed':
      return paint.red(MARKS.failed)
    case 'succeeded':
      if (node.undoes !== null) return paint.cyan(MARKS.undone)
      return node.warning === null ? paint.green(MARKS.succeeded) : paint.yellow(MARKS.warned)
  }
}

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`

/** `staging · auth-service: instance 1 of 2`: its title, and where it belongs. */
export const placeOf = (node: NodeView): string =>
  node.group.rollback === null
    ? `${node.group.name} · ${node.title}`
    : `${node.group.name} · ${node.node.stage} · ${node.title}`

/** Why something is a consequence, as the end of a sentence: `because payment-service: instance 1 of 2 failed`. */
export function becauseOf(state: RunViewState, because: string): string {
  if (because === 'only') return 'left out by --only'
  if (because === 'cancel') return 'because the run was cancelled'
  if (because === 'person') return 'because a rollback was asked for'
  if (because === 'guard') return 'because the guard took the release back'
  const node = state.nodes.get(because)
  return node === undefined ? `because of ${plain(because)}` : `because ${placeOf(node)} failed`
}

/** `waits for auth-service: check what runs, inventory-service: check what runs and more`; null where nothing holds it up. */
export function waitsFor(node: NodeView): string | null {
  const { nodes, more } = blockersOf(node, 2)
  if (nodes.length === 0) return null
  const names = nodes.map(before => (before.group === node.group ? before.title : placeOf(before)))
  return `waits for ${names.join(', ')}${more ? ' and more' : ''}`
}

/** `1 release-manager and 1 platform-owner` */
export const wantedPeople = (node: NodeView): string =>
  listed(
    (node.approval === null ? [] : outstanding(node.approval)).map(({ role, count }) => `${count} ${role}`),
  )

export const listed = (parts: readonly string[]): string =>
  parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`

/** The commands with which people can give the words that an approval still waits for. */
export const approveCommands = (state: RunViewState, node: NodeView): readonly string[] =>
  (node.approval === null ? [] : outstanding(node.approval)).map(
    ({ role }) => `release approve ${state.run} ${quoted(node.approval!.name)} --as ${quoted(role)}`,
  )

/** The two ways out for a step of which nobody knows whether it happened. */
export function uncertainCommands(state: RunViewState, node: NodeView): readonly string[] {
  const { operation } = node.node
  const name = quoted(node.undoes === null && operation.kind === 'step' ? operation.name : node.key)
  return [`release resume ${state.run} --rerun ${name}`, `release resume ${state.run} --skip ${name}`]
}

/** An argument as a POSIX shell takes it. */
export const quoted = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`

/** `until 2024-03-15 08:00:00 UTC`, or nothing where no end is set. */
export const untilText = (until: number | null): string =>
  until === null ? '' : ` until ${renderTime(until)}`

/** `attempt 2 of 4`, or nothing for a first attempt that is the only one. */
export function attemptText(node: NodeView): string {
  const limit = node.node.retry.limit + 1
  if (node.attempts <= 1 && limit <= 1) return ''
  return `attempt ${Math.max(node.attempts, 1)} of ${Math.max(limit, node.attempts)}`
}

/** How long it took, or has been taking by now. */
export function tookText(node: NodeView, now: number): string {
  if (node.startedAt === null) return ''
  return renderDuration((node.finishedAt ?? now) - node.startedAt)
}

/** The failure under its node: message and hint, then the end of what was printed. */
export function failureLines(failure: Failure, paint: Painter): readonly string[] {
  const message = plainLines(failure.message)
  const hint = failure.hint === undefined ? [] : plainLines(failure.hint)
  const tail = failure.tail === undefined ? [] : plainLines(failure.tail)
  return [
    ...message.map(line => paint.red(line)),
    ...hint.map((line, i) => `${i === 0 ? paint.bold('hint:') : '     '} ${line}`),
    ...tail.map(line => paint.dim(`│ ${line}`)),
  ]
}

export const firstLine = (text: string): string => plainLines(text)[0] ?? ''

/** How a group stands, gravest first. */
export type GroupStanding = 'pending' | 'active' | 'failed' | 'cancelled' | 'skipped' | 'succeeded'

export function standingOf({ counts, startedAt }: GroupView): GroupStanding {
  if (counts.active > 0) return 'active'
  if (counts.failed > 0) return 'failed'
  if (counts.pending > 0) return startedAt === null ? 'pending' : 'active'
  if (counts.cancelled > 0) return 'cancelled'
  return counts.succeeded > 0 || counts.total === 0 ? 'succeeded' : 'skipped'
}

export function groupMark(group: GroupView, paint: Painter): string {
  switch (standingOf(group)) {
    case 'pending':
      return paint.dim(MARKS.pending)
    case 'active':
      return paint.cyan(MARKS.running)
    case 'failed':
      return paint.red(MARKS.failed)
    case 'cancelled':
      return paint.dim(MARKS.cancelled)
    case 'skipped':
      return paint.dim(MARKS.skipped)
    case 'succeeded':
      if (group.rollback !== null) return paint.cyan(MARKS.undone)
      return group.counts.warned > 0 ? paint.yellow(MARKS.warned) : paint.green(MARKS.succeeded)
  }
}

/** `5 of 18, 1 failed, 2 skipped` */
export function countsText(counts: Readonly<Counts>): string {
  const parts = [`${counts.succeeded} of ${counts.total}`]
  if (counts.failed > 0) parts.push(`${counts.failed} failed`)
  if (counts.cancelled > 0) parts.push(`${counts.cancelled} stopped`)
  if (counts.skipped > 0) parts.push(`${counts.skipped} skipped`)
  if (counts.warned > 0) parts.push(counted(counts.warned, 'warning'))
  return parts.join(', ')
}

/** In which order a rollback goes, as the end of a sentence. */
export const ORDERS: Readonly<Record<RollbackStrategy, string>> = {
  'service-by-service': 'newest first',
  staged: 'environment by environment, the last one first',
  immediate: 'all traffic first, then everything at once',
}

/** Why the guard took a release back: `order-service 3.0.0 in production: error rate 40% is not at most 5%, …`. */
export const breachText = ({ component, version, environment, reason }: GuardBreach): string =>
  `${plain(component)} ${plain(version)} in ${plain(environment)}: ${plain(reason)}`

/** What was done after a rollback, and what is still not as it should be. */
export function validationLines({ components, recoveries }: Validation, paint: Painter): readonly string[] {
  const mended = recoveries.map(({ name, component, environment, problem, outcome, detail }) => {
    const mark = outcome === 'failed' ? paint.red(MARKS.failed) : paint.yellow(MARKS.warned)
    return `${mark} ${name}: ${plain(component)} in ${plain(environment)}, since ${firstLine(problem)}: ${firstLine(detail)}`
  })
  const wrong = components
    .filter(({ ok }) => !ok)
    .map(
      ({ component, environment, differs }) =>
        `${paint.red(MARKS.failed)} ${plain(component)} in ${plain(environment)} is not as it was: ${firstLine(differs.join('; '))}`,
    )
  return [...mended, ...wrong]
}
