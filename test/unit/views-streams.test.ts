/** Lines and JSON lines: slow readers, readers that go away, silence. */
import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startJsonLines } from '../../runner/views/jsonl.ts'
import { heartbeatLine, startLines } from '../../runner/views/lines.ts'
import { createRunView } from '../../runner/views/model.ts'
import type { OutStream } from '../../runner/views/stream-writer.ts'
import { painterOf } from '../../runner/views/terminal-text.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { eventSamples } from '../fixtures/event-samples.ts'
import { BEGIN, stories } from '../fixtures/view-plan.ts'

class Pipe extends EventEmitter implements OutStream {
  text = ''
  slow = false
  write(text: string, done?: () => void): boolean {
    this.text += text
    queueMicrotask(() => done?.())
    return !this.slow
  }
}

const everyEvent = Object.values(eventSamples).flat() as RunEvent[]

describe('JSON lines', () => {
  test('every event is a line, unchanged and in order; output stands between', async () => {
    const pipe = new Pipe()
    const json = startJsonLines(pipe)
    for (const event of everyEvent) json.event(event)
    json.output('staging/smoke', 'half a line, "quoted"\u2028')
    await json.stop()
    const lines = pipe.text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines).toEqual([
      ...everyEvent,
      { type: 'output', node: 'staging/smoke', chunk: 'half a line, "quoted"\u2028' },
    ])
  })

  test('a slow reader gets every event; output that is far behind is dropped, and said to be', async () => {
    const pipe = new Pipe()
    pipe.slow = true
    const json = startJsonLines(pipe)
    json.event(everyEvent[0]!)
    for (let i = 0; i < 6; i += 1) json.output('staging/smoke', 'x'.repeat(256 * 1024))
    for (const event of everyEvent) json.event(event)
    pipe.slow = false
    pipe.emit('drain')
    json.output('staging/smoke', 'again\n')
    await json.stop()
    const lines = pipe.text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines.filter(({ type }) => type !== 'output')).toEqual([everyEvent[0], ...everyEvent])
    expect(lines.slice(-2)).toEqual([
      {
        type: 'output',
        node: 'staging/smoke',
        chunk: '… 1048576 characters left out: the reader is too slow\n',
      },
      { type: 'output', node: 'staging/smoke', chunk: 'again\n' },
    ])
  })

  test('stop waits for a slow reader', async () => {
    const pipe = new Pipe()
    pipe.slow = true
    const json = startJsonLines(pipe)
    for (const event of everyEvent) json.event(event)
    const ended = vi.fn()
    const stopped = json.stop().then(ended)
    await Promise.resolve()
    expect(ended).not.toHaveBeenCalled()
    pipe.slow = false
    pipe.emit('drain')
    await stopped
    expect(pipe.text.trimEnd().split('\n')).toHaveLength(everyEvent.length)
  })

  test('a reader that goes away ends the writing and nothing else, however late it is noticed', async () => {
    const pipe = new Pipe()
    pipe.slow = true
    const json = startJsonLines(pipe)
    json.event(everyEvent[0]!)
    const before = pipe.text
    pipe.emit('error', new Error('write EPIPE'))
    for (const event of everyEvent) json.event(event)
    await json.stop()
    pipe.emit('error', new Error('write EPIPE'))
    expect(pipe.text).toBe(before)
  })
})

describe('plain lines', () => {
  beforeEach(() => void vi.useFakeTimers({ now: BEGIN, toFake: ['setInterval', 'clearInterval', 'Date'] }))
  afterEach(() => void vi.useRealTimers())

  const play = (until: (event: RunEvent) => boolean = () => false) => {
    const { plan, events } = stories.rolledBack()
    const pipe = new Pipe()
    const view = createRunView(plan)
    const lines = startLines(view, { stream: pipe, paint: painterOf({ color: false }), now: Date.now })
    const end = events.findIndex(until)
    for (const event of events.slice(0, end < 0 ? undefined : end + 1)) {
      // The approval takes minutes, which are not waited through here.
      vi.setSystemTime(Math.min(event.at, BEGIN + 20_000))
      view.apply(event)
    }
    return { pipe, view, lines }
  }

  test('begin with the time, and hold what nodes print', async () => {
    const { pipe, view, lines } = play(
      event => event.type === 'node-started' && event.node === 'staging/smoke',
    )
    view.output('staging/smoke', 'asking /ord')
    view.output('staging/smoke', 'ers\n\x1b[32mok\x1b[0m')
    view.apply({ type: 'node-cancelled', node: 'staging/smoke', because: 'cancel', at: Date.now() })
    await lines.stop()
    expect(pipe.text.split('\n').slice(-6).join('\n')).toMatchInlineSnapshot(`
      "    5.5s  ✓ staging/auth-service/verify           auth-service: check what runs (1.0 s)
          5.6s  ▸ staging/smoke                         smoke
          5.6s  staging/smoke | asking /orders
          5.6s  staging/smoke | ok
          5.6s  – staging/smoke                         smoke: stopped, because the run was cancelled
      "
    `)
  })

  test('gather what is skipped, and say it soon', async () => {
    const { pipe, lines } = play(event => event.type === 'node-skipped' && event.node === 'announce/mail')
    expect(pipe.text).not.toContain('skipped')
    vi.advanceTimersByTime(200)
    expect(pipe.text).toContain('– 2 nodes skipped')
    await lines.stop()
  })

  test('break a silence of ten seconds, and again each ten', async () => {
    const { pipe, lines } = play(event => event.type === 'node-waiting')
    const before = pipe.text.length
    vi.advanceTimersByTime(9_900)
    expect(pipe.text.length).toBe(before)
    vi.advanceTimersByTime(15_000)
    expect(pipe.text.slice(before)).toMatchInlineSnapshot(`
      "   16.6s  … 6 of 11 done; waits for: go-live/go-live (1 release-manager and 1 platform-owner until 2024-03-18 08:00:06 UTC)
         26.6s  … 6 of 11 done; waits for: go-live/go-live (1 release-manager and 1 platform-owner until 2024-03-18 08:00:06 UTC)
      "
    `)
    await lines.stop()
  })

  const heartbeatOf = ({ plan, events, at }: ReturnType<typeof stories.retry>): string => {
    const view = createRunView(plan)
    for (const event of events) view.apply(event)
    view.apply({ type: 'node-started', node: 'production/auth-service/1', attempt: 1, at })
    return heartbeatLine(view.state, at + 5000)
  }

  test('say what runs and what is tried again', () =>
    expect(heartbeatOf(stories.retry())).toMatchInlineSnapshot(
      `"… 4 of 11 done; runs: production/auth-service/1 (5.0 s); waits for: staging/auth-service/verify (attempt 1 of 3 failed, again at 2024-03-15 08:00:10 UTC)"`,
    ))
  test('say what runs and what a person has to say', () =>
    expect(heartbeatOf(stories.uncertain())).toMatchInlineSnapshot(
      `"… 5 of 11 done; runs: production/auth-service/1 (5.0 s); waits for: staging/smoke (a person says whether it happened)"`,
    ))

  test('a line of the command stands between', async () => {
    const { pipe, lines } = play(event => event.type === 'run-started')
    lines.print('press Ctrl-C to stop')
    await lines.stop()
    expect(pipe.text).toContain('  press Ctrl-C to stop\n')
  })
})
