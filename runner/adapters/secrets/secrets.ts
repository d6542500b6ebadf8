/**
 * Secrets from the environment, from files and from commands.
 *
 * Role: the adapter of the port `Secrets`. Boundary: values live in this module's memory and nowhere else.
 *
 *  SE1. A value is read when it is first asked for, once; a failure is not remembered, so that a retry reads again.
 *  SE2. From the moment a value is handed out it is scrubbed from all text.
 *  SE3. No error, message or log of ours holds a value, nor what a command printed while it looked for one.
 *  SE4. A value that is too short to be scrubbed is refused: it would stand in ordinary output by chance.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ReleaseError } from '../../../src/errors.ts'
import type { EnvValue, PlanSecret } from '../../../src/plan/plan.ts'
import type { ScrubbingSecrets } from '../../../src/run/ports.ts'
import { createScrubber, type Disguise, disguisesOf, scrub, shortestSecret } from '../../../src/run/scrub.ts'

export interface SecretsOptions {
  /** The project's folder, absolute: paths are relative to it and commands start in it. */
  readonly root: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** How long a secret's command may take, in milliseconds. */
  readonly commandTimeout?: number
}

/**
 * The secrets that a plan names.
 *
 * `read` fails with code `secret-missing` (nothing is there), `secret-too-short` (less than four characters) or
 * `secret-unknown` (the plan has no secret of this name).
 */
export function createSecrets(secrets: readonly PlanSecret[], options: SecretsOptions): ScrubbingSecrets {
  const values = new Map<string, Promise<string>>()
  let disguises: readonly Disguise[] = []

  const learn = async (secret: PlanSecret): Promise<string> => {
    const value = judged(secret, await find(secret, options))
    disguises = [...disguises, ...disguisesOf(secret.name, value)]
    return value
  }

  const read = (name: string): Promise<string> => {
    const known = values.get(name)
    if (known !== undefined) return known
    const secret = secrets.find(s => s.name === name)
    if (secret === undefined) return Promise.reject(unknownSecret(name, secrets))
    const value = learn(secret)
    values.set(name, value)
    value.catch(() => values.delete(name))
    return value
  }

  return {
    read,
    resolve: async (value: EnvValue) => ('value' in value ? value.value : await read(value.secret)),
    scrub: text => scrub(text, disguises),
    scrubber: () => createScrubber(() => disguises),
  }
}

/** The value as it is found, or null where nothing is. */
function find(secret: PlanSecret, options: SecretsOptions): Promise<string | null> {
  switch (secret.from) {
    case 'env':
      return Promise.resolve(options.env[secret.variable] ?? null)
    case 'file':
      return fromFile(secret, options)
    case 'command':
      return fromCommand(secret, options)
  }
}

async function fromFile(
  secret: Extract<PlanSecret, { from: 'file' }>,
  options: SecretsOptions,
): Promise<string | null> {
  try {
    return withoutNewline(await readFile(resolve(options.root, secret.path), 'utf8'))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return null
    throw new ReleaseError(
      'secret-missing',
      `the secret ${secret.name} cannot be read from the file ${secret.path} (${code ?? 'unreadable'})`,
      { hint: 'Make it a file that the person who runs the release may read.' },
    )
  }
}

function fromCommand(
  secret: Extract<PlanSecret, { from: 'command' }>,
  options: SecretsOptions,
): Promise<string | null> {
  const [program = '', ...args] = secret.argv
  const { promise, resolve: settle, reject } = Promise.withResolvers<string | null>()
  const settings = {
    cwd: options.root,
    env: options.env as NodeJS.ProcessEnv,
    timeout: options.commandTimeout ?? 60_000,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 20,
  } as const
  const child = execFile(program, args, settings, (error, stdout) => {
    // Neither the error's own text nor stderr is passed on: both may hold what the command found (SE3).
    if (error === null) settle(withoutNewline(stdout))
    else reject(commandFailed(secret, error as NodeJS.ErrnoException & { killed?: boolean; signal?: string }))
  })
  child.stdin?.end()
  return promise
}

function commandFailed(
  secret: Extract<PlanSecret, { from: 'command' }>,
  error: { readonly code?: unknown; readonly killed?: boolean; readonly signal?: string },
): ReleaseError {
  const [program] = secret.argv
  const how =
    error.code === 'ENOENT'
      ? 'was not found'
      : error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
        ? 'printed more than 1 MiB'
        : error.killed === true
          ? 'did not end in time'
          : typeof error.code === 'number'
            ? `ended with exit code ${error.code}`
            : `was ended by ${error.signal ?? String(error.code)}`
  return new ReleaseError(
    'secret-missing',
    `the secret ${secret.name} could not be read: its command "${program}" ${how}`,
    { hint: `Run it by hand to see why: ${secret.argv.join(' ')}` },
  )
}

function judged(secret: PlanSecret, value: string | null): string {
  if (value === null || value === '') throw missing(secret, value)
  if (value.length >= shortestSecret && value.trim().length >= shortestSecret) return value
  throw new ReleaseError(
    'secret-too-short',
    `the secret ${secret.name} (${placeOf(secret)}) has fewer than ${shortestSecret} characters, so that it could not be taken out of logs`,
    { hint: 'Use a longer secret; what is that short and not secret can be a param.' },
  )
}

function missing(secret: PlanSecret, value: string | null): ReleaseError {
  const state = value === null ? 'is missing' : 'is empty'
  const hints = {
    env: 'Set the variable in the environment of the command that runs or resumes the release.',
    file: 'Write the value into the file. The path is relative to the folder of the nearest package.json.',
    command: 'The command has to print the value on its standard output.',
  } as const
  return new ReleaseError(
    'secret-missing',
    `the secret ${secret.name} ${state}: looked for in ${placeOf(secret)}`,
    {
      hint: hints[secret.from],
    },
  )
}

function placeOf(secret: PlanSecret): string {
  switch (secret.from) {
    case 'env':
      return `the environment variable ${secret.variable}`
    case 'file':
      return `the file ${secret.path}`
    case 'command':
      return `the output of "${secret.argv.join(' ')}"`
  }
}

function unknownSecret(name: string, secrets: readonly PlanSecret[]): ReleaseError {
  const known = secrets.map(secret => secret.name).join(', ')
  return new ReleaseError('secret-unknown', `the plan has no secret "${name}"`, {
    hint: known === '' ? 'It has none at all: name it with secret().' : `It has these: ${known}.`,
  })
}

/** Editors and commands end a text with a newline that does not belong to the value. */
const withoutNewline = (text: string): string => text.replace(/\r?\n$/, '')
