/**
 * What is written down about each instance, one file an instance, so that no two writers share a file.
 *
 *     intended ──spawned──▶ started ──(ended and forgotten)
 *
 * Invariants:
 *  R1. The intent, with the instance's token, is durable before its process exists. The process carries the
 *      token, so one that a crash left unrecorded is found again and never leaks.
 *  R2. A record goes only when no process of the instance is left.
 *  R3. No value of a secret is written: a revision holds references.
 */
import { readdir, unlink } from 'node:fs/promises'
import path from 'node:path'
import type { Revision, Side } from '../../../../src/plan/plan.ts'
import { byPlace, type RouterState, readRoutings, routerFiles } from '../../loopback/kept-routing.ts'
import { bootId, type Identity, leaderOf } from '../../loopback/process-table.ts'
import { isCode, readState, replaceFile } from '../../loopback/state-file.ts'
import { clustersFolder, type EnvironmentFolders, environmentFolders, nameOf, segment } from './home.ts'

export interface InstanceRecord {
  readonly format: 1
  /** 128 random bits, hexadecimal. */
  readonly token: string
  readonly component: string
  readonly side: Side
  /** Its place on its side. */
  readonly slot: number
  readonly revision: Revision
  readonly port: number
  /** null: intended; whether it was started is found out by its token. */
  readonly process: Identity | null
  readonly boot: string
  readonly log: string
  /** When it was asked for, milliseconds since 1970. */
  readonly since: number
}

/** Where what is known of a component's instances is written down. */
export const instancesFolderOf = (instances: string, component: string): string =>
  path.join(instances, segment(component))

/** The file of one instance. */
export const recordFile = (instances: string, record: InstanceRecord): string =>
  path.join(instancesFolderOf(instances, record.component), `${record.token}.json`)

export const writeRecord = (instances: string, record: InstanceRecord): Promise<void> =>
  replaceFile(recordFile(instances, record), `${JSON.stringify(record, null, 2)}\n`)

export const forgetRecord = async (instances: string, record: InstanceRecord): Promise<void> => {
  await unlink(recordFile(instances, record)).catch(error => {
    if (!isCode(error, 'ENOENT')) throw error
  })
}

const list = async (folder: string): Promise<readonly string[]> =>
  readdir(folder).catch(error => {
    if (isCode(error, 'ENOENT')) return []
    throw error
  })

/** The component's instances as written down, the intended ones completed by what carries their token; by place, oldest first. */
export const readRecords = async (
  instances: string,
  component: string,
): Promise<readonly InstanceRecord[]> => {
  return (await readAll(instances, component))
    .map(withProcess)
    .sort((a, b) => byPlace(a, b) || a.since - b.since || (a.token < b.token ? -1 : 1))
}

const withProcess = (record: InstanceRecord): InstanceRecord =>
  record.process !== null || record.boot !== bootId()
    ? record
    : { ...record, process: leaderOf(record.token) }

/** The components that something is written down about. */
export const recordedComponents = async (instances: string): Promise<readonly string[]> =>
  (await list(instances)).map(nameOf).sort()

const readAll = async (instances: string, component: string): Promise<readonly InstanceRecord[]> => {
  const folder = instancesFolderOf(instances, component)
  const names = (await list(folder)).filter(name => name.endsWith('.json') && !name.startsWith('.'))
  const records = await Promise.all(names.map(name => readState<InstanceRecord>(path.join(folder, name))))
  return records.filter(record => record !== null).map(withSide)
}

/** What was written down before there were sides is of the stable one. */
const withSide = (record: InstanceRecord): InstanceRecord => ({
  ...record,
  side: (record as Partial<InstanceRecord>).side ?? 'stable',
})

/** The folders of the routers that the environment has, or has had. */
export const routerFoldersOf = async (folders: EnvironmentFolders): Promise<readonly string[]> => {
  const others = [folders.instances, folders.locks, folders.logs]
  return (await list(folders.root))
    .map(name => path.join(folders.root, name))
    .filter(folder => !others.includes(folder))
}

/**
 * Every port of the home's routers and instances, the dead ones too: a router still asks at a dead one's
 * port, and must not find another component there.
 */
export const takenPorts = async (home: string): Promise<ReadonlySet<number>> => {
  const ports = new Set<number>()
  for (const { folders } of await environmentsOf(home)) {
    for (const router of await routerFoldersOf(folders)) {
      const state = await readState<RouterState>(routerFiles(router).state)
      if (state) ports.add(state.port)
      for (const { routes } of Object.values(await readRoutings(router)))
        for (const route of routes) ports.add(route.port)
    }
    for (const component of await recordedComponents(folders.instances))
      for (const record of await readAll(folders.instances, component)) ports.add(record.port)
  }
  return ports
}

/** Every environment of every cluster that is known to this home, by name. */
export const environmentsOf = async (
  home: string,
): Promise<readonly { cluster: string; environment: string; folders: EnvironmentFolders }[]> => {
  const root = clustersFolder(home)
  const clusters = (await list(root)).map(nameOf).sort()
  const found = await Promise.all(
    clusters.map(async cluster => {
      const environments = (await list(path.join(root, segment(cluster)))).map(nameOf).sort()
      return environments.map(environment => ({
        cluster,
        environment,
        folders: environmentFolders(home, cluster, environment),
      }))
    }),
  )
  return found.flat()
}
