/**
 * What process groups use, as /proc says.
 *
 * A group's processor time is that of its living processes and of the children that they have waited for, so that it
 * does not fall when a child ends.
 */
import { readdirSync, readFileSync } from 'node:fs'

export interface GroupUsage {
  readonly cpuSeconds: number
  /** Resident, in bytes. Pages that processes share count for each. */
  readonly memoryBytes: number
}

/** Keys of the auxiliary vector that the kernel hands to every process. */
const AT_PAGESZ = 6n
const AT_CLKTCK = 17n

interface Units {
  readonly pageBytes: number
  readonly ticksPerSecond: number
}

let units: Units | undefined

/** Linux on every machine that Node runs on has 64-bit entries here: a key and a value. */
const readUnits = (): Units => {
  const bytes = readFileSync('/proc/self/auxv')
  const entries = new Map<bigint, number>()
  // A copy, since the words have to be aligned; they are in the machine's own order.
  const words = new BigUint64Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / 8))
  for (let at = 0; at + 1 < words.length; at += 2) entries.set(words[at]!, Number(words[at + 1]!))
  return { pageBytes: entries.get(AT_PAGESZ)!, ticksPerSecond: entries.get(AT_CLKTCK)! }
}

/** By group, for those of the asked-for groups that have a process. */
export const usageOfGroups = (groups: ReadonlySet<number>): ReadonlyMap<number, GroupUsage> => {
  units ??= readUnits()
  const { pageBytes, ticksPerSecond } = units
  const usage = new Map<number, GroupUsage>()
  for (const name of readdirSync('/proc')) {
    const seen = /^\d+$/.test(name) ? readProcess(name) : null
    if (seen === null || !groups.has(seen.group)) continue
    const before = usage.get(seen.group) ?? { cpuSeconds: 0, memoryBytes: 0 }
    usage.set(seen.group, {
      cpuSeconds: before.cpuSeconds + seen.ticks / ticksPerSecond,
      memoryBytes: before.memoryBytes + seen.pages * pageBytes,
    })
  }
  return usage
}

interface Seen {
  readonly group: number
  readonly ticks: number
  readonly pages: number
}

/** Fields of /proc/PID/stat behind the command's closing bracket; null: the process has gone. */
const readProcess = (pid: string): Seen | null => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15).map(Number)
    return {
      group: Number(fields[2]),
      ticks: user! + system! + childrenUser! + childrenSystem!,
      pages: Number(fields[21]),
    }
  } catch {
    return null
  }
}
