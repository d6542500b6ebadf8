/**
 * Plays cases by their numbers, and shrinks the first that breaks a law.
 */

import { Broken } from './broken.ts'
import { type Case, generate } from './case.ts'
import { play } from './play.ts'
import { shrink } from './shrink.ts'

export interface Found {
  readonly played: number
  readonly events: number
  readonly runners: number
  readonly broken: { readonly seed: number; readonly kase: Case; readonly error: Broken } | null
}

export async function findBroken({ from, cases }: { from: number; cases: number }): Promise<Found> {
  let events = 0
  let runners = 0
  for (let seed = from; seed < from + cases; seed += 1) {
    const kase = generate(seed)
    try {
      const played = await play(kase)
      events += played.events.length
      runners += played.runners
    } catch (error) {
      if (!(error instanceof Broken)) throw error
      const small = await shrink(kase, error)
      return { played: seed - from + 1, events, runners, broken: { seed, ...small } }
    }
  }
  return { played: cases, events, runners, broken: null }
}
