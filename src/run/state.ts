/**
 * The state of a run: the fold of its events over its plan.
 *
 *     pending ──▶ running ──▶ succeeded ──▶ undone
 *        │         │   ▲ │
 *        │         │   │ ├──▶ failed ─────▶ undone
 *        │         ▼   │ ├──▶ cancelled ──▶ undone
 *        │       retrying└──▶ uncertain ──▶ pending (rerun)
 *        ├──▶ waiting ──▶ succeeded | failed | cancelled
 *        └──▶ skipped
 *
 * Boundary: pure. Time comes from the events.
 *
 * Invariants:
 *  S1. Folding the same events over the same plan gives the same state.
 *  S2. `open` of a piece of work counts the needs and predecessors that have not ended; at 0 it is ready or skipped.
 *  S3. A state belongs to one fold: `evolve` advances it in place, so that ten thousand nodes cost ten
 *      thousand steps and not their square. Nobody else holds it.
 */
import type { FailurePolicy, Json, Plan, PlanNode, RollbackStrategy } from '../plan/plan.ts'
import type { GivenApproval } from './approvals.ts'
import type { Failure, Outcome, RollbackScope } from './events.ts'
import { ReadyQueue } from './ready-queue.ts'
import { type Selection, selectNodes } from './selection.ts'
import type { Validation } from './validation.ts'

export type Status =
  | { readonly type: 'pending' }
  | { readonly type: 'running' }
  | { readonly type: 'retrying'; readonly until: number }
  | { readonly type: 'waiting'; readonly for: 'person' | 'time'; readonly until: number | null }
  | { readonly type: 'succeeded'; readonly warning: string | null }
  | { readonly type: 'failed'; readonly failure: Failure }
  | { readonly type: 'cancelled'; readonly because: string }
  | { readonly type: 'skipped'; readonly because: string }
  | { readonly type: 'uncertain' }

/** A node of the plan, or a rollback's node that takes one back. */
export interface Work {
  readonly key: string
  /** Place in the order in which ties are broken. */
  readonly order: number
  /** The plan's node; for a rollback's work, the one that is taken back. */
  readonly node: PlanNode
  /** Number of the rollback that this belongs to; null: the plan's own. */
  readonly rollback: number | null
  readonly needs: readonly Work[]
  readonly dependents: Work[]
  /** Needs and predecessors that have not ended (S2). */
  open: number
  status: Status
  /** Asked of the ground by this runner, its outcome not yet known. */
  inFlight: boolean
  /** Its time for another attempt has come, and it waits for its turn. */
  due: boolean
  /** A crash cut its last attempt off: what it did is to be found out first. */
  interrupted: boolean
  attempts: number
  failures: number
  value: Json
  /** Position in the order of successful ends, from 1; 0: never. */
  doneOrder: number
  /** Its effect may have happened and has not been taken back: a rollback owes its undoing. */
  owed: boolean
  /** It was taken back by a rollback. */
  undone: boolean
}

/** Why nothing new starts. */
export interface Halt {
  readonly cause: string
  readonly policy: Exclude<FailurePolicy, 'continue-partial'>
  /** The rollback that it asks for is planned. One of before, when the same node had failed, does not count. */
  readonly planned: boolean
}

/** A failure that stays with some components while the rest goes on. */
export interface Containment {
  readonly cause: string
  readonly components: readonly string[]
}

export interface RollbackState {
  readonly number: number
  readonly because: string
  readonly scope: RollbackScope
  readonly strategy: RollbackStrategy
  readonly works: readonly Work[]
  readonly kept: readonly { readonly node: string; readonly reason: string }[]
  /** Works that have not ended. */
  left: number
  /** What runs is being held against what should, by this runner. */
  validating: boolean
  finished: boolean
  /** What was found then; null: nobody looked, or it has not finished. */
  validated: Validation | null
}

export interface RunState {
  readonly plan: Plan
  readonly works: ReadonlyMap<string, Work>
  /** Mutable twin of `works` for the fold alone. */
  readonly all: Map<string, Work>
  readonly ready: ReadyQueue<Work>
  /** Ended predecessors, but a need did not succeed: to be skipped. */
  readonly toSkip: { readonly work: Work; readonly because: string }[]
  /** Works whose status is running, retrying, waiting or uncertain. */
  readonly active: Set<Work>
  /** Of these: what this runner has not asked of its ground. Kept by {@link reindex}. */
  readonly resting: Set<Work>
  /** Of these: effects that run and take a place of the plan's concurrency. Kept by {@link reindex}. */
  readonly working: Set<Work>
  /** Of these: approvals that wait for people. Kept by {@link reindex}. */
  readonly asking: Set<Work>
  /** Works that were told to stop and have not ended yet. */
  readonly cancelling: Set<Work>
  selection: Selection
  run: string
  startedBy: string
  phase: 'new' | 'running' | 'finished'
  cause: string | null
  halt: Halt | null
  readonly containments: Containment[]
  /** Contained failures whose rollback is not planned yet. */
  readonly toContain: Containment[]
  readonly rollbacks: RollbackState[]
  /** What was undecided when nothing else was left to do has been taken back, or at least tried. */
  trafficTried: boolean
  /** Somebody is there to see what runs when a rollback has ended: it finishes with what is found. */
  validates: boolean
  readonly given: Map<string, GivenApproval[]>
  readonly nonces: Set<string>
  /** How many words of people about approvals were answered, whatever the answer. */
  words: number
  stop: 'interrupt' | 'cancel' | null
  /** Second interrupt: what runs was told to stop too. */
  aborted: boolean
  outcome: Outcome | null
  /** Plan works that have not ended. */
  left: number
  done: number
}

const PENDING: Status = { type: 'pending' }

/** A piece of work of which nothing has happened yet. */
export const newWork = (of: Pick<Work, 'key' | 'order' | 'node' | 'rollback' | 'needs' | 'open'>): Work => ({
  ...of,
  dependents: [],
  status: PENDING,
  inFlight: false,
  due: false,
  interrupted: false,
  attempts: 0,
  failures: 0,
  value: null,
  doneOrder: 0,
  owed: false,
  undone: false,
})

/** The state before the first event. */
export function initialState(plan: Plan): RunState {
  const all = new Map<string, Work>()
  plan.nodes.forEach((node, order) => {
    const needs = node.needs.map(key => all.get(key)!)
    const after = node.after.map(key => all.get(key)!)
    const open = needs.length + after.length
    const work = newWork({ key: node.key, order, node, rollback: null, needs, open })
    for (const predecessor of [...needs, ...after]) predecessor.dependents.push(work)
    all.set(node.key, work)
  })
  return {
    plan,
    works: all,
    all,
    ready: new ReadyQueue<Work>(takesPlace),
    toSkip: [],
    active: new Set(),
    resting: new Set(),
    working: new Set(),
    asking: new Set(),
    cancelling: new Set(),
    selection: selectNodes(plan, null),
    run: '',
    startedBy: '',
    phase: 'new',
    cause: null,
    halt: null,
    containments: [],
    toContain: [],
    rollbacks: [],
    trafficTried: false,
    validates: false,
    given: new Map(),
    nonces: new Set(),
    words: 0,
    stop: null,
    aborted: false,
    outcome: null,
    left: plan.nodes.length,
    done: 0,
  }
}

/** Looks and changes nothing: it takes nobody's place, and is not waited for when nothing may go on. */
export const isWatching = (work: Work): boolean =>
  work.rollback === null && work.node.operation.kind === 'analyse'

/** The engine itself performs it: there is nothing to ask the world for. */
export const isFree = (work: Work): boolean =>
  work.rollback === null && ['join', 'wait', 'approval'].includes(work.node.operation.kind)

/** It is one of those of which only `plan.concurrency` are in flight at once. */
const takesPlace = (work: Work): boolean => !isFree(work) && !isWatching(work)

/** Puts a work where its status and `inFlight` say: to be called whenever one of these has changed. */
export function reindex(state: RunState, work: Work): void {
  const active = state.active.has(work)
  const { status, inFlight } = work
  put(state.resting, work, active && !inFlight)
  put(state.working, work, active && inFlight && status.type === 'running' && !isWatching(work))
  const asks = active && status.type === 'waiting' && work.node.operation.kind === 'approval'
  put(state.asking, work, asks)
}

function put(set: Set<Work>, work: Work, belongs: boolean): void {
  if (belongs) set.add(work)
  else set.delete(work)
}

export function setInFlight(state: RunState, work: Work, inFlight: boolean): void {
  work.inFlight = inFlight
  reindex(state, work)
}

export const isEnded = (status: Status): boolean => {
  switch (status.type) {
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'skipped':
      return true
    case 'pending':
    case 'running':
    case 'retrying':
    case 'waiting':
    case 'uncertain':
      return false
  }
}

/** What those that need it may rely on. A node left out by `--only` does not hold up what was chosen. */
export const isSatisfied = (status: Status): boolean =>
  status.type === 'succeeded' || (status.type === 'skipped' && status.because === 'only')
