import { InputError } from '../../src/errors.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { openDisplay } from '../display.ts'
import { follow } from '../journal/read.ts'
import { openedRun } from '../open-run.ts'
import { renderSummary } from '../views/status.ts'
import { painterOf } from '../views/terminal-text.ts'
import { type Command, wrong } from './command.ts'
import { stateFolder } from './state.ts'

/**
 * `release watch RUN`: shows a run that another terminal runs, until it ends or Ctrl-C, and changes nothing. With `--guard`
 * it watches what the run has released, and takes it back when a trigger of the definition's guard fires.
 */
export const watch: Command = {
  name: 'watch',
  usage: '[RUN]',
  summary:
    'Shows a run as it goes on in another terminal, until it ends. With --guard, watches over a release that is done.',
  example: 'release watch --guard',
  options: {
    guard: { help: 'measure what was released, and take it back when a trigger of its guard fires (exit 1)' },
    for: {
      value: 'TIME',
      help: 'with --guard: how long, from now (as the definition says, from the first watch)',
    },
  },
  takes: [0, 1],
  run: async (invocation, io) => {
    if (invocation.flag('guard')) {
      const { guard } = await import('./guarding.ts')
      return guard(invocation, io, stateFolder(invocation, io))
    }
    if (invocation.text('for') !== undefined)
      throw new InputError([
        wrong('option-alone', '--for says how long --guard watches', 'Write --guard --for 2h.'),
      ])
    const { folder, plan, events } = await openedRun(stateFolder(invocation, io), invocation.args[0])
    const display = openDisplay(io, plan)
    for (const event of events) display.event(event, 'history')
    await display.begin()
    const last = events.at(-1)
    let seen = 0
    const ended = new AbortController()
    const stop = (): void => ended.abort()
    process.once('SIGINT', stop).once('SIGTERM', stop)
    let over = last !== undefined && isOver(last)
    // An end that stands in the past may have been followed by a resume: only the last event tells.
    const look = setInterval(() => over && stop(), 250)
    await follow(
      folder.journal,
      event => {
        seen += 1
        if (seen <= events.length) return
        display.event(event, 'live')
        over = isOver(event)
      },
      ended.signal,
    )
    clearInterval(look)
    process.off('SIGINT', stop).off('SIGTERM', stop)
    await display.close()
    if (!io.json) {
      const paint = painterOf({ color: io.color.stderr })
      io.stderr.write(renderSummary(display.view.state, { paint, now: Date.now(), runner: 'unknown' }))
    }
    return 0
  },
}

const isOver = (event: RunEvent): boolean => event.type === 'run-finished' || event.type === 'run-left'
