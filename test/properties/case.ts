/**
 * One simulated release: a plan, everything that goes wrong with it, and everything that people do. Plain JSON.
 */
import { type Seeded, seeded } from '../../runner/engine/seeded.ts'
import type { FailurePolicy } from '../../src/plan/plan.ts'
import { Deployments, type Flow, NEW_EVERYWHERE } from './deployments.ts'
import { enrich } from './enrich.ts'
import type { Sketch, SketchComponent, SketchNode } from './sketch.ts'

/**
 * fail: nothing was done. half: it was done, and fails all the same. hang: nothing is done until its time is over.
 * Of an analysis: a breach at once, one after good measurements, and never any data; mute: never an answer.
 */
export type Fault = 'fail' | 'half' | 'hang' | 'mute'

export interface Word {
  /** An approval's key, or `run`. */
  readonly to: string
  /** Milliseconds after the start. */
  readonly at: number
  readonly say: 'approve-ops' | 'approve-lead' | 'approve-other' | 'reject' | 'cancel'
}

export interface Case {
  /** Of the order in which things happen, and how long they take. */
  readonly seed: number
  readonly sketch: Sketch
  readonly only: readonly string[] | null
  /** By node's key, or `undo KEY`: what its attempts do, one after the other; those beyond do as asked. */
  readonly faults: Readonly<Record<string, readonly (Fault | 'ok')[]>>
  readonly words: readonly Word[]
  /** By runner, from the first: at which fault point it dies; 0: at none. */
  readonly crashes: readonly number[]
  /** Ctrl-C: in which runner, how long after its start, and whether a second follows at once. */
  readonly interrupts: readonly { readonly runner: number; readonly at: number; readonly twice: boolean }[]
  /** What a person does, one after the other, once the run has ended or (rollback) was left or cut off. */
  readonly acts: readonly ('reopen' | 'rollback' | 'rollback-to')[]
  /** What is said of a step of which nobody knows whether it happened. */
  readonly uncertain: 'rerun' | 'skip'
}

const POLICIES: readonly FailurePolicy[] = ['stop', 'rollback-all', 'rollback-dependents', 'continue-partial']

const merge = (flows: readonly Flow[]): Flow => ({
  needs: [...new Set(flows.flatMap(flow => flow.needs))],
  after: [...new Set(flows.flatMap(flow => flow.after))],
  deployed: flows.flatMap(flow => flow.deployed),
})

/** The case of a number: always the same one. */
export const generate = (seed: number): Case => enrich(generatePlain(seed), seeded(seed * 97 + 13))

/** As {@link generate}, with nothing that freezes and nothing that is tried. */
export function generatePlain(seed: number): Case {
  const random = seeded(seed)
  const sketch = sketchOf(random)
  const trouble = random.pick([0, 0.05, 0.15, 0.3])
  const restless = random.pick([0, 0.2, 0.6])
  return {
    seed,
    sketch,
    only: random.chance(0.12) ? [random.pick(sketch.stages).name] : null,
    faults: faultsOf(random, sketch, trouble),
    words: wordsOf(random, sketch),
    crashes: Array.from({ length: random.below(4) }, () =>
      random.chance(restless) ? 1 + random.below(8 * sketch.nodes.length) : 0,
    ),
    interrupts: random.chance(restless / 3)
      ? [{ runner: random.below(2), at: random.below(20_000), twice: random.chance(0.4) }]
      : [],
    acts: Array.from({ length: random.chance(0.4) ? 1 + random.below(2) : 0 }, () =>
      random.pick(['reopen', 'reopen', 'rollback', 'rollback-to'] as const),
    ),
    uncertain: random.pick(['rerun', 'skip']),
  }
}

function sketchOf(random: Seeded): Sketch {
  const components = componentsOf(random)
  const builder = new Builder(random, components)
  const stages: { name: string; after: readonly string[]; policy: FailurePolicy }[] = []
  const ends = new Map<string, Flow>()
  const common = random.pick(POLICIES)
  const count = 1 + random.below(4)
  for (let i = 0; i < count; i += 1) {
    const name = `s${i}`
    const after = afterOf(
      random,
      stages.map(stage => stage.name),
    )
    const before = merge(after.map(earlier => ends.get(earlier)!))
    ends.set(name, builder.sequence(name, before, 0))
    stages.push({ name, after, policy: random.chance(0.6) ? common : random.pick(POLICIES) })
  }
  return { concurrency: 1 + random.below(8), components, stages, nodes: builder.nodes }
}

const afterOf = (random: Seeded, names: readonly string[]): readonly string[] =>
  random.chance(0.6) ? names.slice(-1) : names.filter(() => random.chance(0.4))

function componentsOf(random: Seeded): readonly SketchComponent[] {
  const components: SketchComponent[] = []
  const count = random.below(5)
  for (let i = 0; i < count; i += 1) {
    const needs = components.filter(() => random.chance(0.4)).map(component => component.name)
    components.push({ name: `c${i}`, critical: random.chance(0.5), needs })
  }
  return components
}

/** Lowers items as the compiler does: after a deployment what follows only comes after, otherwise it needs. */
class Builder {
  readonly nodes: SketchNode[] = []
  readonly #random: Seeded
  readonly #components: readonly SketchComponent[]
  readonly #deployed = new Set<string>()
  readonly #deployments: Deployments
  #count = 0

  constructor(random: Seeded, components: readonly SketchComponent[]) {
    this.#random = random
    this.#components = components
    this.#deployments = new Deployments(random, this.nodes)
  }

  sequence(stage: string, before: Flow, depth: number): Flow {
    let flow = before
    const length = 1 + this.#random.below(3)
    for (let i = 0; i < length; i += 1) flow = this.#item(stage, flow, depth)
    return flow
  }

  #item(stage: string, before: Flow, depth: number): Flow {
    const random = this.#random
    const roll = random.fraction()
    if (roll < 0.2 && depth < 2) {
      const parts = 2 + random.below(2)
      return merge(Array.from({ length: parts }, () => this.sequence(stage, before, depth + 1)))
    }
    if (roll < 0.45 && this.#components.length > 0) return this.#deploy(stage, before)
    return this.#single(stage, before)
  }

  #single(stage: string, before: Flow): Flow {
    const random = this.#random
    const kind = random.pick(['step', 'step', 'step', 'gate', 'approval', 'wait', 'notify', 'join'] as const)
    this.#count += 1
    const key = `${stage}/${kind}${this.#count}`
    this.nodes.push({ key, kind, needs: before.needs, after: before.after, ...this.#traits(kind) })
    return { needs: [key], after: [], deployed: before.deployed }
  }

  #traits(kind: SketchNode['kind']): Partial<SketchNode> {
    const random = this.#random
    const retries = random.chance(0.3) ? { retries: 1 + random.below(2) } : {}
    switch (kind) {
      case 'step': {
        const undo = random.pick(['step', 'step', 'irreversible', undefined] as const)
        const redo = random.pick(['idempotent', 'observable', undefined] as const)
        return { ...retries, ...(undo && { undo }), ...(redo && { redo }) }
      }
      case 'gate':
      case 'notify':
        return { ...retries, ...(random.chance(0.4) && { mild: true }) }
      case 'approval':
        return random.chance(0.4) ? { time: 30_000 } : {}
      case 'wait':
        return { time: random.pick([0, 3_000, 60_000, 3_600_000]) }
      default:
        return {}
    }
  }

  /** Once a stage: environments are named after stages, so that nothing is deployed twice to one place. */
  #deploy(stage: string, before: Flow): Flow {
    const chosen = this.#components.filter(
      ({ name }) => this.#random.chance(0.7) && !this.#deployed.has(`${stage}/${name}`),
    )
    if (chosen.length === 0) return this.#single(stage, before)
    const deployed: (readonly [string, string])[] = []
    for (const { name } of chosen) this.#deployed.add(`${stage}/${name}`)
    if (this.#random.chance(0.3)) {
      this.#count += 1
      const lockstep = `${stage}/lockstep${this.#count}`
      deployed.push(...this.#deployments.course(stage, { components: chosen, lockstep }, before, []))
    } else {
      for (const component of chosen) {
        const alone = { components: [component] }
        if (component.name !== NEW_EVERYWHERE && this.#random.chance(0.4))
          deployed.push(...this.#deployments.course(stage, alone, before, deployed))
        else deployed.push([component.name, this.#deployments.component(stage, component, before, deployed)])
      }
    }
    return {
      needs: [],
      after: deployed.map(([, verify]) => verify),
      deployed: [...before.deployed, ...deployed],
    }
  }
}

function faultsOf(random: Seeded, sketch: Sketch, trouble: number): Case['faults'] {
  const faults: Record<string, (Fault | 'ok')[]> = {}
  const some = (): (Fault | 'ok')[] =>
    Array.from({ length: 1 + random.below(4) }, () =>
      random.pick(['fail', 'fail', 'half', 'hang', 'ok'] as const),
    )
  const bad = (): Fault => random.pick(['fail', 'half', 'hang', 'mute'] as const)
  for (const node of sketch.nodes) {
    if (['approval', 'wait', 'join'].includes(node.kind)) continue
    if (random.chance(trouble)) faults[node.key] = node.kind === 'analyse' ? [bad()] : some()
    if (node.undo !== undefined && random.chance(trouble / 2)) faults[`undo ${node.key}`] = some()
  }
  return faults
}

function wordsOf(random: Seeded, sketch: Sketch): readonly Word[] {
  const words: Word[] = []
  const at = (): number => random.below(random.pick([2_000, 20_000, 100_000]))
  for (const { key, kind } of sketch.nodes) {
    if (kind !== 'approval') continue
    if (random.chance(0.2)) words.push({ to: key, at: at(), say: 'approve-other' })
    if (random.chance(0.12)) words.push({ to: key, at: at(), say: 'reject' })
    for (const say of ['approve-ops', 'approve-lead'] as const) {
      // The first may come before the approval is asked for, and is refused then; people say it again.
      for (const again of [0, 60_000, 7_200_000])
        if (random.chance(0.8)) words.push({ to: key, at: at() + again, say })
    }
  }
  if (random.chance(0.08)) words.push({ to: 'run', at: at(), say: 'cancel' })
  return words
}
