/**
 * Text as a terminal shows it: how wide it is, how it is cut, coloured, and made harmless.
 *
 * Boundary: pure functions over strings; knows no stream and nothing of releases.
 *
 * Invariants:
 *  T1. `truncate` returns at most `columns` cells, never half a character and never an open colour.
 *  T2. What `plain` returns holds no control character, so that foreign output cannot move the cursor.
 */

// ── width ───────────────────────────────────────────────────────────────────────────────────────

const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control character.
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[@-Z\\-_]|[ -/]+[0-~])/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same.
const COLOUR_AT = /\x1b\[[0-9;]*m/y
const ASCII = /^[\x20-\x7e]*$/
/** Characters that are one cell each and join with nothing: spares the slow look at graphemes. */
const SIMPLE =
  /^[\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u25f7\u2713\u2717\u2800-\u28ff]*$/
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}]|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u

let segmenter: Intl.Segmenter | undefined

/** The characters of a text as people count them. Made when it is first needed: that takes twelve milliseconds. */
const graphemes = (text: string): Intl.Segments => {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  return segmenter.segment(text)
}

/** How many cells the text takes on one line; escape sequences take none. */
export function widthOf(text: string): number {
  const bare = text.includes('\x1b') ? text.replace(ESCAPES, '') : text
  if (SIMPLE.test(bare)) return bare.length
  let width = 0
  for (const { segment } of graphemes(bare)) width += widthOfCharacter(segment)
  return width
}

function widthOfCharacter(character: string): number {
  if (ZERO.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** The text, or as much of its beginning as fits into `columns` with an ellipsis after it. */
export function truncate(text: string, columns: number): string {
  if (columns <= 0) return ''
  if (widthOf(text) <= columns) return text
  const { kept, coloured } = beginning(text, columns - 1)
  return coloured ? `${kept}…${RESET}` : `${kept}…`
}

const RESET = '\x1b[0m'

/** As much as fits, colours passed through. */
function beginning(text: string, columns: number): { kept: string; coloured: boolean } {
  let kept = ''
  let width = 0
  let coloured = false
  for (let at = 0; at < text.length; ) {
    COLOUR_AT.lastIndex = at
    const colour = COLOUR_AT.exec(text)?.[0]
    if (colour !== undefined) {
      kept += colour
      coloured = true
      at += colour.length
      continue
    }
    const character = firstCharacter(text, at)
    width += widthOfCharacter(character)
    if (width > columns) break
    kept += character
    at += character.length
  }
  return { kept, coloured }
}

/** Looks at a window of the text only, so that cutting a long text does not segment all of it for each character. */
function firstCharacter(text: string, at: number): string {
  const window = text.slice(at, at + 32)
  if (ASCII.test(window.slice(0, 2))) return window.slice(0, 1)
  for (const { segment } of graphemes(window)) return segment
  return ''
}

/** The text with spaces after it up to `columns` cells; longer texts stay as they are. */
export const padEnd = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - widthOf(text)))

export const padStart = (text: string, columns: number): string =>
  ' '.repeat(Math.max(0, columns - widthOf(text))) + text

// ── foreign text ────────────────────────────────────────────────────────────────────────────────

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out.
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** One line of foreign text, without colours, cursor movements and other control characters; tabs are spaces. */
export const plain = (text: string): string =>
  text.replace(ESCAPES, '').replace(/\t/g, '  ').replace(CONTROLS, '')

/** What a terminal would show of a line that was overwritten by carriage returns: the last state of a progress bar. */
export function lastOverwrite(line: string): string {
  const trimmed = line.endsWith('\r') ? line.slice(0, -1) : line
  return trimmed.slice(trimmed.lastIndexOf('\r') + 1)
}

/** Foreign text of many lines, each plain. */
export const plainLines = (text: string): readonly string[] =>
  text
    .replace(/\n+$/, '')
    .split('\n')
    .map(line => plain(lastOverwrite(line)))

// ── colour ──────────────────────────────────────────────────────────────────────────────────────

/** Colours, or their absence: every view is handed one and never asks the terminal itself. */
export interface Painter {
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
}

const painted = (open: number, close: number) => (text: string) =>
  text === '' ? '' : `\x1b[${open}m${text}\x1b[${close}m`

const COLOURED: Painter = {
  red: painted(31, 39),
  green: painted(32, 39),
  yellow: painted(33, 39),
  cyan: painted(36, 39),
  bold: painted(1, 22),
  dim: painted(2, 22),
}

const same = (text: string): string => text
const UNCOLOURED: Painter = { red: same, green: same, yellow: same, cyan: same, bold: same, dim: same }

export const painterOf = (options: { readonly color: boolean }): Painter =>
  options.color ? COLOURED : UNCOLOURED

/** Whether a terminal is there that can be drawn on: not a file, a pipe, a dumb terminal or a CI log. */
export const isDrawable = (
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean => stream.isTTY === true && env.TERM !== 'dumb' && (env.CI ?? '') === ''

/** Colour only on a terminal, and not where NO_COLOR or `--no-color` says so. */
export const wantsColor = (
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
  asked: { readonly noColor: boolean } = { noColor: false },
): boolean => stream.isTTY === true && env.TERM !== 'dumb' && (env.NO_COLOR ?? '') === '' && !asked.noColor
