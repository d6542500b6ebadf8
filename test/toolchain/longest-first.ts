/**
 * The order of the test files: those that take long first, so that none of them is left to run by itself at the end.
 *
 * A fresh checkout knows no durations, and goes by the size of the files otherwise, which says nothing of the time.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Each takes half a minute and more; those that mostly wait first, since others can run beside them. */
const LONG = [
  'e2e/phoenix-show',
  'e2e/phoenix-canary',
  'e2e/phoenix-regions',
  'faults/run-crash-local',
  'e2e/split',
  'properties/properties',
  'faults/run-disk',
  'faults/run-crash',
  'faults/canary-chaos',
  'e2e/rollback-strategies',
  'e2e/strategies',
  'faults/run-writes',
  'e2e/guard',
  'e2e/run-control',
  'e2e/canary',
]

const placeOf = ({ moduleId }: TestSpecification): number => {
  const place = LONG.findIndex(name => moduleId.endsWith(`/test/${name}.test.ts`))
  return place < 0 ? LONG.length : place
}

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => placeOf(a) - placeOf(b))
  }
}
