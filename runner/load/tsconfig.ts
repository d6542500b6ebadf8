/**
 * The team's own tsconfig.json, as far as bundling and checking need to know it.
 *
 * Role: finds the one that governs a definition and every file that it extends, so that a change to any
 * of them is noticed.
 * Boundary: reads `extends` and `paths` only. What the options mean is esbuild's and the compiler's business.
 */
import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { readText } from './keep.ts'
import type { Project } from './project.ts'

export interface TeamConfig {
  /** tsconfig.json, absolute. */
  readonly path: string
  /** It and every file that it extends. */
  readonly files: readonly string[]
  /** Its path aliases with absolute targets. */
  readonly paths: Readonly<Record<string, readonly string[]>>
}

interface RawConfig {
  readonly extends?: string | readonly string[]
  readonly compilerOptions?: {
    readonly baseUrl?: string
    readonly paths?: Readonly<Record<string, readonly string[]>>
  }
}

/** The nearest tsconfig.json from the definition's folder up to the project's; undefined where there is none. */
export const teamConfigPath = (project: Project): string | undefined =>
  nearest(dirname(project.definition), project.root)

/** Reads the project's tsconfig.json and what it extends. Damaged JSON counts as empty: the compiler says so. */
export function findTeamConfig(project: Project): TeamConfig | undefined {
  const path = teamConfigPath(project)
  if (path === undefined) return undefined
  const chain = readChain(path, new Set())
  const withPaths = chain.findLast(({ raw }) => raw.compilerOptions?.paths !== undefined)
  return {
    path,
    files: chain.map(config => config.path),
    paths: withPaths === undefined ? {} : absolutePaths(withPaths),
  }
}

function nearest(folder: string, root: string): string | undefined {
  const path = join(folder, 'tsconfig.json')
  if (existsSync(path)) return path
  return folder === root || dirname(folder) === folder ? undefined : nearest(dirname(folder), root)
}

interface Link {
  readonly path: string
  readonly raw: RawConfig
}

/** What is extended comes before what extends it, so that the last word is the nearest. */
function readChain(path: string, seen: Set<string>): readonly Link[] {
  if (seen.has(path)) return []
  seen.add(path)
  const raw = parseJsonWithComments(readText(path) ?? '{}')
  const parents = [raw.extends ?? []].flat().flatMap(name => resolveExtended(name, path) ?? [])
  return [...parents.flatMap(parent => readChain(parent, seen)), { path, raw }]
}

function resolveExtended(name: string, from: string): string | undefined {
  if (name.startsWith('.') || isAbsolute(name)) {
    const path = resolve(dirname(from), name)
    return [path, `${path}.json`].find(candidate => statSync(candidate, { throwIfNoEntry: false })?.isFile())
  }
  const require = createRequire(from)
  for (const request of [name, `${name}.json`, `${name}/tsconfig.json`]) {
    try {
      return require.resolve(request)
    } catch {
      // The next form of the name is tried; the compiler says what it thinks of a name that has none.
    }
  }
  return undefined
}

/** How a tsconfig writes its own folder. */
const CONFIG_FOLDER = /^\$\{configDir\}/

function absolutePaths({ path, raw }: Link): TeamConfig['paths'] {
  const base = resolve(dirname(path), raw.compilerOptions?.baseUrl ?? '.')
  return Object.fromEntries(
    Object.entries(raw.compilerOptions?.paths ?? {}).map(([alias, targets]) => [
      alias,
      targets.map(target => resolve(base, target.replace(CONFIG_FOLDER, dirname(path)))),
    ]),
  )
}

const STRING_OR_COMMENT = /("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g
const STRING_OR_TRAILING_COMMA = /("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g

function parseJsonWithComments(text: string): RawConfig {
  const json = text
    .replace(/^\uFEFF/, '')
    .replace(STRING_OR_COMMENT, (_, string: string | undefined) => string ?? ' ')
    .replace(STRING_OR_TRAILING_COMMA, (_, string: string | undefined) => string ?? '')
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
