import { describe, expect, test } from 'vitest'
import planSchema from '../../schemas/plan.schema.json' with { type: 'json' }
import type { Diagnostic } from '../../src/diagnostic.ts'
import { type Document, type Upgrade, upgradeDocument } from '../../src/plan/format.ts'
import { readPlan } from '../../src/plan/read.ts'
import { samplePlan } from '../fixtures/plan-samples.ts'
import { compileSchema } from './schema-truth.ts'

const bySchema = compileSchema(planSchema)
const validate = (document: Document): readonly Diagnostic[] =>
  bySchema(document) ? [] : [{ code: 'schema', severity: 'error', message: bySchema.errors![0]!.message! }]

describe('readPlan', () => {
  test('reads what was written', () => {
    const plan = samplePlan()
    expect(readPlan(JSON.parse(JSON.stringify(plan)), { validate })).toEqual({ ok: true, plan })
  })

  const refuse = (json: unknown, code: string, message: string): void =>
    expect(readPlan(json, { validate })).toMatchObject({ ok: false, diagnostics: [{ code, message }] })

  test('refuses what is not a plan', () => {
    refuse([], 'not-a-document', 'this is not a plan: it is not a JSON object')
    refuse(null, 'not-a-document', 'this is not a plan: it is not a JSON object')
    refuse({}, 'not-a-document', 'this is not a plan: its `format` is not a version number')
    refuse({ format: '1' }, 'not-a-document', 'this is not a plan: its `format` is not a version number')
    refuse({ format: 0 }, 'not-a-document', 'this is not a plan: its `format` is not a version number')
  })

  test('refuses a newer format before it looks at anything else', () =>
    refuse({ format: 2 }, 'format-too-new', 'this plan has format 2, and this program reads formats up to 1'))

  test('refuses what does not have the structure', () =>
    refuse({ format: 1 }, 'schema', "must have required property 'release'"))
})

describe('upgradeDocument', () => {
  const rename: Upgrade = ({ colour, ...rest }) => ({ ...rest, color: colour })
  const listed: Upgrade = ({ color, ...rest }) => ({ ...rest, colors: [color] })
  const format = { what: 'paint', current: 3, upgrades: [rename, listed] }
  const check = (input: unknown, document: Document): void =>
    expect(upgradeDocument(input, format)).toEqual({ ok: true, document })

  test('takes each step from the format of the document to the current one', () => {
    check({ format: 1, colour: 'red' }, { format: 3, colors: ['red'] })
    check({ format: 2, color: 'red' }, { format: 3, colors: ['red'] })
    check({ format: 3, colors: ['red'] }, { format: 3, colors: ['red'] })
  })
})
