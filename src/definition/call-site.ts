/**
 * Where in the team's code something was asked for.
 *
 * Role: takes the stack at a call of the language, without the language's own frames.
 * Boundary: knows V8's way of taking a stack and nothing of sources; the loader maps the text to a file and a line.
 *
 * Invariants:
 *  1. Each call has an object of its own: the compiler knows calls by it, also where one line makes thousands.
 *  2. What stands in `Error` stands there again when the place is taken.
 */
import type { CallSite } from './model.ts'

/** Enough to reach the definition through what is not written in a script of its own, as `Array.map` is. */
const FRAMES = 4

/** A place in a script that is no part of Node. Mostly the caller's own frame is one. */
const PLACE = /(?<!node:[^\n]*):\d+:\d+\)?$/

const nowhere: CallSite = Object.freeze({ stack: '' })

/**
 * The place that called `ours`, the function of the language that the team wrote; none where the loader has turned stacks
 * off, because a run's plan has its places already. Taking them is most of what a large definition costs.
 */
export const callSite = (ours: (...args: never[]) => unknown): CallSite => {
  const { stackTraceLimit } = Error
  if (stackTraceLimit === 0) return nowhere
  const { prepareStackTrace } = Error
  try {
    return Object.freeze({ stack: nearestText(ours) ?? String(framesOf(ours, FRAMES, textOf)) })
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    Error.prepareStackTrace = prepareStackTrace
  }
}

/** V8's own object for a frame. */
interface Frame {
  readonly getFileName: () => string | null | undefined
  /** Where it stands in its script, in code units. */
  readonly getPosition?: () => number
}

/** The texts of places, by their script and where they stand in it; null: no place. A loop asks for the same ones. */
const texts = new Map<string, Map<number, string | null>>()

/** The text of the caller's own frame; null where that is no place. It is made once, for it costs more than all the rest. */
function nearestText(ours: (...args: never[]) => unknown): string | null {
  const frame = framesOf(ours, 1, first) as Frame | undefined
  const script = frame?.getFileName()
  const position = frame?.getPosition?.()
  if (!script || position === undefined) return null
  const inScript = texts.get(script) ?? new Map<number, string | null>()
  const known = inScript.get(position)
  if (known !== undefined) return known
  const line = lineOf(frame!)
  const text = PLACE.test(line) ? line : null
  texts.set(script, inScript.set(position, text))
  return text
}

const first = (_error: Error, frames: readonly Frame[]): unknown => frames[0]

const textOf = (_error: Error, frames: readonly Frame[]): string => frames.map(lineOf).join('\n')

/** As in an error's stack. */
const lineOf = (frame: Frame): string => `    at ${frame}`

/** What `prepare` makes of the innermost frames: no more of them than are needed, for a large release asks thousands of times. */
function framesOf(
  ours: (...args: never[]) => unknown,
  count: number,
  prepare: (error: Error, frames: readonly Frame[]) => unknown,
): unknown {
  const trace: { stack?: unknown } = {}
  Error.stackTraceLimit = count
  Error.prepareStackTrace = prepare
  Error.captureStackTrace(trace, ours)
  return trace.stack
}
