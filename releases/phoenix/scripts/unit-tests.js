/**
 * Runs the services' tests against the version that is being released, and leaves what they covered of it in
 * `coverage/phoenix/lcov.info` of the working directory.
 *
 * The services run as processes of their own; each writes its coverage when it ends, and Node adds it all up.
 * Only the released version's files count: the tests also run the other one, beside it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { phoenix, releasedVersion } from './components.js'

const report = join('coverage', 'phoenix', 'lcov.info')
const tests = ['services', 'mixed', 'scripts'].map(name => join(phoenix, 'tests', `${name}.js`))
mkdirSync(dirname(report), { recursive: true })

const args = [
  '--test',
  '--test-concurrency=2',
  '--test-timeout=60000',
  '--experimental-test-coverage',
  `--test-coverage-include=${join(relative('.', phoenix), '*', releasedVersion(), '*.js')}`,
  '--test-reporter=dot',
  '--test-reporter-destination=stdout',
  '--test-reporter=lcov',
  `--test-reporter-destination=${report}`,
]
const [code] = await once(spawn(process.execPath, [...args, ...tests], { stdio: 'inherit' }), 'exit')
process.exitCode = code ?? 1
