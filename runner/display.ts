/**
 * Which view shows a run: the task list on a terminal, lines elsewhere, JSON lines with `--json`.
 *
 * Progress goes to stderr; JSON lines are the result and go to stdout.
 */
import type { Plan } from '../src/plan/plan.ts'
import type { Io } from './cli/io.ts'
import type { RunDisplay } from './execute.ts'
import { createRunView, type RunView } from './views/model.ts'
import { isDrawable, painterOf } from './views/terminal-text.ts'

export interface OpenedDisplay extends RunDisplay {
  readonly view: RunView
}

/** Shows a run of this plan. What was before `begin` is folded in, not told again. */
export function openDisplay(io: Io, plan: Plan): OpenedDisplay {
  const view = createRunView(plan)
  let shown: Shown | null = null
  return {
    view,
    event: (event, source) => {
      view.apply(event, source)
      if (source === 'live') shown?.event(event)
    },
    output: (node, chunk) => {
      view.output(node, chunk)
      shown?.output(node, chunk)
    },
    begin: async () => {
      shown = await (io.json ? showJson(io) : showText(io, view))
    },
    close: async () => shown?.close(),
  }
}

interface Shown {
  readonly event: (event: Parameters<RunDisplay['event']>[0]) => void
  readonly output: (node: string, chunk: string) => void
  readonly close: () => Promise<void>
}

async function showJson(io: Io): Promise<Shown> {
  const { startJsonLines } = await import('./views/jsonl.ts')
  const lines = startJsonLines(io.stdout)
  return { event: lines.event, output: lines.output, close: () => lines.stop() }
}

async function showText(io: Io, view: RunView): Promise<Shown> {
  const paint = painterOf({ color: io.color.stderr })
  const shown = isDrawable(io.stderr, io.env)
    ? await (await import('./host/task-list.ts')).startTaskList(view, {
        stream: io.stderr,
        color: io.color.stderr,
        now: Date.now,
      })
    : (await import('./views/lines.ts')).startLines(view, { stream: io.stderr, paint, now: Date.now })
  return { event: () => {}, output: () => {}, close: () => shown.stop() }
}
