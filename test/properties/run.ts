/**
 * `node test/properties/run.ts --cases N --seed S`: plays N cases from the seed on, shrinks the first that breaks a
 * law and prints it as a test. Exit code 1 where one did.
 */
import { parseArgs } from 'node:util'
import { findBroken } from './find.ts'
import { asTest } from './shrink.ts'

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
})

/** What is no number would play nothing, and find nothing. */
function countOf(name: 'cases' | 'seed'): number {
  const count = Number(values[name])
  if (Number.isSafeInteger(count) && count > 0) return count
  console.error(`--${name} ${values[name]} is not a whole number from 1`)
  return process.exit(2)
}

const began = performance.now()
const found = await findBroken({ from: countOf('seed'), cases: countOf('cases') })
const seconds = ((performance.now() - began) / 1000).toFixed(1)
if (found.broken === null) {
  const reach = Object.entries(found.reach).map(([name, count]) => `\n  ${count} ${name}`)
  console.log(
    `${found.played} cases, ${found.events} events, ${found.runners} runners, no law broken, ${seconds} s${reach.join('')}`,
  )
} else {
  const { kase, error, seed } = found.broken
  console.log(`case ${seed} breaks a law: ${error.message}\n\n${asTest(kase, error)}`)
  process.exitCode = 1
}
