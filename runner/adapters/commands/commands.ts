/**
 * Runs a plan's commands.
 *
 * Role: the adapter of the port `Commands`, on zx. Boundary: arguments come as an array and go to the program
 * as they are; no shell sees them.
 *
 *  CO1. A command's whole process group has ended when its result is there.
 *  CO2. Nothing that it prints is shown or kept before it is scrubbed.
 *  CO3. That it failed is a result. What is thrown is that it could not be started at all.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { isReleaseError, ReleaseError } from '../../../src/errors.ts'
import type { PlanCommand } from '../../../src/plan/plan.ts'
import type { CommandResult, Commands, ScrubbingSecrets } from '../../../src/run/ports.ts'
import { createOutput, type Output } from './output.ts'
import { type ChildrenOptions, type Supervised, supervise } from './supervise.ts'
import { commonOptions, loadZx } from './zx.ts'

export interface CommandsOptions {
  /** The project's folder, absolute: a command's `cwd` is relative to it. */
  readonly root: string
  /** Added to the runner's own environment. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly secrets: Pick<ScrubbingSecrets, 'scrubber'>
  /** Where running commands are put on record, so that a later runner can end them; null: nowhere. */
  readonly children?: ChildrenOptions | null
  /** Between SIGTERM and SIGKILL when a command is ended, in milliseconds. */
  readonly grace?: number
}

/**
 * Runs commands on zx, without a shell. A command whose signal is aborted ends with `signal` in its result, and so does one
 * that was never started because of it.
 *
 * Fails with code `command-empty`, `command-not-found`, `command-folder` or `command-failed-to-start`.
 */
export const zxCommands = (options: CommandsOptions): Commands => ({
  async run(command, context) {
    judge(command)
    const zx = await loadZx()
    if (context.signal.aborted) return neverStarted
    const began = performance.now()
    const cwd = resolve(options.root, command.cwd)
    const supervised = supervise(() => ({ file: command.argv[0]!, args: command.argv.slice(1) }), {
      signal: context.signal,
      children: options.children ?? null,
      node: context.node ?? null,
      grace: options.grace,
    })
    const output = createOutput({ write: context.write, scrubber: () => options.secrets.scrubber() })
    const ended = await zx({
      ...commonOptions,
      cwd,
      env: { ...process.env, ...options.env, ...context.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      spawn: supervised.spawn,
      store: keepNothing(),
      log: entry => forward(entry, output),
      quote: String,
    })`${command.argv[0]}`
    await settled(supervised, command)
    output.end()
    if (ended.cause !== null && ended.cause !== undefined) throw notStarted(ended.cause, command, cwd)
    const duration = performance.now() - began
    return { exitCode: ended.exitCode, signal: ended.signal, output: output.tail(), duration }
  },
})

const neverStarted: CommandResult = { exitCode: null, signal: 'SIGTERM', output: '', duration: 0 }

/** zx would keep all that is printed, to the last byte; what is needed goes by the log. */
function keepNothing() {
  const nothing = () => Object.assign([], { push: () => 0 })
  return { stdout: nothing(), stderr: nothing(), stdall: nothing() }
}

function forward(entry: { readonly kind: string; readonly data?: unknown }, output: Output): void {
  if (entry.kind === 'stdout') output.stdout(entry.data as Buffer)
  else if (entry.kind === 'stderr') output.stderr(entry.data as Buffer)
}

function judge({ argv }: PlanCommand): void {
  if (argv.length === 0 || argv[0] === '') {
    throw new ReleaseError('command-empty', 'a command has no program to run', {
      hint: 'Name the program as the first argument.',
    })
  }
  const nul = argv.findIndex(text => text.includes('\0'))
  if (nul < 0) return
  throw new ReleaseError('command-failed-to-start', `argument ${nul} of "${argv[0]}" holds a NUL character`, {
    hint: 'No program can be given such an argument: remove the character.',
  })
}

async function settled(supervised: Supervised, { argv }: PlanCommand): Promise<void> {
  try {
    await supervised.over()
  } catch (error) {
    if (isReleaseError(error)) throw error
    throw new ReleaseError(
      'command-not-ended',
      `the command "${argv[0]}" could not be ended: ${(error as Error).message}`,
      {
        cause: error,
        hint: 'Such a process hangs in the kernel, mostly on a disk or a network share that does not answer. End it, then resume the run.',
      },
    )
  }
}

function notStarted(cause: Error, { argv }: PlanCommand, cwd: string): ReleaseError {
  const { code } = cause as NodeJS.ErrnoException
  const program = argv[0]!
  if (!isFolder(cwd)) {
    return new ReleaseError(
      'command-folder',
      `"${program}" cannot start in ${cwd}: there is no such folder`,
      {
        hint: 'Correct `cwd`; it is relative to the folder of the nearest package.json.',
      },
    )
  }
  if (code === 'ENOENT' || code === 'EACCES') {
    const why = code === 'ENOENT' ? 'was not found' : 'may not be executed'
    return new ReleaseError('command-not-found', `the program "${program}" ${why}`, {
      hint: 'Install it, or correct its name. Programs are looked for in the PATH of the command that runs the release.',
    })
  }
  return new ReleaseError(
    'command-failed-to-start',
    `"${program}" could not be started (${code ?? cause.message})`,
    {
      cause,
      hint:
        code === 'E2BIG' ? 'Its arguments are too long for the system: hand them over in a file.' : undefined,
    },
  )
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
