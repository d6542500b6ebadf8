/**
 * Plays a case: runner after runner on a simulated ground, until the run has ended or only waits for people who
 * say nothing more. Every law is demanded on the way.
 */
import { type Ended, runEngine, type Task } from '../../runner/engine/engine.ts'
import { createPerformer } from '../../runner/engine/perform.ts'
import {
  SIMULATED_CRASH,
  SIMULATED_STANDSTILL,
  SimulatedRun,
  simulatedGround,
} from '../../runner/engine/simulated-ground.ts'
import { isReleaseError } from '../../src/errors.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { decisionText } from '../../src/run/decision.ts'
import type { RunEvent, Unstamped } from '../../src/run/events.ts'
import { foldRun } from '../../src/run/fold.ts'
import type { Signal } from '../../src/run/ports.ts'
import { reopenableNodes } from '../../src/run/reopen.ts'
import { computeRollback } from '../../src/run/rollback.ts'
import type { RunState } from '../../src/run/state.ts'
import { undecidedComponents } from '../../src/run/traffic.ts'
import { Broken, demand } from './broken.ts'
import type { Case, Word } from './case.ts'
import { Judge } from './laws.ts'
import { ModelWorld } from './model-world.ts'
import { PLAN_HASH, planOf } from './sketch.ts'

const START = 1_000_000
const HOUR = 3_600_000
const MOST_RUNNERS = 100

export interface Played {
  readonly events: readonly RunEvent[]
  readonly runners: number
  /** How many of the runners died. */
  readonly crashes: number
  readonly ended: Ended | 'crashed'
}

type Perform = (task: Task) => Promise<readonly Unstamped[]>

/** A defect of the engine, put in to see that the laws find it. */
export interface Flaw {
  /** What the engine takes for the plan; the laws go by the case. */
  readonly plan?: (plan: Plan) => Plan
  /** How a task is performed; `once` does it as it should be. */
  readonly perform?: (task: Task, once: Perform) => Promise<readonly Unstamped[]>
}

/** @throws Broken at the first law that does not hold, and for every other error: that there is none is a law too */
export async function play(kase: Case, flaw: Flaw = {}): Promise<Played> {
  try {
    return await new Play(kase, flaw).toTheEnd()
  } catch (error) {
    throw error instanceof Broken ? error : defect(error)
  }
}

const defect = (error: unknown): Broken =>
  new Broken('no defect', error instanceof Error ? `${error.stack}` : String(error))

class Play {
  readonly #kase: Case
  readonly #plan: Plan
  readonly #run = new SimulatedRun(START)
  readonly #model: ModelWorld
  readonly #judge: Judge
  readonly #acts: Case['acts'][number][]
  readonly #flaw: Flaw
  #runner = 0
  #crashes = 0

  constructor(kase: Case, flaw: Flaw) {
    this.#kase = kase
    this.#flaw = flaw
    const plan = planOf(kase.sketch)
    this.#plan = flaw.plan?.(plan) ?? plan
    this.#model = new ModelWorld(kase)
    this.#judge = new Judge(kase)
    this.#acts = [...kase.acts]
    kase.words.forEach((word, number) => {
      this.#run.post(word.to, signalOf(word, number), START + word.at)
    })
  }

  async toTheEnd(): Promise<Played> {
    for (let opening = this.#opening(null); ; ) {
      const ended = await this.#session(opening)
      this.#runner += 1
      demand(this.#runner < MOST_RUNNERS, 'it ends', () => `${MOST_RUNNERS} runners and no end`)
      const next = ended === 'crashed' || ended.type === 'left' ? this.#opening(ended) : this.#afterwards()
      if (next === null) {
        if (ended !== 'crashed' && ended.type === 'finished') this.#judge.judgeWorld(this.#model)
        return { events: this.#run.events, runners: this.#runner, crashes: this.#crashes, ended }
      }
      opening = next
    }
  }

  /** What the next runner writes first; null: nobody takes the run up again. */
  #opening(ended: Ended | 'crashed' | null): readonly Unstamped[] | null {
    if (this.#run.events.length === 0) return [started(this.#kase), attached()]
    const state = foldRun(this.#plan, this.#run.events)
    if (state.phase === 'finished') return this.#afterwards()
    const word = this.#answers(state)
    if (ended !== null && ended !== 'crashed' && ended.type === 'left' && ended.why === 'waiting') {
      const later = this.#nextTime(state)
      if (later === null && word.length === 0) return this.#rollback(state)
      if (later !== null) this.#run.now = Math.max(this.#run.now, later)
    }
    return (this.#acts[0]?.startsWith('rollback') && this.#rollback(state)) || [attached(), ...word]
  }

  /** When there is anything to come: a person's word, or the end of a wait. */
  #nextTime(state: RunState): number | null {
    const words = this.#kase.words.map(({ at }) => START + at).filter(at => at > this.#run.now)
    const waits = [...state.active].flatMap(({ status }) =>
      'until' in status && status.until !== null ? [status.until] : [],
    )
    const times = [...words, ...waits]
    return times.length === 0 ? null : Math.min(...times)
  }

  #answers(state: RunState): readonly Unstamped[] {
    return [...state.active]
      .filter(work => work.status.type === 'uncertain')
      .map(({ key }) =>
        this.#kase.uncertain === 'rerun' ? { type: 'node-rerun', node: key, who: 'ann' } : given(key),
      )
  }

  /** The run has finished: what a person does about it. */
  #afterwards(): readonly Unstamped[] | null {
    const act = this.#acts[0]
    if (act === undefined) return null
    const state = foldRun(this.#plan, this.#run.events)
    if (act !== 'reopen') return this.#rollback(state)
    this.#acts.shift()
    if (!mayReopen(state)) return this.#afterwards()
    this.#run.now += HOUR
    return [attached(), { type: 'run-reopened', who: 'ann', nodes: reopenableNodes(state) }]
  }

  #rollback(state: RunState): readonly Unstamped[] | null {
    const act = this.#acts.shift()
    if (act === undefined) return null
    if (act === 'reopen') return this.#rollback(state)
    const done = [...state.works.values()].filter(work => work.rollback === null && work.doneOrder > 0)
    const target = act === 'rollback-to' ? done[this.#kase.seed % Math.max(1, done.length)] : undefined
    const scope =
      target === undefined ? ({ kind: 'all' } as const) : ({ kind: 'to', node: target.key } as const)
    const planned = computeRollback(state, { scope })
    if (planned.nodes.length === 0)
      return state.phase === 'finished' ? this.#afterwards() : this.#rollback(state)
    return [attached(), { type: 'rollback-planned', because: 'person', scope, ...planned }]
  }

  async #session(opening: readonly Unstamped[] | null): Promise<Ended | 'crashed'> {
    let left = this.#kase.crashes[this.#runner] ?? 0
    const ground = simulatedGround({
      run: this.#run,
      seed: this.#kase.seed * 7 + this.#runner,
      holder: { run: 'run', who: 'ann', host: 'here', pid: 1, cwd: '/', since: 0 },
      standstill: 'fail',
      dies: () => {
        left -= 1
        return left === 0
      },
      onEvent: event => {
        this.#judge.observe(event)
        if (event.type === 'run-finished') this.#judge.traffic.judgeWorld(this.#model)
      },
    })
    this.#judge.attached()
    for (const { runner, at, twice } of this.#kase.interrupts) {
      if (runner !== this.#runner) continue
      ground.clock.after(at, () => {
        ground.interrupt({ type: 'stop', by: 'interrupt', who: 'ann' })
        if (twice) ground.interrupt({ type: 'abort', who: 'ann' })
      })
    }
    const state = foldRun(this.#plan, ground.history)
    ground.clock.after(this.#quietAfter(), () => {
      if (this.#mayStayForEver(state)) this.#giveUp()
    })
    const perform = createPerformer(this.#model.world(ground, this.#runner))
    const once: Perform = task => this.#watched(task, perform)
    try {
      const ended = await runEngine({
        state,
        port: ground,
        opening: opening ?? [],
        perform: task => this.#flaw.perform?.(task, once) ?? once(task),
        signatures: { verify: async (_, claimed) => ({ ok: true, person: claimed.person, key: null }) },
        patience: this.#kase.seed % 3 === 0 ? 0 : 40_000,
        now: () => ground.clock.now(),
      })
      this.#sameAsFold(state)
      if (ended.type === 'left' && ended.why === 'waiting') {
        const isUncertain = (key: string): boolean => state.works.get(key)?.status.type === 'uncertain'
        this.#judge.traffic.leaves(this.#model, ended.waiting, isUncertain)
      }
      return ended
    } catch (error) {
      if (isReleaseError(error) && error.code === SIMULATED_STANDSTILL && this.#mayStayForEver(state)) {
        this.#giveUp()
        return 'crashed'
      }
      return this.#crashed(error)
    } finally {
      await ground.close()
    }
  }

  #giveUp(): void {
    this.#run.post('run', { type: 'stop', by: 'cancel', who: 'ann' })
  }

  /** A minute after the last word: nobody says anything any more. */
  #quietAfter(): number {
    const last = Math.max(0, ...this.#kase.words.map(({ at }) => START + at))
    return Math.max(0, last - this.#run.now) + 60_000
  }

  /** With divided traffic nobody leaves: somebody who is never answered gives the release up. */
  #mayStayForEver(state: RunState): boolean {
    return (
      state.stop === null &&
      undecidedComponents(state).length > 0 &&
      [...state.active].some(({ status }) => status.type === 'waiting')
    )
  }

  async #watched(task: Task, perform: Perform): Promise<readonly Unstamped[]> {
    const { key } = task.work
    const ends = this.#judge.starts(key, task.attempt)
    this.#model.begin(key)
    const outcome = await perform(task)
    ends()
    if (task.work.rollback === null && task.work.node.operation.kind === 'analyse')
      for (const event of outcome) {
        demand(
          event.type !== 'node-failed' || this.#model.faultOf(key) !== 'ok',
          'no false alarm',
          () => `${key} failed, and all that was measured was good: ${JSON.stringify(event)}`,
        )
      }
    return outcome
  }

  #crashed(error: unknown): 'crashed' {
    const code = isReleaseError(error) ? error.code : null
    if (code === SIMULATED_CRASH) {
      this.#crashes += 1
      return 'crashed'
    }
    const broken =
      error instanceof Broken
        ? error
        : (error as Error).cause instanceof Broken
          ? (error as Error).cause
          : null
    if (broken !== null) throw broken
    if (code === SIMULATED_STANDSTILL) throw new Broken('it ends', 'nothing can happen any more')
    throw defect(error)
  }

  /** S1: what a later runner would make of the record is what this one went by. */
  #sameAsFold(state: RunState): void {
    const now = essence(state)
    const later = essence(foldRun(this.#plan, this.#run.events))
    if (JSON.stringify(now) === JSON.stringify(later)) return
    const live = JSON.stringify(now, null, 1).split('\n')
    const folded = JSON.stringify(later, null, 1).split('\n')
    const at = folded.findIndex((line, i) => line !== live[i])
    const around = (lines: readonly string[]): string => lines.slice(Math.max(0, at - 3), at + 2).join('')
    throw new Broken('state is the fold', `live ${around(live)} folded ${around(folded)}`)
  }
}

/** What of a state a resume depends on. What is only of one runner (in flight, queues) is left out. */
function essence(state: RunState): unknown {
  const works = [...state.works.values()].map(work => {
    const { key, status, attempts, failures, value, owed, undone, open } = work
    return { key, status, attempts, failures, value, owed, undone, open }
  })
  const effects = [...state.works.values()].filter(
    ({ node, doneOrder }) => doneOrder > 0 && !['join', 'wait', 'approval'].includes(node.operation.kind),
  )
  const order = effects.sort((a, b) => a.doneOrder - b.doneOrder).map(work => work.key)
  const { phase, outcome, cause, halt, containments, toContain, stop, left } = state
  const rollbacks = state.rollbacks.map(({ number, because, left, finished }) => ({
    number,
    because,
    left,
    finished,
  }))
  return {
    works,
    order,
    phase,
    outcome,
    cause,
    halt,
    containments,
    toContain,
    stop,
    left,
    rollbacks,
    given: [...state.given],
  }
}

/** As `resume` does: what was rolled back as a whole is not gone on from. */
const mayReopen = (state: RunState): boolean =>
  state.outcome !== 'succeeded' &&
  state.outcome !== 'rolled-back' &&
  !state.rollbacks.some(({ scope, works }) => scope.kind === 'all' && works.length > 0)

const started = ({ only }: Case): Unstamped => ({
  type: 'run-started',
  run: 'run',
  release: 'sketch',
  version: '2.0.0',
  plan: PLAN_HASH,
  bundle: 'b'.repeat(64),
  who: 'ann',
  only,
})

const attached = (): Unstamped => ({
  type: 'runner-attached',
  who: 'ann',
  host: 'here',
  pid: 1,
  interpreter: 1,
})

const given = (node: string): Unstamped => ({
  type: 'node-succeeded',
  node,
  attempt: 1,
  value: null,
  summary: null,
  warning: null,
  how: 'given',
})

function signalOf({ to, at, say }: Word, number: number): Signal {
  if (say === 'cancel') return { type: 'stop', by: 'cancel', who: 'ann' }
  const role = { 'approve-ops': 'ops', 'approve-lead': 'lead', 'approve-other': 'cook', reject: 'ops' }[say]
  const statement = decisionText({
    format: 1,
    verdict: say === 'reject' ? 'reject' : 'approve',
    run: 'run',
    plan: PLAN_HASH,
    approval: to,
    person: role === 'lead' ? 'eve' : 'bob',
    role,
    reason: say === 'reject' ? 'no' : '',
    nonce: number.toString(16).padStart(32, '0'),
    at: START + at,
  })
  return { type: 'decision', decision: { statement, signature: null } }
}
