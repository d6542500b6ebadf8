/**
 * Where the runs are, for commands that name a run and no definition.
 */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Invocation } from './command.ts'
import type { Io } from './io.ts'

/** `--state`, else the nearest `.release` from the working directory upwards, else the one that a run here would make. */
export function stateFolder(invocation: Invocation, io: Io): string {
  const named = invocation.text('state')
  if (named !== undefined) return resolve(io.cwd, named)
  return nearest(io.cwd) ?? join(io.cwd, '.release')
}

function nearest(folder: string): string | null {
  const state = join(folder, '.release')
  if (existsSync(join(state, 'runs'))) return state
  const parent = dirname(folder)
  return parent === folder ? null : nearest(parent)
}
