/**
 * A project in a folder of its own under the system's temporary folder, made of the files that a test
 * writes down.
 */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { renderDiagnostics } from '../../../runner/load/code-frame.ts'
import { findProject, type Project } from '../../../runner/load/project.ts'
import type { Diagnostic } from '../../../src/diagnostic.ts'
import { InputError } from '../../../src/errors.ts'

export interface TemporaryProject extends Project {
  /** Writes files, by path relative to the root. */
  readonly write: (files: Readonly<Record<string, string>>) => void
  /** Waits until what is written can no longer be taken for something written while it was read. */
  readonly settled: () => Promise<void>
}

const MANIFEST = '{ "name": "team", "private": true, "type": "module" }\n'

/** The definition is `releases/it.ts`. Gone when the test has ended. */
export async function temporaryProject(
  files: Readonly<Record<string, string>>,
  options: { readonly definition?: string } = {},
): Promise<TemporaryProject> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'load [1] ')))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const write = (more: Readonly<Record<string, string>>): void => writeFiles(root, more)
  write({ 'package.json': MANIFEST, ...files })
  const project = await findProject(options.definition ?? 'releases/it.ts', { cwd: root })
  return { ...project, write, settled: () => settled(root) }
}

function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
}

/** A file's times are coarse; runner/load/fingerprint.ts vouches for none that is younger than this. */
const COARSEST = 25

async function settled(root: string): Promise<void> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' })
  const youngest = Math.max(...names.map(name => statSync(join(root, name)).ctimeMs))
  while (Date.now() <= youngest + COARSEST) await new Promise(resolve => setTimeout(resolve, 1))
}

/** A definition that is right, with more lines before its release. */
export const definition = (...lines: readonly string[]): string =>
  [
    `import { release } from 'release-as-code'`,
    ...lines,
    `export default release('it', { version: '1.0.0', components: [] })`,
    '',
  ].join('\n')

/** What is wrong, where `run` is expected to say so. */
export async function diagnosticsOf(run: () => Promise<unknown>): Promise<readonly Diagnostic[]> {
  try {
    await run()
  } catch (error) {
    if (error instanceof InputError) return error.diagnostics
    throw error
  }
  throw new Error('nothing was found wrong')
}

/** Diagnostics as the command line shows them, with the place of our own sources taken out. */
export const shown = (project: Project, diagnostics: readonly Diagnostic[]): string =>
  renderDiagnostics(diagnostics, { root: project.root, color: false })
