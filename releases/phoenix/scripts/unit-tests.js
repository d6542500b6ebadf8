/**
 * Runs the services' tests against the version that is being released, and leaves what they covered of it in
 * `coverage/phoenix/lcov.info` of the working directory.
 *
 *     node releases/phoenix/scripts/unit-tests.js [--anew]
 *
 * The services run as processes of their own; each writes its coverage when it ends, and Node adds it all up.
 * Only the released version's files count: the tests also run the other one, beside it.
 *
 * Where the very same tests of the very same files have passed in this checkout, by the same Node, they are not run again:
 * what they covered is kept under the hash of all that. `--anew` runs them all the same.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { components, filesOf, folderOf, phoenix, releasedVersion, versions } from './components.js'

const report = join('coverage', 'phoenix', 'lcov.info')
const tests = ['services', 'mixed', 'scripts'].map(name => join(phoenix, 'tests', `${name}.js`))

/** Of everything that the outcome depends on. */
const digest = () => {
  const folders = [join(phoenix, 'tests'), join(phoenix, 'scripts'), join(phoenix, 'kit')]
  for (const version of versions)
    for (const component of components) folders.push(folderOf(component, version))
  const hash = createHash('sha256').update(`${process.version} ${releasedVersion()}`)
  for (const file of folders.flatMap(filesOf))
    hash.update(`\0${relative(phoenix, file)}\0`).update(readFileSync(file))
  return hash.digest('hex')
}

const kept = join(dirname(report), 'kept', `${digest()}.info`)

/** Whole or not at all: two releases of one checkout may do it at once. */
const copy = (from, to) => {
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, `${to}.${process.pid}`)
  renameSync(`${to}.${process.pid}`, to)
}

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
const runAll = async () => {
  mkdirSync(dirname(report), { recursive: true })
  const [code] = await once(spawn(process.execPath, [...args, ...tests], { stdio: 'inherit' }), 'exit')
  if (code === 0) copy(report, kept)
  return code ?? 1
}

if (existsSync(kept) && !process.argv.includes('--anew')) {
  copy(kept, report)
  const when = statSync(kept).mtime.toISOString()
  console.log(`the same tests of the same files passed on ${when}, and covered what is said here again`)
} else process.exitCode = await runAll()
