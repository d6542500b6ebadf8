/**
 * What a command prints, on its way to the log: decoded, scrubbed, and its end kept.
 *
 *  OU1. A character or a secret that is cut between two chunks comes out whole, or as its label.
 *  OU2. Memory is bounded, whatever is printed.
 */
import { StringDecoder } from 'node:string_decoder'
import type { Scrubber } from '../../../src/run/scrub.ts'

/** How much of the end is kept, in characters. */
export const tailLength = 64 * 1024

export interface Output {
  readonly stdout: (chunk: Buffer) => void
  readonly stderr: (chunk: Buffer) => void
  /** Shows what was held back. Throws what `write` threw: in a stream's event it would end the process. */
  end(): void
  /** The end of what was shown. */
  tail(): string
}

/** Each of the two streams is decoded and scrubbed by itself: they come in pieces that do not know of each other. */
export function createOutput(options: {
  readonly write: (text: string) => void
  readonly scrubber: () => Scrubber
}): Output {
  const tail = createTail(tailLength)
  let broken: { readonly error: unknown } | null = null
  const show = (text: string): void => {
    if (text === '') return
    tail.add(text)
    try {
      if (broken === null) options.write(text)
    } catch (error) {
      broken = { error }
    }
  }
  const streams = [decoded(show, options.scrubber()), decoded(show, options.scrubber())] as const
  return {
    stdout: streams[0].write,
    stderr: streams[1].write,
    end: () => {
      for (const stream of streams) stream.end()
      if (broken !== null) throw broken.error
    },
    tail: tail.text,
  }
}

function decoded(show: (text: string) => void, scrubber: Scrubber) {
  const decoder = new StringDecoder('utf8')
  return {
    write: (chunk: Buffer): void => show(scrubber.write(decoder.write(chunk))),
    end: (): void => show(scrubber.write(decoder.end()) + scrubber.end()),
  }
}

/** Pieces that are shorter are put together, so that there are never many. */
const pieceLength = 4096

/** Keeps the last `length` characters, as pieces: one growing text would be copied again and again, and fill the heap. */
function createTail(length: number) {
  const pieces: string[] = []
  let size = 0
  return {
    add(text: string): void {
      const last = pieces.at(-1)
      if (last !== undefined && last.length < pieceLength) pieces[pieces.length - 1] = last + text
      else pieces.push(text)
      size += text.length
      while (size - pieces[0]!.length >= length) size -= pieces.shift()!.length
    },
    /** Half a character at the cut is left out. */
    text: (): string =>
      pieces
        .join('')
        .slice(-length)
        .replace(/^[\uDC00-\uDFFF]/, ''),
  }
}
