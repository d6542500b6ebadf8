/**
 * A rollback that somebody asks for after the fact: a person by `rollback`, the guard by a breach. One way for both.
 */
import { InputError } from '../../src/errors.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { plannedRollback, type Wanted } from '../../src/run/decide-rollback.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { GuardBreach } from '../../src/run/guard-record.ts'
import { computeRollback } from '../../src/run/rollback.ts'
import type { RunState } from '../../src/run/state.ts'
import { feasibilityOf } from '../feasibility.ts'
import { whoami } from '../identity.ts'
import { currentHolder } from '../journal/run-lock.ts'
import { loadRunDefinition } from '../load-run.ts'
import type { OpenedRun } from '../open-run.ts'
import { wrong } from './command.ts'
import type { Io } from './io.ts'
import { attached, runAndShow } from './running.ts'

export interface Asked extends Omit<Wanted, 'infeasible'> {
  readonly because: 'person' | 'guard'
  /** What the guard had measured. */
  readonly breach?: GuardBreach
  /** How long it may take, in milliseconds. */
  readonly limit?: number
}

/** Takes back, shows it, and returns the exit code. @throws InputError `nothing-to-undo`, `run-held` */
export async function rollBack(io: Io, opened: OpenedRun, asked: Asked): Promise<number> {
  const { folder, plan, state, meta } = opened
  const { breach, limit, ...request } = asked
  const { infeasible } = await feasibilityOf(plan, state, request)
  const wanted = { ...request, infeasible }
  if (computeRollback(state, wanted).nodes.length === 0) {
    throw new InputError([
      wrong(
        'nothing-to-undo',
        `the run ${folder.id} has done nothing that could be undone`,
        'See `--dry-run`.',
      ),
    ])
  }
  // A guard acts of its own accord: whom it stands in the way of is told by the lock itself, with exit code 4.
  if (asked.because === 'person' && (await currentHolder(folder.path)) !== null) {
    throw new InputError([
      wrong(
        'run-held',
        `the run ${folder.id} is still running`,
        `Stop it first: release cancel ${folder.id}`,
      ),
    ])
  }
  for (const [node, reason] of infeasible)
    io.stderr.write(`${titleOf(state, node)} cannot be taken back and stays: ${reason}\n`)
  const { definition } = await loadRunDefinition(opened, { onChange: () => {}, quiet: true })
  const who = whoami(io.env, meta.root)
  return runAndShow(io, {
    folder,
    plan,
    definition,
    root: meta.root,
    opening: state => [
      attached(who),
      { ...plannedRollback(state, wanted), ...(breach === undefined ? {} : { breach }) },
    ],
    patience: Infinity,
    ...(limit === undefined ? {} : { limit }),
  })
}

export const titleOf = (state: RunState, key: string): string => state.works.get(key)?.node.title ?? key

/** When the run ended; null: it has not. */
export const finishedAt = (events: readonly RunEvent[]): number | null =>
  events.findLast(({ type }) => type === 'run-finished')?.at ?? null

/** `phoenix 3.0.0` */
export const releaseName = ({ release }: Plan): string => `${release.name} ${release.version}`
