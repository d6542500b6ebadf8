/** Which kills of the runner a simulation tries: all, or a sample in which every group has its part. */
import { expect, test } from 'vitest'
import { countKills, type KillRange, sampleKills } from '../../runner/simulate/kills.ts'

const range = (of: Partial<KillRange>): KillRange => ({
  faults: [],
  because: null,
  from: 1,
  to: 2,
  group: '',
  ...of,
})

const told = (ranges: readonly KillRange[], most: number, seed = 1): readonly string[] =>
  sampleKills(ranges, { most, seed }).map(({ because }) => because)

test('each write has a kill after it, and all but the last one before the next', () => {
  const ranges = [range({ to: 2 }), range({ because: 'x fails', from: 8, to: 8 })]
  expect(countKills(ranges)).toBe(4)
  expect(told(ranges, 100)).toEqual([
    'the runner is killed after write 1',
    'the runner is killed before write 2',
    'the runner is killed after write 2',
    'x fails, and the runner is killed after write 8',
  ])
})

test('a sample has no kill twice, is the same for the same seed and another for another', () => {
  const ranges = [range({ to: 500 })]
  const one = told(ranges, 50)
  expect(new Set(one).size).toBe(50)
  expect(told(ranges, 50)).toEqual(one)
  expect(told(ranges, 50, 2)).not.toEqual(one)
})

test('every group has the same part of a sample, and what one is too small for goes to the others', () => {
  const ranges = [
    range({ group: 'a', because: 'a', to: 2 }),
    range({ group: 'b', because: 'b', to: 1000 }),
    range({ group: 'c', because: 'c', to: 300 }),
    range({ group: 'c', because: 'c', to: 300 }),
  ]
  const counts = (most: number) => {
    const groups = sampleKills(ranges, { most, seed: 7 }).map(({ because }) => because[0])
    return ['a', 'b', 'c'].map(name => groups.filter(group => group === name).length)
  }
  expect(counts(9)).toEqual([3, 3, 3])
  expect(counts(103)).toEqual([3, 50, 50])
  expect(counts(10_000)).toEqual([3, 1999, 1198])
  expect(counts(0)).toEqual([0, 0, 0])
})
