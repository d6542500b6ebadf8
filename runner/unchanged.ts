/**
 * Whether the world is such that a run may go on from where it stood.
 *
 * Role: looks at what really runs before a runner does anything. Boundary: reads only; every lock is held by then.
 *
 *  U1. What the run has not touched has to be as its plan found it.
 *  U2. Where it has put a version, and where it was still at work, nothing may run that neither it nor the time before
 *      it put there: somebody else has released since, and going on or taking back would undo their work unseen.
 *  U3. What has merely ended (a stopped machine, a crash) is no change: a deployment starts it again.
 */
import { StateError } from '../src/errors.ts'
import type { Revision, Sha256 } from '../src/plan/plan.ts'
import type { Instance, Platform } from '../src/run/ports.ts'
import type { RunState, Work } from '../src/run/state.ts'

export interface Target {
  readonly environment: string
  readonly component: string
}

/** @throws StateError `plan-stale` (U1), `environment-changed` (U2) */
export async function assertUnchanged(
  state: RunState,
  targets: readonly Target[],
  platformOf: (environment: string) => Promise<Platform>,
): Promise<void> {
  for (const target of targets) {
    const works = worksOn(state, target)
    const platform = await platformOf(target.environment)
    if (works.some(work => work.attempts > 0 || work.doneOrder > 0))
      await assertOurs(state, target, works, platform)
    else await assertAsPlanned(state, target, platform)
  }
}

const worksOn = (state: RunState, { environment, component }: Target): readonly Work[] =>
  [...state.works.values()].filter(
    ({ node, rollback }) =>
      rollback === null && node.environment === environment && node.component === component,
  )

async function assertAsPlanned(state: RunState, target: Target, platform: Platform): Promise<void> {
  const { environment, component } = target
  const live = await platform.live(environment, component)
  const planned = state.plan.facts.live[environment]?.[component] ?? null
  if (live?.digest === planned?.digest && live?.version === planned?.version) return
  throw new StateError(
    'plan-stale',
    `${component} in ${environment} has changed since the plan was made: it ran ${planned?.version ?? 'nothing'} then and runs ${live?.version ?? 'nothing'} now`,
    { hint: 'Make a new plan and start a new run; nothing was changed here.' },
  )
}

async function assertOurs(
  state: RunState,
  target: Target,
  works: readonly Work[],
  platform: Platform,
): Promise<void> {
  const { environment, component } = target
  const { instances } = await platform.observe(environment, component)
  const put = whatItPut(works, beingTakenBack(state))
  const known = whatItKnows(state, target, works)
  const foreign = instances.find(({ slot, revision }) =>
    put.has(slot) ? put.get(slot) !== revision.digest : !known.has(revision.digest),
  )
  if (foreign === undefined) return
  throw changed(target, foreign)
}

const changed = ({ environment, component }: Target, { slot, revision }: Instance): StateError =>
  new StateError(
    'environment-changed',
    `${component} in ${environment} is not as this run left it: instance ${slot + 1} runs ${revision.version} (${revision.digest.slice(0, 12)})`,
    {
      hint: 'Another run has released there since. Roll that one back first, or start a new run from what runs now; nothing was changed here.',
    },
  )

/** Nodes whose undoing began and is not known to have come to its end. */
const beingTakenBack = (state: RunState): ReadonlySet<string> =>
  new Set(
    state.rollbacks
      .flatMap(rollback => rollback.works)
      .filter(work => work.attempts > 0 && work.status.type !== 'succeeded')
      .map(work => work.node.key),
  )

/** The digest in each slot that the run is sure to have brought to it, and has not begun to take back. */
function whatItPut(works: readonly Work[], leaving: ReadonlySet<string>): ReadonlyMap<number, Sha256> {
  const put = new Map<number, Sha256>()
  const inOrder = [...works].sort((a, b) => lastTouch(a) - lastTouch(b))
  for (const { key, node, status, owed, undone } of inOrder) {
    const { operation } = node
    if ((operation.kind !== 'replace' && operation.kind !== 'promote') || !(owed || undone)) continue
    const [from, to] =
      operation.kind === 'replace' ? [operation.from, operation.to] : [0, operation.instances]
    for (let slot = from; slot < to; slot += 1) {
      if (status.type === 'succeeded' && !undone && !leaving.has(key))
        put.set(slot, operation.revision.digest)
      else put.delete(slot)
    }
  }
  return put
}

/** What is under way, or was cut off, came last. */
const lastTouch = ({ status, doneOrder }: Work): number =>
  status.type === 'succeeded' ? doneOrder : Number.POSITIVE_INFINITY

/** Every digest that the run deploys, or found there when it came. */
function whatItKnows(state: RunState, target: Target, works: readonly Work[]): ReadonlySet<Sha256> {
  const known = new Set<Sha256>()
  const planned = state.plan.facts.live[target.environment]?.[target.component]
  if (planned) known.add(planned.digest)
  for (const { node, value } of works) {
    if ('revision' in node.operation && node.operation.revision !== null)
      known.add(node.operation.revision.digest)
    if (node.operation.kind !== 'prepare') continue
    const found = value as unknown as { before: readonly { revision: Revision }[] } | null
    for (const { revision } of found?.before ?? []) known.add(revision.digest)
  }
  return known
}
