/**
 * How a guard does what it has to do: again and again while somebody else holds what it needs, and with an end in any case.
 *
 *     try ──held──▶ wait (1 s, 2 s, … 30 s) ──▶ try
 *      ├──▶ done
 *      └──refused, or broken──▶ failed, with the reason
 */
import { isReleaseError } from '../../src/errors.ts'

/** What stands in the way only as long as somebody works; nothing has begun then. */
const HELD: readonly string[] = ['run-held', 'environment-held']
/** The same, found out in the middle. */
const TAKEN_OVER = 'environment-taken-over'

export type Acted<T> =
  | { readonly type: 'done'; readonly value: T }
  | { readonly type: 'failed'; readonly reason: string; readonly error: unknown }
  /** It was told to stop, or what it was for is no more. */
  | { readonly type: 'let-be' }

export interface Insisting {
  readonly now: () => number
  readonly until: (time: number, signal: AbortSignal) => Promise<void>
  readonly signal: AbortSignal
  /** Told before each wait, with who holds it. */
  readonly held: (reason: string) => Promise<void>
  /** Asked before each new try: whether it is still to be done. */
  readonly isDue: () => Promise<boolean>
}

const FIRST_WAIT = 1_000
const LONGEST_WAIT = 30_000

/** Never rejects but for what `held` and `isDue` do. */
export async function insist<T>(
  act: () => Promise<T>,
  { now, until, signal, held, isDue }: Insisting,
): Promise<Acted<T>> {
  for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      return { type: 'done', value: await act() }
    } catch (error) {
      if (!hasCode(error, HELD)) return { type: 'failed', reason: reasonOf(error), error }
      await held(reasonOf(error))
    }
    await until(now() + wait, signal)
    if (signal.aborted || !(await isDue())) return { type: 'let-be' }
  }
}

/** Somebody else has the run, or a place that it needs. */
export const isHeld = (error: unknown): boolean => hasCode(error, [...HELD, TAKEN_OVER])

const hasCode = (error: unknown, codes: readonly string[]): boolean =>
  isReleaseError(error) && codes.includes(error.code)

/** What went wrong and what to do about it, without the last full stop. */
export function reasonOf(error: unknown): string {
  const { message } = error as Error
  const hint = isReleaseError(error) ? error.hint : undefined
  const text = hint === undefined ? message : `${message.replace(/\.$/, '')}. ${hint}`
  return text.replace(/\.$/, '')
}
