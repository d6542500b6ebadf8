/**
 * Keeps the record of what TechCorp has released, of RELEASE_VERSION in production.
 *
 *     node releases/phoenix/scripts/release-record.js write|show|undo
 *
 * Prints the record as JSON: what `write` recorded, what stands there now, or what `undo` put back (null: nothing).
 */
import { releasedVersion } from './components.js'
import { currentRelease, recordRelease, takeBack } from './record.js'

const write = () => {
  const gateway = process.env.RELEASE_GATEWAY_PRODUCTION
  if (!gateway) throw new Error('RELEASE_GATEWAY_PRODUCTION is not set: run this in a release')
  return recordRelease(releasedVersion(), gateway)
}

const commands = { write, show: currentRelease, undo: () => takeBack(releasedVersion()) }
const command = process.argv[2] ?? ''
if (!Object.hasOwn(commands, command))
  throw new Error(`usage: release-record.js ${Object.keys(commands).join('|')}`)
console.log(JSON.stringify(await commands[command]()))
