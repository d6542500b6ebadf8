/**
 * A sketch's deployments, as the compiler lowers them: batches, or the phases of a canary, alone or in lockstep.
 */
import type { Seeded } from '../../runner/engine/seeded.ts'
import { type SketchComponent, type SketchNode, stageOf } from './sketch.ts'

export interface Flow {
  readonly needs: readonly string[]
  readonly after: readonly string[]
  /** Component and its verify. */
  readonly deployed: readonly (readonly [string, string])[]
}

/** This component ran nowhere before: there is no traffic of it that could be divided. */
export const NEW_EVERYWHERE = 'c2'

interface Shared {
  readonly needs: readonly string[]
  readonly lockstep?: string | undefined
}

interface Batches extends Shared {
  readonly slots: number
}

type Piece = Omit<SketchNode, 'key' | 'after' | 'component'>

const lockstepOf = ({ lockstep }: Pick<Shared, 'lockstep'>): Pick<SketchNode, 'lockstep'> =>
  lockstep === undefined ? {} : { lockstep }

const providersOf = (
  { needs }: SketchComponent,
  stage: string,
  deployed: readonly (readonly [string, string])[],
): readonly string[] =>
  deployed
    .filter(([component, verify]) => needs.includes(component) && stageOf(verify) === stage)
    .map(([, verify]) => verify)

/** Adds nodes for components to a list that it is given. */
export class Deployments {
  readonly #random: Seeded
  readonly #nodes: SketchNode[]

  constructor(random: Seeded, nodes: SketchNode[]) {
    this.#random = random
    this.#nodes = nodes
  }

  component(
    stage: string,
    component: SketchComponent,
    before: Flow,
    here: readonly (readonly [string, string])[],
  ): string {
    const slots = 1 + this.#random.below(3)
    const prepare = this.#prepare(stage, component, before, { needs: [] })
    const providers = providersOf(component, stage, [...before.deployed, ...here])
    const last = this.#batches(stage, component, { slots, needs: [prepare, ...providers] })
    return this.#verify(stage, component, { slots, needs: [last] })
  }

  #prepare(stage: string, { name }: SketchComponent, before: Flow, more: Shared): string {
    const own = before.deployed.filter(([component]) => component === name).map(([, verify]) => verify)
    const needs = [...new Set([...before.needs, ...own, ...more.needs])]
    const after = before.after.filter(key => !needs.includes(key))
    const key = `${stage}/${name}/prepare`
    this.#nodes.push({ ...lockstepOf(more), key, kind: 'prepare', component: name, needs, after })
    return key
  }

  #batches(stage: string, { name }: SketchComponent, { slots, needs, lockstep }: Batches): string {
    let waits = [...new Set(needs)]
    for (let slot = 0; slot < slots; slot += 1) {
      const key = `${stage}/${name}/rolling/${slot + 1}`
      this.#nodes.push({
        ...lockstepOf({ lockstep }),
        ...{ key, kind: 'replace', component: name, needs: waits, after: [], undo: 'restore', slot },
      })
      waits = [key]
    }
    return waits[0]!
  }

  #verify(stage: string, { name }: SketchComponent, { slots, needs, lockstep }: Batches): string {
    const key = `${stage}/${name}/verify`
    this.#nodes.push({
      ...lockstepOf({ lockstep }),
      ...{ key, kind: 'verify', component: name, needs, after: [], undo: 'restore', slot: slots },
    })
    return key
  }

  #carry(stage: string, component: string, lockstep: string): string {
    const key = `${stage}/${component}/canary/carry`
    const needs = [`${stage}/${component}/prepare`]
    this.#nodes.push({
      ...{ key, kind: 'shift', component, lockstep, needs, after: [], undo: 'traffic', weight: 0 },
    })
    return key
  }

  /** Phases of a canary: one component alone, or many in lockstep, all started before any is shifted. */
  course(
    stage: string,
    { components, lockstep }: { components: readonly SketchComponent[]; lockstep?: string },
    before: Flow,
    here: readonly (readonly [string, string])[],
  ): readonly (readonly [string, string])[] {
    const random = this.#random
    const together = lockstepOf({ lockstep })
    const known = [...before.deployed, ...here]
    const prepares = components.map(component =>
      this.#prepare(stage, component, before, {
        ...together,
        needs: lockstep === undefined ? [] : providersOf(component, stage, known),
      }),
    )
    const slots = new Map(components.map(component => [component, 1 + random.below(3)]))
    const fresh = components.filter(({ name }) => name === NEW_EVERYWHERE)
    const moving = components.filter(({ name }) => name !== NEW_EVERYWHERE)
    const brought = fresh.map(component =>
      this.#batches(stage, component, {
        ...together,
        slots: slots.get(component)!,
        needs: [`${stage}/${component.name}/prepare`],
      }),
    )
    const alone = lockstep === undefined ? providersOf(components[0]!, stage, known) : []
    const carried = lockstep === undefined ? [] : moving.map(({ name }) => this.#carry(stage, name, lockstep))
    let gate: readonly string[] = [...new Set([...prepares, ...carried, ...brought, ...alone])]
    const running = new Map(moving.map(component => [component, 0]))
    const baseline = lockstep === undefined && random.chance(0.2)
    const firsts = new Map<SketchComponent, string>()
    for (const weight of random.pick([[50, 100], [10, 50, 100], [100]])) {
      const add = (component: SketchComponent, part: string, node: Piece): string => {
        const key = `${stage}/${component.name}/canary/${weight}/${part}`
        this.#nodes.push({ ...together, after: [], component: component.name, ...node, key })
        return key
      }
      const started = moving.flatMap(component => {
        const from = running.get(component)!
        const to = Math.max(from, Math.ceil((slots.get(component)! * weight) / 100))
        running.set(component, to)
        const start = { kind: 'start', needs: gate, undo: 'remove', slot: from, to } as const
        return [
          ...(to === from ? [] : [add(component, 'start', start)]),
          ...(baseline && from === 0
            ? [add(component, 'baseline', { ...start, slot: 0, to: 1, baseline: true })]
            : []),
        ]
      })
      const ready = started.length === 0 ? gate : started
      const shifts = new Map<string, string>()
      for (const component of moving) {
        const providers = component.needs.flatMap(name => shifts.get(name) ?? [])
        const needs = [...ready, ...providers]
        const key = add(component, 'shift', { kind: 'shift', needs, undo: 'traffic', weight })
        shifts.set(component.name, key)
        if (!firsts.has(component)) firsts.set(component, key)
      }
      const shifted = [...shifts.values()]
      const watched = random.chance(0.8)
        ? moving.map(component =>
            add(component, 'analyse', {
              kind: 'analyse',
              needs: shifted,
              time: random.pick([500, 2_000, 10_000]),
            }),
          )
        : shifted
      gate = watched.length === 0 ? gate : watched
      if (random.chance(0.15)) {
        const key = `${lockstep ?? `${stage}/${components[0]!.name}/canary`}/${weight}/approval`
        const of = lockstep === undefined ? { component: components[0]!.name } : together
        this.#nodes.push({ ...of, key, kind: 'approval', needs: gate, after: [] })
        gate = [key]
      }
    }
    const background = moving.flatMap(component => {
      if (!random.chance(0.3)) return []
      const key = `${stage}/${component.name}/canary/background`
      const watch = { kind: 'analyse', needs: [firsts.get(component)!], until: gate[0]! } as const
      this.#nodes.push({ ...together, after: [], component: component.name, key, ...watch })
      return [key]
    })
    let last: readonly string[] = [...gate, ...background]
    if (baseline) {
      const key = `${stage}/${components[0]!.name}/canary/remove-baseline`
      this.#nodes.push({ component: components[0]!.name, key, kind: 'remove', needs: last, after: [] })
      last = [key]
    }
    const promoted = new Map<string, string>()
    return components.map(component => {
      const { name, needs } = component
      const one = { ...together, slots: slots.get(component)! }
      const fine = fresh.indexOf(component)
      const providers = needs.flatMap(other => promoted.get(other) ?? [])
      const key = fine >= 0 ? brought[fine]! : `${stage}/${name}/canary/promote`
      if (fine < 0) {
        this.#nodes.push({
          ...{ ...together, key, kind: 'promote', component: name, after: [], undo: 'restore' },
          ...{ needs: [...new Set([...last, ...providers])], slot: one.slots },
        })
      }
      promoted.set(name, key)
      return [name, this.#verify(stage, component, { ...one, needs: [key] })] as const
    })
  }
}
