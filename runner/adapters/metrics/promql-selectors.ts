/**
 * Which series a PromQL query looks at.
 *
 * Boundary: text only; it reads a query as far as it takes to find its selectors, and leaves judging it to Prometheus.
 */
import type { Millis } from '../../../src/plan/plan.ts'

export interface SelectorsOf {
  /** `http_requests_total{code="500"}`, each once. `up` is left out: who asks for it wants to know what it says. */
  readonly selectors: readonly string[]
  /** The longest range in the query: how far back what it says reaches. */
  readonly range: Millis
}

const TOKEN =
  /(?<blank>\s+|#[^\n]*)|(?<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|(?<name>[A-Za-z_:][\w:]*)|(?<number>\.?\d[\w.]*)|(?<mark>.)/gsuy

interface Token {
  readonly kind: 'text' | 'name' | 'number' | 'mark'
  readonly text: string
}

/** Labels stand after these, between parentheses. */
const LABELS_FOLLOW = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'])
const WORDS = new Set([...LABELS_FOLLOW, 'and', 'or', 'unless', 'bool', 'offset', 'atan2', 'inf', 'nan'])

/** Finds the selectors of a query and its longest range. */
export function selectorsOf(query: string): SelectorsOf {
  const tokens = tokensOf(query)
  const selectors = new Set<string>()
  let range = 0
  for (let index = 0; index < tokens.length; index += 1) {
    const { kind, text } = tokens[index]!
    if (text === '{' && kind === 'mark') {
      const end = endOf(tokens, index, '}')
      selectors.add(joined(tokens.slice(index, end + 1)))
      index = end
    } else if (text === '[' && kind === 'mark') {
      const end = endOf(tokens, index, ']')
      range = Math.max(range, durationOf(joined(tokens.slice(index + 1, end))))
      index = end
    } else if (kind === 'name' && LABELS_FOLLOW.has(text.toLowerCase())) {
      if (tokens[index + 1]?.text === '(') index = endOf(tokens, index + 1, ')')
    } else if (kind === 'name' && isMetric(text, tokens[index + 1])) {
      const braced = tokens[index + 1]?.text === '{'
      const end = braced ? endOf(tokens, index + 1, '}') : index
      if (text !== 'up') selectors.add(joined(tokens.slice(index, end + 1)))
      index = end
    }
  }
  return { selectors: [...selectors], range }
}

function tokensOf(query: string): readonly Token[] {
  return [...query.matchAll(TOKEN)].flatMap(({ groups = {} }) => {
    const [kind, text] = Object.entries(groups).find(([, found]) => found !== undefined)!
    return kind === 'blank' ? [] : [{ kind: kind as Token['kind'], text }]
  })
}

/** What stands before a parenthesis is a function, and before `by` an aggregation. */
function isMetric(name: string, next: Token | undefined): boolean {
  if (WORDS.has(name.toLowerCase())) return false
  if (next === undefined) return true
  return next.text !== '(' && !(next.kind === 'name' && /^(by|without)$/i.test(next.text))
}

function endOf(tokens: readonly Token[], from: number, mark: string): number {
  const end = tokens.findIndex(({ kind, text }, index) => index > from && kind === 'mark' && text === mark)
  return end === -1 ? tokens.length : end
}

const joined = (tokens: readonly Token[]): string => tokens.map(({ text }) => text).join('')

const UNITS: Readonly<Record<string, Millis>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
}

/** `1h30m`, also of a subquery: `1h:1m`. What is no duration is 0. */
export function durationOf(text: string): Millis {
  const [range = ''] = text.split(':')
  return [...range.matchAll(/(\d+)(ms|[smhdwy])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!,
    0,
  )
}
