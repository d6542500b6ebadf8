/**
 * Ends process groups, and what has crept out of them.
 *
 * Boundary: signals and the process table. Knows nothing of commands or output.
 *
 *  PG1. First SIGTERM, then SIGKILL to whatever is left when the grace is over.
 *  PG2. A process that has left its group (`setsid`) is known by the token in its environment.
 *  PG3. Never ends this process, nor any that this process descends from.
 *  PG4. A leader that has only just been started, and has not made its group yet, is meant as well.
 */
import { setTimeout as pause } from 'node:timers/promises'
import {
  allProcesses,
  canSignal,
  membersOf,
  type ProcessInfo,
  processInfo,
  signalTo,
  variableOf,
} from './processes.ts'

/** The variable by which everything that a node has started is known: `<run>/<node's key>`. */
export const tokenVariable = 'RELEASE_NODE'

/** What is to end. */
export interface Quarry {
  /** Process groups. */
  readonly groups: readonly number[]
  /** Tokens: every process that carries one is meant, wherever it is. */
  readonly tokens: readonly string[]
}

/** How long a group may take to end after SIGTERM, in milliseconds. */
export const defaultGrace = 5000

/** After SIGKILL only a process that hangs in the kernel is left, and waiting longer does not help. */
const patienceAfterKill = 2000

/** Ends everything that is meant, and returns the pids that are still there in spite of it: normally none. */
export async function endProcesses(quarry: Quarry, grace: number): Promise<readonly number[]> {
  const look = lookout(quarry)
  for (const [signal, patience] of [
    ['SIGTERM', grace],
    ['SIGKILL', patienceAfterKill],
  ] as const) {
    send(signal, quarry, look())
    if (await isOver(look, patience, left => signal === 'SIGKILL' && send(signal, quarry, left))) return []
  }
  return look().map(info => info.pid)
}

/** Whether a group has a live member. */
export const groupIsAlive = (group: number): boolean => membersOf(group).length > 0

function send(signal: NodeJS.Signals, { groups }: Quarry, found: readonly ProcessInfo[]): void {
  for (const group of groups) signalTo(-group, signal)
  for (const { pid, group } of found) {
    if (!groups.includes(group)) signalTo(pid, signal)
  }
}

/** `again` is called with what is left after each look: a process can be born between a look and a signal. */
async function isOver(
  look: () => readonly ProcessInfo[],
  patience: number,
  again: (left: readonly ProcessInfo[]) => void,
): Promise<boolean> {
  const until = performance.now() + patience
  for (let wait = 2; ; wait = Math.min(wait * 2, 100)) {
    const left = look()
    if (left.length === 0) return true
    if (performance.now() >= until) return false
    again(left)
    await pause(Math.min(wait, patience))
  }
}

/** Finds what is meant and alive. An environment is read once for each process: it does not change. */
function lookout({ groups, tokens }: Quarry): () => readonly ProcessInfo[] {
  const ours = ancestry(process.pid)
  const carries = new Map<string, boolean>()
  const carriesToken = ({ pid, startTime }: ProcessInfo): boolean => {
    const id = `${pid}:${startTime}`
    const known = carries.get(id) ?? tokens.includes(variableOf(pid, tokenVariable) ?? '')
    carries.set(id, known)
    return known
  }
  const isMeant = (info: ProcessInfo): boolean =>
    !ours.has(info.pid) && (groups.includes(info.group) || groups.includes(info.pid) || carriesToken(info))
  const mayBeThere = (group: number): boolean => canSignal(-group) || canSignal(group)
  return () => (tokens.length > 0 || groups.some(mayBeThere) ? allProcesses().filter(isMeant) : [])
}

function ancestry(pid: number): ReadonlySet<number> {
  const line = new Set<number>()
  for (let at = pid; at > 0 && !line.has(at); at = processInfo(at)?.parent ?? 0) line.add(at)
  return line
}
