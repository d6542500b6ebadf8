/** Ends processes without a warning. */
import { readFileSync } from 'node:fs'

export const killOne = (pid: number): void => void process.kill(pid, 'SIGKILL')

/** With its group, where it leads one: an instance does. */
export function killGroup(pid: number): void {
  killOne(leadsItsGroup(pid) ? -pid : pid)
}

function leadsItsGroup(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) === pid
}
