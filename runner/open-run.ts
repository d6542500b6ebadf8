/**
 * A run that exists, opened for reading: its plan, its events and their fold.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isReleaseError, StateError } from '../src/errors.ts'
import type { Plan, Sha256 } from '../src/plan/plan.ts'
import type { RunEvent } from '../src/run/events.ts'
import { foldRun } from '../src/run/fold.ts'
import type { RunState } from '../src/run/state.ts'
import { onState } from './journal/on-state.ts'
import { readJournal } from './journal/read.ts'
import { adoptedFolder, openRun, type RunFolder, type RunMeta, readMeta } from './journal/run-store.ts'
import { sha256 } from './load/fingerprint.ts'
import { parseOwnPlan } from './plan-file.ts'

export interface OpenedRun {
  readonly folder: RunFolder
  /** Path of the bundle that counts. */
  readonly bundle: string
  readonly meta: RunMeta
  readonly plan: Plan
  readonly events: readonly RunEvent[]
  readonly state: RunState
}

/** `run`: an id, the beginning of one, or nothing for the newest. @throws InputError `no-run`; StateError where it is damaged */
export async function openedRun(stateFolder: string, run: string | undefined): Promise<OpenedRun> {
  const folder = await openRun(stateFolder, run)
  const [meta, { events }] = await Promise.all([readMeta(folder), readJournal(folder.journal)])
  const current = currentPlan(events, meta)
  const kept = current === meta.plan ? folder : adoptedFolder(folder, current)
  const text = current === meta.plan ? meta.planText : undefined
  const plan = await readPlanOf(folder, { path: kept.plan, hash: current, text })
  const state = told(folder, () => foldRun(plan, events))
  return { folder, bundle: kept.bundle, meta, plan, events, state }
}

/**
 * What a fold of a run's events tells. @throws StateError `run-unfit` where the events, whole as they are, do not
 * fit together or to the plan: no version of ours has written them so
 */
export function told<T>(folder: RunFolder, fold: () => T): T {
  try {
    return fold()
  } catch (cause) {
    if (isReleaseError(cause)) throw cause
    throw new StateError(
      'run-unfit',
      `the journal ${folder.journal} does not fit its plan: ${(cause as Error).message}`,
      {
        cause,
        hint: 'Its records are whole, and tell what cannot be. Go on with the version of release-as-code that wrote it, or start a new run.',
      },
    )
  }
}

/** The journal says which plan counts: the one it began with, or the one that was adopted last. */
const currentPlan = (events: readonly RunEvent[], meta: RunMeta): Sha256 =>
  events.findLast(event => event.type === 'plan-adopted')?.plan ?? meta.plan

interface KeptPlan {
  readonly path: string
  readonly hash: Sha256
  /** Of its text; undefined: nobody has kept it. */
  readonly text: Sha256 | undefined
}

async function readPlanOf(folder: RunFolder, kept: KeptPlan): Promise<Plan> {
  const { path } = kept
  if (!existsSync(path)) throw damaged(folder, path, `${path} is gone`)
  const bytes = await onState(path, () => readFile(path))
  const plan = parse(folder, kept, bytes)
  if (plan.hash === kept.hash) return plan
  throw damaged(folder, path, 'it is not the plan that the journal names')
}

function parse(folder: RunFolder, { path, text }: KeptPlan, bytes: Buffer): Plan {
  try {
    const known = text !== undefined && sha256(bytes) === text
    return parseOwnPlan(path, bytes.toString(), { known })
  } catch (cause) {
    throw damaged(folder, path, (cause as Error).message, cause)
  }
}

const damaged = (folder: RunFolder, path: string, why: string, cause?: unknown): StateError =>
  new StateError('run-damaged', `the plan of the run ${folder.id} is damaged: ${why}`, {
    cause,
    hint: `Put ${path} back from a backup: without it the run cannot be read.`,
  })
