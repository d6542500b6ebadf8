/**
 * What the local platform's answers rest on, so that an answer that was kept can be told to be true still.
 *
 * Boundary: names files and processes; reads what is written down, and starts nothing.
 */
import path from 'node:path'
import { environmentFolders } from './home.ts'
import { isRunning } from './instance.ts'
import { instancesFolderOf, readRecords, recordFile } from './instance-records.ts'
import { placesIn } from './tree.ts'

export interface LiveGrounds {
  /** Files and folders, some of which may not be there: as long as none is touched, added or removed, the records are the same. */
  readonly paths: readonly string[]
  /** The recorded processes that ran. One that had ended never runs again. */
  readonly running: readonly { readonly pid: number; readonly start: string; readonly boot: string }[]
}

/** What `live` rests on for a component; null while an instance of it is being started. */
export async function groundsOfLive(
  place: { readonly home: string; readonly cluster: string; readonly environment: string },
  component: string,
): Promise<LiveGrounds | null> {
  const { instances } = environmentFolders(place.home, place.cluster, place.environment)
  const records = await readRecords(instances, component)
  if (records.some(({ process }) => process === null)) return null
  const folder = instancesFolderOf(instances, component)
  return {
    paths: [folder, ...records.map(record => recordFile(instances, record))],
    running: records.flatMap(record => (isRunning(record) ? [record.process!] : [])),
  }
}

/** What the digest of a folder rests on: every folder, file and link of it that the digest covers. */
export const groundsOfSource = (source: string): readonly string[] => placesIn(path.resolve(source))
