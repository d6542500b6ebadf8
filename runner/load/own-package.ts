/**
 * Where this very program lies, and which file a definition's `import … from 'release-as-code'` means.
 *
 * Role: lets a definition import the language wherever it lies, with or without our package near it.
 * Boundary: looks only beside the running code. In an install that is `dist`, in the source tree `runner`.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const PACKAGE_NAME = 'release-as-code'

export interface OwnPackage {
  /** The folder of our package.json, absolute. */
  readonly root: string
  readonly version: string
  /** The module that is bundled into a definition. */
  readonly entry: string
  /** The module whose types a definition is checked against. */
  readonly types: string
}

/** Whether the program runs from its sources, and not as it was built. */
export const isSourceTree = (): boolean => fileURLToPath(import.meta.url).endsWith('.ts')

let found: OwnPackage | undefined

/** Finds the package that the running code belongs to; read once. */
export function ownPackage(): OwnPackage {
  found ??= locateOwnPackage(fileURLToPath(import.meta.url))
  return found
}

function locateOwnPackage(running: string): OwnPackage {
  const root = packageRootAbove(dirname(running))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  return isSourceTree()
    ? { root, version, entry: join(root, 'src/index.ts'), types: join(root, 'src/index.ts') }
    : { root, version, entry: join(root, 'dist/index.js'), types: join(root, 'dist/types/src/index.d.ts') }
}

function packageRootAbove(folder: string): string {
  const manifest = join(folder, 'package.json')
  if (existsSync(manifest)) {
    const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string }
    if (name === PACKAGE_NAME) return folder
  }
  const parent = dirname(folder)
  if (parent === folder) throw new Error(`the package ${PACKAGE_NAME} was not found above its own code`)
  return packageRootAbove(parent)
}

/** Whether a file is part of the language or the program rather than of a team's definition. */
export function isOwnFile(path: string): boolean {
  const { root } = ownPackage()
  return ['src', 'dist', 'runner'].some(folder => path.startsWith(`${join(root, folder)}/`))
}
