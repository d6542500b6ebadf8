/**
 * Ends what the local platform runs: `release local stop`.
 *
 * Invariants:
 *  E1. Instances are drained and ended before their router is.
 *  E2. A component that a living run owns is not taken from under it, unless that is asked for.
 *  E3. Kept files, logs and locks stay: a later deployment goes on from them, and fences go on growing.
 */
import path from 'node:path'
import { StateError } from '../../../../src/errors.ts'
import type { Side } from '../../../../src/plan/plan.ts'
import { type RouterKind, readRouting, recordedRouter } from '../../loopback/kept-routing.ts'
import { highestFence, holderOf } from './component-lock.ts'
import { convergeSlots } from './converge.ts'
import { gatewayKind } from './gateway-router.ts'
import { nameOf, routerFolder } from './home.ts'
import { environmentsOf, readRecords, recordedComponents, routerFoldersOf } from './instance-records.ts'
import { openStore } from './store.ts'
import { type Settings, settingsFrom, siteOf, type World } from './world.ts'

export interface StopOptions {
  /** Left out: all. */
  readonly cluster?: string
  readonly environment?: string
  /** What to do with components that a living run owns. Left out: refuse, and stop nothing. */
  readonly owned?: 'refuse' | 'stop'
  /** Every kind of router that may stand before an environment; left out: the gateway. */
  readonly routers?: readonly RouterKind[]
  readonly settings?: Partial<Settings>
  readonly log?: (line: string) => void
}

export interface Stopped {
  readonly environments: readonly {
    readonly cluster: string
    readonly environment: string
    /** How many instances were ended, by component. */
    readonly instances: Readonly<Record<string, number>>
    /** Whether a router ran. */
    readonly gateway: boolean
  }[]
}

/**
 * Drains and ends the instances and routers. Fails with code `environment-owned` where a living run owns one, and with
 * `router-unknown` where a router of another kind runs; nothing is stopped then.
 */
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

interface StoppedRouter {
  readonly kind: RouterKind
  readonly folder: string
  readonly runs: boolean
}

/** The routers that the environment has, or has had; those that run first. */
const routersOf = async (
  { cluster, environment, folders }: Chosen,
  kinds: readonly RouterKind[],
): Promise<readonly StoppedRouter[]> => {
  const routers: StoppedRouter[] = []
  for (const folder of await routerFoldersOf(folders)) {
    const name = nameOf(path.basename(folder))
    const kind = kinds.find(each => each.kind === name)
    const runs = (await recordedRouter(folder)) !== null
    if (kind !== undefined) routers.push({ kind, folder, runs })
    else if (runs)
      throw new StateError(
        'router-unknown',
        `A router of the kind ${name} runs for ${cluster} / ${environment}, which this version does not know. Nothing was stopped there.`,
        { hint: 'Stop it with the version of release-as-code that started it.' },
      )
  }
  return routers.sort((a, b) => Number(b.runs) - Number(a.runs))
}

const stopEnvironment = async (
  home: string,
  chosen: Chosen,
  options: StopOptions,
): Promise<Stopped['environments'][number]> => {
  const { cluster, environment, folders } = chosen
  const routers = await routersOf(chosen, options.routers ?? [gatewayKind])
  const world: World = {
    home,
    cluster,
    store: openStore(home),
    router: routers[0]?.kind ?? gatewayKind,
    settings: { ...settingsFrom(process.env), ...options.settings },
    reached: () => undefined,
  }
  const names = await recordedComponents(folders.instances)
  const counts = await Promise.all(names.map(name => stopComponent(world, environment, name, options)))
  let gateway = false
  for (const { kind, folder } of routers) {
    gateway ||= (await recordedRouter(folder)) !== null
    await kind.open({ environment, folder }).stop()
  }
  const instances = Object.fromEntries(names.map((name, index) => [name, counts[index]!]))
  return { cluster, environment, instances, gateway }
}

/** What is tried goes before what it would fall back to. */
const LEAVING: readonly Side[] = ['canary', 'baseline', 'stable']

const stopComponent = async (
  world: World,
  environment: string,
  component: string,
  { log }: StopOptions,
): Promise<number> => {
  const site = siteOf(world, environment, component)
  const { length } = await readRecords(site.folders.instances, component)
  const kept = await readRouting(routerFolder(site.folders, site.router.kind), component)
  // Where nothing is left, no router is started to be told so.
  if (length === 0 && kept.routes.length === 0) return 0
  const { home, cluster } = world
  const fence = Math.max(await highestFence({ home, cluster, environment, component }), kept.fence)
  const place = { environment, component, from: 0, to: Number.MAX_SAFE_INTEGER, maxUnavailable: 0 }
  for (const side of LEAVING)
    await convergeSlots(
      site,
      { ...place, side, revision: null },
      {
        fence,
        signal: new AbortController().signal,
        log: line => log?.(`${component} in ${environment}: ${line}`),
        secret: async () => '',
      },
    )
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
