/**
 * A component's instances, with the places that the router gives them.
 *
 * A promotion gives the canary's instances other places at the router first, in one step, and in their records after
 * that, one by one. Where a crash lies between, the router is right.
 */
import type { Routing } from '../../../../src/run/ports.ts'
import { type InstanceRecord, readRecords, writeRecord } from './instance-records.ts'
import type { Site } from './world.ts'

/** The record with the place that its instance has at the router, if it has one there. */
export const placed = (record: InstanceRecord, { routes }: Routing): InstanceRecord => {
  const route = routes.find(known => known.instance === record.token)
  if (route === undefined || (route.side === record.side && route.slot === record.slot)) return record
  return { ...record, side: route.side, slot: route.slot }
}

/** The records, mended where they say another place than the router does. For an owner only. */
export const settledRecords = async (site: Site, routing: Routing): Promise<readonly InstanceRecord[]> => {
  const records = await readRecords(site.folders.instances, site.component)
  const settled = records.map(record => placed(record, routing))
  for (const [index, record] of settled.entries()) {
    if (record === records[index]) continue
    await writeRecord(site.folders.instances, record)
    site.world.reached('relabelled')
  }
  return settled
}
