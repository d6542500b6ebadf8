/**
 * Whether a definition is well typed.
 *
 * Role: the compiler's findings in the team's files, found again without the compiler while nothing that
 * they depend on has changed.
 *
 * Invariants:
 *  1. A recorded answer is given only if every file of the program it was given for, the team's tsconfig,
 *     our types and the compiler are what they were. The bundle's hash would not do: a bundle holds no types.
 *  2. An answer that says that a module was not found is never recorded: what mends it may be a new file.
 *  3. Only the team's files are judged, neither installed packages nor the language's own sources.
 *  4. The types of node's modules take the compiler three times as long as all else. A definition is checked without them
 *     first, and is sound where nothing is found: they add names, and change the meaning of none but `signal`'s, which the
 *     language's own types borrow from them. Whatever is found is found with them.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, parse } from 'node:path'
import type { Diagnostic, Span } from '../../src/diagnostic.ts'
import type { CompilerAnswer, CompilerFinding, CompilerRange } from './compiler.ts'
import { compareFingerprints, type Fingerprint, sha256, takeFingerprints } from './fingerprint.ts'
import { ensureStateFolder, keepFile, readKept } from './keep.ts'
import { isOwnFile, ownPackage, PACKAGE_NAME } from './own-package.ts'
import type { Project } from './project.ts'
import { findTeamConfig, type TeamConfig } from './tsconfig.ts'

interface Record {
  readonly format: 1
  readonly files: readonly Fingerprint[]
  readonly diagnostics: readonly Diagnostic[]
}

/** What the compiler found, and what that rests on. */
export interface TypeCheck {
  readonly diagnostics: readonly Diagnostic[]
  /** Every file of the program and the team's tsconfigs, absolute; null where a file that is not there may mend it. */
  readonly files: readonly string[] | null
}

/** "Cannot find module", "cannot find type definition file", and their kind. */
const NOT_FOUND = new Set(['ts2307', 'ts2792', 'ts2688', 'ts7016', 'ts2732', 'ts6053', 'ts2691', 'ts5097'])

/**
 * Checks the types of a definition and of all that it imports from the team's own files.
 *
 * @returns findings with codes such as `ts2322`; trouble with the team's tsconfig is a warning
 */
export async function checkTypes(project: Project): Promise<TypeCheck> {
  const team = findTeamConfig(project)
  const config = configText(project, team, nodeTypesOf(project))
  const key = sha256(JSON.stringify([config, compilerVersion()])).slice(0, 16)
  const path = join(project.state, 'checks', `${key}.json`)
  return recorded(path) ?? (await checkAfresh({ project, team, config, path }))
}

function recorded(path: string): TypeCheck | undefined {
  const record = readKept<Record>(path)
  if (record?.format !== 1) return undefined
  const comparison = compareFingerprints(record.files, Date.now())
  if (comparison.kind === 'changed') return undefined
  if (comparison.kind === 'rewritten') keepFile(path, JSON.stringify({ ...record, files: comparison.fresh }))
  return { diagnostics: record.diagnostics, files: record.files.map(file => file.path) }
}

interface Check {
  readonly project: Project
  readonly team: TeamConfig | undefined
  readonly config: string
  /** Where the answer is recorded. */
  readonly path: string
}

async function checkAfresh({ project, team, config, path }: Check): Promise<TypeCheck> {
  const began = Date.now()
  const answer = (await soundAlone({ project, team, path })) ?? (await compiled(path, config, project))
  const diagnostics = toDiagnostics(answer, project, team)
  if (diagnostics.some(({ code }) => NOT_FOUND.has(code))) return { diagnostics, files: null }
  const files = [...answer.files, ...(team?.files ?? [])]
  const prints = takeFingerprints(files, began)
  if (prints !== undefined)
    keepFile(path, JSON.stringify({ format: 1, files: prints, diagnostics } satisfies Record))
  return { diagnostics, files }
}

const compiled = (path: string, config: string, project: Project): Promise<CompilerAnswer> =>
  withConfig(path, config, project, file =>
    import('./compiler.ts').then(({ runCompiler }) => runCompiler(file, isTeamFile)),
  )

/** What only the types of node's modules know, or know better. Of a definition that says such a thing nothing is tried. */
const OF_NODE =
  /\bnode:|\b(?:process|Buffer|console|fetch|URL|require|signal|set(?:Timeout|Interval|Immediate))\b/
const SIGNAL = /\bsignal\b/

/** The answer without the types of node's modules; null where that says nothing. */
async function soundAlone({ project, team, path }: Omit<Check, 'config'>): Promise<CompilerAnswer | null> {
  if (saysOneOf(OF_NODE, project.definition)) return null
  const beside = path.replace(/\.json$/, '.alone.json')
  const answer = await compiled(beside, configText(project, team, undefined), project)
  const { findings, configFindings, files } = answer
  if (findings.length > 0 || configFindings.length > 0) return null
  return files.filter(isTeamFile).some(file => saysOneOf(SIGNAL, file)) ? null : answer
}

/** A file that cannot be read says everything. */
function saysOneOf(words: RegExp, file: string): boolean {
  try {
    return words.test(readFileSync(file, 'utf8'))
  } catch {
    return true
  }
}

/** The compiler wants a file: it lies beside the record, or where nothing can be kept, in a passing folder. */
async function withConfig<T>(
  path: string,
  config: string,
  project: Project,
  run: (file: string) => Promise<T>,
): Promise<T> {
  ensureStateFolder(project.state)
  const beside = path.replace(/\.json$/, '.tsconfig.json')
  if (keepFile(beside, config)) return await run(beside)
  const folder = mkdtempSync(join(tmpdir(), `${PACKAGE_NAME}-`))
  try {
    const file = join(folder, 'tsconfig.json')
    keepFile(file, config)
    return await run(file)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const isTeamFile = (file: string): boolean =>
  !file.split('/').includes('node_modules') && !isOwnFile(file) && /\.[cm]?tsx?$/.test(file)

// ── the compiler's options ──────────────────────────────────────────────────────────────────────

const configText = (project: Project, team: TeamConfig | undefined, nodeTypes: string | undefined): string =>
  JSON.stringify(checkConfig(project, team, nodeTypes), null, 2)

/** The team's options hold, except for what bundling decides. Without any, the definition is checked strictly. */
function checkConfig(project: Project, team: TeamConfig | undefined, nodeTypes: string | undefined): object {
  return {
    ...(team === undefined ? {} : { extends: team.path }),
    compilerOptions: {
      ...(team === undefined ? { strict: true, target: 'es2024', lib: ['es2024'], types: [] } : {}),
      module: 'preserve',
      moduleResolution: 'bundler',
      moduleDetection: 'force',
      allowImportingTsExtensions: true,
      resolveJsonModule: true,
      allowJs: true,
      noEmit: true,
      composite: false,
      incremental: false,
      declaration: false,
      emitDeclarationOnly: false,
      // A team's own would shut out what lies beside it, and null does not unset it.
      rootDir: parse(project.root).root,
      skipLibCheck: true,
      paths: { ...team?.paths, [PACKAGE_NAME]: [ownPackage().types] },
    },
    files: [project.definition, ...(nodeTypes === undefined ? [] : [nodeTypes])],
    include: [],
    exclude: [],
    references: [],
  }
}

/** The types of node's modules for step functions: the project's, or else ours. */
function nodeTypesOf(project: Project): string | undefined {
  for (const from of [project.definition, import.meta.url]) {
    try {
      return join(dirname(createRequire(from).resolve('@types/node/package.json')), 'index.d.ts')
    } catch {
      // The next place is looked through; with none, the compiler itself says what to install.
    }
  }
  return undefined
}

let version: string | undefined

function compilerVersion(): string {
  version ??= (createRequire(import.meta.url)('typescript/package.json') as { version: string }).version
  return version
}

// ── the compiler's answer ───────────────────────────────────────────────────────────────────────

function toDiagnostics(
  answer: CompilerAnswer,
  project: Project,
  team: TeamConfig | undefined,
): readonly Diagnostic[] {
  const aboutConfig = team === undefined ? [] : answer.configFindings
  return [
    ...aboutConfig.map(finding => configDiagnostic(finding, team!.path, project)),
    ...answer.findings.map(finding => toDiagnostic(finding, project)),
  ]
}

function toDiagnostic(finding: CompilerFinding, project: Project): Diagnostic {
  const related = finding.related.map(({ message, range }) => ({ message, ...spanOf(range, project) }))
  return {
    code: `ts${finding.code}`,
    severity: finding.severity,
    message: finding.message,
    ...spanOf(finding.range, project),
    ...(related.length === 0 ? {} : { related }),
  }
}

/** The definition can be checked all the same, so this is a warning. */
const configDiagnostic = (finding: CompilerFinding, path: string, project: Project): Diagnostic => ({
  ...toDiagnostic(finding, project),
  severity: 'warning',
  hint: `the definition was checked without this; the options come from ${project.relative(path)}`,
})

/** A place in our own files is of no use to the team, and differs from machine to machine. */
const spanOf = (range: CompilerRange | undefined, project: Project): { span?: Span } =>
  range === undefined || isOwnFile(range.file)
    ? {}
    : { span: { ...range, file: project.relative(range.file) } }
