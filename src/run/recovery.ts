/**
 * The port of recoveries: what a platform can do about a component that is not as it should be.
 *
 * Contract:
 *  RC1. A recovery brings about what is expected and changes nothing that is so already; applied twice, it does nothing
 *       the second time.
 *  RC2. It loses no request: what serves goes on serving until what takes its place is healthy.
 *  RC3. It obeys fences as every write does.
 */
import type { PlatformContext } from './ports.ts'
import type { Expected, Problem } from './validation.ts'

/** What a recovery works towards, besides the platform's own context. */
export interface RecoveryContext extends PlatformContext {
  /** All that should run of the component; what is in no slot of it should not be there. */
  readonly expected: Expected
}

export interface Recovery {
  /** restart, configuration, routing, state. */
  readonly name: string
  isApplicable(problem: Problem): boolean
  /** Says what it did, as a line for people. Rejects where it could not. */
  apply(problem: Problem, context: RecoveryContext): Promise<string>
}
