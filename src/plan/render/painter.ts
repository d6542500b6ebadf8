/**
 * Colour and width for text that goes to a terminal or a file.
 *
 * Boundary: knows no plan. What comes from a team's definition goes through `plain` first, so that no name can
 * move the cursor or forge a line.
 */

export interface Painter {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

/** Paints with ANSI escapes, or not at all. */
export function painter(options: { readonly color: boolean }): Painter {
  const paint =
    (on: number, off: number) =>
    (text: string): string =>
      options.color && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  }
}

/** The text on one line, without control characters or marks that turn the direction of writing. */
export const plain = (text: string): string => (/^[ -~]*$/.test(text) ? text : withoutMarks(text))

const withoutMarks = (text: string): string =>
  text.replaceAll(/[\s\u2028\u2029]/gu, ' ').replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '�')

/** ASCII, and the signs of our own: all of one column, which most text is. */
const everyOne = /^[\u0020-\u007e–“”’×←→⇠↩]*$/
const wide =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u
const zero = /\p{Mn}|\p{Me}|[\u200b-\u200d]/u

/** How many columns a text without escapes takes in a terminal. */
export function columnsOf(text: string): number {
  if (everyOne.test(text)) return text.length
  let columns = 0
  for (const character of text) columns += zero.test(character) ? 0 : wide.test(character) ? 2 : 1
  return columns
}

export const padded = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - columnsOf(text)))

/** A piece of a line: what it says, how wide it is meant to be, how it is painted. */
export interface Cell {
  readonly text: string
  readonly columns?: number
  readonly paint?: (text: string) => string
}

/** As many words on a line as fit; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && columnsOf(last) + 1 + columnsOf(word) <= width) {
      lines[lines.length - 1] = `${last} ${word}`
    } else {
      lines.push(word)
    }
  }
  return lines
}

/**
 * Cells side by side with two blanks between. What does not fit any more goes to a further line, indented, and is
 * wrapped there if need be. No text is ever cut off.
 */
export function flow(
  cells: readonly Cell[],
  { width, indent }: { readonly width: number; readonly indent: number },
): string[] {
  const lines: string[] = []
  let line = { text: '', used: 0, empty: true }
  const write = (text: string, columns: number): void => {
    line = { text: line.text + text, used: line.used + columns, empty: false }
  }
  const breakLine = (): void => {
    lines.push(line.text.trimEnd())
    line = { text: ' '.repeat(indent), used: indent, empty: true }
  }
  for (const { text, columns = 0, paint = same } of cells) {
    const needed = columnsOf(text)
    if (needed === 0 && columns === 0) continue
    if (!line.empty && line.used + 2 + needed > width) breakLine()
    else if (!line.empty) write('  ', 2)
    wrap(text, width - line.used).forEach((piece, i) => {
      if (i > 0) breakLine()
      write(paint(piece), columnsOf(piece))
    })
    const blanks = Math.max(0, columns - needed)
    write(' '.repeat(blanks), blanks)
  }
  if (!line.empty) breakLine()
  return lines
}

const same = (text: string): string => text
