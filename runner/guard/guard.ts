/**
 * The watch over a release that is done.
 *
 *     the run goes on ──it ends──▶ watching ──time over──▶ quiet
 *            │                        ├──a trigger fires──▶ the release is taken back ──▶ rolled-back | rollback-failed
 *            │                        └──somebody else takes it back──▶ gone
 *            └──its runner is dead and its traffic divided──▶ what divides it is taken back ──▶ rollback-failed
 *
 * Boundary: when to measure, what is told and when to act. What acting is comes in through {@link GuardActs}; the run's
 * lock is taken only for that, so that any number of guards may watch.
 *
 *  GU1. A release is taken back only by a trigger. What is unusual is told; an instance that has died is restarted.
 *  GU2. Before it acts, the run is read again: what somebody else has taken back is not taken back twice.
 *  GU3. A dead runner's divided traffic goes back to the stable side, whatever the policy: nobody judges it any more, and
 *       to go on releasing is a person's word.
 */
import { InputError } from '../../src/errors.ts'
import { driftIn, outlierIn } from '../../src/judge/anomaly.ts'
import { formatCondition } from '../../src/judge/condition.ts'
import type { Plan, PlanGuard } from '../../src/plan/plan.ts'
import { isAskedFor } from '../../src/run/evolve.ts'
import {
  type GuardBreach,
  type GuardLine,
  type GuardTarget,
  MOST_BREACH_POINTS,
} from '../../src/run/guard-record.ts'
import type { Holder, Metrics } from '../../src/run/ports.ts'
import type { RunState } from '../../src/run/state.ts'
import { undecidedComponents } from '../../src/run/traffic.ts'
import type { AppliedRecovery } from '../../src/run/validation.ts'
import { guardedIn } from './guarded.ts'
import { Patients } from './patients.ts'
import { type Guarded, type JudgedTrigger, Readings } from './readings.ts'

type Unstamped = GuardLine extends infer L ? (L extends GuardLine ? Omit<L, 'at'> : never) : never

export interface GuardActs {
  /** Takes the release back as `release rollback` does; true: all is back. */
  rollBack(breach: GuardBreach): Promise<boolean>
  /** Takes the run over and takes back what divides these components' traffic. */
  decideTraffic(components: readonly string[]): Promise<void>
  /** Mends what has died, under the run's lock; null: somebody else has it. */
  recover: ConstructorParameters<typeof Patients>[0]['recover']
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
  readonly signal: AbortSignal
}

export type GuardOutcome = Extract<GuardLine, { type: 'guard-ended' }>['outcome']

/** Watches to its end. @throws InputError where there is nothing to watch */
export function runGuard(options: GuardOptions): Promise<GuardOutcome> {
  return new Guard(options).run()
}

/** How often a run that still goes on is looked at, in milliseconds. */
const GLANCE = 1_000
/** Trends change slowly: they are looked for in every so-manieth round. */
const DRIFT_ROUNDS = 10

class Guard {
  readonly #options: GuardOptions
  readonly #patients: Patients
  /** What is unusual and was told: told again only after it was usual. */
  readonly #told = new Set<string>()
  #round = 0

  constructor(options: GuardOptions) {
    this.#options = options
    this.#patients = new Patients({ observe: options.observe, recover: options.acts.recover })
  }

  async run(): Promise<GuardOutcome> {
    const { plan, signal } = this.#options
    const began = await this.#runEnded()
    if (began.type === 'decided') return this.#end('rollback-failed', began.reason)
    if (signal.aborted) return 'interrupted'
    const { guard } = plan
    if (guard === undefined) throw noGuard(plan)
    const gone = standsNoMore(began.state)
    if (gone !== null) throw nothingToGuard(began.state, gone)
    return this.#watch(guard, began.state)
  }

  /** Waits for the run's end; decides what a dead runner has left divided. */
  async #runEnded(): Promise<{ type: 'ended'; state: RunState } | { type: 'decided'; reason: string }> {
    const { holder, read, signal, until, now } = this.#options
    for (;;) {
      // Who holds it is asked first: what a runner that has gone by then wrote is all there.
      const held = await holder()
      const state = await read()
      if (state.phase === 'finished' || signal.aborted) return { type: 'ended', state }
      if (held === null) return { type: 'decided', reason: await this.#decide(state) }
      await until(now() + GLANCE, signal)
    }
  }

  async #decide(state: RunState): Promise<string> {
    const components = undecidedComponents(state)
    if (components.length === 0) throw notEnded(state)
    const reason = `nobody goes on with the run, and the traffic of ${components.join(', ')} is divided: it goes back to the stable side, since nobody judges it any more, and to go on releasing is a person's word`
    await this.#begin(this.#options.plan.guard, [])
    await this.#tell({ type: 'guard-decided', components, reason })
    await this.#options.acts.decideTraffic(components)
    return reason
  }

  async #begin(guard: PlanGuard | undefined, targets: readonly Guarded[]): Promise<number> {
    const { plan, now, who, duration } = this.#options
    const started = now()
    const until = started + (duration ?? guard?.duration ?? 0)
    const { name: release, version } = plan.release
    const { run } = await this.#options.read()
    const interval = guard?.interval ?? GLANCE
    await this.#options.tell({
      type: 'guard-started',
      at: started,
      run,
      release,
      version,
      who,
      pid: process.pid,
      until,
      interval,
      targets: targets.map(({ environment, component, version }) => ({ environment, component, version })),
    })
    return started
  }

  async #watch(guard: PlanGuard, state: RunState): Promise<GuardOutcome> {
    const { metrics, signal, now, until, duration } = this.#options
    const guarded = guardedIn(guard, state)
    const all = await Promise.all(
      guarded.map(({ target, place }) => Readings.open(target, place, { guard, metrics, signal })),
    )
    const targets = guarded.map(({ target }) => target)
    const started = await this.#begin(guard, targets)
    const over = started + (duration ?? guard.duration)
    for (let next = started + guard.interval; next <= over; next = Math.max(next + guard.interval, now())) {
      await until(next, signal)
      if (signal.aborted) return this.#end('interrupted', 'it was told to stop')
      const gone = await this.#gone()
      if (gone !== null) return gone
      const ended = await this.#oneRound(guard, all, started).catch((error: unknown) => {
        // A reading that is stopped on the way has nothing to say.
        if (signal.aborted) return null
        throw error
      })
      if (ended !== null) return ended
    }
    await until(over, signal)
    return signal.aborted
      ? this.#end('interrupted', 'it was told to stop')
      : this.#end('quiet', 'its time is over')
  }

  /** How it ends where somebody else has changed how the release stands; null: it stands. */
  async #gone(): Promise<GuardOutcome | null> {
    const { holder, read, until, now, signal } = this.#options
    while ((await holder()) !== null && !signal.aborted) await until(now() + GLANCE, signal)
    const gone = standsNoMore(await read())
    return gone === null ? null : this.#end('gone', gone)
  }

  async #oneRound(guard: PlanGuard, all: readonly Readings[], started: number): Promise<GuardOutcome | null> {
    const { signal, now } = this.#options
    this.#round += 1
    await Promise.all(all.map(readings => readings.measure(signal)))
    const state = await this.#options.read()
    const seen = await this.#patients.look(
      state,
      all.map(({ target }) => target),
    )
    const judged = all.flatMap(readings => readings.judge({ started, now: now() }))
    await this.#tell(roundOf(this.#round, all, { judged, seen }))
    await this.#tellUnusual(guard, all)
    const fired = judged.find(({ judgement }) => judgement.verdict === 'fired')
    if (fired !== undefined) return this.#fire(breachOf(fired))
    await this.#recover(state)
    return null
  }

  async #fire(breach: GuardBreach): Promise<GuardOutcome> {
    await this.#tell({ type: 'guard-fired', breach })
    const gone = await this.#gone()
    if (gone !== null) return gone
    const back = await this.#options.acts.rollBack(breach)
    return this.#end(back ? 'rolled-back' : 'rollback-failed', breach.reason)
  }

  async #recover(state: RunState): Promise<void> {
    const applied: readonly AppliedRecovery[] = await this.#patients.treat(state)
    for (const each of applied) await this.#tell({ type: 'guard-recovery', ...each })
  }

  async #tellUnusual({ anomalies }: PlanGuard, all: readonly Readings[]): Promise<void> {
    if (anomalies === null) return
    for (const readings of all) {
      const { environment, component } = readings.target
      for (const { reading, points } of readings.watched()) {
        const rule = { measure: reading.name, unit: reading.unit, ...anomalies }
        const key = `${environment}/${component}/${reading.name}`
        const found = [outlierIn(rule, points)]
        if (this.#round % DRIFT_ROUNDS === 0)
          found.push(driftIn({ ...rule, direction: worseOf(reading.measure.kind) }, points))
        for (const kind of this.#round % DRIFT_ROUNDS === 0
          ? (['outlier', 'drift'] as const)
          : (['outlier'] as const)) {
          const anomaly = found.find(each => each?.kind === kind) ?? null
          const isNew = anomaly !== null && !this.#told.has(`${key} ${kind}`)
          if (anomaly === null) this.#told.delete(`${key} ${kind}`)
          if (!isNew) continue
          this.#told.add(`${key} ${kind}`)
          await this.#tell({
            type: 'guard-anomaly',
            environment,
            component,
            measure: reading.name,
            ...anomaly,
          })
        }
      }
    }
  }

  async #end(outcome: GuardOutcome, reason: string): Promise<GuardOutcome> {
    await this.#tell({ type: 'guard-ended', outcome, reason, rounds: this.#round })
    return outcome
  }

  #tell(line: Unstamped): Promise<void> {
    return this.#options.tell({ ...line, at: this.#options.now() } as GuardLine)
  }
}

const worseOf = (kind: string): 'increase' | 'decrease' =>
  kind === 'availability' || kind === 'throughput' ? 'decrease' : 'increase'

/** Why there is nothing to guard any more; null: the release stands. */
function standsNoMore(state: RunState): string | null {
  if (state.phase !== 'finished') return 'somebody goes on with the run'
  if (state.outcome === 'succeeded' || state.outcome === 'partial') return null
  const asked = state.rollbacks.findLast(({ because }) => isAskedFor(because))
  if (asked?.because === 'person') return 'somebody has taken the release back'
  if (asked?.because === 'guard') return 'another guard has taken the release back'
  return `the run ended as ${state.outcome}`
}

interface Round {
  readonly judged: readonly JudgedTrigger[]
  readonly seen: ReturnType<Patients['look']> extends Promise<infer Seen> ? Seen : never
}

function roundOf(
  round: number,
  all: readonly Readings[],
  { judged, seen }: Round,
): Extract<Unstamped, { type: 'guard-round' }> {
  const targets = all.map((readings): GuardTarget => {
    const { environment, component, version } = readings.target
    const instances = seen.get(`${environment}/${component}`) ?? null
    return { environment, component, version, measured: readings.latest(), instances }
  })
  const triggers = judged.flatMap(({ target, trigger, judgement }) => {
    const { verdict, breaches, needed, reason } = judgement
    if (verdict === 'quiet') return []
    const { environment, component } = target
    return [{ environment, component, measure: trigger.name, verdict, breaches, needed, reason }]
  })
  return { type: 'guard-round', round, targets, triggers }
}

function breachOf({ target, trigger, judgement, points }: JudgedTrigger): GuardBreach {
  const { condition, unit, name } = trigger
  return {
    environment: target.environment,
    component: target.component,
    version: target.version,
    measure: name,
    unit,
    expected: formatCondition({ condition, unit }),
    threshold: condition.kind === 'within' ? null : condition.threshold,
    reason: judgement.reason,
    firedAt: judgement.at ?? points.at(-1)?.at ?? 0,
    measurements: points
      .slice(-MOST_BREACH_POINTS)
      .map(({ at, value, requests }) => [
        at,
        value !== null && Number.isFinite(value) ? value : null,
        requests ?? null,
      ]),
  }
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
