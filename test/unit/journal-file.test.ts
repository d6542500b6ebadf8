/** The writer's promises, on a disk that does each thing only when it is told to. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type AppendFile,
  createJournal,
  type Journal,
  openJournal,
} from '../../runner/journal/journal-file.ts'
import { StateError } from '../../src/errors.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { embeddedRig } from '../contract/embedded-rig.ts'

// A busy machine is no failure: conditions are waited for, and only a hang runs into these.
vi.setConfig({ testTimeout: 60_000, expect: { poll: { timeout: 50_000, interval: 5 } } })

const skipped = (node: string): RunEvent => ({ type: 'node-skipped', at: 1, node, because: 'test' })
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-file-'))
})
afterEach(() => rm(folder, { recursive: true }))

interface SlowDisk extends AppendFile {
  /** The names of what was written, a write at a time. */
  readonly writes: readonly string[][]
  /** Lets the fdatasync that waits, or the next one, come to its end. */
  sync(): void
}

function slowDisk(): SlowDisk {
  const writes: string[][] = []
  let gate = Promise.withResolvers<void>()
  return {
    writes,
    sync: () => gate.resolve(),
    write: async bytes => {
      const lines = Buffer.from(bytes).toString().trimEnd().split('\n')
      writes.push(lines.map(line => JSON.parse(line).event.node))
      return bytes.length
    },
    datasync: async () => {
      await gate.promise
      gate = Promise.withResolvers()
    },
    close: async () => {},
  }
}

async function opened(disk: AppendFile, guard: () => void = () => {}): Promise<Journal> {
  const path = join(folder, 'journal.jsonl')
  await createJournal(path, 'run')
  return (await openJournal(path, { guard, openFile: async () => disk })).journal
}

const fenced = new StateError('fenced', 'taken over')

describe('an append', () => {
  it('is acknowledged only after its fdatasync, and an empty one with what was before it', async () => {
    const disk = slowDisk()
    const journal = await opened(disk)
    const done: string[] = []
    const all = [
      journal.append({ events: [skipped('a')] }).then(() => done.push('a')),
      journal.append({ events: [] }).then(() => done.push('empty')),
    ]
    await expect.poll(() => disk.writes).toEqual([['a']])
    expect(done).toEqual([])
    disk.sync()
    await Promise.all(all)
    expect(done).toEqual(['a', 'empty'])
  })

  it('shares the next write with all that came while the disk was busy', async () => {
    const disk = slowDisk()
    const journal = await opened(disk)
    const first = [journal.append({ events: [skipped('a')] }), journal.append({ events: [skipped('b')] })]
    await expect.poll(() => disk.writes.length).toBe(1)
    const second = ['c', 'd', 'e'].map(node => journal.append({ events: [skipped(node)] }))
    disk.sync()
    await Promise.all(first)
    await expect.poll(() => disk.writes.length).toBe(2)
    disk.sync()
    await Promise.all(second)
    expect(disk.writes).toEqual([
      ['a', 'b'],
      ['c', 'd', 'e'],
    ])
  })

  it('of a runner that was taken over before it is refused unwritten', async () => {
    const disk = slowDisk()
    let taken = false
    const journal = await opened(disk, () => {
      if (taken) throw fenced
    })
    taken = true
    await expect(journal.append({ events: [skipped('a')] })).rejects.toBe(fenced)
    expect(disk.writes).toEqual([])
  })

  it('of a runner that was taken over while it was written is not acknowledged, nor is anything after it', async () => {
    const disk = slowDisk()
    let taken = false
    const journal = await opened(disk, () => {
      if (taken) throw fenced
    })
    const append = journal.append({ events: [skipped('a')] })
    await expect.poll(() => disk.writes.length).toBe(1)
    taken = true
    disk.sync()
    await expect(append).rejects.toBe(fenced)
    taken = false
    await expect(journal.append({ events: [skipped('b')] })).rejects.toBe(fenced)
    expect(disk.writes).toEqual([['a']])
  })

  it('is waited for by close, after which none is taken', async () => {
    const disk = slowDisk()
    const journal = await opened(disk)
    const append = journal.append({ events: [skipped('a')] })
    const closed = journal.close()
    disk.sync()
    await Promise.all([append, closed])
    await expect(journal.append({ events: [skipped('b')] })).rejects.toMatchObject({ code: 'journal-closed' })
  })
})

describe('an effect', () => {
  it('without an intent starts only when what was recorded before it is on the disk', async () => {
    const disk = slowDisk()
    const rig = await embeddedRig({ openFile: async () => disk })
    const ground = await rig.open()
    let begun = false
    ground.record([{ type: 'node-skipped', node: 'before', because: 'test' }])
    ground.run('read', null, async () => {
      begun = true
      return []
    })
    await expect.poll(() => disk.writes).toEqual([['before']])
    expect(begun).toBe(false)
    disk.sync()
    expect(await ground.next()).toMatchObject({ type: 'recorded' })
    expect(await ground.next()).toMatchObject({ type: 'completed', key: 'read' })
    await ground.close()
    await rig.dispose()
  })
})
