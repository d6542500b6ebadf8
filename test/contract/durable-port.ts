/**
 * What every ground must do: the contract suite of DurablePort (D1..D5 in src/run/ports.ts).
 *
 * Role: a ground joins with a rig and one call of `durablePortContract`. Boundary: nothing here knows how a
 * ground keeps what it keeps. Time is read through the port only, so that a ground with a clock of its own fits.
 */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { isReleaseError } from '../../src/errors.ts'
import type { RunEvent, Unstamped } from '../../src/run/events.ts'
import type { DurablePort, EffectContext, Happened, Holder, Signal } from '../../src/run/ports.ts'

export type Ground = DurablePort & { close(): Promise<void> }

/** One run on a ground, and the ways in which a test can treat it badly. */
export interface DurableRig {
  /** Attaches a runner to the run, as `resume` does. One that was attached before is taken over. */
  open(): Promise<Ground>
  /** What a runner would find in `history` if it attached now. */
  durable(): Promise<readonly RunEvent[]>
  /** How many different states a crash could have left, had it come earlier; the last is the present one. */
  crashPoints(): Promise<number>
  /** A copy of the run as a crash at that point would have left it, from 0. */
  crashedAt(point: number): Promise<DurableRig>
  /** A person's word from outside of the runner. */
  send(key: string, signal: Signal): Promise<void>
  /** Another runner takes the run over. Says who that is. */
  takeOver(): Promise<Holder>
  dispose(): Promise<void>
}

const started = (node: string): Unstamped => ({ type: 'node-started', node, attempt: 1 })
const skipped = (node: string): Unstamped => ({ type: 'node-skipped', node, because: 'test' })
const succeeded = (node: string, value: string = node): Unstamped => ({
  type: 'node-succeeded',
  node,
  attempt: 1,
  value,
  summary: null,
  warning: null,
  how: 'performed',
})
const word = (text: string): Signal => ({
  type: 'decision',
  decision: { statement: text, signature: null },
})
const refused = (node: string, person: string): Unstamped => ({
  type: 'approval-refused',
  node,
  person,
  reason: 'test',
})

/** An event without its time, for comparing. */
const bare = ({ at: _, ...event }: RunEvent): unknown => event
const nodesOf = (events: readonly RunEvent[]): string[] =>
  events.map(event => ('node' in event ? event.node : event.type))
const said = (happened: Happened): string =>
  happened.type === 'signal' && happened.signal.type === 'decision'
    ? happened.signal.decision.statement
    : happened.type

async function collect(ground: DurablePort, count: number): Promise<Happened[]> {
  const all: Happened[] = []
  while (all.length < count) all.push(await ground.next())
  return all
}

/** What the ground yields next when there is nothing to yield but this. */
async function nextIsOnly(ground: DurablePort): Promise<boolean> {
  ground.record([skipped('marker')])
  const happened = await ground.next()
  return happened.type === 'recorded' && nodesOf(happened.events)[0] === 'marker'
}

const codeOf = (call: () => unknown): string | undefined => {
  try {
    call()
  } catch (error) {
    return isReleaseError(error) ? error.code : String(error)
  }
  return undefined
}

/** Holds a ground to the contract. `make` gives a new run each time. */
export function durablePortContract(name: string, make: () => Promise<DurableRig>): void {
  describe(`${name} is a durable ground`, () => {
    // A busy machine is no failure: only a hang runs into this.
    vi.setConfig({ testTimeout: 60_000 })
    const rigs: DurableRig[] = []
    const grounds: Ground[] = []

    async function rigged(rig?: DurableRig): Promise<DurableRig> {
      const made = rig ?? (await make())
      rigs.push(made)
      return made
    }
    async function attach(rig: DurableRig): Promise<Ground> {
      const ground = await rig.open()
      grounds.push(ground)
      return ground
    }
    const crash = async (rig: DurableRig): Promise<DurableRig> =>
      rigged(await rig.crashedAt((await rig.crashPoints()) - 1))

    afterEach(async () => {
      for (const ground of grounds.splice(0)) await ground.close()
      for (const rig of rigs.splice(0)) await rig.dispose()
    })

    describe('record', () => {
      it('D1: yields what was recorded, stamped, in the order in which it was handed over', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        ground.record([skipped('a'), skipped('b')])
        ground.record([skipped('c')])
        const [first, second] = await collect(ground, 2)
        expect(first).toMatchObject({ type: 'recorded', events: [skipped('a'), skipped('b')] })
        expect(second).toMatchObject({ type: 'recorded', events: [skipped('c')] })
        expect(nodesOf(await rig.durable())).toEqual(['a', 'b', 'c'])
      })

      it('stamps with the time', async () => {
        const ground = await attach(await rigged())
        ground.now('before')
        ground.record([skipped('a')])
        const [before, recorded] = await collect(ground, 2)
        ground.now('after')
        const after = await ground.next()
        const at = recorded?.type === 'recorded' ? recorded.events[0]!.at : Number.NaN
        expect(at).toBeGreaterThanOrEqual(before?.type === 'now' ? before.at : Number.NaN)
        expect(at).toBeLessThanOrEqual(after.type === 'now' ? after.at : Number.NaN)
      })

      it('keeps any JSON and any text', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        const event: Unstamped = {
          ...(succeeded('nasty') as Extract<Unstamped, { type: 'node-succeeded' }>),
          value: ['"}\n{"seq":1,', '\u2028\u0000\ud800', { hash: 'f'.repeat(64) }, 1e308, null],
        }
        ground.record([event])
        await ground.next()
        expect((await rig.durable()).map(bare)).toEqual([event])
        expect((await attach(await crash(rig))).history.map(bare)).toEqual([event])
      })
    })

    describe('run', () => {
      it('D2: has recorded the intent, and everything before it, when the effect starts', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        const seen: string[][] = []
        const look = async (): Promise<readonly Unstamped[]> => {
          seen.push(nodesOf(await rig.durable()))
          return []
        }
        ground.record([skipped('before')])
        ground.run('a', started('a'), look)
        await collect(ground, 2)
        ground.record([skipped('later')])
        ground.run('read', null, look)
        await collect(ground, 2)
        expect(seen).toEqual([
          ['before', 'a'],
          ['before', 'a', 'later'],
        ])
      })

      it('D3: has recorded the outcome when it is yielded', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        ground.run('a', started('a'), async () => [succeeded('a', 'value'), skipped('b')])
        const happened = await ground.next()
        expect(happened).toMatchObject({
          type: 'completed',
          key: 'a',
          events: [succeeded('a', 'value'), skipped('b')],
        })
        expect((await rig.durable()).map(bare)).toEqual([started('a'), succeeded('a', 'value'), skipped('b')])
      })

      it('D4: does not perform again what has an outcome, in this session and in the next', async () => {
        const rig = await rigged()
        const first = await attach(rig)
        first.run('a', started('a'), async () => [succeeded('a', 'first')])
        const outcome = await first.next()
        const never = (): Promise<never> => {
          throw new Error('performed again')
        }
        first.run('a', started('a'), never)
        expect(await first.next()).toEqual(outcome)
        const second = await attach(await crash(rig))
        second.run('a', started('a'), never)
        expect(await second.next()).toEqual(outcome)
        expect(await nextIsOnly(second)).toBe(true)
      })

      it('performs again what a crash cut off before its outcome', async () => {
        const rig = await rigged()
        const first = await attach(rig)
        const reached = Promise.withResolvers<void>()
        first.run('a', started('a'), () => {
          reached.resolve()
          return new Promise(() => {})
        })
        await reached.promise
        const second = await attach(await crash(rig))
        expect(second.history.map(bare)).toEqual([started('a')])
        second.run('a', null, async () => [succeeded('a', 'second')])
        expect(await second.next()).toMatchObject({ type: 'completed', events: [succeeded('a', 'second')] })
      })

      it('leaves the intent open where the outcome is empty', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        ground.run('a', started('a'), async () => [])
        expect(await ground.next()).toEqual({ type: 'completed', key: 'a', events: [] })
        expect((await rig.durable()).map(bare)).toEqual([started('a')])
        ground.run('a', null, async () => [succeeded('a')])
        expect(await ground.next()).toMatchObject({ events: [succeeded('a')] })
      })

      it('gives a fence that grows with every runner', async () => {
        const rig = await rigged()
        const fences: number[] = []
        for (const key of ['a', 'b', 'c']) {
          const ground = await attach(rig)
          ground.run(key, null, async ({ fence }) => {
            fences.push(fence)
            return []
          })
          await ground.next()
          await ground.close()
        }
        expect(fences).toEqual([...fences].sort((a, b) => a - b))
        expect(new Set(fences).size).toBe(3)
      })

      it('runs a thousand at once, each once, and yields them in the order of the record', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        const keys = Array.from({ length: 1_000 }, (_, i) => `node/${i}`)
        const performed: string[] = []
        for (const key of keys) {
          ground.run(key, started(key), async () => {
            performed.push(key)
            return [succeeded(key)]
          })
        }
        const yielded = (await collect(ground, keys.length)).map(one => ('key' in one ? one.key : one.type))
        expect(performed.toSorted()).toEqual(keys.toSorted())
        const durable = await rig.durable()
        const outcomes = durable.filter(event => event.type === 'node-succeeded')
        expect(yielded).toEqual(nodesOf(outcomes))
        expect(durable).toHaveLength(2_000)
      })
    })

    describe('a key', () => {
      const calls: [string, (ground: DurablePort) => void][] = [
        ['run', ground => ground.run('key', null, () => new Promise(() => {}))],
        ['sleep', ground => ground.sleep('key', Number.POSITIVE_INFINITY)],
        ['awaitSignal', ground => ground.awaitSignal('key')],
        ['now', ground => ground.now('key')],
      ]
      for (const [open, call] of calls) {
        it(`D5: that ${open} has open is refused to every call`, async () => {
          const ground = await attach(await rigged())
          call(ground)
          for (const [, again] of calls) expect(codeOf(() => again(ground))).toBe('key-open')
        })
      }

      it('is free again when its end was yielded', async () => {
        const ground = await attach(await rigged())
        ground.run('key', null, async () => [])
        await ground.next()
        ground.sleep('key', 0)
        await ground.next()
        ground.now('key')
        await ground.next()
        ground.awaitSignal('key')
        ground.cancel('key')
        ground.sleep('key', 0)
        expect(await ground.next()).toEqual({ type: 'slept', key: 'key' })
      })
    })

    describe('sleep and now', () => {
      it('yields at or after the time', async () => {
        const ground = await attach(await rigged())
        ground.now('start')
        const start = await ground.next()
        const at = start.type === 'now' ? start.at : Number.NaN
        ground.sleep('past', at - 1_000)
        ground.sleep('long', at + 400)
        ground.sleep('short', at + 200)
        const slept = (await collect(ground, 3)).map(one => ('key' in one ? one.key : one.type))
        expect(slept).toEqual(['past', 'short', 'long'])
        ground.now('end')
        const end = await ground.next()
        expect(end.type === 'now' ? end.at : 0).toBeGreaterThanOrEqual(at + 400)
      })
    })

    describe('cancel', () => {
      it('aborts an effect, which still yields its outcome', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        const reached = Promise.withResolvers<void>()
        ground.run('a', started('a'), async ({ signal }: EffectContext) => {
          reached.resolve()
          await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
          return [{ type: 'node-cancelled', node: 'a', because: 'test' }]
        })
        await reached.promise
        ground.cancel('a')
        expect(await ground.next()).toMatchObject({ key: 'a', events: [{ type: 'node-cancelled' }] })
        expect(nodesOf(await rig.durable())).toEqual(['a', 'a'])
      })

      it('gives an effect that has not begun an aborted signal', async () => {
        const ground = await attach(await rigged())
        ground.run('a', started('a'), async ({ signal }) => [skipped(signal.aborted ? 'aborted' : 'not')])
        ground.cancel('a')
        expect(await ground.next()).toMatchObject({ events: [{ node: 'aborted' }] })
      })

      it('yields nothing of a sleep, of a wait for a signal, and of a time', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        ground.sleep('over', 0)
        ground.sleep('ahead', Number.POSITIVE_INFINITY)
        ground.awaitSignal('wait')
        ground.now('now')
        for (const key of ['over', 'ahead', 'wait', 'now']) ground.cancel(key)
        await rig.send('wait', word('late'))
        expect(await nextIsOnly(ground)).toBe(true)
      })

      it('does nothing to a key that is not open', async () => {
        const ground = await attach(await rigged())
        ground.cancel('unknown')
        expect(await nextIsOnly(ground)).toBe(true)
      })
    })

    describe('a signal', () => {
      it('arrives while it is awaited, each time, in the order in which it was sent', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        ground.awaitSignal('a')
        const first = ground.next()
        await rig.send('a', word('one'))
        await rig.send('a', word('two'))
        await rig.send('a', word('three'))
        expect([said(await first), ...(await collect(ground, 2)).map(said)]).toEqual(['one', 'two', 'three'])
      })

      it('waits until its key is awaited', async () => {
        const rig = await rigged()
        await rig.send('b', word('for b'))
        await rig.send('a', word('for a'))
        const ground = await attach(rig)
        ground.awaitSignal('a')
        expect(await ground.next()).toMatchObject({ type: 'signal', key: 'a' })
        ground.awaitSignal('b')
        expect(await ground.next()).toMatchObject({ type: 'signal', key: 'b' })
      })

      it('comes again after a crash until an answer to it is recorded', async () => {
        const rig = await rigged()
        const first = await attach(rig)
        first.awaitSignal('a')
        await rig.send('a', word('one'))
        await rig.send('a', word('two'))
        await collect(first, 2)
        first.run('other', started('other'), async () => [succeeded('other')])
        await first.next()

        const second = await attach(await crash(rig))
        second.awaitSignal('a')
        expect((await collect(second, 2)).map(said)).toEqual(['one', 'two'])

        first.record([refused('a', 'alice')])
        await first.next()
        const answeredOne = await crash(rig)
        const third = await attach(answeredOne)
        third.awaitSignal('a')
        expect(said(await third.next())).toBe('two')
        third.run('check', null, async () => [refused('a', 'bob')])
        await third.next()

        const fourth = await attach(await crash(answeredOne))
        fourth.awaitSignal('a')
        expect(await nextIsOnly(fourth)).toBe(true)
      })

      it('for the whole run has its answer in what is recorded next', async () => {
        const rig = await rigged()
        const first = await attach(rig)
        first.awaitSignal('run')
        await rig.send('run', { type: 'stop', by: 'cancel', who: 'alice' })
        expect(await first.next()).toMatchObject({ signal: { type: 'stop', by: 'cancel', who: 'alice' } })
        first.record([{ type: 'stop-asked', by: 'cancel', who: 'alice' }])
        await first.next()
        const second = await attach(await crash(rig))
        second.awaitSignal('run')
        expect(await nextIsOnly(second)).toBe(true)
      })
    })

    describe('a crash', () => {
      const parts: Record<string, readonly Unstamped[]> = {
        a: [succeeded('a')],
        b: [succeeded('b'), skipped('b/1'), skipped('b/2')],
        c: [],
        d: [succeeded('d')],
      }

      /** Goes through a small run to its end, and counts the effects that it performs. */
      async function goThrough(ground: DurablePort): Promise<string[]> {
        const performed: string[] = []
        const recorded = new Set(nodesOf(ground.history))
        if (!recorded.has('begin')) {
          ground.record([skipped('begin'), skipped('begin/2')])
          await ground.next()
        }
        for (const [key, outcome] of Object.entries(parts)) {
          const intent = recorded.has(key) ? null : started(key)
          ground.run(key, intent, async () => {
            performed.push(key)
            return outcome
          })
        }
        await collect(ground, 4)
        return performed
      }

      it('at any point leaves a beginning of the record, from which the run goes on to the same end', async () => {
        const rig = await rigged()
        expect((await goThrough(await attach(rig))).toSorted()).toEqual(['a', 'b', 'c', 'd'])
        const whole = await rig.durable()
        const points = await rig.crashPoints()
        expect(points).toBeGreaterThan(whole.length)
        for (let point = 0; point < points; point++) {
          const ground = await attach(await rigged(await rig.crashedAt(point)))
          const { history } = ground
          expect(history).toEqual(whole.slice(0, history.length))
          const nodes = nodesOf(history)
          expect(nodes.includes('begin')).toBe(nodes.includes('begin/2'))
          expect(nodes.filter(node => node === 'b').length === 2).toBe(nodes.includes('b/2'))
          const performed = await goThrough(ground)
          const ended = history.filter(event => event.type === 'node-succeeded').map(event => event.node)
          expect(performed.toSorted()).toEqual(['a', 'b', 'c', 'd'].filter(key => !ended.includes(key)))
        }
      })
    })

    describe('a runner that was taken over', () => {
      it('is told so, has its effects aborted, and records nothing more', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        const reached = Promise.withResolvers<AbortSignal>()
        ground.run('a', started('a'), async ({ signal }) => {
          reached.resolve(signal)
          await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
          return [succeeded('a')]
        })
        const signal = await reached.promise
        const holder = await rig.takeOver()
        expect(await ground.next()).toEqual({ type: 'lease-lost', holder })
        expect(signal.aborted).toBe(true)
        expect(codeOf(() => ground.record([skipped('late')]))).toBe('fenced')
        expect(codeOf(() => ground.run('late', null, async () => []))).toBe('fenced')
        await expect(ground.next()).rejects.toMatchObject({ code: 'fenced' })
        expect(nodesOf(await rig.durable())).toEqual(['a'])
      })

      it('finds out when it writes, before anything counts', async () => {
        const rig = await rigged()
        const ground = await attach(rig)
        const holder = await rig.takeOver()
        try {
          ground.record([skipped('late')])
        } catch (error) {
          expect(error).toMatchObject({ code: 'fenced' })
        }
        expect(await ground.next()).toEqual({ type: 'lease-lost', holder })
        expect(await rig.durable()).toEqual([])
      })
    })

    it('refuses a second next while one is pending', async () => {
      const ground = await attach(await rigged())
      const first = ground.next()
      expect(codeOf(() => ground.next())).toBe('next-pending')
      ground.sleep('a', 0)
      expect(await first).toEqual({ type: 'slept', key: 'a' })
    })
  })
}
