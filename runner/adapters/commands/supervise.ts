/**
 * One command from its start to the end of the last process that it started.
 *
 * Role: starts a program in a process group of its own and sees to its end. Boundary: knows neither zx nor
 * output; gives zx, and whoever else starts programs in this process, the function to do it with.
 *
 *       started ── the program exits ──▶ what is left of its group is ended ──▶ over
 *          └────── the signal aborts ──▶ the group, and whoever carries the node's token, is ended ──▶ over
 *
 *  SU1. `over` settles only when no process of the group is left.
 *  SU2. A pipe that a process outside the group holds open does not keep the command from ending.
 *  SU3. The group is on record from its start to its end.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { forgetChild, recordChild, tokenOf } from './children.ts'
import { defaultGrace, endProcesses, groupIsAlive, tokenVariable } from './process-group.ts'
import { canSignal } from './processes.ts'

/** Where running commands are put on record. */
export interface ChildrenOptions {
  /** `<run's folder>/children`, absolute. */
  readonly dir: string
  /** The run's id. */
  readonly run: string
}

export interface SupervisionOptions {
  readonly signal: AbortSignal
  /** null: nothing is recorded, and a crash of the runner leaves the command running. */
  readonly children: ChildrenOptions | null
  readonly node: string | null
  /** Between SIGTERM and SIGKILL, in milliseconds. */
  readonly grace?: number | undefined
}

/** What a command is started as, in place of what zx would have started. */
export type Program = (shell: string) => { readonly file: string; readonly args: readonly string[] }

export interface Supervised {
  /** For zx, in place of node's own. */
  readonly spawn: typeof spawn
  /** Settles when everything that was started has ended; pids that could not be ended make it fail. */
  over(): Promise<void>
}

/** Pipes whose last writer has gone are read to their end in no time; a stranger can hold them for ever. In milliseconds. */
export const patienceWithPipes = 1000

/** Supervises one command. */
export function supervise(program: Program, options: SupervisionOptions): Supervised {
  let over: Promise<void> = Promise.resolve()
  const start = (line: string, _args: readonly string[], settings: SpawnOptions): ChildProcess => {
    const { file, args } = program(line)
    const { signal: _signal, shell: _shell, ...rest } = settings
    const env = { ...rest.env, ...tokenOfNode(options) }
    const child = spawn(file, args, { ...rest, env, detached: true })
    if (child.pid !== undefined) over = seeToTheEnd(child, child.pid, options)
    // Whoever awaits `over` is told; whoever does not must not bring the process down.
    over.catch(() => {})
    return child
  }
  return { spawn: start as unknown as typeof spawn, over: () => over }
}

const tokenOfNode = ({ children, node }: SupervisionOptions): Record<string, string> =>
  children === null ? {} : { [tokenVariable]: tokenOf(children.run, node ?? '') }

async function seeToTheEnd(child: ChildProcess, pid: number, options: SupervisionOptions): Promise<void> {
  const { children, signal } = options
  const tokens = Object.values(tokenOfNode(options))
  const grace = options.grace ?? defaultGrace
  try {
    if (children !== null) recordChild(children.dir, pid, tokens[0]!)
    const aborted = await exitOrAbort(child, signal)
    const left = aborted
      ? await endProcesses({ groups: [pid], tokens }, grace)
      : await endLeftoversOf(pid, grace)
    await closePipes(child)
    if (left.length > 0) throw new Error(`processes ${left.join(', ')} are still there in spite of SIGKILL`)
  } catch (error) {
    // Nobody would know of a command that could not be put on record (SU3).
    await endProcesses({ groups: [pid], tokens: [] }, grace)
    throw error
  } finally {
    if (children !== null) forgetChild(children.dir, pid)
  }
}

/** Ends what a program has left in its group. The usual case costs one system call: nothing is left. */
export const endLeftoversOf = (pid: number, grace: number): Promise<readonly number[]> =>
  canSignal(-pid) && groupIsAlive(pid)
    ? endProcesses({ groups: [pid], tokens: [] }, grace)
    : Promise.resolve([])

function exitOrAbort(child: ChildProcess, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const onAbort = (): void => resolve(true)
  const onExit = (): void => resolve(false)
  child.once('exit', onExit)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  return promise.finally(() => {
    child.off('exit', onExit)
    signal.removeEventListener('abort', onAbort)
  })
}

/** Closes the pipes when nothing has come through them for a while although the program has ended (SU2). */
async function closePipes(child: ChildProcess): Promise<void> {
  const pipes = [child.stdout, child.stderr].filter(pipe => pipe !== null)
  if (pipes.every(pipe => pipe.closed)) return
  const close = (): void => {
    for (const pipe of pipes) pipe.destroy()
  }
  let heard = false
  // Where this process itself did not get to run for so long, there may be something to read all the same.
  const timer = setTimeout(() => {
    heard = false
    setImmediate(() => heard || close())
  }, patienceWithPipes)
  const more = (): void => {
    heard = true
    timer.refresh()
  }
  for (const pipe of pipes) pipe.on('data', more)
  await Promise.all(pipes.map(pipe => (pipe.closed ? null : once(pipe, 'close'))))
  clearTimeout(timer)
}
