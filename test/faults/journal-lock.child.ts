/**
 * Races for locks: `node journal-lock.child.ts WHO`. Takes the folder to race for from each line of stdin, and
 * says `acquired FENCE` or `held WHO`. An empty line gives back what it has.
 */
import { createInterface } from 'node:readline'
import { acquireRunLock, type RunLock } from '../../runner/journal/run-lock.ts'

const who = process.argv[2] ?? ''
const holder = { run: 'run', who, host: 'here', pid: process.pid, cwd: process.cwd(), since: 0 }
let lock: RunLock | null = null

console.log('ready')
for await (const folder of createInterface({ input: process.stdin })) {
  if (folder === '') {
    await lock?.release()
    lock = null
    console.log('released')
    continue
  }
  const result = await acquireRunLock(folder, holder)
  if (result.type === 'acquired') lock = result
  console.log(result.type === 'acquired' ? `acquired ${result.fence}` : `held ${result.holder.who}`)
}
