/**
 * Loaded into a command line that is to write the same paths each time: its random names are counted instead, and
 * its time begins at the same moment and goes ten times as slowly, so that a run's id is always the same.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

const BEGIN = Date.UTC(2026, 10, 21, 12)
let count = 0

crypto.randomBytes = ((size: number): Buffer => {
  const bytes = Buffer.alloc(size)
  bytes.writeUInt16BE(++count)
  return bytes
}) as typeof crypto.randomBytes
syncBuiltinESMExports()
Date.now = () => BEGIN + Math.floor(performance.now() / 10)
