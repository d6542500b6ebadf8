/**
 * Which definition is meant, and the folder that it belongs to.
 *
 * Invariants:
 *  1. `root` and `definition` are real paths: no symlink is left in them, so that paths relative to
 *     `root` come out the same whichever way the project was reached.
 *  2. Nothing is created here.
 */
import { existsSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { InputError } from '../../src/errors.ts'

/** What is meant where no file is named. */
export const DEFAULT_DEFINITION = 'release.config.ts'
const EXTENSIONS = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs']

export interface Project {
  /** Folder of the nearest package.json above the definition (the definition's own, where there is none). Absolute. */
  readonly root: string
  /** The definition's file. Absolute. */
  readonly definition: string
  /** Where runs, bundles and checks are kept. Absolute; may not exist yet. */
  readonly state: string
  /** A path as it is written in plans and messages: relative to `root`, with `/` between folders. */
  readonly relative: (path: string) => string
}

export interface ProjectOptions {
  /** The working directory, absolute. */
  readonly cwd: string
  /** `--state`, relative to `cwd`; left out: `.release` in the project's folder. */
  readonly state?: string
}

/**
 * Finds the project of a definition.
 *
 * @param file relative to `cwd`; left out: `release.config.ts` in `cwd`
 * @throws InputError `no-definition` where there is no such file, or it is no module
 */
export async function findProject(file: string | undefined, options: ProjectOptions): Promise<Project> {
  const definition = findDefinition(file, options.cwd)
  const root = nearestPackage(dirname(definition)) ?? dirname(definition)
  return {
    root,
    definition,
    state: options.state === undefined ? join(root, '.release') : resolve(options.cwd, options.state),
    relative: path => relative(root, path).split(sep).join('/'),
  }
}

function findDefinition(file: string | undefined, cwd: string): string {
  const path = resolve(cwd, file ?? DEFAULT_DEFINITION)
  const kind = lookAt(path)
  if (kind === undefined) throw noDefinition(missing(file, path), missingHint(file, cwd))
  if (!kind.isFile()) {
    const inside = existsSync(join(path, DEFAULT_DEFINITION))
    const hint = inside ? `say ${join(file ?? '.', DEFAULT_DEFINITION)}` : 'name the TypeScript file itself'
    throw noDefinition(`${path} is a folder, not a definition`, hint)
  }
  if (!EXTENSIONS.some(extension => path.endsWith(extension)))
    throw noDefinition(
      `${path} is not a TypeScript or JavaScript module`,
      'name the file that exports the release',
    )
  return realpathSync(path)
}

/** undefined: nothing is there. A name that is too long, or a folder that may not be looked into, is no defect of ours. */
function lookAt(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw noDefinition(`the definition cannot be looked at: ${(error as Error).message}`, 'name another file')
  }
}

const missing = (file: string | undefined, path: string): string =>
  file === undefined
    ? `no definition was named, and there is no ${path}`
    : `there is no definition at ${path}`

function missingHint(file: string | undefined, cwd: string): string {
  if (file === undefined)
    return 'name the file: release check releases/phoenix.ts; or write one with: release init'
  const extension = EXTENSIONS.find(e => existsSync(resolve(cwd, `${file}${e}`)))
  return extension === undefined
    ? `look for a misspelling; the name is taken relative to ${cwd}`
    : `did you mean ${file}${extension}?`
}

const noDefinition = (message: string, hint: string): InputError =>
  new InputError([{ code: 'no-definition', severity: 'error', message, hint }])

function nearestPackage(folder: string): string | undefined {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  return parent === folder ? undefined : nearestPackage(parent)
}
