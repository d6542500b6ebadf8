/**
 * Time that jumps: it stands still while anything can be done, and moves to the next timer when nothing can.
 *
 * Boundary: one clock belongs to one runner; what the runner leaves behind when it dies never comes due.
 *
 *  V1. `now` never goes back, and moves only in `jump`.
 *  V2. Timers come due in the order of their times, those of one time in the order in which they were set.
 */
import type { Clock } from './clock.ts'

interface Timer {
  readonly at: number
  readonly callback: () => void
}

export class VirtualClock implements Clock {
  #now: number
  /** In the order in which they come due. */
  #timers: Timer[] = []

  /** @param start milliseconds since 1970 */
  constructor(start: number) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  after(delay: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delay), callback }
    if (Number.isFinite(timer.at)) this.#insert(timer)
    return () => {
      this.#timers = this.#timers.filter(one => one !== timer)
    }
  }

  /** Moves to the next timer's time and calls every timer of that time. False: there is none. */
  jump(): boolean {
    const at = this.#timers[0]?.at
    if (at === undefined) return false
    this.#now = Math.max(this.#now, at)
    while (this.#timers[0] !== undefined && this.#timers[0].at <= this.#now) this.#timers.shift()!.callback()
    return true
  }

  /** Forgets every timer: whoever set them is gone. */
  clear(): void {
    this.#timers = []
  }

  #insert(timer: Timer): void {
    let place = this.#timers.length
    while (place > 0 && this.#timers[place - 1]!.at > timer.at) place -= 1
    this.#timers.splice(place, 0, timer)
  }
}
