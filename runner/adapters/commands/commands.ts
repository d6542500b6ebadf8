/**
 * Runs a plan's commands.
 *
 * Role: the adapter of the port `Commands`. Boundary: arguments come as an array and go to the program as they are; no
 * shell sees them. How the program comes to run is a {@link Launch}'s business.
 *
 *  CO1. A command's whole process group has ended when its result is there.
 *  CO2. Nothing that it prints is shown or kept before it is scrubbed.
 *  CO3. That it failed is a result. What is thrown is that it could not be started at all.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { isReleaseError, ReleaseError } from '../../../src/errors.ts'
import type { PlanCommand } from '../../../src/plan/plan.ts'
import type { CommandContext, CommandResult, Commands, ScrubbingSecrets } from '../../../src/run/ports.ts'
import type { Ending, Launch, Start } from './launch.ts'
import { createOutput } from './output.ts'
import { defaultGrace } from './process-group.ts'
import { launchQuickly } from './quick-launch.ts'
import type { ChildrenOptions } from './supervise.ts'

export interface CommandsOptions {
  /** The project's folder, absolute: a command's `cwd` is relative to it. */
  readonly root: string
  /** Added to the runner's own environment as it is now. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly secrets: Pick<ScrubbingSecrets, 'scrubber'>
  /** Where running commands are put on record, so that a later runner can end them; null: nowhere. */
  readonly children?: ChildrenOptions | null
  /** Between SIGTERM and SIGKILL when a command is ended, in milliseconds. */
  readonly grace?: number
  /** How programs are started; left out, the quickest way that there is on this machine. */
  readonly launch?: Launch
}

/**
 * Runs commands, without a shell. A command whose signal is aborted ends with `signal` in its result, and so does one
 * that was never started because of it.
 *
 * Fails with code `command-empty`, `command-not-found`, `command-folder`, `command-failed-to-start`, `command-cut-off`
 * or `command-not-ended`.
 */
export function processCommands(options: CommandsOptions): Commands {
  const launch = options.launch ?? launchQuickly()
  // Read once, because it is slow to read. What a step changes in it is not for commands: it would be gone after a resume.
  const base = { ...process.env, ...options.env }
  return {
    async run(command, context) {
      judge(command)
      if (context.signal.aborted) return neverStarted
      const began = performance.now()
      const output = createOutput({ write: context.write, scrubber: () => options.secrets.scrubber() })
      const start = startOf(command, context, { ...options, base })
      const ending = await settled(
        launch({ ...start, stdout: output.stdout, stderr: output.stderr }),
        command,
      )
      output.end()
      if (ending.kind === 'not-started') throw notStarted(ending.cause, command, start.cwd)
      const duration = performance.now() - began
      return { exitCode: ending.exitCode, signal: ending.signal, output: output.tail(), duration }
    },
  }
}

const neverStarted: CommandResult = { exitCode: null, signal: 'SIGTERM', output: '', duration: 0 }

const startOf = (
  command: PlanCommand,
  context: CommandContext,
  options: CommandsOptions & Pick<Start, 'base'>,
): Omit<Start, 'stdout' | 'stderr'> => ({
  argv: command.argv,
  cwd: resolve(options.root, command.cwd),
  base: options.base,
  env: context.env ?? {},
  signal: context.signal,
  children: options.children ?? null,
  node: context.node ?? null,
  grace: options.grace ?? defaultGrace,
})

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

async function settled(launched: Promise<Ending>, { argv }: PlanCommand): Promise<Ending> {
  try {
    return await launched
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

function notStarted(cause: NodeJS.ErrnoException, { argv }: PlanCommand, cwd: string): ReleaseError {
  const { code } = cause
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
