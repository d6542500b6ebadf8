/**
 * A terminal with two parts: lines that stay and scroll, and below them a live part that is drawn over.
 *
 * Boundary: knows lines and a stream, nothing of releases.
 *
 * Invariants:
 *  S1. A line that was printed is never drawn over, whatever the terminal's size does: the cursor goes up by no
 *      more lines than the live part had. A terminal that is made narrower may keep a stale piece of the live part.
 *  S2. At most one frame in `FRAME` milliseconds, and none while the stream drains.
 *  S3. The terminal is usable at any moment at which the process is killed: the cursor is never hidden, no mode is left set.
 */
import { createStreamWriter, type OutStream, type StreamWriter } from '../views/stream-writer.ts'

/** 12.5 frames a second. */
export const FRAME = 80
/** Lines that stay written in one frame, so that a burst of them does not hold up the loop. */
const LINES_A_FRAME = 200

export interface ScreenOptions {
  readonly stream: OutStream
  /** The live part for a terminal of this size: at most `rows - 2` lines, each narrower than `columns`. */
  readonly draw: (size: { readonly columns: number; readonly rows: number }) => readonly string[]
  /** Called before each frame for lines that stay. */
  readonly gather: () => readonly string[]
}

export class Screen {
  readonly #stream: OutStream
  readonly #options: ScreenOptions
  readonly #writer: StreamWriter
  #printed: string[] = []
  #frame: readonly string[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(options: ScreenOptions) {
    this.#options = options
    this.#stream = options.stream
    this.#writer = createStreamWriter(options.stream)
  }

  start(): void {
    if (this.#timer !== null) return
    this.#timer = setInterval(() => this.#tick(), FRAME)
    this.#timer.unref()
  }

  /** A line that stays; shown with the next frame. */
  print(lines: readonly string[]): void {
    for (const line of lines) this.#printed.push(line)
  }

  /** Takes the live part away, prints what is left, and resolves when the stream has it. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.print(this.#options.gather())
    do {
      this.#write(this.#printed.splice(0, LINES_A_FRAME), [])
      // Between the pieces whatever else is due gets its turn.
      await new Promise(resolve => setImmediate(resolve))
    } while (this.#printed.length > 0)
    await this.#writer.end()
  }

  #tick(): void {
    if (this.#writer.draining || this.#writer.gone) return
    this.print(this.#options.gather())
    const { columns = 80, rows = 24 } = this.#stream
    const printed = this.#printed.splice(0, LINES_A_FRAME)
    const frame = this.#options.draw({ columns: columns || 80, rows: rows || 24 })
    const same = frame.length === this.#frame.length && frame.every((line, i) => line === this.#frame[i])
    if (printed.length > 0 || !same) this.#write(printed, frame)
  }

  #write(printed: readonly string[], frame: readonly string[]): void {
    const up = this.#frame.length === 0 ? '' : `\x1b[${this.#frame.length}A`
    // Lines that stay may be longer than the terminal is wide: what they are written over goes first.
    const clear = printed.length > 0 || frame.length === 0 ? '\x1b[J' : ''
    const stays = printed.map(line => `${line}\n`).join('')
    const live = frame.map(line => `\x1b[K${line}\n`).join('')
    if (up === '' && stays === '' && live === '') return
    this.#frame = frame
    // A terminal that knows synchronised output (mode 2026) shows the whole at once; others ignore it.
    this.#writer.write(`\x1b[?2026h\r${up}${clear}${stays}${live}\x1b[J\x1b[?2026l`)
  }
}
