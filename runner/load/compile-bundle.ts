/**
 * esbuild's one home: many modules in, one self-contained script and its source map out.
 *
 * Invariants:
 *  1. The script is the same for the same sources wherever the project and this program lie: every name
 *     of a file in it is relative to the project, and the language's own are under `release-as-code:`.
 *  2. Only node's own modules stay outside. An `import()` of one becomes a `require`, so that the
 *     evaluator sees every module that is asked for.
 */
import { readFile } from 'node:fs/promises'
import { dirname, extname, join, resolve } from 'node:path'
import type { BuildOptions, Message, Metafile, Plugin } from 'esbuild'
import type { Diagnostic, Span } from '../../src/diagnostic.ts'
import { InputError } from '../../src/errors.ts'
import { ownPackage, PACKAGE_NAME } from './own-package.ts'
import type { Project } from './project.ts'

export interface CompiledBundle {
  readonly code: string
  /** A source map, version 3, whose sources are relative to the project's folder. */
  readonly map: string
  /** Every file that went in, absolute. */
  readonly inputs: readonly string[]
  readonly warnings: readonly Diagnostic[]
}

/** What makes two bundles of the same sources differ; part of the key under which one is kept. */
export const BUNDLE_SETTINGS = {
  bundle: true,
  write: false,
  metafile: true,
  format: 'cjs',
  platform: 'node',
  target: 'node24',
  charset: 'utf8',
  legalComments: 'none',
  sourcemap: 'external',
  sourcesContent: true,
  logLevel: 'silent',
  supported: { 'dynamic-import': false },
} as const satisfies BuildOptions

/** Builds under way: esbuild's service is stopped after the last, so that a long run does not keep it. */
let building = 0

/**
 * Bundles the project's definition.
 *
 * @param tsconfig the team's tsconfig.json; left out: no tsconfig has a say
 * @throws InputError with every syntax error and unresolved import, each with its place
 */
export async function compileBundle(project: Project, tsconfig: string | undefined): Promise<CompiledBundle> {
  const esbuild = await import('esbuild')
  building += 1
  try {
    const built = await esbuild.build({
      ...BUNDLE_SETTINGS,
      entryPoints: [project.definition],
      absWorkingDir: project.root,
      outfile: join(project.root, 'definition.js'),
      plugins: [ownLanguage()],
      ...(tsconfig === undefined ? { tsconfigRaw: {} } : { tsconfig }),
    })
    return {
      code: textOf(built.outputFiles, 'definition.js'),
      map: withoutOwnContents(textOf(built.outputFiles, 'definition.js.map')),
      inputs: inputsOf(built.metafile, project.root),
      warnings: built.warnings.map(message => toDiagnostic(message, 'warning', project)),
    }
  } catch (error) {
    throw isBuildFailure(error)
      ? new InputError(error.errors.map(message => toDiagnostic(message, 'error', project)))
      : error
  } finally {
    building -= 1
    if (building === 0) await esbuild.stop()
  }
}

const textOf = (files: readonly { path: string; text: string }[], name: string): string => {
  const file = files.find(({ path }) => path.endsWith(`/${name}`))
  if (file === undefined) throw new Error(`esbuild wrote no ${name}`)
  return file.text
}

/** Resolves the language to our own copy of it, under names that do not tell where that lies. */
function ownLanguage(): Plugin {
  const { entry } = ownPackage()
  const folder = dirname(entry)
  return {
    name: PACKAGE_NAME,
    setup(build) {
      const own = (path: string) => ({ path, namespace: PACKAGE_NAME, sideEffects: false })
      build.onResolve({ filter: /^release-as-code$/ }, () => own(entry.slice(folder.length + 1)))
      build.onResolve({ filter: /^\./, namespace: PACKAGE_NAME }, ({ importer, path }) =>
        own(join(dirname(importer), path)),
      )
      build.onLoad({ filter: /.*/, namespace: PACKAGE_NAME }, async ({ path }) => ({
        contents: await readFile(join(folder, path), 'utf8'),
        loader: extname(path) === '.ts' ? 'ts' : 'js',
      }))
    },
  }
}

function inputsOf(metafile: Metafile, root: string): readonly string[] {
  const folder = dirname(ownPackage().entry)
  return Object.keys(metafile.inputs)
    .filter(name => !name.startsWith('(disabled):'))
    .map(name =>
      name.startsWith(`${PACKAGE_NAME}:`)
        ? join(folder, name.slice(PACKAGE_NAME.length + 1))
        : resolve(root, name),
    )
}

/** The language's own text is never shown, so the map need not carry it. */
function withoutOwnContents(map: string): string {
  const parsed = JSON.parse(map) as { sources: string[]; sourcesContent: (string | null)[] }
  parsed.sourcesContent = parsed.sourcesContent.map((text, index) =>
    parsed.sources[index]?.startsWith(`${PACKAGE_NAME}:`) ? null : text,
  )
  return JSON.stringify(parsed)
}

interface BuildFailure {
  readonly errors: readonly Message[]
}

const isBuildFailure = (error: unknown): error is BuildFailure =>
  error instanceof Error && 'errors' in error && Array.isArray(error.errors)

function toDiagnostic(message: Message, severity: Diagnostic['severity'], project: Project): Diagnostic {
  const { code, hint, text = message.text } = classify(message)
  const related = message.notes.map(note => ({ message: note.text, ...spanOf(note.location, project) }))
  return {
    code,
    severity,
    message: text,
    ...spanOf(message.location, project),
    ...(hint === undefined ? {} : { hint }),
    ...(related.length === 0 ? {} : { related }),
  }
}

/** esbuild names its warnings but not its errors, so those are told apart by how they begin. */
function classify({ id, text }: Message): { code: string; hint?: string; text?: string } {
  if (text.startsWith('Could not resolve'))
    return {
      code: 'unresolved-import',
      hint: 'look for a misspelling, or install the package; a path of your own begins with ./ or ../',
    }
  if (text.includes('op-level await'))
    return {
      code: 'top-level-await',
      text: 'a definition cannot await anything at its top level',
      hint: 'a definition is evaluated at once and waits for nothing: move the await into the function of a step',
    }
  if (id === 'empty-import-meta')
    return {
      code: 'import-meta',
      hint: 'a definition is bundled and has no place of its own: write paths relative to the folder of the package.json',
    }
  return { code: id === '' ? 'syntax' : id }
}

function spanOf(location: Message['location'], project: Project): { span?: Span } {
  if (location === null) return {}
  const { file, line, column, length, lineText } = location
  const bytes = Buffer.from(lineText)
  const start = bytes.subarray(0, column).toString().length
  const width = bytes.subarray(column, column + length).toString().length
  return {
    span: {
      file: project.relative(resolve(project.root, file)),
      line,
      column: start + 1,
      ...(width > 0 ? { endLine: line, endColumn: start + width + 1 } : {}),
    },
  }
}
