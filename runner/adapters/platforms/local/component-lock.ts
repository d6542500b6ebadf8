/**
 * Who owns a component in an environment: one run at a time, each take-over with a higher number.
 *
 * A lock is a row of files `<component>.<fence>`; the highest is the one that counts:
 *
 *     (none) ──link──▶ 1 held ──release──▶ 1 released ──link──▶ 2 held ──holder dies──▶ 3 held …
 *
 * Invariants:
 *  K1. A number is given out once: its file is linked into place whole, which fails where it exists.
 *  K2. Numbers only grow: the highest file is never removed, not even when everything is stopped.
 *  K3. Only a holder that is known to be dead is taken over from: its process on this host has gone, or the
 *      machine was started anew. A holder on another host is believed to live.
 */
import { readdir, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import type { Acquired, Holder } from '../../../../src/run/ports.ts'
import { fenced } from '../../loopback/fenced.ts'
import { bootId, type Identity, identify, isAlive } from '../../loopback/process-table.ts'
import { createFile, isCode, readState, replaceFile } from '../../loopback/state-file.ts'
import { environmentFolders, nameOf, segment } from './home.ts'

interface LockFile {
  readonly format: 1
  readonly holder: Holder
  /** null: the holder's process had gone before it was written down. */
  readonly process: Identity | null
  readonly boot: string
  readonly released: boolean
}

/** Who holds a component's lock, or held it last. */
export interface Ownership {
  readonly holder: Holder
  readonly fence: number
  /** held: by a process that lives. abandoned: it died without releasing. released: by its own word. */
  readonly state: 'held' | 'abandoned' | 'released'
}

export interface ComponentPlace {
  readonly home: string
  readonly cluster: string
  readonly environment: string
  readonly component: string
}

const locksOf = (place: ComponentPlace): string =>
  environmentFolders(place.home, place.cluster, place.environment).locks

const fileOf = (place: ComponentPlace, fence: number): string =>
  path.join(locksOf(place), `${segment(place.component)}.${fence}`)

const fencesOf = async (place: ComponentPlace): Promise<readonly number[]> => {
  const names = await readdir(locksOf(place)).catch(error => {
    if (isCode(error, 'ENOENT')) return []
    throw error
  })
  return names.flatMap(name => {
    const [, component, fence] = /^(.+)\.(\d+)$/.exec(name) ?? []
    return component === segment(place.component) ? [Number(fence)] : []
  })
}

/** The highest fence given out; 0: none yet. */
export const highestFence = async (place: ComponentPlace): Promise<number> =>
  Math.max(0, ...(await fencesOf(place)))

/** Fails with code `fenced` where a newer owner has taken the component over. */
export const assertFence = async (place: ComponentPlace, fence: number): Promise<void> => {
  const highest = await highestFence(place)
  if (fence < highest) throw fenced({ ...place, fence, highest })
}

const isDead = (file: LockFile): boolean => {
  if (file.holder.host !== hostname()) return false
  if (file.boot !== bootId()) return true
  return file.process === null || !isAlive(file.process)
}

const stateOf = (file: LockFile): Ownership['state'] =>
  file.released ? 'released' : isDead(file) ? 'abandoned' : 'held'

/** The component's owner, or its last one; null: it never had any. */
export const holderOf = async (place: ComponentPlace): Promise<Ownership | null> => {
  for (;;) {
    const fence = await highestFence(place)
    if (fence === 0) return null
    const file = await readState<LockFile>(fileOf(place, fence))
    // Gone between the two reads: it was superseded, and pruned by its successor.
    if (file) return { holder: file.holder, fence, state: stateOf(file) }
  }
}

/** The components that have had an owner in an environment. */
export const ownedComponents = async (
  place: Omit<ComponentPlace, 'component'>,
): Promise<readonly string[]> => {
  const { locks } = environmentFolders(place.home, place.cluster, place.environment)
  const names = await readdir(locks).catch(() => [] as string[])
  const components = names.flatMap(name => /^([^.].*)\.\d+$/.exec(name)?.[1] ?? [])
  return [...new Set(components)].map(nameOf).sort()
}

/** Takes the component's lock, or says who has it. Taking over from the dead makes the fence grow. */
export const acquireLock = async (place: ComponentPlace, holder: Holder): Promise<Acquired> => {
  for (;;) {
    const owner = await holderOf(place)
    if (owner?.state === 'held') return { type: 'held', holder: owner.holder }
    const fence = (owner?.fence ?? 0) + 1
    const file = lockFile(holder)
    if (!(await createFile(fileOf(place, fence), textOf(file)))) continue
    // A number that had been given out and pruned while we were looking is not ours to use.
    if ((await highestFence(place)) > fence) {
      await unlink(fileOf(place, fence))
      continue
    }
    await prune(place, fence)
    const before = owner === null ? {} : { before: owner.holder }
    return { type: 'acquired', fence, release: () => release(place, fence, file), ...before }
  }
}

const lockFile = (holder: Holder): LockFile => ({
  format: 1,
  holder,
  process: identify(holder.pid),
  boot: bootId(),
  released: false,
})

const textOf = (file: LockFile): string => `${JSON.stringify(file, null, 2)}\n`

const release = async (place: ComponentPlace, fence: number, file: LockFile): Promise<void> => {
  if ((await highestFence(place)) > fence) return
  await replaceFile(fileOf(place, fence), textOf({ ...file, released: true }))
}

const prune = async (place: ComponentPlace, fence: number): Promise<void> => {
  for (const old of await fencesOf(place)) {
    if (old >= fence) continue
    await unlink(fileOf(place, old)).catch(error => {
      if (!isCode(error, 'ENOENT')) throw error
    })
  }
}
