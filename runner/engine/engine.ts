/**
 * The engine: decide, carry out, wait for one thing to happen, evolve, again.
 *
 * Boundary: stands on a {@link DurablePort} and knows not which; performs nothing itself.
 *
 * Invariants:
 *  E1. `port.next()` is the only await of the loop.
 *  E2. What the engine asks to be recorded it folds at once; what the ground yields is folded when it is yielded. What
 *      is folded at once is true in whatever order it stands on record; a failure never is (`conclude` in decide.ts).
 *  E3. Keys given to the port are stable: node and attempt, never a counter of the process.
 *  E4. Nothing starts before the time was read and every word that lay there was heard: a run that is taken up days
 *      later counts its waits from now, and one that was cancelled meanwhile does nothing first.
 */
import { StateError } from '../../src/errors.ts'
import { type Command, decide } from '../../src/run/decide.ts'
import type { Outcome, RunEvent, Unstamped } from '../../src/run/events.ts'
import { evolve } from '../../src/run/evolve.ts'
import type { DurablePort, EffectContext, Happened, Signal, Signatures } from '../../src/run/ports.ts'
import {
  isEnded,
  isWatching,
  type RollbackState,
  type RunState,
  setInFlight,
  type Work,
} from '../../src/run/state.ts'
import { undecidedComponents } from '../../src/run/traffic.ts'
import { judgeWord, type Word } from './judge-word.ts'
import type { ValidationRequest } from './mend.ts'

/** One attempt at a node, as the performer is asked for it. */
export interface Task {
  readonly state: RunState
  readonly work: Work
  readonly attempt: number
  /** A crash cut the last attempt off: look first whether it is so already. */
  readonly recover: boolean
  readonly context: EffectContext
  /** Why the context's signal was aborted, once it is. */
  readonly stopped: () => Stopped | null
}

/** cancelled: as a consequence, with the cause. aborted: the runner is to leave at once, the outcome stays open. */
export type Stopped = { readonly type: 'cancelled'; readonly because: string } | { readonly type: 'aborted' }

export interface EngineOptions {
  /** Folded over the port's history already. */
  readonly state: RunState
  readonly port: DurablePort
  /** Written before anything else: that the run began, or that another runner took it up. */
  readonly opening: readonly Unstamped[]
  /** Resolves to the outcome's events; an empty outcome leaves the attempt open. Rejects only to end the engine. */
  readonly perform: (task: Task) => Promise<readonly Unstamped[]>
  readonly signatures: Signatures
  /**
   * Sees what runs when a rollback has ended, and mends what it can: resolves to `rollback-finished`, or to nothing where it
   * was aborted. Rejects only to end the engine. Left out: a rollback finishes with its last node.
   */
  readonly validate?: (request: ValidationRequest) => Promise<readonly Unstamped[]>
  /**
   * How long to stay while only a person is waited for, in milliseconds; Infinity: as long as it takes. For a
   * time that comes within this, or within {@link NEAR}, the engine always stays.
   */
  readonly patience: number
  readonly now: () => number
}

/** A wait that ends within this is not worth leaving for, in milliseconds. */
export const NEAR = 10 * 60_000

export type Ended =
  | { readonly type: 'finished'; readonly outcome: Outcome }
  | { readonly type: 'left'; readonly why: 'interrupted' | 'waiting'; readonly waiting: readonly string[] }

/** Runs to the end, or until the run may be left. @throws StateError when another runner has taken the run over */
export function runEngine(options: EngineOptions): Promise<Ended> {
  return new Engine(options).run()
}

class Engine {
  readonly #options: EngineOptions
  readonly #port: DurablePort
  #state: RunState
  #clock: number
  /** Works by the key under which the port runs or waits for them. */
  readonly #open = new Map<string, Work>()
  readonly #stopped = new Map<string, Stopped>()
  readonly #decisions: Word[] = []
  #deciding = false
  #idleSince: number | null = null
  #napping = false
  #resting = false
  #look: 'none' | 'asked' | 'done' = 'none'
  #awake = false
  #recording = 0
  #fatal: unknown = null

  constructor(options: EngineOptions) {
    this.#options = options
    this.#port = options.port
    this.#state = options.state
    this.#clock = options.port.history.at(-1)?.at ?? options.now()
    this.#state.validates = options.validate !== undefined
  }

  async run(): Promise<Ended> {
    if (this.#options.opening.length > 0) this.#record(this.#options.opening)
    this.#port.awaitSignal('run')
    this.#port.now(AWAKE)
    for (;;) {
      const ended = this.#awake ? this.#advance() : null
      if (ended !== null) {
        await this.#drain()
        return ended
      }
      this.#fold(await this.#port.next())
      if (this.#fatal !== null) throw this.#fatal
    }
  }

  /** Everything that can be done before something has to happen; of thousands, a part, and the rest when others had a turn. */
  #advance(): Ended | null {
    for (let begun = 0; begun < BURST; ) {
      // A machine that is slow, or was asleep, is late: what comes next counts from now, and not from what happened last.
      this.#clock = Math.max(this.#clock, this.#options.now())
      const commands = decide(this.#state, this.#clock)
      for (const command of commands) {
        const ended = this.#carryOut(command)
        if (ended !== null) return ended
      }
      if (commands.length === 0 || commands.some(command => command.type === 'idle')) return null
      begun += commands.length
    }
    if (!this.#resting) this.#port.now(REST)
    this.#resting = true
    return null
  }

  #carryOut(command: Command): Ended | null {
    switch (command.type) {
      case 'record':
        this.#record(command.events)
        return null
      case 'perform':
        this.#perform(command)
        return null
      case 'validate':
        this.#validate(command.rollback)
        return null
      case 'ask':
        this.#open.set(command.work.key, command.work)
        this.#port.awaitSignal(command.work.key)
        if (command.until !== null) this.#sleep(command.work, command.until)
        return null
      case 'sleep':
        this.#sleep(command.work, command.until)
        return null
      case 'conclude':
        this.#port.run(`${command.work.key}#over-${command.until}`, null, async () => command.events)
        return null
      case 'cancel':
        this.#stop(command.work, { type: 'cancelled', because: this.#state.halt?.cause ?? 'cancel' })
        return null
      case 'idle':
        return this.#mayLeave(command) ? this.#leave('waiting', command.waiting) : null
      case 'leave':
        return this.#leave('interrupted', [])
      case 'finished':
        return { type: 'finished', outcome: command.outcome }
    }
  }

  /** Whether patience is at its end; if not, sees to it that the question is asked again when it is. */
  #mayLeave({ until, waiting }: Extract<Command, { type: 'idle' }>): boolean {
    const { patience, now } = this.#options
    if (this.#decisions.length > 0 || this.#deciding) return false
    // Nobody can say to this runner what became of a cut-off step: that is a resume's question.
    const isUncertain = (key: string): boolean => this.#state.works.get(key)?.status.type === 'uncertain'
    if (waiting.every(isUncertain)) return this.#nothingUnread()
    if (patience === Infinity || undecidedComponents(this.#state).length > 0) return false
    this.#idleSince ??= now()
    const deadline = this.#idleSince + patience
    if (until !== null && until <= Math.max(deadline, now() + NEAR)) return false
    if (now() >= deadline) return this.#nothingUnread()
    if (!this.#napping) this.#port.sleep(PATIENCE, deadline)
    this.#napping = true
    return false
  }

  /** A word that arrived while nobody ran the run is read before it is left again. */
  #nothingUnread(): boolean {
    if (this.#look === 'none') {
      this.#look = 'asked'
      this.#port.now(LOOK)
    }
    return this.#look === 'done'
  }

  #leave(why: 'interrupted' | 'waiting', waiting: readonly string[]): Ended {
    this.#record([{ type: 'run-left', why, waiting }])
    return { type: 'left', why, waiting }
  }

  #record(events: readonly Unstamped[]): void {
    this.#idleSince = null
    if (this.#look === 'done') this.#look = 'none'
    this.#port.record(events)
    this.#recording += 1
    for (const event of events) this.#evolve({ ...event, at: this.#clock } as RunEvent)
  }

  #perform({ work, attempt, recover }: Extract<Command, { type: 'perform' }>): void {
    const key = attemptKey(work, attempt)
    const intent: Unstamped = { type: 'node-started', node: work.key, attempt }
    const state = this.#state
    this.#open.set(key, work)
    this.#port.run(key, intent, async context => {
      try {
        const stopped = (): Stopped | null => this.#stopped.get(key) ?? null
        return await this.#options.perform({ state, work, attempt, recover, context, stopped })
      } catch (error) {
        this.#fatal ??= error
        return []
      }
    })
    this.#evolve({ ...intent, at: this.#clock } as RunEvent)
  }

  #validate(rollback: RollbackState): void {
    const state = this.#state
    const key = validationKey(rollback)
    this.#port.run(key, null, context =>
      this.#options.validate!({ state, rollback, context }).catch(error => {
        this.#fatal ??= error
        return []
      }),
    )
  }

  #sleep(work: Work, until: number): void {
    const key = `${work.key}#until`
    this.#open.set(key, work)
    this.#port.sleep(key, until)
  }

  #stop(work: Work, why: Stopped): void {
    const key = attemptKey(work, work.attempts)
    if (!this.#open.has(key)) return
    this.#stopped.set(key, why)
    this.#port.cancel(key)
  }

  #fold(happened: Happened): void {
    switch (happened.type) {
      case 'completed':
        this.#completed(happened)
        return
      case 'recorded':
        this.#recording -= 1
        this.#tick(happened.events)
        return
      case 'slept':
        this.#slept(happened.key)
        return
      case 'signal':
        this.#signal(happened.key, happened.signal)
        return
      case 'now':
        this.#clock = Math.max(this.#clock, happened.at)
        if (happened.key === AWAKE) this.#awake = true
        else if (happened.key === REST) this.#resting = false
        else this.#look = 'done'
        return
      case 'lease-lost':
        throw new StateError(
          'run-taken-over',
          `the run was taken over by ${happened.holder.who} on ${happened.holder.host} (pid ${happened.holder.pid})`,
          { hint: 'Nothing more was written here. Follow it with `release watch`.' },
        )
    }
  }

  #completed({ key, events }: Extract<Happened, { type: 'completed' }>): void {
    const work = this.#open.get(key)
    this.#open.delete(key)
    this.#stopped.delete(key)
    this.#tick(events)
    for (const event of events) this.#evolve(event)
    if (key.startsWith('decision/')) this.#deciding = false
    for (const rollback of this.#state.rollbacks)
      if (validationKey(rollback) === key) rollback.validating = false
    if (work !== undefined && events.length === 0) setInFlight(this.#state, work, false)
    this.#nextDecision()
  }

  #slept(key: string): void {
    if (key === PATIENCE) this.#napping = false
    const work = this.#open.get(key)
    this.#open.delete(key)
    if (work === undefined) return
    if ('until' in work.status) this.#clock = Math.max(this.#clock, work.status.until ?? 0)
    setInFlight(this.#state, work, false)
    this.#release(work.key)
  }

  #signal(key: string, signal: Signal): void {
    switch (signal.type) {
      case 'decision':
        this.#decisions.push({ approval: key, signed: signal.decision })
        this.#nextDecision()
        return
      case 'stop':
        // A cancel is meant for the run and outlives the runner that a Ctrl-C ends.
        if (this.#state.stop === null || (this.#state.stop === 'interrupt' && signal.by === 'cancel')) {
          this.#record([{ type: 'stop-asked', by: signal.by, who: signal.who }])
        }
        // A watch of hours is not waited for: it has changed nothing, and a resume begins it anew.
        if (signal.by === 'interrupt') this.#abort(isWatching)
        return
      case 'abort':
        this.#state.aborted = true
        this.#abort(() => true)
        return
    }
  }

  #abort(which: (work: Work) => boolean): void {
    for (const work of this.#state.active) {
      if (work.inFlight && work.status.type === 'running' && which(work))
        this.#stop(work, { type: 'aborted' })
    }
    for (const rollback of this.#state.rollbacks)
      if (rollback.validating) this.#port.cancel(validationKey(rollback))
  }

  /** Decisions are judged one after the other: each may change what the next is worth. */
  #nextDecision(): void {
    if (this.#deciding) return
    const word = this.#decisions.shift()
    if (word === undefined) return
    this.#deciding = true
    const state = this.#state
    this.#port.run(`decision/${word.approval}#${state.words + 1}`, null, () =>
      judgeWord(word, state, this.#options),
    )
  }

  #tick(events: readonly RunEvent[]): void {
    for (const event of events) this.#clock = Math.max(this.#clock, event.at)
  }

  #evolve(event: RunEvent): void {
    this.#state = evolve(this.#state, event)
    if ('node' in event) this.#closeWaits(event.node)
  }

  /** A wait that has ended in another way is no longer waited for. */
  #closeWaits(key: string): void {
    const work = this.#state.works.get(key)
    if (work !== undefined && isEnded(work.status)) this.#release(key)
  }

  #release(key: string): void {
    for (const open of [key, `${key}#until`]) {
      if (this.#open.delete(open)) this.#port.cancel(open)
    }
  }

  /** What was recorded last has to be durable before the process may end. */
  async #drain(): Promise<void> {
    while (this.#recording > 0) {
      const happened = await this.#port.next()
      if (happened.type === 'recorded') this.#recording -= 1
      // A word that was being judged when the run was left is on record: whoever asks for the state is told so.
      if (happened.type === 'completed') for (const event of happened.events) this.#evolve(event)
    }
  }
}

/** The key under which the engine asks, before anything else, for the time and for what lies unread (E4). */
const AWAKE = 'awake'

/** The key under which the engine asks whether there is anything unread. */
const LOOK = 'look'

/** The key under which the engine lets others have a turn. */
const REST = 'rest'

/** So many commands are carried out in one go. */
const BURST = 200

/** The key under which the engine waits for its own patience to end. */
const PATIENCE = 'patience'

const validationKey = ({ number }: RollbackState): string => `rollback/${number}/validation`

const attemptKey = (work: Work, attempt: number): string => `${work.key}#${attempt}`
