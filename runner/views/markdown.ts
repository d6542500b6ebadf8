/**
 * Markdown that reads well raw and rendered, made of text that nobody has vouched for.
 *
 * Boundary: pure. What came from people or programs is escaped, so that it can forge no heading, table or link.
 */
import { plain, plainLines } from './terminal-text.ts'

/** A heading and what stands under it. */
export const section = (title: string, body: string): string => `## ${title}\n\n${body}`

/** One line of foreign text, with everything escaped that Markdown or HTML would read. */
export const text = (foreign: string): string =>
  plainLines(foreign)
    .join(' ')
    .replace(/[\\`*_[\]<>|#~&]/g, character =>
      character === '&' ? '&amp;' : character === '<' ? '&lt;' : `\\${character}`,
    )

/** Foreign text as code; backquotes in it end nothing. */
export function code(foreign: string): string {
  const line = plain(foreign).replaceAll('|', '\\|')
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map(run => run.length))
  const fence = '`'.repeat(longest + 1)
  return longest === 0 ? `${fence}${line}${fence}` : `${fence} ${line} ${fence}`
}

/** Columns are padded, so that the raw text is a table too. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map(row => row[i]!.length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  return [line(head), `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join(
    '\n',
  )
}

/** A fence that is longer than any in the text. */
export function fenced(lines: readonly string[]): readonly string[] {
  const longest = Math.max(2, ...lines.map(line => /`*/.exec(line.trimStart())![0].length))
  const fence = '`'.repeat(longest + 1)
  return [`${fence}text`, ...lines, fence]
}
