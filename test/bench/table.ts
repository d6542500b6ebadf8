/**
 * What a bench says, and how it is shown: rows of figures.
 *
 * A bench is a module `test/bench/NAME.bench.ts` that exports `rows: Bench`. It prints nothing: what it is at goes to
 * `context.progress`, what it found is returned. `node test/bench/run.ts --only NAME` runs it alone. It leaves nothing
 * behind, neither files nor processes.
 *
 * Only ratios hold on another machine, so a row says what its figure was measured against, in turns in the same run.
 */

/** One figure of one bench. */
export interface Row {
  /** What part of the program it is about, in the reader's words, as in `start-up`. Rows of one area come together. */
  readonly area: string
  /** What was measured, as in `release plan, unchanged definition`. */
  readonly name: string
  /** The median of the turns, in `unit`; of several that are one figure, each; or why there is none. */
  readonly value: number | readonly number[] | string
  /** As in `ms`, `MB`, `records/s`. */
  readonly unit: string
  /** The median of the value's share of what it was measured against, turn by turn. */
  readonly ratio?: number
  /** What it was measured against, as in `an empty Node`; without `ratio` it is shown as it stands. */
  readonly against?: string
  /** What was aimed at, in words, as in `at most 1.5 of it`. */
  readonly aim?: string
}

/** How a bench is to go about it. */
export interface BenchContext {
  /** A few turns and the small sizes only: to see that the bench works, not to be believed. */
  readonly quick: boolean
  /** Says what the bench is at, one line at a time. */
  readonly progress: (text: string) => void
}

/** What a bench exports as `rows`. */
export type Bench = (context: BenchContext) => Promise<readonly Row[]>

/** The middle one of the values; of an even number of them the upper. */
export const median = (values: readonly number[]): number => {
  const middle = [...values].sort((a, b) => a - b)[values.length >> 1]
  if (middle === undefined) throw new Error('there is no median of nothing')
  return middle
}

/** The median of each value's share of the base of the same turn. */
export const ratioOf = (values: readonly number[], base: readonly number[]): number =>
  median(values.map((value, turn) => value / base[turn]!))

/** Three digits that mean something, and thousands apart. */
export const figure = (value: number): string =>
  value >= 100
    ? Math.round(value).toLocaleString('en-US')
    : value.toLocaleString('en-US', { maximumSignificantDigits: value < 0.1 ? 2 : 3 })

/** The rows as a Markdown table, those of one area together and in the order in which the areas were first named. */
export function toMarkdown(rows: readonly Row[]): string {
  const areas = [...new Set(rows.map(({ area }) => area))]
  const body = areas.flatMap(area =>
    rows.filter(row => row.area === area).map((row, index) => cellsOf(row, index === 0 ? area : '')),
  )
  const head = ['area', 'what', 'median', 'ratio', 'aim']
  const lines = [head, ['---', '---', '---:', '---', '---'], ...body]
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

const cellsOf = (row: Row, area: string): readonly string[] =>
  [
    area,
    row.name,
    typeof row.value === 'string' ? row.value : `${[row.value].flat().map(figure).join(' / ')} ${row.unit}`,
    row.ratio === undefined ? (row.against ?? '') : `${row.ratio.toFixed(2)} of ${row.against ?? 'it'}`,
    row.aim ?? '',
  ].map(cell => cell.replaceAll('|', '\\|'))
