/**
 * Where in the team's code something was asked for.
 *
 * Role: takes the stack at a call of the language, without the language's own frames.
 * Boundary: knows V8's way of taking a stack and nothing of sources; the loader maps the text to a file and a line.
 */
import type { CallSite } from './model.ts'

/**
 * Enough to reach the definition from a piece of a shared package, and no more: a stack's text is made at
 * once, and a large release takes thousands of them.
 */
const FRAMES = 4

const nowhere: CallSite = Object.freeze({ stack: '' })

/**
 * The place that called `ours`, the function of the language that the team wrote; none where the loader has turned stacks
 * off, because a run's plan has its places already. Taking them is most of what a large definition costs.
 */
export const callSite = (ours: (...args: never[]) => unknown): CallSite => {
  const limit = Error.stackTraceLimit
  if (limit === 0) return nowhere
  Error.stackTraceLimit = FRAMES
  const trace: { stack?: string } = {}
  try {
    Error.captureStackTrace(trace, ours)
    return Object.freeze({ stack: trace.stack ?? '' })
  } finally {
    Error.stackTraceLimit = limit
  }
}
