/**
 * Plays cases by their numbers, and shrinks the first that breaks a law.
 */

import { Broken } from './broken.ts'
import { type Case, generate } from './case.ts'
import { type Flaw, type Played, play } from './play.ts'
import { addReach, noReach, type Reach } from './reach.ts'
import { shrink } from './shrink.ts'

export interface Found {
  readonly played: number
  readonly events: number
  readonly runners: number
  readonly reach: Reach
  readonly broken: { readonly seed: number; readonly kase: Case; readonly error: Broken } | null
}

interface Search {
  readonly from: number
  readonly cases: number
  /** A defect that is put in. */
  readonly flaw?: Flaw
}

export async function findBroken({ from, cases, flaw }: Search): Promise<Found> {
  let events = 0
  let runners = 0
  let reach = noReach()
  for (let seed = from; seed < from + cases; seed += 1) {
    const kase = generateNamed(seed)
    const played = await playOrBreak(kase, flaw)
    if (played instanceof Broken) {
      const small = await shrink(kase, played, flaw)
      return { played: seed - from + 1, events, runners, reach, broken: { seed, ...small } }
    }
    events += played.events.length
    runners += played.runners
    reach = addReach(reach, kase, played)
  }
  return { played: cases, events, runners, reach, broken: null }
}

/** An error of the generator says for which number. */
function generateNamed(seed: number): Case {
  try {
    return generate(seed)
  } catch (error) {
    throw new Error(`case ${seed} cannot be generated`, { cause: error })
  }
}

async function playOrBreak(kase: Case, flaw: Flaw | undefined): Promise<Played | Broken> {
  try {
    return await play(kase, flaw)
  } catch (error) {
    if (error instanceof Broken) return error
    throw error
  }
}
