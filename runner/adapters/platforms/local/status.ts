/** What the local platform runs on this machine, as data and as text: `release local status`. */
import type { Ownership } from './component-lock.ts'
import { holderOf, ownedComponents } from './component-lock.ts'
import { recordedGateway, routedInstances } from './gateway-client.ts'
import type { EnvironmentFolders } from './home.ts'
import { isHealthy, isRunning } from './instance.ts'
import { environmentsOf, type InstanceRecord, readRecords, recordedComponents } from './instance-records.ts'

export interface LocalInstanceStatus {
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
}

export interface LocalEnvironmentStatus {
  readonly cluster: string
  readonly environment: string
  /** null: it does not run. */
  readonly gateway: { readonly address: string; readonly pid: number } | null
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
  const gateway = await recordedGateway(folders.gateway)
  const names = new Set([...(await recordedComponents(folders.instances)), ...(await ownedComponents(place))])
  const components = await Promise.all([...names].sort().map(name => componentStatus(place, name)))
  return {
    cluster,
    environment,
    gateway: gateway && { address: `http://127.0.0.1:${gateway.port}`, pid: gateway.process.pid },
    components,
  }
}

const componentStatus = async (place: Place, component: string): Promise<LocalComponentStatus> => {
  const routed = await routedInstances(place.folders.gateway, component)
  const records = await readRecords(place.folders.instances, component)
  const instances = await Promise.all(records.map(record => instanceStatus(record, routed.has(record.token))))
  return { component, owner: await holderOf({ ...place, component }), instances }
}

const instanceStatus = async (record: InstanceRecord, routed: boolean): Promise<LocalInstanceStatus> => ({
  slot: record.slot,
  version: record.revision.version,
  state: !isRunning(record) ? 'dead' : (await isHealthy(record)) ? 'healthy' : 'unhealthy',
  routed,
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
  const place = gateway ? `gateway ${gateway.address} (process ${gateway.pid})` : 'gateway not running'
  return [`${head}   ${place}`, ...environment.components.flatMap(renderComponent)].join('\n')
}

const renderComponent = ({ component, owner, instances }: LocalComponentStatus): readonly string[] => [
  `  ${component}${owner ? `   ${renderOwner(owner)}` : ''}`,
  ...(instances.length === 0 ? ['    no instance'] : instances.map(renderInstance)),
]

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

const renderInstance = (instance: LocalInstanceStatus): string => {
  const traffic = instance.routed ? 'gets traffic' : 'no traffic'
  const process = instance.pid === null ? 'no process' : `process ${instance.pid}`
  return `    slot ${instance.slot}   ${instance.version}   ${instance.state}, ${traffic}   ${instance.address}   ${process}`
}
