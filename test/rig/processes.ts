/**
 * What runs on this machine that belongs to a folder.
 *
 * Boundary: reads /proc; ends nothing. Dead processes that nobody has collected yet do not count.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Pids of the processes that have the folder in their environment, arguments or working folder. */
export function processesOf(folder: string): readonly number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(pid => isLive(pid) && traces(pid).some(text => text.includes(folder)))
    .map(Number)
    .sort((a, b) => a - b)
}

/** Whether there is such a process, and it is more than an entry that waits to be collected. */
export function isLive(pid: string | number): boolean {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  return stat !== '' && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
}

const traces = (pid: string): readonly string[] => [
  attempt(() => readFileSync(`/proc/${pid}/environ`, 'latin1')),
  attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1')),
  attempt(() => readlinkSync(`/proc/${pid}/cwd`)),
]

function attempt(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
