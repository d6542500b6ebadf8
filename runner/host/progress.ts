/**
 * What a command shows of a run while it goes on: a drawn tree, plain lines, or JSON lines, as the place calls for.
 *
 * Boundary: the one thing that commands need to know of the views. Progress goes to stderr; only `--json` writes
 * to stdout.
 */

import type { Plan } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { type JsonLines, startJsonLines } from '../views/jsonl.ts'
import { startLines } from '../views/lines.ts'
import { createRunView, type RunView } from '../views/model.ts'
import type { OutStream } from '../views/stream-writer.ts'
import { isDrawable, painterOf, wantsColor } from '../views/terminal-text.ts'
import { startTaskList } from './task-list.ts'

export interface ProgressOptions {
  /** What was recorded before: taken in without being told. */
  readonly history: readonly RunEvent[]
  /** json: the events on stdout and nothing on stderr. quiet: nothing is shown. */
  readonly show: 'people' | 'json' | 'quiet'
  readonly stdout: OutStream
  readonly stderr: OutStream
  readonly env: Readonly<Record<string, string | undefined>>
  readonly noColor: boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export interface Progress {
  /** The view that is shown; commands read it for their summaries. */
  readonly view: RunView
  /** The next event, once it is recorded. */
  event(event: RunEvent): void
  /** What a node's process printed, secrets scrubbed. */
  output(node: string, chunk: string): void
  /** A line of the command's own. With `json` it is not shown. */
  print(line: string): void
  /** Shows what is left and gives the terminal back. */
  stop(): Promise<void>
}

/** Begins to show the run of this plan. */
export async function startProgress(plan: Plan, options: ProgressOptions): Promise<Progress> {
  const view = createRunView(plan)
  for (const event of options.history) view.apply(event)
  const shown = await show(view, options)
  return {
    view,
    event(event) {
      view.apply(event)
      shown.json?.event(event)
    },
    output(node, chunk) {
      view.output(node, chunk)
      shown.json?.output(node, chunk)
    },
    print: line => shown.print(line),
    stop: () => shown.stop(),
  }
}

interface Shown {
  readonly json?: JsonLines
  print(line: string): void
  stop(): Promise<void>
}

async function show(view: RunView, options: ProgressOptions): Promise<Shown> {
  const { stderr, env, now } = options
  if (options.show === 'quiet') return { print: () => {}, stop: async () => {} }
  if (options.show === 'json') {
    const json = startJsonLines(options.stdout)
    return { json, print: () => {}, stop: () => json.stop() }
  }
  const color = wantsColor(stderr, env, options)
  if (isDrawable(stderr, env)) return startTaskList(view, { stream: stderr, color, now })
  return startLines(view, { stream: stderr, paint: painterOf({ color }), now })
}
