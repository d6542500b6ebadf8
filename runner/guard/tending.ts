/**
 * What is done about what a guard has found, while the run's lock and the environments' are held.
 *
 *     looked at again ──somebody else's──▶ superseded: nothing is touched
 *           ├──taken away, by no run──▶ stopped: told, and left as it is
 *           └──died, or does not answer──▶ restarted
 *
 *  TE1. Nothing is started where another release stands, or where somebody has stopped what was there.
 *  TE2. What is held against the journal is what runs now: between the look and the lock a whole release may have gone by.
 */
import { isReleaseError } from '../../src/errors.ts'
import type { Holder, Platform } from '../../src/run/ports.ts'
import type { RunState } from '../../src/run/state.ts'
import {
  type AppliedRecovery,
  type Expected,
  expectedAt,
  type Problem,
  problemsOf,
  problemText,
} from '../../src/run/validation.ts'
import { assertUnchanged, type Target } from '../unchanged.ts'
import { isLeaving, isOfHealth, type OfHealth, type Patient, type Tended } from './patients.ts'

export interface Tending {
  /** As the journal tells it under the lock. */
  readonly state: RunState
  readonly platform: (environment: string) => Platform
  /** Who had each place last, by `environment/component`, as far as that is known. */
  readonly before: ReadonlyMap<string, Holder>
  /** Applies the platform's recoveries. */
  readonly mend: (problems: readonly OfHealth[], expected: Expected) => Promise<readonly AppliedRecovery[]>
}

/** Every lock is held by then. */
export async function tend(patients: readonly Patient[], tending: Tending): Promise<Tended> {
  const applied: AppliedRecovery[] = []
  const tried: OfHealth[] = []
  const stopped: OfHealth[] = []
  const cases = await Promise.all(patients.map(patient => lookAgain(patient, tending)))
  const superseded = cases.find(one => one?.superseded != null)?.superseded ?? null
  if (superseded !== null) return { applied, tried, stopped, superseded }
  for (const one of cases) {
    if (one === null) continue
    stopped.push(...one.problems.filter(isOfHealth).filter(({ kind }) => kind === 'missing'))
    if (one.due.length === 0) continue
    applied.push(...(await tending.mend(one.due, one.expected)))
    tried.push(...one.due)
  }
  return { applied, tried, stopped, superseded }
}

interface Case {
  readonly expected: Expected
  readonly problems: readonly Problem[]
  /** Of what was to be mended, what still is. */
  readonly due: readonly OfHealth[]
  readonly superseded: string | null
}

/** null: nobody could see, or nothing of the run's is there. */
async function lookAgain({ target, due }: Patient, tending: Tending): Promise<Case | null> {
  const { state, platform } = tending
  const { environment, component } = target
  const observed = await platform(environment)
    .observe(environment, component)
    .catch((): null => null)
  const expected = expectedAt(state, target)
  if (observed === null || expected === null) return null
  const problems = problemsOf(expected, observed)
  const left = problems.filter(isOfHealth).filter(each => !isLeaving(each, observed))
  return {
    expected,
    problems,
    due: due.flatMap(one => left.find(each => each.kind === one.kind && each.slot === one.slot) ?? []),
    superseded: await whySuperseded(target, tending, problems),
  }
}

async function whySuperseded(
  target: Target,
  { state, platform, before }: Tending,
  problems: readonly Problem[],
): Promise<string | null> {
  const { environment, component } = target
  const holder = before.get(`${environment}/${component}`)
  const other = holder === undefined || holder.run === state.run ? null : holder
  const by = other === null ? '' : `: the run ${other.run} of ${other.who} has been there since`
  const foreign = await foreignAt(state, target, platform)
  if (foreign !== null) return `${foreign}${by}`
  const changed = problems.find(
    ({ kind }) =>
      kind === 'other-revision' || (other !== null && (kind === 'missing' || kind === 'left-over')),
  )
  return changed === undefined ? null : `${component} in ${environment}: ${problemText(changed)}${by}`
}

/** What runs at one of these places and is not this run's, as a sentence; null: nothing does, or nobody could see. */
export async function foreignAt(
  state: RunState,
  target: Target,
  platform: (environment: string) => Platform,
): Promise<string | null> {
  try {
    await assertUnchanged(state, [target], async environment => platform(environment))
    return null
  } catch (error) {
    return isReleaseError(error) && CHANGED.includes(error.code) ? error.message : null
  }
}

/** How a run is refused where another one has released since. */
export const CHANGED: readonly string[] = ['environment-changed', 'plan-stale']
