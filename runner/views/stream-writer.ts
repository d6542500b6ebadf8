/**
 * Writes text to a stream that may be slow or gone.
 *
 * Boundary: the one place in which views meet a stream's backpressure and errors.
 *
 * Invariants:
 *  W1. `write` never loses text while the reader is there, and keeps the order; `offer` gives up rather than grow.
 *  W2. A reader that goes away (`release run --json | head`) ends the writing and not the run.
 */

/** As much of a writable stream as views use: `process.stdout` and `process.stderr` are such. */
export interface OutStream {
  write(text: string, done?: (error?: Error | null) => void): boolean
  on(event: 'drain' | 'error' | 'resize', listener: (error?: unknown) => void): unknown
  off(event: 'drain' | 'error' | 'resize', listener: (error?: unknown) => void): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

export interface StreamWriter {
  write(text: string): void
  /** Writes unless the reader is too far behind already; whether it did. */
  offer(text: string): boolean
  /** The reader is behind: what is written now is kept in memory. */
  readonly draining: boolean
  /** Nobody reads any more. */
  readonly gone: boolean
  /** Resolves when everything has been handed to the reader, or nobody reads any more. */
  end(): Promise<void>
}

/** Characters that may be waiting before `offer` gives up: a pipe's content several times over, and little beside a runner's memory. */
const BACKLOG = 512 * 1024
/** Characters that the stream is handed at once. */
const PIECE = 64 * 1024

export function createStreamWriter(stream: OutStream): StreamWriter {
  return new Writer(stream)
}

class Writer implements StreamWriter {
  readonly #stream: OutStream
  #queue: string[] = []
  #queued = 0
  #draining = false
  #gone = false
  #emptied: (() => void)[] = []

  constructor(stream: OutStream) {
    this.#stream = stream
    stream.on('drain', this.#onDrain)
    stream.on('error', this.#onError)
  }

  get draining(): boolean {
    return this.#draining
  }

  get gone(): boolean {
    return this.#gone
  }

  write(text: string): void {
    if (this.#gone || text === '') return
    if (this.#draining) {
      this.#queue.push(text)
      this.#queued += text.length
    } else this.#send(text)
  }

  offer(text: string): boolean {
    if (this.#queued > BACKLOG) return false
    this.write(text)
    return true
  }

  async end(): Promise<void> {
    if (this.#draining && !this.#gone) await new Promise<void>(resolve => this.#emptied.push(resolve))
    if (!this.#gone) await this.#handedOver()
    this.#stream.off('drain', this.#onDrain)
    // The listener for errors stays: an EPIPE that comes late would end the process.
  }

  #send(text: string): void {
    this.#draining = !this.#stream.write(text)
  }

  #handedOver(): Promise<void> {
    return new Promise(resolve => {
      this.#emptied.push(resolve)
      this.#stream.write('', () => resolve())
    })
  }

  readonly #onDrain = (): void => {
    this.#draining = false
    let sent = 0
    while (sent < this.#queue.length && !this.#draining) {
      const from = sent
      let size = 0
      while (sent < this.#queue.length && size < PIECE) {
        size += this.#queue[sent]!.length
        sent += 1
      }
      this.#queued -= size
      this.#send(this.#queue.slice(from, sent).join(''))
    }
    this.#queue.splice(0, sent)
    if (!this.#draining) this.#settle()
  }

  readonly #onError = (): void => {
    this.#gone = true
    this.#draining = false
    this.#queue = []
    this.#queued = 0
    this.#settle()
  }

  #settle(): void {
    for (const resolve of this.#emptied.splice(0)) resolve()
  }
}
