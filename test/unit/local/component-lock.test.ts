import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  acquireLock,
  assertFence,
  type ComponentPlace,
  highestFence,
  holderOf,
  ownedComponents,
} from '../../../runner/adapters/platforms/local/component-lock.ts'
import { environmentFolders } from '../../../runner/adapters/platforms/local/home.ts'
import type { Holder } from '../../../src/run/ports.ts'

let place: ComponentPlace
beforeEach(async () => {
  const home = await mkdtemp(path.join(tmpdir(), 'release-lock-'))
  place = { home, cluster: 'c', environment: 'e', component: 'a' }
})
afterEach(() => rm(place.home, { recursive: true }))

const holder = (more: Partial<Holder> = {}): Holder => ({
  run: 'run-1',
  who: 'alice',
  host: hostname(),
  pid: process.pid,
  cwd: '/',
  since: 1,
  ...more,
})

const locks = () => environmentFolders(place.home, place.cluster, place.environment).locks

const acquire = async (more: Partial<Holder> = {}) => {
  const acquired = await acquireLock(place, holder(more))
  if (acquired.type === 'held') throw new Error(`held by ${acquired.holder.run}`)
  return acquired
}

/** Rewrites the lock's file, as another machine or another boot would have written it. */
const rewrite = async (fence: number, change: object) => {
  const file = path.join(locks(), `a.${fence}`)
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...change }))
}

test('fences grow over releases, and one file is left', async () => {
  for (const fence of [1, 2, 3]) {
    const lock = await acquire()
    expect(lock.fence).toBe(fence)
    await lock.release()
  }
  expect(await readdir(locks())).toEqual(['a.3'])
  expect(await holderOf(place)).toMatchObject({ state: 'released', fence: 3, holder: { run: 'run-1' } })
  expect(await ownedComponents(place)).toEqual(['a'])
})

test('a holder that lives is in the way, whichever run it is', async () => {
  await acquire()
  expect(await acquireLock(place, holder())).toEqual({ type: 'held', holder: holder() })
  expect(await acquireLock(place, holder({ run: 'run-2' }))).toEqual({ type: 'held', holder: holder() })
})

const none = 4_194_305 // One more than the highest pid that Linux gives.
test.each([
  { name: 'its process has gone', more: { pid: none }, change: {}, state: 'abandoned' },
  {
    name: 'its pid is another process’s now',
    more: {},
    change: { process: { pid: process.pid, start: '1', boot: 'x' } },
    state: 'abandoned',
  },
  { name: 'the machine was started anew', more: {}, change: { boot: 'another' }, state: 'abandoned' },
  { name: 'it is on another host', more: { host: 'elsewhere', pid: none }, change: {}, state: 'held' },
])('$name: $state', async ({ more, change, state }) => {
  await acquire(more)
  await rewrite(1, change)
  expect(await holderOf(place)).toMatchObject({ state })
  const next = await acquireLock(place, holder({ run: 'run-2' }))
  expect(next.type === 'acquired' ? next.fence : next.type).toBe(state === 'abandoned' ? 2 : 'held')
})

test('who was taken over from can release nothing', async () => {
  const old = await acquire()
  await rewrite(1, { boot: 'another' })
  await acquire({ run: 'run-2' })
  await old.release()
  expect(await holderOf(place)).toMatchObject({ state: 'held', fence: 2, holder: { run: 'run-2' } })
  await expect(assertFence(place, old.fence)).rejects.toMatchObject({ code: 'fenced' })
  await assertFence(place, 2)
})

test('whoever takes it is told who had it last', async () => {
  const first = await acquireLock(place, holder())
  expect(first).not.toHaveProperty('before')
  if (first.type === 'acquired') await first.release()
  expect(await acquireLock(place, holder({ run: 'run-2' }))).toMatchObject({ before: holder() })
})

test('of many at once, one gets it', async () => {
  const tries = await Promise.all(
    Array.from({ length: 20 }, (_, n) => acquireLock(place, holder({ run: `run-${n}` }))),
  )
  expect(tries.filter(({ type }) => type === 'acquired')).toHaveLength(1)
})

test('components whose names look like numbered locks do not meet', async () => {
  await acquire()
  const other = { ...place, component: 'a.1' }
  const acquired = await acquireLock(other, holder({ run: 'run-2' }))
  expect(acquired).toMatchObject({ type: 'acquired', fence: 1 })
  expect(await highestFence(place)).toBe(1)
  expect(await ownedComponents(place)).toEqual(['a', 'a.1'])
})
