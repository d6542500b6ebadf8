/**
 * `--json`: every event of the run as one JSON line, and what nodes print as lines of type `output`.
 *
 * Boundary: adds nothing to the events and leaves nothing out: what is read here and what the journal holds are the
 * same objects. Output is dropped, and said to be, where the reader is far behind; the node's log has it whole.
 */
import type { RunEvent } from '../../src/run/events.ts'
import { createStreamWriter, type OutStream } from './stream-writer.ts'

/** What a node's process printed, secrets scrubbed. Not part of the journal. */
export interface OutputLine {
  readonly type: 'output'
  /** The node's key. */
  readonly node: string
  /** A piece of any size: lines may be cut anywhere. */
  readonly chunk: string
}

export interface JsonLines {
  event(event: RunEvent): void
  output(node: string, chunk: string): void
  /** Resolves when all is handed to the reader. */
  stop(): Promise<void>
}

export function startJsonLines(stream: OutStream): JsonLines {
  const writer = createStreamWriter(stream)
  const dropped = new Map<string, number>()
  const line = (value: RunEvent | OutputLine): string => `${JSON.stringify(value)}\n`
  const sayDropped = (): void => {
    for (const [node, characters] of dropped) {
      writer.write(
        line({
          type: 'output',
          node,
          chunk: `… ${characters} characters left out: the reader is too slow\n`,
        }),
      )
    }
    dropped.clear()
  }
  return {
    event: event => writer.write(line(event)),
    output(node, chunk) {
      if (!writer.draining && dropped.size > 0) sayDropped()
      if (writer.offer(line({ type: 'output', node, chunk }))) return
      dropped.set(node, (dropped.get(node) ?? 0) + chunk.length)
    },
    stop() {
      sayDropped()
      return writer.end()
    },
  }
}
