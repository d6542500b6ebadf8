/**
 * The last lines of a test run: what was skipped and why, what failed and by what, and one line that counts. The end of
 * the log alone is then enough to know where to look.
 */
import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** Characters of a reason that are told here; all of it stands further up. */
const LONGEST = 400

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap(module => [...module.children.allTests()])
    const broken = modules.filter(module => module.state() === 'failed' && !hasFailedTest(module))
    const count = (state: string): number => tests.filter(test => test.result().state === state).length
    const skipped = tests.filter(test => test.result().state === 'skipped')
    for (const test of skipped) console.log(`SKIPPED: ${test.fullName}${reason(test)}`)
    for (const module of broken) console.log(failed(module.relativeModuleId, module.errors()))
    for (const test of tests)
      if (test.result().state === 'failed')
        console.log(failed(`${test.module.relativeModuleId} > ${test.fullName}`, test.result().errors ?? []))
    console.log(
      `${count('passed')} passed, ${count('failed') + broken.length} failed, ${skipped.length} skipped`,
    )
  }
}

const hasFailedTest = (module: TestModule): boolean =>
  [...module.children.allTests()].some(test => test.result().state === 'failed')

const failed = (what: string, [error]: readonly { readonly message: string }[]): string =>
  `FAILED: ${what}: ${(error?.message ?? 'it says nothing').slice(0, LONGEST)}`

function reason(test: TestCase): string {
  const result = test.result()
  return result.state === 'skipped' && result.note !== undefined ? `: ${result.note}` : ''
}
