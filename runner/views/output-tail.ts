/**
 * The end of what a node prints: pieces in, whole harmless lines out, the last few kept.
 *
 * Boundary: bounded memory whatever comes in: a line without an end is cut into lines of `LONGEST` characters.
 */
import { lastOverwrite, plain } from './terminal-text.ts'

const KEPT = 5
const LONGEST = 8192

export interface OutputTail {
  /** The lines that this piece completed. */
  write(piece: string): readonly string[]
  /** The line that was begun and not ended, if there is one. */
  end(): readonly string[]
  /** The last lines, oldest first. */
  readonly lines: readonly string[]
}

export function createOutputTail(): OutputTail {
  let kept: readonly string[] = []
  let partial = ''
  const keep = (raw: readonly string[]): readonly string[] => {
    const lines = raw.map(line => plain(lastOverwrite(line)))
    kept = [...kept, ...lines.filter(line => line.trim() !== '').slice(-KEPT)].slice(-KEPT)
    return lines
  }
  return {
    get lines() {
      const begun = plain(lastOverwrite(partial))
      return begun.trim() === '' ? kept : [...kept, begun].slice(-KEPT)
    },
    write(piece) {
      const parts = (partial + piece).split('\n')
      partial = parts.pop() ?? ''
      while (partial.length > LONGEST) {
        parts.push(partial.slice(0, LONGEST))
        partial = partial.slice(LONGEST)
      }
      return parts.length === 0 ? [] : keep(parts)
    },
    end() {
      const rest = partial
      partial = ''
      return rest === '' ? [] : keep([rest])
    },
  }
}
