/**
 * The watch over a release that is done.
 *
 *     the run goes on ──it ends──▶ watching ──time over──▶ quiet | unmeasured
 *            │                        ├──a trigger fires──▶ the release is taken back ──▶ rolled-back | rollback-failed
 *            │                        └──somebody takes it back, releases another, or stops it──▶ gone
 *            └──its runner is dead and its traffic divided──▶ what divides it is taken back ──▶ rollback-failed
 *
 * Boundary: when to measure, what is told and when to act. What acting is comes in through {@link GuardActs}; the run's
 * lock is taken only for that, so that any number of guards may watch.
 *
 *  GU1. A release is taken back only by a trigger. What is unusual is told; an instance that has died is restarted.
 *  GU2. Before it acts, the run is read again: what somebody else has taken back is not taken back twice. Where another
 *       release stands, or where somebody has stopped what was there, nothing is brought back (tending.ts).
 *  GU3. A dead runner's divided traffic goes back to the stable side, whatever the policy: nobody judges it any more, and
 *       to go on releasing is a person's word.
 *  GU4. Whatever it has begun to do, it ends with a line that says what came of it. What somebody else holds is waited for.
 *  GU5. A watch whose triggers could not be judged is not quiet (blind.ts).
 *  GU6. The plan's time counts from the beginning of the first watch: one that was cut off, or told to stop, is gone on
 *       with to the same end. Its windows begin anew. A time that is asked for by hand counts from now.
 */
import { InputError, isReleaseError } from '../../src/errors.ts'
import type { Plan, PlanGuard } from '../../src/plan/plan.ts'
import { isAskedFor } from '../../src/run/evolve.ts'
import type { GuardBreach, GuardLine } from '../../src/run/guard-record.ts'
import type { Holder, Metrics } from '../../src/run/ports.ts'
import type { RunState } from '../../src/run/state.ts'
import { undecidedComponents } from '../../src/run/traffic.ts'
import { problemText } from '../../src/run/validation.ts'
import { describeHolder } from '../journal/run-lock.ts'
import { insist } from './acting.ts'
import { whyBlind, whyUnmeasured } from './blind.ts'
import { guardedIn } from './guarded.ts'
import { breachOf, roundOf, type Unstamped } from './lines.ts'
import { Patients, type Tended } from './patients.ts'
import { type Guarded, type JudgedTrigger, Readings } from './readings.ts'
import { CHANGED } from './tending.ts'
import { Unusual } from './unusual.ts'

export interface GuardActs {
  /** Takes the release back as `release rollback` does; true: all is back. Rejects where somebody holds what it needs. */
  rollBack(breach: GuardBreach): Promise<boolean>
  /** Takes the run over and takes back what divides these components' traffic. Rejects likewise. */
  decideTraffic(components: readonly string[]): Promise<void>
  /** Mends what has died, under the locks; null: somebody else has them. */
  recover: ConstructorParameters<typeof Patients>[0]['recover']
  /** What stands in a place that is not this release's; null: nothing does. */
  foreign(target: Guarded): Promise<string | null>
}

export interface GuardOptions {
  readonly plan: Plan
  /** The run as its journal tells it now. */
  readonly read: () => Promise<RunState>
  /** Who runs it now; null: nobody does. */
  readonly holder: () => Promise<Holder | null>
  readonly observe: ConstructorParameters<typeof Patients>[0]['observe']
  readonly metrics: Metrics
  readonly acts: GuardActs
  /** Writes down and shows. */
  readonly tell: (line: GuardLine) => Promise<void>
  readonly who: string
  readonly now: () => number
  /** Resolves at that time, or when the signal is aborted. */
  readonly until: (time: number, signal: AbortSignal) => Promise<void>
  /** In place of the plan's, in milliseconds. */
  readonly duration: number | null
  /** When the time of the watch before ends, which did not come to its end; null: there is none. */
  readonly cutOff: () => Promise<number | null>
  readonly signal: AbortSignal
}

export type GuardOutcome = Extract<GuardLine, { type: 'guard-ended' }>['outcome']

/** Watches to its end. @throws InputError where there is nothing to watch */
export function runGuard(options: GuardOptions): Promise<GuardOutcome> {
  return new Guard(options).run()
}

/** How often a run that still goes on is looked at, in milliseconds. */
const GLANCE = 1_000

/** A watch that has begun. */
interface Watch {
  readonly guard: PlanGuard
  readonly all: readonly Readings[]
  readonly started: number
  readonly over: number
}

class Guard {
  readonly #options: GuardOptions
  readonly #patients: Patients
  readonly #unusual = new Unusual()
  /** What stands in its way and was told. */
  readonly #hindrances = new Set<string>()
  /** Targets of which nothing is left, and those of them of which it is sure that somebody has stopped them. */
  #empty: ReadonlySet<Guarded> = new Set()
  #stopped: ReadonlySet<Guarded> = new Set()
  #round = 0

  constructor(options: GuardOptions) {
    this.#options = options
    this.#patients = new Patients({ observe: options.observe, recover: options.acts.recover })
  }

  async run(): Promise<GuardOutcome> {
    const { plan, signal } = this.#options
    const began = await this.#runEnded()
    if (began.type === 'decided') return began.outcome
    if (signal.aborted) return 'interrupted'
    return this.#watch(guardOf(plan, began.state), began.state)
  }

  /** Waits for the run's end; decides what a dead runner has left divided. */
  async #runEnded(): Promise<
    { type: 'ended'; state: RunState } | { type: 'decided'; outcome: GuardOutcome }
  > {
    const { holder, read, signal, until, now } = this.#options
    for (;;) {
      // Who holds it is asked first: what a runner that has gone by then wrote is all there.
      const held = await holder()
      const state = await read()
      if (state.phase === 'finished' || signal.aborted) return { type: 'ended', state }
      const outcome = held === null ? await this.#decide(state) : null
      if (outcome !== null) return { type: 'decided', outcome }
      await until(now() + GLANCE, signal)
    }
  }

  /** null: somebody goes on with the run after all. */
  async #decide(state: RunState): Promise<GuardOutcome | null> {
    const { now, plan, acts, read, holder } = this.#options
    const components = undecidedComponents(state)
    if (components.length === 0) throw notEnded(state)
    const reason = `nobody goes on with the run, and the traffic of ${components.join(', ')} is divided: it goes back to the stable side, since nobody judges it any more, and to go on releasing is a person's word`
    await this.#begin(plan.guard, { started: now(), over: now(), targets: [] })
    await this.#tell({ type: 'guard-decided', components, reason })
    const isDue = async (): Promise<boolean> =>
      (await holder()) === null && (await read()).phase !== 'finished'
    const acted = await this.#insist(() => acts.decideTraffic(components), isDue)
    if (acted.type === 'let-be') return this.#toldToStop()
    if (acted.type === 'done') return this.#end('rollback-failed', reason)
    return this.#failed(`${reason}; that failed: ${acted.reason}`, acted.error)
  }

  async #begin(
    guard: PlanGuard | undefined,
    { started, over, targets }: { started: number; over: number; targets: readonly Guarded[] },
  ): Promise<void> {
    const { plan, who, tell, read } = this.#options
    const { name: release, version } = plan.release
    const { run } = await read()
    const interval = guard?.interval ?? GLANCE
    await tell({
      type: 'guard-started',
      at: started,
      run,
      release,
      version,
      who,
      pid: process.pid,
      until: over,
      interval,
      targets: targets.map(({ environment, component, version }) => ({ environment, component, version })),
    })
  }

  async #watch(guard: PlanGuard, state: RunState): Promise<GuardOutcome> {
    const { metrics, signal, now, until, duration, cutOff } = this.#options
    const guarded = guardedIn(guard, state)
    if (guarded.length === 0) throw nothingToGuard(state, 'it has released nothing where its guard watches')
    const all = await Promise.all(
      guarded.map(({ target, place }) => Readings.open(target, place, { guard, metrics, signal })),
    )
    const started = now()
    const over = duration !== null ? started + duration : ((await cutOff()) ?? started + guard.duration)
    await this.#begin(guard, { started, over, targets: guarded.map(({ target }) => target) })
    if (over <= started) return this.#end('unmeasured', TOO_LATE)
    const watch = { guard, all, started, over }
    for (let next = started + guard.interval; next <= over; next = Math.max(next + guard.interval, now())) {
      await until(next, signal)
      const gone = await this.#gone()
      if (gone !== null) return gone
      const ended = await this.#oneRound(watch).catch((error: unknown) => {
        // A reading that is stopped on the way has nothing to say.
        if (signal.aborted) return null
        throw error
      })
      if (ended !== null) return ended
    }
    await until(over, signal)
    return (await this.#gone()) ?? this.#timeOver(watch)
  }

  /** GU5. What came to be true with the last moment counts as well. */
  async #timeOver({ all, started }: Watch): Promise<GuardOutcome> {
    const judged = this.#judge(all, started)
    const fired = firedIn(judged)
    if (fired !== null) return this.#fire(fired)
    const [first, ...more] = judged.flatMap(each => whyUnmeasured(each) ?? [])
    if (first === undefined) return this.#end('quiet', 'its time is over')
    const rest = more.length === 0 ? '' : `, and so for ${more.length} more`
    return this.#end('unmeasured', `its time is over, and ${first}${rest}`)
  }

  /** How it ends where it was told to stop, or where the release stands no more by somebody else's doing; null: it goes on. */
  async #gone({ because = null }: { because?: string | null } = {}): Promise<GuardOutcome | null> {
    const { holder, read, until, now, signal } = this.#options
    for (let held = await holder(); held !== null && !signal.aborted; held = await holder()) {
      if (because !== null)
        await this.#hindered('held', `the run is being run by ${describeHolder(held)}; ${because}`)
      await until(now() + GLANCE, signal)
    }
    const stopped = await this.#toldToStop()
    if (stopped !== null) return stopped
    const gone = standsNoMore(await read())
    return gone === null ? null : this.#end('gone', gone)
  }

  async #toldToStop(): Promise<GuardOutcome | null> {
    return this.#options.signal.aborted ? this.#end('interrupted', 'it was told to stop') : null
  }

  async #oneRound({ guard, all, started }: Watch): Promise<GuardOutcome | null> {
    const { signal, read } = this.#options
    this.#round += 1
    const targets = all.map(({ target }) => target)
    const { health, empty } = await this.#patients.look(await read(), targets)
    this.#empty = empty
    await Promise.all(all.filter(one => !empty.has(one.target)).map(one => one.measure(signal)))
    const judged = this.#judge(all, started)
    await this.#tell(roundOf(this.#round, all, { judged, health, empty }))
    await this.#tellBlind(judged)
    for (const line of this.#unusual.newIn(this.#round, guard.anomalies, all)) await this.#tell(line)
    const fired = firedIn(judged)
    return fired === null ? this.#treat(targets) : this.#fire(fired)
  }

  #judge(all: readonly Readings[], started: number): readonly JudgedTrigger[] {
    const now = this.#options.now()
    return all.filter(({ target }) => !this.#empty.has(target)).flatMap(one => one.judge({ started, now }))
  }

  async #tellBlind(judged: readonly JudgedTrigger[]): Promise<void> {
    for (const one of judged) {
      const { target, trigger } = one
      const key = `blind ${target.environment}/${target.component}/${JSON.stringify(trigger)}`
      const why = whyBlind(one)
      if (why === null) this.#hindrances.delete(key)
      else await this.#hindered('unmeasured', why, key)
    }
  }

  async #treat(targets: readonly Guarded[]): Promise<GuardOutcome | null> {
    this.#stopped = new Set([...this.#stopped].filter(target => this.#empty.has(target)))
    const tended = await this.#patients.treat()
    if (tended === null) return null
    if (tended.superseded !== null) return this.#end('gone', tended.superseded)
    for (const each of tended.applied) await this.#tell({ type: 'guard-recovery', ...each })
    return this.#leave(targets, tended)
  }

  /** What somebody has stopped stays stopped; where that is all, there is nothing to guard any more. */
  async #leave(targets: readonly Guarded[], { stopped }: Tended): Promise<GuardOutcome | null> {
    for (const problem of stopped) {
      const { environment, component, slot } = problem
      const reason = `${component} in ${environment}: ${problemText(problem)}; somebody has stopped it, and it is not started again`
      await this.#hindered('stopped', reason, `stopped ${environment}/${component}/${slot}`)
    }
    const isSure = ({ environment, component }: Guarded): boolean =>
      stopped.some(one => one.environment === environment && one.component === component)
    this.#stopped = new Set([...this.#stopped, ...[...this.#empty].filter(isSure)])
    if (this.#stopped.size < targets.length) return null
    const names = targets.map(({ environment, component }) => `${component} in ${environment}`)
    return this.#end('gone', `somebody has stopped ${names.join(', ')}`)
  }

  async #fire(breach: GuardBreach): Promise<GuardOutcome> {
    await this.#tell({ type: 'guard-fired', breach })
    const { acts } = this.#options
    const acted = await this.#insist(
      async () => (await this.#gone({ because: WAITS })) ?? { back: await acts.rollBack(breach) },
      async () => true,
    )
    if (acted.type === 'let-be')
      return this.#end(
        'interrupted',
        `it was told to stop before the release was taken back: ${breach.reason}`,
      )
    if (acted.type === 'failed') return this.#notTakenBack(breach, acted)
    if (typeof acted.value === 'string') return acted.value
    return this.#end(acted.value.back ? 'rolled-back' : 'rollback-failed', breach.reason)
  }

  /** Where somebody else was faster, that is said, and not what it was refused with. */
  async #notTakenBack(
    { environment, component, version, reason: why }: GuardBreach,
    { reason, error }: { readonly reason: string; readonly error: unknown },
  ): Promise<GuardOutcome> {
    const { read, acts } = this.#options
    const state = await read()
    const gone = state.phase === 'finished' ? standsNoMore(state) : null
    if (gone !== null) return this.#end('gone', gone)
    if (isReleaseError(error) && CHANGED.includes(error.code)) {
      const foreign = await acts.foreign({ environment, component, version })
      if (foreign !== null) return this.#end('gone', foreign)
    }
    return this.#failed(`${why}; it could not be taken back: ${reason}`, error)
  }

  /** A defect of ours is said as one, after the end is written down. */
  async #failed(reason: string, error: unknown): Promise<GuardOutcome> {
    const outcome = await this.#end('rollback-failed', reason)
    if (!isReleaseError(error)) throw error
    return outcome
  }

  #insist<T>(act: () => Promise<T>, isDue: () => Promise<boolean>): ReturnType<typeof insist<T>> {
    const { now, until, signal } = this.#options
    const held = (reason: string): Promise<void> => this.#hindered('held', `${reason}; ${WAITS}`)
    return insist(act, { now, until, signal, held, isDue })
  }

  /** Told once, until it has gone. */
  async #hindered(about: Hindrance, reason: string, key: string = `${about} ${reason}`): Promise<void> {
    if (this.#hindrances.has(key)) return
    this.#hindrances.add(key)
    await this.#tell({ type: 'guard-hindered', about, reason })
  }

  async #end(outcome: GuardOutcome, reason: string): Promise<GuardOutcome> {
    await this.#tell({ type: 'guard-ended', outcome, reason, rounds: this.#round })
    return outcome
  }

  #tell(line: Unstamped): Promise<void> {
    return this.#options.tell({ ...line, at: this.#options.now() } as GuardLine)
  }
}

type Hindrance = Extract<GuardLine, { type: 'guard-hindered' }>['about']

const WAITS = 'the guard waits for that, and tries again'

const TOO_LATE =
  'its time was over before this watch began: nobody has watched since the one before was cut off. Give it a time of its own with --for'

function firedIn(judged: readonly JudgedTrigger[]): GuardBreach | null {
  const fired = judged.find(({ judgement }) => judgement.verdict === 'fired')
  return fired === undefined ? null : breachOf(fired)
}

/** What watches over a run that has ended. @throws InputError where there is nothing to watch */
export function guardOf(plan: Plan, state: RunState): PlanGuard {
  if (plan.guard === undefined) throw noGuard(plan)
  const gone = standsNoMore(state)
  if (gone !== null) throw nothingToGuard(state, gone)
  return plan.guard
}

/** Why there is nothing to guard any more; null: the release stands. */
function standsNoMore(state: RunState): string | null {
  if (state.phase !== 'finished') return 'somebody goes on with the run'
  if (state.outcome === 'succeeded' || state.outcome === 'partial') return null
  const asked = state.rollbacks.findLast(({ because }) => isAskedFor(because))
  if (asked?.because === 'person') return 'somebody has taken the release back'
  if (asked?.because === 'guard') return 'another guard has taken the release back'
  return `the run ended as ${state.outcome}`
}

const refuse = (code: string, message: string, hint: string): InputError =>
  new InputError([{ code, severity: 'error', message, hint }])

const noGuard = ({ release }: Plan): InputError =>
  refuse(
    'no-guard',
    `the plan of ${release.name} ${release.version} has no guard: it says nothing of what to watch`,
    "Write .guard({ for: '24h', triggers: […] }) in the definition; the next run has it.",
  )

const nothingToGuard = ({ run }: RunState, why: string): InputError =>
  refuse(
    'nothing-to-guard',
    `there is nothing to guard in the run ${run}: ${why}`,
    'Guard a release that is done.',
  )

const notEnded = ({ run }: RunState): InputError =>
  refuse(
    'not-finished',
    `the run ${run} has not ended, and nobody goes on with it; its traffic is not divided`,
    `Go on with it first: release resume ${run}`,
  )
