/**
 * The TypeScript compiler's one home.
 *
 * Role: all that is asked of the compiler's API, so that its next version is one file's work: 7.1 moves
 * the paths and renames the calls.
 * Boundary: a tsconfig in, plain data out. Positions come as UTF-16 offsets and leave as lines and columns.
 *
 * The asynchronous form of the API is used: the synchronous one would hold this thread, and with it the
 * bundling beside which a check runs.
 */
import { readFileSync } from 'node:fs'
import type { API, Diagnostic as CompilerDiagnostic } from 'typescript/unstable/async'

/** A range in a file. Lines and columns count from 1; columns are UTF-16 units. */
export interface CompilerRange {
  /** Absolute. */
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
}

export interface CompilerFinding {
  /** The compiler's number: 2322. */
  readonly code: number
  readonly severity: 'error' | 'warning'
  /** The whole chain, a line for each link, indented. */
  readonly message: string
  readonly range: CompilerRange | undefined
  readonly related: readonly { readonly message: string; readonly range: CompilerRange | undefined }[]
}

export interface CompilerAnswer {
  readonly findings: readonly CompilerFinding[]
  /** About the tsconfig itself. */
  readonly configFindings: readonly CompilerFinding[]
  /** Every file of the program, absolute. */
  readonly files: readonly string[]
}

/** `DiagnosticCategory.Error`; the enum itself would have to be imported at run time. */
const ERROR = 1

/**
 * Checks a project.
 *
 * @param config the tsconfig's file, absolute
 * @param concerns whether the findings in a file of the program are wanted; the others are not computed
 */
export async function runCompiler(
  config: string,
  concerns: (file: string) => boolean,
): Promise<CompilerAnswer> {
  const { API } = await import('typescript/unstable/async')
  const api: API = new API({})
  try {
    const snapshot = await api.updateSnapshot({ openProjects: [config] })
    const program = snapshot.getProject(config)?.program
    if (program === undefined) throw new Error(`the compiler did not open ${config}`)
    const [files, ofConfig, ofProgram] = await Promise.all([
      program.getSourceFileNames(),
      program.getConfigFileParsingDiagnostics(),
      program.getProgramDiagnostics(),
    ])
    const found = await Promise.all(
      files.filter(concerns).map(async file => {
        const syntactic = await program.getSyntacticDiagnostics(file)
        return syntactic.length > 0 ? syntactic : await program.getSemanticDiagnostics(file)
      }),
    )
    const read = rangeReader()
    return {
      findings: found.flat().map(finding => toFinding(finding, read)),
      configFindings: [...ofConfig, ...ofProgram].map(finding => toFinding(finding, read)),
      files,
    }
  } finally {
    await api.close()
  }
}

type ReadRange = (finding: CompilerDiagnostic) => CompilerRange | undefined

const toFinding = (finding: CompilerDiagnostic, read: ReadRange): CompilerFinding => ({
  code: finding.code,
  severity: finding.category === ERROR ? 'error' : 'warning',
  message: chainOf(finding, 0),
  range: read(finding),
  related: (finding.relatedInformation ?? []).map(related => ({
    message: chainOf(related, 0),
    range: read(related),
  })),
})

const chainOf = (finding: CompilerDiagnostic, depth: number): string =>
  [
    `${'  '.repeat(depth)}${finding.text}`,
    ...(finding.messageChain ?? []).map(link => chainOf(link, depth + 1)),
  ].join('\n')

/** Reads each file once, and only those in which something was found. */
function rangeReader(): ReadRange {
  const starts = new Map<string, readonly number[]>()
  return ({ fileName: file, pos, end }) => {
    if (file === undefined) return undefined
    const known = starts.get(file) ?? lineStarts(file)
    starts.set(file, known)
    const from = placeOf(pos, known)
    const to = placeOf(Math.max(end, pos), known)
    return { file, line: from.line, column: from.column, endLine: to.line, endColumn: to.column }
  }
}

/** Offsets at which lines start. The compiler does not count a byte order mark. */
function lineStarts(file: string): readonly number[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '')
  } catch {
    return [0]
  }
  return [0, ...Array.from(text.matchAll(/\r\n|[\n\r\u2028\u2029]/g), match => match.index + match[0].length)]
}

function placeOf(offset: number, starts: readonly number[]): { line: number; column: number } {
  const index = starts.findLastIndex(start => start <= offset)
  return { line: index + 1, column: offset - (starts[index] ?? 0) + 1 }
}
