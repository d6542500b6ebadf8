/**
 * decide: what is to be done now.
 *
 * Role: looks at a run's state and says, as commands, what the engine asks of its ground next.
 * Boundary: deterministic; time is handed in. Commands taken are not given again: each marks the
 * state (`inFlight`) or is an event that the engine folds at once.
 *
 * Invariants:
 *  C1. While a halt or a stop is in force, no work of the plan starts; only rollback work does.
 *  C2. No more than `plan.concurrency` effects are in flight; waits, approvals and analyses are free: they only look.
 *  C4. No run ends while traffic is divided: whatever the policy, what was neither promoted nor taken back is taken back.
 *  C3. A run is finished only when nothing is in flight and every rollback owed has been planned and has ended.
 */
import { isApproved } from './approvals.ts'
import {
  haltingFailures,
  haltScope,
  nextStage,
  outcomeOf,
  plannedRollback,
  rollbacksDone,
  type Validating,
  validations,
} from './decide-rollback.ts'
import type { Outcome, Unstamped } from './events.ts'
import { isAskedFor } from './evolve.ts'
import { isOf } from './policy.ts'
import {
  type Containment,
  isEnded,
  isFree,
  isWatching,
  type RunState,
  setInFlight,
  type Work,
} from './state.ts'
import { undecidedComponents } from './traffic.ts'

export type Command =
  /** Facts to write down and fold at once. */
  | { readonly type: 'record'; readonly events: readonly Unstamped[] }
  /** `recover`: a crash cut the last attempt off; ask whether it is so already before doing it again. */
  | { readonly type: 'perform'; readonly work: Work; readonly attempt: number; readonly recover: boolean }
  /** Wait for people until the approval is given, refused or expired. */
  | { readonly type: 'ask'; readonly work: Work; readonly until: number | null }
  | { readonly type: 'sleep'; readonly work: Work; readonly until: number }
  /**
   * A failure that no effect brought about. Folded when the ground yields it, in the order of the record: which of two
   * failures came first decides what the run does, and a later fold has to find the same.
   */
  | {
      readonly type: 'conclude'
      readonly work: Work
      readonly until: number
      readonly events: readonly Unstamped[]
    }
  | Validating
  /** Stop what runs: its outcome is `node-cancelled`. */
  | { readonly type: 'cancel'; readonly work: Work }
  /** Nothing can go on before a person speaks or a time comes. `until`: the earliest such time. */
  | { readonly type: 'idle'; readonly waiting: readonly string[]; readonly until: number | null }
  | { readonly type: 'leave' }
  | { readonly type: 'finished'; readonly outcome: Outcome }

/** Commands in the order in which they are to be carried out. Empty: wait for what is in flight. */
export function decide(state: RunState, now: number): readonly Command[] {
  if (state.phase === 'new') return []
  if (state.phase === 'finished') return [{ type: 'finished', outcome: state.outcome! }]
  const facts = duties(state)
  if (facts.length > 0) return [{ type: 'record', events: facts }]
  const commands = [...validations(state), ...hold(state), ...revive(state, now), ...launch(state, now)]
  if (commands.length > 0) return commands
  return rest(state)
}

/** What follows from the state without asking anybody. */
function duties(state: RunState): Unstamped[] {
  const events: Unstamped[] = []
  // What is contained may follow from the same failure as well: it is skipped once, for the first reason.
  const skipped = new Set<Work>()
  for (const { work, because } of state.toSkip.splice(0)) {
    if (work.status.type !== 'pending' || skipped.has(work)) continue
    skipped.add(work)
    events.push({ type: 'node-skipped', node: work.key, because })
  }
  events.push(...granted(state), ...containmentsDue(state), ...rollbacksDone(state))
  return events
}

function granted(state: RunState): Unstamped[] {
  const events: Unstamped[] = []
  for (const work of state.asking) {
    const { operation } = work.node
    if (operation.kind !== 'approval' || state.cancelling.has(work)) continue
    const given = state.given.get(work.key) ?? []
    if (!isApproved(operation.from, given)) continue
    const by = given.map(g => `${g.person} as ${g.role}`)
    events.push(succeeded(work, { approvedBy: by }, `approved by ${by.join(', ')}`))
  }
  return events
}

const succeeded = (
  work: Work,
  value: Extract<Unstamped, { type: 'node-succeeded' }>['value'],
  summary: string | null,
): Unstamped => ({
  type: 'node-succeeded',
  node: work.key,
  attempt: Math.max(work.attempts, 1),
  value,
  summary,
  warning: null,
  how: 'performed',
})

/** A contained failure is taken back as soon as nothing of its components is in flight. */
function containmentsDue(state: RunState): Unstamped[] {
  if (state.halt?.policy === 'rollback-all') return []
  const due = state.toContain.filter(c => !isBusy(state, c))
  return due.slice(0, 1).map(containment =>
    plannedRollback(state, {
      scope: { kind: 'components', components: containment.components },
      because: containment.cause,
      including: [containment.cause],
    }),
  )
}

const isBusy = (state: RunState, containment: Containment): boolean =>
  [...state.active].some(
    work =>
      work.rollback === null &&
      work.node.component !== undefined &&
      containment.components.includes(work.node.component),
  )

/** What is not in flight although it is under way: after a crash, or because its time has come. */
function revive(state: RunState, now: number): Command[] {
  const commands: Command[] = []
  for (const work of [...state.resting].sort((a, b) => a.order - b.order)) {
    if (heldBecause(state, work) === null) commands.push(...reviveOne(state, work, now))
  }
  return commands
}

function reviveOne(state: RunState, work: Work, now: number): Command[] {
  const { status } = work
  const { operation } = work.node
  switch (status.type) {
    case 'running':
      if (state.stop === 'interrupt' || state.aborted) return []
      if (!canRecover(work)) return [uncertain(work)]
      return [start(state, work, { type: 'perform', work, attempt: work.attempts + 1, recover: true })]
    case 'retrying':
      if (status.until > now) return [start(state, work, { type: 'sleep', work, until: status.until })]
      setInFlight(state, work, true)
      work.due = true
      state.ready.push(work)
      return []
    case 'waiting':
      if (status.until === null || status.until > now) {
        return [start(state, work, waitFor(work, status.for, status.until))]
      }
      if (operation.kind !== 'approval') return [{ type: 'record', events: [succeeded(work, null, null)] }]
      state.cancelling.add(work)
      return [
        start(state, work, {
          type: 'conclude',
          work,
          until: status.until,
          events: [expired(work, operation.name)],
        }),
      ]
    case 'pending':
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'skipped':
    case 'uncertain':
      return []
  }
}

const waitFor = (work: Work, what: 'person' | 'time', until: number | null): Command =>
  what === 'person' ? { type: 'ask', work, until } : { type: 'sleep', work, until: until ?? 0 }

const expired = (work: Work, name: string): Unstamped => ({
  type: 'node-failed',
  node: work.key,
  attempt: 1,
  failure: {
    code: 'approval-expired',
    message: `nobody gave the approval "${name}" in time`,
    hint: 'Start a new run, or give the approval a longer `expires`.',
  },
})

const uncertain = (work: Work): Command => ({
  type: 'record',
  events: [{ type: 'node-uncertain', node: work.key, attempt: work.attempts }],
})

/** Whether an attempt that was cut off can be taken up without asking a person. Undoing always can: it is asked to be idempotent. */
const canRecover = (work: Work): boolean => {
  const { operation } = work.node
  if (work.rollback !== null || operation.kind !== 'step') return true
  return operation.idempotent || operation.observable
}

function start(state: RunState, work: Work, command: Command): Command {
  setInFlight(state, work, true)
  work.due = false
  return command
}

/** Why a work of the plan may not go on: a halt, a cancel, or the containment of its component. */
function heldBecause(state: RunState, work: Work): string | null {
  if (work.rollback !== null) return null
  if (state.halt !== null) return state.halt.cause
  if (state.stop === 'cancel') return 'cancel'
  return state.containments.find(c => isOf(state.plan, work.node, c.components))?.cause ?? null
}

/** What may not go on: what only waits ends now; a rollback of everything also ends what runs. */
function hold(state: RunState): Command[] {
  if (state.halt === null && state.stop !== 'cancel' && state.containments.length === 0) return []
  const commands: Command[] = []
  const events: Unstamped[] = []
  for (const work of state.active) {
    const because = heldBecause(state, work)
    if (because === null || (work.inFlight && state.cancelling.has(work))) continue
    const idle = work.status.type !== 'running' || !work.inFlight
    if (idle) events.push({ type: 'node-cancelled', node: work.key, because })
    else if (state.halt?.policy === 'rollback-all' || isWatching(work)) {
      state.cancelling.add(work)
      commands.push({ type: 'cancel', work })
    }
  }
  if (events.length > 0) commands.push({ type: 'record', events })
  return commands
}

/** So many are begun by one decision at most: whoever carries them out has other things to do in between. */
const MOST_AT_ONCE = 100

function launch(state: RunState, now: number): Command[] {
  // Nothing is taken out of the queue by a runner that is about to leave: a cancel may still keep it.
  if (state.stop === 'interrupt' || state.aborted) return []
  const commands: Command[] = []
  const leftOut: Unstamped[] = []
  let running = state.working.size
  while (commands.length < MOST_AT_ONCE) {
    const work = state.ready.peek({ placesLeft: running < state.plan.concurrency })
    if (work === undefined) break
    state.ready.take(work)
    if (!mayStart(state, work)) continue
    if (isLeftOut(state, work)) {
      leftOut.push({ type: 'node-skipped', node: work.key, because: 'only' })
      continue
    }
    if (!isFree(work) && !isWatching(work)) running += 1
    commands.push(...begin(state, work, now))
  }
  if (leftOut.length > 0) commands.push({ type: 'record', events: leftOut })
  return commands
}

/**
 * What `--only` did not choose is skipped when its turn has come, not before: what follows it then waits for every gate
 * and approval that stands before it.
 */
const isLeftOut = (state: RunState, work: Work): boolean =>
  work.rollback === null && !state.selection.includes(work.node)

/**
 * C1. What may not start stays as it is: a resume folds the journal anew and finds it again.
 * A fold takes nothing out of the queue, so that what is in it may have been started long ago, or wait for another
 * attempt whose time has not come.
 */
function mayStart(state: RunState, work: Work): boolean {
  const due =
    work.status.type === 'retrying'
      ? work.due
      : work.status.type === 'pending' && work.open === 0 && !work.inFlight
  return due && heldBecause(state, work) === null
}

function begin(state: RunState, work: Work, now: number): Command[] {
  const { operation } = work.node
  if (isFree(work)) {
    switch (operation.kind) {
      case 'join':
        return [start(state, work, { type: 'record', events: [succeeded(work, null, null)] })]
      case 'wait':
        return wait(state, work, 'time', now + operation.duration)
      case 'approval':
        return wait(state, work, 'person', operation.expires === null ? null : now + operation.expires)
    }
  }
  return [start(state, work, { type: 'perform', work, attempt: work.attempts + 1, recover: false })]
}

const wait = (state: RunState, work: Work, what: 'person' | 'time', until: number | null): Command[] => [
  { type: 'record', events: [{ type: 'node-waiting', node: work.key, for: what, until }] },
  start(state, work, waitFor(work, what, until)),
]

/** Whether anything is in flight whose end is to be waited for. */
function isInFlight(state: RunState): boolean {
  if (state.rollbacks.some(({ validating }) => validating)) return true
  for (const work of state.active) {
    if (work.inFlight && (work.status.type === 'running' || state.cancelling.has(work))) return true
  }
  return false
}

/** Nothing to start: is the run at an end, or what does it wait for? */
function rest(state: RunState): readonly Command[] {
  if (isInFlight(state)) return []
  if (state.stop === 'interrupt') return [{ type: 'leave' }]
  const rollbackLeft = state.rollbacks.some(rollback => !rollback.finished)
  if (state.aborted && rollbackLeft) return [{ type: 'leave' }]
  if (state.halt !== null) return rollbackLeft ? idle(state) : halted(state)
  if (state.stop === 'cancel') {
    if (rollbackLeft) return idle(state)
    return decideTraffic(state, 'cancel') ?? finish(state, 'cancelled')
  }
  if (state.left === 0 && !rollbackLeft) {
    const outcome = state.containments.length > 0 ? 'partial' : 'succeeded'
    return decideTraffic(state, state.cause ?? 'cancel') ?? finish(state, outcome)
  }
  return idle(state)
}

function halted(state: RunState): readonly Command[] {
  const halt = state.halt!
  if (isAskedFor(halt.cause)) {
    const next = nextStage(state, halt.cause, [])
    if (next !== null) return [{ type: 'record', events: [next] }]
    return decideTraffic(state, halt.cause) ?? finish(state, outcomeOf(state, halt.cause))
  }
  const failed = haltingFailures(state)
  const including = failed.map(work => work.key)
  if (halt.policy === 'stop' || halt.planned) {
    const next = nextStage(state, halt.cause, including)
    if (next !== null) return [{ type: 'record', events: [next] }]
    return decideTraffic(state, halt.cause) ?? finish(state, 'failed')
  }
  const strategy = state.plan.rollback
  const event = plannedRollback(state, {
    scope: haltScope(state, failed),
    because: halt.cause,
    including,
    strategy,
  })
  return [{ type: 'record', events: [event] }]
}

/** C4. Tried once before an end: what cannot be taken back is said in the report. */
function decideTraffic(state: RunState, because: string): readonly Command[] | null {
  const components = state.trafficTried ? [] : undecidedComponents(state)
  if (components.length === 0) return null
  const event = plannedRollback(state, { scope: { kind: 'traffic', components }, because })
  return [{ type: 'record', events: [event] }]
}

function finish(state: RunState, outcome: Outcome): readonly Command[] {
  const because = state.cause ?? (outcome === 'cancelled' ? 'cancel' : (state.halt?.cause ?? 'person'))
  const events: Unstamped[] = []
  for (const work of state.works.values()) {
    if (work.rollback === null && !isEnded(work.status)) {
      events.push({ type: 'node-skipped', node: work.key, because })
    }
  }
  events.push({ type: 'run-finished', outcome, cause: state.cause })
  return [{ type: 'record', events }]
}

function idle(state: RunState): readonly Command[] {
  const waiting = [...state.active].filter(work => work.status.type !== 'running')
  const times = waiting.flatMap(({ status }) => {
    if (status.type === 'retrying') return [status.until]
    return status.type === 'waiting' && status.for === 'time' ? [status.until ?? 0] : []
  })
  if (waiting.length === 0) return []
  return [
    {
      type: 'idle',
      waiting: waiting.map(work => work.key),
      until: times.length === 0 ? null : Math.min(...times),
    },
  ]
}
