/**
 * Waiting for a condition, never for a time.
 */
import { setTimeout as pause } from 'node:timers/promises'

/** How long a condition may take on a machine that is busy with other things; only something that hangs gets there. */
const PATIENCE = 60_000

/** Resolves to the first answer that is neither false, null nor undefined. @throws Error naming `what` where none comes */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
): Promise<Exclude<T, false | null | undefined>> {
  const end = performance.now() + PATIENCE
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== null && answer !== undefined) {
      return answer as Exclude<T, false | null | undefined>
    }
    if (performance.now() > end) throw new Error(`it did not come to this in ${PATIENCE / 1000} s: ${what}`)
    await pause(10)
  }
}
