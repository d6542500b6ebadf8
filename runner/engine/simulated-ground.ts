/**
 * The ground of a simulation: virtual time, a record in memory, and an order of events that a seed decides.
 *
 * Role: implements DurablePort (D1..D5 there) without a disk and without waiting, so that ten thousand releases
 * with crashes at every write run in the time of one. Boundary: knows no plan and no state, as every ground.
 *
 *  SG1. What could happen next is a set of choices: the oldest of what was handed to the record, any effect that
 *       has ended, any timer that is due, the oldest word for any awaited key, a question for the time. The seed
 *       chooses. So every order that a real ground could show is shown by some seed.
 *  SG2. Time moves only when there is no choice, to the next timer of the ground or of an effect.
 *  SG3. Effects may wait for the ground's clock and for what is resolved without real time; with such effects
 *       the same seed gives the same record, byte for byte.
 *  SG4. A {@link SimulatedRun} is what outlives a runner: the record, people's words, the fence and the time.
 *       A fault point (as in faults.ts) at which the runner dies leaves there exactly what was written by then.
 */
import { StateError } from '../../src/errors.ts'
import type { RunEvent, Unstamped } from '../../src/run/events.ts'
import type { DurablePort, EffectContext, Happened, Holder, Signal } from '../../src/run/ports.ts'
import { type Seeded, seeded } from './seeded.ts'
import { VirtualClock } from './virtual-clock.ts'

/** The key under which `stop` and `abort` arrive. */
const RUN_KEY = 'run'

/** One append: all of its events are kept, or none. */
interface Entry {
  readonly key: string | null
  readonly events: readonly RunEvent[]
  /** Numbers of the words that it answers. */
  readonly answers: readonly number[]
}

interface Word {
  readonly key: string
  readonly signal: Signal
  /** When it arrives, in milliseconds since 1970. */
  readonly at: number
}

/** What outlives a runner (SG4). */
export class SimulatedRun {
  /** The time of the last runner's clock; set it later to let time pass while nobody runs the run. */
  now: number
  readonly entries: Entry[]
  readonly words: Word[]
  fence = 0
  #runner: Ground | null = null

  constructor(start: number, entries: readonly Entry[] = [], words: readonly Word[] = []) {
    this.now = start
    this.entries = [...entries]
    this.words = [...words]
  }

  get events(): readonly RunEvent[] {
    return this.entries.flatMap(entry => entry.events)
  }

  /** A person's word; without `at` it arrives now. */
  post(key: string, signal: Signal, at: number = this.now): void {
    this.words.push({ key, signal, at })
    this.#runner?.expect(this.words.length - 1)
  }

  /** Another runner takes the run over: the one before is told and may write nothing more. */
  takeOver(holder: Holder, runner: Ground | null = null): number {
    this.#runner?.lose(holder)
    this.#runner = runner
    this.fence += 1
    return this.fence
  }

  /** The run as a crash would have left it when the first `count` events were written; a torn append is none. */
  crashedAfter(count: number): SimulatedRun {
    let left = count
    const whole = this.entries.filter(({ events }) => {
      left -= events.length
      return left >= 0
    })
    const copy = new SimulatedRun(this.now, whole, this.words)
    copy.fence = this.fence
    return copy
  }
}

export interface SimulatedGroundOptions {
  readonly run: SimulatedRun
  readonly seed: number
  readonly holder: Holder
  /** Asked at each fault point (named as in faults.ts); true: the runner dies there. */
  readonly dies?: (point: string) => boolean
  /**
   * What to do when nothing can happen any more unless somebody outside acts. wait: as a real ground does, the
   * default. fail: `next` rejects with the code `simulated-standstill`, for a simulation in which nobody will.
   */
  readonly standstill?: 'wait' | 'fail'
  /** Called with every event once it is durable. */
  readonly onEvent?: (event: RunEvent) => void
}

export interface SimulatedGround extends DurablePort {
  /** The time, also for effects: what waits for it takes no real time. */
  readonly clock: VirtualClock
  /** A signal from this very process (Ctrl-C), under the key `run`. */
  interrupt(signal: Signal): void
  close(): Promise<void>
}

/** Attaches a runner to a simulated run. */
export const simulatedGround = (options: SimulatedGroundOptions): SimulatedGround => new Ground(options)

/** The code of the error with which `next` is rejected when the runner has died at a fault point. */
export const SIMULATED_CRASH = 'simulated-crash'

/** The code of the error with which `next` is rejected at a standstill (see {@link SimulatedGroundOptions}). */
export const SIMULATED_STANDSTILL = 'simulated-standstill'

type Effect = (context: EffectContext) => Promise<readonly Unstamped[]>

type Open =
  | { readonly kind: 'run'; readonly abort: AbortController }
  | { readonly kind: 'sleep'; readonly stop: () => void; due: boolean }
  | { readonly kind: 'signals' }
  /** `before`: words that had arrived when it was asked are yielded first. */
  | { readonly kind: 'now'; readonly before: number }

/** What was handed to the record and is not written yet, oldest first. */
type Pending =
  | { readonly kind: 'facts'; readonly events: readonly Unstamped[]; readonly answers: readonly number[] }
  | {
      readonly kind: 'intent'
      readonly key: string
      readonly intent: Unstamped | null
      readonly effect: Effect
    }

/** A word as this runner knows it. `number`: its place in the run's words; null: from this process. */
interface Letter {
  readonly number: number | null
  readonly key: string
  readonly signal: Signal
  /** Place in the order in which words arrived here. */
  readonly arrived: number
  state: 'arrived' | 'asked' | 'closed'
}

type Choice = () => Happened | null

class Ground implements SimulatedGround {
  readonly history: readonly RunEvent[]
  readonly clock: VirtualClock
  readonly #options: SimulatedGroundOptions
  readonly #random: Seeded
  readonly #fence: number
  readonly #open = new Map<string, Open>()
  readonly #outcomes = new Map<string, readonly RunEvent[]>()
  /** What effects have come to, not written yet; null: it was recorded before. */
  readonly #ended = new Map<string, readonly Unstamped[] | null>()
  readonly #answered: ReadonlySet<number>
  #pending: Pending[] = []
  #letters: Letter[] = []
  #arrivals = 0
  /** Effects may have something to do that takes no time. */
  #astir = false
  #yielding = false
  /** Written while nobody asked for what happens next. */
  #written: Happened[] = []
  #unasked: NodeJS.Immediate | null = null
  #wake: (() => void) | null = null
  #end: StateError | null = null
  #lostTo: Holder | null = null

  constructor(options: SimulatedGroundOptions) {
    const { run } = options
    this.#options = options
    this.#random = seeded(options.seed)
    this.#fence = run.takeOver(options.holder, this)
    this.clock = new VirtualClock(run.now)
    this.history = run.events
    for (const { key, events } of run.entries) if (key !== null) this.#outcomes.set(key, events)
    this.#answered = new Set(run.entries.flatMap(entry => entry.answers))
    for (const number of run.words.keys()) this.expect(number)
  }

  run(key: string, intent: Unstamped | null, effect: Effect): void {
    this.#begin(key, { kind: 'run', abort: new AbortController() })
    if (this.#outcomes.has(key)) this.#ended.set(key, null)
    else this.#pending.push({ kind: 'intent', key, intent, effect })
    this.#stir()
  }

  sleep(key: string, until: number): void {
    const stop = this.clock.after(until - this.clock.now(), () => {
      const call = this.#open.get(key)
      if (call?.kind === 'sleep') call.due = true
    })
    try {
      this.#begin(key, { kind: 'sleep', stop, due: false })
    } catch (error) {
      stop()
      throw error
    }
    this.#stir()
  }

  awaitSignal(key: string): void {
    this.#begin(key, { kind: 'signals' })
    this.#stir()
  }

  record(events: readonly Unstamped[]): void {
    this.#mayWrite()
    const nodes = events.flatMap(event => ('node' in event ? [event.node] : []))
    const answers = this.#answer(events.length > 0 ? [...nodes, RUN_KEY] : nodes)
    this.#pending.push({ kind: 'facts', events, answers })
    this.#stir()
  }

  now(key: string): void {
    this.#begin(key, { kind: 'now', before: this.#arrivals })
    this.#stir()
  }

  cancel(key: string): void {
    const call = this.#open.get(key)
    if (call === undefined) return
    if (call.kind === 'run') {
      call.abort.abort()
      this.#astir = true
      this.#stir()
      return
    }
    this.#open.delete(key)
    if (call.kind === 'sleep') call.stop()
    if (call.kind === 'signals') {
      for (const letter of this.#letters) {
        if (letter.key === key && letter.state === 'asked') letter.state = 'closed'
      }
    }
  }

  next(): Promise<Happened> {
    if (this.#yielding) throw misuse('next-pending', 'next() was called while a next() is pending.')
    this.#yielding = true
    return this.#turn().finally(() => {
      this.#yielding = false
    })
  }

  interrupt(signal: Signal): void {
    this.#receive(null, RUN_KEY, signal)
  }

  close(): Promise<void> {
    this.#stop(new StateError('ground-closed', 'The run was left by this runner.'))
    return Promise.resolve()
  }

  /** A word lies in the run's inbox, or will when its time comes. */
  expect(number: number): void {
    if (this.#end !== null || this.#answered.has(number)) return
    const { key, signal, at } = this.#options.run.words[number]!
    if (at <= this.clock.now()) this.#receive(number, key, signal)
    else this.clock.after(at - this.clock.now(), () => this.#receive(number, key, signal))
    this.#stir()
  }

  /** The run belongs to another runner now. */
  lose(holder: Holder): void {
    if (this.#end !== null) return
    this.#lostTo = holder
    this.#stop(new StateError('fenced', `The run was taken over by ${holder.who}.`))
  }

  async #turn(): Promise<Happened> {
    for (;;) {
      await this.#settle()
      if (this.#lostTo !== null) return this.#tellLoss(this.#lostTo)
      if (this.#end !== null) throw this.#end
      const written = this.#written.shift()
      if (written !== undefined) return written
      const choices = this.#choices()
      const choice = choices[this.#random.below(choices.length)]
      if (choice !== undefined) {
        const happened = choice()
        if (happened !== null) return happened
      } else if (this.clock.jump()) {
        this.#options.run.now = this.clock.now()
        this.#astir = true
      } else if (this.#options.standstill === 'fail') {
        throw new StateError(SIMULATED_STANDSTILL, 'Nothing can happen any more, and the run has not ended.')
      } else {
        await this.#stirred()
      }
    }
  }

  #tellLoss(holder: Holder): Happened {
    this.#lostTo = null
    return { type: 'lease-lost', holder }
  }

  /** Lets effects go on until each has ended or waits for time (SG3). */
  async #settle(): Promise<void> {
    if (!this.#astir) return
    this.#astir = false
    await new Promise(resolve => setImmediate(resolve))
  }

  #stirred(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }

  #stir(): void {
    this.#wake?.()
    this.#wake = null
    if (this.#pending.length > 0) this.#unasked ??= setImmediate(() => this.#writeUnasked())
  }

  /** A record is written and an effect starts also while nobody calls `next`; what comes of it waits for that call. */
  #writeUnasked(): void {
    this.#unasked = null
    if (this.#yielding) return
    try {
      for (
        let oldest = this.#pending[0];
        oldest !== undefined && this.#end === null;
        oldest = this.#pending[0]
      ) {
        const happened = this.#write(oldest)
        if (happened !== null) this.#written.push(happened)
      }
    } catch (error) {
      if (error !== this.#end) throw error
    }
  }

  #choices(): readonly Choice[] {
    const choices: Choice[] = []
    const oldest = this.#pending[0]
    if (oldest !== undefined) choices.push(() => this.#write(oldest))
    for (const key of this.#ended.keys()) choices.push(() => this.#complete(key))
    for (const letter of this.#deliverable()) choices.push(() => this.#deliver(letter))
    for (const [key, call] of this.#open) {
      if (call.kind === 'sleep' && call.due) choices.push(() => this.#yielded({ type: 'slept', key }))
      if (call.kind === 'now' && !this.#unread(call.before)) {
        choices.push(() => this.#yielded({ type: 'now', key, at: this.clock.now() }))
      }
    }
    return choices
  }

  #write(oldest: Pending): Happened | null {
    this.#pending.shift()
    switch (oldest.kind) {
      case 'facts':
        return { type: 'recorded', events: this.#append(null, oldest.events, oldest.answers) }
      case 'intent':
        this.#append(null, oldest.intent === null ? [] : [oldest.intent], [])
        this.#start(oldest.key, oldest.effect)
        return null
    }
  }

  #start(key: string, effect: Effect): void {
    const call = this.#open.get(key)
    if (call?.kind !== 'run') return
    this.#point(`effect:before:${key}`)
    this.#astir = true
    effect({ signal: call.abort.signal, fence: this.#fence }).then(
      outcome => {
        if (this.#end !== null) return
        this.#ended.set(key, outcome)
        this.#stir()
      },
      error => this.#stop(defect(error)),
    )
  }

  #complete(key: string): Happened {
    const outcome = this.#ended.get(key)!
    this.#ended.delete(key)
    if (outcome === null) {
      return this.#yielded({ type: 'completed', key, events: this.#outcomes.get(key)! })
    }
    this.#point(`effect:after:${key}`)
    const nodes = outcome.flatMap(event => ('node' in event ? [event.node] : []))
    const events = this.#append(key, outcome, this.#answer(nodes))
    if (events.length > 0) this.#outcomes.set(key, events)
    return this.#yielded({ type: 'completed', key, events })
  }

  /** The only write. As JSON, so that what a real record could not keep is not kept here either. */
  #append(key: string | null, unstamped: readonly Unstamped[], answers: readonly number[]): RunEvent[] {
    const at = this.clock.now()
    for (const event of unstamped) this.#point(`journal:before-append:${event.type}`)
    const events = unstamped.map(event => JSON.parse(JSON.stringify({ ...event, at })) as RunEvent)
    if (events.length > 0 || answers.length > 0) this.#options.run.entries.push({ key, events, answers })
    for (const event of events) this.#options.onEvent?.(event)
    for (const event of events) this.#point(`journal:after-append:${event.type}`)
    return events
  }

  #point(name: string): void {
    if (this.#options.dies?.(name) !== true) return
    this.#end = new StateError(SIMULATED_CRASH, `The simulated runner died at ${name}.`)
    this.clock.clear()
    throw this.#end
  }

  #receive(number: number | null, key: string, signal: Signal): void {
    this.#arrivals += 1
    this.#letters.push({ number, key, signal, arrived: this.#arrivals, state: 'arrived' })
    this.#stir()
  }

  /** For each awaited key the oldest that was not yielded. */
  #deliverable(): readonly Letter[] {
    const first = new Map<string, Letter>()
    for (const letter of this.#letters) {
      const awaited = this.#open.get(letter.key)?.kind === 'signals'
      if (letter.state === 'arrived' && awaited && !first.has(letter.key)) first.set(letter.key, letter)
    }
    return [...first.values()]
  }

  #deliver(letter: Letter): Happened {
    letter.state = 'asked'
    // From this process: there is nothing that would bring it again.
    if (letter.number === null) this.#letters = this.#letters.filter(one => one !== letter)
    return { type: 'signal', key: letter.key, signal: letter.signal }
  }

  #unread(before: number): boolean {
    return this.#deliverable().some(letter => letter.arrived <= before)
  }

  /** Takes the words that these keys' events answer: the oldest asked of each, or all of `run` (as the mailbox does). */
  #answer(keys: readonly string[]): readonly number[] {
    if (keys.length === 0 || this.#letters.length === 0) return []
    const answered = new Set(this.#letters.filter(letter => letter.state === 'closed'))
    for (const key of keys) {
      const asked = this.#letters.filter(
        letter => letter.key === key && letter.state === 'asked' && !answered.has(letter),
      )
      for (const letter of key === RUN_KEY ? asked : asked.slice(0, 1)) answered.add(letter)
    }
    this.#letters = this.#letters.filter(letter => !answered.has(letter))
    return [...answered].flatMap(letter => (letter.number === null ? [] : [letter.number]))
  }

  #yielded<H extends Happened & { readonly key: string }>(happened: H): H {
    this.#open.delete(happened.key)
    return happened
  }

  #begin(key: string, call: Open): void {
    this.#mayWrite()
    if (this.#open.has(key)) {
      throw misuse('key-open', `The call ${key} was made while a call with that key is open.`)
    }
    this.#open.set(key, call)
  }

  #mayWrite(): void {
    if (this.#end !== null) throw this.#end
  }

  #stop(end: StateError): void {
    if (this.#end !== null) return
    this.#end = end
    for (const call of this.#open.values()) if (call.kind === 'run') call.abort.abort(end)
    this.#open.clear()
    this.clock.clear()
    this.#stir()
  }
}

const misuse = (code: string, message: string): StateError =>
  new StateError(code, message, { hint: 'This is a defect of release-as-code; please report it.' })

const defect = (cause: unknown): StateError =>
  new StateError('engine-defect', `An effect threw where it must not: ${cause}.`, {
    cause,
    hint: 'This is a defect of release-as-code; please report it.',
  })
