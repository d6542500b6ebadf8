/**
 * Where the local platform looks for a component's files, and how they say they are started.
 *
 * Boundary: reads a folder; starts nothing.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { splitCommandLine } from '../../../../src/compile/command-line.ts'
import { ReleaseError } from '../../../../src/errors.ts'
import { isCode } from '../../loopback/state-file.ts'

export interface LocalSource {
  /** Absolute; null: none of the places is there. */
  readonly folder: string | null
  /** The places that were looked at, absolute, in order. */
  readonly tried: readonly string[]
}

/**
 * A component's folder by convention: under the folder that has the definition's name, `<name>/<version>` if it
 * is there, else `<name>`.
 */
export const localSource = (definition: string, name: string, version: string): LocalSource => {
  const { dir, name: base } = path.parse(path.resolve(definition))
  const services = path.join(dir, base)
  const tried = [path.join(services, name, version), path.join(services, name)]
  return { folder: tried.find(folder => existsSync(folder)) ?? null, tried }
}

const HINT = 'Add "scripts": {"start": "node server.js"} to it, or say `start` at the component.'

/**
 * The program and arguments of the `start` script in the folder's package.json.
 * Fails with code `start-missing`, or `start-needs-shell` where only a shell could run it.
 */
export const startScript = async (folder: string): Promise<readonly string[]> => {
  const file = path.join(folder, 'package.json')
  const line = startOf(file, await readPackage(file))
  const split = splitCommandLine(line)
  if ('argv' in split) return split.argv
  throw new ReleaseError(
    'start-needs-shell',
    `The start script in ${file}, "${line}", cannot be run: ${split.error}.`,
    {
      hint: `${split.hint} Scripts are started directly, so that ending one ends the program and not a shell.`,
    },
  )
}

const readPackage = async (file: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    const why = isCode(cause, 'ENOENT') ? 'There is no' : 'The JSON cannot be read of'
    throw new ReleaseError('start-missing', `${why} ${file}, which would say how the component is started.`, {
      cause,
      hint: HINT,
    })
  }
}

const startOf = (file: string, value: unknown): string => {
  const { scripts } = (value ?? {}) as { scripts?: { start?: unknown } }
  const start = scripts?.start
  if (typeof start === 'string' && start.trim() !== '') return start
  throw new ReleaseError('start-missing', `${file} has no start script.`, { hint: HINT })
}
