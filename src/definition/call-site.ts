/**
 * Where in the team's code something was asked for.
 *
 * Role: takes the stack at a call of the language, without the language's own frames.
 * Boundary: knows V8's way of taking a stack and nothing of sources; the loader maps the text to a file and a line.
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
  const limit = Error.stackTraceLimit
  if (limit === 0) return nowhere
  try {
    const nearest = stackOf(ours, 1)
    return Object.freeze({ stack: PLACE.test(nearest) ? nearest : stackOf(ours, FRAMES) })
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** A stack's text is made at once, and a large release takes thousands of them: no more frames than are needed. */
function stackOf(ours: (...args: never[]) => unknown, frames: number): string {
  const trace: { stack?: string } = {}
  Error.stackTraceLimit = frames
  Error.captureStackTrace(trace, ours)
  return trace.stack ?? ''
}
