import { defineConfig } from 'vitest/config'
import LongestFirst from './test/toolchain/longest-first.ts'

/** Tests of functions and classes alone: they leave nothing behind, and share the processes that they are run in. */
const ALONE = ['test/unit/**/*.test.ts']

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'alone', include: ALONE, isolate: false } },
      { extends: true, test: { name: 'together', include: ['test/**/*.test.ts'], exclude: ALONE } },
    ],
    // Whole processes are started: on a busy machine that takes its time, and a hang still has an end.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One more than there are processors: much of the time is waited.
    maxWorkers: 3,
    // Lines: what is longer buries the other failures.
    diff: { truncateThreshold: 120 },
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/toolchain/summary-reporter.ts'],
  },
})
