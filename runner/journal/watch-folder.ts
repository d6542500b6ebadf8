/**
 * Tells of changes in a folder, where the system can.
 *
 * Role: makes waiting quick. Boundary: never a promise; who must not miss a change looks at intervals as well
 * (network disks tell of nothing, and a system may have no watches left).
 */
import { watch } from 'node:fs'

/** Calls `onChange` when something in the folder changes. Returns what ends it. */
export function watchFolder(path: string, onChange: () => void): () => void {
  try {
    const watcher = watch(path, onChange)
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return () => {}
  }
}
