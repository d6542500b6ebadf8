/**
 * The one door to zx: loaded when a step first asks for its `$`, and set up so that nothing of it is left to chance.
 *
 * zx by itself takes settings from the environment (`ZX_…`), looks for bash, and starts it with a socket for
 * stdin, at which bash may read `~/.bashrc`. So every setting is given here: plain `sh`, no prefix, stdin
 * closed, no output of its own, and our own way of starting and ending programs.
 */
import type { Options, Shell as ZxShell } from 'zx/core'
import { ReleaseError } from '../../../src/errors.ts'

/** What every command has in common. */
export const commonOptions = {
  shell: '/bin/sh',
  prefix: '',
  postfix: '',
  detached: true,
  preferLocal: false,
  sync: false,
  nothrow: true,
  quiet: true,
  verbose: false,
} as const satisfies Partial<Options>

let loaded: Promise<ZxShell> | undefined

/** zx's `$`. Its core is a fifth of the whole, and all that is needed. Asked for once: each `import()` takes its time. */
export function loadZx(): Promise<ZxShell> {
  loaded ??= import('zx/core').then(({ $ }) => $)
  return loaded
}

/** Puts a text in quotes for `sh`, whatever it holds. zx's own quoting is bash's `$'…'`, which `sh` does not know. */
export function quote(text: string): string {
  if (text.includes('\0')) {
    throw new ReleaseError(
      'shell-argument',
      'an argument of a command holds a NUL character, which no argument can',
      {
        hint: 'Remove it, or hand the text over in a file or as the input.',
      },
    )
  }
  return /^[\w/.\-@:=+,%]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
