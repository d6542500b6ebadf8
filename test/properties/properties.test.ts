/**
 * Ten thousand releases with everything that can go wrong, each judged by every law. More with
 * `node test/properties/run.ts --cases N --seed S`.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { generate } from './case.ts'
import { findBroken } from './find.ts'
import { play } from './play.ts'
import type { Reach } from './reach.ts'
import { asTest } from './shrink.ts'

const CASES = 10_000
const PARTS = 10

/** Cases in each part that have to show this: half of what they do. */
const LEAST: Reach = {
  crashed: 80,
  resumed: 200,
  failed: 250,
  retried: 60,
  'took back': 200,
  'took back for a person': 50,
  reopened: 50,
  'was cancelled': 20,
  'was approved': 200,
  'was told what became of a step': 3,
  'divided traffic': 150,
  'promoted a canary': 90,
  'divided traffic in lockstep': 80,
  'kept what was frozen': 3,
  'mirrored requests': 5,
  'decided an experiment': 2,
  stop: 150,
  'rollback-all': 150,
  'rollback-dependents': 150,
  'continue-partial': 150,
}

describe('every release keeps the laws', () => {
  for (let part = 0; part < PARTS; part += 1) {
    const from = 1 + (part * CASES) / PARTS
    it(`cases ${from} to ${from + CASES / PARTS - 1}`, { timeout: 600_000 }, async () => {
      const { played, reach, broken } = await findBroken({ from, cases: CASES / PARTS })
      expect(broken === null ? '' : asTest(broken.kase, broken.error)).toBe('')
      expect(played).toBe(CASES / PARTS)
      for (const [name, count] of Object.entries(reach))
        expect(count, name).toBeGreaterThan(LEAST[name as keyof Reach])
    })
  }
})

it('the same seed gives the same record', { timeout: 600_000 }, async () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const first = await play(generate(seed))
    expect(JSON.stringify((await play(generate(seed))).events)).toBe(JSON.stringify(first.events))
  }
})

test.each([
  { argv: ['--cases', '3', '--seed', '7'], code: 0, says: /^3 cases, / },
  { argv: ['--cases', 'abc'], code: 2, says: /^--cases abc is not a whole number from 1/ },
  { argv: ['--cases', '0'], code: 2, says: /^--cases 0 is not/ },
])('the command plays as many as it says, or refuses: $argv', ({ argv, code, says }) => {
  const command = join(import.meta.dirname, 'run.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...argv], { encoding: 'utf8' })
  expect({ status, said: `${stdout}${stderr}` }).toEqual({ status: code, said: expect.stringMatching(says) })
})
