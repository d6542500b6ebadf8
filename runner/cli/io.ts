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
  /** What the command was asked, under which its answer may be kept; left out: it is not to be. */
  readonly question?: string | null
  /** A person sits at it: stdin and stderr are terminals. */
  readonly interactive: boolean
}

/** Prints a document with `--json`, the text otherwise. */
export function print(io: Io, result: Result): void {
  io.stdout.write(printed(io, result))
}

/** What {@link print} prints. */
export const printed = (io: Io, { json, text }: Result): string =>
  io.json ? `${JSON.stringify(json, null, 2)}\n` : ensureNewline(text)

export interface Result {
  readonly json: unknown
  readonly text: string
}

const ensureNewline = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)
