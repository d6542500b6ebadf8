/**
 * What every view of a run shows: the fold of its events over its plan, kept up to date event by event.
 *
 * Boundary: asks nothing of the engine and nothing of the clock: times are those of the events. What a process
 * prints comes in beside the events, through `output`, and is kept only as far as it is shown.
 *
 * Invariants:
 *  V1. One event costs as much as it names: a node's end its dependents, a rollback its nodes; never the plan.
 *  V2. Nothing that is handed in makes it throw: a journal that a newer version wrote is shown as far as it is known.
 *  V3. Only this file writes to what it shows; listeners and views read.
 *  V4. Joins are in `nodes`, but no count and no list for people holds them.
 */
import type { Plan, PlanNode, RollbackStrategy } from '../../src/plan/plan.ts'
import type { Failure, Outcome, RollbackNode, RollbackScope, RunEvent } from '../../src/run/events.ts'
import type { GuardBreach } from '../../src/run/guard-record.ts'
import type { Validation } from '../../src/run/validation.ts'
import { createOutputTail, type OutputTail } from './output-tail.ts'
import { plain } from './terminal-text.ts'

/**
 *     pending ──▶ running ⇄ retrying ──▶ succeeded | failed | cancelled
 *        │           └──▶ interrupted (its runner is gone) ──▶ running | succeeded | uncertain …
 *        ├──▶ waiting ──▶ succeeded | failed | cancelled
 *        └──▶ skipped
 */
export type NodeStatus =
  | { readonly type: 'pending' }
  | { readonly type: 'running' }
  | { readonly type: 'retrying'; readonly until: number; readonly failure: Failure }
  | { readonly type: 'waiting'; readonly for: 'person' | 'time'; readonly until: number | null }
  | { readonly type: 'interrupted' }
  | { readonly type: 'uncertain' }
  | { readonly type: 'succeeded'; readonly how: 'performed' | 'observed' | 'given' }
  | { readonly type: 'failed'; readonly failure: Failure }
  | { readonly type: 'cancelled'; readonly because: string }
  | { readonly type: 'skipped'; readonly because: string }

export interface NodeView {
  readonly key: string
  /** Harmless to print: control characters are taken out. */
  readonly title: string
  readonly group: GroupView
  /** The plan's node; for a rollback's, the one that is taken back. */
  readonly node: PlanNode
  /** For a rollback's node: the one that it takes back. */
  readonly undoes: NodeView | null
  readonly status: NodeStatus
  /** Attempts so far, the running one included. */
  readonly attempts: number
  /** Of the first attempt, or the begin of the wait. */
  readonly startedAt: number | null
  /** Of the attempt that runs. */
  readonly attemptAt: number | null
  readonly finishedAt: number | null
  readonly summary: string | null
  readonly warning: string | null
  /** Taken back by a rollback. */
  readonly undone: boolean
  /** Needs and predecessors, whichever way they hold it up. */
  readonly before: readonly NodeView[]
  readonly dependents: readonly NodeView[]
  /** How many of `before` have not ended; 0: it could start. */
  readonly open: number
  /** A node that is no matter for people: a join. */
  readonly hidden: boolean
  readonly approval: ApprovalView | null
}

export interface ApprovalView {
  readonly name: string
  readonly from: Readonly<Record<string, number>>
  readonly given: readonly { readonly person: string; readonly role: string; readonly at: number }[]
  readonly refused: readonly { readonly person: string; readonly reason: string; readonly at: number }[]
  readonly rejected: {
    readonly person: string
    readonly role: string
    readonly reason: string
    readonly at: number
  } | null
}

/** A stage of the plan, or a rollback: nodes that are shown together. */
export interface GroupView {
  readonly name: string
  /** The stages that it waits for; none for a rollback. */
  readonly after: readonly string[]
  readonly rollback: RollbackView | null
  readonly nodes: readonly NodeView[]
  readonly counts: Readonly<Counts>
  /** Running, retrying, waiting, interrupted or uncertain, in the order in which they became so. */
  readonly active: ReadonlySet<NodeView>
  readonly startedAt: number | null
  /** When the last of its nodes ended; null while one has not. */
  readonly finishedAt: number | null
}

export interface RollbackView {
  readonly number: number
  /** The root cause's node, `person` or `guard`. */
  readonly because: string
  readonly scope: RollbackScope
  readonly strategy: RollbackStrategy
  /** What the guard had measured; null: it was not the guard, or there was no breach. */
  readonly breach: GuardBreach | null
  readonly kept: readonly { readonly node: string; readonly reason: string }[]
  readonly finishedAt: number | null
  /** What was found then; null: nobody looked. */
  readonly validated: Validation | null
}

/** Nodes for people, by how they stand. They sum up to `total`, but for `warned`, which is part of `succeeded`. */
export interface Counts {
  total: number
  pending: number
  active: number
  succeeded: number
  failed: number
  cancelled: number
  skipped: number
  warned: number
}

export interface RunViewState {
  readonly plan: Plan
  /** Empty until the run has begun. */
  readonly run: string
  readonly who: string
  readonly only: readonly string[] | null
  readonly phase: 'new' | 'running' | 'left' | 'finished'
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** Of the last event. */
  readonly lastAt: number | null
  readonly runner: {
    readonly who: string
    readonly host: string
    readonly pid: number
    readonly since: number
  } | null
  /** How often a runner took it over; the first began it, each other one resumed it. */
  readonly attachments: number
  readonly stop: { readonly by: 'interrupt' | 'cancel'; readonly who: string } | null
  readonly left: { readonly why: 'interrupted' | 'waiting'; readonly waiting: readonly string[] } | null
  readonly outcome: Outcome | null
  /** The one root cause; its consequences are never called failures. */
  readonly cause: NodeView | null
  readonly stages: readonly GroupView[]
  readonly rollbacks: readonly GroupView[]
  readonly nodes: ReadonlyMap<string, NodeView>
  readonly counts: Readonly<Counts>
  readonly active: ReadonlySet<NodeView>
  /** Could start, and has not: all places are taken, or nothing new starts. */
  readonly ready: ReadonlySet<NodeView>
}

/** history: it was recorded before this process looked, and is taken in without being told to people. */
export type Source = 'history' | 'live'

/** What changed: an event was taken in, or a node printed whole lines. */
export type ViewChange =
  | {
      readonly type: 'event'
      readonly event: RunEvent
      readonly node: NodeView | null
      readonly source: Source
    }
  | { readonly type: 'output'; readonly node: NodeView; readonly lines: readonly string[] }

export interface RunView {
  /** Takes the next event in, and tells the listeners afterwards. `source` is `live` unless said. */
  apply(event: RunEvent, source?: Source): void
  /** Takes in what a node's process printed, in pieces of any size. */
  output(node: string, chunk: string): void
  /** Tells of every change from now on; returns what ends it. */
  subscribe(listener: (change: ViewChange) => void): () => void
  /** The last whole lines that a running node printed, oldest first, at most five. */
  lastLines(node: NodeView): readonly string[]
  readonly state: RunViewState
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type MutableNode = Omit<Writable<NodeView>, 'before' | 'dependents' | 'group' | 'approval'> & {
  group: MutableGroup
  before: MutableNode[]
  dependents: MutableNode[]
  approval: MutableApproval | null
}
type MutableApproval = Omit<Writable<ApprovalView>, 'given' | 'refused'> & {
  given: ApprovalView['given'][number][]
  refused: ApprovalView['refused'][number][]
}
type MutableGroup = Omit<Writable<GroupView>, 'nodes' | 'active' | 'counts' | 'rollback'> & {
  nodes: MutableNode[]
  active: Set<MutableNode>
  counts: Counts
  rollback: Writable<RollbackView> | null
  /** When the last of its nodes ended that had begun: being skipped later takes no time. */
  lastEndAt: number | null
}
type MutableState = Omit<
  Writable<RunViewState>,
  'nodes' | 'active' | 'ready' | 'counts' | 'stages' | 'rollbacks' | 'cause'
> & {
  nodes: Map<string, MutableNode>
  active: Set<MutableNode>
  ready: Set<MutableNode>
  counts: Counts
  stages: MutableGroup[]
  rollbacks: MutableGroup[]
  cause: MutableNode | null
}

/** A view of a run of this plan, before its first event. */
export function createRunView(plan: Plan): RunView {
  const state = initialState(plan)
  const tails = new Map<string, OutputTail>()
  const listeners = new Set<(change: ViewChange) => void>()
  const tell = (change: ViewChange): void => {
    for (const listener of listeners) listener(change)
  }
  const endOutput = (node: MutableNode): void => {
    const rest = tails.get(node.key)?.end() ?? []
    if (rest.length > 0) tell({ type: 'output', node, lines: rest })
    tails.delete(node.key)
  }
  return {
    state,
    lastLines: node => tails.get(node.key)?.lines ?? [],
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    apply(event, source = 'live') {
      const node = 'node' in event ? (state.nodes.get(event.node) ?? null) : null
      if (node !== null && isLastWord(event)) endOutput(node)
      take(state, event, node)
      state.lastAt = event.at
      tell({ type: 'event', event, node, source })
    },
    output(key, chunk) {
      const node = state.nodes.get(key)
      if (node === undefined) return
      const tail = tails.get(key) ?? createOutputTail()
      tails.set(key, tail)
      const lines = tail.write(chunk)
      if (lines.length > 0) tell({ type: 'output', node, lines })
    },
  }
}

const isLastWord = (event: RunEvent): boolean =>
  event.type === 'node-succeeded' ||
  event.type === 'node-failed' ||
  event.type === 'node-cancelled' ||
  event.type === 'node-retrying'

// ── the fold ────────────────────────────────────────────────────────────────────────────────────

function take(state: MutableState, event: RunEvent, node: MutableNode | null): void {
  switch (event.type) {
    case 'run-started':
      state.run = event.run
      state.who = event.who
      state.only = event.only
      state.startedAt = event.at
      state.phase = 'running'
      return
    case 'runner-attached':
      attach(state, event)
      return
    case 'plan-adopted':
      return
    case 'rollback-planned':
      planRollback(state, event)
      return
    case 'rollback-finished': {
      const rollback = state.rollbacks.find(group => group.rollback?.number === event.rollback)?.rollback
      if (rollback) {
        rollback.finishedAt = event.at
        rollback.validated = event.validated ?? null
      }
      return
    }
    case 'stop-asked':
      state.stop = { by: event.by, who: event.who }
      return
    case 'run-left':
      state.phase = 'left'
      state.left = { why: event.why, waiting: event.waiting }
      interruptRunning(state)
      return
    case 'run-reopened':
      reopenRun(state, event.nodes)
      return
    case 'run-finished':
      state.phase = 'finished'
      state.outcome = event.outcome
      state.finishedAt = event.at
      state.cause = (event.cause === null ? undefined : state.nodes.get(event.cause)) ?? state.cause
      return
    default:
      if (node !== null) takeNode(state, event, node)
  }
}

type NodeEvent = Extract<RunEvent, { node: string }>

function takeNode(state: MutableState, event: NodeEvent, node: MutableNode): void {
  switch (event.type) {
    case 'node-started':
      node.attempts = event.attempt
      node.attemptAt = event.at
      enter(state, node, { type: 'running' }, event.at)
      return
    case 'node-waiting':
      enter(state, node, { type: 'waiting', for: event.for, until: event.until }, event.at)
      return
    case 'node-retrying':
      enter(state, node, { type: 'retrying', until: event.until, failure: event.failure }, event.at)
      return
    case 'node-uncertain':
      enter(state, node, { type: 'uncertain' }, event.at)
      return
    case 'node-succeeded':
      node.summary = event.summary
      node.warning = event.warning
      if (node.undoes !== null) (node.undoes as MutableNode).undone = true
      end(state, node, { type: 'succeeded', how: event.how }, event.at)
      return
    case 'node-failed':
      if (node.undoes === null) state.cause ??= node
      end(state, node, { type: 'failed', failure: event.failure }, event.at)
      return
    case 'node-cancelled':
      end(state, node, { type: 'cancelled', because: event.because }, event.at)
      return
    case 'node-skipped':
      end(state, node, { type: 'skipped', because: event.because }, event.at)
      return
    case 'node-rerun':
      reopen(state, node)
      return
    case 'approval-given':
      node.approval?.given.push({ person: event.person, role: event.role, at: event.at })
      return
    case 'approval-refused':
      node.approval?.refused.push({ person: event.person, reason: event.reason, at: event.at })
      return
    case 'approval-rejected': {
      const { person, role, reason, at } = event
      if (node.approval) node.approval.rejected = { person, role, reason, at }
      return
    }
    default:
      // V2: an event of a newer version.
      event satisfies never
  }
}

function attach(state: MutableState, event: Extract<RunEvent, { type: 'runner-attached' }>): void {
  state.runner = { who: event.who, host: event.host, pid: event.pid, since: event.at }
  state.attachments += 1
  state.stop = null
  state.left = null
  if (state.phase === 'left') state.phase = 'running'
  interruptRunning(state)
}

/** Whatever ran under a runner that is gone, runs no more. */
function interruptRunning(state: MutableState): void {
  for (const node of state.active) if (node.status.type === 'running') node.status = { type: 'interrupted' }
}

function enter(state: MutableState, node: MutableNode, status: NodeStatus, at: number): void {
  node.startedAt ??= at
  node.finishedAt = null
  move(state, node, status)
  state.active.add(node)
  node.group.active.add(node)
  state.ready.delete(node)
  node.group.startedAt ??= at
}

function end(state: MutableState, node: MutableNode, status: NodeStatus, at: number): void {
  const first = !isEnded(node.status)
  const skipped = status.type === 'skipped'
  if (!skipped) node.startedAt ??= at
  node.finishedAt = at
  move(state, node, status)
  state.active.delete(node)
  node.group.active.delete(node)
  state.ready.delete(node)
  if (!first) return
  if (!skipped) {
    node.group.startedAt ??= at
    node.group.lastEndAt = at
  }
  const { counts } = node.group
  if (counts.pending + counts.active === 0) node.group.finishedAt = node.group.lastEndAt ?? at
  for (const dependent of node.dependents) unblock(state, dependent)
}

function unblock(state: MutableState, node: MutableNode): void {
  node.open -= 1
  if (node.open === 0 && node.status.type === 'pending' && !node.hidden) state.ready.add(node)
}

/** Changes the status and every count that follows from it. */
function move(state: MutableState, node: MutableNode, status: NodeStatus): void {
  if (!node.hidden) {
    count(state, node, -1)
    node.status = status
    count(state, node, 1)
  } else node.status = status
}

function count(state: MutableState, node: MutableNode, by: 1 | -1): void {
  const column = columnOf(node.status)
  const warned = node.status.type === 'succeeded' && node.warning !== null ? by : 0
  node.group.counts[column] += by
  node.group.counts.warned += warned
  // The run's own progress is that of its plan; a rollback has a line of its own.
  if (node.undoes !== null) return
  state.counts[column] += by
  state.counts.warned += warned
}

function columnOf(status: NodeStatus): Exclude<keyof Counts, 'total' | 'warned'> {
  switch (status.type) {
    case 'pending':
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'skipped':
      return status.type
    case 'running':
    case 'retrying':
    case 'waiting':
    case 'interrupted':
    case 'uncertain':
      return 'active'
  }
}

export const isEnded = (status: NodeStatus): boolean =>
  status.type === 'succeeded' ||
  status.type === 'failed' ||
  status.type === 'cancelled' ||
  status.type === 'skipped'

function reopen(state: MutableState, node: MutableNode): void {
  const ended = isEnded(node.status)
  move(state, node, { type: 'pending' })
  node.startedAt = null
  node.attemptAt = null
  node.finishedAt = null
  node.summary = null
  node.warning = null
  node.undone = false
  node.group.finishedAt = null
  state.active.delete(node)
  node.group.active.delete(node)
  if (ended) {
    for (const dependent of node.dependents) {
      dependent.open += 1
      state.ready.delete(dependent)
    }
  }
  if (node.open === 0 && !node.hidden) state.ready.add(node)
}

function reopenRun(state: MutableState, keys: readonly string[]): void {
  state.phase = 'running'
  state.outcome = null
  state.finishedAt = null
  state.cause = null
  state.stop = null
  state.left = null
  for (const key of keys) {
    const node = state.nodes.get(key)
    if (node !== undefined) reopen(state, node)
  }
}

function planRollback(state: MutableState, event: Extract<RunEvent, { type: 'rollback-planned' }>): void {
  const group = newGroup(`rollback ${event.rollback}`, [])
  group.rollback = {
    number: event.rollback,
    because: event.because,
    scope: event.scope,
    strategy: event.strategy ?? 'service-by-service',
    breach: event.breach ?? null,
    kept: event.kept,
    finishedAt: null,
    validated: null,
  }
  group.startedAt = event.at
  state.rollbacks.push(group)
  state.phase = 'running'
  state.outcome = null
  state.finishedAt = null
  for (const node of event.nodes) addRollbackNode(state, group, node)
  for (const { key, after } of event.nodes) link(state, key, after)
}

function addRollbackNode(state: MutableState, group: MutableGroup, { key, undoes }: RollbackNode): void {
  const undone = state.nodes.get(undoes)
  if (undone === undefined) return
  addNode(state, group, { ...newNode(undone.node, group), key, undoes: undone as NodeView, approval: null })
}

// ── the beginning ───────────────────────────────────────────────────────────────────────────────

const noCounts = (): Counts => ({
  total: 0,
  pending: 0,
  active: 0,
  succeeded: 0,
  failed: 0,
  cancelled: 0,
  skipped: 0,
  warned: 0,
})

const newGroup = (name: string, after: readonly string[]): MutableGroup => ({
  name: plain(name),
  after,
  rollback: null,
  nodes: [],
  counts: noCounts(),
  active: new Set(),
  startedAt: null,
  finishedAt: null,
  lastEndAt: null,
})

const newNode = (node: PlanNode, group: MutableGroup): MutableNode => ({
  key: node.key,
  title: plain(node.title),
  group,
  node,
  undoes: null,
  status: { type: 'pending' },
  attempts: 0,
  startedAt: null,
  attemptAt: null,
  finishedAt: null,
  summary: null,
  warning: null,
  undone: false,
  before: [],
  dependents: [],
  open: 0,
  hidden: node.operation.kind === 'join',
  approval:
    node.operation.kind === 'approval'
      ? {
          name: plain(node.operation.name),
          from: node.operation.from,
          given: [],
          refused: [],
          rejected: null,
        }
      : null,
})

function addNode(state: MutableState, group: MutableGroup, node: MutableNode): void {
  state.nodes.set(node.key, node)
  group.nodes.push(node)
  if (node.hidden) return
  group.counts.total += 1
  group.counts.pending += 1
  if (node.undoes !== null) return
  state.counts.total += 1
  state.counts.pending += 1
}

function link(state: MutableState, key: string, before: readonly string[]): void {
  const node = state.nodes.get(key)
  if (node === undefined) return
  for (const name of new Set(before)) {
    const earlier = state.nodes.get(name)
    if (earlier === undefined) continue
    node.before.push(earlier)
    earlier.dependents.push(node)
    if (!isEnded(earlier.status)) node.open += 1
  }
  if (node.open === 0 && !node.hidden) state.ready.add(node)
}

function initialState(plan: Plan): MutableState {
  const state: MutableState = {
    plan,
    run: '',
    who: '',
    only: null,
    phase: 'new',
    startedAt: null,
    finishedAt: null,
    lastAt: null,
    runner: null,
    attachments: 0,
    stop: null,
    left: null,
    outcome: null,
    cause: null,
    stages: plan.stages.map(stage => newGroup(stage.name, stage.after)),
    rollbacks: [],
    nodes: new Map(),
    counts: noCounts(),
    active: new Set(),
    ready: new Set(),
  }
  const groups = new Map(plan.stages.map((stage, i) => [stage.name, state.stages[i]!]))
  for (const node of plan.nodes) {
    const group = groups.get(node.stage)
    if (group !== undefined) addNode(state, group, newNode(node, group))
  }
  for (const { key, needs, after } of plan.nodes) link(state, key, [...needs, ...after])
  return state
}

// ── questions ───────────────────────────────────────────────────────────────────────────────────

/** What holds a pending node up, seen through joins: at most `limit`, and whether there are more. */
export function blockersOf(
  node: NodeView,
  limit: number,
): { readonly nodes: readonly NodeView[]; readonly more: boolean } {
  const seen = new Set<NodeView>([node])
  const found: NodeView[] = []
  const open = [node]
  // A wide join is looked through only as far as can be shown (V1).
  for (let next = open.pop(); next !== undefined && seen.size < 500; next = open.pop()) {
    for (const before of next.before) {
      if (seen.has(before) || isEnded(before.status)) continue
      seen.add(before)
      if (before.hidden) open.push(before)
      else if (found.length === limit) return { nodes: found, more: true }
      else found.push(before)
    }
  }
  return { nodes: found, more: false }
}

/** Whose word an approval still waits for, by role. */
export function outstanding(
  approval: ApprovalView,
): readonly { readonly role: string; readonly count: number }[] {
  return Object.entries(approval.from).flatMap(([role, wanted]) => {
    const count = wanted - approval.given.filter(word => word.role === role).length
    return count > 0 ? { role, count } : []
  })
}

/** Ended nodes for people, in whatever way. */
export const endedOf = (counts: Readonly<Counts>): number => counts.total - counts.pending - counts.active
