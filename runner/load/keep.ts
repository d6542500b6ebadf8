/**
 * Keeping what was computed from a definition under the state folder.
 *
 * Role: the files in `<state>/bundles` and `<state>/checks`: written whole or not at all, and few.
 * Boundary: these are caches of what can be computed again. A run copies its bundle into its own folder,
 * so that anything here may be deleted at any time; and where the state folder cannot be written
 * (a read-only checkout, a full or failing disk), nothing is kept and nothing fails.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const UNWRITABLE = new Set('EACCES EDQUOT EEXIST EIO ENOENT ENOSPC ENOTDIR EPERM EROFS'.split(' '))

/** Writes a file so that a reader sees the old text or the new one. Says whether it could be kept. */
export function keepFile(path: string, text: string): boolean {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(draft, text)
    renameSync(draft, path)
    return true
  } catch (error) {
    if (!isCode(error, UNWRITABLE)) throw error
    removeQuietly(draft)
    return false
  }
}

/** The state folder is no part of the team's repository: it says so itself. */
export function ensureStateFolder(state: string): void {
  const ignore = join(state, '.gitignore')
  if (statSync(ignore, { throwIfNoEntry: false }) === undefined) keepFile(ignore, '*\n')
}

/** Reads kept JSON; undefined where there is none, or it is damaged. */
export function readKept<T>(path: string): T | undefined {
  const text = readText(path)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as T
  } catch {
    return undefined
  }
}

/** A file's text, or undefined where it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Deletes the oldest of the files that end in `extension`, and what stands beside each, until `most` are left. */
export function pruneKept(
  folder: string,
  options: { extension: string; beside: readonly string[]; most: number },
): void {
  const names = namesIn(folder).filter(name => name.endsWith(options.extension))
  if (names.length <= options.most) return
  const aged = names
    .map(name => ({ name, age: statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.age - a.age)
  for (const { name } of aged.slice(options.most))
    for (const suffix of ['', ...options.beside]) removeQuietly(join(folder, `${name}${suffix}`))
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (!isCode(error, UNWRITABLE)) throw error
    return []
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch (error) {
    if (!isCode(error, UNWRITABLE)) throw error
  }
}

const isCode = (error: unknown, codes: ReadonlySet<string>): boolean =>
  error instanceof Error && 'code' in error && codes.has(String(error.code))
