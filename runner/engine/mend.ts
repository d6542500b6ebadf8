/**
 * Holds what runs against what should, and lets the platform mend what differs.
 *
 *     observed ──all as expected──▶ ok
 *         └──problems──▶ recoveries, each for what it is for ──▶ observed again ──▶ ok | what still differs
 *
 * Boundary: what should be comes from src/run/validation.ts, what can be done from the platform. Never rejects but for a
 * platform that somebody else has taken over, and for an abort.
 */

import type { Unstamped } from '../../src/run/events.ts'
import type { EffectContext, Platform, PlatformContext, RecoveryContext } from '../../src/run/ports.ts'
import type { RollbackState, RunState } from '../../src/run/state.ts'
import {
  type AppliedRecovery,
  type Expected,
  expectedAfter,
  type Problem,
  problemsOf,
  problemText,
  type ValidatedComponent,
  type Validation,
  validatedComponent,
} from '../../src/run/validation.ts'
import { takenOver } from './perform.ts'
import type { World } from './world.ts'

/** One thing done can bring another difference to light: an instance that is back may not be routed. */
const ROUNDS = 2

export interface Seen {
  readonly component: ValidatedComponent
  readonly problems: readonly Problem[]
}

/** What runs of a component, and how that differs. What cannot be seen is a problem too. */
export async function look(platform: Platform, expected: Expected): Promise<Seen> {
  const { environment, component } = expected
  try {
    const observed = await platform.observe(environment, component)
    const problems = problemsOf(expected, observed)
    return { component: validatedComponent(expected, observed, problems), problems }
  } catch (error) {
    const problems = [
      { environment, component, kind: 'not-observed', reason: (error as Error).message },
    ] as const
    return { component: validatedComponent(expected, null, problems), problems }
  }
}

/** Applies to each problem the first recovery that is for it, one after the other. */
export async function recover(
  platform: Platform,
  problems: readonly Problem[],
  context: RecoveryContext,
): Promise<readonly AppliedRecovery[]> {
  const applied: AppliedRecovery[] = []
  for (const problem of problems) {
    const recovery = platform.recoveries?.find(each => each.isApplicable(problem))
    if (recovery === undefined || context.signal.aborted) continue
    const { environment, component } = problem
    const told = { name: recovery.name, environment, component, problem: problemText(problem) }
    try {
      applied.push({ ...told, outcome: 'mended', detail: await recovery.apply(problem, context) })
    } catch (error) {
      if ((error as { code?: unknown }).code === 'fenced') throw takenOver(error)
      applied.push({ ...told, outcome: 'failed', detail: (error as Error).message })
    }
  }
  return applied
}

export interface Mended extends Seen {
  readonly recoveries: readonly AppliedRecovery[]
}

/** Looks, mends, and looks again. */
export async function mend(
  platform: Platform,
  expected: Expected,
  context: PlatformContext,
): Promise<Mended> {
  const recoveries: AppliedRecovery[] = []
  let seen = await look(platform, expected)
  for (let round = 0; round < ROUNDS && seen.problems.length > 0; round += 1) {
    const applied = await recover(platform, seen.problems, { ...context, expected })
    recoveries.push(...applied)
    if (applied.length === 0) break
    seen = await look(platform, expected)
  }
  return { ...seen, recoveries }
}

/** What the engine asks when a rollback has ended. */
export interface ValidationRequest {
  readonly state: RunState
  readonly rollback: RollbackState
  readonly context: EffectContext
}

/** For the engine: what runs after a rollback, as the event with which it finishes. */
export function createValidator(world: World): (request: ValidationRequest) => Promise<readonly Unstamped[]> {
  return async ({ state, rollback, context: { signal } }) => {
    const log = world.log(`rollback/${rollback.number}`)
    const all = await Promise.all(
      expectedAfter(state, rollback).map(expected => {
        const { environment, component } = expected
        return mend(world.platform(environment), expected, {
          signal,
          fence: world.fence(environment, component),
          log: log.line,
          secret: name => world.secrets.read(name),
        })
      }),
    )
    if (signal.aborted) return []
    return [{ type: 'rollback-finished', rollback: rollback.number, ...validatedOf(all, world) }]
  }
}

/** Nothing that runs anywhere was touched: there is nothing to say about it. */
function validatedOf(all: readonly Mended[], { secrets }: World): { readonly validated?: Validation } {
  if (all.length === 0) return {}
  const components = all.map(({ component }) => component)
  const recoveries = all.flatMap(each => each.recoveries)
  const validated: Validation = {
    ok: components.every(({ ok }) => ok),
    components,
    recoveries: recoveries.map(each => ({ ...each, detail: secrets.scrub(each.detail) })),
  }
  return { validated }
}
