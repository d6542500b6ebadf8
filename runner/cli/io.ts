/**
 * Where a command reads and writes: results to stdout, progress and errors to stderr.
 */

export interface Io {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: NodeJS.ProcessEnv
  /** The working directory, absolute. */
  readonly cwd: string
  readonly json: boolean
  /** Whether stdout, or stderr, may be coloured. */
  readonly color: { readonly stdout: boolean; readonly stderr: boolean }
  /** A person sits at it: stdin and stderr are terminals. */
  readonly interactive: boolean
}

/** Prints a document with `--json`, the text otherwise. */
export function print(io: Io, result: { readonly json: unknown; readonly text: string }): void {
  io.stdout.write(io.json ? `${JSON.stringify(result.json, null, 2)}\n` : ensureNewline(result.text))
}

const ensureNewline = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)
