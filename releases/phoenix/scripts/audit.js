/**
 * The dependency audit: reads what each component of the released version declares, and fails on what would
 * make two installs of one version differ, or run somebody else's code at install.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { auditManifest } from './audit-rules.js'
import { components, folderOf, releasedVersion } from './components.js'

const folders = components.map(component => folderOf(component, releasedVersion()))
const problems = folders.flatMap(folder => {
  const file = join(folder, 'package.json')
  return auditManifest(JSON.parse(readFileSync(file, 'utf8')), folder).map(problem => `${file}: ${problem}`)
})
for (const problem of problems) console.error(problem)
console.log(`${folders.length} packages, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
