/**
 * A plan in a file: read, upgraded, validated, and known to be unchanged since it was made.
 */
import { readFile } from 'node:fs/promises'
import type { Diagnostic } from '../src/diagnostic.ts'
import { InputError } from '../src/errors.ts'
import { isIntact } from '../src/plan/canonical.ts'
import type { Plan } from '../src/plan/plan.ts'
import { readPlan } from '../src/plan/read.ts'
import { sha256OfPieces } from './load/fingerprint.ts'
import { validate } from './load/validate.ts'

/** @throws InputError `plan-unreadable`, `plan-changed`, or what the schema says of it */
export async function readPlanFile(path: string): Promise<Plan> {
  return parsePlan(path, await readText(path))
}

/** The plan that a text is; `path` is for messages. @throws InputError as {@link readPlanFile} */
export async function parsePlan(path: string, text: string): Promise<Plan> {
  const json = readIntact(path, text)
  return upgraded(json, await validate('plan', json))
}

/**
 * A plan whose hash is known from a run of ours. Its structure is not asked again: what has this hash is what was
 * compiled, and compiling the schema would take longer than everything else that most commands do. `known`: the text is
 * to the byte what we wrote, so that it need not be asked whether its hash fits.
 */
export function parseOwnPlan(path: string, text: string, { known }: { readonly known: boolean }): Plan {
  return upgraded(known ? readJson(path, text) : readIntact(path, text), [])
}

function upgraded(json: unknown, diagnostics: readonly Diagnostic[]): Plan {
  const read = readPlan(json, { validate: () => diagnostics })
  if (!read.ok) throw new InputError(read.diagnostics)
  return read.plan
}

/** @throws InputError `plan-unreadable`, `plan-changed` */
function readIntact(path: string, text: string): unknown {
  const json = readJson(path, text)
  if (!isIntact(json as Plan, sha256OfPieces)) {
    throw problem(
      'plan-changed',
      `${path} is not as it was made: its hash does not fit what it says`,
      'Make the plan again.',
    )
  }
  return json
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(path, error as Error)
  }
}

function readJson(path: string, text: string): unknown {
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json === 'object' && json !== null) return json
    throw new Error('it holds no object')
  } catch (error) {
    throw unreadable(path, error as Error)
  }
}

const unreadable = (path: string, { message }: Error): InputError =>
  problem(
    'plan-unreadable',
    `${path} could not be read as a plan: ${message}`,
    'Make one with: release plan FILE --format json --out PLAN',
  )

const problem = (code: string, message: string, hint: string): InputError =>
  new InputError([{ code, severity: 'error', message, hint }])
