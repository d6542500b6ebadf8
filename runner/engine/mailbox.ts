/**
 * Hands people's signals to the ground, and knows which of them still want an answer.
 *
 * Role: between the inbox's files and `next()`. Boundary: deletes a signal's file only when told that its
 * answer is durable.
 *
 *     arrived ──key awaited──▶ offered ──yielded──▶ asked ──answered, durable──▶ gone
 *        ▲                        │ key cancelled      └──key cancelled──▶ answered by whatever comes next
 *        └────────────────────────┘
 */
import type { Signal } from '../../src/run/ports.ts'
import { readInbox, removeSignal } from '../journal/inbox.ts'
import { watchFolder } from '../journal/watch-folder.ts'

export interface MailboxOptions {
  /** Ids of signals that had their answer before; their files only outlived it. */
  readonly answered: readonly string[]
  /** Milliseconds between looks. */
  readonly poll: number
  readonly deliver: (key: string, signal: Signal) => void
  readonly fail: (error: unknown) => void
}

export interface Mailbox {
  /** Signals for this key are wanted from now on. */
  open(key: string): void
  close(key: string): void
  /** A signal from this process; it has no file. */
  put(key: string, signal: Signal): void
  /** The engine has got this one. */
  yielded(signal: Signal): void
  /** Ids of those that these keys' events answer: the oldest asked of the key, or all for `run`. */
  answer(keys: readonly string[]): readonly string[]
  /** Their answer is durable. */
  discard(ids: readonly string[]): void
  /** Resolves once everything that has arrived by now and is awaited was offered. */
  looked(): Promise<void>
  end(): Promise<void>
}

interface Letter {
  /** null: from this process. */
  readonly id: string | null
  readonly key: string
  readonly signal: Signal
  state: 'arrived' | 'offered' | 'asked' | 'closed'
}

/** Watches an inbox while any key is open. */
export const deliverInbox = (inbox: string, options: MailboxOptions): Mailbox =>
  new WatchedMailbox(inbox, options)

class WatchedMailbox implements Mailbox {
  readonly #inbox: string
  readonly #options: MailboxOptions
  readonly #open = new Set<string>()
  /** Every id that was ever seen, so that no file is delivered twice. */
  readonly #known: Set<string>
  #letters: Letter[] = []
  #stopWatching: (() => void) | null = null
  #look: Promise<void> | null = null
  #lookAgain = false
  #ended = false

  constructor(inbox: string, options: MailboxOptions) {
    this.#inbox = inbox
    this.#options = options
    this.#known = new Set(options.answered)
    this.discard(options.answered)
  }

  open(key: string): void {
    this.#open.add(key)
    this.#offer()
    this.#watch()
  }

  close(key: string): void {
    this.#open.delete(key)
    for (const letter of this.#letters) {
      if (letter.key !== key) continue
      if (letter.state === 'offered') letter.state = 'arrived'
      if (letter.state === 'asked') letter.state = 'closed'
    }
    if (this.#open.size === 0) this.#unwatch()
  }

  put(key: string, signal: Signal): void {
    this.#letters.push({ id: null, key, signal, state: 'arrived' })
    this.#offer()
  }

  yielded(signal: Signal): void {
    const letter = this.#letters.find(one => one.signal === signal)
    if (letter === undefined) return
    if (letter.id === null) this.#letters = this.#letters.filter(one => one !== letter)
    else letter.state = 'asked'
  }

  answer(keys: readonly string[]): readonly string[] {
    if (keys.length === 0 || this.#letters.length === 0) return []
    const answered = new Set(this.#letters.filter(letter => letter.state === 'closed'))
    for (const key of keys) {
      const asked = this.#letters.filter(
        letter => letter.key === key && letter.state === 'asked' && !answered.has(letter),
      )
      for (const letter of key === 'run' ? asked : asked.slice(0, 1)) answered.add(letter)
    }
    this.#letters = this.#letters.filter(letter => !answered.has(letter))
    return [...answered].flatMap(letter => (letter.id === null ? [] : [letter.id]))
  }

  discard(ids: readonly string[]): void {
    // A file that stays is known by the answer on record; the next runner tries again.
    for (const id of ids) void removeSignal(this.#inbox, id).catch(() => {})
  }

  async looked(): Promise<void> {
    if (this.#open.size === 0) return
    this.#lookIn()
    await this.#look
  }

  async end(): Promise<void> {
    this.#ended = true
    this.#unwatch()
    await this.#look
  }

  #offer(): void {
    for (const letter of this.#letters) {
      if (letter.state !== 'arrived' || !this.#open.has(letter.key)) continue
      letter.state = 'offered'
      this.#options.deliver(letter.key, letter.signal)
    }
  }

  #watch(): void {
    if (this.#ended || this.#stopWatching !== null) return
    const timer = setInterval(() => this.#lookIn(), this.#options.poll)
    const stop = watchFolder(this.#inbox, () => this.#lookIn())
    this.#stopWatching = () => {
      clearInterval(timer)
      stop()
    }
    this.#lookIn()
  }

  #unwatch(): void {
    this.#stopWatching?.()
    this.#stopWatching = null
  }

  /** One look at a time; a change during one makes another follow it. */
  #lookIn(): void {
    this.#lookAgain = true
    this.#look ??= this.#read().finally(() => {
      this.#look = null
    })
  }

  async #read(): Promise<void> {
    while (this.#lookAgain && !this.#ended) {
      this.#lookAgain = false
      try {
        this.#receive(await readInbox(this.#inbox, this.#known))
      } catch (error) {
        this.#options.fail(error)
      }
    }
  }

  #receive(letters: Awaited<ReturnType<typeof readInbox>>): void {
    for (const letter of letters) {
      this.#known.add(letter.id)
      this.#letters.push({ ...letter, state: 'arrived' })
    }
    this.#offer()
  }
}
