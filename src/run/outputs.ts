/**
 * What the steps of a run have returned, as the step that starts now sees it.
 *
 * Invariants:
 *  O1. It shows the steps that had succeeded when it was made, and no others, however long it is kept.
 *  O2. Making one costs nothing, and looking one output up costs the same in a run of ten thousand steps as in one of ten.
 */
import { ReleaseError } from '../errors.ts'
import type { Json } from '../plan/plan.ts'
import type { RunState, Work } from './state.ts'

/** The steps of a run by name. A run's works are made once, with its state. */
const named = new WeakMap<RunState, ReadonlyMap<string, Work>>()

function stepsOf(state: RunState): ReadonlyMap<string, Work> {
  const known = named.get(state)
  if (known !== undefined) return known
  const steps = new Map<string, Work>()
  for (const work of state.works.values()) {
    const { operation } = work.node
    if (work.rollback === null && operation.kind === 'step') steps.set(operation.name, work)
  }
  named.set(state, steps)
  return steps
}

/**
 * Recorded values of the steps that are done, by the step's name.
 *
 * An output that types call certain can still be missing: its step was left out by `--only`. Reading it fails with
 * `output-missing`, rather than giving `undefined`.
 */
export function outputsOf(state: RunState): Readonly<Record<string, Json>> {
  const steps = stepsOf(state)
  const until = state.done
  const has = (name: string | symbol): boolean => {
    const work = typeof name === 'string' ? steps.get(name) : undefined
    return work !== undefined && work.status.type === 'succeeded' && work.doneOrder <= until
  }
  const names = (): string[] => [...steps.keys()].filter(has)
  return new Proxy<Record<string, Json>>(
    {},
    {
      has: (target, name) => has(name) || Reflect.has(target, name),
      get: (target, name) => {
        if (has(name)) return steps.get(name as string)!.value
        if (typeof name === 'string' && steps.has(name)) throw missing(name)
        return Reflect.get(target, name)
      },
      ownKeys: names,
      getOwnPropertyDescriptor: (_, name) =>
        has(name)
          ? { value: steps.get(name as string)!.value, enumerable: true, configurable: true, writable: true }
          : undefined,
    },
  )
}

const missing = (name: string): ReleaseError =>
  new ReleaseError('output-missing', `the step "${name}" has no output in this run: it did not run`, {
    hint: 'Run without --only, or read it only where it is there: `"name" in outputs`.',
  })
