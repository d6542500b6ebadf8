/**
 * What runs on this machine, as /proc says.
 *
 * Invariants:
 *  T1. A process is known by its pid together with its start time and the machine's boot: a recycled pid is
 *      never taken for the one that was recorded.
 *  T2. Nothing is signalled that was not found, just before, to be the recorded process or to carry the
 *      token that was handed to it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { ReleaseError } from '../../../src/errors.ts'
import { isCode } from './state-file.ts'

/** One process, for ever: no other ever has the same three. */
export interface Identity {
  readonly pid: number
  /** Clock ticks from the boot to its start, as /proc writes them. */
  readonly start: string
  /** The boot's id. */
  readonly boot: string
}

/** The variable that carries an instance's token. */
export const TOKEN_VARIABLE = 'RELEASE_INSTANCE'

let boot: string | undefined

/** This boot of the machine. Fails with code `platform-unsupported` where there is no /proc. */
export const bootId = (): string => {
  boot ??= readBootId()
  return boot
}

const readBootId = (): string => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch (cause) {
    throw new ReleaseError(
      'platform-unsupported',
      `The local platform needs Linux: it tells processes apart by /proc, which ${process.platform} does not have.`,
      { cause, hint: 'Run the release on Linux, in a container or in WSL 2.' },
    )
  }
}

interface Stat {
  readonly state: string
  readonly group: number
  readonly start: string
}

/** Fields of /proc/PID/stat, counted after the command's closing bracket since its name may hold anything. */
const readStat = (pid: number): Stat | null => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, group: Number(fields[2]), start: fields[19]! }
  } catch {
    return null
  }
}

const isGone = (stat: Stat | null): stat is null => stat === null || stat.state === 'Z' || stat.state === 'X'

/** The process that has this pid now; null where none runs. */
export const identify = (pid: number): Identity | null => {
  const stat = readStat(pid)
  return isGone(stat) ? null : { pid, start: stat.start, boot: bootId() }
}

export const isAlive = (identity: Identity): boolean => {
  if (identity.boot !== bootId()) return false
  const stat = readStat(identity.pid)
  return !isGone(stat) && stat.start === identity.start
}

const carries = (pid: number, entry: string): boolean => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(entry)
  } catch {
    return false
  }
}

/** The processes of an instance: all that carry its token, whatever group they have moved to. */
export const membersOf = (token: string): readonly (Identity & { readonly leader: boolean })[] => {
  const entry = `${TOKEN_VARIABLE}=${token}`
  const members: (Identity & { leader: boolean })[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || !carries(pid, entry)) continue
    const stat = readStat(pid)
    if (!isGone(stat)) members.push({ pid, start: stat.start, boot: bootId(), leader: stat.group === pid })
  }
  return members
}

/** The process that was started for this token, or null. */
export const leaderOf = (token: string): Identity | null => {
  const members = membersOf(token)
  const leader = members.find(member => member.leader) ?? members[0]
  return leader ? { pid: leader.pid, start: leader.start, boot: leader.boot } : null
}

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (error) {
    // It ended by itself in between, which is what was wanted.
    if (!isCode(error, 'ESRCH')) throw error
  }
}

/** Signals an instance's process group, and those of its processes that have left the group. */
const signalInstance = (token: string, leader: Identity | null, name: NodeJS.Signals): void => {
  if (leader && isAlive(leader)) signal(-leader.pid, name)
  for (const member of membersOf(token)) if (isAlive(member)) signal(member.pid, name)
}

const STEP_MS = 10

/** Waits until the condition holds, for at most `within` milliseconds, and says whether it does. */
export const waitUntil = async (
  condition: () => boolean | Promise<boolean>,
  within: number,
  abort?: AbortSignal,
): Promise<boolean> => {
  const end = performance.now() + within
  while (!(await condition())) {
    if (performance.now() >= end || abort?.aborted) return false
    await pause(STEP_MS)
  }
  return true
}

/** Ends all processes of an instance: SIGTERM, and SIGKILL for what is still there after `grace` milliseconds. */
export const endInstance = async (token: string, leader: Identity | null, grace: number): Promise<void> => {
  const gone = () => (leader === null || !isAlive(leader)) && membersOf(token).length === 0
  if (gone()) return
  signalInstance(token, leader, 'SIGTERM')
  if (await waitUntil(gone, grace)) return
  signalInstance(token, leader, 'SIGKILL')
  if (await waitUntil(gone, KILL_MS)) return
  throw new ReleaseError(
    'instance-immortal',
    `Process ${leader?.pid ?? '?'} does not end, even on SIGKILL.`,
    {
      hint: 'It hangs in the kernel, most likely on a file system or a device: look at its state with `ps`.',
    },
  )
}

const KILL_MS = 5_000

/** Ends one process that is not an instance (a gateway). */
export const endProcess = async (identity: Identity, grace: number): Promise<void> => {
  if (!isAlive(identity)) return
  signal(identity.pid, 'SIGTERM')
  if (await waitUntil(() => !isAlive(identity), grace)) return
  if (isAlive(identity)) signal(identity.pid, 'SIGKILL')
  await waitUntil(() => !isAlive(identity), KILL_MS)
}
