/**
 * What runs on this machine, as /proc tells it.
 *
 * Boundary: reads only. Where there is no /proc (outside Linux) it knows of no process, so that nothing is
 * ever ended on a guess.
 *
 *  PR1. A process is a pid together with its start time: a pid alone may have been given to another since.
 *  PR2. A dead process that nobody has collected yet (a zombie) does not count: no signal does anything to it.
 */
import { readdirSync, readFileSync } from 'node:fs'

export interface ProcessInfo {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** In clock ticks since the machine started. */
  readonly startTime: number
}

/** A live process; null where there is none. */
export function processInfo(pid: number): ProcessInfo | null {
  const text = readOrNull(`/proc/${pid}/stat`)
  if (text === null) return null
  // The name in parentheses may itself hold blanks and parentheses.
  const [state, parent, group, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  if (state === 'Z' || state === 'X') return null
  return { pid, parent: Number(parent), group: Number(group), startTime: Number(rest[16]) }
}

/** Every live process. */
export function allProcesses(): readonly ProcessInfo[] {
  const pids = namesIn('/proc').filter(name => /^\d+$/.test(name))
  return pids.map(pid => processInfo(Number(pid))).filter(info => info !== null)
}

/** The live members of a process group. */
export function membersOf(group: number): readonly ProcessInfo[] {
  return canSignal(-group) ? allProcesses().filter(info => info.group === group) : []
}

/** The value of a variable in a process's first environment; null where it is not there or may not be read. */
export function variableOf(pid: number, name: string): string | null {
  const entry = readOrNull(`/proc/${pid}/environ`)
    ?.split('\0')
    .find(text => text.startsWith(`${name}=`))
  return entry === undefined ? null : entry.slice(name.length + 1)
}

/** Names this start of the machine: pids and start times of another one mean nothing. */
export function bootId(): string | null {
  // No process outlives the start of the machine that it runs on.
  boot ??= readOrNull('/proc/sys/kernel/random/boot_id')?.trim()
  return boot ?? null
}

let boot: string | undefined

/** Whether there is such a process, or such a group where the number is negative: zombies count. */
export function canSignal(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Sends a signal to a process, or to a group where the number is negative; one that has gone is none. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {}
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
