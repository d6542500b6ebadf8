/** What the local platform runs on this machine, as data and as text: `release local status`. */

import path from 'node:path'
import type { Side, Traffic } from '../../../../src/plan/plan.ts'
import type { Route } from '../../../../src/run/ports.ts'
import { NO_ROUTING, readRouting, recordedRouter } from '../../loopback/kept-routing.ts'
import type { Ownership } from './component-lock.ts'
import { holderOf, ownedComponents } from './component-lock.ts'
import { type EnvironmentFolders, nameOf } from './home.ts'
import { isHealthy, isRunning, placeName } from './instance.ts'
import {
  environmentsOf,
  type InstanceRecord,
  readRecords,
  recordedComponents,
  routerFoldersOf,
} from './instance-records.ts'
import { placed } from './settled-records.ts'

export interface LocalInstanceStatus {
  readonly side: Side
  readonly slot: number
  readonly version: string
  readonly state: 'healthy' | 'unhealthy' | 'dead'
  readonly routed: boolean
  readonly pid: number | null
  readonly address: string
  readonly log: string
  /** When it was started, milliseconds since 1970. */
  readonly since: number
}

export interface LocalComponentStatus {
  readonly component: string
  /** null: no run has ever owned it. */
  readonly owner: Ownership | null
  readonly instances: readonly LocalInstanceStatus[]
  /** How requests are divided, as the router keeps it. */
  readonly traffic: Traffic
}

/** What stands before an environment. */
export interface LocalRouterStatus {
  readonly kind: string
  readonly address: string
  readonly pid: number
}

export interface LocalEnvironmentStatus {
  readonly cluster: string
  readonly environment: string
  /** null: it does not run. */
  readonly gateway: LocalRouterStatus | null
  readonly components: readonly LocalComponentStatus[]
}

export interface LocalStatus {
  readonly home: string
  readonly environments: readonly LocalEnvironmentStatus[]
}

/** Everything that is known of the home's environments, asked now. */
export const localStatus = async (home: string): Promise<LocalStatus> => {
  const known = await environmentsOf(home)
  const environments = await Promise.all(
    known.map(({ cluster, environment, folders }) =>
      environmentStatus({ home, cluster, environment, folders }),
    ),
  )
  return { home, environments }
}

interface Place {
  readonly home: string
  readonly cluster: string
  readonly environment: string
  readonly folders: EnvironmentFolders
}

const environmentStatus = async (place: Place): Promise<LocalEnvironmentStatus> => {
  const { cluster, environment, folders } = place
  const router = await livingRouter(folders)
  const names = new Set([...(await recordedComponents(folders.instances)), ...(await ownedComponents(place))])
  const components = await Promise.all([...names].sort().map(name => componentStatus(place, router, name)))
  return { cluster, environment, gateway: router?.status ?? null, components }
}

interface LivingRouter {
  readonly folder: string
  readonly status: LocalRouterStatus
}

/** Nothing is started to be asked: what a router that lives keeps is what it does. */
const livingRouter = async (folders: EnvironmentFolders): Promise<LivingRouter | null> => {
  for (const folder of await routerFoldersOf(folders)) {
    const state = await recordedRouter(folder)
    if (state === null) continue
    const { port, process } = state
    const kind = nameOf(path.basename(folder))
    return { folder, status: { kind, address: `http://127.0.0.1:${port}`, pid: process.pid } }
  }
  return null
}

const componentStatus = async (
  place: Place,
  router: LivingRouter | null,
  component: string,
): Promise<LocalComponentStatus> => {
  const routing = router === null ? NO_ROUTING : await readRouting(router.folder, component)
  const records = await readRecords(place.folders.instances, component)
  const instances = await Promise.all(
    records.map(record => instanceStatus(placed(record, routing), routing.routes)),
  )
  const owner = await holderOf({ ...place, component })
  return { component, owner, instances, traffic: routing.traffic }
}

const instanceStatus = async (
  record: InstanceRecord,
  routes: readonly Route[],
): Promise<LocalInstanceStatus> => ({
  side: record.side,
  slot: record.slot,
  version: record.revision.version,
  state: !isRunning(record) ? 'dead' : (await isHealthy(record)) ? 'healthy' : 'unhealthy',
  routed: routes.some(({ instance }) => instance === record.token),
  pid: record.process?.pid ?? null,
  address: `http://127.0.0.1:${record.port}`,
  log: record.log,
  since: record.since,
})

/** The status for people, ending with a line break. */
export const renderLocalStatus = (status: LocalStatus): string =>
  status.environments.length === 0
    ? `Nothing runs on the local platform (${status.home}).\n`
    : `${status.environments.map(renderEnvironment).join('\n\n')}\n`

const renderEnvironment = (environment: LocalEnvironmentStatus): string => {
  const { gateway } = environment
  const head = `${environment.cluster} / ${environment.environment}`
  const place = gateway
    ? `${gateway.kind} ${gateway.address} (process ${gateway.pid})`
    : 'gateway not running'
  return [`${head}   ${place}`, ...environment.components.flatMap(renderComponent)].join('\n')
}

const renderComponent = (status: LocalComponentStatus): readonly string[] => {
  const { component, owner, instances, traffic } = status
  return [
    `  ${component}${owner ? `   ${renderOwner(owner)}` : ''}`,
    ...renderTraffic(traffic),
    ...(instances.length === 0
      ? ['    no instance']
      : instances.map(instance => renderInstance(instance, traffic))),
  ]
}

/** Nothing where all requests go to the stable side. */
const renderTraffic = (traffic: Traffic): readonly string[] => {
  const { canary, baseline, match, sticky, mirror, carried } = traffic
  const parts = [
    canary > 0 || baseline > 0 ? `canary ${canary} %` : '',
    baseline > 0 ? `baseline ${baseline} %` : '',
    ...match.map(({ kind, name, value }) => `canary where the ${kind} ${name} is ${value}`),
    sticky === null ? '' : `callers kept by the cookie ${sticky}`,
    mirror > 0 ? `${mirror} % copied to the canary` : '',
    carried ? 'sides carried on' : '',
  ].filter(part => part !== '')
  return parts.length === 0 ? [] : [`    traffic: ${parts.join(', ')}`]
}

const renderOwner = ({ holder, state }: Ownership): string => {
  switch (state) {
    case 'held':
      return `owned by run ${holder.run} of ${holder.who} (process ${holder.pid} on ${holder.host}, in ${holder.cwd})`
    case 'abandoned':
      return `left by run ${holder.run} of ${holder.who}, whose process has gone`
    case 'released':
      return `last changed by run ${holder.run} of ${holder.who}`
  }
}

const renderInstance = (instance: LocalInstanceStatus, traffic: Traffic): string => {
  const process = instance.pid === null ? 'no process' : `process ${instance.pid}`
  const gets = getsTraffic(instance, traffic) ? 'gets traffic' : 'no traffic'
  return `    ${placeName(instance)}   ${instance.version}   ${instance.state}, ${gets}   ${instance.address}   ${process}`
}

const getsTraffic = ({ routed, side }: LocalInstanceStatus, traffic: Traffic): boolean => {
  if (!routed) return false
  if (side === 'stable') return traffic.canary + traffic.baseline < 100
  return traffic[side] > 0 || traffic.carried || (side === 'canary' && traffic.match.length > 0)
}
