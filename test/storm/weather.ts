/**
 * One case of a storm: a release, what fails in it, and what happens to each of its runners. Plain data.
 *
 * Boundary: draws lots, and nothing else. The same number gives the same case each time.
 */
import { type Seeded, seeded } from '../../runner/engine/seeded.ts'
import type { FailurePolicy } from '../../src/plan/plan.ts'

export interface StepPlan {
  readonly kind: 'step'
  readonly name: string
  /** How a step that was cut off is gone on with; blind: a person has to say whether it was done. */
  readonly redo: 'idempotent' | 'observable' | 'blind'
  readonly undo: 'step' | 'none' | 'not-needed'
  /** half: it has its effect and fails. flaky: its first attempt fails, the next does not. */
  readonly ends: 'well' | 'fails' | 'half' | 'flaky'
  /** Hashed blocks of 64 KiB. */
  readonly toil: number
  /** Whether a part of it is a command of its shell. */
  readonly shell: boolean
}

export interface GatePlan {
  readonly kind: 'gate'
  readonly name: string
  readonly required: boolean
  readonly passes: boolean
  readonly toil: number
}

export type ItemPlan =
  | StepPlan
  | GatePlan
  | { readonly kind: 'wait'; readonly milliseconds: number }
  | { readonly kind: 'deploy'; readonly components: readonly ComponentPlan[] }
  | { readonly kind: 'parallel'; readonly branches: readonly (readonly ItemPlan[])[] }

export interface ComponentPlan {
  readonly name: string
  readonly critical: boolean
  readonly instances: number
  readonly needs: readonly string[]
  /** It ends as soon as it is started. */
  readonly broken: boolean
}

export interface StagePlan {
  readonly name: string
  readonly after: readonly string[] | null
  readonly policy: FailurePolicy | null
  readonly items: readonly ItemPlan[]
}

/** What happens to one runner. */
export type Trouble =
  | { readonly kind: 'none' }
  /** SIGKILL so long after its start. */
  | { readonly kind: 'time'; readonly milliseconds: number }
  /** SIGKILL when the journal has grown by so many bytes, and then a little later. */
  | { readonly kind: 'records'; readonly bytes: number; readonly later: number; readonly tear: number | null }
  /** SIGKILL by itself at a point of the engine. */
  | { readonly kind: 'point'; readonly point: string }
  /** Two of them at once; the first is killed when the journal has grown by so many bytes. */
  | { readonly kind: 'twice'; readonly bytes: number }
  /** The disk of the state has so many pages left. */
  | { readonly kind: 'full'; readonly pages: number }

export interface StormCase {
  readonly number: number
  readonly policy: FailurePolicy
  readonly concurrency: number
  readonly stages: readonly StagePlan[]
  /** By runner, from the first; those beyond are left alone. */
  readonly troubles: readonly Trouble[]
}

const POLICIES: readonly FailurePolicy[] = ['stop', 'rollback-all', 'rollback-dependents', 'continue-partial']

/** The case of a number. Without a `disk` of its own no case has one that is full. */
export function stormCase(number: number, options: { readonly disk: boolean }): StormCase {
  const random = seeded(number)
  const builder = new Builder(random)
  const stages = builder.stages(1 + random.below(3))
  return {
    number,
    policy: random.pick(POLICIES),
    concurrency: 1 + random.below(6),
    stages,
    troubles: Array.from({ length: 1 + random.below(7) }, () => troubleOf(random, builder.keys, options)),
  }
}

class Builder {
  readonly keys: string[] = []
  readonly #random: Seeded
  readonly #failing: number
  #count = 0
  #deploys: boolean

  constructor(random: Seeded) {
    this.#random = random
    this.#failing = random.pick([0, 0, 0.08, 0.15])
    this.#deploys = random.chance(0.15)
  }

  stages(count: number): readonly StagePlan[] {
    const stages: StagePlan[] = []
    for (let index = 0; index < count; index += 1) {
      const random = this.#random
      const name = `stage${index + 1}`
      const before = stages.map(stage => stage.name)
      const after = random.chance(0.6) ? null : before.filter(() => random.chance(0.5))
      const policy = random.chance(0.3) ? random.pick(POLICIES) : null
      stages.push({ name, after, policy, items: this.#items(name, 0) })
    }
    return stages
  }

  #items(stage: string, depth: number): readonly ItemPlan[] {
    const count = 1 + this.#random.below(depth === 0 ? 4 : 2)
    return Array.from({ length: count }, () => this.#item(stage, depth))
  }

  #item(stage: string, depth: number): ItemPlan {
    const random = this.#random
    const roll = random.fraction()
    if (this.#deploys && depth === 0 && random.chance(0.5)) return this.#deploy()
    if (roll < 0.3 && depth < 2) {
      const branches = Array.from({ length: 2 + random.below(2) }, () => this.#items(stage, depth + 1))
      return { kind: 'parallel', branches }
    }
    if (roll < 0.37) return { kind: 'wait', milliseconds: 1 + random.below(random.pick([20, 300])) }
    const name = `n${++this.#count}`
    this.keys.push(`${stage}/${name}`)
    return roll < 0.55 ? this.#gate(name) : this.#step(name)
  }

  #gate(name: string): GatePlan {
    const random = this.#random
    const passes = !random.chance(this.#failing)
    return { kind: 'gate', name, required: random.chance(0.7), passes, toil: 1 + random.below(150) }
  }

  #step(name: string): StepPlan {
    const random = this.#random
    const redo = random.pick(['idempotent', 'idempotent', 'observable', 'observable', 'blind'] as const)
    const undo = random.pick(['step', 'step', 'step', 'none', 'not-needed'] as const)
    const fails = random.chance(this.#failing) ? random.pick(['fails', 'half'] as const) : 'well'
    const ends = redo === 'idempotent' && random.chance(0.15) ? 'flaky' : fails
    const shell = redo === 'idempotent' && random.chance(0.4)
    return { kind: 'step', name, redo, undo, ends, toil: 1 + random.below(200), shell }
  }

  #deploy(): ItemPlan {
    this.#deploys = false
    const random = this.#random
    const one = { name: 'one', critical: random.chance(0.5), instances: 1 + random.below(2), needs: [] }
    const two = { name: 'two', critical: random.chance(0.5), instances: 1, needs: ['one'] }
    const broken = random.chance(0.3) ? random.pick(['one', 'two']) : null
    const components = [one, two].map(component => ({ ...component, broken: component.name === broken }))
    return { kind: 'deploy', components }
  }
}

const EVENTS = [
  'run-started',
  'runner-attached',
  'node-started',
  'node-succeeded',
  'node-waiting',
  'node-retrying',
  'node-failed',
  'node-cancelled',
  'node-skipped',
  'node-uncertain',
  'rollback-planned',
  'rollback-finished',
  'run-finished',
] as const

function troubleOf(random: Seeded, keys: readonly string[], { disk }: { readonly disk: boolean }): Trouble {
  const roll = random.fraction()
  const bytes = 1 + random.below(random.pick([400, 2_000, 6_000]))
  if (roll < 0.1) return { kind: 'time', milliseconds: 50 + random.below(1_500) }
  if (roll < 0.55) {
    const tear = random.chance(0.3) ? random.fraction() : null
    return { kind: 'records', bytes, later: random.below(40), tear }
  }
  if (roll < 0.83) return { kind: 'point', point: pointOf(random, keys) }
  if (roll < 0.92) return { kind: 'twice', bytes }
  const pages = random.below(16)
  return disk ? { kind: 'full', pages } : { kind: 'none' }
}

function pointOf(random: Seeded, keys: readonly string[]): string {
  const side = random.pick(['before', 'after'])
  if (keys.length === 0 || random.chance(0.5)) {
    const event = random.chance(0.6) ? random.pick(EVENTS.slice(2, 4)) : random.pick(EVENTS)
    return `journal:${side}-append:${event}:${1 + random.below(event.startsWith('node-s') ? 5 : 1)}`
  }
  const undoing = random.chance(0.2) ? 'rollback/1/' : ''
  return `effect:${side}:${undoing}${random.pick(keys)}#1:1`
}
