/** Numbers that look random and are the same every time. */

/** A source of numbers from 0 to 1 (mulberry32 of T. Ettinger, public domain). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Normal values (Box and Muller). */
export function normals(random: () => number, shape: { mean: number; sd: number }, count: number): number[] {
  return Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()))
    return shape.mean + shape.sd * radius * Math.cos(2 * Math.PI * random())
  })
}
