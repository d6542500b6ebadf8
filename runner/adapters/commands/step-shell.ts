/**
 * The `$` of a team's steps: zx's, with everything that it starts under the node's supervision.
 *
 * Boundary: satisfies `Shell` of src/definition/step.ts by its shape. Here, unlike in a plan's commands, there
 * is a shell: that is what a step is for.
 *
 *  SS1. What is put into a command becomes one argument, quoted; nothing in it is a command to the shell.
 *  SS2. What a command prints goes to the node's log, scrubbed; the step itself gets it as it was printed.
 *  SS3. A failure names the command, its exit code and the last lines, scrubbed, and keeps nothing unscrubbed.
 *  SS4. When the node is aborted nothing new starts, and what runs is ended with all that it started.
 */
import { resolve } from 'node:path'
import type { Shell as ZxShell } from 'zx/core'
import { ReleaseError } from '../../../src/errors.ts'
import type { ScrubbingSecrets } from '../../../src/run/ports.ts'
import { createOutput, type Output } from './output.ts'
import { type ChildrenOptions, supervise } from './supervise.ts'
import { commonOptions, loadZx, quote } from './zx.ts'

export interface StepShellOptions {
  /** The project's folder, absolute: where commands start, and what `cwd` is relative to. */
  readonly root: string
  /** Added to the runner's own environment. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly secrets: Pick<ScrubbingSecrets, 'scrub' | 'scrubber'>
  /** Aborted when the node is. */
  readonly signal: AbortSignal
  /** The node's log, scrubbed. */
  readonly write: (text: string) => void
  /** The node's key. */
  readonly node?: string
  readonly children?: ChildrenOptions | null
  /** Between SIGTERM and SIGKILL, in milliseconds. */
  readonly grace?: number
  /** How much a command may print before it is ended, in bytes: what it prints is kept for the step. */
  readonly limit?: number
}

/** What a command printed, and how it ended. */
export interface StepOutput {
  readonly stdout: string
  readonly stderr: string
  /** null where a signal ended it. */
  readonly exitCode: number | null
  readonly signal: string | null
  text(): string
  json<T = unknown>(): T
  lines(): string[]
  /** Without the last line break, so that it can be put into another command. */
  toString(): string
}

export interface StepProcess extends Promise<StepOutput> {
  text(): Promise<string>
  json<T = unknown>(): Promise<T>
  lines(): Promise<string[]>
  nothrow(): StepProcess
  quiet(): StepProcess
}

export interface CallOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly input?: string
  readonly nothrow?: boolean
  readonly quiet?: boolean
}

export interface StepShell {
  (pieces: TemplateStringsArray, ...values: readonly unknown[]): StepProcess
  (options: CallOptions): StepShell
}

/** 64 MiB: far more than is read as a value, far less than hurts. */
const defaultLimit = 64 * 1024 * 1024

/** How many of the last lines go into a failure. */
const tailLines = 20

/**
 * The `$` for one node.
 *
 * A command that does not end with exit code 0 fails with code `exit-code` (or `signal`), one that prints more
 * than `limit` with `output-limit`, an argument that cannot be meant (undefined, an object) with
 * `shell-argument`, and one that is called after the node was aborted with `cancelled`.
 */
export async function stepShell(options: StepShellOptions): Promise<StepShell> {
  const zx = await loadZx()
  return shellWith(zx, options, {})
}

function shellWith(zx: ZxShell, options: StepShellOptions, call: CallOptions): StepShell {
  function shell(first: TemplateStringsArray | CallOptions, ...values: readonly unknown[]) {
    return isTemplate(first)
      ? start(zx, options, call, lineOf(first, values))
      : shellWith(zx, options, { ...call, ...first, env: { ...call.env, ...first.env } })
  }
  return shell as StepShell
}

const isTemplate = (value: TemplateStringsArray | CallOptions): value is TemplateStringsArray =>
  Array.isArray(value)

/** How one command is run; changed by `nothrow()` and `quiet()` before it can end. */
interface Manner {
  nothrow: boolean
  quiet: boolean
}

function start(zx: ZxShell, options: StepShellOptions, call: CallOptions, line: string): StepProcess {
  const manner: Manner = { nothrow: call.nothrow ?? false, quiet: call.quiet ?? false }
  // A turn later, so that `quiet()` comes before the first line of the log.
  const ended = Promise.resolve().then(() => perform({ zx, options, call, line, manner }))
  const process: StepProcess = Object.assign(ended, {
    text: () => ended.then(output => output.text()),
    json: <T>() => ended.then(output => output.json<T>()),
    lines: () => ended.then(output => output.lines()),
    nothrow: () => {
      manner.nothrow = true
      return process
    },
    quiet: () => {
      manner.quiet = true
      return process
    },
  })
  return process
}

interface Performance {
  readonly zx: ZxShell
  readonly options: StepShellOptions
  readonly call: CallOptions
  readonly line: string
  readonly manner: Manner
}

async function perform({ zx, options, call, line, manner }: Performance): Promise<StepOutput> {
  if (options.signal.aborted) throw cancelled(options, line)
  const tooMuch = new AbortController()
  const supervised = supervise(text => ({ file: commonOptions.shell, args: ['-c', text] }), {
    signal: AbortSignal.any([options.signal, tooMuch.signal]),
    children: options.children ?? null,
    node: options.node ?? null,
    grace: options.grace,
  })
  const printed = keep(options.limit ?? defaultLimit, () => tooMuch.abort())
  const output = createOutput({
    write: text => manner.quiet || options.write(text),
    scrubber: () => options.secrets.scrubber(),
  })
  if (!manner.quiet) options.write(options.secrets.scrub(`$ ${line}\n`))
  const ended = await zx({
    ...commonOptions,
    cwd: resolve(options.root, call.cwd ?? ''),
    env: { ...process.env, ...options.env, ...call.env },
    // An empty input is no input: zx would wait for more.
    stdio: [call.input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    ...(call.input ? { input: call.input } : {}),
    spawn: tolerant(supervised.spawn),
    store: printed.store,
    log: entry => forward(entry, output),
    quote: String,
  })`${line}`
  await supervised.over()
  output.end()
  if (tooMuch.signal.aborted) throw overLimit(options, line)
  if (ended.cause !== null && ended.cause !== undefined) throw notStarted(options, call, line, ended.cause)
  const result = outputOf(printed.stdout(), printed.stderr(), ended, name(options, line))
  if (manner.nothrow || result.exitCode === 0) return result
  throw options.signal.aborted ? cancelled(options, line) : failed(options, line, result, output.tail())
}

/** A program that does not read its input to the end is no failure of ours: its exit code tells. */
function tolerant(spawn: ReturnType<typeof supervise>['spawn']): typeof spawn {
  const start = (...args: Parameters<typeof spawn>): ReturnType<typeof spawn> => {
    const child = spawn(...args)
    child.stdin?.on('error', () => {})
    return child
  }
  return start as typeof spawn
}

function forward(entry: { readonly kind: string; readonly data?: unknown }, output: Output): void {
  // After the end zx completes a last line that has no line break: the log does not need it.
  if (entry.kind === 'stdout') output.stdout(entry.data as Buffer)
  else if (entry.kind === 'stderr') output.stderr(entry.data as Buffer)
}

/** Keeps what is printed, for the step, up to a limit for both streams together. */
function keep(limit: number, onLimit: () => void) {
  let size = 0
  const list = () => {
    const chunks: Buffer[] = []
    const push = (chunk: Buffer): number => {
      size += chunk.length
      if (size > limit) onLimit()
      return size > limit ? chunks.length : chunks.push(chunk)
    }
    return { chunks, seen: Object.assign([], { push }) }
  }
  const out = list()
  const err = list()
  return {
    store: { stdout: out.seen, stderr: err.seen, stdall: Object.assign([], { push: () => 0 }) } as never,
    stdout: () => Buffer.concat(out.chunks).toString('utf8'),
    stderr: () => Buffer.concat(err.chunks).toString('utf8'),
  }
}

function outputOf(
  stdout: string,
  stderr: string,
  ended: { readonly exitCode: number | null; readonly signal: string | null },
  name: string,
): StepOutput {
  return {
    stdout,
    stderr,
    exitCode: ended.exitCode,
    signal: ended.signal,
    text: () => stdout,
    json: () => readJson(stdout, name),
    lines: () =>
      stdout
        .replace(/\r?\n$/, '')
        .split(/\r?\n/)
        .slice(0, stdout === '' ? 0 : undefined),
    toString: () => stdout.replace(/\r?\n$/, ''),
  }
}

/** The text itself is not repeated: it may hold secrets. */
function readJson<T>(text: string, name: string): T {
  try {
    return JSON.parse(text) as T
  } catch {
    throw new ReleaseError('not-json', `\`${name}\` did not print JSON on its standard output`, {
      hint: 'Have it print nothing else there; messages belong on its standard error.',
    })
  }
}

/** A template and its values as one line for `sh`. */
function lineOf(pieces: TemplateStringsArray, values: readonly unknown[]): string {
  return pieces.reduce((line, piece, i) => `${line}${argument(values[i - 1], i)}${piece}`)
}

function argument(value: unknown, position: number): string {
  if (Array.isArray(value)) return value.map(item => argument(item, position)).join(' ')
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'number':
    case 'boolean':
    case 'bigint':
      return quote(String(value))
    case 'object':
      if (value !== null && 'stdout' in value && typeof value.stdout === 'string') {
        return quote(value.stdout.replace(/\r?\n$/, ''))
      }
  }
  const what = value === undefined || value === null ? String(value) : describe(value)
  throw new ReleaseError(
    'shell-argument',
    `value ${position} of a command is ${what}, which is no argument`,
    {
      hint: 'Put in strings, numbers, booleans, arrays of them, or the awaited output of another command.',
    },
  )
}

const describe = (value: unknown): string =>
  value instanceof Promise
    ? 'a promise: await it first'
    : `a${typeof value === 'object' ? 'n' : ''} ${typeof value}`

function failed(options: StepShellOptions, line: string, result: StepOutput, tail: string): ReleaseError {
  const how = result.signal === null ? `exit code ${result.exitCode}` : `signal ${result.signal}`
  const lines = tail.trimEnd().split('\n').slice(-tailLines).join('\n')
  const message = `\`${name(options, line)}\` ended with ${how}`
  return new ReleaseError(
    result.signal === null ? 'exit-code' : 'signal',
    lines === '' ? message : `${message}:\n${lines}`,
    {
      tail: lines,
      hint:
        result.exitCode === 127
          ? 'The shell did not find a program: install it, or correct its name.'
          : undefined,
    },
  )
}

function notStarted(options: StepShellOptions, call: CallOptions, line: string, cause: Error): ReleaseError {
  const where = resolve(options.root, call.cwd ?? '')
  const message = `\`${name(options, line)}\` could not be started in ${where} (${(cause as NodeJS.ErrnoException).code ?? cause.name})`
  return new ReleaseError('command-failed-to-start', message, {
    hint: 'Look whether that folder is there, and whether the command is too long for the system.',
  })
}

const overLimit = (options: StepShellOptions, line: string): ReleaseError =>
  new ReleaseError(
    'output-limit',
    `\`${name(options, line)}\` printed more than ${options.limit ?? defaultLimit} bytes and was ended`,
    { hint: "What a step's command prints is kept in memory: let it write to a file." },
  )

const cancelled = (options: StepShellOptions, line: string): ReleaseError =>
  new ReleaseError('cancelled', `\`${name(options, line)}\` was not finished: the step was stopped`)

/** The first line is enough to know a command by. Scrubbed before it is cut, so that no half of a secret stays. */
function name(options: StepShellOptions, line: string): string {
  const [first = '', ...more] = options.secrets.scrub(line).trim().split('\n')
  const cut = first.length > 200 ? `${first.slice(0, 200)}…` : first
  return more.length > 0 ? `${cut} …` : cut
}
