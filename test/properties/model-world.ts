/**
 * The world that a simulated release changes: steps that are done or undone, and slots that run a revision.
 *
 * It outlives runners. Each runner gets a `World` onto it whose effects take the runner's virtual time.
 */
import { seeded } from '../../runner/engine/seeded.ts'
import type { SimulatedGround } from '../../runner/engine/simulated-ground.ts'
import type { World } from '../../runner/engine/world.ts'
import { ModelFleet } from '../../runner/simulate/model-fleet.ts'
import { brand, type StepModel } from '../../src/definition/model.ts'
import { ReleaseError } from '../../src/errors.ts'
import type { Measurement } from '../../src/judge/measurement.ts'
import type { Metrics, Platform } from '../../src/run/ports.ts'
import type { Case, Fault } from './case.ts'
import { NEW_EVERYWHERE } from './deployments.ts'
import { revisionOf, type Sketch } from './sketch.ts'

/** `undo KEY` for a rollback's key, whatever its number. */
export const faultKeyOf = (key: string): string => key.replace(/^rollback\/\d+\//, 'undo ')

export class ModelWorld {
  /** Steps whose effect is in force. */
  readonly applied = new Set<string>()
  readonly fleet = new ModelFleet()
  readonly #kase: Case
  readonly #attempts = new Map<string, number>()

  constructor(kase: Case) {
    this.#kase = kase
    for (const { name } of kase.sketch.stages) {
      for (const component of kase.sketch.components) {
        const { stable } = this.fleet.place(name, component.name)
        if (component.name === NEW_EVERYWHERE) continue
        for (const slot of [0, 1]) stable.set(slot, revisionOf(component.name, '1.0.0'))
      }
    }
  }

  /** An attempt begins; its fault is the next of its node's. */
  begin(key: string): void {
    const name = faultKeyOf(key)
    this.#attempts.set(name, (this.#attempts.get(name) ?? 0) + 1)
  }

  faultOf(key: string): Fault | 'ok' {
    const name = faultKeyOf(key)
    return this.#kase.faults[name]?.[(this.#attempts.get(name) ?? 1) - 1] ?? 'ok'
  }

  world(ground: SimulatedGround, runner: number): World {
    return worldOf(this, this.#kase.sketch, ground, this.#kase.seed * 31 + runner)
  }
}

const UNSTOPPABLE = new AbortController().signal

type Act = (key: string, signal: AbortSignal, change: () => void) => Promise<void>

function worldOf(model: ModelWorld, sketch: Sketch, { clock }: SimulatedGround, seed: number): World {
  const random = seeded(seed)
  const wait = (time: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const stop = (): void => reject(new Error('stopped'))
      if (signal.aborted) return stop()
      clock.after(time, () => {
        signal.removeEventListener('abort', stop)
        resolve()
      })
      signal.addEventListener('abort', stop)
    })
  const act: Act = async (key, signal, change) => {
    const fault = model.faultOf(key)
    await wait(random.below(3_000), signal)
    // What cannot be stopped would hang for ever.
    if (fault === 'fail' || (fault === 'hang' && signal === UNSTOPPABLE)) {
      throw new ReleaseError('injected', `${key} was made to fail`)
    }
    if (fault === 'hang') await wait(1e9, signal)
    change()
    await wait(random.below(500), signal)
    if (fault === 'half') throw new ReleaseError('injected', `${key} was made to fail when it was done`)
  }
  let current = ''
  return {
    now: () => clock.now(),
    after: (delay, callback) => clock.after(delay, callback),
    run: 'run',
    root: '/srv',
    platform: environment => platformOf(model, environment, act, current),
    fence: () => 1,
    secrets: { read: async () => '', resolve: async () => '', scrub: text => text },
    log: key => {
      current = key
      return { line: () => {}, chunk: () => {} }
    },
    metrics: metricsOf(model, { now: () => clock.now(), wait: signal => wait(random.below(200), signal) }),
    steps: stepsOf(model, sketch, act),
    checks: new Map(),
    shell: async () => null,
    gate: async ({ key, signal }) => {
      await act(key, signal, () => {})
      return { passed: true, summary: 'passed' }
    },
    notify: async ({ idempotencyKey, signal }) => {
      await act(idempotencyKey.slice('run/'.length), signal, () => {})
      return 'sent'
    },
  }
}

function stepsOf(model: ModelWorld, sketch: Sketch, act: Act): ReadonlyMap<string, StepModel> {
  const steps = sketch.nodes
    .filter(node => node.kind === 'step')
    .map((node): [string, StepModel] => [
      node.key,
      {
        [brand]: 'step',
        kind: 'step',
        name: node.key,
        run: async ({ signal }) => {
          await act(node.key, signal, () => model.applied.add(node.key))
          return node.key
        },
        timeout: null,
        retry: null,
        undo:
          node.undo === 'step'
            ? async ({ signal }) => {
                await act(`undo ${node.key}`, signal, () => model.applied.delete(node.key))
              }
            : null,
        observe:
          node.redo === 'observable'
            ? async () => (model.applied.has(node.key) ? node.key : undefined)
            : null,
        idempotent: node.redo === 'idempotent',
        at: { stack: '' },
      } as StepModel,
    ])
  return new Map(steps)
}

/** The part of a platform that a node works with; `key` is that node's. */
function platformOf(model: ModelWorld, environment: string, act: Act, key: string): Platform {
  const { fleet } = model
  const unused = (): never => {
    throw new Error('an operation asked the platform for what no operation needs')
  }
  return {
    kind: 'model',
    digest: unused,
    kept: unused,
    live: unused,
    lock: unused,
    gateway: unused,
    keep: () => act(key, UNSTOPPABLE, () => {}),
    observe: async (_, component) => {
      if (key.endsWith('/verify') && !key.startsWith('rollback/')) await act(key, UNSTOPPABLE, () => {})
      return fleet.observe(environment, component)
    },
    converge: async (desired, { signal }) => {
      await act(key, signal, () => fleet.converge(desired))
      return fleet.observe(environment, desired.component)
    },
    shift: async (_, component, traffic, { signal }) => {
      await act(key, signal, () => fleet.divide(environment, component, traffic))
      return traffic
    },
    promote: async (promotion, { signal }) => {
      await act(key, signal, () => fleet.promote(promotion))
      return fleet.observe(environment, promotion.component)
    },
    counters: unused,
    usage: unused,
  }
}

interface Meters {
  readonly now: () => number
  readonly wait: (signal: AbortSignal) => Promise<void>
}

/** Good measurements before a breach that comes late. */
const GOOD_FIRST = 2

function metricsOf(model: ModelWorld, { now, wait }: Meters): Metrics {
  return {
    open: async ({ measure, target }) => {
      if (measure.kind !== 'promql') throw new Error('a sketch measures by its node alone')
      const fault = target.side === 'canary' ? model.faultOf(measure.query) : 'ok'
      let count = 0
      return {
        read: async signal => {
          await wait(signal)
          count += 1
          return { at: now(), requests: 50, ...readingOf(fault, count) }
        },
      }
    },
  }
}

function readingOf(fault: Fault | 'ok', count: number): Partial<Measurement> & Pick<Measurement, 'value'> {
  switch (fault) {
    case 'ok':
      return { value: 0 }
    case 'fail':
      return { value: 1 }
    case 'half':
      return { value: count > GOOD_FIRST ? 1 : 0 }
    case 'hang':
      return { value: null, requests: 0 }
    case 'mute':
      return { value: null, error: 'it did not answer' }
  }
}
