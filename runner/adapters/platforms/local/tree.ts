/**
 * A folder's content as one hash, and the list that the hash is taken over.
 *
 * Invariants:
 *  T1. The digest covers every file's path, executable bit and content, and every link's target; nothing else:
 *      not times, owners or empty folders. The same files give the same digest on every machine.
 *  T2. Dependencies (`node_modules`) are part of it: they are part of what runs, and a rollback must find them
 *      when the source has gone. Left out at any depth are `.git`, `.hg`, `.svn`, `.DS_Store` and
 *      `node_modules/.cache`, which no service is started from.
 *  T3. A link may only point to a place inside the folder: the kept copy would not hold what lies outside.
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { readdir, readlink } from 'node:fs/promises'
import path from 'node:path'
import { ReleaseError } from '../../../../src/errors.ts'
import type { Sha256 } from '../../../../src/plan/plan.ts'
import { isCode } from '../../loopback/state-file.ts'

/** One file or link of a folder; `path` is relative, with `/` between its parts. */
export type Entry =
  | { readonly type: 'file'; readonly path: string; readonly executable: boolean; readonly sha256: Sha256 }
  | { readonly type: 'link'; readonly path: string; readonly target: string }

/** What a walk finds, before anything is read. */
export type Found =
  | { readonly type: 'file'; readonly path: string; readonly executable: boolean }
  | { readonly type: 'link'; readonly path: string; readonly target: string }

const leftOut = new Set(['.git', '.hg', '.svn', '.DS_Store'])

const isLeftOut = (relative: string, name: string): boolean =>
  leftOut.has(name) || relative === 'node_modules/.cache' || relative.endsWith('/node_modules/.cache')

/** All files and links below the folder, in order of their paths. */
export const walk = async (root: string): Promise<readonly Found[]> => {
  const found: Found[] = []
  await walkInto(root, '', found)
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

const walkInto = async (root: string, relative: string, found: Found[]): Promise<void> => {
  for (const child of await readFolder(root, relative)) {
    const at = relative === '' ? child.name : `${relative}/${child.name}`
    if (isLeftOut(at, child.name)) continue
    if (child.isDirectory()) await walkInto(root, at, found)
    else if (child.isSymbolicLink()) found.push(await readLink(root, at))
    else if (child.isFile()) found.push({ type: 'file', path: at, executable: isExecutable(root, at) })
    else throw notAFile(root, at)
  }
}

const readFolder = async (root: string, relative: string) => {
  try {
    return await readdir(path.join(root, relative), { withFileTypes: true })
  } catch (cause) {
    if (relative !== '' || !isCode(cause, 'ENOENT', 'ENOTDIR')) throw cause
    throw new ReleaseError('source-missing', `There is no folder ${root} to deploy.`, {
      cause,
      hint: 'Check the component’s `source`; if it has to be built first, build it.',
    })
  }
}

const isExecutable = (root: string, relative: string): boolean =>
  (lstatSync(path.join(root, relative)).mode & 0o100) !== 0

const readLink = async (root: string, relative: string): Promise<Found> => {
  const target = await readlink(path.join(root, relative))
  const pointsTo = path.resolve(root, path.dirname(relative), target)
  const inside = pointsTo === root || pointsTo.startsWith(root + path.sep)
  if (inside && !path.isAbsolute(target)) return { type: 'link', path: relative, target }
  throw new ReleaseError(
    'source-link-outside',
    `${path.join(root, relative)} is a link to ${target}, which ${inside ? 'is an absolute path' : 'lies outside the folder'}, so its content cannot be kept with the version.`,
    { hint: 'Put the file itself there, or make it a relative link to a place inside the folder.' },
  )
}

const notAFile = (root: string, relative: string): ReleaseError =>
  new ReleaseError(
    'source-special-file',
    `${path.join(root, relative)} is neither a file, a folder nor a link.`,
    { hint: 'Sockets, pipes and devices cannot be deployed: remove it from the folder.' },
  )

/** The folder and everything in it that the digest covers, with the folders between. Absolute. */
export function placesIn(root: string): readonly string[] {
  const places = [root]
  const visit = (relative: string): void => {
    for (const child of readdirSync(path.join(root, relative), { withFileTypes: true })) {
      const at = relative === '' ? child.name : `${relative}/${child.name}`
      if (isLeftOut(at, child.name)) continue
      places.push(path.join(root, at))
      if (child.isDirectory()) visit(at)
    }
  }
  visit('')
  return places
}

/** Up to this size a file is read at once: a stream's turns through the thread pool take ten times as long. */
const AT_ONCE = 256 * 1024

/** The content hash of one file; a large one is read as a stream. */
export const hashFile = async (file: string): Promise<Sha256> => {
  const hash: Hash = createHash('sha256')
  if (statSync(file).size <= AT_ONCE) return hash.update(readFileSync(file)).digest('hex')
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  return hash.digest('hex')
}

const hashFound = async (root: string, found: Found): Promise<Entry> =>
  found.type === 'link' ? found : { ...found, sha256: await hashFile(path.join(root, found.path)) }

/** Everything in the folder with its content hash. */
export const listTree = async (root: string): Promise<readonly Entry[]> => {
  const entries: Entry[] = []
  for (const found of await walk(root)) entries.push(await hashFound(root, found))
  return entries
}

/** The text that a digest is the sha256 of: a line an entry, paths as JSON so that no name can forge a line. */
export const manifestOf = (entries: readonly Entry[]): string =>
  ['release-as-code tree 1', ...entries.map(lineOf), ''].join('\n')

const lineOf = (entry: Entry): string =>
  entry.type === 'link'
    ? `link ${JSON.stringify(entry.path)} ${JSON.stringify(entry.target)}`
    : `${entry.executable ? 'exec' : 'file'} ${JSON.stringify(entry.path)} ${entry.sha256}`

export const sha256 = (text: string): Sha256 => createHash('sha256').update(text).digest('hex')

/** The content hash of a folder. */
export const digestTree = async (root: string): Promise<Sha256> => sha256(manifestOf(await listTree(root)))
