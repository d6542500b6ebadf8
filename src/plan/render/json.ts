/**
 * A plan as JSON text, for files and pipes.
 *
 * Boundary: the plan's hash is taken over its canonical form (canonical.ts), never over this.
 *
 * Invariants:
 *  J1. Reading the text gives the plan, and one plan has one text.
 *  J2. A large plan's text exists in pieces only: each node stands in a line of its own, so that it can be told what two
 *      plans differ in, and is a third shorter than with every property in one.
 */
import type { Plan } from '../plan.ts'

/** Nodes up to which every property has a line: a person may read it. */
const READABLE = 2_000
/** Lines in a piece. */
const AT_ONCE = 500

/** Whether the text is better taken in pieces. */
export const isLarge = (plan: Plan): boolean => plan.nodes.length > READABLE

/** The text, in pieces that follow one another; ends with a line's end. */
export function* planPieces(plan: Plan): Generator<string> {
  if (!isLarge(plan)) {
    yield `${JSON.stringify(plan, null, 2)}\n`
    return
  }
  let before = '{'
  for (const [name, value] of Object.entries(plan) as [string, unknown][]) {
    if (value === undefined) continue
    yield `${before}\n  ${JSON.stringify(name)}: `
    if (name === 'nodes' || name === 'positions') yield* linesOf(value as object)
    else yield JSON.stringify(value)
    before = ','
  }
  yield '\n}\n'
}

/** The same as one text. */
export const planText = (plan: Plan): string => [...planPieces(plan)].join('')

/** A list or an object with a line for each entry. */
function* linesOf(value: object): Generator<string> {
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}']
  const names = Array.isArray(value) ? null : Object.keys(value)
  const parts = names === null ? (value as readonly unknown[]) : null
  const count = parts?.length ?? names!.length
  // A line of a definition that stands in a loop is the place of thousands.
  let last: { readonly part: unknown; readonly text: string } | null = null
  const textOf = (part: unknown): string => {
    if (last === null || last.part !== part) last = { part, text: JSON.stringify(part) }
    return last.text
  }
  const lineAt = (i: number): string =>
    parts === null
      ? `    ${JSON.stringify(names![i])}: ${textOf((value as Record<string, unknown>)[names![i]!])}`
      : `    ${JSON.stringify(parts[i])}`
  yield open!
  for (let from = 0; from < count; from += AT_ONCE) {
    const lines: string[] = []
    for (let i = from; i < Math.min(from + AT_ONCE, count); i += 1) lines.push(lineAt(i))
    yield `${from === 0 ? '\n' : ',\n'}${lines.join(',\n')}`
  }
  yield `\n  ${close}`
}
