/**
 * Durations and shares as a team writes them.
 */
import type { Millis } from '../plan/plan.ts'

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A hundred years: what is longer was mistyped, and its end is further off than a calendar can tell. */
const LONGEST: Millis = 36_525 * UNITS.d

/**
 * `'30m'` to milliseconds; null where it is no duration: a number of 0 or more, then ms, s, m, h or d, and no more
 * than a hundred years.
 */
export function parseDuration(text: string): Millis | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  if (match === null) return null
  const millis = Math.round(Number(match[1]) * UNITS[match[2] as keyof typeof UNITS])
  return millis <= LONGEST ? millis : null
}

export interface Share {
  readonly of: number
  readonly round: 'up' | 'down'
}

/** A count (`2`) or a share (`'25%'`) of a whole, as a whole number; null where it is neither. */
export function parseShare(text: number | string, share: Share): number | null {
  if (typeof text === 'number') return Number.isInteger(text) && text >= 0 ? text : null
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text)
  if (match === null || Number(match[1]) > 100) return null
  const exact = (share.of * Number(match[1])) / 100
  return share.round === 'up' ? Math.ceil(exact) : Math.floor(exact)
}
