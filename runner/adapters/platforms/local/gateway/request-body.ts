/**
 * A request's body, held where it is small enough to be sent twice, streamed where it is not.
 */
import type { IncomingMessage } from 'node:http'

/** Bodies up to this many bytes are held, so that a failed attempt can be made again. */
export const HELD_BODY_BYTES = 1024 * 1024

export type RequestBody =
  | { readonly type: 'none' }
  | { readonly type: 'held'; readonly bytes: Buffer }
  /** Can be sent only once it is asked for, and only once. */
  | {
      readonly type: 'streamed'
      readonly chunks: AsyncIterable<Buffer>
      readonly isBegun: () => boolean
      /** Reads the rest to no purpose, so that the client's next request on this connection is seen. */
      readonly discard: () => Promise<void>
    }

/** Reads a body up to the bound. Rejects where the client went away before its end. */
export const readBody = async (incoming: IncomingMessage): Promise<RequestBody> => {
  const length = incoming.headers['content-length']
  if (incoming.headers['transfer-encoding'] === undefined && (length === undefined || length === '0'))
    return { type: 'none' }
  const source = incoming.iterator({ destroyOnReturn: false })
  if (Number(length ?? 0) > HELD_BODY_BYTES) return streamed(incoming, [], source)
  const held: Buffer[] = []
  let size = 0
  for (;;) {
    const { value, done } = await source.next()
    if (done) return { type: 'held', bytes: Buffer.concat(held) }
    held.push(value)
    size += value.length
    if (size > HELD_BODY_BYTES) return streamed(incoming, held, source)
  }
}

const streamed = (
  incoming: IncomingMessage,
  head: readonly Buffer[],
  rest: AsyncIterator<Buffer>,
): RequestBody => {
  let begun = false
  async function* chunks(): AsyncGenerator<Buffer> {
    begun = true
    yield* head
    for (;;) {
      const { value, done } = await rest.next()
      if (done) return
      yield value
    }
  }
  return {
    type: 'streamed',
    chunks: { [Symbol.asyncIterator]: chunks },
    isBegun: () => begun,
    async discard() {
      await rest.return?.()
      incoming.resume()
    },
  }
}
