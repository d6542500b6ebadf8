/**
 * Files that are whole or not there, also after the power has gone.
 *
 * Role: the one way in which the state's side files come to be. Boundary: knows bytes and folders only.
 *
 *  W1. A reader sees the old content or the new, never a part.
 *  W2. When the promise resolves, the content and the name are on the disk.
 */
import { randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What a file is called until it is whole. Readers of a folder leave such names alone. */
export const temporaryName = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.tmp`

/**
 * Writes a file whole: beside its place, to the disk, then into its place.
 * `allowed` is asked at the last moment and throws where the file may not be replaced any more.
 */
export async function writeFileDurably(
  path: string,
  data: string | Uint8Array,
  options: { readonly allowed?: () => void } = {},
): Promise<void> {
  const temporary = temporaryName(path)
  try {
    await writeSynced(temporary, data)
    // Side by side and synchronous: nothing of this process comes between the question and the deed.
    options.allowed?.()
    renameSync(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

/** Writes a new file and waits until its content is on the disk; its name may not be yet. */
export async function writeSynced(path: string, data: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(data)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Waits until the names in a folder are on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
