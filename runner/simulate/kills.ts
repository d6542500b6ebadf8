/**
 * At which writes the runner is killed: all of them, or as many as may be tried, chosen by a seed.
 *
 * Boundary: counts and chooses; runs nothing. Kills are counted without being listed: a large plan has millions.
 */
import { type Seeded, seeded } from '../engine/seeded.ts'
import type { Fault } from './faults.ts'
import type { Crash } from './simulate-case.ts'

/** A case in which the runner is killed at one of these writes, `from` and `to` included; `to` is the case's last. */
export interface KillRange {
  readonly faults: readonly Fault[]
  /** Why it fails; null: nothing does. */
  readonly because: string | null
  readonly from: number
  readonly to: number
  /** What is alike for a sample: of each group as many are taken, as far as it has them. */
  readonly group: string
}

export interface Kill {
  readonly faults: readonly Fault[]
  readonly crash: Crash
  readonly because: string
}

const MOMENTS = ['after', 'before-next'] as const

/** Before the write after the last one there is nothing to be killed before. */
const sizeOf = ({ from, to }: KillRange): number => Math.max(0, MOMENTS.length * (to - from + 1) - 1)

export const countKills = (ranges: readonly KillRange[]): number =>
  ranges.reduce((sum, range) => sum + sizeOf(range), 0)

/** All kills, or `most` of them: the same for the same seed. */
export function sampleKills(
  ranges: readonly KillRange[],
  { most, seed }: { readonly most: number; readonly seed: number },
): readonly Kill[] {
  const random = seeded(seed)
  const groups = [...Map.groupBy(ranges, range => range.group).values()]
  const shares = sharesOf(groups.map(countKills), most)
  return groups.flatMap((group, index) =>
    choose(countKills(group), shares[index]!, random).map(place => killAt(group, place)),
  )
}

/** Divides `most` evenly; what one has too little for goes to the others. */
function sharesOf(sizes: readonly number[], most: number): readonly number[] {
  const shares = sizes.map(() => 0)
  const smallestFirst = [...sizes.keys()].sort((a, b) => sizes[a]! - sizes[b]! || a - b)
  let left = most
  for (const [place, index] of smallestFirst.entries()) {
    const fair = Math.floor(left / (smallestFirst.length - place))
    shares[index] = Math.min(sizes[index]!, fair)
    left -= shares[index]
  }
  return shares
}

/** `count` different whole numbers below `size`, rising (Floyd's choice). */
function choose(size: number, count: number, random: Seeded): readonly number[] {
  if (count >= size) return Array.from({ length: size }, (_, place) => place)
  const chosen = new Set<number>()
  for (let highest = size - count; highest < size; highest += 1) {
    const drawn = random.below(highest + 1)
    chosen.add(chosen.has(drawn) ? highest : drawn)
  }
  return [...chosen].sort((a, b) => a - b)
}

function killAt(ranges: readonly KillRange[], place: number): Kill {
  let left = place
  for (const range of ranges) {
    if (left >= sizeOf(range)) {
      left -= sizeOf(range)
      continue
    }
    const written = range.from + Math.floor(left / MOMENTS.length)
    const moment = MOMENTS[left % MOMENTS.length]!
    const killed = `the runner is killed ${moment === 'after' ? `after write ${written}` : `before write ${written + 1}`}`
    const because = range.because === null ? killed : `${range.because}, and ${killed}`
    return { faults: range.faults, crash: { written, moment }, because }
  }
  throw new RangeError(`there are fewer than ${place + 1} kills`)
}
