/**
 * A short storm, of as many cases as begin in eight seconds. Longer ones, from other seeds: `npm run storm`.
 */
import { expect, test } from 'vitest'
import { noTotals, storm, summaryOf } from './storm.ts'

const SECONDS = 8

test('a short storm repeats nothing and loses nothing', async () => {
  const totals = noTotals()
  const began = performance.now()
  const seconds = (): number => (performance.now() - began) / 1000
  // A machine that is busy with other things has its minimum too, and kills come when they hit.
  const goOn = (begun: number): boolean => begun < 4 || totals.kills === 0 || seconds() < SECONDS
  await storm({ seed: 20_261_121, goOn, totals })
  console.log(summaryOf(totals, seconds()))
  expect(totals.findings).toEqual([])
  expect(totals).toMatchObject({ repeated: 0, lost: 0 })
  expect(totals.runs).toBeGreaterThanOrEqual(4)
  expect(totals.kills).toBeGreaterThan(0)
  expect(totals.effects).toBeGreaterThan(0)
}, 600_000)
