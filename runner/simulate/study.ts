/**
 * What is tried of a plan, and what it shows.
 *
 * Boundary: chooses cases, runs them and collects; how one runs is in simulate-case.ts, what it means in judge-case.ts.
 *
 *  ST1. Every fault is tried, and every undoing's: only kills are sampled.
 *  ST2. A fault of an undoing counts as tried when an attempt at the undoing has failed.
 *  ST3. The same options give the same answer.
 */
import type { Span } from '../../src/diagnostic.ts'
import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { judgeFailure } from '../../src/run/policy.ts'
import { describeFault, type Fault, faultsOf, undoFaultsOf } from './faults.ts'
import { type Hole, judgeCase } from './judge-case.ts'
import { countKills, type Kill, type KillRange, sampleKills } from './kills.ts'
import { hasUndoFailed, provokersIn } from './provokers.ts'
import { type CaseResult, type Crash, simulateCase } from './simulate-case.ts'

export interface StudyOptions {
  readonly plan: Plan
  readonly duration: (node: PlanNode) => number
  /** Orders of events tried for each case. */
  readonly seeds: number
  /** Kills at the most, of all sorts together; beyond, a sample is taken and the coverage says so. */
  readonly most: number
  /** `total` is a guess until the faults are done: how many kills there are is known then. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface FoundHole extends Hole {
  /** What brings it about, the first of `cases`: so many were tried and show it. */
  readonly because: string
  readonly cases: number
  readonly position: Span | null
}

export interface Tried {
  readonly tried: number
  readonly of: number
}

export interface Coverage {
  /** Every node, failed in each of its ways. */
  readonly faults: Tried
  /** Every undoing that a failure brings about, failed as well. */
  readonly undoFaults: Tried
  /** The runner is killed at each write of the run in which nothing fails. */
  readonly kills: Tried
  /** The runner is killed at each write of a run in which something fails, from when that begins. */
  readonly killsAfterFaults: Tried
}

export interface Studied {
  /** What happens where nothing fails. */
  readonly smooth: readonly RunEvent[]
  readonly byKind: Coverage
  /** Nodes that no failure that was tried takes back. */
  readonly unreached: readonly string[]
  readonly holes: readonly FoundHole[]
}

export const study = (options: StudyOptions): Promise<Studied> => new Study(options).run()

interface Scenario {
  readonly faults: readonly Fault[]
  readonly crash: Crash | null
  readonly because: string
}

/** The same kills for the same plan: a hole that was found is found again. */
const SAMPLE_SEED = 1

class Study {
  readonly #options: StudyOptions
  readonly #holes = new Map<string, FoundHole>()
  readonly #unreached: string[] = []
  /** Of runs in which something fails. */
  readonly #writes: KillRange[] = []
  #done = 0
  #total = 0

  constructor(options: StudyOptions) {
    this.#options = options
  }

  async run(): Promise<Studied> {
    const { plan, most } = this.#options
    const smooth = await this.#play({ faults: [], crash: null }, 0)
    this.#note(judgeCase(plan, [], smooth), 'nothing fails')
    const faults = faultsOf(plan)
    const undoFaults = undoFaultsOf(plan)
    this.#total = faults.length + undoFaults.length + most
    for (const fault of faults) await this.#fail([fault])
    const provokers = provokersIn(plan)
    for (const undo of undoFaults) await this.#failUndo(undo, provokers(undo.node))
    const reached = undoFaults.length - this.#unreached.length
    const smoothWrites = [{ faults: [], because: null, from: 1, to: smooth.events.length, group: '' }]
    const kills = this.#sample(smoothWrites)
    this.#total = this.#done + kills.smooth.length + kills.later.length
    for (const kill of [...kills.smooth, ...kills.later]) await this.#try(kill)
    return {
      smooth: smooth.events,
      byKind: {
        faults: { tried: faults.length, of: faults.length },
        undoFaults: { tried: reached, of: reached },
        kills: { tried: kills.smooth.length, of: countKills(smoothWrites) },
        killsAfterFaults: { tried: kills.later.length, of: countKills(this.#writes) },
      },
      unreached: this.#unreached,
      holes: [...this.#holes.values()],
    }
  }

  /** Each sort may have half of them, and what the other has too few for. */
  #sample(smooth: readonly KillRange[]): {
    readonly smooth: readonly Kill[]
    readonly later: readonly Kill[]
  } {
    const { most } = this.#options
    const forSmooth = Math.max(Math.ceil(most / 2), most - countKills(this.#writes))
    const chosen = sampleKills(smooth, { most: forSmooth, seed: SAMPLE_SEED })
    const later = sampleKills(this.#writes, { most: most - chosen.length, seed: SAMPLE_SEED })
    return { smooth: chosen, later }
  }

  async #fail(faults: readonly Fault[], known?: CaseResult): Promise<void> {
    const because = faults.map(describeFault).join(', and ')
    const { events } = await this.#try({ faults, crash: null, because }, known)
    this.#collectWrites(faults, events)
  }

  /** ST2. */
  async #failUndo(undo: Fault, provokers: readonly Fault[]): Promise<void> {
    for (const provoker of provokers) {
      const faults = [provoker, undo]
      const result = await this.#play({ faults, crash: null }, 0)
      if (hasUndoFailed(result.state, undo.node)) return this.#fail(faults, result)
    }
    this.#unreached.push(undo.node)
    this.#tell()
  }

  /** From when what fails begins, to the end of the run. */
  #collectWrites(faults: readonly Fault[], events: readonly RunEvent[]): void {
    const { plan } = this.#options
    const failing = plan.nodes.find(({ key }) => key === faults[0]!.node)!
    const begins = events.findIndex(event => 'node' in event && event.node === failing.key)
    if (begins < 0) return
    const { kind } = judgeFailure(plan, failing)
    const because = faults.map(describeFault).join(', and ')
    const group = `${failing.stage} ${kind}`
    this.#writes.push({ faults, because, from: begins + 1, to: events.length, group })
  }

  /** In every order; the first one's result, which may be known already. */
  async #try(scenario: Scenario, known?: CaseResult): Promise<CaseResult> {
    const first = known ?? (await this.#play(scenario, 0))
    this.#judge(scenario, first)
    for (let seed = 1; seed < this.#options.seeds; seed += 1) {
      this.#judge(scenario, await this.#play(scenario, seed))
    }
    this.#tell()
    return first
  }

  #judge({ faults, because }: Scenario, result: CaseResult): void {
    this.#note(judgeCase(this.#options.plan, faults, result), because)
  }

  #tell(): void {
    this.#done += 1
    this.#options.onProgress?.(this.#done, this.#total)
  }

  #play({ faults, crash }: Pick<Scenario, 'faults' | 'crash'>, seed: number): Promise<CaseResult> {
    const { plan, duration } = this.#options
    return simulateCase({ plan, duration, faults, crash, seed })
  }

  #note(found: readonly Hole[], because: string): void {
    for (const hole of found) {
      const key = `${hole.kind} ${hole.node}`
      const known = this.#holes.get(key)
      const position = this.#options.plan.positions[hole.node] ?? null
      if (known === undefined) this.#holes.set(key, { ...hole, because, cases: 1, position })
      else this.#holes.set(key, { ...known, cases: known.cases + 1 })
    }
  }
}
