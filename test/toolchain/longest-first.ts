/**
 * The order of the test files: those that take long first, so that none of them is left to run by itself at the end.
 *
 * A fresh checkout knows no durations, and goes by the size of the files otherwise, which says nothing of the time.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Each takes a quarter of a minute and more. Those of phoenix are kept apart, each beside one that computes and one that mostly
 * waits: its customers come as long as it lasts, and beside each other they would all last twice as long.
 */
const LONG = [
  'e2e/phoenix-show',
  'properties/properties',
  'e2e/rollback-strategies',
  'e2e/phoenix-canary',
  'faults/run-crash',
  'e2e/strategies',
  'e2e/guard',
  'faults/run-crash-local',
  'e2e/run-control',
  'e2e/phoenix-regions',
  'faults/run-disk',
  'e2e/canary',
  'e2e/split',
  'faults/canary-chaos',
  'faults/run-writes',
  'e2e/cli-runs',
  'e2e/haproxy',
  'e2e/run-policies',
  'contract/local',
  'contract/haproxy',
  'contract/local-sides',
  'contract/gateway',
  'storm/storm',
  'e2e/run-locks',
  'contract/metrics',
  'contract/prometheus',
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
