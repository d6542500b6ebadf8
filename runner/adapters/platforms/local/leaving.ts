/** How instances leave: they finish what they answer, and only then are they ended. */
import type { PlatformContext } from '../../../../src/run/ports.ts'
import { endAndForget, isRunning, placeName } from './instance.ts'
import type { InstanceRecord } from './instance-records.ts'
import type { Site } from './world.ts'

/** Ends an instance that the router has been told to send nothing to any more. */
export const drainAndEnd = async (
  site: Site,
  record: InstanceRecord,
  context: PlatformContext,
): Promise<void> => {
  const { drainTimeout, stopGrace } = site.world.settings
  const name = `${placeName(record)}: ${record.revision.version}`
  if (isRunning(record)) {
    const left = await site.router.drain(record.token, drainTimeout)
    if (left > 0) context.log(`${name} still answers ${left} requests after ${drainTimeout} ms`)
    site.world.reached('drained')
  }
  await endAndForget(site, record, stopGrace)
  context.log(`${name} is stopped`)
}
