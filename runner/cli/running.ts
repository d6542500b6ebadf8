/**
 * What `run`, `resume` and `rollback` share: showing a run to its end and saying how it ended.
 */
import { hostname } from 'node:os'
import { parseDuration } from '../../src/compile/units.ts'
import { InputError } from '../../src/errors.ts'
import type { Plan } from '../../src/plan/plan.ts'
import type { Unstamped } from '../../src/run/events.ts'
import { openDisplay } from '../display.ts'
import { type Execution, execute, exitCodeOf, INTERPRETER } from '../execute.ts'
import { whoami } from '../identity.ts'
import type { RunMeta } from '../journal/run-store.ts'
import { renderSummary } from '../views/status.ts'
import { painterOf } from '../views/terminal-text.ts'
import { type Invocation, type Option, wrong } from './command.ts'
import type { Io } from './io.ts'

export const WAIT_OPTION: Option = {
  value: 'TIME',
  help: 'how long to stay when only a person is waited for: a duration or `forever` (on a terminal: forever; elsewhere: 0s)',
}

/** Milliseconds; Infinity for `forever`. @throws InputError for what is no duration */
export function readPatience(invocation: Invocation, io: Io): number {
  const text = invocation.text('wait')
  if (text === undefined) return io.interactive ? Infinity : 0
  const millis = text === 'forever' ? Infinity : parseDuration(text)
  if (millis !== null) return millis
  throw new InputError([
    wrong(
      'not-a-duration',
      `--wait ${text}: that is no duration`,
      'Say how long, as in --wait 90s, or --wait forever.',
    ),
  ])
}

/** A run's first event. It says what the run's description says, so that a run killed before it still begins as it was asked to. */
export const beginning = (meta: RunMeta): Unstamped => ({
  type: 'run-started',
  run: meta.run,
  release: meta.release,
  version: meta.version,
  plan: meta.plan,
  bundle: meta.bundle,
  who: meta.who,
  only: meta.only ?? null,
})

/** This very process takes a run up. */
export const attached = (who: string): Unstamped => ({
  type: 'runner-attached',
  who,
  host: hostname(),
  pid: process.pid,
  interpreter: INTERPRETER,
})

/** Runs, shows, sums up on stderr, and returns the exit code. The first line on stdout names the run. */
export async function runAndShow(
  io: Io,
  request: Omit<Execution, 'display' | 'env' | 'who'> & { readonly plan: Plan },
): Promise<number> {
  if (!io.json) io.stdout.write(`run ${request.folder.id}\n`)
  const display = openDisplay(io, request.plan)
  const ended = await execute({ ...request, display, env: io.env, who: whoami(io.env, request.root) })
  if (!io.json) {
    const paint = painterOf({ color: io.color.stderr })
    io.stderr.write(renderSummary(display.view.state, { paint, now: Date.now(), runner: 'gone' }))
  }
  return exitCodeOf(ended)
}
