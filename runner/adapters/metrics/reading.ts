/**
 * The frame around a reading: its time, its limit, and what becomes of what goes wrong.
 *
 *  RE1. A reading rejects for an abort and for nothing else; whatever fails is a measurement with an `error`.
 *  RE2. No reading takes longer than its limit.
 *  RE3. An error's text is scrubbed of every secret that was read so far.
 */
import { isReleaseError, ReleaseError } from '../../../src/errors.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import type { Meter, Secrets } from '../../../src/run/ports.ts'

/** What every meter stands on. */
export interface MeterContext {
  readonly secrets: Pick<Secrets, 'resolve' | 'scrub'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How long one reading may take, in milliseconds. */
  readonly timeout: number
}

/** Takes one measurement. The signal is aborted with the reading, and when its time is over. */
export type Take = (signal: AbortSignal) => Promise<Measurement>

/** A meter whose readings are taken in the frame. */
export const framed = (context: MeterContext, take: Take): Meter => ({
  async read(signal) {
    const at = context.now()
    try {
      return await within(signal, context.timeout, take)
    } catch (error) {
      if (signal.aborted) throw error
      return { at, value: null, error: context.secrets.scrub(reasonOf(error)) }
    }
  },
})

/**
 * Does something that ends when its signal is aborted, whether for the caller or because the time is over.
 * Fails with code `cancelled` for an abort and `measure-timeout` when the time is over.
 */
export async function within<T>(
  signal: AbortSignal,
  timeout: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (signal.aborted) throw stopped()
  const limit = AbortSignal.timeout(timeout)
  try {
    return await work(AbortSignal.any([signal, limit]))
  } catch (error) {
    // What was aborted fails in words of its own; that it was aborted says more.
    if (signal.aborted) throw stopped()
    throw limit.aborted ? tooLong(timeout) : error
  }
}

/** Waits for what cannot be told to end: it is left to itself when the signal is aborted, and what it comes to is lost. */
export async function orLeave<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const left = Promise.withResolvers<never>()
  const leave = (): void => left.reject(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await Promise.race([work, left.promise])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** What an abort comes to. */
export const stopped = (): ReleaseError => new ReleaseError('cancelled', 'the measuring was stopped')

const tooLong = (timeout: number): ReleaseError =>
  new ReleaseError('measure-timeout', `there was no answer within ${timeout} ms`)

/** A sentence without its full stop. What is no error of ours may hold an address, so that only its name is told. */
function reasonOf(error: unknown): string {
  if (isReleaseError(error)) return error.message
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown }
  return `it could not be measured (${typeof code === 'string' ? code : typeof name === 'string' ? name : 'no reason given'})`
}
