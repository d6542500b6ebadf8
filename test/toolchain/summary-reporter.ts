/**
 * The last lines of a test run: what was skipped and why, loudly, and one line that counts.
 */
import type { Reporter, TestCase, TestModule } from 'vitest/node'

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap(module => [...module.children.allTests()])
    const broken = modules.filter(module => module.state() === 'failed' && !hasFailedTest(module)).length
    const count = (state: string): number => tests.filter(test => test.result().state === state).length
    const skipped = tests.filter(test => test.result().state === 'skipped')
    for (const test of skipped) console.log(`SKIPPED: ${test.fullName}${reason(test)}`)
    console.log(`${count('passed')} passed, ${count('failed') + broken} failed, ${skipped.length} skipped`)
  }
}

const hasFailedTest = (module: TestModule): boolean =>
  [...module.children.allTests()].some(test => test.result().state === 'failed')

function reason(test: TestCase): string {
  const result = test.result()
  return result.state === 'skipped' && result.note !== undefined ? `: ${result.note}` : ''
}
