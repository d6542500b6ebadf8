/**
 * Channels: where `.notify()` sends its message.
 *
 * Boundary: data; the adapters send.
 */
import { type Handle, handle, requireModel } from './handle.ts'
import type { ChannelModel } from './model.ts'
import { brand } from './model.ts'
import type { Secret } from './secret.ts'

/** Where a message goes: what `slack()` and `webhook()` return. */
export interface Channel extends Handle<ChannelModel> {}

const channel = (kind: ChannelModel['kind'], url: string | Secret, name: string | null): Channel => {
  const written: ChannelModel = {
    [brand]: 'channel',
    kind,
    url: typeof url === 'string' ? url : requireModel('secret', url, `${kind}: url`),
    channel: name,
  }
  return handle({}, written)
}

/**
 * Posts the message as JSON to an address.
 *
 * @param url the address, or a secret that holds it.
 * @example
 * import { secret, webhook } from 'release-as-code'
 *
 * const audit = webhook('https://audit.techcorp.example/releases')
 * const operations = webhook(secret('OPERATIONS_HOOK'))
 */
export function webhook(url: string | Secret): Channel {
  return channel('webhook', url, null)
}

/**
 * Posts the message to a Slack channel, through an incoming webhook.
 *
 * @param url the webhook's address; it allows posting to whoever has it, so give it as a secret.
 * @param name the channel, with its `#`.
 * @example
 * import { secret, slack } from 'release-as-code'
 *
 * const releases = slack(secret('SLACK_WEBHOOK'), '#releases')
 */
export function slack(url: Secret | string, name: `#${string}`): Channel {
  return channel('slack', url, name)
}
