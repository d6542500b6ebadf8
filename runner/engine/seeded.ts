/**
 * Choices that look random and are the same for the same seed.
 *
 * Role: the only source of chance in a simulation. Boundary: knows nothing of what is chosen.
 */
export interface Seeded {
  /** From 0 included to 1 excluded. */
  fraction(): number
  /** A whole number from 0 included to `count` excluded. */
  below(count: number): number
  /** True in that share of the cases: 0 never, 1 always. */
  chance(share: number): boolean
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T
}

/** mulberry32: 32 bits of state, every seed its own sequence. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (count: number): number => Math.floor(fraction() * count)
  return { fraction, below, chance: share => fraction() < share, pick: list => list[below(list.length)]! }
}
