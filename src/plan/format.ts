/**
 * Formats that carry a version: older documents are upgraded, newer ones refused.
 *
 * Boundary: knows only `{ format: number }`; what a document means is its reader's business.
 */
import type { Diagnostic } from '../diagnostic.ts'

export type Document = Readonly<Record<string, unknown>>

/** Makes a document of one format into one of the next. */
export type Upgrade = (older: Document) => Document

export interface Format {
  /** For messages: `plan`. */
  readonly what: string
  readonly current: number
  /** The upgrade from format 1 to 2, from 2 to 3, and so on: one fewer than `current`. */
  readonly upgrades: readonly Upgrade[]
}

export type Upgraded =
  | { readonly ok: true; readonly document: Document }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] }

/** Brings a document to the current format, or says why it cannot be read. Its content is not looked at. */
export function upgradeDocument(json: unknown, format: Format): Upgraded {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return refuse('not-a-document', `this is not a ${format.what}: it is not a JSON object`)
  }
  const version = (json as Document).format
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    return refuse('not-a-document', `this is not a ${format.what}: its \`format\` is not a version number`)
  }
  if (version > format.current) {
    return refuse(
      'format-too-new',
      `this ${format.what} has format ${version}, and this program reads formats up to ${format.current}`,
      `Use the version of release-as-code that wrote it, or a newer one.`,
    )
  }
  const steps = format.upgrades.slice(version - 1)
  const document = steps.reduce<Document>(
    (older, upgrade, i) => ({ ...upgrade(older), format: version + i + 1 }),
    json as Document,
  )
  return { ok: true, document }
}

function refuse(code: string, message: string, hint?: string): Upgraded {
  return {
    ok: false,
    diagnostics: [{ code, severity: 'error', message, ...(hint === undefined ? {} : { hint }) }],
  }
}
