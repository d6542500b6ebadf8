/** Disks that fill up, fail, or may not be written: the writer stops for good, and the run resumes afterwards. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type AppendFile,
  createJournal,
  type Journal,
  openJournal,
} from '../../runner/journal/journal-file.ts'
import { readJournal } from '../../runner/journal/read.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { embeddedRig } from '../contract/embedded-rig.ts'

const event = (node: string, bytes = 0): RunEvent => ({
  type: 'node-skipped',
  at: 1,
  node,
  because: 'x'.repeat(bytes),
})
const guard = (): void => {}
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-disk-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Appends until it is refused. Returns how many were acknowledged, and the refusal. */
async function fill(journal: Journal): Promise<{ acknowledged: string[]; refusal: unknown }> {
  const acknowledged: string[] = []
  for (let i = 0; i < 10_000; i++) {
    try {
      await journal.append({ events: [event(`n${i}`, 5_000)] })
      acknowledged.push(`n${i}`)
    } catch (refusal) {
      return { acknowledged, refusal }
    }
  }
  throw new Error('the disk never filled up')
}

const nodes = (events: readonly RunEvent[]): string[] =>
  events.map(one => ('node' in one ? one.node : one.type))

const canMount = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0
if (!canMount) console.warn('SKIPPED: filling a real disk needs root, to mount a small tmpfs')

describe.skipIf(!canMount)('on a real small disk', () => {
  it('ENOSPC refuses further appends, loses no acknowledged one, and the run goes on when there is space', async () => {
    const disk = join(folder, 'full')
    await mkdir(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    try {
      const path = join(disk, 'journal.jsonl')
      await createJournal(path, 'run')
      const first = await openJournal(path, { guard })
      const { acknowledged, refusal } = await fill(first.journal)
      expect(refusal).toMatchObject({ code: 'journal-unwritable', exitCode: 4 })
      expect(String(refusal)).toContain('ENOSPC')
      await expect(first.journal.append({ events: [event('more')] })).rejects.toBe(refusal)
      await first.journal.close()
      await expect(openJournal(path, { guard })).rejects.toMatchObject({ code: 'journal-unwritable' })
      expect(nodes((await readJournal(path)).events)).toEqual(acknowledged)

      execFileSync('mount', ['-o', 'remount,size=8m', disk])
      const second = await openJournal(path, { guard })
      expect(second.cut).toBeGreaterThan(0)
      await second.journal.append({ events: [event('on')] })
      await second.journal.close()
      expect(nodes((await readJournal(path)).events)).toEqual([...acknowledged, 'on'])
    } finally {
      execFileSync('umount', [disk])
    }
  })

  it('a disk that may only be read refuses the runner and serves the reader', async () => {
    const disk = join(folder, 'read-only')
    await mkdir(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    try {
      const path = join(disk, 'journal.jsonl')
      await createJournal(path, 'run')
      execFileSync('mount', ['-o', 'remount,ro', disk])
      await expect(openJournal(path, { guard })).rejects.toThrow(/EROFS/)
      expect((await readJournal(path)).run).toBe('run')
    } finally {
      execFileSync('umount', [disk])
    }
  })
})

/** A disk in memory that takes `most` bytes at a time and fails its nth datasync. */
function badDisk(options: { most?: number; failing?: number } = {}): AppendFile & { readonly text: string } {
  let text = ''
  let syncs = 0
  return {
    get text() {
      return text
    },
    write: async bytes => {
      const taken = bytes.subarray(0, options.most ?? bytes.length)
      text += Buffer.from(taken).toString('latin1')
      return taken.length
    },
    datasync: async () => {
      if (++syncs === options.failing) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
    },
    close: async () => {},
  }
}

async function openOn(disk: AppendFile): Promise<Journal> {
  const path = join(folder, 'any.jsonl')
  await createJournal(path, 'run')
  return (await openJournal(path, { guard, openFile: async () => disk })).journal
}

describe('on a bad disk', () => {
  it('short writes are gone on with', async () => {
    const disk = badDisk({ most: 7 })
    const journal = await openOn(disk)
    await Promise.all(['a', 'b', 'c'].map(node => journal.append({ events: [event(node)] })))
    const lines = disk.text.split('\n').filter(line => line !== '')
    expect(lines.map(line => JSON.parse(line).event.node)).toEqual(['a', 'b', 'c'])
  })

  it('a disk that takes nothing is a failure, not an endless loop', async () => {
    const journal = await openOn(badDisk({ most: 0 }))
    await expect(journal.append({ events: [event('a')] })).rejects.toMatchObject({
      code: 'journal-unwritable',
    })
  })

  it('EIO of an fdatasync refuses its whole group and everything after it, and the disk is not asked again', async () => {
    const disk = badDisk({ failing: 2 })
    const journal = await openOn(disk)
    await journal.append({ events: [event('a')] })
    const group = ['b', 'c'].map(node => journal.append({ events: [event(node)] }))
    const results = await Promise.allSettled(group)
    expect(results.map(result => result.status)).toEqual(['rejected', 'rejected'])
    const written = disk.text
    await expect(journal.append({ events: [event('d')] })).rejects.toThrow('EIO')
    await expect(journal.append({ events: [] })).rejects.toThrow('EIO')
    expect(disk.text).toBe(written)
  })

  it('the ground says so through next, aborts what runs, and the run can be resumed', async () => {
    const rig = await embeddedRig({ openFile: async () => badDisk({ failing: 2 }) })
    const ground = await rig.open()
    const aborted = Promise.withResolvers<void>()
    ground.run('a', { type: 'node-started', node: 'a', attempt: 1 }, ({ signal }) => {
      signal.addEventListener('abort', () => aborted.resolve())
      ground.record([{ type: 'node-skipped', node: 'b', because: 'test' }])
      return new Promise(() => {})
    })
    await expect(ground.next()).rejects.toMatchObject({ code: 'journal-unwritable', exitCode: 4 })
    await aborted.promise
    expect(() => ground.sleep('c', 0)).toThrow('cannot be written')
    await ground.close()
    await rig.dispose()
  })
})
