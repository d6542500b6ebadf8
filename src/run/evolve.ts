/**
 * evolve: state and event to state.
 *
 * Boundary: pure but for S3 (state.ts): the state handed in is the one handed back, advanced.
 */
import type { RollbackNode, RunEvent } from './events.ts'
import { isOf, judgeFailure, reachOf } from './policy.ts'
import { selectNodes } from './selection.ts'
import {
  type Containment,
  type Halt,
  isEnded,
  isSatisfied,
  newWork,
  type RollbackState,
  type RunState,
  reindex,
  type Status,
  setInFlight,
  type Work,
} from './state.ts'

/** Advances the state by one event. Events of nodes that the plan does not hold are an error in the caller. */
export function evolve(state: RunState, event: RunEvent): RunState {
  switch (event.type) {
    case 'run-started':
      return begin(state, event)
    case 'runner-attached':
      return attach(state)
    case 'plan-adopted':
      return state
    case 'node-started': {
      const work = workOf(state, event.node)
      work.attempts = event.attempt
      work.owed = true
      work.undone = false
      return enter(state, work, { type: 'running' })
    }
    case 'node-waiting':
      return enter(state, workOf(state, event.node), { type: 'waiting', for: event.for, until: event.until })
    case 'node-succeeded': {
      const work = workOf(state, event.node)
      work.value = event.value
      // Found to be so at the very first look: it changed nothing, and there is nothing to take back.
      work.owed = !(event.how === 'observed' && event.attempt === 1)
      state.done += 1
      work.doneOrder = state.done
      return end(state, work, { type: 'succeeded', warning: event.warning })
    }
    case 'node-retrying': {
      const work = workOf(state, event.node)
      work.failures += 1
      work.inFlight = false
      work.due = false
      return enter(state, work, { type: 'retrying', until: event.until })
    }
    case 'node-failed':
      return fail(state, workOf(state, event.node), event)
    case 'node-cancelled':
      return end(state, workOf(state, event.node), { type: 'cancelled', because: event.because })
    case 'node-skipped':
      return end(state, workOf(state, event.node), { type: 'skipped', because: event.because })
    case 'node-uncertain':
      return enter(state, workOf(state, event.node), { type: 'uncertain' })
    case 'node-rerun': {
      const work = workOf(state, event.node)
      work.interrupted = false
      return reopen(state, work)
    }
    case 'approval-given':
      state.given.set(event.node, [
        ...(state.given.get(event.node) ?? []),
        { person: event.person, role: event.role },
      ])
      return remember(state, event.statement)
    case 'approval-refused':
      state.words += 1
      return state
    case 'approval-rejected':
      return remember(state, event.statement)
    case 'rollback-planned':
      return planRollback(state, event)
    case 'rollback-finished':
      return finishRollback(state, event)
    case 'stop-asked':
      state.stop = event.by
      return state
    case 'run-left':
      return state
    case 'run-finished':
      state.phase = 'finished'
      state.outcome = event.outcome
      return state
    case 'run-reopened':
      return reopenRun(state, event.nodes)
    default:
      return unknownEvent(event)
  }
}

function unknownEvent(event: never): never {
  throw new Error(`an event of a type that this version does not know: ${JSON.stringify(event)}`)
}

function workOf(state: RunState, key: string): Work {
  const work = state.all.get(key)
  if (work === undefined) throw new Error(`the journal names ${key}, which is not in the plan`)
  return work
}

function begin(state: RunState, event: Extract<RunEvent, { type: 'run-started' }>): RunState {
  state.phase = 'running'
  state.run = event.run
  state.startedBy = event.who
  state.selection = selectNodes(state.plan, event.only)
  for (const work of state.all.values()) if (work.open === 0) state.ready.push(work)
  return state
}

/** Whatever the runner before had in flight is cut off; what it asked of its ground has to be asked again. */
function attach(state: RunState): RunState {
  // A Ctrl-C was meant for the runner that heard it, a cancel for the run.
  if (state.stop === 'interrupt') state.stop = null
  state.aborted = false
  for (const rollback of state.rollbacks) rollback.validating = false
  for (const work of state.active) {
    setInFlight(state, work, false)
    if (work.status.type === 'running') work.interrupted = true
  }
  return state
}

function enter(state: RunState, work: Work, status: Status): RunState {
  work.status = status
  state.active.add(work)
  reindex(state, work)
  return state
}

function end(state: RunState, work: Work, status: Status): RunState {
  const first = !isEnded(work.status)
  work.status = status
  work.inFlight = false
  work.interrupted = false
  state.active.delete(work)
  state.cancelling.delete(work)
  reindex(state, work)
  if (!first) return state
  if (work.rollback === null) state.left -= 1
  else endRollbackWork(state, work)
  for (const dependent of work.dependents) {
    dependent.open -= 1
    if (dependent.open === 0 && dependent.status.type === 'pending') release(state, dependent)
  }
  return state
}

function release(state: RunState, work: Work): void {
  const failed = work.needs.find(need => !isSatisfied(need.status))
  if (failed === undefined) state.ready.push(work)
  else state.toSkip.push({ work, because: rootOf(failed) })
}

/** Consequences name the root cause, not the link before them. */
const rootOf = (work: Work): string =>
  work.status.type === 'skipped' || work.status.type === 'cancelled' ? work.status.because : work.key

function endRollbackWork(state: RunState, work: Work): void {
  const rollback = state.rollbacks.find(r => r.number === work.rollback)!
  rollback.left -= 1
  if (work.status.type !== 'succeeded') return
  const undone = workOf(state, work.key.slice(prefixOf(rollback.number).length))
  undone.undone = true
  undone.owed = false
}

export const prefixOf = (rollback: number): string => `rollback/${rollback}/`

function fail(state: RunState, work: Work, event: Extract<RunEvent, { type: 'node-failed' }>): RunState {
  // An approval can be refused by a person and expire at one time: the first end on record is its end.
  if (isEnded(work.status)) return state
  work.failures += 1
  end(state, work, { type: 'failed', failure: event.failure })
  if (work.rollback !== null) return state
  const consequence = judgeFailure(state.plan, work.node)
  switch (consequence.kind) {
    case 'halt':
      return halt(state, { cause: work.key, policy: consequence.policy, planned: false })
    case 'contain': {
      const containment = { cause: work.key, components: consequence.components }
      state.cause ??= work.key
      state.containments.push(containment)
      state.toContain.push(containment)
      return abandon(state, containment)
    }
  }
}

/**
 * The first failure that stops the run is its root cause, also where others were contained before. What was still
 * running may fail as well: if its stage asks for more to be taken back, that is what happens.
 */
function halt(state: RunState, next: Halt): RunState {
  if (state.halt === null) state.cause = next.cause
  if (state.halt === null || reachOf(next.policy) > reachOf(state.halt.policy)) state.halt = next
  return state
}

/** What of the contained components has not begun never will. */
function abandon(state: RunState, containment: Containment): RunState {
  for (const work of state.works.values()) {
    if (work.rollback !== null || work.status.type !== 'pending') continue
    if (isOf(state.plan, work.node, containment.components))
      state.toSkip.push({ work, because: containment.cause })
  }
  return state
}

function planRollback(state: RunState, event: Extract<RunEvent, { type: 'rollback-planned' }>): RunState {
  const works = event.nodes.map((node, place) => rollbackWork(state, event.rollback, node, place))
  for (const [place, node] of event.nodes.entries()) link(state, works[place]!, node.after)
  const rollback: RollbackState = {
    number: event.rollback,
    because: event.because,
    scope: event.scope,
    strategy: event.strategy ?? 'service-by-service',
    works,
    kept: event.kept,
    left: works.length,
    validating: false,
    finished: false,
    validated: null,
  }
  state.rollbacks.push(rollback)
  if (event.scope.kind === 'traffic') state.trafficTried = true
  else if (isAskedFor(event.because)) state.trafficTried = false
  if (state.halt?.cause === event.because) state.halt = { ...state.halt, planned: true }
  const planned = state.toContain.findIndex(c => c.cause === event.because)
  if (planned >= 0) state.toContain.splice(planned, 1)
  if (isAskedFor(event.because)) reopenFor(state, event.because)
  for (const work of works) if (work.open === 0) state.ready.push(work)
  return state
}

/** Not a node of the plan, but somebody from outside wants it: a person, or the guard. */
export const isAskedFor = (because: string): boolean => because === 'person' || because === 'guard'

/** Such a rollback takes a run up again that had ended; nothing of the plan itself starts any more. */
function reopenFor(state: RunState, because: string): void {
  state.phase = 'running'
  state.outcome = null
  state.halt = { cause: because, policy: 'rollback-all', planned: true }
}

function finishRollback(state: RunState, event: Extract<RunEvent, { type: 'rollback-finished' }>): RunState {
  const rollback = state.rollbacks.find(({ number }) => number === event.rollback)!
  rollback.finished = true
  rollback.validating = false
  rollback.validated = event.validated ?? null
  return state
}

function rollbackWork(state: RunState, number: number, node: RollbackNode, place: number): Work {
  const undone = workOf(state, node.undoes)
  // Before anything of the plan: taking back comes first.
  const order = number * 1e7 + place - 1e12
  const work = newWork({ key: node.key, order, node: undone.node, rollback: number, needs: [], open: 0 })
  state.all.set(node.key, work)
  return work
}

function link(state: RunState, work: Work, after: readonly string[]): void {
  for (const key of after) {
    const before = workOf(state, key)
    if (isEnded(before.status)) continue
    before.dependents.push(work)
    work.open += 1
  }
}

function remember(state: RunState, statement: string): RunState {
  state.words += 1
  const nonce = (JSON.parse(statement) as { nonce?: unknown }).nonce
  if (typeof nonce === 'string') state.nonces.add(nonce)
  return state
}

/** An ended or uncertain node is pending again; those that waited for it wait again. */
function reopen(state: RunState, work: Work): RunState {
  const ended = isEnded(work.status)
  work.status = { type: 'pending' }
  work.inFlight = false
  work.value = null
  state.active.delete(work)
  reindex(state, work)
  if (ended) {
    state.left += 1
    for (const dependent of work.dependents) dependent.open += 1
  }
  if (work.open === 0) release(state, work)
  return state
}

function reopenRun(state: RunState, keys: readonly string[]): RunState {
  state.phase = 'running'
  state.outcome = null
  state.cause = null
  state.halt = null
  state.stop = null
  state.trafficTried = false
  state.containments.length = 0
  state.toContain.length = 0
  // A fold lets nobody take these out: they are of the failure that is gone on from.
  state.toSkip.length = 0
  const works = keys.map(key => workOf(state, key))
  for (const work of works) reopenQuietly(state, work)
  for (const work of works) if (work.open === 0) release(state, work)
  return state
}

/** As `reopen`, without releasing: its needs may be about to be reopened too. */
function reopenQuietly(state: RunState, work: Work): void {
  if (isEnded(work.status)) {
    state.left += 1
    for (const dependent of work.dependents) dependent.open += 1
  }
  work.status = { type: 'pending' }
  work.failures = 0
  work.undone = false
  work.inFlight = false
  state.active.delete(work)
  reindex(state, work)
}
