/**
 * Diagnostics as text for people: what is wrong, the lines it is about, and what to do.
 *
 * Boundary: reads source files below `root` and nothing else. A source that has gone only costs the frame.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Diagnostic, Span } from '../../src/diagnostic.ts'

export interface FrameOptions {
  /** The folder that spans are relative to. */
  readonly root: string
  readonly color: boolean
}

/** How many lines of a long range are shown. */
const MOST_LINES = 4
/** Longer lines are cut around the place. */
const MOST_COLUMNS = 140

/**
 * Renders diagnostics in their order, an empty line between two; '' where there are none.
 *
 * ```text
 * error[ts2322]: Type 'number' is not assignable to type 'string'.
 *   --> releases/phoenix.ts:12:9
 *    |
 * 12 |   const version: string = 3
 *    |         ^^^^^^^
 *    = hint: …
 * ```
 */
export function renderDiagnostics(diagnostics: readonly Diagnostic[], options: FrameOptions): string {
  const paint = options.color ? colors : plain
  const lines = sourceReader(options.root)
  return diagnostics.map(diagnostic => renderOne(diagnostic, paint, lines)).join('\n\n')
}

// ── one diagnostic ──────────────────────────────────────────────────────────────────────────────

type Paint = Readonly<{ [name in 'error' | 'warning' | 'bold' | 'edge']: (text: string) => string }>

const ansi =
  (...codes: readonly number[]) =>
  (text: string): string =>
    `${codes.map(code => `\u001B[${code}m`).join('')}${text}\u001B[0m`

const colors: Paint = { error: ansi(1, 31), warning: ansi(1, 33), bold: ansi(1), edge: ansi(36) }
const same = (text: string): string => text
const plain: Paint = { error: same, warning: same, bold: same, edge: same }

type ReadLines = (file: string) => readonly string[] | undefined

function renderOne(diagnostic: Diagnostic, paint: Paint, lines: ReadLines): string {
  const { code, severity, span, hint, related = [] } = diagnostic
  const [headline = '', ...chain] = printable(diagnostic.message).split('\n')
  const margin = ' '.repeat(Math.max(1, ...framed(span).map(line => String(line).length)))
  const note = (label: string, text: string): string =>
    `${margin} ${paint.edge('=')} ${paint.bold(`${label}:`)} ${printable(text).replaceAll('\n', `\n${margin}   `)}`
  return [
    `${paint[severity](`${severity}[${code}]`)}${paint.bold(`: ${headline}`)}`,
    ...chain.map(link => `${margin} ${link}`),
    ...(span === undefined ? [] : frame(span, { paint, margin, severity, source: lines(span.file) })),
    ...(hint === undefined ? [] : [note('hint', hint)]),
    ...related.map(({ message, span: at }) => note('note', at ? `${message} (${place(at)})` : message)),
  ].join('\n')
}

const place = ({ file, line, column }: Span): string => `${printable(file)}:${line}:${column}`

/** The lines of a span that are shown. */
function framed(span: Span | undefined): readonly number[] {
  if (span === undefined) return []
  const last = Math.min(span.endLine ?? span.line, span.line + MOST_LINES - 1)
  return Array.from({ length: Math.max(1, last - span.line + 1) }, (_, index) => span.line + index)
}

interface FrameParts {
  readonly paint: Paint
  readonly margin: string
  readonly severity: Diagnostic['severity']
  readonly source: readonly string[] | undefined
}

function frame(span: Span, { paint, margin, severity, source }: FrameParts): readonly string[] {
  const head = `${margin}${paint.edge('-->')} ${place(span)}`
  if (source?.[span.line - 1] === undefined) return [head]
  const bar = paint.edge('|')
  const shown = framed(span).flatMap(number => {
    const text = source[number - 1]
    if (text === undefined) return []
    const { line, underline } = excerpt(text, rangeIn(span, number, text))
    const mark = underline === '' ? [] : [`${margin} ${bar} ${paint[severity](underline)}`]
    return [`${paint.edge(String(number).padStart(margin.length))} ${bar} ${line}`.trimEnd(), ...mark]
  })
  const more = (span.endLine ?? span.line) > span.line + MOST_LINES - 1 ? [`${margin} ${bar} …`] : []
  return [head, `${margin} ${bar}`, ...shown, ...more]
}

/** Of one line: what is underlined, as offsets. A place without an end reaches to the end of its word. */
function rangeIn(span: Span, number: number, text: string): { from: number; to: number } {
  const indent = text.length - text.trimStart().length
  const from = Math.min(number === span.line ? span.column - 1 : indent, text.length)
  if (span.endLine === undefined || span.endColumn === undefined) {
    const word = /^[\p{ID_Continue}$]+/u.exec(text.slice(from))?.[0] ?? ' '
    return { from, to: from + word.length }
  }
  const to = number === span.endLine ? span.endColumn - 1 : text.length
  return { from, to: number === span.line ? Math.max(to, from + 1) : to }
}

// ── text ────────────────────────────────────────────────────────────────────────────────────────

function sourceReader(root: string): ReadLines {
  const files = new Map<string, readonly string[] | undefined>()
  return file => {
    if (!files.has(file)) files.set(file, readLines(resolve(root, file)))
    return files.get(file)
  }
}

function readLines(path: string): readonly string[] | undefined {
  try {
    return readFileSync(path, 'utf8')
      .replace(/^\uFEFF/, '')
      .split(/\r\n|[\n\r\u2028\u2029]/)
  } catch {
    return undefined
  }
}

/** What a source or a message holds must not steer the terminal. */
const printable = (text: string): string =>
  stripVTControlCharacters(text).replace(/(?![\t\n])[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu, '\uFFFD')

/** A line as it is shown and the marks below it, cut around the range where the line is too long. */
function excerpt(text: string, range: { from: number; to: number }): { line: string; underline: string } {
  const cut =
    text.length > MOST_COLUMNS ? Math.max(0, Math.min(range.from - 40, text.length - MOST_COLUMNS)) : 0
  const window = text.slice(cut, cut + MOST_COLUMNS)
  const before = window.slice(0, range.from - cut)
  const within = window.slice(range.from - cut, range.to - cut)
  const [left, right] = [cut > 0 ? '…' : '', cut + MOST_COLUMNS < text.length ? '…' : '']
  const marks = '^'.repeat(Math.max(widthOf(within), range.to > range.from ? 1 : 0))
  return {
    line: `${left}${printable(window).replaceAll('\t', '  ')}${right}`,
    underline: marks === '' ? '' : `${left && ' '}${' '.repeat(widthOf(before))}${marks}`,
  }
}

const WIDE =
  /[\p{Extended_Pictographic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\uFF01-\uFF60]/u

/** Columns of a terminal. */
function widthOf(text: string): number {
  let width = 0
  for (const character of text) {
    if (/\p{Mark}|[\u200B-\u200D]|\uFE0F/u.test(character)) continue
    width += character === '\t' || (WIDE.test(character) && character > '\u00FF') ? 2 : 1
  }
  return width
}
