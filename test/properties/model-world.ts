/**
 * The world that a simulated release changes: steps that are done or undone, and slots that run a revision.
 *
 * It outlives runners. Each runner gets a `World` onto it whose effects take the runner's virtual time.
 */
import { seeded } from '../../runner/engine/seeded.ts'
import type { SimulatedGround } from '../../runner/engine/simulated-ground.ts'
import type { World } from '../../runner/engine/world.ts'
import { brand, type StepModel } from '../../src/definition/model.ts'
import { ReleaseError } from '../../src/errors.ts'
import { canonicalJson } from '../../src/plan/canonical.ts'
import type { Revision } from '../../src/plan/plan.ts'
import type { Instance, Observed, Platform } from '../../src/run/ports.ts'
import type { Case, Fault } from './case.ts'
import { revisionOf, type Sketch } from './sketch.ts'

/** `undo KEY` for a rollback's key, whatever its number. */
export const faultKeyOf = (key: string): string => key.replace(/^rollback\/\d+\//, 'undo ')

export class ModelWorld {
  /** Steps whose effect is in force. */
  readonly applied = new Set<string>()
  /** By environment/component: what each slot runs. */
  readonly slots = new Map<string, Map<number, Revision>>()
  readonly #kase: Case
  readonly #attempts = new Map<string, number>()

  constructor(kase: Case) {
    this.#kase = kase
    for (const { name } of kase.sketch.stages) {
      for (const component of kase.sketch.components) {
        const old = [0, 1].map(slot => [slot, revisionOf(component.name, '1.0.0')] as const)
        // The third component ran nowhere before.
        this.slots.set(`${name}/${component.name}`, new Map(component.name === 'c2' ? [] : old))
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
  const slotsOf = (component: string): Map<number, Revision> =>
    model.slots.get(`${environment}/${component}`)!
  const observed = (component: string): Observed => ({
    instances: [...slotsOf(component)]
      .sort(([a], [b]) => a - b)
      .map(
        ([slot, revision]): Instance => ({
          slot,
          revision,
          running: true,
          healthy: true,
          routed: true,
          pid: 1,
          address: '',
        }),
      ),
  })
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
      return observed(component)
    },
    converge: async ({ component, from, to, revision }, { signal }) => {
      await act(key, signal, () => {
        const slots = slotsOf(component)
        for (let slot = from; slot < to; slot += 1) {
          if (revision === null) slots.delete(slot)
          else if (canonicalJson(slots.get(slot) ?? null) !== canonicalJson(revision))
            slots.set(slot, revision)
        }
      })
      return observed(component)
    },
  }
}
