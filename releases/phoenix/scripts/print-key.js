/**
 * Prints the secret that is named, as `op read` or `vault kv get` would.
 *
 *     node releases/phoenix/scripts/print-key.js signing-key
 */
import { secretOf } from './keys.js'

process.stdout.write(secretOf(process.argv[2]))
