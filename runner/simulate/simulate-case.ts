/**
 * One simulated release: the real engine and the real performer on the simulated ground, in a model world.
 */
import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { foldRun } from '../../src/run/fold.ts'
import type { Signatures } from '../../src/run/ports.ts'
import type { RunState } from '../../src/run/state.ts'
import { runEngine } from '../engine/engine.ts'
import { createValidator } from '../engine/mend.ts'
import { createPerformer } from '../engine/perform.ts'
import { SIMULATED_CRASH, SimulatedRun, simulatedGround } from '../engine/simulated-ground.ts'
import type { Fault } from './faults.ts'
import { ModelWorld } from './model-world.ts'
import { peopleFor, wordOf } from './people.ts'

export interface Case {
  readonly plan: Plan
  readonly faults: readonly Fault[]
  /** Where the runner dies, for another to take the run up; null: it lives. */
  readonly crash: Crash | null
  readonly seed: number
  readonly duration: (node: PlanNode) => number
}

/**
 * When this many events are written. before-next: with the next write at hand, so that an effect may have happened
 * that nobody has written down. after: with the last one just written.
 */
export interface Crash {
  readonly written: number
  readonly moment: 'after' | 'before-next'
}

export interface CaseResult {
  readonly events: readonly RunEvent[]
  readonly state: RunState
  readonly world: ModelWorld
  /** stuck: nobody and nothing could bring it further. */
  readonly ended: 'finished' | 'stuck'
}

const RUN = 'simulation'
const WHO = 'the simulation'
/** More resumes than any case needs: a run that wants more would want for ever. */
const MOST_RUNNERS = 200
/** 2026-01-01, as good as any other day. */
const START = 1_767_225_600_000

const TRUSTING: Signatures = {
  verify: (_, { person }) => Promise.resolve({ ok: true, person, key: null }),
}

/** Runs a case to its end, resuming as often as it takes. */
export async function simulateCase(one: Case): Promise<CaseResult> {
  const { plan } = one
  const run = new SimulatedRun(START)
  const world = new ModelWorld({ plan, fault: one.faults, duration: one.duration })
  let crash = one.crash
  for (let runner = 0; runner < MOST_RUNNERS; runner += 1) {
    const before = run.events.length
    const ended = await attach(one, run, { world, runner, crash })
    if (ended === 'crashed') crash = null
    const state = foldRun(plan, run.events)
    if (state.phase === 'finished') return { events: run.events, state, world, ended: 'finished' }
    if (
      ended === 'left' &&
      !isSpokenTo(run, state) &&
      !letTimePass(run, state) &&
      run.events.length <= before + 2
    )
      break
  }
  return { events: run.events, state: foldRun(plan, run.events), world, ended: 'stuck' }
}

interface Attached {
  readonly world: ModelWorld
  readonly runner: number
  readonly crash: Crash | null
}

async function attach(one: Case, run: SimulatedRun, attached: Attached): Promise<'left' | 'crashed'> {
  const { plan } = one
  const holder = { run: RUN, who: WHO, host: 'here', pid: attached.runner, cwd: '', since: run.now }
  const ground = simulatedGround({
    run,
    seed: one.seed + attached.runner,
    holder,
    dies: point => attached.crash !== null && diesAt(attached.crash, point, run.events.length),
    onEvent: event => speak(one, run, event),
  })
  try {
    await runEngine({
      state: foldRun(plan, ground.history),
      opening: openingOf(plan, ground.history, attached.runner),
      port: ground,
      perform: task => {
        const place = {
          node: task.work.node,
          undoing: task.work.rollback !== null,
          clock: ground.clock,
          signal: task.context.signal,
        }
        return createPerformer(attached.world.worldFor(place))(task)
      },
      validate: createValidator(attached.world.onlooker(ground.clock)),
      signatures: TRUSTING,
      patience: 0,
      now: () => ground.clock.now(),
    })
    return 'left'
  } catch (error) {
    if ((error as { code?: unknown }).code === SIMULATED_CRASH) return 'crashed'
    throw error
  } finally {
    await ground.close()
  }
}

function diesAt(crash: Crash, point: string, written: number): boolean {
  if (written < crash.written) return false
  return point.startsWith(crash.moment === 'after' ? 'journal:after-append' : 'journal:before-append')
}

function openingOf(
  plan: Plan,
  history: readonly RunEvent[],
  runner: number,
): Parameters<typeof runEngine>[0]['opening'] {
  const attached = { type: 'runner-attached', who: WHO, host: 'here', pid: runner, interpreter: 1 } as const
  if (history.length > 0) return [attached]
  const { name: release, version } = plan.release
  const started = {
    type: 'run-started',
    run: RUN,
    release,
    version,
    plan: plan.hash,
    bundle: plan.bundle,
  } as const
  return [{ ...started, who: WHO, only: null }, attached]
}

/** Whoever is asked speaks at once; where the fault wants it, with a no, or not at all. */
function speak(one: Case, run: SimulatedRun, event: RunEvent): void {
  if (event.type !== 'node-waiting' || event.for !== 'person') return
  const { plan } = one
  const operation = plan.nodes.find(node => node.key === event.node)?.operation
  const fault = one.faults.find(f => f.node === event.node && !f.undo)
  if (operation?.kind !== 'approval' || fault?.kind === 'expires') return
  const people = peopleFor(plan, operation) ?? []
  const verdict = fault?.kind === 'rejected' ? 'reject' : 'approve'
  for (const { person, role } of people) {
    const word = wordOf({
      plan,
      run: RUN,
      approval: event.node,
      person,
      role,
      verdict,
      number: run.words.length,
    })
    run.post(event.node, { type: 'decision', decision: word })
    if (verdict === 'reject') return
  }
}

/** A word lies there that the last runner left without reading. */
function isSpokenTo(run: SimulatedRun, state: RunState): boolean {
  const answered = new Set(run.entries.flatMap(entry => entry.answers))
  return run.words.some(
    ({ key }, number) => !answered.has(number) && state.works.get(key)?.status.type === 'waiting',
  )
}

/** Moves to the next time that something waits for. False: nothing does. */
function letTimePass(run: SimulatedRun, state: RunState): boolean {
  const times = [...state.active].flatMap(({ status }) =>
    'until' in status && status.until !== null ? [status.until] : [],
  )
  if (times.length === 0) return false
  run.now = Math.max(run.now, Math.min(...times))
  return true
}
