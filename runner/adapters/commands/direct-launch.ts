/**
 * Starts a program from this very process: the way that is always there.
 *
 * Boundary: one program a call; what is left of its group is supervise.ts's business.
 */
import type { ChildProcess } from 'node:child_process'
import type { Ending, Launch, Start } from './launch.ts'
import { supervise } from './supervise.ts'

/** Starts programs with node's own `spawn`, which stops this process for about a millisecond each time. */
export const launchDirectly: Launch = async start => {
  const [file = '', ...args] = start.argv
  const supervised = supervise(() => ({ file, args }), start)
  const child = attempt(() =>
    supervised.spawn('', [], {
      cwd: start.cwd,
      env: { ...start.base, ...start.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  if (child instanceof Error) return { kind: 'not-started', cause: child }
  const ending = endingOf(child, start)
  await supervised.over()
  return ending
}

/** Most refusals of the system come as an event, those of the arguments are thrown. */
function attempt<T>(start: () => T): T | NodeJS.ErrnoException {
  try {
    return start()
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
}

function endingOf(child: ChildProcess, { stdout, stderr }: Start): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>()
  child.once('error', cause => resolve({ kind: 'not-started', cause }))
  child.once('exit', (exitCode, signal) => resolve({ kind: 'ended', exitCode, signal }))
  child.stdout?.on('data', stdout)
  child.stderr?.on('data', stderr)
  return promise
}
