/**
 * Time as the embedded ground sees it.
 *
 * Boundary: the wall clock and timers; a test hands in its own.
 */
export interface Clock {
  /** Milliseconds since 1970, by the wall clock: it may jump either way. */
  now(): number
  /** Calls back after that many milliseconds (at most 2^31 - 1) of real time. Returns what ends it. */
  after(delay: number, callback: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delay, callback) => {
    const timer = setTimeout(callback, delay)
    return () => clearTimeout(timer)
  },
}
