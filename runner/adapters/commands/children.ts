/**
 * Which process groups a runner has started, written down so that a later runner can end what is left of them.
 *
 * Role: one small file for each running command in `<run>/children/`. It is not synced to the disk: it has to
 * outlive the runner, and when the machine goes, so do the processes.
 *
 *  CH1. A recorded group is ended only if it is the same one: the same start of the machine, and a leader with the
 *       same start time or a member that carries the recorded token.
 *  CH2. What fell between the start of a process and its record is found by the token in its environment, and what
 *       another process was about to start for the runner by the token of that one.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StateError } from '../../../src/errors.ts'
import { defaultGrace, endProcesses, tokenVariable } from './process-group.ts'
import { bootId, membersOf, processInfo, variableOf } from './processes.ts'

interface ChildRecord {
  readonly pid: number
  /** null where the process had ended before it could be asked. */
  readonly startTime: number | null
  readonly boot: string | null
  readonly token: string
}

/** What everything that a node of a run starts carries in its environment. */
export const tokenOf = (run: string, node: string): string => `${run}/${node}`

/**
 * What a process that starts commands for a runner carries in its environment, and with it what it has forked until
 * the command's program begins. No node's key begins like this.
 */
export const starterTokenOf = (run: string): string => tokenOf(run, '#starter')

/** Writes a group down. @throws StateError `state-unusable` */
export function recordChild(dir: string, pid: number, token: string): void {
  const file = fileOfRecord(dir, pid)
  const startTime = processInfo(pid)?.startTime ?? null
  try {
    writeInto(dir, file, `{"pid":${pid},"startTime":${startTime},${restOfRecord(token)}`)
  } catch (error) {
    throw unrecordable(file, error as Error)
  }
}

/** What stands in a record after the pid and the start time, which only the process itself may know. */
export const restOfRecord = (token: string): string =>
  JSON.stringify({ boot: bootId(), token } satisfies Partial<ChildRecord>).slice(1)

/** Takes a group's record away: it has ended. */
export const forgetChild = (dir: string, pid: number): void => forget(fileOfRecord(dir, pid))

/** Takes the records of all groups of a token away: they have ended. */
export function forgetToken(dir: string, token: string): void {
  for (const record of readRecords(dir)) if (record.token === token) forgetChild(dir, record.pid)
}

/** Where a group's record stands. */
export const fileOfRecord = (dir: string, pid: number): string => join(dir, `${pid}.json`)

/** For every command but a run's first the folder is there, and asking costs as much as writing. */
function writeInto(dir: string, file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dir, { recursive: true })
    writeFileSync(file, text)
  }
}

/** A record that cannot be removed does no harm: its group has ended, and none like it is taken for it (CH1). */
function forget(file: string): void {
  try {
    unlinkSync(file)
  } catch {
    // The next runner removes the whole folder.
  }
}

/** Nobody would find it again if the runner died. */
export const unrecordable = (file: string, cause: Error): StateError =>
  new StateError(
    'state-unusable',
    `The command was ended, because it cannot be put on record in ${file}: ${cause.message}.`,
    { cause, hint: 'Mend the cause (space, permissions, the disk), then `release resume`.' },
  )

export interface Leftovers {
  /** Nodes whose commands were still running, and have been ended. */
  readonly nodes: readonly string[]
  /** Pids that are there in spite of SIGKILL: normally none. */
  readonly alive: readonly number[]
}

/**
 * Ends what the commands of an earlier runner have left running, before a run goes on: a resumed run never runs
 * beside its own past. Call it when the run's lock is held.
 *
 * `dir` is the run's folder of records, `nodes` the keys whose attempt was cut off, `grace` milliseconds.
 */
export async function endLeftovers(options: {
  readonly dir: string
  readonly run: string
  readonly nodes?: readonly string[]
  readonly grace?: number
}): Promise<Leftovers> {
  const records = readRecords(options.dir)
  const ours = records.filter(record => isStillOurs(record))
  const cutOff = (options.nodes ?? []).map(node => tokenOf(options.run, node))
  const tokens = [...new Set([...records.map(record => record.token), ...cutOff])]
  // Where something ran there may be what was about to start something more.
  if (tokens.length > 0) tokens.push(starterTokenOf(options.run))
  const quarry = { groups: ours.map(record => record.pid), tokens }
  const alive = await endProcesses(quarry, options.grace ?? defaultGrace)
  if (alive.length === 0) rmSync(options.dir, { recursive: true, force: true })
  return { nodes: [...new Set(ours.map(record => nodeOf(record, options.run)))], alive }
}

function isStillOurs({ pid, startTime, boot, token }: ChildRecord): boolean {
  if (boot === null || boot !== bootId()) return false
  const leader = processInfo(pid)
  if (leader !== null) return startTime !== null && leader.startTime === startTime
  // While a group has members its number is given to nobody else, so one of ours makes the group ours.
  return membersOf(pid).some(member => variableOf(member.pid, tokenVariable) === token)
}

const nodeOf = ({ token }: ChildRecord, run: string): string =>
  token.startsWith(`${run}/`) ? token.slice(run.length + 1) : token

function readRecords(dir: string): readonly ChildRecord[] {
  return namesIn(dir)
    .filter(name => /^\d+\.json$/.test(name))
    .map(name => readRecord(join(dir, name)))
    .filter(record => record !== null)
}

/** A record that was cut off by a crash says nothing; the token finds its process (CH2). */
function readRecord(file: string): ChildRecord | null {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as Partial<ChildRecord>
    const whole = Number.isSafeInteger(record.pid) && record.pid! > 1 && typeof record.token === 'string'
    return whole ? (record as ChildRecord) : null
  } catch {
    return null
  }
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}
