/**
 * Reading a plan that was written earlier, by this version or another.
 *
 * Boundary: the format's version only. Whether the rest has the right structure is said by
 * schemas/plan.schema.json, through the `validate` that is handed in; whether it is unchanged, by `isIntact`.
 */
import { type Diagnostic, hasErrors } from '../diagnostic.ts'
import { type Document, type Format, type Upgrade, upgradeDocument } from './format.ts'
import { PLAN_FORMAT, type Plan } from './plan.ts'

/** From format 1 to 2, and so on. There is only format 1 so far. */
const upgrades: readonly Upgrade[] = []

const planFormat: Format = { what: 'plan', current: PLAN_FORMAT, upgrades }

export type ReadPlan =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] }

export interface ReadOptions {
  /** Checks the structure of the upgraded document against the schema. */
  readonly validate: (document: Document) => readonly Diagnostic[]
}

/**
 * A plan of the current format, or what is wrong with it. An older one is upgraded first.
 *
 * An upgraded plan keeps the hash of what was approved and run; ask `isIntact` before upgrading, of the text as
 * it was read, not of the result.
 */
export function readPlan(json: unknown, options: ReadOptions): ReadPlan {
  const upgraded = upgradeDocument(json, planFormat)
  if (!upgraded.ok) return upgraded
  const diagnostics = options.validate(upgraded.document)
  if (hasErrors(diagnostics)) return { ok: false, diagnostics }
  return { ok: true, plan: upgraded.document as unknown as Plan }
}
