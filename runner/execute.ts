/**
 * A runner's life: take the run, take the environments, run the engine, give everything back.
 *
 * Invariants:
 *  X1. Nothing is performed before the run's lock and every component's lock are held.
 *  X2. What an earlier runner left running is ended before anything new starts.
 *  X3. Locks are given back when the process ends, also when the run goes on later; a run that comes back finds
 *      out whether the world has changed meanwhile.
 */
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import type { ReleaseModel } from '../src/definition/model.ts'
import { StateError } from '../src/errors.ts'
import type { Plan } from '../src/plan/plan.ts'
import type { Outcome, RunEvent, Unstamped } from '../src/run/events.ts'
import { foldRun } from '../src/run/fold.ts'
import type { Acquired, Holder, Signal } from '../src/run/ports.ts'
import type { RunState } from '../src/run/state.ts'
import { embeddedGround } from './engine/embedded-ground.ts'
import { type Ended, runEngine } from './engine/engine.ts'
import { faultsFromEnv } from './engine/faults.ts'
import { createValidator } from './engine/mend.ts'
import { createPerformer } from './engine/perform.ts'
import { holderOf } from './identity.ts'
import { onState } from './journal/on-state.ts'
import { acquireRunLock, describeHolder, type RunLock } from './journal/run-lock.ts'
import type { RunFolder } from './journal/run-store.ts'
import { openNodeLogs } from './node-logs.ts'
import { assertUnchanged, type Target } from './unchanged.ts'
import { createWorld, openPlatform, openSignatures } from './wire.ts'

/** Version of the engine that a run was decided by; written down with each runner. */
export const INTERPRETER = 1

/** What shows a run while it runs. */
export interface RunDisplay {
  event(event: RunEvent, source: 'history' | 'live'): void
  output(node: string, chunk: string): void
  /** What was recorded before has been told; from here on everything is new. */
  begin(): Promise<void>
  close(): Promise<void>
}

export interface Execution {
  readonly folder: RunFolder
  readonly plan: Plan
  readonly definition: ReleaseModel
  readonly root: string
  readonly who: string
  /** What was read of the journal before it was this runner's. Its state is the engine's from then on. */
  readonly known?: { readonly events: readonly RunEvent[]; readonly state: RunState }
  readonly env: NodeJS.ProcessEnv
  readonly display: RunDisplay
  /** What this runner writes first, given the state that the journal tells. */
  readonly opening: (state: RunState) => readonly Unstamped[]
  /** How long to stay when only a person is waited for, in milliseconds; Infinity: as long as it takes. */
  readonly patience: number
  /** It is told to stop at once when this is over, in milliseconds; left out: it has all the time it takes. */
  readonly limit?: number
}

/** Runs until the run ends or may be left. @throws StateError where the run or an environment is somebody else's */
export async function execute(execution: Execution): Promise<Ended> {
  const { folder, who, root } = execution
  keepHeapSmall()
  const holder = holderOf(folder.id, who, root)
  const lock = await takeRun(folder, holder)
  const releases = [lock.release]
  try {
    const { fences, locks } = await takeEnvironments(execution.plan, holder)
    releases.push(...locks)
    return await runOn(execution, lock, fences)
  } finally {
    await execution.display.close()
    for (const release of releases.reverse()) await release().catch(() => {})
  }
}

/**
 * What a command prints is garbage as soon as it is written down. V8 would give it twice the room again and again, up
 * to 128 MB in which nothing lives, as more and more is printed.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** @throws StateError `run-held` where somebody runs it */
export async function takeRun(folder: RunFolder, holder: Holder): Promise<RunLock> {
  const lock = await acquireRunLock(folder.path, holder)
  if (lock.type === 'acquired') return lock
  throw new StateError('run-held', `the run ${folder.id} is being run by ${describeHolder(lock.holder)}`, {
    hint: `Follow it with: release watch ${folder.id}`,
  })
}

/** Every component of the plan in every environment that it goes to, in one order, so that two runs cannot take them crosswise. */
export async function takeEnvironments(
  plan: Plan,
  holder: Holder,
): Promise<{
  fences: ReadonlyMap<string, number>
  locks: readonly (() => Promise<void>)[]
  /** Who had each of them last, as far as that is known. */
  before: ReadonlyMap<string, Holder>
}> {
  const fences = new Map<string, number>()
  const before = new Map<string, Holder>()
  const locks: (() => Promise<void>)[] = []
  for (const { environment, component } of targetsOf(plan)) {
    const { platform } = plan.environments.find(e => e.name === environment)!
    const lock: Acquired = await (await openPlatform(platform)).lock(environment, component, holder)
    if (lock.type === 'held') {
      for (const release of locks.reverse()) await release().catch(() => {})
      throw new StateError(
        'environment-held',
        `${component} in ${environment} belongs to the run ${lock.holder.run}, of ${describeHolder(lock.holder)}`,
        { hint: 'Wait for it to end, or cancel it: nothing was changed here.' },
      )
    }
    fences.set(`${environment}/${component}`, lock.fence)
    if (lock.before !== undefined) before.set(`${environment}/${component}`, lock.before)
    locks.push(lock.release)
  }
  return { fences, locks, before }
}

/** Where its nodes work. */
export function targetsOf(plan: Plan): readonly Target[] {
  const targets = new Map<string, Target>()
  for (const { environment, component } of plan.nodes) {
    if (environment === undefined || component === undefined) continue
    targets.set(`${environment}/${component}`, { environment, component })
  }
  return [...targets].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target)
}

async function runOn(
  execution: Execution,
  lock: RunLock,
  fences: ReadonlyMap<string, number>,
): Promise<Ended> {
  const { folder, plan, display, env, root } = execution
  const ground = await embeddedGround({
    journal: folder.journal,
    inbox: folder.inbox,
    lock,
    faults: faultsFromEnv(env),
    onEvent: (event, source) => display.event(event, source),
  })
  const logs = openNodeLogs(folder, (node, chunk) => display.output(node, chunk))
  await display.begin()
  const interrupts = listenForInterrupts(signal => ground.interrupt(signal), execution.who)
  const stopTimer = limited(execution, () => ground.interrupt({ type: 'abort', who: execution.who }))
  try {
    const state = stateOf(execution, ground.history)
    await endLeftovers(folder, state)
    await assertUnchanged(state, targetsOf(plan), name =>
      openPlatform(plan.environments.find(environment => environment.name === name)!.platform),
    )
    const world = await createWorld({
      plan,
      definition: execution.definition,
      folder,
      root,
      logs,
      fences,
      env,
    })
    return await runEngine({
      state,
      opening: execution.opening(state),
      port: ground,
      perform: createPerformer(world),
      validate: createValidator(world),
      signatures: await openSignatures(plan),
      patience: execution.patience,
      now: () => ground.time(),
    })
  } finally {
    stopTimer()
    interrupts.stop()
    await ground.close()
    logs.close()
  }
}

/** Of ten thousand nodes a fold takes its time: where nothing has come since the journal was read, what was told then holds. */
function stateOf({ plan, known }: Execution, history: readonly RunEvent[]): RunState {
  const isSame =
    known !== undefined &&
    known.state.plan === plan &&
    known.events.length === history.length &&
    known.events.every((event, index) => event === history[index])
  return isSame ? known.state : foldRun(plan, history)
}

function limited({ limit }: Execution, stop: () => void): () => void {
  if (limit === undefined) return () => {}
  const timer = setTimeout(stop, limit)
  return () => clearTimeout(timer)
}

async function endLeftovers(folder: RunFolder, state: RunState): Promise<void> {
  // Their runner is gone, so whatever is still called running was cut off.
  const cutOff = [...state.active].filter(work => work.status.type === 'running').map(work => work.key)
  const { endLeftovers: end } = await import('./adapters/commands/children.ts')
  const dir = join(folder.path, 'children')
  await onState(folder.path, () => end({ dir, run: folder.id, nodes: cutOff }))
}

function listenForInterrupts(send: (signal: Signal) => void, who: string): { stop: () => void } {
  let count = 0
  const onSignal = (): void => {
    count += 1
    send(count === 1 ? { type: 'stop', by: 'interrupt', who } : { type: 'abort', who })
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return {
    stop: () => {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    },
  }
}

/** What the process exits with. */
export function exitCodeOf(ended: Ended): number {
  if (ended.type === 'left') return ended.why === 'waiting' ? 3 : 130
  return EXIT_CODES[ended.outcome]
}

const EXIT_CODES: Readonly<Record<Outcome, number>> = {
  succeeded: 0,
  'rolled-back': 0,
  failed: 1,
  cancelled: 1,
  partial: 5,
}
