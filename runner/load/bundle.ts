/**
 * The definition as one self-contained script, kept under its content hash.
 *
 * Role: what a run evaluates now and, from the copy that it keeps, when it resumes.
 *
 * Invariants:
 *  1. `hash` is the sha256 of `code`; kept code that has another hash is never evaluated.
 *  2. An unchanged definition is found again without esbuild: all files that went in, every tsconfig
 *     and package.json with a say in how they were resolved, this program's version and its settings
 *     are what they were.
 *  3. The hash covers no position in the sources and no folder: another checkout, or another comment,
 *     makes the same bundle. The map beside it is the newest one's.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Diagnostic } from '../../src/diagnostic.ts'
import { StateError } from '../../src/errors.ts'
import type { Sha256 } from '../../src/plan/plan.ts'
import { BUNDLE_SETTINGS, type CompiledBundle, compileBundle } from './compile-bundle.ts'
import { compareFingerprints, type Fingerprint, sha256, takeFingerprints } from './fingerprint.ts'
import { ensureStateFolder, keepFile, pruneKept, readKept, readText } from './keep.ts'
import { ownPackage } from './own-package.ts'
import type { Project } from './project.ts'
import { findTeamConfig, teamConfigPath } from './tsconfig.ts'

export interface Bundle {
  readonly hash: Sha256
  /** Where the code is kept; also the name of the script in V8's stack traces. Absolute. */
  readonly path: string
  /** The source map, whose sources are relative to the project's folder. */
  readonly mapPath: string
  readonly code: string
  /** The map's text where it is at hand; otherwise it is read from `mapPath` when it is asked. */
  readonly map?: string
  /** The files that went in, absolute; empty for a bundle that was opened rather than made. */
  readonly inputs: readonly string[]
  /** The inputs and whatever else had a say in what came out, absolute; empty for a bundle that was opened. */
  readonly files: readonly string[]
  /** What the bundler would have somebody look at. */
  readonly warnings: readonly Diagnostic[]
}

/** How a definition was bundled last. */
interface Manifest {
  readonly format: 1
  readonly hash: Sha256
  readonly inputs: readonly string[]
  /** Of the inputs and of what else had a say. */
  readonly files: readonly Fingerprint[]
  readonly warnings: readonly Diagnostic[]
}

/** Bundles kept for each state folder; a run has its own copy. */
const MOST_KEPT = 50

/**
 * Bundles a definition, or finds the bundle that was kept.
 *
 * @throws InputError with every syntax error and unresolved import, each with file, line and column
 */
export async function bundleDefinition(project: Project): Promise<Bundle> {
  return keptBundle(project) ?? (await freshBundle(project))
}

/**
 * Opens the copy of a bundle that a run keeps.
 *
 * @throws StateError `bundle-missing`, `bundle-changed` or `state-unusable`
 */
export async function openBundle(path: string, hash: Sha256): Promise<Bundle> {
  const code = readCode(path)
  if (sha256(code) !== hash)
    throw new StateError('bundle-changed', `${path} is not the definition that this run began with`, {
      hint: `its sha256 must be ${hash}: put the file back as it was`,
    })
  return { hash, path, mapPath: `${path}.map`, code, inputs: [], files: [], warnings: [] }
}

function readCode(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw new StateError('bundle-missing', `the definition that this run began with is gone: ${path}`, {
        hint: 'put the file back from a backup; without it the steps of this run cannot be run or undone',
      })
    throw new StateError('state-unusable', `${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: 'mend the cause (permissions, the disk), then say the same again',
    })
  }
}

function keptBundle(project: Project): Bundle | undefined {
  const path = manifestPath(project)
  const manifest = readKept<Manifest>(path)
  if (manifest?.format !== 1) return undefined
  const comparison = compareFingerprints(manifest.files, Date.now())
  if (comparison.kind === 'changed') return undefined
  const bundle = placeOf(project, { ...manifest, files: manifest.files.map(({ path }) => path) })
  const code = readText(bundle.path)
  if (code === undefined || sha256(code) !== manifest.hash || !existsSync(bundle.mapPath)) return undefined
  if (comparison.kind === 'rewritten')
    keepFile(path, JSON.stringify({ ...manifest, files: comparison.fresh }))
  return { ...bundle, code }
}

async function freshBundle(project: Project): Promise<Bundle> {
  const began = Date.now()
  const config = findTeamConfig(project)
  const compiled = await compileBundle(project, config?.path)
  const hash = sha256(compiled.code)
  const { inputs, warnings } = compiled
  const files = filesWithASay(inputs, config?.files ?? [])
  const bundle = placeOf(project, { hash, inputs, files, warnings })
  keepBundle(project, bundle, compiled)
  const prints = takeFingerprints(files, began)
  if (prints !== undefined) keepManifest(project, { format: 1, hash, files: prints, inputs, warnings })
  return { ...bundle, code: compiled.code, map: compiled.map }
}

function keepBundle(project: Project, bundle: Omit<Bundle, 'code'>, compiled: CompiledBundle): void {
  ensureStateFolder(project.state)
  const kept = keepFile(bundle.path, compiled.code) && keepFile(bundle.mapPath, compiled.map)
  if (kept) pruneKept(dirname(bundle.path), { extension: '.js', beside: ['.map'], most: MOST_KEPT })
}

const keepManifest = (project: Project, manifest: Manifest): boolean =>
  keepFile(manifestPath(project), JSON.stringify(manifest))

type Made = Pick<Bundle, 'hash' | 'inputs' | 'files' | 'warnings'>

function placeOf(project: Project, { hash, inputs, files, warnings }: Made): Omit<Bundle, 'code'> {
  const path = join(project.state, 'bundles', `${hash}.js`)
  return { hash, path, mapPath: `${path}.map`, inputs, files, warnings }
}

/** One for each definition and each way of bundling. */
function manifestPath(project: Project): string {
  const { entry, version } = ownPackage()
  const key = sha256(
    JSON.stringify([project.definition, teamConfigPath(project) ?? null, entry, version, BUNDLE_SETTINGS]),
  )
  return join(project.state, 'bundles', `${key.slice(0, 16)}.json`)
}

/** What comes out also depends on the package.json above each file, on the tsconfig and on which esbuild it was. */
function filesWithASay(inputs: readonly string[], configs: readonly string[]): readonly string[] {
  const manifests = new Map<string, string | undefined>()
  for (const input of inputs) nearestManifest(dirname(input), manifests)
  const found = [...manifests.values()].filter(path => path !== undefined)
  return [...new Set([...inputs, ...configs, ...found, esbuildManifest()])]
}

const esbuildManifest = (): string => createRequire(import.meta.url).resolve('esbuild/package.json')

function nearestManifest(folder: string, seen: Map<string, string | undefined>): string | undefined {
  if (seen.has(folder)) return seen.get(folder)
  const path = join(folder, 'package.json')
  const parent = dirname(folder)
  const found = existsSync(path) ? path : parent === folder ? undefined : nearestManifest(parent, seen)
  seen.set(folder, found)
  return found
}
