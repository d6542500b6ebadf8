/**
 * Brings the slots of one side of a component to a revision.
 *
 * A slot goes through:
 *
 *     old ──start new beside it──▶ old + new, unrouted ──healthy──▶ new routed, old taken out (one step)
 *         ──drained──▶ old ended ──▶ new
 *
 * With `maxUnavailable` above 0 so many old ones are taken out, drained and ended first.
 *
 * Invariants:
 *  V1. What runs the revision and is healthy is not touched.
 *  V2. Up to the step in which the new are routed, a failure or an abort ends the new and leaves the old; from
 *      that step on the change is brought to its end.
 *  V3. Every state that a crash can leave is one that this begins from: it reads what is there and finishes it.
 *  V4. The fence is checked before each start and each change of routes.
 *  V5. A side whose last instance is taken out has no weight any more, in the same step: what is started there later
 *      gets nothing before it is said again.
 */
import { canonicalJson } from '../../../../src/plan/canonical.ts'
import { ALL_STABLE, type Revision, type Traffic } from '../../../../src/plan/plan.ts'
import type { Desired, PlatformContext, Route, Routing } from '../../../../src/run/ports.ts'
import { assertFence } from './component-lock.ts'
import {
  awaitHealth,
  cancelled,
  discard,
  found,
  isHealthy,
  isRunning,
  placeName,
  startInstance,
} from './instance.ts'
import type { InstanceRecord } from './instance-records.ts'
import { drainAndEnd } from './leaving.ts'
import { settledRecords } from './settled-records.ts'
import { placeOf, type Site } from './world.ts'

interface Job {
  readonly site: Site
  readonly desired: Desired
  readonly context: PlatformContext
}

/** What a slot has and what is to become of it. */
interface SlotState {
  readonly slot: number
  /** Runs the revision and is healthy: stays. */
  readonly keeper: InstanceRecord | null
  /** Runs the revision and is not healthy, or not yet. */
  readonly candidate: InstanceRecord | null
  /** Everything else that is there. */
  readonly others: readonly InstanceRecord[]
  /** Whether anything healthy is there. */
  readonly serving: boolean
}

/** The instance that a slot is to have, and what goes for it. */
interface Replacement {
  readonly slot: number
  readonly fresh: InstanceRecord
  readonly others: readonly InstanceRecord[]
}

/** See {@link Platform.converge}. */
export const convergeSlots = async (
  site: Site,
  desired: Desired,
  context: PlatformContext,
): Promise<void> => {
  const job: Job = { site, desired, context }
  await assertFence(placeOf(site), context.fence)
  if (context.signal.aborted) throw cancelled(desired)
  const routing = await site.router.routing(site.component)
  const records = (await settledRecords(site, routing)).filter(isMeant(desired))
  if (desired.revision === null) return retire(job, records)
  await bringTo(job, desired.revision, await assessAll(desired, desired.revision, records))
}

/** Whether a place is among those that are to be brought somewhere. */
const isMeant =
  ({ side, from, to }: Desired) =>
  (place: Pick<Route, 'side' | 'slot'>): boolean =>
    place.side === side && place.slot >= from && place.slot < to

const assessAll = (
  { from, to }: Desired,
  revision: Revision,
  records: readonly InstanceRecord[],
): Promise<readonly SlotState[]> =>
  Promise.all(
    Array.from({ length: to - from }, (_, index) => from + index).map(slot =>
      assess(
        slot,
        revision,
        records.filter(record => record.slot === slot),
      ),
    ),
  )

const assess = async (
  slot: number,
  revision: Revision,
  records: readonly InstanceRecord[],
): Promise<SlotState> => {
  const wanted = canonicalJson(revision)
  const healthy = await Promise.all(records.map(isHealthy))
  const isWanted = (record: InstanceRecord) => canonicalJson(record.revision) === wanted
  const keeper = records.find((record, index) => healthy[index] && isWanted(record)) ?? null
  const candidate = keeper ?? records.find(record => isRunning(record) && isWanted(record)) ?? null
  return {
    slot,
    keeper,
    candidate: keeper ? null : candidate,
    others: records.filter(record => record !== candidate),
    serving: healthy.includes(true),
  }
}

const bringTo = async (job: Job, revision: Revision, slots: readonly SlotState[]): Promise<void> => {
  await takeOver(
    job,
    slots.flatMap(({ slot, keeper, others }) => (keeper ? [{ slot, fresh: keeper, others }] : [])),
  )
  const lacking = slots.filter(state => !state.keeper)
  const { maxUnavailable } = job.desired
  if (maxUnavailable === 0) return replace(job, revision, lacking)
  // Slots without anything healthy are unavailable as it is: they come first and take nothing away.
  await replace(
    job,
    revision,
    lacking.filter(state => !state.serving),
  )
  const serving = lacking.filter(state => state.serving)
  for (let from = 0; from < serving.length; from += maxUnavailable) {
    const window = serving.slice(from, from + maxUnavailable)
    if (job.context.signal.aborted) throw cancelled(job.desired)
    await retire(
      job,
      window.flatMap(state => state.others),
    )
    await replace(
      job,
      revision,
      window.map(state => ({ ...state, others: [] })),
    )
  }
}

/** Starts all, and only when all are healthy lets them take over. */
const replace = async (job: Job, revision: Revision, slots: readonly SlotState[]): Promise<void> => {
  if (slots.length === 0) return
  const replacements = await startAll(job, revision, slots)
  try {
    if (job.context.signal.aborted) throw cancelled(job.desired)
    await route(job, replacements)
  } catch (error) {
    await Promise.all(replacements.map(({ fresh }) => discard(job.site, fresh)))
    throw error
  }
  await endOthers(job, replacements)
}

const startAll = async (
  job: Job,
  revision: Revision,
  slots: readonly SlotState[],
): Promise<readonly Replacement[]> => {
  const gateway = await job.site.router.address()
  const stop = new AbortController()
  // One that fails stops the others: the call has failed, and they would only be ended again.
  const context = { ...job.context, signal: AbortSignal.any([job.context.signal, stop.signal]) }
  let cause: unknown
  const started = await Promise.allSettled(
    slots.map(state =>
      startOne({ ...job, context }, { revision, gateway }, state).catch(error => {
        cause ??= error
        stop.abort()
        throw error
      }),
    ),
  )
  const whole = started.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  if (cause === undefined) return whole
  await Promise.all(whole.map(({ fresh }) => discard(job.site, fresh)))
  throw cause
}

const startOne = async (job: Job, start: StartShared, state: SlotState): Promise<Replacement> => {
  const { site, context } = job
  const { slot, candidate, others } = state
  if (candidate && (await comesUp(job, candidate))) return { slot, fresh: candidate, others }
  try {
    await assertFence(placeOf(site), context.fence)
    if (context.signal.aborted) throw cancelled(job.desired)
    const { record } = await startInstance({ site, side: job.desired.side, slot, ...start, context })
    return { slot, fresh: record, others: candidate ? [...others, candidate] : others }
  } catch (error) {
    if (candidate && !(await isRouted(site, candidate))) await discard(site, candidate)
    throw error
  }
}

interface StartShared {
  readonly revision: Revision
  readonly gateway: string
}

const isRouted = async (site: Site, record: InstanceRecord): Promise<boolean> =>
  (await site.router.routing(site.component)).routes.some(known => known.instance === record.token)

/** One failed check is no proof on a busy machine: an instance that is there is not replaced before this. */
const RECOVERY_MS = 5_000

/** Gives an instance of the revision that a crashed runner left the time that it had been given. */
const comesUp = async ({ site, context }: Job, record: InstanceRecord): Promise<boolean> => {
  const { timeout, interval } = record.revision.health
  const within = Math.max(record.since + timeout - Date.now(), 2 * interval, RECOVERY_MS)
  return awaitHealth(site, found(record), { within, context }).then(
    () => true,
    () => false,
  )
}

/** How a router is told of an instance. */
export const routeOf = (record: InstanceRecord): Route => ({
  instance: record.token,
  side: record.side,
  slot: record.slot,
  version: record.revision.version,
  port: record.port,
  health: record.revision.health.path,
})

/** Lets the new ones have the traffic and the others none any more, in one step. */
const route = async (job: Job, replacements: readonly Replacement[]): Promise<void> => {
  const { site, context, desired } = job
  const { routes } = await site.router.routing(site.component)
  const slots = new Set(replacements.map(({ slot }) => slot))
  const fresh = new Map(replacements.map(({ fresh: record }) => [record.token, record]))
  const add = [...fresh.values()].filter(record => !routes.some(known => known.instance === record.token))
  const remove = routes.filter(
    known => known.side === desired.side && slots.has(known.slot) && !fresh.has(known.instance),
  )
  await assertFence(placeOf(site), context.fence)
  site.world.reached('routing')
  if (add.length > 0 || remove.length > 0)
    await site.router.change({
      component: site.component,
      fence: context.fence,
      add: add.map(routeOf),
      remove: remove.map(known => known.instance),
    })
  site.world.reached('routed')
  for (const record of add)
    context.log(`${placeName(record)}: ${record.revision.version} ${gets(record.side)}`)
}

const gets = (side: Desired['side']): string =>
  side === 'stable' ? 'gets traffic' : 'gets what the traffic gives its side'

const endOthers = async (job: Job, replacements: readonly Replacement[]): Promise<void> => {
  await Promise.all(
    replacements.flatMap(({ others }) => others).map(record => drainAndEnd(job.site, record, job.context)),
  )
}

const takeOver = async (job: Job, replacements: readonly Replacement[]): Promise<void> => {
  if (replacements.length === 0) return
  await route(job, replacements)
  await endOthers(job, replacements)
}

/** Takes instances out of the traffic and ends them; also what the router still knows of slots that are empty. */
const retire = async (job: Job, records: readonly InstanceRecord[]): Promise<void> => {
  const { site, desired, context } = job
  const tokens = new Set(records.map(record => record.token))
  const isLeftOver = (known: Route) => desired.revision === null && isMeant(desired)(known)
  const routing = await site.router.routing(site.component)
  const remove = routing.routes.filter(known => tokens.has(known.instance) || isLeftOver(known))
  await assertFence(placeOf(site), context.fence)
  if (remove.length > 0)
    await site.router.change({
      component: site.component,
      fence: context.fence,
      add: [],
      remove: remove.map(known => known.instance),
      ...(desired.revision === null && { traffic: withoutEmptySides(routing, remove) }),
    })
  await Promise.all(records.map(record => drainAndEnd(site, record, context)))
}

/** What is left of the traffic when these have gone. */
const withoutEmptySides = ({ routes, traffic }: Routing, gone: readonly Route[]): Traffic => {
  const left = new Set(routes.filter(route => !gone.includes(route)).map(({ side }) => side))
  if (!left.has('canary') && !left.has('baseline')) return ALL_STABLE
  if (!left.has('canary')) return { ...traffic, canary: 0, match: [], mirror: 0 }
  return left.has('baseline') ? traffic : { ...traffic, baseline: 0 }
}
