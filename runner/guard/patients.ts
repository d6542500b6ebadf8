/**
 * Instances that have died under a guard, and what is done about them.
 *
 *  PA1. A process that has gone is restarted at once; one that does not answer, when it did not in the round before either.
 *  PA2. One slot is restarted a few times and no more: what keeps dying is for a trigger, or for people, to judge.
 *  PA3. What nobody holds is held only while it is mended, and looked at again then (tending.ts).
 *  PA4. Whoever dies leaves its record and its route: what has no record was taken away on purpose, what has no route is
 *       about to be, and neither is started again. Of a component that has no record left nothing is measured either: it
 *       is stopped, not broken.
 */
import type { Observed } from '../../src/run/ports.ts'
import type { RunState } from '../../src/run/state.ts'
import { type AppliedRecovery, expectedAt, type Problem, problemsOf } from '../../src/run/validation.ts'
import type { Guarded } from './readings.ts'

/** Restarts of one slot at most. */
const MOST_RESTARTS = 3

export interface Health {
  readonly healthy: number
  readonly of: number
}

/** A component that is not as its run left it. */
export interface Patient {
  readonly target: Guarded
  /** What is to be mended. None: it is only to be found out why it is as it is. */
  readonly due: readonly OfHealth[]
}

/** What came of it, under the locks. */
export interface Tended {
  readonly applied: readonly AppliedRecovery[]
  /** For what of it something was tried. */
  readonly tried: readonly OfHealth[]
  /** What somebody has taken away without any other run. */
  readonly stopped: readonly OfHealth[]
  /** Why it is not this release's place any more; null: it is. Nothing was done then. */
  readonly superseded: string | null
}

interface Ward {
  /** What runs; null: nobody could see. */
  readonly observe: (environment: string, component: string) => Promise<Observed | null>
  /** Mends these; null: somebody else holds the run or an environment. */
  readonly recover: (patients: readonly Patient[]) => Promise<Tended | null>
}

export interface Looked {
  /** How many instances of each target are well, by `environment/component`; those of whom nothing is known are left out. */
  readonly health: ReadonlyMap<string, Health>
  /** Targets of which nothing is left. */
  readonly empty: ReadonlySet<Guarded>
}

export class Patients {
  readonly #ward: Ward
  readonly #restarts = new Map<string, number>()
  /** Slots that did not answer in the round before. */
  #ill = new Set<string>()
  /** What was strange at the last look, and what of it was looked into. */
  #strange: ReadonlySet<string> = new Set()
  #known: ReadonlySet<string> = new Set()
  #waiting: readonly Patient[] = []

  constructor(ward: Ward) {
    this.#ward = ward
  }

  async look(state: RunState, targets: readonly Guarded[]): Promise<Looked> {
    const health = new Map<string, Health>()
    const empty = new Set<Guarded>()
    const ill = new Set<string>()
    const strange = new Set<string>()
    const waiting: Patient[] = []
    for (const target of targets) {
      const expected = expectedAt(state, target)
      const observed = expected && (await this.#ward.observe(target.environment, target.component))
      if (expected === null || observed === null) continue
      const problems = problemsOf(expected, observed)
      const bad = problems.filter(isOfHealth)
      const odd = problems.filter(isStrange).map(problem => JSON.stringify(problem))
      for (const problem of bad) if (problem.kind === 'not-healthy') ill.add(keyOf(problem))
      for (const each of odd) strange.add(each)
      const due = bad.filter(problem => this.#isDue(problem) && !isLeaving(problem, observed))
      if (due.length > 0 || odd.some(each => !this.#known.has(each))) waiting.push({ target, due })
      const of = expected.slots.length
      const others = problems.filter(({ kind }) => kind === 'other-revision').length
      health.set(`${target.environment}/${target.component}`, { healthy: of - bad.length - others, of })
      if (of > 0 && bad.filter(({ kind }) => kind === 'missing').length === of) empty.add(target)
    }
    this.#ill = ill
    this.#strange = strange
    this.#known = new Set([...this.#known].filter(each => strange.has(each)))
    this.#waiting = waiting
    return { health, empty }
  }

  #isDue(problem: OfHealth): boolean {
    if (problem.kind === 'missing') return false
    const tried = this.#restarts.get(keyOf(problem)) ?? 0
    return tried < MOST_RESTARTS && (problem.kind !== 'not-healthy' || this.#ill.has(keyOf(problem)))
  }

  /** Mends what the last look has found; null: there was nothing to do, or somebody else holds the place. */
  async treat(): Promise<Tended | null> {
    if (this.#waiting.length === 0) return null
    const tended = await this.#ward.recover(this.#waiting)
    if (tended === null) return null
    this.#known = this.#strange
    for (const problem of tended.tried)
      this.#restarts.set(keyOf(problem), (this.#restarts.get(keyOf(problem)) ?? 0) + 1)
    return tended
  }
}

export type OfHealth = Extract<Problem, { kind: 'not-running' | 'not-healthy' | 'missing' }>

export const isOfHealth = (problem: Problem): problem is OfHealth =>
  problem.kind === 'not-running' || problem.kind === 'not-healthy' || problem.kind === 'missing'

/** It ended after its requests had been led away from it: somebody is at work there. */
export const isLeaving = ({ kind, slot }: OfHealth, { instances }: Observed): boolean =>
  kind === 'not-running' &&
  instances.every(one => one.side !== 'stable' || one.slot !== slot || (!one.running && !one.routed))

/** What no accident brings about: somebody was there. */
const isStrange = ({ kind }: Problem): boolean =>
  kind === 'missing' || kind === 'other-revision' || kind === 'left-over'

const keyOf = ({ environment, component, slot }: OfHealth): string => `${environment}/${component}/${slot}`
