/**
 * Whether anything has happened to files and folders, at the price of one `stat` each.
 *
 * Invariants:
 *  1. A file that was written, replaced, moved or given other rights since has another change time, which no program can
 *     set; a folder has one as soon as a name in it comes, goes or changes. What was not there is not there still.
 *  2. What was touched after the work on it had begun, or so shortly before that the kernel's clock does not tell the two
 *     apart, is not vouched for.
 *  3. Of a folder in which much comes and goes, only the names count under which a module may be found.
 */
import { readdirSync, statSync } from 'node:fs'

/** Path, inode, size, and the times of modification and of change in milliseconds since 1970; a path alone is not there. */
export type Stamp =
  | readonly [path: string, inode: number, size: number, modified: number, changed: number]
  | readonly [path: string]

/** The coarsest step of the kernel's file times, with room to spare. */
const TIME_STEP = 20

/** @param began when the work that read them began, in milliseconds since 1970. Returns null where one is not to be vouched for */
export function takeStamps(paths: Iterable<string>, began: number): readonly Stamp[] | null {
  const stamps: Stamp[] = []
  for (const path of new Set(paths)) {
    const is = statSync(path, { throwIfNoEntry: false })
    if (is === undefined) stamps.push([path])
    else if (Math.max(is.mtimeMs, is.ctimeMs) >= began - TIME_STEP) return null
    else stamps.push([path, is.ino, is.size, is.mtimeMs, is.ctimeMs])
  }
  return stamps
}

/** Whether all is as it was when the stamps were taken. */
export function areUntouched(stamps: readonly Stamp[]): boolean {
  return stamps.every(([path, inode, size, modified, changed]) => {
    const is = statSync(path, { throwIfNoEntry: false })
    if (is === undefined || inode === undefined) return is === undefined && inode === undefined
    return is.ino === inode && is.size === size && is.mtimeMs === modified && is.ctimeMs === changed
  })
}

/** A folder, and what a module may be called that is found in it. */
export type Names = readonly [folder: string, names: string]

/** As {@link takeStamps}, for folders. */
export function takeNames(folders: Iterable<string>, began: number): readonly Names[] | null {
  const unique = [...new Set(folders)]
  return takeStamps(unique, began) === null ? null : unique.map(folder => [folder, namesIn(folder)])
}

/** Whether no module has come, gone or changed its name. @throws Error where a folder has gone */
export const areSameNames = (taken: readonly Names[]): boolean =>
  taken.every(([folder, names]) => namesIn(folder) === names)

const MODULE = /\.(?:[cm]?[jt]sx?|css)$/

/** A folder, or a file of another kind, is never found before a module of the same name. */
const namesIn = (folder: string): string =>
  readdirSync(folder)
    .filter(name => MODULE.test(name))
    .sort()
    .join('/')
