/**
 * Sends a release's messages: to a webhook as JSON, or to Slack.
 *
 *  NO1. The address is a secret, or holds one: it stands in no error and no result, and neither does what the receiver
 *       answered, which may repeat it.
 *  NO2. A repetition carries the same `Idempotency-Key`, so that the receiver can tell it.
 *  NO3. What a second attempt may cure (no answer, 408, 425, 429, 5xx) fails with code `notify-unavailable`, what it
 *       cannot with `notify-refused`.
 */
import { ReleaseError } from '../../../src/errors.ts'
import type { NotifyOperation, Plan } from '../../../src/plan/plan.ts'
import { noAnswerReason } from '../../../src/run/no-answer.ts'
import type { Secrets } from '../../../src/run/ports.ts'

export interface NotificationRequest {
  readonly operation: NotifyOperation
  /** What is said, with everything filled in. */
  readonly message: string
  readonly signal: AbortSignal
  /** The same for every attempt at one node: `<run>/<node's key>`. */
  readonly idempotencyKey: string
}

export interface NotificationContext {
  readonly secrets: Pick<Secrets, 'resolve' | 'scrub'>
  readonly plan: Pick<Plan, 'release'>
  /** The run's id. */
  readonly run: string
  /** How long an attempt may take, in milliseconds. */
  readonly timeout?: number
}

const defaultTimeout = 15_000

/**
 * Sends a message once and returns a line for people.
 *
 * Fails with code `notify-unavailable` (worth another attempt), `notify-refused` (not), or `notify-address`.
 */
export async function sendNotification(
  request: NotificationRequest,
  context: NotificationContext,
): Promise<string> {
  const { channel } = request.operation
  const url = addressOf(await context.secrets.resolve(channel.url), nameOf(channel))
  const response = await post(url, request, context)
  if (response.ok) return `${nameOf(channel)} took the message (${response.status})`
  throw refusal(channel, response)
}

interface Answer {
  readonly ok: boolean
  readonly status: number
  readonly retryAfter: string | null
}

async function post(url: URL, request: NotificationRequest, context: NotificationContext): Promise<Answer> {
  const timeout = context.timeout ?? defaultTimeout
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeout)])
  const { username, password } = url
  url.username = ''
  url.password = ''
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: headersOf(request, { username, password }),
      body: JSON.stringify(bodyOf(request, context)),
      // A message that is sent on by a redirect would lose its body, and take its secrets to another host.
      redirect: 'manual',
      signal,
    })
    await response.body?.cancel()
    return { ok: response.ok, status: response.status, retryAfter: response.headers.get('retry-after') }
  } catch (error) {
    throw unanswered(request, error, timeout)
  }
}

function headersOf(
  { idempotencyKey }: NotificationRequest,
  { username, password }: { readonly username: string; readonly password: string },
): Record<string, string> {
  const credentials = `${decoded(username)}:${decoded(password)}`
  return {
    'content-type': 'application/json; charset=utf-8',
    'user-agent': 'release-as-code',
    // A header holds Latin letters only; a node's key may hold any.
    'idempotency-key': encodeURI(idempotencyKey.toWellFormed()),
    ...(username === '' && password === ''
      ? {}
      : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
  }
}

/** An address may hold a per cent sign that begins no code. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What a webhook gets; fields may be added, and none will change its meaning. */
export interface WebhookBody {
  readonly format: 1
  readonly release: string
  readonly version: string
  readonly run: string
  readonly message: string
  readonly idempotencyKey: string
}

function bodyOf(
  { operation, message, idempotencyKey }: NotificationRequest,
  { plan, run, secrets }: NotificationContext,
) {
  const text = secrets.scrub(message)
  switch (operation.channel.kind) {
    case 'webhook': {
      const { name, version } = plan.release
      return { format: 1, release: name, version, run, message: text, idempotencyKey } satisfies WebhookBody
    }
    case 'slack':
      return { channel: operation.channel.channel, text: slackText(text) }
  }
}

/** These three are all that Slack reads as markup and asks to be written otherwise. */
const slackText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

type Channel = NotifyOperation['channel']

const nameOf = (channel: Channel): string =>
  channel.kind === 'slack' ? `Slack's ${channel.channel}` : 'the webhook'

function addressOf(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && (url.protocol === 'https:' || url.protocol === 'http:')) return url
  throw new ReleaseError('notify-address', `the address of ${name} is no http or https address`, {
    hint: 'Correct the address, or the secret that holds it. It is not shown here, because it may be a secret.',
  })
}

const retryWorthy = (status: number): boolean => [408, 425, 429].includes(status) || status >= 500

function refusal(channel: Channel, { status, retryAfter }: Answer): ReleaseError {
  if (retryWorthy(status)) {
    const wait = retryAfter !== null && /^\d+$/.test(retryAfter) ? `; it asks to wait ${retryAfter} s` : ''
    return new ReleaseError(
      'notify-unavailable',
      `${nameOf(channel)} could not take the message: it answered ${status}${wait}`,
      {
        hint: 'Another attempt may succeed: give the node a retry, or resume the run.',
      },
    )
  }
  return new ReleaseError('notify-refused', `${nameOf(channel)} refused the message: it answered ${status}`, {
    hint: hintFor(channel, status),
  })
}

function hintFor(channel: Channel, status: number): string {
  if (status >= 300 && status < 400) return 'A redirect is not followed: give the address that it leads to.'
  if (channel.kind === 'slack' && (status === 403 || status === 404 || status === 410)) {
    return 'The incoming webhook has been revoked, or the channel is archived or not allowed: make a new webhook.'
  }
  return 'Look whether the address and its token are right; another attempt changes nothing.'
}

function unanswered(request: NotificationRequest, error: unknown, timeout: number): ReleaseError {
  const name = nameOf(request.operation.channel)
  if (request.signal.aborted) return new ReleaseError('cancelled', `the message to ${name} was stopped`)
  const why =
    (error as Error).name === 'TimeoutError' ? `no answer within ${timeout} ms` : noAnswerReason(error)
  return new ReleaseError('notify-unavailable', `${name} could not be reached (${why})`, {
    hint: 'Another attempt may succeed: give the node a retry, or resume the run.',
  })
}
