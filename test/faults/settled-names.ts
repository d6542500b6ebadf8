/**
 * Loaded into a command line that is to write the same paths each time: its random names follow from its folder and
 * are the same in each process, and its time begins at the same moment and goes ten times as slowly, so that a run's id is
 * always the same. In another folder it is another: by its id a run finds its processes on the whole machine.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

const BEGIN = Date.UTC(2026, 10, 21, 12)
let count = 0

crypto.randomBytes = ((size: number): Buffer => {
  const digest = crypto.createHash('sha512').update(`${process.cwd()} ${++count}`).digest()
  return digest.subarray(0, size)
}) as typeof crypto.randomBytes
syncBuiltinESMExports()
Date.now = () => BEGIN + Math.floor(performance.now() / 10)
