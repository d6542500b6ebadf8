import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type NotificationRequest, sendNotification } from '../../runner/adapters/notifiers/notifiers.ts'
import { createSecrets } from '../../runner/adapters/secrets/secrets.ts'
import type { ReleaseError } from '../../src/errors.ts'
import type { NotifyOperation } from '../../src/plan/plan.ts'

interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
}

let server: Server
let base = ''
let seen: Seen[] = []
let answer: (response: ServerResponse) => void
beforeAll(async () => {
  server = createServer((request, response) => {
    let text = ''
    request.on('data', chunk => {
      text += chunk
    })
    request.on('end', () => {
      seen.push({
        method: request.method!,
        path: request.url!,
        headers: request.headers,
        body: JSON.parse(text),
      })
      answer(response)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  seen = []
  answer = response => response.end('ok')
})

const answering =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, headers).end('hooks/top-secret-token is bad')

const webhook = (url: string): NotifyOperation['channel'] => ({ kind: 'webhook', url: { value: url } })
const send = (
  channel: NotifyOperation['channel'],
  more: Partial<NotificationRequest> & { env?: object; timeout?: number } = {},
) => {
  const { env, timeout = 5000, ...request } = more
  const secrets = createSecrets([{ name: 'HOOK', from: 'env', variable: 'HOOK' }], {
    root: '/',
    env: { ...env },
  })
  return sendNotification(
    {
      operation: { kind: 'notify', required: false, channel, message: null },
      message: 'phoenix 3.0.0: 5 of 9 nodes done',
      signal: new AbortController().signal,
      idempotencyKey: 'phoenix-1/announce/notify ☃',
      ...request,
    },
    { secrets, plan: { release: { name: 'phoenix', version: '3.0.0' } }, run: 'phoenix-1', timeout },
  )
}
const failure = (sent: Promise<unknown>): Promise<ReleaseError> =>
  sent.then(
    () => Promise.reject(new Error('it was sent')),
    error => error,
  )

describe('a message', { timeout: 60_000 }, () => {
  it('reaches a webhook as JSON, once', async () => {
    expect(await send(webhook(`${base}/hook?x=1`))).toBe('the webhook took the message (200)')
    expect(seen).toMatchObject([
      {
        method: 'POST',
        path: '/hook?x=1',
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'idempotency-key': 'phoenix-1/announce/notify%20%E2%98%83',
        },
        body: {
          format: 1,
          release: 'phoenix',
          version: '3.0.0',
          run: 'phoenix-1',
          message: 'phoenix 3.0.0: 5 of 9 nodes done',
          idempotencyKey: 'phoenix-1/announce/notify ☃',
        },
      },
    ])
  })

  it('reaches Slack, with its marks written as Slack asks', async () => {
    const channel = { kind: 'slack', url: { secret: 'HOOK' }, channel: '#releases' } as const
    const env = { HOOK: `${base}/services/T/B/token` }
    expect(await send(channel, { env, message: '1 < 2 & <!here> ☃' })).toBe(
      "Slack's #releases took the message (200)",
    )
    expect(seen).toMatchObject([
      { path: '/services/T/B/token', body: { channel: '#releases', text: '1 &lt; 2 &amp; &lt;!here&gt; ☃' } },
    ])
  })

  it('carries no secret, even where the text does', async () => {
    const env = { HOOK: `${base}/top-secret-token` }
    await send({ kind: 'webhook', url: { secret: 'HOOK' } }, { env, message: `see ${env.HOOK}` })
    expect(seen[0]!.body).toMatchObject({ message: 'see [secret HOOK]' })
  })

  it('takes name and password from the address, and hands them over as they must be', async () => {
    await send(webhook(base.replace('//', '//user:p%40ss@')))
    expect(seen[0]!.headers.authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`)
    await send(webhook(base.replace('//', '//user:100%@')))
    expect(seen[1]!.headers.authorization).toBe(`Basic ${Buffer.from('user:100%').toString('base64')}`)
  })

  it.each<[number, string]>([
    [400, 'notify-refused'],
    [401, 'notify-refused'],
    [404, 'notify-refused'],
    [410, 'notify-refused'],
    [408, 'notify-unavailable'],
    [425, 'notify-unavailable'],
    [429, 'notify-unavailable'],
    [500, 'notify-unavailable'],
    [503, 'notify-unavailable'],
  ])('that is answered with %i fails with %s', async (status, code) => {
    answer = answering(status)
    expect(await failure(send(webhook(base)))).toMatchObject({
      code,
      message: expect.stringContaining(`it answered ${status}`),
    })
    expect(seen).toHaveLength(1)
  })

  it('says how long the receiver asks to wait', async () => {
    answer = answering(429, { 'retry-after': '30' })
    expect((await failure(send(webhook(base)))).message).toBe(
      'the webhook could not take the message: it answered 429; it asks to wait 30 s',
    )
  })

  it('does not follow a redirect', async () => {
    answer = answering(307, { location: '/elsewhere' })
    expect(await failure(send(webhook(base)))).toMatchObject({
      code: 'notify-refused',
      hint: expect.stringContaining('redirect'),
    })
    expect(seen).toHaveLength(1)
  })

  it('fails in time where nobody answers, and at once where nobody is or the node is stopped', async () => {
    answer = () => {}
    expect(await failure(send(webhook(base), { timeout: 50 }))).toMatchObject({
      code: 'notify-unavailable',
      message: 'the webhook could not be reached (no answer within 50 ms)',
    })
    const abort = new AbortController()
    answer = () => abort.abort()
    expect(await failure(send(webhook(base), { signal: abort.signal }))).toMatchObject({ code: 'cancelled' })
    answer = response => void response.destroy()
    expect(await failure(send(webhook(base)))).toMatchObject({ code: 'notify-unavailable' })
    const closed = createServer()
    await new Promise<void>(resolve => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise(resolve => closed.close(resolve))
    expect(await failure(send(webhook(`http://127.0.0.1:${port}`)))).toMatchObject({
      code: 'notify-unavailable',
      message: 'the webhook could not be reached (ECONNREFUSED)',
    })
  })

  it.each(['', 'no address', 'ftp://x/y', 'file:///etc/passwd', 'javascript:1'])(
    'has no address in %j',
    async url => {
      expect(await failure(send(webhook(url)))).toMatchObject({ code: 'notify-address' })
    },
  )

  it('shows its address in no failure, whatever is answered', async () => {
    const env = { HOOK: `${base.replace('//', '//user:top-secret-pass@')}/hooks/top-secret-token` }
    const channel = { kind: 'webhook', url: { secret: 'HOOK' } } as const
    const answers = [answering(404), answering(500), (r: ServerResponse) => void r.destroy(), () => {}]
    for (const how of answers) {
      answer = how
      const error = await failure(send(channel, { env, timeout: 100 }))
      expect(inspect(error, { depth: 9 })).not.toMatch(/top-secret/)
    }
    const odd = await failure(send(channel, { env: { HOOK: 'http://top-secret host/' } }))
    expect(inspect(odd, { depth: 9 })).not.toMatch(/top-secret/)
  })

  it('is not sent where its secret is missing', async () => {
    expect(await failure(send({ kind: 'webhook', url: { secret: 'HOOK' } }))).toMatchObject({
      code: 'secret-missing',
    })
    expect(seen).toEqual([])
  })
})
