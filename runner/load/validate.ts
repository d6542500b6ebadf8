/**
 * Whether JSON has the form that its schema says.
 *
 * Boundary: form only. What a well-formed plan or journal means is read elsewhere.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js'
import type { Diagnostic } from '../../src/diagnostic.ts'
import { ownPackage } from './own-package.ts'

/** `schemas/NAME.schema.json` in our package. */
export type SchemaName = 'plan' | 'event' | 'line' | 'report' | 'guard'

const compiled = new Map<SchemaName, Promise<ValidateFunction>>()

/**
 * Checks a value against a schema.
 *
 * @returns one `schema` error for each place that is wrong, such as `plan.nodes[3].retry.limit must be >= 0`;
 *   none where all is well
 */
export async function validate(name: SchemaName, value: unknown): Promise<readonly Diagnostic[]> {
  if (!compiled.has(name)) compiled.set(name, compileSchema(name))
  const check = await compiled.get(name)!
  if (check(value)) return []
  const messages = new Set(withoutEchoes(check.errors ?? []).map(error => messageOf(name, error)))
  return [...messages].map(message => ({ code: 'schema', severity: 'error', message }))
}

async function compileSchema(name: SchemaName): Promise<ValidateFunction> {
  const { Ajv2020 } = await import('ajv/dist/2020.js')
  const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false })
  if (name === 'line') ajv.addSchema([readSchema('event'), readSchema('guard')])
  return ajv.compile(readSchema(name))
}

const readSchema = (name: SchemaName): object =>
  JSON.parse(readFileSync(join(ownPackage().root, 'schemas', `${name}.schema.json`), 'utf8')) as object

const ALTERNATIVES = new Set(['anyOf', 'oneOf'])

/**
 * A condition repeats what its branch has said, and alternatives say what is wrong with each of them:
 * of these the ones that got furthest into the value are kept, or else the statement that none fits.
 */
function withoutEchoes(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  let kept: ErrorObject[] = []
  for (const error of errors) {
    if (error.keyword === 'if') continue
    if (!ALTERNATIVES.has(error.keyword)) {
      kept.push(error)
      continue
    }
    const isWithin = (other: ErrorObject) => other.instancePath.startsWith(`${error.instancePath}/`)
    const deeper = kept.filter(isWithin)
    const outside = kept.filter(other => !isWithin(other) && other.instancePath !== error.instancePath)
    kept = [...outside, ...(deeper.length > 0 ? deeper : [error])]
  }
  return kept
}

function messageOf(name: SchemaName, error: ErrorObject): string {
  const place = name + error.instancePath.split('/').slice(1).map(step).join('')
  return `${place} ${demandOf(error)}`
}

/** A step of a JSON pointer as it is written in JavaScript. */
function step(pointer: string): string {
  const key = pointer.replaceAll('~1', '/').replaceAll('~0', '~')
  if (/^\d+$/.test(key)) return `[${key}]`
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

function demandOf({ keyword, params, message }: ErrorObject): string {
  switch (keyword) {
    case 'const':
      return `must be ${JSON.stringify(params.allowedValue)}`
    case 'enum':
      return `must be one of ${(params.allowedValues as unknown[]).map(value => JSON.stringify(value)).join(', ')}`
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return `must not have ${JSON.stringify(params.additionalProperty ?? params.unevaluatedProperty)}`
    case 'required':
      return `must have ${JSON.stringify(params.missingProperty)}`
    case 'anyOf':
    case 'oneOf':
      return 'has none of the forms that it may have'
    default:
      return message ?? `breaks the rule ${keyword}`
  }
}
