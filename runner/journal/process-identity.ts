/**
 * Which process is meant, so that a number used again is not taken for it.
 *
 * Role: tells a dead owner from a living one. Boundary: Linux has /proc; elsewhere the process number alone
 * must do, which errs on the side of "alive".
 *
 *  I1. Only a process on this machine, in this boot and in this process namespace can be judged.
 *  I2. A zombie is dead: it runs nothing any more, whether or not its parent has looked.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

export interface ProcessIdentity {
  readonly host: string
  readonly pid: number
  /** Clock ticks from boot to its start; null where the system does not say. */
  readonly startedAt: string | null
  /** Of the machine's present boot; null where the system does not say. */
  readonly boot: string | null
  /** Of its process numbers: containers on one machine have several. */
  readonly namespace: string | null
}

/** Who we are. */
export const thisProcess = (): ProcessIdentity => ({
  host: hostname(),
  pid: process.pid,
  startedAt: procStat(process.pid)?.startedAt ?? null,
  boot: textOf(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
  namespace: textOf(() => readlinkSync('/proc/self/ns/pid')),
})

/** 'elsewhere': on another machine or in another container, where we cannot look. */
export type Liveness = 'alive' | 'dead' | 'elsewhere'

/** Whether a process is still there, seen from `from`. */
export function livenessOf(one: ProcessIdentity, from: ProcessIdentity): Liveness {
  const sameMachine = one.host === from.host
  if (sameMachine && one.boot !== from.boot) return 'dead'
  if (!sameMachine || one.namespace !== from.namespace) return 'elsewhere'
  return isRunning(one) ? 'alive' : 'dead'
}

function isRunning(one: ProcessIdentity): boolean {
  if (one.startedAt === null) return answers(one.pid)
  const stat = procStat(one.pid)
  return stat !== null && stat.startedAt === one.startedAt && stat.state !== 'Z' && stat.state !== 'X'
}

function answers(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** State and start from /proc/PID/stat. The name in it may hold blanks and brackets: what counts follows the last. */
function procStat(pid: number): { state: string; startedAt: string } | null {
  const text = textOf(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  if (text === null) return null
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startedAt: fields[19] ?? '' }
}

function textOf(read: () => string): string | null {
  try {
    return read().trim()
  } catch {
    return null
  }
}
