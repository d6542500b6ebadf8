/**
 * Crashes at every point: which there are, and how a run is driven through them.
 *
 * Role: the arithmetic of a crash matrix. Boundary: knows events and points, not what a definition does.
 */
import type { RunEvent } from '../../src/run/events.ts'

/**
 * Every point that a run passes, read off the journal of one that was not interrupted: before and after each
 * record, before and after each effect. Events before `from` were another runner's.
 */
export function pointsOf(events: readonly RunEvent[]): readonly string[] {
  const seen = new Map<string, number>()
  return events.flatMap(event => {
    const nth = (seen.get(event.type) ?? 0) + 1
    seen.set(event.type, nth)
    const around = [`journal:before-append:${event.type}:${nth}`, `journal:after-append:${event.type}:${nth}`]
    if (event.type !== 'node-started') return around
    const key = `${event.node}#${event.attempt}`
    return [...around, `effect:before:${key}:1`, `effect:after:${key}:1`]
  })
}

/**
 * Of these points the ones that tell. Between a record and the next effect or record nothing changes that outlives the
 * process, nor does it between an effect and the record of its success: of two such moments one is enough.
 */
export const tellingOf = (points: readonly string[]): readonly string[] =>
  points.filter(
    (point, index) =>
      index === points.length - 1 || !/^journal:(after-append|before-append:node-succeeded)/.test(point),
  )

/** How often an attempt at a node began and no end of it was recorded: each may have had its effect all the same. */
export function cutOff(events: readonly RunEvent[], node: string): number {
  const ends = new Set(['node-succeeded', 'node-failed', 'node-retrying', 'node-cancelled'])
  let open = 0
  for (const event of events) {
    if (!('node' in event) || event.node !== node) continue
    if (event.type === 'node-started') open += 1
    else if (ends.has(event.type)) open -= 1
  }
  return open
}

/** What each node came to: the recorded values of those that succeeded. */
export function valuesOf(events: readonly RunEvent[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    events.flatMap(event => (event.type === 'node-succeeded' ? [[event.node, event.value]] : [])),
  )
}

/** Works a list off in several lanes side by side; each lane has something of its own. All failures are told together. */
export async function inLanes<Lane, Item>(
  lanes: readonly Lane[],
  items: readonly Item[],
  work: (lane: Lane, item: Item) => Promise<void>,
): Promise<void> {
  const failures: string[] = []
  let next = 0
  await Promise.all(
    lanes.map(async lane => {
      while (next < items.length) {
        const item = items[next++]!
        await work(lane, item).catch(error => failures.push(`${String(item)}: ${(error as Error).message}`))
      }
    }),
  )
  if (failures.length > 0) {
    throw new Error(`${failures.length} of ${items.length} went wrong:\n${failures.slice(0, 8).join('\n')}`)
  }
}

/** Numbers from 0 (included) to 1 (excluded), the same for a seed each time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/**
 * Moments at random within a span of milliseconds. Each that came too late, the run being over, shortens the span: on a
 * machine of any speed there are some that come in time.
 */
export class RandomMoments {
  readonly #random: () => number
  #span: number

  constructor(seed: number, span: number) {
    this.#random = seeded(seed)
    this.#span = span
  }

  next(): number {
    return Math.ceil(this.#random() * this.#span)
  }

  tooLate(): void {
    this.#span *= 0.7
  }
}

/** How often a file of tests has killed a runner; said at its end, so that nobody has to believe the number. */
export class KillCount {
  total = 0

  say(of: string): void {
    console.log(`${of}: ${this.total} runners killed, each resumed to its end`)
  }
}
