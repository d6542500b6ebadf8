/**
 * A world in memory that behaves as the adapters promise: what runs where, what is measured, what each step has done.
 *
 * Role: stands behind the real performer of nodes in a simulation, so that what is proved is proved of the very code
 * that runs releases. Boundary: no disk, no process, no clock but the simulation's.
 *
 *  MW1. A deployment changes what is asked for and nothing else; a failed one leaves old instances serving (port L6), but
 *       for those that were taken out first because they may be unavailable meanwhile.
 *  MW2. A step's effect is done, undone, half done or not begun; its functions are never the team's own.
 *  MW3. Everything takes the node's duration of virtual time; an analysis takes as long as it wants to watch, and what
 *       hangs as long as the performer lets it.
 *  MW4. Instances and traffic stay as a failed change left them: what takes it back has to find that out.
 */
import type { StepModel } from '../../src/definition/model.ts'
import { ReleaseError } from '../../src/errors.ts'
import { ALL_STABLE, type Plan, type PlanNode, type Revision, type Traffic } from '../../src/plan/plan.ts'
import type { Desired, Platform, Promotion } from '../../src/run/ports.ts'
import type { Clock } from '../engine/clock.ts'
import type { World } from '../engine/world.ts'
import type { Fault, FaultKind } from './faults.ts'
import { ModelFleet, type ModelPlace, type Slots } from './model-fleet.ts'
import { modelMetrics } from './model-metrics.ts'

export type StepState = 'not-begun' | 'half' | 'done' | 'undone'

export interface ModelWorldOptions {
  readonly plan: Plan
  readonly fault: readonly Fault[]
  /** How long a node takes, in milliseconds of virtual time. */
  readonly duration: (node: PlanNode) => number
}

export class ModelWorld {
  readonly #options: ModelWorldOptions
  readonly #fleet = new ModelFleet()
  readonly #steps = new Map<string, StepState>()
  /** By place, how many instances ran before the release. */
  readonly #before = new Map<string, number>()

  constructor(options: ModelWorldOptions) {
    this.#options = options
    for (const { operation, environment, component } of options.plan.nodes) {
      if (operation.kind === 'step') this.#steps.set(operation.name, 'not-begun')
      if (operation.kind !== 'verify' || this.#before.has(`${environment}/${component}`)) continue
      this.#startOld(environment!, component!, operation.instances)
    }
  }

  /** What the facts say runs now, on as many instances as are asked for. */
  #startOld(environment: string, component: string, instances: number): void {
    const live = this.#options.plan.facts.live[environment]?.[component] ?? null
    this.#before.set(`${environment}/${component}`, live === null ? 0 : instances)
    if (live === null) return
    const health = { path: '/', timeout: 0, interval: 0 }
    const revision: Revision = { component, ...live, start: [], health, env: { OLD: { value: 'yes' } } }
    this.#fleet.converge({
      ...{ environment, component, revision },
      ...{ side: 'stable', from: 0, to: instances, maxUnavailable: 0 },
    })
  }

  slotsOf(environment: string, component: string): Slots {
    return this.#fleet.place(environment, component).stable
  }

  placeOf(environment: string, component: string): ModelPlace {
    return this.#fleet.place(environment, component)
  }

  /** How many instances ran before the release. */
  ranBefore(environment: string, component: string): number {
    return this.#before.get(`${environment}/${component}`) ?? 0
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
      ...this.onlooker(place.clock),
      platform: () => this.#platform(node, fault, pass),
      metrics: modelMetrics({ node, fault: fault?.kind ?? null, now: () => place.clock.now() }),
      steps: new Map(node.operation.kind === 'step' ? [[node.operation.name, step]] : []),
      gate: async ({ signal }) => {
        if (fault?.kind === 'hangs') await untilStopped(signal)
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

  /** The world as somebody sees it who only looks what runs, and mends what differs: at once. */
  onlooker(clock: Clock): World {
    const nothing = (): Promise<never> => Promise.reject(new Error('whoever looks does nothing'))
    return {
      now: () => clock.now(),
      after: (delay, callback) => clock.after(delay, callback),
      run: 'simulation',
      root: '',
      platform: () => this.#onlookersPlatform(),
      metrics: { open: nothing },
      fence: () => 1,
      secrets: NO_SECRETS,
      log: () => ({ line: () => {}, chunk: () => {} }),
      steps: new Map(),
      checks: new Map(),
      shell: async () => () => Promise.resolve(),
      gate: nothing,
      notify: nothing,
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
      run: async ({ signal }) => {
        if (fault?.kind === 'fails') await pass().finally(() => failIf(fault, node))
        set('half')
        if (fault?.kind === 'hangs') await untilStopped(signal)
        await pass()
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

  #platform(node: PlanNode, fault: Fault | undefined, pass: () => Promise<void>): Platform {
    const fleet = this.#fleet
    const looksWrong = node.operation.kind === 'verify' && fault?.kind === 'not-as-asked'
    return {
      ...this.#onlookersPlatform(),
      keep: async () => {
        await pass()
        if (fault !== undefined) throw failure('source-changed', 'its files could not be kept')
      },
      observe: async (environment, component) => {
        if (!looksWrong) return fleet.observe(environment, component)
        await pass()
        return { instances: [], traffic: ALL_STABLE }
      },
      converge: async desired => {
        await pass()
        this.#converge(desired, fault)
        return fleet.observe(desired.environment, desired.component)
      },
      shift: async (environment, component, traffic) => {
        await pass()
        this.#shift({ environment, component, traffic }, fault)
        return traffic
      },
      promote: async promotion => {
        await pass()
        this.#promote(promotion, fault)
        return fleet.observe(promotion.environment, promotion.component)
      },
    }
  }

  #onlookersPlatform(): Platform {
    const nothing = (): Promise<never> => Promise.reject(new Error('whoever looks changes nothing'))
    return {
      kind: 'model',
      digest: () => Promise.resolve(''),
      keep: nothing,
      kept: () => Promise.resolve(true),
      observe: async (environment, component) => this.#fleet.observe(environment, component),
      live: () => Promise.resolve(null),
      converge: nothing,
      lock: () => Promise.resolve({ type: 'acquired', fence: 1, release: () => Promise.resolve() }),
      gateway: () => Promise.resolve('http://127.0.0.1'),
      shift: nothing,
      promote: nothing,
      counters: () => Promise.resolve([]),
      usage: () => Promise.resolve([]),
      recoveries: [
        {
          name: 'state',
          isApplicable: problem => problem.kind !== 'not-observed',
          apply: async (_, { expected }) => {
            this.#fleet.mend(expected)
            return 'all runs as it should'
          },
        },
      ],
    }
  }

  #converge(desired: Desired, fault: Fault | undefined): void {
    const kind = fault !== undefined && HINDERS_INSTANCES.has(fault.kind) ? fault.kind : null
    const { from, to, maxUnavailable } = desired
    const reached = kind === null ? to : kind === 'half-replaced' ? from + 1 : from
    this.#fleet.converge({ ...desired, to: reached })
    const takenOut = { from: reached, to: Math.min(to, reached + maxUnavailable), revision: null }
    this.#fleet.converge({ ...desired, ...takenOut })
    if (kind !== null) throw failure('health-timeout', `${desired.component} did not get healthy`)
  }

  #shift({ environment, component, traffic }: Division, fault: Fault | undefined): void {
    switch (fault?.kind) {
      case 'fails':
        throw failure('router-silent', 'the router did not answer')
      case 'not-as-asked':
        this.#fleet.divide(environment, component, { ...traffic, canary: Math.abs(traffic.canary - 1) })
        throw failure('traffic-not-as-asked', `the router divides the requests of ${component} otherwise`)
      default:
        this.#fleet.divide(environment, component, traffic)
    }
  }

  #promote(promotion: Promotion, fault: Fault | undefined): void {
    switch (fault?.kind) {
      case 'fails':
        throw failure('router-silent', 'the router did not answer')
      case 'half-promoted':
        this.#fleet.takeOver(promotion)
        throw failure('drain-timeout', `what ${promotion.component} ran before did not end`)
      default:
        this.#fleet.promote(promotion)
    }
  }
}

/** Faults that keep instances from being brought up, or ended. */
const HINDERS_INSTANCES: ReadonlySet<FaultKind> = new Set(['fails', 'never-healthy', 'half-replaced'])

interface Division {
  readonly environment: string
  readonly component: string
  readonly traffic: Traffic
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

/** Comes to no end of its own: only its time limit, or who cancels it, ends it. */
const untilStopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const stop = (): void => reject(failure('cancelled', 'it was stopped'))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })

const failure = (code: string, message: string): ReleaseError => new ReleaseError(code, message)

function failIf(fault: Fault | undefined, node: PlanNode): void {
  if (fault !== undefined) throw failure('simulated', `${node.title} was made to fail`)
}
