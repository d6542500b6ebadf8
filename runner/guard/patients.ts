/**
 * Instances that have died under a guard, and what is done about them.
 *
 *  PA1. A process that has gone is restarted at once; one that does not answer, when it did not in the round before either.
 *  PA2. One slot is restarted a few times and no more: what keeps dying is for a trigger, or for people, to judge.
 *  PA3. What nobody holds is held only while it is mended.
 */
import type { Observed } from '../../src/run/ports.ts'
import type { RunState } from '../../src/run/state.ts'
import {
  type AppliedRecovery,
  type Expected,
  expectedAt,
  type Problem,
  problemsOf,
} from '../../src/run/validation.ts'
import type { Guarded } from './readings.ts'

/** Restarts of one slot at most. */
const MOST_RESTARTS = 3

export interface Health {
  readonly healthy: number
  readonly of: number
}

interface Patient {
  readonly expected: Expected
  readonly problems: readonly Problem[]
}

interface Ward {
  /** What runs; null: nobody could see. */
  readonly observe: (environment: string, component: string) => Promise<Observed | null>
  /** Mends these; null: somebody else holds the run or an environment. */
  readonly recover: (
    patients: readonly Patient[],
    state: RunState,
  ) => Promise<readonly AppliedRecovery[] | null>
}

export class Patients {
  readonly #ward: Ward
  readonly #restarts = new Map<string, number>()
  /** Slots that did not answer in the round before. */
  #ill = new Set<string>()
  #waiting: readonly Patient[] = []

  constructor(ward: Ward) {
    this.#ward = ward
  }

  /** How many instances of each target are well, by `environment/component`; those of whom nothing is known are left out. */
  async look(state: RunState, targets: readonly Guarded[]): Promise<ReadonlyMap<string, Health>> {
    const health = new Map<string, Health>()
    const ill = new Set<string>()
    const waiting: Patient[] = []
    for (const target of targets) {
      const expected = expectedAt(state, target)
      const observed = expected && (await this.#ward.observe(target.environment, target.component))
      if (expected === null || observed === null) continue
      const bad = problemsOf(expected, observed).filter(isOfHealth)
      for (const problem of bad) if (problem.kind === 'not-healthy') ill.add(keyOf(problem))
      const due = bad.filter(problem => this.#isDue(problem))
      if (due.length > 0) waiting.push({ expected, problems: due })
      const of = expected.slots.length
      health.set(`${target.environment}/${target.component}`, { healthy: of - bad.length, of })
    }
    this.#ill = ill
    this.#waiting = waiting
    return health
  }

  #isDue(problem: OfHealth): boolean {
    const tried = this.#restarts.get(keyOf(problem)) ?? 0
    return tried < MOST_RESTARTS && (problem.kind !== 'not-healthy' || this.#ill.has(keyOf(problem)))
  }

  /** Mends what the last look has found. */
  async treat(state: RunState): Promise<readonly AppliedRecovery[]> {
    if (this.#waiting.length === 0) return []
    const applied = await this.#ward.recover(this.#waiting, state)
    if (applied === null) return []
    for (const { problems } of this.#waiting)
      for (const problem of problems)
        if (isOfHealth(problem))
          this.#restarts.set(keyOf(problem), (this.#restarts.get(keyOf(problem)) ?? 0) + 1)
    return applied
  }
}

type OfHealth = Extract<Problem, { kind: 'not-running' | 'not-healthy' | 'missing' }>

const isOfHealth = (problem: Problem): problem is OfHealth =>
  problem.kind === 'not-running' || problem.kind === 'not-healthy' || problem.kind === 'missing'

const keyOf = ({ environment, component, slot }: OfHealth): string => `${environment}/${component}/${slot}`
