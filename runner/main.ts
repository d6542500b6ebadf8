/**
 * argv to exit code. The only place that sets it, and where every error ends up.
 */
import type { Diagnostic } from '../src/diagnostic.ts'
import { InputError, isReleaseError, type ReleaseError } from '../src/errors.ts'
import { COMMON, type Command, nearest, readInvocation, renderHelp, wrong } from './cli/command.ts'
import { COMMANDS, type CommandName } from './cli/commands.ts'
import type { Io } from './cli/io.ts'
import { isGone, watchOutput } from './cli/lost-output.ts'

/** @param question what it is asked, where the answer may be kept */
export async function main(argv: readonly string[], question: string | null): Promise<void> {
  const io = { ...processIo(argv), question }
  for (const stream of [io.stdout, io.stderr]) watchOutput(stream, () => io.stderr)
  const code = await answer(argv, io)
  process.exitCode ||= code
}

/** Carries a command line out and says whatever is wrong with it. Never rejects. Returns what to exit with. */
export const answer = (argv: readonly string[], io: Io): Promise<number> =>
  dispatch(argv, io).catch(error => (isGone(error) ? 0 : explain(error, io)))

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv
  if (name === '--version' || name === '-v') return printVersion(io)
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    return help(name === 'help' ? rest[0] : undefined, io)
  }
  if (!isCommand(name)) throw unknownCommand(name)
  const command = await COMMANDS[name].load()
  const invocation = readInvocation(command, rest)
  if (invocation.flag('help')) {
    io.stdout.write(renderHelp(command))
    return 0
  }
  return command.run(invocation, io)
}

const isCommand = (name: string): name is CommandName => Object.hasOwn(COMMANDS, name)

const unknownCommand = (name: string): InputError =>
  new InputError([
    wrong('unknown-command', `there is no command "${name}"`, nearest(name, Object.keys(COMMANDS))),
  ])

async function printVersion(io: Io): Promise<number> {
  const { ownPackage } = await import('./load/own-package.ts')
  io.stdout.write(`${ownPackage().version}\n`)
  return 0
}

async function help(name: string | undefined, io: Io): Promise<number> {
  if (name !== undefined) {
    if (!isCommand(name)) throw unknownCommand(name)
    const command: Command = await COMMANDS[name].load()
    io.stdout.write(renderHelp(command))
    return 0
  }
  const width = Math.max(...Object.keys(COMMANDS).map(key => key.length)) + 2
  const rows = Object.entries(COMMANDS).map(([key, { summary }]) => `  ${key.padEnd(width)}${summary}`)
  const common = Object.entries(COMMON).map(
    ([key, { help: text }]) => `  ${`--${key}`.padEnd(width + 2)}${text}`,
  )
  io.stdout.write(
    [
      'release <command> [arguments]: a release of many services, written as code.',
      '',
      ...rows,
      '',
      'Every command takes:',
      ...common,
      '',
      'Exit codes: 0 done, 1 the release failed, 2 the definition or an argument is wrong, 3 waiting,',
      '4 the state is in use or unusable, 5 done in part, 130 interrupted and resumable.',
      '',
      'Example:',
      '  release plan releases/phoenix.ts',
      '',
    ].join('\n'),
  )
  return 0
}

/** Says an error on stderr (with `--json` as a document on stdout) and what it exits with. */
async function explain(error: unknown, io: Io): Promise<number> {
  const code = isReleaseError(error) ? error.exitCode : 1
  const diagnostics = error instanceof InputError ? error.diagnostics : null
  if (io.json) io.stdout.write(`${JSON.stringify(errorDocument(error, diagnostics), null, 2)}\n`)
  if (diagnostics !== null) {
    const { renderDiagnostics } = await import('./load/code-frame.ts')
    io.stderr.write(
      `${renderDiagnostics(diagnostics, { root: rootOf(error) ?? io.cwd, color: io.color.stderr })}\n`,
    )
  } else {
    io.stderr.write(errorText(error, io))
  }
  return code
}

const rootOf = (error: unknown): string | undefined => (error as { root?: string }).root

const errorDocument = (error: unknown, diagnostics: readonly Diagnostic[] | null): unknown => ({
  error: isReleaseError(error)
    ? { code: error.code, message: error.message, hint: error.hint ?? null }
    : { code: 'internal', message: String(error), hint: null },
  ...(diagnostics === null ? {} : { diagnostics }),
})

function errorText(error: unknown, io: Io): string {
  if (!isReleaseError(error)) return `release: ${error instanceof Error ? error.stack : String(error)}\n`
  const { message, hint, code } = error as ReleaseError
  const red = io.color.stderr
    ? (text: string): string => `\u001b[31m${text}\u001b[39m`
    : (text: string) => text
  return `${red(`error[${code}]`)}: ${message}\n${hint === undefined ? '' : `  help: ${hint}\n`}`
}

function processIo(argv: readonly string[]): Io {
  const { stdout, stderr, env } = process
  const plain = argv.includes('--no-color') || (env.NO_COLOR !== undefined && env.NO_COLOR !== '')
  const colored = (stream: NodeJS.WriteStream): boolean =>
    !plain && stream.isTTY === true && env.TERM !== 'dumb'
  return {
    stdout,
    stderr,
    env,
    cwd: process.cwd(),
    json: argv.includes('--json'),
    color: { stdout: colored(stdout), stderr: colored(stderr) },
    interactive: process.stdin.isTTY === true && stderr.isTTY === true,
  }
}
