/**
 * What the parts of a plan's text have in common: the page that they are written on, and its sections.
 */
import type { Millis, Plan, PlanNode } from '../plan.ts'
import type { Drawing } from './drawing.ts'
import { columnsOf, type Painter, padded, plain, wrap } from './painter.ts'

export interface Page {
  readonly plan: Plan
  readonly drawing: Drawing
  readonly byKey: ReadonlyMap<string, PlanNode>
  readonly paint: Painter
  readonly width: number
  readonly durations: Readonly<Record<string, Millis>> | undefined
}

/** The columns of the widest text, at most `most`. */
export const widest = (texts: readonly string[], most: number): number =>
  Math.min(
    most,
    texts.reduce((columns, text) => Math.max(columns, columnsOf(text)), 0),
  )

/** Rows of a name and a text, which goes on below itself. Nothing where there are no rows. */
export function section(
  { paint, width }: Page,
  title: string,
  rows: readonly (readonly [name: string, text: string])[],
): string[] {
  if (rows.length === 0) return []
  const columns = widest(
    rows.map(([name]) => plain(name)),
    40,
  )
  const lines = rows.flatMap(([name, text]) => {
    const wrapped = wrap(plain(text), Math.max(20, width - columns - 4))
    return wrapped.map((line, i) => `  ${padded(i === 0 ? plain(name) : '', columns)}  ${line}`)
  })
  return [paint.bold(title), ...lines]
}
