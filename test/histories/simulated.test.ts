/**
 * Simulated releases that once broke a law, shrunk. `node test/properties/run.ts` prints a case that breaks one so
 * that it can be pasted here.
 */
import { describe, expect, it } from 'vitest'
import { type Case, generatePlain } from '../properties/case.ts'
import { play } from '../properties/play.ts'

/** Plays it: a broken law is thrown. */
async function holds(kase: Case): Promise<void> {
  expect((await play(kase)).events.length).toBeGreaterThan(0)
}

const quiet = { only: null, words: [], crashes: [], interrupts: [], acts: [], uncertain: 'rerun' } as const

it('root cause: a failure that stops the run, not one that was contained before it', () =>
  holds({
    ...quiet,
    seed: 2,
    sketch: {
      concurrency: 1,
      components: [{ name: 'c0', critical: true, needs: [] }],
      stages: [
        { name: 's0', after: [], policy: 'continue-partial' },
        { name: 's3', after: [], policy: 'rollback-all' },
      ],
      nodes: [
        { key: 's0/c0/prepare', kind: 'prepare', component: 'c0', needs: [], after: [] },
        {
          key: 's0/c0/rolling/1',
          kind: 'replace',
          component: 'c0',
          needs: ['s0/c0/prepare'],
          after: [],
          undo: 'restore',
          slot: 0,
        },
        { key: 's3/approval12', kind: 'approval', needs: [], after: [], time: 30000 },
      ],
    },
    faults: { 's0/c0/rolling/1': ['hang'] },
  }))

describe('where rollbacks meet', () => {
  // 1134, 1338, 2372, 4700: a person's after others; 1916, 1947: two contained ones; 179: an undoing that half failed.
  for (const seed of [179, 1134, 1338, 1916, 1947, 2372, 4700, 103361])
    it(`case ${seed}`, () => holds(generatePlain(seed)))
})

it('state is the fold: a word that is judged while the run is left', () => holds(generatePlain(101812)))
