/** What the embedded ground does beyond the contract of every ground. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Clock } from '../../runner/engine/clock.ts'
import {
  type EmbeddedGround,
  type EmbeddedGroundOptions,
  embeddedGround,
} from '../../runner/engine/embedded-ground.ts'
import { faultsFromEnv } from '../../runner/engine/faults.ts'
import { readJournal } from '../../runner/journal/read.ts'
import type { Unstamped } from '../../src/run/events.ts'
import type { Signal } from '../../src/run/ports.ts'
import { type EmbeddedRig, embeddedRig, takeLock } from '../contract/embedded-rig.ts'

// A busy machine is no failure: conditions are waited for, and only a hang runs into these.
vi.setConfig({ testTimeout: 60_000, expect: { poll: { timeout: 50_000, interval: 5 } } })

const skipped = (node: string): Unstamped => ({ type: 'node-skipped', node, because: 'test' })
const started = (node: string): Unstamped => ({ type: 'node-started', node, attempt: 1 })
const stop: Signal = { type: 'stop', by: 'cancel', who: 'alice' }

const undo: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const one of undo.splice(0).toReversed()) await one()
})

async function rigged(): Promise<EmbeddedRig> {
  const rig = await embeddedRig()
  undo.push(() => rig.dispose())
  return rig
}

async function attach(
  rig: EmbeddedRig,
  options: Partial<EmbeddedGroundOptions> = {},
): Promise<EmbeddedGround> {
  const lock = await takeLock(rig.folder)
  const ground = await embeddedGround({
    journal: rig.journal,
    inbox: join(rig.folder, 'inbox'),
    lock,
    ...options,
  })
  undo.push(async () => {
    await ground.close()
    await lock.release()
  })
  return ground
}

/** A wall clock that is set by hand; timers run when it is moved through them. */
function handClock(
  start: number,
): Clock & { jump(to: number): void; elapse(by: number): void; naps(): number[] } {
  let wall = start
  let real = 0
  const timers = new Map<object, { due: number; delay: number; callback: () => void }>()
  return {
    now: () => wall,
    after: (delay, callback) => {
      const timer = {}
      timers.set(timer, { due: real + delay, delay, callback })
      return () => timers.delete(timer)
    },
    naps: () => [...timers.values()].map(timer => timer.delay),
    jump: to => {
      wall = to
    },
    elapse: by => {
      for (const end = real + by; real < end; ) {
        const step = Math.min(end, ...[...timers.values()].map(timer => timer.due)) - real
        real += step
        wall += step
        for (const [key, timer] of timers) {
          if (timer.due > real) continue
          timers.delete(key)
          timer.callback()
        }
      }
    },
  }
}

describe('onEvent', () => {
  it('is told of every durable event in order, of before and of now, and of an intent too', async () => {
    const rig = await rigged()
    const first = await attach(rig)
    first.record([skipped('before')])
    await first.next()
    await first.close()
    const told: string[] = []
    const second = await attach(rig, {
      onEvent: (event, source) => told.push(`${source} ${event.type} ${'node' in event ? event.node : ''}`),
    })
    second.run('a', started('a'), async () => [skipped('a')])
    second.record([skipped('b')])
    second.sleep('end', 0)
    while ((await second.next()).type !== 'completed');
    expect(told).toEqual([
      'history node-skipped before',
      'live node-started a',
      'live node-skipped b',
      'live node-skipped a',
    ])
  })
})

describe('interrupt', () => {
  it('arrives under the key run, also when it came before anyone awaited it, and only once', async () => {
    const ground = await attach(await rigged())
    const first: Signal = { type: 'stop', by: 'interrupt', who: 'alice' }
    ground.interrupt(first)
    ground.awaitSignal('run')
    expect(await ground.next()).toEqual({ type: 'signal', key: 'run', signal: first })
    ground.cancel('run')
    ground.awaitSignal('run')
    ground.interrupt({ type: 'abort', who: 'alice' })
    expect(await ground.next()).toMatchObject({ signal: { type: 'abort' } })
  })
})

describe('a signal', () => {
  it('that was not yielded before its wait was cancelled waits for the next one', async () => {
    const ground = await attach(await rigged())
    ground.awaitSignal('run')
    ground.interrupt(stop)
    ground.cancel('run')
    ground.awaitSignal('run')
    expect(await ground.next()).toEqual({ type: 'signal', key: 'run', signal: stop })
  })
})

describe('an answered signal', () => {
  it('has its file taken away', async () => {
    const rig = await rigged()
    const ground = await attach(rig)
    ground.awaitSignal('run')
    await rig.send('run', stop)
    await ground.next()
    ground.record([{ type: 'stop-asked', by: 'cancel', who: 'alice' }])
    await ground.next()
    await expect.poll(() => readdir(join(rig.folder, 'inbox'))).toEqual([])
  })

  it('is not yielded again where a crash has kept its file', async () => {
    const rig = await rigged()
    const ground = await attach(rig)
    ground.awaitSignal('run')
    await rig.send('run', stop)
    await ground.next()
    const [name = ''] = await readdir(join(rig.folder, 'inbox'))
    ground.record([{ type: 'stop-asked', by: 'cancel', who: 'alice' }])
    await ground.next()
    await ground.close()
    await expect.poll(() => readdir(join(rig.folder, 'inbox'))).toEqual([])
    await writeFile(
      join(rig.folder, 'inbox', name),
      JSON.stringify({ format: 1, key: 'run', signal: { type: 'abort', who: 'alice' } }),
    )
    const later = await attach(rig)
    later.awaitSignal('run')
    await rig.send('run', { type: 'abort', who: 'bob' })
    expect(await later.next()).toMatchObject({ signal: { who: 'bob' } })
  })

  it('of a wait that ended is gone with the next record', async () => {
    const rig = await rigged()
    const ground = await attach(rig)
    ground.awaitSignal('approval')
    await rig.send('approval', stop)
    await ground.next()
    ground.cancel('approval')
    ground.record([skipped('other')])
    await ground.next()
    await expect.poll(() => readdir(join(rig.folder, 'inbox'))).toEqual([])
  })
})

describe('sleep', () => {
  it('looks at the wall clock often enough to notice a jump, and sleeps longer than a timer can', async () => {
    const clock = handClock(1_000)
    const ground = await attach(await rigged(), { clock })
    const month = 30 * 24 * 3_600_000
    ground.sleep('month', 1_000 + month)
    expect(clock.naps()).toEqual([15_000])
    clock.elapse(60_000)
    ground.sleep('short', 61_000 + 100)
    clock.elapse(100)
    expect(await ground.next()).toEqual({ type: 'slept', key: 'short' })
    clock.jump(1_000 + month)
    clock.elapse(15_000)
    expect(await ground.next()).toEqual({ type: 'slept', key: 'month' })
    expect(clock.naps()).toEqual([])
  })
})

describe('a clock that is set back', () => {
  it('prolongs no sleep: as much real time as was left is enough', async () => {
    const clock = handClock(100_000)
    const ground = await attach(await rigged(), { clock })
    ground.sleep('short', 100_000 + 40_000)
    clock.elapse(39_000)
    clock.jump(1_000)
    ground.now('still')
    expect(await ground.next()).toMatchObject({ type: 'now' })
    clock.elapse(999)
    ground.now('and still')
    expect(await ground.next()).toMatchObject({ type: 'now' })
    clock.elapse(1)
    expect(await ground.next()).toEqual({ type: 'slept', key: 'short' })
    ground.now('after')
    expect(await ground.next()).toEqual({ type: 'now', key: 'after', at: 140_000 })
  })

  it('takes no stamp back, and stamps by itself again once it has caught up', async () => {
    const clock = handClock(100_000)
    const ground = await attach(await rigged(), { clock })
    const stamped = async (): Promise<number | undefined> => {
      ground.record([{ type: 'node-skipped', node: 'n', because: 'test' }])
      const happened = await ground.next()
      return happened.type === 'recorded' ? happened.events[0]?.at : undefined
    }
    expect(await stamped()).toBe(100_000)
    clock.jump(5_000)
    expect(await stamped()).toBe(100_000)
    clock.jump(100_001)
    expect(await stamped()).toBe(100_001)
  })

  it('between two runners does not reach the second, whose sleeps are as long as they should be', async () => {
    const rig = await rigged()
    const first = await attach(rig, { clock: handClock(100_000) })
    first.record([{ type: 'node-skipped', node: 'n', because: 'test' }])
    await first.next()
    await first.close()
    const clock = handClock(5_000)
    const second = await attach(rig, { clock })
    second.now('now')
    expect(await second.next()).toEqual({ type: 'now', key: 'now', at: 100_000 })
    second.sleep('short', 100_000 + 500)
    clock.elapse(500)
    expect(await second.next()).toEqual({ type: 'slept', key: 'short' })
  })
})

describe('close', () => {
  it('keeps what was handed over, aborts what runs, and refuses what comes after', async () => {
    const rig = await rigged()
    const ground = await attach(rig)
    const reached = Promise.withResolvers<AbortSignal>()
    ground.run('a', started('a'), ({ signal }) => {
      reached.resolve(signal)
      return new Promise(() => {})
    })
    const signal = await reached.promise
    ground.record([skipped('last')])
    await ground.close()
    expect(signal.aborted).toBe(true)
    expect((await readJournal(rig.journal)).events.map(event => event.type)).toEqual([
      'node-started',
      'node-skipped',
    ])
    expect(() => ground.record([skipped('late')])).toThrow('left by this runner')
    await expect(ground.next()).rejects.toMatchObject({ code: 'ground-closed' })
  })
})

describe('a defect', () => {
  it('in an effect surfaces in next instead of hanging the run', async () => {
    const ground = await attach(await rigged())
    ground.run('a', null, async () => {
      throw new Error('oh')
    })
    await expect(ground.next()).rejects.toMatchObject({ code: 'engine-defect' })
  })
})

describe('faults', () => {
  it('are named for every step of a call, in the order of the steps', async () => {
    const points: string[] = []
    const ground = await attach(await rigged(), { faults: point => points.push(point) })
    ground.run('a/1', started('a'), async () => [skipped('a')])
    await ground.next()
    expect(points).toEqual([
      'journal:before-append:node-started',
      'journal:after-append:node-started',
      'effect:before:a/1',
      'effect:after:a/1',
      'journal:before-append:node-skipped',
      'journal:after-append:node-skipped',
    ])
  })

  it('are off without the variable', () => {
    expect(faultsFromEnv({})).toBeUndefined()
    expect(faultsFromEnv({ RELEASE_FAULT: '' })).toBeUndefined()
  })

  it.each([
    ['effect:after:a/b', ['effect:after:a/b'], 0],
    ['effect:after:a/b:2', ['effect:after:a/b', 'effect:after:a/b'], 1],
    ['effect:after:a/b:3', ['effect:after:a/b', 'effect:after:a/b'], null],
    ['effect:after:a:1:1', ['effect:after:a', 'effect:after:a:1'], 1],
    ['effect:after', ['effect:after:a/b'], null],
  ])('%s kills this very process at its point', async (fault, points, diesAt) => {
    const program = `
      import { faultsFromEnv } from ${JSON.stringify(new URL('../../runner/engine/faults.ts', import.meta.url))}
      import { writeSync } from 'node:fs'
      const faults = faultsFromEnv()
      for (const [i, point] of ${JSON.stringify(points)}.entries()) { writeSync(1, String(i)); faults(point) }
      writeSync(1, 'end')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, RELEASE_FAULT: fault },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', chunk => {
      output += chunk
    })
    const [code, signal] = await once(child, 'close')
    const upTo = points.map((_, i) => i).filter(i => diesAt === null || i <= diesAt)
    expect([output, code, signal]).toEqual(
      diesAt === null ? [`${upTo.join('')}end`, 0, null] : [upTo.join(''), null, 'SIGKILL'],
    )
  })
})
