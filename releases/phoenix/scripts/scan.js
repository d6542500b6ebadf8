/**
 * The security scan: reads the sources of the version that is being released, and fails on what must not ship.
 *
 *     node releases/phoenix/scripts/scan.js [folder …]
 */
import { readFileSync } from 'node:fs'
import { components, filesOf, folderOf, releasedVersion } from './components.js'
import { rules, scanSource } from './scan-rules.js'

const given = process.argv.slice(2)
const folders = given.length > 0 ? given : components.map(component => folderOf(component, releasedVersion()))
const files = folders.flatMap(filesOf).filter(file => /\.[cm]?js$/.test(file))
if (files.length === 0) throw new Error(`there is no source to scan in ${folders.join(', ')}`)

let found = 0
for (const file of files)
  for (const { rule, line, column, message } of scanSource(readFileSync(file, 'utf8'))) {
    console.error(`${file}:${line}:${column}  ${rule}: ${message}`)
    found++
  }
console.log(`${files.length} files, ${rules.length} rules, ${found} findings`)
process.exitCode = found === 0 ? 0 : 1
