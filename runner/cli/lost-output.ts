/**
 * What could not be written, to a full disk for one, must not look as if it had been.
 */

/** Whoever read what we print has gone, as in `release logs RUN | head`: there is no more to say, and nothing failed. */
export const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EPIPE'

/** Says on stderr, once, that output was lost, and lets the process exit with 1. */
export function watchOutput(stream: NodeJS.WriteStream, stderr: () => NodeJS.WriteStream): void {
  stream.on('error', error => {
    if (isGone(error) || process.exitCode === 1) return
    process.exitCode = 1
    stderr().write(`error[output-lost]: what was to be printed could not be written: ${error.message}\n`)
  })
}
