import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { livenessOf, type ProcessIdentity, thisProcess } from '../../runner/journal/process-identity.ts'
import {
  acquireRunLock,
  currentHolder,
  type LockOptions,
  type RunLock,
} from '../../runner/journal/run-lock.ts'
import { deadProcess, holder } from '../contract/embedded-rig.ts'

// A busy machine is no failure: conditions are waited for, and only a hang runs into these.
vi.setConfig({ testTimeout: 60_000, expect: { poll: { timeout: 50_000, interval: 5 } } })

const elsewhere: ProcessIdentity = {
  ...thisProcess(),
  host: 'another',
  boot: 'another',
  namespace: 'another',
}
let folder: string
let locks: RunLock[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-lock-'))
  locks = []
})
afterEach(async () => {
  for (const lock of locks) await lock.release().catch(() => {})
  await rm(folder, { recursive: true })
})

async function acquired(who: string, options: LockOptions = {}): Promise<RunLock> {
  const lock = await acquireRunLock(folder, holder(who), options)
  if (lock.type === 'held') throw new Error(`held by ${lock.holder.who}`)
  locks.push(lock)
  return lock
}
const attempt = async (who: string, options: LockOptions = {}): Promise<string> => {
  const lock = await acquireRunLock(folder, holder(who), options)
  if (lock.type === 'acquired') locks.push(lock)
  return lock.type === 'held' ? `held by ${lock.holder.who}` : `acquired ${lock.fence}`
}
/** The file system's time of a lock's last sign of life, moved back. */
const age = (fence: number, seconds: number): Promise<void> => {
  const then = Date.now() / 1000 - seconds
  return utimes(join(folder, `lock.${fence}.json`), then, then)
}

describe('a run', () => {
  it('is refused to a second runner while the first lives, however old its sign of life', async () => {
    await acquired('alice')
    await age(1, 3_600)
    expect(await attempt('bob')).toBe('held by alice')
    expect(await currentHolder(folder)).toEqual(holder('alice'))
  })

  it('is free after its release, with a higher fence', async () => {
    await (await acquired('alice')).release()
    expect(await currentHolder(folder)).toBeNull()
    expect(await attempt('bob')).toBe('acquired 2')
  })

  it('of a dead runner is taken over, and the dead one would notice', async () => {
    const first = await acquired('alice', { identity: deadProcess })
    first.assertHeld()
    expect(await attempt('bob')).toBe('acquired 2')
    expect(() => first.assertHeld()).toThrowErrorMatchingInlineSnapshot(
      `[StateError: The run rig was taken over by bob on here since 1970-01-01 00:00:00 UTC (process 1, in /srv/phoenix); this runner writes nothing more.]`,
    )
    expect(first.successor()).toEqual(holder('bob'))
  })

  it('stays with who has taken it over when the one before releases late', async () => {
    const first = await acquired('alice', { identity: deadProcess })
    await acquired('bob')
    await first.release()
    expect(await attempt('carol')).toBe('held by bob')
  })

  it('of a runner elsewhere is held for its lease and given up after it', async () => {
    await acquired('alice', { identity: elsewhere, beat: 2 ** 30 })
    expect(await attempt('bob')).toBe('held by alice')
    await age(1, 10)
    expect(await attempt('bob')).toBe('held by alice')
    await age(1, 31)
    expect(await attempt('bob')).toBe('acquired 2')
  })

  it('of a runner elsewhere that shows signs of life is held', async () => {
    const began = Date.now()
    const first = await acquired('alice', { identity: elsewhere, beat: 5 })
    await age(1, 60)
    await expect
      .poll(async () => (await stat(join(folder, 'lock.1.json'))).mtimeMs)
      .toBeGreaterThan(began - 1_000)
    expect(await attempt('bob')).toBe('held by alice')
    first.assertHeld()
  })

  it('that was lost is told of without being asked', async () => {
    const first = await acquired('alice', { identity: deadProcess, beat: 5 })
    const lost = new Promise<void>(resolve => first.onLost(resolve))
    await acquired('bob')
    await lost
  })

  it('with a lock that nobody can read is refused', async () => {
    await writeFile(join(folder, 'lock.7.json'), '{')
    await expect(attempt('alice')).rejects.toMatchObject({ code: 'lock-unreadable', exitCode: 4 })
  })

  it('keeps no other files than the locks', async () => {
    await acquired('alice', { identity: deadProcess })
    await acquired('bob')
    await attempt('carol')
    await currentHolder(folder)
    expect((await readdir(folder)).toSorted()).toEqual(['lock.1.json', 'lock.2.json'])
  })
})

describe('a process', () => {
  const me = thisProcess()
  it.each<[string, ProcessIdentity, string]>([
    ['this one', me, 'alive'],
    ['a number that is not used', { ...me, pid: 2 ** 22 + 1 }, 'dead'],
    ['our number, of one that started at another time', { ...me, startedAt: '1' }, 'dead'],
    ['of an earlier boot', { ...me, boot: 'earlier' }, 'dead'],
    ['of another machine', { ...me, host: 'another', namespace: 'another' }, 'elsewhere'],
    ['of another container on this machine', { ...me, namespace: 'another' }, 'elsewhere'],
    ['of a system that tells no start times, alive', { ...me, startedAt: null }, 'alive'],
    ['of such a system, gone', { ...me, startedAt: null, pid: 2 ** 22 + 1 }, 'dead'],
  ])('%s', (_, one, expected) => {
    expect(livenessOf(one, me)).toBe(expected)
  })

  it('that was killed is dead before its parent has looked', async () => {
    // The shell's child becomes a zombie: the shell turns into `tail`, which never waits for it.
    const shell = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec tail -f /dev/null'])
    try {
      const [chunk] = await once(shell.stdout, 'data')
      const pid = Number(String(chunk))
      const child = { ...me, pid, startedAt: await startOf(pid) }
      expect(livenessOf(child, me)).toBe('alive')
      process.kill(pid, 'SIGKILL')
      await expect.poll(() => livenessOf(child, me)).toBe('dead')
      process.kill(pid, 0)
    } finally {
      shell.kill('SIGKILL')
    }
  })
})

async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]!
}
