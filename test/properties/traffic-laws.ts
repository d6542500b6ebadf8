/**
 * What has to be true of traffic and of what is measured of it. The rest of the laws is in laws.ts.
 */
import { besideOf, isDivided } from '../../runner/simulate/model-fleet.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { Evidence } from '../../src/run/evidence.ts'
import { demand } from './broken.ts'
import { isLocked, isTogether } from './fellows.ts'
import type { ModelWorld } from './model-world.ts'
import { targetOf } from './record-keys.ts'
import { type Sketch, type SketchNode, stageOf } from './sketch.ts'

/** What the record says so far, as the judge of the other laws keeps it. */
export interface Known {
  readonly fate: ReadonlyMap<string, string>
  readonly because: ReadonlyMap<string, string>
  /** Effects that may be in force. */
  readonly owed: ReadonlySet<string>
  /** By rollback node. */
  readonly rollbacks: ReadonlyMap<string, unknown>
  readonly satisfied: (key: string) => boolean
  readonly ended: (key: string) => boolean
  /** All nodes that come after a node, directly or through others. */
  readonly later: ReadonlyMap<string, ReadonlySet<string>>
}

export class TrafficLaws {
  readonly #sketch: Sketch
  readonly #nodes: ReadonlyMap<string, SketchNode>
  readonly #known: Known
  /** When each node ended last, as the number of its event, and by the clock. */
  readonly #endedAs = new Map<string, { readonly count: number; readonly at: number }>()
  /** By analysis: which side has won. */
  readonly #winners = new Map<string, 'canary' | 'stable'>()
  #attachedAs = 0
  #haltedAt: number | null = null

  constructor(sketch: Sketch, known: Known) {
    this.#sketch = sketch
    this.#nodes = new Map(sketch.nodes.map(node => [node.key, node]))
    this.#known = known
  }

  /** `count`: the number of its event. A consequence ends when its cause did. */
  ends(
    key: string,
    { count, at, because }: { readonly count: number; readonly at: number; readonly because?: string },
  ): void {
    const since = because === undefined ? at : (this.#endedAs.get(because)?.at ?? 0)
    this.#endedAs.set(key, { count, at: since })
  }

  attached(count: number): void {
    this.#attachedAs = count
  }

  halted(at: number): void {
    this.#haltedAt ??= at
  }

  reopened(): void {
    this.#haltedAt = null
  }

  /** Everything that was shifted for it was watched since, as far as it was to be watched. */
  mayPromote(node: SketchNode): void {
    const mates = this.#sketch.nodes.filter(other => isTogether(other, node))
    const before = mates.filter(({ key }) => this.#known.later.get(key)!.has(node.key))
    for (const watch of before.filter(({ kind }) => kind === 'analyse')) {
      const judged = this.#endedAs.get(watch.key)?.count ?? 0
      const shifts = before.filter(
        ({ kind, key }) => kind === 'shift' && this.#known.later.get(key)!.has(watch.key),
      )
      demand(
        this.#known.satisfied(watch.key) &&
          shifts.every(({ key }) => (this.#endedAs.get(key)?.count ?? 0) < judged || this.#isLeftOut(key)),
        'promotion after judgement',
        () => `${node.key} began, and ${watch.key} has not passed on the traffic that it promotes`,
      )
    }
  }

  #isLeftOut(key: string): boolean {
    return this.#known.because.get(key) === 'only'
  }

  /** It takes nobody's place: with all that it needs there, it begins before any time passes. */
  beginsAtOnce({ node: key, at, attempt }: Extract<RunEvent, { type: 'node-started' }>): void {
    const node = this.#nodes.get(key)
    if (node?.kind !== 'analyse' || attempt > 1) return
    const ends = node.needs.map(need => this.#endedAs.get(need))
    const last = Math.max(0, ...ends.map(end => end?.count ?? 0))
    const latest = Math.max(0, ...ends.map(end => end?.at ?? 0))
    demand(
      last <= this.#attachedAs || at === latest,
      'an analysis waits for nobody',
      () => `${key} could begin at ${latest} and began at ${at}`,
    )
  }

  /** What stops a run stops its analyses with it. */
  mayJudge({ node: key, at }: { readonly node: string; readonly at: number }): void {
    if (key.startsWith('rollback/') || this.#nodes.get(key)!.kind !== 'analyse') return
    demand(
      this.#haltedAt === null || at <= this.#haltedAt,
      'a halt ends analyses',
      () => `${key} was watched until ${at}, and the run was halted at ${this.#haltedAt}`,
    )
  }

  passes({ key, until, trial }: SketchNode, { series, winner }: Evidence): void {
    const seen = series.flatMap(({ points }) => points.map(([, value]) => value))
    demand(
      (winner !== undefined) === (trial === 'experiment'),
      'a winner',
      () => `${key} ended with ${winner ?? 'nobody'} as its winner`,
    )
    if (winner !== undefined) this.#winners.set(key, winner)
    // What has not won need not have been good; whoever takes the requests over has.
    if (winner !== 'stable') this.#isGood(key, seen)
    demand(
      until === undefined || this.#known.ended(until),
      'until',
      () => `${key} passed before ${until} had ended`,
    )
  }

  /** The version that a promotion leaves. */
  wins({ decidedBy }: SketchNode): 'canary' | 'stable' {
    return decidedBy === undefined ? 'canary' : (this.#winners.get(decidedBy) ?? 'canary')
  }

  #isGood(key: string, seen: readonly (number | null)[]): void {
    demand(
      seen.some(value => value !== null) && seen.every(value => value === null || value === 0),
      'measured',
      () => `${key} passed having measured ${JSON.stringify(seen)}`,
    )
  }

  /** Those that shift together stand and fall together, unless taking one of them back has failed. */
  judgeLocksteps(): void {
    const promotions = this.#sketch.nodes.filter(({ kind, lockstep }) => kind === 'promote' && lockstep)
    for (const one of promotions) {
      const mates = promotions.filter(other => isLocked(other, one))
      const standing = mates.filter(
        ({ key }) => this.#known.fate.get(key) === 'succeeded' && this.#known.owed.has(key),
      )
      const tried = [...this.#known.rollbacks.keys()].some(
        key => this.#known.fate.get(key) === 'failed' && isLocked(this.#nodes.get(targetOf(key))!, one),
      )
      demand(
        tried || standing.length === 0 || standing.length === mates.length,
        'lockstep',
        () => `${standing.map(({ key }) => key).join(', ')} stand and others of their lockstep do not`,
      )
    }
  }

  /** A run that has ended divides nothing, and nothing of a canary is left, unless its undoing failed. */
  judgeWorld(model: ModelWorld): void {
    for (const [place, one] of model.fleet.places) {
      const [stage, component] = place.split('/')
      const tried = [...this.#known.rollbacks.keys()].some(key => {
        const node = this.#nodes.get(targetOf(key))!
        return (
          this.#known.fate.get(key) === 'failed' &&
          node.component === component &&
          stageOf(node.key) === stage
        )
      })
      if (tried) continue
      demand(!isDivided(one), 'traffic is decided', () => `the run ended and divides ${place}`)
      demand(besideOf(one) === 0, 'traffic is decided', () => `the run ended and ${place} has a canary`)
    }
  }

  /** Nobody leaves of his own accord while traffic is divided, but to ask what became of a step. */
  leaves(model: ModelWorld, waiting: readonly string[], isUncertain: (key: string) => boolean): void {
    const divided = [...model.fleet.places].find(([, place]) => isDivided(place))
    demand(
      divided === undefined || waiting.every(isUncertain),
      'nobody leaves divided traffic',
      () => `the run was left waiting for ${waiting.join(', ')} and divides ${divided?.[0]}`,
    )
  }

  /** It divides traffic, or was started for that, and nothing that stands has promoted it. */
  undecided(node: SketchNode): boolean {
    if (node.undo !== 'traffic' && node.undo !== 'remove') return false
    return !this.#sketch.nodes.some(
      ({ kind, key, component }) =>
        kind === 'promote' &&
        component === node.component &&
        stageOf(key) === stageOf(node.key) &&
        this.#known.fate.get(key) === 'succeeded' &&
        this.#known.owed.has(key),
    )
  }
}
