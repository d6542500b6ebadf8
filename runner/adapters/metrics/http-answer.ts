/**
 * One HTTP request whose answer is a document, for the sources that are asked over HTTP.
 *
 *  HA1. What is told of an address never holds a secret: neither what stands before the host nor the query, and of an
 *       address that is a secret nothing at all.
 *  HA2. A redirect is not followed: it would take credentials to another host.
 *  HA3. What is read of an answer is bounded.
 */
import { ReleaseError } from '../../../src/errors.ts'
import type { EnvValue } from '../../../src/plan/plan.ts'
import { noAnswerReason } from '../../../src/run/no-answer.ts'

export interface Asking {
  readonly url: URL
  /** What the address is called in errors: {@link nameOfAddress}. */
  readonly name: string
  readonly signal: AbortSignal
  readonly fetch: typeof fetch
  /** Sent as a form by POST; left out: GET. */
  readonly form?: URLSearchParams
}

export interface Answer {
  readonly status: number
  readonly text: string
}

const largestAnswer = 16 * 1024 * 1024

/** Asks once. Fails with code `measure-unreachable` or `measure-too-large`; any status is an answer. */
export async function ask({ url, name, signal, form, fetch }: Asking): Promise<Answer> {
  const { address, authorization } = withoutCredentials(url)
  try {
    const response = await fetch(address, {
      ...(form === undefined ? {} : { method: 'POST', body: form }),
      headers: { accept: 'application/json', 'user-agent': 'release-as-code', ...authorization },
      redirect: 'manual',
      signal,
    })
    return { status: response.status, text: await textOf(response, name) }
  } catch (error) {
    if (signal.aborted || (error as ReleaseError).code === 'measure-too-large') throw error
    throw new ReleaseError('measure-unreachable', `${name} could not be reached (${noAnswerReason(error)})`, {
      hint: 'Look whether it runs and whether the address is right.',
    })
  }
}

async function textOf(response: Response, name: string): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const piece of response.body ?? []) {
    size += piece.byteLength
    if (size > largestAnswer) {
      throw new ReleaseError(
        'measure-too-large',
        `${name} answered with more than ${largestAnswer >> 20} MiB`,
      )
    }
    text += decoder.decode(piece, { stream: true })
  }
  return text + decoder.decode()
}

/** `fetch` refuses an address with credentials: they go where they are sent anyway. */
function withoutCredentials(url: URL): {
  readonly address: URL
  readonly authorization: Readonly<Record<string, string>>
} {
  if (url.username === '' && url.password === '') return { address: url, authorization: {} }
  const credentials = `${decoded(url.username)}:${decoded(url.password)}`
  const address = new URL(url)
  address.username = ''
  address.password = ''
  return {
    address,
    authorization: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  }
}

/** A password may hold a per cent sign that begins no code. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The address, or a failure with code `measure-address` that does not repeat it. */
export function addressOf(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && (url.protocol === 'https:' || url.protocol === 'http:')) return url
  throw new ReleaseError('measure-address', `the address of ${what} is no http or https address`, {
    hint: 'Correct the address, or the secret that holds it. It is not shown here, because it may hold a secret.',
  })
}

/** What an address is called in lines for people (HA1). */
export function nameOfAddress(url: URL, from: EnvValue): string {
  if ('secret' in from) return `the address in the secret ${from.secret}`
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?…'}`
}
