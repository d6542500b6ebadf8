/**
 * The kept files: each version's folder under its content hash, so that it runs again when its source has gone.
 *
 *     store/<digest>/manifest    the text whose sha256 is the digest
 *     store/<digest>/files/…     the files, read-only
 *
 * Invariants:
 *  K1. A digest's folder appears whole or not at all: it is filled beside its place, synced and renamed.
 *  K2. What is started was verified against its digest by this process: files that were changed in the store
 *      are never run under the old name. Files that a service added to its folder do not matter.
 */
import { createHash } from 'node:crypto'
import { constants, type Dirent } from 'node:fs'
import { chmod, mkdir, open, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { ReleaseError } from '../../../../src/errors.ts'
import type { Sha256 } from '../../../../src/plan/plan.ts'
import { identify, isAlive } from '../../loopback/process-table.ts'
import { isCode } from '../../loopback/state-file.ts'
import { storeFolder } from './home.ts'
import { digestTree, type Entry, type Found, listTree, manifestOf, sha256, walk } from './tree.ts'

export interface Store {
  digest(source: string): Promise<Sha256>
  keep(source: string, digest: Sha256): Promise<void>
  kept(digest: Sha256): Promise<boolean>
  /** The folder that a digest's instances run in, verified. Fails with code `not-kept` or `store-damaged`. */
  filesOf(digest: Sha256): Promise<string>
}

export const openStore = (home: string): Store => {
  const root = storeFolder(home)
  const verified = new Set<Sha256>()
  const place = (digest: Sha256): string => path.join(root, digest)

  const isKept = async (digest: Sha256): Promise<boolean> => {
    if (verified.has(digest)) return true
    if (!(await isWhole(place(digest), digest))) return false
    verified.add(digest)
    return true
  }

  return {
    digest: source => digestTree(path.resolve(source)),
    kept: isKept,
    async keep(source, digest) {
      if (await isKept(digest)) return
      await mkdir(root, { recursive: true, mode: 0o700 })
      await removeLeftOvers(root)
      await keepCopy(path.resolve(source), digest, root)
      verified.add(digest)
    },
    async filesOf(digest) {
      if (await isKept(digest)) return path.join(place(digest), 'files')
      throw await notUsable(place(digest), digest)
    },
  }
}

const notUsable = async (folder: string, digest: Sha256): Promise<ReleaseError> => {
  const there = await readdir(folder).then(
    () => true,
    () => false,
  )
  return there
    ? new ReleaseError(
        'store-damaged',
        `The files kept as ${digest} in ${folder} are no longer what was kept.`,
        {
          hint: 'Deploy that version again from its source, which mends the copy, or restore the folder from a backup.',
        },
      )
    : new ReleaseError('not-kept', `No files are kept as ${digest} in ${path.dirname(folder)}.`, {
        hint: 'Deploy that version from its source; what was never kept on this machine cannot be started here.',
      })
}

/** Whether the manifest has the digest and every file in it is as the manifest says. */
const isWhole = async (folder: string, digest: Sha256): Promise<boolean> => {
  const manifest = await readFile(path.join(folder, 'manifest'), 'utf8').catch(() => null)
  if (manifest === null || sha256(manifest) !== digest) return false
  const actual = new Set(manifestOf(await listTree(path.join(folder, 'files')).catch(() => [])).split('\n'))
  return manifest.split('\n').every(line => actual.has(line))
}

const keepCopy = async (source: string, digest: Sha256, root: string): Promise<void> => {
  const beside = path.join(root, besideName())
  try {
    await mkdir(path.join(beside, 'files'), { recursive: true, mode: 0o755 })
    const manifest = manifestOf(await copyTree(source, path.join(beside, 'files')))
    if (sha256(manifest) !== digest) throw sourceChanged(source, digest, sha256(manifest))
    await writeSynced(path.join(beside, 'manifest'), manifest)
    await makeReadOnly(path.join(beside, 'files'))
    await moveIntoPlace(beside, path.join(root, digest), digest)
  } catch (error) {
    await removeTree(beside)
    throw error
  }
}

const sourceChanged = (source: string, planned: Sha256, now: Sha256): ReleaseError =>
  new ReleaseError(
    'source-changed',
    `The files in ${source} are not the ones that were planned: their digest is ${now.slice(0, 12)}, the plan says ${planned.slice(0, 12)}.`,
    { hint: 'Restore the files, or plan again and run the new plan.' },
  )

let serial = 0

/** Names the process that fills it, so that what a crash left can be told from what is being filled. */
const besideName = (): string => {
  serial += 1
  return `.filling-${process.pid}-${identify(process.pid)!.start}-${serial}`
}

const removeLeftOvers = async (root: string): Promise<void> => {
  for (const name of await readdir(root)) {
    const [, pid, start] = /^\.filling-(\d+)-(\d+)-\d+$/.exec(name) ?? []
    if (pid === undefined || start === undefined) continue
    const filler = identify(Number(pid))
    const busy = filler !== null && filler.start === start && isAlive(filler)
    if (!busy) await removeTree(path.join(root, name))
  }
}

const moveIntoPlace = async (beside: string, place: string, digest: Sha256): Promise<void> => {
  try {
    await rename(beside, place)
  } catch (error) {
    if (!isCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
    // Somebody else kept the same files meanwhile, or what lies there is damaged and this is its mending.
    if (await isWhole(place, digest)) return removeTree(beside)
    await removeTree(place)
    await rename(beside, place)
  }
}

const copyTree = async (source: string, target: string): Promise<readonly Entry[]> => {
  const entries: Entry[] = []
  for (const found of await walk(source)) {
    await mkdir(path.dirname(path.join(target, found.path)), { recursive: true })
    entries.push(await copyOne(source, target, found))
  }
  return entries
}

const copyOne = async (source: string, target: string, found: Found): Promise<Entry> => {
  const to = path.join(target, found.path)
  if (found.type === 'link') {
    await symlink(found.target, to)
    return found
  }
  const sha = await copyFile(path.join(source, found.path), to, found.executable ? 0o555 : 0o444)
  return { ...found, sha256: sha }
}

/** Copies and hashes the same bytes, so that a file that changes meanwhile cannot slip in under the old hash. */
const copyFile = async (from: string, to: string, mode: number): Promise<Sha256> => {
  const hash = createHash('sha256')
  const reader = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const writer = await open(to, 'wx', mode)
    try {
      for await (const chunk of reader.createReadStream({ autoClose: false })) {
        hash.update(chunk)
        await writer.writeFile(chunk)
      }
      await writer.chmod(mode)
      await writer.sync()
    } finally {
      await writer.close()
    }
  } finally {
    await reader.close()
  }
  return hash.digest('hex')
}

const writeSynced = async (file: string, text: string): Promise<void> => {
  const handle = await open(file, 'wx', 0o444)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const foldersOf = async (folder: string): Promise<readonly string[]> => {
  const children: Dirent[] = await readdir(folder, { withFileTypes: true })
  const below: string[] = [folder]
  for (const child of children)
    if (child.isDirectory()) below.push(...(await foldersOf(path.join(folder, child.name))))
  return below
}

const makeReadOnly = async (folder: string): Promise<void> => {
  for (const each of await foldersOf(folder)) await chmod(each, 0o555)
}

/** Removes a folder of ours although its folders are read-only. */
const removeTree = async (folder: string): Promise<void> => {
  const folders = await foldersOf(folder).catch(() => [])
  for (const each of folders) await chmod(each, 0o755)
  await rm(folder, { recursive: true, force: true })
}
