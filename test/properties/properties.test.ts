/**
 * Ten thousand releases with everything that can go wrong, each judged by every law. More with
 * `node test/properties/run.ts --cases N --seed S`.
 */
import { describe, expect, it } from 'vitest'
import { generate } from './case.ts'
import { findBroken } from './find.ts'
import { play } from './play.ts'
import { asTest } from './shrink.ts'

const CASES = 10_000
const PARTS = 10

describe('every release keeps the laws', () => {
  for (let part = 0; part < PARTS; part += 1) {
    const from = 1 + (part * CASES) / PARTS
    it(`cases ${from} to ${from + CASES / PARTS - 1}`, { timeout: 600_000 }, async () => {
      const { played, broken } = await findBroken({ from, cases: CASES / PARTS })
      expect(broken === null ? '' : asTest(broken.kase, broken.error)).toBe('')
      expect(played).toBe(CASES / PARTS)
    })
  }
})

it('the same seed gives the same record', { timeout: 600_000 }, async () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const first = await play(generate(seed))
    expect(JSON.stringify((await play(generate(seed))).events)).toBe(JSON.stringify(first.events))
  }
})
