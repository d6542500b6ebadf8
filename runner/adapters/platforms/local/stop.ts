/**
 * Ends what the local platform runs: `release local stop`.
 *
 * Invariants:
 *  E1. Instances are drained and ended before their gateway is.
 *  E2. A component that a living run owns is not taken from under it, unless that is asked for.
 *  E3. Kept files, logs and locks stay: a later deployment goes on from them, and fences go on growing.
 */
import { StateError } from '../../../../src/errors.ts'
import { endProcess } from '../../loopback/process-table.ts'
import { highestFence, holderOf } from './component-lock.ts'
import { convergeSlots } from './converge.ts'
import { recordedGateway, routedFence } from './gateway-client.ts'
import { environmentsOf, readRecords, recordedComponents } from './instance-records.ts'
import { openStore } from './store.ts'
import { type Settings, settingsFrom, siteOf, type World } from './world.ts'

export interface StopOptions {
  /** Left out: all. */
  readonly cluster?: string
  readonly environment?: string
  /** What to do with components that a living run owns. Left out: refuse, and stop nothing. */
  readonly owned?: 'refuse' | 'stop'
  readonly settings?: Partial<Settings>
  readonly log?: (line: string) => void
}

export interface Stopped {
  readonly environments: readonly {
    readonly cluster: string
    readonly environment: string
    /** How many instances were ended, by component. */
    readonly instances: Readonly<Record<string, number>>
    readonly gateway: boolean
  }[]
}

const GATEWAY_GRACE_MS = 6_000

/** Drains and ends the instances and gateways. Fails with code `environment-owned` where a living run owns one. */
export const localStop = async (home: string, options: StopOptions = {}): Promise<Stopped> => {
  const chosen = (await environmentsOf(home)).filter(
    ({ cluster, environment }) =>
      (options.cluster ?? cluster) === cluster && (options.environment ?? environment) === environment,
  )
  if (options.owned !== 'stop') for (const each of chosen) await refuseOwned({ home, ...each })
  const environments = await Promise.all(chosen.map(each => stopEnvironment(home, each, options)))
  return { environments }
}

type Chosen = Awaited<ReturnType<typeof environmentsOf>>[number]

const refuseOwned = async (place: Chosen & { readonly home: string }): Promise<void> => {
  for (const component of await recordedComponents(place.folders.instances)) {
    const owner = await holderOf({ ...place, component })
    if (owner?.state !== 'held') continue
    const { run, who, pid, host } = owner.holder
    throw new StateError(
      'environment-owned',
      `${component} in ${place.cluster} / ${place.environment} is owned by run ${run} of ${who} (process ${pid} on ${host}). Nothing was stopped.`,
      { hint: `Wait for the run to end, or end it first: release cancel ${run}.` },
    )
  }
}

const stopEnvironment = async (
  home: string,
  { cluster, environment, folders }: Chosen,
  options: StopOptions,
): Promise<Stopped['environments'][number]> => {
  const world: World = {
    home,
    cluster,
    store: openStore(home),
    settings: { ...settingsFrom(process.env), ...options.settings },
    reached: () => undefined,
  }
  const names = await recordedComponents(folders.instances)
  const counts = await Promise.all(names.map(name => stopComponent(world, environment, name, options)))
  const gateway = await recordedGateway(folders.gateway)
  if (gateway) await endProcess(gateway.process, GATEWAY_GRACE_MS)
  const instances = Object.fromEntries(names.map((name, index) => [name, counts[index]!]))
  return { cluster, environment, instances, gateway: gateway !== null }
}

const stopComponent = async (
  world: World,
  environment: string,
  component: string,
  { log }: StopOptions,
): Promise<number> => {
  const site = siteOf(world, environment, component)
  const { length } = await readRecords(site.folders.instances, component)
  const { home, cluster } = world
  const given = await highestFence({ home, cluster, environment, component })
  const fence = Math.max(given, await routedFence(site.folders.gateway, component))
  const nothing = {
    environment,
    component,
    from: 0,
    to: Number.MAX_SAFE_INTEGER,
    revision: null,
    maxUnavailable: 0,
  }
  await convergeSlots(site, nothing, {
    fence,
    signal: new AbortController().signal,
    log: line => log?.(`${component} in ${environment}: ${line}`),
    secret: async () => '',
  })
  return length
}

/** What was ended, for people, ending with a line break. */
export const renderStopped = ({ environments }: Stopped): string =>
  environments.length === 0
    ? 'There was nothing to stop.\n'
    : `${environments.map(renderEnvironment).join('\n')}\n`

const renderEnvironment = (stopped: Stopped['environments'][number]): string => {
  const parts = Object.entries(stopped.instances)
    .filter(([, count]) => count > 0)
    .map(([component, count]) => `${component} (${count})`)
  const gateway = stopped.gateway ? ['the gateway'] : []
  const what = [...parts, ...gateway].join(', ') || 'nothing ran'
  return `${stopped.cluster} / ${stopped.environment}: ${what === 'nothing ran' ? what : `stopped ${what}`}`
}
