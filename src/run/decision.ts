/**
 * A decision as text: what a person signs, and how it is read back.
 *
 * Boundary: pure; knows nothing of keys.
 *
 *  DC1. One decision has one text (canonical JSON), so that a signature over the text is one over the decision.
 *  DC2. A text that is not exactly the canonical one is refused: nothing is signed that is not shown.
 */
import { canonicalJson } from '../plan/canonical.ts'
import type { Decision } from './ports.ts'

/** The text that is signed. */
export const decisionText = (decision: Decision): string => canonicalJson(decision)

export type ReadDecision =
  | { readonly ok: true; readonly decision: Decision }
  | { readonly ok: false; readonly reason: string }

/** Reads a decision that arrived from outside; `reason` is a sentence for people. */
export function readDecision(statement: string): ReadDecision {
  const value = parse(statement)
  if (value === null) return refuse('The decision is not a JSON object.')
  if (value.format !== 1) {
    return refuse(
      `The decision has the format ${JSON.stringify(value.format)}; this version reads the format 1. Use the version of release-as-code that runs the release.`,
    )
  }
  const wrong = Object.entries(shape).find(([name, fits]) => !fits(value[name]))
  if (wrong !== undefined) return refuse(`The decision's "${wrong[0]}" is missing or not what it should be.`)
  const decision = value as unknown as Decision
  return textOf(value) === statement
    ? { ok: true, decision }
    : refuse('The decision is not in its canonical form, so that its signature would cover another text.')
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

const shape: Readonly<Record<Exclude<keyof Decision, 'format'>, (value: unknown) => boolean>> = {
  verdict: value => value === 'approve' || value === 'reject',
  run: isText,
  plan: value => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
  approval: isText,
  person: isText,
  role: isText,
  reason: value => typeof value === 'string',
  nonce: value => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value),
  at: value => Number.isSafeInteger(value),
}

function parse(statement: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(statement)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

/** null: it holds something that has no canonical text. */
function textOf(value: unknown): string | null {
  try {
    return canonicalJson(value)
  } catch {
    return null
  }
}

const refuse = (reason: string): ReadDecision => ({ ok: false, reason })
