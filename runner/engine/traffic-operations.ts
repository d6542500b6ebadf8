/**
 * What the nodes of a strategy that divides traffic do: start, shift, promote, remove; and how they are taken back.
 *
 * Each is told what should be, and finds out first whether it is so.
 */
import { ReleaseError } from '../../src/errors.ts'
import { canonicalJson } from '../../src/plan/canonical.ts'
import {
  ALL_STABLE,
  type Json,
  type PromoteOperation,
  type RemoveOperation,
  type Revision,
  type ShiftOperation,
  type Side,
  type StartOperation,
  type Traffic,
} from '../../src/plan/plan.ts'
import { isEvidence } from '../../src/run/evidence.ts'
import type { Instance } from '../../src/run/ports.ts'
import type { Attempt, Done } from './operations.ts'
import { placeOf, preparedOf } from './place.ts'

const done = (summary: string, how: Done['how'] = 'performed', value: Json = null): Done => ({
  value,
  summary,
  warning: null,
  how,
})

export async function start(attempt: Attempt, operation: StartOperation): Promise<Done> {
  const { platform, environment, component, context } = placeOf(attempt)
  const { side, from, to } = operation
  const revision = operation.revision ?? stableRevision(attempt, operation)
  const desired = { environment, component, side, from, to, revision, maxUnavailable: 0 } as const
  await platform.converge(desired, context)
  const count = to - from
  return done(
    `${count === 1 ? 'one instance' : `${count} instances`} of ${revision.version} healthy as ${side}`,
  )
}

function stableRevision({ task }: Attempt, { prepared }: StartOperation): Revision {
  const [first] = preparedOf(task, prepared).before
  if (first !== undefined) return first.revision
  throw new ReleaseError('nothing-live', 'there is no old version that a baseline could be started of', {
    hint: 'Deploy the component once before, or leave the baseline out.',
  })
}

export async function shift(attempt: Attempt, { traffic }: ShiftOperation): Promise<Done> {
  const { platform, environment, component, context } = placeOf(attempt)
  const now = await platform.observe(environment, component)
  for (const side of sidesOf(traffic)) assertServed(attempt, side, now.instances)
  if (canonicalJson(now.traffic) === canonicalJson(traffic)) return done(trafficText(traffic), 'observed')
  await platform.shift(environment, component, traffic, context)
  return done(trafficText(traffic))
}

/** The sides beside the stable one that requests are sent to. */
const sidesOf = ({ canary, baseline, match, mirror }: Traffic): readonly Side[] => [
  ...(canary > 0 || mirror > 0 || match.length > 0 ? (['canary'] as const) : []),
  ...(baseline > 0 ? (['baseline'] as const) : []),
]

/**
 * What is sent to a side where nobody is well goes to the stable one unsaid: its analysis would wait for requests that
 * never come, and a step that nobody measured would stand for one that was taken.
 */
function assertServed(attempt: Attempt, side: Side, instances: readonly Instance[]): void {
  if (instances.some(instance => instance.side === side && instance.healthy)) return
  const { environment, component } = placeOf(attempt)
  throw new ReleaseError(
    'side-unserved',
    `${component} in ${environment} has no healthy instance on its ${side} side, which is to get requests`,
    { hint: 'They were well when they were started: see why they ended in `release local status`.' },
  )
}

/** `5 % canary, read back` */
function trafficText({ canary, baseline, match, mirror }: Traffic): string {
  const parts = [
    canary > 0 ? `${canary} % canary` : '',
    baseline > 0 ? `${baseline} % baseline` : '',
    ...match.map(({ name, value }) => `${name}: ${value} to the canary`),
    mirror > 0 ? `${mirror} % mirrored` : '',
  ].filter(part => part !== '')
  return `${parts.length === 0 ? 'all stable' : parts.join(', ')}, read back from the router`
}

export async function promote(attempt: Attempt, operation: PromoteOperation): Promise<Done> {
  const { platform, environment, component, context } = placeOf(attempt)
  const { revision, instances, decidedBy } = operation
  if (decidedBy !== null && winnerOf(attempt, decidedBy) === 'stable') {
    await platform.shift(environment, component, ALL_STABLE, context)
    const observed = await platform.observe(environment, component)
    await endSide(attempt, 'canary', observed.instances)
    return done(`${revision.version} has not won: the old version stays`, 'performed', { kept: 'stable' })
  }
  await bringUp(attempt, operation)
  await platform.promote({ environment, component, revision, instances }, context)
  return done(`${revision.version} has all requests on ${instances}`)
}

/** An experiment may have run on fewer instances than the component has. */
async function bringUp(attempt: Attempt, { revision, instances }: PromoteOperation): Promise<void> {
  const { platform, environment, component, context } = placeOf(attempt)
  const { instances: running } = await platform.observe(environment, component)
  const canaries = running.filter(({ side }) => side === 'canary').length
  const promoted = running.filter(
    i => i.side === 'stable' && canonicalJson(i.revision) === canonicalJson(revision),
  )
  if (canaries >= instances || promoted.length >= instances) return
  const desired = { environment, component, from: 0, to: instances, revision, maxUnavailable: 0 }
  await platform.converge({ ...desired, side: 'canary' }, context)
}

function winnerOf({ task }: Attempt, key: string): 'canary' | 'stable' {
  const value = task.state.works.get(key)?.value
  if (isEvidence(value) && value.winner !== undefined) return value.winner
  throw new ReleaseError('experiment-undecided', `the experiment ${key} has not said who won`)
}

export async function remove(attempt: Attempt, { side }: RemoveOperation): Promise<Done> {
  const { platform, environment, component } = placeOf(attempt)
  const { instances } = await platform.observe(environment, component)
  const count = await endSide(attempt, side, instances)
  return done(
    count === 0 ? `no ${side} was left` : `${count} of the ${side} ended`,
    count === 0 ? 'observed' : 'performed',
  )
}

/** Takes the instances of a side out and ends them; says how many there were. */
export async function endSide(
  attempt: Attempt,
  side: Exclude<Side, 'stable'>,
  instances: readonly Instance[],
): Promise<number> {
  const slots = instances.filter(instance => instance.side === side).map(({ slot }) => slot)
  if (slots.length === 0) return 0
  const { platform, environment, component, context } = placeOf(attempt)
  const range = { from: Math.min(...slots), to: Math.max(...slots) + 1 }
  const desired = { environment, component, side, ...range, revision: null, maxUnavailable: 0 }
  await platform.converge(desired, context)
  return slots.length
}

/**
 * All requests to the stable side again, at once. The side that requests carry is written on until the node that began
 * it is taken back, which is the last of a lockstep: a call from one that is back already still says so.
 */
export async function undoShift(attempt: Attempt, { traffic }: ShiftOperation): Promise<Done> {
  const { platform, environment, component, context } = placeOf(attempt)
  const only = { ...ALL_STABLE, carried: traffic.carried }
  const wanted = canonicalJson(traffic) === canonicalJson(only) ? ALL_STABLE : only
  if (mayBeFurther(attempt)) {
    const now = await platform.observe(environment, component)
    if (isBack(now.traffic, wanted)) return done('all requests go to the stable side', 'observed')
  }
  await platform.shift(environment, component, wanted, context)
  return done('all requests go to the stable side again')
}

/**
 * Whether something may have changed the traffic since the node did: a later node, the undoing of one, or this undoing
 * before it was cut off. What was changed last is as it was left, and is taken back without a look at it first: callers
 * meet the new version for as long as it takes to look.
 */
function mayBeFurther({ task }: Attempt): boolean {
  const { works } = task.state
  const { key, environment, component } = task.work.node
  const own = works.get(key)!
  if (task.recover || task.attempt > 1) return true
  return [...works.values()].some(
    ({ rollback, attempts, order, node }) =>
      rollback === null &&
      attempts > 0 &&
      order > own.order &&
      node.component === component &&
      node.environment === environment &&
      (node.operation.kind === 'shift' || node.operation.kind === 'promote'),
  )
}

/** A promotion, or what an earlier undoing did, may have gone further already. */
const isBack = (traffic: Traffic, wanted: Traffic): boolean =>
  [wanted, ALL_STABLE].some(back => canonicalJson(back) === canonicalJson(traffic))

/** What the node started beside the stable instances is ended; its slots alone. */
export async function undoStart(attempt: Attempt, operation: StartOperation): Promise<Done> {
  const { platform, environment, component } = placeOf(attempt)
  const { instances } = await platform.observe(environment, component)
  const own = instances.filter(({ slot }) => slot >= operation.from && slot < operation.to)
  const count = await endSide(attempt, operation.side, own)
  return done(`${count === 0 ? 'nothing' : `${count} of the ${operation.side}`} had to be ended`)
}
