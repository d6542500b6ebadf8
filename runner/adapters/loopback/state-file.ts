/**
 * Small JSON files that other processes read and a crash may interrupt.
 *
 * Invariants:
 *  S1. A reader sees the whole of one write or the whole of the one before it, also after a power cut.
 *  S2. What is in these files is readable by this user only.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import path from 'node:path'
import { StateError } from '../../../src/errors.ts'

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const writeBeside = async (file: string, text: string): Promise<string> => {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const beside = path.join(path.dirname(file), `.${randomUUID()}.tmp`)
  const handle = await open(beside, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  return beside
}

/** Puts the text in the file's place in one step. */
export const replaceFile = async (file: string, text: string): Promise<void> => {
  await rename(await writeBeside(file, text), file)
  await syncFolder(path.dirname(file))
}

/** Creates the file with its whole text. False, and nothing changed, where there is one already. */
export const createFile = async (file: string, text: string): Promise<boolean> => {
  const beside = await writeBeside(file, text)
  try {
    await link(beside, file)
    await syncFolder(path.dirname(file))
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await unlink(beside)
  }
}

export const isCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(error.code as string)

/** The file's JSON, or null where there is no file. Fails with code `state-damaged` where it is not JSON of this format. */
export const readState = async <T extends { readonly format: 1 }>(file: string): Promise<T | null> => {
  const text = await readFile(file, 'utf8').catch(error => {
    if (isCode(error, 'ENOENT')) return null
    throw error
  })
  return text === null ? null : parseState<T>(file, text)
}

const parseState = <T extends { readonly format: 1 }>(file: string, text: string): T => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new StateError('state-damaged', `The local platform cannot read ${file}: it is not JSON.`, {
      cause,
      hint: 'Look into the file; if it cannot be mended, `release local stop` and remove it.',
    })
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined
  if (format === 1) return value as T
  throw new StateError(
    'state-format',
    `The local platform cannot read ${file}: its format is ${String(format)}, and this version knows format 1.`,
    { hint: 'A newer version of release-as-code wrote it: use that version.' },
  )
}
