/** The drawn terminal: nothing that stays is lost, whatever happens to the terminal. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FRAME, Screen } from '../../runner/host/screen.ts'
import { startTaskList } from '../../runner/host/task-list.ts'
import { createRunView } from '../../runner/views/model.ts'
import { createNarrator } from '../../runner/views/narrator.ts'
import { painterOf } from '../../runner/views/terminal-text.ts'
import { TerminalDouble } from '../fixtures/terminal-double.ts'
import { stories, viewPlan, widePlan } from '../fixtures/view-plan.ts'

// Frames come when the test says so; everything else is real.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())
const nextFrame = (): void => void vi.advanceTimersByTime(FRAME)

describe('the screen', () => {
  const screenOn = (terminal: TerminalDouble, live: { lines: string[] }) => {
    const screen = new Screen({ stream: terminal, draw: () => live.lines, gather: () => [] })
    screen.start()
    return screen
  }

  test('lines that stay stand above the live part, which is drawn over', async () => {
    const terminal = new TerminalDouble({ columns: 40, rows: 10 })
    const live = { lines: ['live 1', 'live 2'] }
    const screen = screenOn(terminal, live)
    nextFrame()
    expect(terminal.screen).toBe('live 1\nlive 2')
    screen.print(['first', 'second'])
    live.lines = ['live 3']
    nextFrame()
    expect(terminal.screen).toBe('first\nsecond\nlive 3')
    screen.print(['third'])
    await screen.stop()
    expect(terminal.everything).toEqual(['first', 'second', 'third', ''])
  })

  test('writes nothing while nothing changes', () => {
    const terminal = new TerminalDouble({ columns: 40, rows: 10 })
    screenOn(terminal, { lines: ['same'] })
    nextFrame()
    nextFrame()
    nextFrame()
    expect(terminal.writes).toHaveLength(1)
  })

  test('draws no frame while the terminal drains, and loses no line', async () => {
    const terminal = new TerminalDouble({ columns: 40, rows: 10 })
    const live = { lines: ['0'] }
    const screen = screenOn(terminal, live)
    terminal.slow = true
    nextFrame()
    for (let i = 1; i <= 5; i += 1) {
      screen.print([`line ${i}`])
      live.lines = [`${i}`]
      nextFrame()
    }
    expect(terminal.writes).toHaveLength(1)
    terminal.slow = false
    terminal.drain()
    nextFrame()
    expect(terminal.screen).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n5')
    await screen.stop()
  })

  test('a terminal that is gone ends the drawing and nothing else', async () => {
    const terminal = new TerminalDouble({ columns: 40, rows: 10 })
    const live = { lines: ['0'] }
    const screen = screenOn(terminal, live)
    nextFrame()
    terminal.breakPipe()
    live.lines = ['1']
    nextFrame()
    await screen.stop()
    expect(terminal.writes).toHaveLength(1)
  })

  test('leaves the terminal usable at any moment', async () => {
    const terminal = new TerminalDouble({ columns: 40, rows: 10 })
    const screen = screenOn(terminal, { lines: ['live'] })
    screen.print(['stays'])
    nextFrame()
    await screen.stop()
    for (const write of terminal.writes) {
      expect(write.startsWith('\x1b[?2026h')).toBe(true)
      expect(write.endsWith('\x1b[?2026l')).toBe(true)
      expect(write).not.toContain('\x1b[?25l')
    }
  })
})

/** Small and seeded, so that what fails once fails always. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('a run on a terminal', () => {
  test('nothing that stays is lost at any width, at any resize, at any pace', {
    timeout: 30_000,
  }, async () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      for (const make of Object.values(stories)) {
        const random = randomFrom(seed)
        const { plan, events, at } = make()
        const terminal = new TerminalDouble({
          columns: 5 + random(120),
          rows: 3 + random(40),
          reflow: seed % 2 === 0,
        })
        const view = createRunView(plan)
        const told: string[] = []
        const narrator = createNarrator(view, {
          paint: painterOf({ color: false }),
          names: 'place',
          detail: 'ends',
        })
        const list = await startTaskList(view, { stream: terminal, color: false, now: () => at })
        view.subscribe(change => told.push(...narrator.tell(change)))
        for (const event of events) {
          view.apply(event)
          const dice = random(6)
          if (dice < 3) nextFrame()
          if (dice === 3) terminal.resize(5 + random(120), 3 + random(40))
          if (dice === 4)
            view.output('staging/smoke', 'x'.repeat(random(300)) + (random(2) === 0 ? '\n' : ''))
          if (dice === 5) {
            terminal.slow = !terminal.slow
            if (!terminal.slow) terminal.drain()
          }
        }
        terminal.slow = false
        terminal.drain()
        await list.stop()
        // How skipped nodes are gathered into lines depends on when the frames come; none may be missing.
        const stays = told.filter(line => !line.startsWith('–'))
        expect(inOrder(stays, terminal.everything), `seed ${seed}`).toEqual([])
        expect(skippedIn(terminal.everything), `seed ${seed}`).toBe(
          events.filter(event => event.type === 'node-skipped').length,
        )
      }
    }
  })

  test('the same frame by frame: what a person sees of a failure', async () => {
    const { plan, events } = stories.rolledBack()
    const terminal = new TerminalDouble({ columns: 72, rows: 16 })
    const view = createRunView(plan)
    let now = 0
    const list = await startTaskList(view, { stream: terminal, color: false, now: () => now })
    const failed = events.findIndex(event => event.type === 'rollback-planned') + 2
    for (const event of events.slice(0, failed)) view.apply(event)
    now = events[failed - 1]!.at + 400
    nextFrame()
    expect(terminal.screen).toMatchInlineSnapshot(`
      "    hint: Look at the instance’s output: release logs.
          │ listening on 40123
          │ no database
      ↶ rollback 1, because production · auth-service: instance 2 of 2 failed:
       3 effects to take back, newest first
          ! staging · smoke stays: smoke mails cannot be unsent
      phoenix 3.0.0 · 9 of 11 done · 1 running · 2 ready · 2 min 10 s · phoe…
      ✗ root cause: production · auth-service: instance 2 of 2: auth-service…
       ! preflight   2 of 2, 1 warning  2.1 s
       ✓ staging     4 of 4  4.3 s
       ✓ go-live     1 of 1  2 min
       ✗ production  1 of 3, 1 failed  3.6 s
       · announce    1 node, waits for production
       ▸ rollback 1  0 of 3  500 ms
         ⠇ auth-service: instance 1 of 2  400 ms"
    `)
    for (const event of events.slice(failed)) view.apply(event)
    await list.stop()
    expect(terminal.screen.split('\n').at(-1)).toBe('✗ phoenix-3.0.0-1a2b failed in 2 min 13 s')
  })

  test('a stopped list leaves no live part, also when the run has not ended', async () => {
    const terminal = new TerminalDouble({ columns: 72, rows: 16 })
    const view = createRunView(viewPlan)
    const list = await startTaskList(view, { stream: terminal, color: true, now: () => 0 })
    nextFrame()
    list.print('a line of the command')
    await list.stop()
    expect(terminal.everything).toEqual(['a line of the command', ''])
  })

  test('what was history is drawn, and not told again', async () => {
    const { plan, events } = stories.retry()
    const terminal = new TerminalDouble({ columns: 100, rows: 24 })
    const view = createRunView(plan)
    const list = await startTaskList(view, { stream: terminal, color: false, now: () => events.at(-1)!.at })
    for (const event of events) view.apply(event, 'history')
    nextFrame()
    expect(terminal.screen.split('\n')[0]).toContain('4 of 11 done')
    await list.stop()
    expect(terminal.everything).toEqual([''])
  })

  test('rows of a large plan stay within the terminal', async () => {
    const terminal = new TerminalDouble({ columns: 60, rows: 12 })
    const view = createRunView(widePlan(2000))
    const list = await startTaskList(view, { stream: terminal, color: false, now: () => 0 })
    for (const node of view.state.plan.nodes)
      view.apply({ type: 'node-started', node: node.key, attempt: 1, at: 0 })
    nextFrame()
    expect(terminal.screen.split('\n')).toHaveLength(10)
    await list.stop()
  })
})

/**
 * The lines that do not stand in `all`, in this order. A terminal that reflows may take a stale piece of the live
 * part and the line after it for one.
 */
function inOrder(lines: readonly string[], all: readonly string[]): readonly string[] {
  let at = 0
  return lines.filter(line => {
    const found = all.findIndex((whole, i) => i >= at && whole.endsWith(line.trimEnd()))
    if (found >= 0) at = found + 1
    return found < 0
  })
}

/** How many nodes the lines say to be skipped. */
const skippedIn = (lines: readonly string[]): number =>
  lines
    .map(line => /– (?:(\d+) nodes skipped|.*: skipped, )/.exec(line))
    .reduce((sum, found) => sum + (found === null ? 0 : Number(found[1] ?? 1)), 0)
