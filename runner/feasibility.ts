/**
 * Whether a rollback can be done as the world is, found out before anything happens.
 *
 * Boundary: reads only. What cannot be undone at all (irreversible, frozen) is in the plan of the rollback itself.
 *
 *  FE1. An old version whose files are no longer kept cannot come back: its node stays, and the rest goes on.
 *  FE2. A component that another run holds is said; the rollback would be refused as a whole.
 */
import type { Plan, Revision } from '../src/plan/plan.ts'
import type { Platform } from '../src/run/ports.ts'
import { computeRollback, type RollbackRequest } from '../src/run/rollback.ts'
import type { RunState } from '../src/run/state.ts'
import { rangesOf } from './engine/undo.ts'
import { describeHolder } from './journal/run-lock.ts'
import { openPlatform } from './wire.ts'

export interface Feasibility {
  /** By the key of the node whose effect would be taken back: why it cannot be. */
  readonly infeasible: ReadonlyMap<string, string>
  /** Why the rollback would be refused: a sentence each. */
  readonly held: readonly string[]
}

/** Looks at every node that the request would take back. */
export async function feasibilityOf(
  plan: Plan,
  state: RunState,
  request: RollbackRequest,
): Promise<Feasibility> {
  const { strategy: _all, ...whole } = request
  const keys = computeRollback(state, whole).nodes.map(({ undoes }) => undoes)
  const infeasible = new Map<string, string>()
  const places = new Map<string, { environment: string; component: string }>()
  const kept = keptOnce()
  for (const key of keys) {
    const { node } = state.works.get(key)!
    const { environment, component } = node
    if (environment === undefined || component === undefined) continue
    places.set(`${environment}/${component}`, { environment, component })
    if (node.undo.kind !== 'restore') continue
    const platform = await platformOf(plan, environment)
    for (const { revision } of rangesOf(state, node)) {
      if (revision !== null && !(await kept(platform, revision)))
        infeasible.set(
          key,
          `the files of ${component} ${revision.version} (${revision.digest.slice(0, 12)}) are no longer kept`,
        )
    }
  }
  const held = await Promise.all([...places.values()].map(place => heldText(plan, state, place)))
  return { infeasible, held: held.filter(text => text !== null) }
}

const platformOf = (plan: Plan, environment: string): Promise<Platform> =>
  openPlatform(plan.environments.find(({ name }) => name === environment)!.platform)

function keptOnce(): (platform: Platform, revision: Revision) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>()
  return (platform, { digest }) => {
    const found = known.get(digest) ?? platform.kept(digest)
    known.set(digest, found)
    return found
  }
}

async function heldText(
  plan: Plan,
  state: RunState,
  { environment, component }: { readonly environment: string; readonly component: string },
): Promise<string | null> {
  const platform = await platformOf(plan, environment)
  const holder = (await platform.owner?.(environment, component)) ?? null
  if (holder === null || holder.run === state.run) return null
  return `${component} in ${environment} belongs to the run ${holder.run}, of ${describeHolder(holder)}`
}
