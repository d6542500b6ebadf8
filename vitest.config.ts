import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import LongestFirst from './test/toolchain/longest-first.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Whole processes are started: on a busy machine that takes its time, and a hang still has an end.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One more than there are processors: much of the time is waited.
    maxWorkers: 3,
    // A file leaves nothing behind: what it stubs it restores, what it starts it ends. So the next may have its process.
    isolate: false,
    // What tests start from the sources would be compiled anew each time.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url)) },
    // Lines: what is longer buries the other failures.
    diff: { truncateThreshold: 120 },
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/toolchain/summary-reporter.ts'],
  },
})
