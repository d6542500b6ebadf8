/**
 * A world in memory that behaves as the adapters promise: what runs where, and what each step has done.
 *
 * Role: stands behind the real performer of nodes in a simulation, so that what is proved is proved of the very code
 * that runs releases. Boundary: no disk, no process, no clock but the simulation's.
 *
 *  MW1. A deployment changes what is asked for and nothing else; a failed one leaves old instances serving (port L6).
 *  MW2. A step's effect is done, undone, half done or not begun; its functions are never the team's own.
 *  MW3. Everything takes the node's duration of virtual time.
 */
import type { StepModel } from '../../src/definition/model.ts'
import { ReleaseError } from '../../src/errors.ts'
import type { Plan, PlanNode, Revision } from '../../src/plan/plan.ts'
import type { Desired, Instance, Observed, Platform } from '../../src/run/ports.ts'
import type { Clock } from '../engine/clock.ts'
import type { World } from '../engine/world.ts'
import type { Fault } from './faults.ts'

export type StepState = 'not-begun' | 'half' | 'done' | 'undone'

/** What runs in an environment's component, by slot. */
export type Slots = ReadonlyMap<number, Revision>

export interface ModelWorldOptions {
  readonly plan: Plan
  readonly fault: readonly Fault[]
  /** How long a node takes, in milliseconds of virtual time. */
  readonly duration: (node: PlanNode) => number
}

export class ModelWorld {
  readonly #options: ModelWorldOptions
  readonly #slots = new Map<string, Map<number, Revision>>()
  readonly #steps = new Map<string, StepState>()

  constructor(options: ModelWorldOptions) {
    this.#options = options
    for (const { operation, environment, component } of options.plan.nodes) {
      if (operation.kind === 'step') this.#steps.set(operation.name, 'not-begun')
      if (operation.kind === 'verify') this.#startOld(environment!, component!, operation.instances)
    }
  }

  /** What the facts say runs now, on as many instances as are asked for. */
  #startOld(environment: string, component: string, instances: number): void {
    const key = `${environment}/${component}`
    if (this.#slots.has(key)) return
    const live = this.#options.plan.facts.live[environment]?.[component] ?? null
    const slots = new Map<number, Revision>()
    if (live !== null) {
      const health = { path: '/', timeout: 0, interval: 0 }
      for (let slot = 0; slot < instances; slot += 1) {
        slots.set(slot, { component, ...live, start: [], health, env: { OLD: { value: 'yes' } } })
      }
    }
    this.#slots.set(key, slots)
  }

  slotsOf(environment: string, component: string): Slots {
    return this.#slots.get(`${environment}/${component}`) ?? new Map()
  }

  stepState(name: string): StepState {
    return this.#steps.get(name)!
  }

  /** The world as one attempt at a node sees it. */
  worldFor(place: Attempted): World {
    const node = place.node
    const fault = this.#options.fault.find(f => f.node === node.key && f.undo === place.undoing)
    const pass = (): Promise<void> => this.#pass(node, place)
    const step = this.#stepDouble(node, fault, pass)
    return {
      now: () => place.clock.now(),
      after: (delay, callback) => place.clock.after(delay, callback),
      run: 'simulation',
      root: '',
      platform: () => this.#platform(fault, pass),
      fence: () => 1,
      secrets: NO_SECRETS,
      log: () => ({ line: () => {}, chunk: () => {} }),
      steps: new Map(node.operation.kind === 'step' ? [[node.operation.name, step]] : []),
      checks: new Map(),
      shell: async () => () => Promise.resolve(),
      gate: async () => {
        await pass()
        failIf(fault, node)
        return { passed: true, summary: 'passed' }
      },
      notify: async () => {
        await pass()
        failIf(fault, node)
        return 'sent'
      },
    }
  }

  #pass(node: PlanNode, { clock, signal }: Attempted): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = clock.after(this.#options.duration(node), resolve)
      const abort = (): void => {
        stop()
        reject(new ReleaseError('cancelled', 'it was stopped'))
      }
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  #stepDouble(node: PlanNode, fault: Fault | undefined, pass: () => Promise<void>): StepModel {
    const operation = node.operation as Extract<PlanNode['operation'], { kind: 'step' }>
    const set = (state: StepState): void => {
      this.#steps.set(operation.name, state)
    }
    return {
      kind: 'step',
      name: operation.name,
      idempotent: operation.idempotent,
      timeout: null,
      retry: null,
      at: { stack: '' },
      observe: operation.observable
        ? () => (this.#steps.get(operation.name) === 'done' ? 'done' : undefined)
        : null,
      run: async () => {
        if (fault?.kind === 'fails') await pass().finally(() => failIf(fault, node))
        set('half')
        await pass()
        if (fault?.kind === 'hangs') failIf(fault, node)
        set('done')
        failIf(fault, node)
        return 'done'
      },
      undo: async () => {
        await pass()
        failIf(fault, node)
        set('undone')
      },
    }
  }

  #platform(fault: Fault | undefined, pass: () => Promise<void>): Platform {
    const observed = (environment: string, component: string): Observed => ({
      instances: [...this.slotsOf(environment, component)].map(([slot, revision]) =>
        instance(slot, revision),
      ),
    })
    return {
      kind: 'model',
      digest: () => Promise.resolve(''),
      keep: async () => {
        await pass()
        if (fault !== undefined) throw failure('source-changed', 'its files could not be kept')
      },
      kept: () => Promise.resolve(true),
      observe: async (environment, component) => {
        if (fault?.kind === 'not-as-asked') {
          await pass()
          return { instances: [] }
        }
        return observed(environment, component)
      },
      live: () => Promise.resolve(null),
      converge: async desired => {
        await pass()
        this.#converge(desired, fault)
        return observed(desired.environment, desired.component)
      },
      lock: () => Promise.resolve({ type: 'acquired', fence: 1, release: () => Promise.resolve() }),
      gateway: () => Promise.resolve('http://127.0.0.1'),
    }
  }

  #converge(desired: Desired, fault: Fault | undefined): void {
    const { environment, component, from, to, revision } = desired
    const slots = this.#slots.get(`${environment}/${component}`)!
    const end = fault === undefined ? to : fault.kind === 'half-replaced' ? from + 1 : from
    for (let slot = from; slot < end; slot += 1) {
      if (revision === null) slots.delete(slot)
      else slots.set(slot, revision)
    }
    if (fault !== undefined) throw failure('health-timeout', `${component} did not get healthy`)
  }
}

/** One attempt, as the world has to know it. */
export interface Attempted {
  readonly node: PlanNode
  /** It takes the node back. */
  readonly undoing: boolean
  readonly clock: Clock
  readonly signal: AbortSignal
}

const NO_SECRETS: World['secrets'] = {
  read: () => Promise.resolve('simulated'),
  resolve: value => Promise.resolve('value' in value ? value.value : 'simulated'),
  scrub: text => text,
}

const failure = (code: string, message: string): ReleaseError => new ReleaseError(code, message)

function failIf(fault: Fault | undefined, node: PlanNode): void {
  if (fault !== undefined) throw failure('simulated', `${node.title} was made to fail`)
}

const instance = (slot: number, revision: Revision): Instance => ({
  slot,
  revision,
  running: true,
  healthy: true,
  routed: true,
  pid: 1,
  address: 'http://127.0.0.1',
})
