/**
 * A number in a JSON document that an address answers with.
 *
 *  JM1. What is not there is no data, and so is `null`; what is there and is no number is an error.
 */
import { ReleaseError } from '../../../src/errors.ts'
import type { MeasureTarget, Millis, PlanMeasure } from '../../../src/plan/plan.ts'
import type { Meter } from '../../../src/run/ports.ts'
import { type FillIn, fillIn, inAddress } from './fill-in.ts'
import { addressOf, ask, nameOfAddress } from './http-answer.ts'
import { framed, type MeterContext } from './reading.ts'

export interface JsonMeterRequest {
  readonly measure: Extract<PlanMeasure, { kind: 'json' }>
  readonly target: MeasureTarget
  readonly interval: Millis
  readonly fetch: typeof fetch
}

/** A meter that asks an address at each reading. */
export function openJsonMeter(
  { measure, target, interval, fetch }: JsonMeterRequest,
  context: MeterContext,
): Meter {
  const filled: FillIn = { target, window: interval }
  return framed(context, async signal => {
    const at = context.now()
    const written = fillIn(await context.secrets.resolve(measure.url), filled, inAddress)
    const url = addressOf(written, `the document that is measured at ${measure.pointer || 'its root'}`)
    const name = nameOfAddress(url, measure.url)
    const { status, text } = await ask({ url, name, signal, fetch })
    if (status < 200 || status > 299) throw refused(name, status)
    return { at, value: numberAt(documentOf(text, name), { pointer: measure.pointer, name }) }
  })
}

const refused = (name: string, status: number): ReleaseError =>
  new ReleaseError(
    'measure-refused',
    `${name} answered ${status}${status < 400 ? ', and a redirect is not followed' : ''}`,
  )

function documentOf(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ReleaseError('measure-unreadable', `${name} answered with something that is no JSON`)
  }
}

function numberAt(
  document: unknown,
  { pointer, name }: { readonly pointer: string; readonly name: string },
): number | null {
  const found = valueAt(document, pointer)
  if (found === undefined || found === null) return null
  if (typeof found === 'number') return found
  throw new ReleaseError(
    'measure-not-a-number',
    `${name} has ${kindOf(found)} at ${pointer || 'its root'}, no number`,
  )
}

const kindOf = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`

/** What a JSON Pointer (RFC 6901) leads to; undefined: nothing. */
export function valueAt(document: unknown, pointer: string): unknown {
  if (pointer === '') return document
  if (!pointer.startsWith('/')) {
    throw new ReleaseError('measure-pointer', `"${pointer}" is no JSON Pointer`, {
      hint: "A JSON Pointer begins with a slash, as in '/queue/length'.",
    })
  }
  return pointer
    .slice(1)
    .split('/')
    .map(token => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(memberOf, document)
}

function memberOf(value: unknown, token: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value)) return /^(0|[1-9]\d*)$/.test(token) ? value[Number(token)] : undefined
  return Object.hasOwn(value, token) ? (value as Readonly<Record<string, unknown>>)[token] : undefined
}
