/**
 * The ground that one machine offers: a journal file, timers, and a folder for people's words.
 *
 * Role: implements DurablePort (D1..D5 there). Boundary: knows no plan and no state; what an event means is
 * the engine's business.
 *
 *  G1. What happens is queued in the order in which the journal made it durable, and `next` takes from the front.
 *  G2. A call's key is open from the call until `next` has yielded its end, or until a cancel where it yields none.
 *  G3. The outcome's records carry the call's key, all or none of them count, and a later runner yields them again.
 *  G4. A person's signal is yielded again after a crash until an answer to it is on record. An answer is one
 *      event of the signal's node, handed over after the signal was yielded; for the key `run`, the next `record`.
 *      The answer's record names the signal, so that it is answered once even if its file outlives that record.
 *  G5. After a failed or refused append nothing is recorded, performed or yielded any more, but the failure:
 *      `lease-lost` where another runner has the run, a rejection of `next` otherwise.
 *  G6. Time never goes back: where the wall clock does, the run's stands still until that has caught up, and a sleep
 *      ends when as much real time has gone by as was left of it. Where the wall clock jumps ahead, the run's follows.
 */
import { type ReleaseError, StateError } from '../../src/errors.ts'
import type { RunEvent, Unstamped } from '../../src/run/events.ts'
import type { DurablePort, EffectContext, Happened, Holder, Signal } from '../../src/run/ports.ts'
import { type AppendFile, type Journal, type OpenedJournal, openJournal } from '../journal/journal-file.ts'
import type { RunLock } from '../journal/run-lock.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Faults } from './faults.ts'
import { deliverInbox, type Mailbox } from './mailbox.ts'

/** The key under which `stop` and `abort` arrive. */
export const RUN_KEY = 'run'

/** No timer waits longer before it looks at the wall clock again, which may have jumped. */
const LONGEST_NAP = 15_000

/** How long what has happened is yielded without letting anything else have a turn, in milliseconds. */
const SLICE = 4

export interface EmbeddedGroundOptions {
  /** Path of the run's journal. */
  readonly journal: string
  /** The run's folder of signals. */
  readonly inbox: string
  /** The run is ours. The ground does not release it. */
  readonly lock: Pick<RunLock, 'fence' | 'assertHeld' | 'successor' | 'onLost'>
  /** Called with every event once it is durable, those of before first. For views; it must not throw. */
  readonly onEvent?: (event: RunEvent, source: 'history' | 'live') => void
  readonly faults?: Faults | undefined
  readonly clock?: Clock
  /** Milliseconds between looks into the inbox where the system tells of no change. */
  readonly poll?: number
  /** How the journal is opened for appending; the default is the disk. */
  readonly openFile?: (path: string) => Promise<AppendFile>
}

export interface EmbeddedGround extends DurablePort {
  /** How many bytes of an unfinished append a crash had left; they were cut off. */
  readonly cut: number
  /** The time that events are stamped with, in milliseconds since 1970 (G6). */
  time(): number
  /** A signal from this very process (Ctrl-C), under the key `run`. */
  interrupt(signal: Signal): void
  /** Ends timers, aborts what runs, waits for what was handed to the journal, and closes it. */
  close(): Promise<void>
}

/**
 * Opens a run's journal and stands on it. Throws StateError: `journal-damaged`, `journal-format`,
 * `journal-unreadable`, `journal-unwritable`, `fenced`.
 */
export async function embeddedGround(options: EmbeddedGroundOptions): Promise<EmbeddedGround> {
  const opened = await openJournal(options.journal, {
    guard: options.lock.assertHeld.bind(options.lock),
    ...(options.openFile && { openFile: options.openFile }),
  })
  return new Ground(options, opened)
}

/** A call that has not ended yet. */
type Open =
  | { readonly kind: 'run'; readonly abort: AbortController }
  | { readonly kind: 'sleep'; stop: () => void }
  | { readonly kind: 'signals' }
  | { readonly kind: 'now' }

class Ground implements EmbeddedGround {
  readonly history: readonly RunEvent[]
  readonly cut: number
  readonly #options: EmbeddedGroundOptions
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #mailbox: Mailbox
  readonly #open = new Map<string, Open>()
  readonly #outcomes: Map<string, readonly RunEvent[]>
  readonly #unwatch: () => void
  #queue: Happened[] = []
  /** When yielding without a turn for others began. */
  #slice: number | null = null
  #waiter: PromiseWithResolvers<Happened> | null = null
  #end: ReleaseError | null = null
  /** The latest time that was read or recorded. */
  #latest: number

  constructor(options: EmbeddedGroundOptions, opened: OpenedJournal) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#journal = opened.journal
    this.cut = opened.cut
    this.history = opened.entries.map(entry => entry.event)
    this.#latest = this.history.reduce((latest, { at }) => Math.max(latest, at), 0)
    this.#outcomes = outcomesOf(opened.entries)
    this.#mailbox = deliverInbox(options.inbox, {
      answered: opened.entries.flatMap(entry => entry.acks),
      poll: options.poll ?? 1_000,
      deliver: (key, signal) => this.#happen({ type: 'signal', key, signal }),
      fail: error => this.#fail(error),
    })
    this.#unwatch = options.lock.onLost(() => this.#failWith(() => options.lock.assertHeld()))
    for (const event of this.history) options.onEvent?.(event, 'history')
  }

  run(
    key: string,
    intent: Unstamped | null,
    effect: (context: EffectContext) => Promise<readonly Unstamped[]>,
  ): void {
    const abort = new AbortController()
    this.#begin(key, { kind: 'run', abort })
    const outcome = this.#outcomes.get(key)
    if (outcome !== undefined) this.#happen({ type: 'completed', key, events: outcome })
    else this.#perform(key, intent, effect, abort.signal).catch(error => this.#fail(error))
  }

  sleep(key: string, until: number): void {
    const call = { kind: 'sleep' as const, stop: () => {} }
    this.#begin(key, call)
    const look = (patience: number): void => {
      const left = Math.min(patience, until - this.time())
      if (left <= 0) {
        this.#latest = Math.max(this.#latest, until)
        this.#happen({ type: 'slept', key })
        return
      }
      const nap = Math.min(left, LONGEST_NAP)
      call.stop = this.#clock.after(nap, () => look(patience - nap))
    }
    look(until - this.time())
  }

  time(): number {
    this.#latest = Math.max(this.#latest, this.#clock.now())
    return this.#latest
  }

  awaitSignal(key: string): void {
    this.#begin(key, { kind: 'signals' })
    this.#mailbox.open(key)
  }

  record(events: readonly Unstamped[]): void {
    this.#mayWrite()
    this.#append(events, { answers: 'all' }).then(
      recorded => this.#happen({ type: 'recorded', events: recorded }),
      error => this.#fail(error),
    )
  }

  /** Read afresh at each call: nothing is replayed here, so there is no earlier answer to agree with. */
  now(key: string): void {
    this.#begin(key, { kind: 'now' })
    const at = this.time()
    void this.#mailbox.looked().then(() => {
      if (this.#open.get(key)?.kind === 'now') this.#happen({ type: 'now', key, at })
    })
  }

  cancel(key: string): void {
    const call = this.#open.get(key)
    if (call?.kind === 'run') call.abort.abort()
    else if (call !== undefined) this.#forget(key, call)
  }

  next(): Promise<Happened> {
    if (this.#waiter !== null) throw misuse('next-pending', 'next() was called while a next() is pending.')
    if (this.#queue.length > 0) return this.#turn()
    if (this.#end !== null) return Promise.reject(this.#end)
    this.#waiter = Promise.withResolvers()
    return this.#waiter.promise
  }

  /** What has happened already is yielded at once, for a while: then timers and streams have their turn. */
  #turn(): Promise<Happened> {
    const now = performance.now()
    if (this.#slice === null) {
      this.#slice = now
      setImmediate(() => {
        this.#slice = null
      })
    }
    if (now - this.#slice < SLICE) return Promise.resolve(this.#yielded(this.#queue.shift()!))
    // What waits in the queue may be cancelled meanwhile: it is asked for anew.
    return new Promise(resolve => setImmediate(() => resolve(this.next())))
  }

  interrupt(signal: Signal): void {
    this.#mailbox.put(RUN_KEY, signal)
  }

  async close(): Promise<void> {
    this.#stop(this.#end ?? new StateError('ground-closed', 'The run was left by this runner.'))
    await this.#mailbox.end()
    await this.#journal.close()
    this.#rejectWaiter(this.#end)
  }

  async #perform(
    key: string,
    intent: Unstamped | null,
    effect: (context: EffectContext) => Promise<readonly Unstamped[]>,
    signal: AbortSignal,
  ): Promise<void> {
    // Without an intent there is still what was recorded earlier to wait for (D2).
    await this.#append(intent === null ? [] : [intent], { answers: 'none' })
    if (this.#end !== null) return
    this.#options.faults?.(`effect:before:${key}`)
    const outcome = await effect({ signal, fence: this.#options.lock.fence })
    if (this.#end !== null) return
    this.#options.faults?.(`effect:after:${key}`)
    const events = await this.#append(outcome, { key, answers: 'by-node' })
    if (events.length > 0) this.#outcomes.set(key, events)
    this.#happen({ type: 'completed', key, events })
  }

  /** Stamps events and makes them durable as one. Handed to the journal before this returns its promise. */
  #append(
    unstamped: readonly Unstamped[],
    { key, answers }: { key?: string; answers: 'all' | 'by-node' | 'none' },
  ): Promise<readonly RunEvent[]> {
    const at = this.time()
    const events = unstamped.map(event => ({ ...event, at }) as RunEvent)
    const acks = this.#mailbox.answer(answers === 'none' ? [] : keysOf(events, answers))
    for (const event of events) this.#options.faults?.(`journal:before-append:${event.type}`)
    return this.#journal.append({ events, key, acks }).then(() => {
      for (const event of events) this.#options.faults?.(`journal:after-append:${event.type}`)
      this.#mailbox.discard(acks)
      for (const event of events) this.#options.onEvent?.(event, 'live')
      return events
    })
  }

  /** Ends a call that has no outcome: nothing of it is yielded any more. */
  #forget(key: string, call: Exclude<Open, { kind: 'run' }>): void {
    this.#open.delete(key)
    this.#queue = this.#queue.filter(happened => !('key' in happened && happened.key === key))
    if (call.kind === 'sleep') call.stop()
    if (call.kind === 'signals') this.#mailbox.close(key)
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

  #happen(happened: Happened): void {
    if (this.#end !== null) return
    this.#offer(happened)
  }

  #offer(happened: Happened): void {
    this.#queue.push(happened)
    if (this.#waiter === null) return
    const { resolve } = this.#waiter
    this.#waiter = null
    resolve(this.#yielded(this.#queue.shift()!))
  }

  #yielded(happened: Happened): Happened {
    if (happened.type === 'signal') this.#mailbox.yielded(happened.signal)
    else if ('key' in happened) this.#open.delete(happened.key)
    return happened
  }

  #failWith(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (this.#end !== null) return
    const end = error instanceof StateError ? error : defect(error)
    this.#stop(end)
    this.#queue = []
    const holder: Holder | null = end.code === 'fenced' ? this.#options.lock.successor() : null
    if (holder !== null) this.#offer({ type: 'lease-lost', holder })
    else this.#rejectWaiter(end)
  }

  #rejectWaiter(error: unknown): void {
    this.#waiter?.reject(error)
    this.#waiter = null
  }

  #stop(end: ReleaseError): void {
    this.#end = end
    this.#unwatch()
    for (const call of this.#open.values()) {
      if (call.kind === 'run') call.abort.abort(end)
      if (call.kind === 'sleep') call.stop()
    }
    this.#open.clear()
    void this.#mailbox.end()
  }
}

/** What each call has come to already. */
function outcomesOf(entries: OpenedJournal['entries']): Map<string, readonly RunEvent[]> {
  const outcomes = new Map<string, RunEvent[]>()
  for (const { key, event } of entries) {
    if (key === null) continue
    const known = outcomes.get(key)
    if (known === undefined) outcomes.set(key, [event])
    else known.push(event)
  }
  return outcomes
}

/** The keys that these events answer, one for each answer. */
function keysOf(events: readonly RunEvent[], answers: 'all' | 'by-node'): readonly string[] {
  const nodes = events.flatMap(event => ('node' in event ? [event.node] : []))
  return answers === 'all' && events.length > 0 ? [...nodes, RUN_KEY] : nodes
}

const misuse = (code: string, message: string): StateError =>
  new StateError(code, message, { hint: 'This is a defect of release-as-code; please report it.' })

const defect = (cause: unknown): StateError =>
  new StateError('engine-defect', `An effect or a listener threw where it must not: ${cause}.`, {
    cause,
    hint: 'This is a defect of release-as-code; please report it. The run can be resumed.',
  })
