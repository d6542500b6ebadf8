/**
 * Keeps the record of what TechCorp has released, of RELEASE_VERSION in production.
 *
 *     node releases/phoenix/scripts/release-record.js write|show|undo
 *
 * Prints the record as JSON: what `write` recorded, what stands there now, or what `undo` put back (null: nothing).
 */
import { releasedVersion } from './components.js'
import { placesOf } from './places.js'
import { currentRelease, recordRelease, takeBack } from './record.js'

const write = async () => recordRelease(releasedVersion(), await placesOf('production'))

const commands = { write, show: currentRelease, undo: () => takeBack(releasedVersion()) }
const command = process.argv[2] ?? ''
if (!Object.hasOwn(commands, command))
  throw new Error(`usage: release-record.js ${Object.keys(commands).join('|')}`)
console.log(JSON.stringify(await commands[command]()))
