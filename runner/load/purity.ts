/**
 * What a definition may not do while it is evaluated, and how that is known.
 *
 * A definition gives the same plan every time, so nothing that differs from one evaluation to the next
 * may reach it. The guards (guard-globals.ts, guard-modules.ts) stand before such things and ask here.
 *
 * Invariants:
 *  1. A guard refuses only what the evaluation itself does, and what it started and left running: both
 *     carry the evaluation in their async context. A step function that the engine calls later does not,
 *     and neither does anything else in this process meanwhile.
 *  2. What was refused is remembered, so that a definition cannot swallow the refusal.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

export type ImpurityKind = 'clock' | 'randomness' | 'network' | 'disk' | 'process' | 'timer'

export interface Impurity {
  readonly kind: ImpurityKind
  /** As people would write it: `Math.random`. */
  readonly what: string
  /** V8's stack text. */
  readonly stack: string
}

/** One evaluation of a definition. */
export interface Evaluation {
  readonly impurities: Impurity[]
}

const evaluations = new AsyncLocalStorage<Evaluation>()

/** Thrown into a definition at the place of the impurity. */
export class ImpureError extends Error {
  override readonly name = 'ImpureError'
}

/** Deep enough for a definition that reaches an impurity through a library. */
const STACK_DEPTH = 100

/** Runs the definition's code as that evaluation. */
export const evaluateAs = <T>(evaluation: Evaluation, run: () => T): T => evaluations.run(evaluation, run)

/** Runs what is ours in the middle of an evaluation, such as the loading of one of node's modules. */
export const outsideEvaluation = <T>(run: () => T): T => evaluations.exit(run)

export const isEvaluating = (): boolean => evaluations.getStore() !== undefined

/** Passes outside of an evaluation. In one, notes the impurity and throws. */
export function refuseImpurity(kind: ImpurityKind, what: string): void {
  const evaluation = evaluations.getStore()
  if (evaluation === undefined) return
  const depth = Error.stackTraceLimit
  Error.stackTraceLimit = STACK_DEPTH
  const error = new ImpureError(`${describeImpurity(kind, what)} while it was evaluated`)
  Error.stackTraceLimit = depth
  evaluation.impurities.push({ kind, what, stack: error.stack ?? '' })
  throw error
}

const DEEDS: Readonly<Record<ImpurityKind, string>> = {
  clock: 'read the clock',
  randomness: 'drew a random value',
  network: 'used the network',
  disk: 'used the disk',
  process: 'asked the process or the machine',
  timer: 'set a timer',
}

/** The impurity as the beginning of a sentence. */
export const describeImpurity = (kind: ImpurityKind, what: string): string =>
  `the definition ${DEEDS[kind]} (${what})`

/** What to do instead. */
export const IMPURITY_HINTS: Readonly<Record<ImpurityKind, string>> = {
  clock:
    "take the time as a param, write the date down as in new Date('2024-03-15'), or read the clock in a step's function",
  randomness:
    "take the value as a param, or draw it in a step's function and return it, so that it is recorded",
  network: "ask in a step's or a gate's function, or take the answer as a param",
  disk: "import a JSON file, so that it is part of the bundle, or use the disk in a step's function",
  process: "use param() for inputs and secret() for secrets, or ask in a step's function",
  timer: "use .wait() to wait in a release, or set the timer in a step's function",
}
