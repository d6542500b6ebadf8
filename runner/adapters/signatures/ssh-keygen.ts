/**
 * The one door to `ssh-keygen` and `ssh-add`: the standard tools do all that concerns keys and signatures.
 *
 * Boundary: arguments as arrays, texts through files of mode 0600 in a folder of mode 0700 that is removed.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReleaseError } from '../../../src/errors.ts'

export interface ToolResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ToolOptions {
  readonly input?: string
  /** Whether a person can be asked for a passphrase. If not, a key that needs one fails at once. */
  readonly interactive?: boolean
  readonly env?: NodeJS.ProcessEnv
}

/** Long enough for a person to find the hardware key. */
const patience = { asked: 5 * 60_000, alone: 30_000 } as const

/** Runs a tool of OpenSSH to its end. Fails with code `ssh-missing` where it is not installed. */
export function runTool(
  tool: 'ssh-keygen' | 'ssh-add',
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ToolResult>()
  const interactive = options.interactive === true
  const env = options.env ?? process.env
  const child = spawn(tool, args, {
    env: interactive ? env : { ...env, ...nobodyToAsk },
    stdio: [options.input !== undefined ? 'pipe' : interactive ? 'inherit' : 'ignore', 'pipe', 'pipe'],
    // In a session of its own it has no terminal to ask at.
    detached: !interactive,
    timeout: interactive ? patience.asked : patience.alone,
    killSignal: 'SIGKILL',
  })
  let stdout = ''
  let stderr = ''
  child.stdout!.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr!.setEncoding('utf8').on('data', text => {
    stderr += text
    // The tool says there that a hardware key wants to be touched.
    if (interactive) process.stderr.write(text)
  })
  child.once('error', error => reject(missing(tool, error)))
  child.once('close', exitCode => resolve({ exitCode, stdout, stderr }))
  // A tool that ends without reading its input tells why by its exit code.
  child.stdin?.on('error', () => {}).end(options.input)
  return promise
}

const nobodyToAsk = { SSH_ASKPASS: '/bin/false', SSH_ASKPASS_REQUIRE: 'force' } as const

/** Hands texts to `use` as files, by name, and removes them whatever happens. */
export async function withFiles<Result>(
  texts: Readonly<Record<string, string>>,
  use: (path: (name: string) => string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'release-signature-'))
  try {
    for (const [name, text] of Object.entries(texts))
      await writeFile(join(folder, name), text, { mode: 0o600 })
    return await use(name => join(folder, name))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The line in which a tool says what is wrong: the last one that it wrote. */
export const lastLine = (text: string): string => text.trimEnd().split(/\r?\n/).at(-1)!.trim()

const missing = (tool: string, cause: Error): ReleaseError =>
  new ReleaseError('ssh-missing', `"${tool}" could not be run (${(cause as NodeJS.ErrnoException).code})`, {
    cause,
    hint: 'Approvals are signed and checked by OpenSSH 8.2 or newer: install it (package openssh-client).',
  })
