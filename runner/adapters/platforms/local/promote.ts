/**
 * Gives the stable slots to the canary's instances, without a restart.
 *
 *     canary + old ──one step at the router──▶ promoted, old unrouted ──records──▶ relabelled ──drained──▶ old ended
 *
 * Invariants:
 *  V1. A stable slot that runs the revision already and is healthy is not touched.
 *  V2. Up to the step at the router a failure or an abort changes nothing; from it on the change is brought to its end.
 *  V3. Every state that a crash can leave is one that this begins from: the router says who has been promoted.
 *  V4. The fence is checked before the step, and there by the router again.
 */
import { ReleaseError } from '../../../../src/errors.ts'
import { canonicalJson } from '../../../../src/plan/canonical.ts'
import { ALL_STABLE } from '../../../../src/plan/plan.ts'
import type { PlatformContext, Promotion, Routing } from '../../../../src/run/ports.ts'
import { assertFence } from './component-lock.ts'
import { routeOf } from './converge.ts'
import { cancelled, isHealthy, placeName } from './instance.ts'
import { type InstanceRecord, writeRecord } from './instance-records.ts'
import { drainAndEnd } from './leaving.ts'
import { settledRecords } from './settled-records.ts'
import { placeOf, type Site } from './world.ts'

interface Choice {
  /** By slot: what is to stand there. */
  readonly chosen: readonly InstanceRecord[]
  /** What goes: the rest of the stable side and of the canary's. */
  readonly others: readonly InstanceRecord[]
}

/** See {@link Platform.promote}. */
export const promoteCanary = async (
  site: Site,
  promotion: Promotion,
  context: PlatformContext,
): Promise<void> => {
  await assertFence(placeOf(site), context.fence)
  const routing = await site.router.routing(site.component)
  const { chosen, others } = await choose(site, promotion, routing)
  if (context.signal.aborted) throw cancelled(promotion)
  await giveSlots(site, { chosen, routing, context })
  for (const [slot, record] of chosen.entries()) {
    if (isAt(record, slot)) continue
    await writeRecord(site.folders.instances, promoted(record, slot))
    site.world.reached('relabelled')
    context.log(`${placeName(record)}: ${record.revision.version} has become slot ${slot}`)
  }
  await Promise.all(others.map(record => drainAndEnd(site, record, context)))
}

const isAt = (record: InstanceRecord, slot: number): boolean =>
  record.side === 'stable' && record.slot === slot

const promoted = (record: InstanceRecord, slot: number): InstanceRecord => ({
  ...record,
  side: 'stable',
  slot,
})

const choose = async (site: Site, promotion: Promotion, routing: Routing): Promise<Choice> => {
  const records = (await settledRecords(site, routing)).filter(({ side }) => side !== 'baseline')
  const wanted = canonicalJson(promotion.revision)
  const healthy = await Promise.all(records.map(isHealthy))
  const fit = records.filter((record, index) => healthy[index] && canonicalJson(record.revision) === wanted)
  const canaries = fit.filter(({ side }) => side === 'canary')
  const slots = Array.from({ length: promotion.instances }, (_, slot) => slot)
  const kept = slots.map(slot => fit.find(record => isAt(record, slot) && isRouted(record, routing)))
  const chosen = kept.flatMap(record => record ?? canaries.shift() ?? [])
  if (chosen.length < promotion.instances) throw tooFew(promotion, chosen.length)
  return { chosen, others: records.filter(record => !chosen.includes(record)) }
}

const isRouted = (record: InstanceRecord, { routes }: Routing): boolean =>
  routes.some(known => known.instance === record.token)

const tooFew = ({ component, environment, revision, instances }: Promotion, there: number): ReleaseError =>
  new ReleaseError(
    'promote-too-few',
    `${component} ${revision.version} in ${environment} has ${there} healthy instances of the ${instances} that are to take the stable slots. Nothing was promoted.`,
    {
      hint: 'Look at `release local status` for what became of the canary’s instances, and resume when they are well.',
    },
  )

interface Giving {
  readonly chosen: readonly InstanceRecord[]
  readonly routing: Routing
  readonly context: PlatformContext
}

/** The one step: the chosen have the stable slots and all of the traffic, and nobody else of the two sides has any. */
const giveSlots = async (site: Site, { chosen, routing, context }: Giving): Promise<void> => {
  const tokens = new Set(chosen.map(record => record.token))
  const remove = routing.routes.filter(({ side, instance }) => side !== 'baseline' && !tokens.has(instance))
  const add = [...chosen.entries()].filter(([slot, record]) => !isAt(record, slot))
  await assertFence(placeOf(site), context.fence)
  site.world.reached('routing')
  await site.router.change({
    component: site.component,
    fence: context.fence,
    add: add.map(([slot, record]) => routeOf(promoted(record, slot))),
    remove: remove.map(({ instance }) => instance),
    traffic: ALL_STABLE,
  })
  site.world.reached('routed')
}
