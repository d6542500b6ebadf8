/**
 * One attempt at a node: its effect on the world, and the events that say how it ended.
 *
 * Role: looks the operation up, keeps its time limit, and turns whatever happens into an outcome: succeeded,
 * to be retried, failed, cancelled, or left open when the runner is told to leave at once.
 * Boundary: the operations themselves are in operations.ts and undo.ts; the adapters come in through {@link World}.
 */
import { isReleaseError, type ReleaseError, StateError } from '../../src/errors.ts'
import type { Json, Millis, Retry } from '../../src/plan/plan.ts'
import type { Failure, Unstamped } from '../../src/run/events.ts'
import { isEvidence } from '../../src/run/evidence.ts'
import { systemClock } from './clock.ts'
import type { Task } from './engine.ts'
import { type Done, operate } from './operations.ts'
import { undo } from './undo.ts'
import type { World } from './world.ts'

/** Taking back is tried again on its own account: what is needed most should not fail for a moment's trouble. */
const UNDO_RETRY: Retry = { limit: 2, delay: 1000, maxDelay: 5000 }
const UNDO_TIMEOUT: Millis = 10 * 60_000

/** Why the signal of an attempt that has ended is aborted. Made once: an error takes its stack each time. */
const OVER = new DOMException('the attempt has ended', 'AbortError')

/** Codes of failures that another attempt would only repeat. */
const FINAL = new Set([
  'source-changed',
  'secret-missing',
  'secret-unknown',
  'secret-too-short',
  'analysis-failed',
  'analysis-unanswered',
  'too-few-requests',
  'experiment-undecided',
  'coverage-missing',
  'check-missing',
  'gate-no-verdict',
  'command-empty',
  'command-not-found',
  'command-folder',
  'shell-argument',
  'notify-refused',
  'notify-address',
  'not-json',
  'output-missing',
])

/**
 * The performer for the engine. Rejects only with a StateError: the world has been taken over by another run, or
 * the run's own state takes nothing more. The attempt then stays open, and a resume looks into it.
 */
export function createPerformer(world: World): (task: Task) => Promise<readonly Unstamped[]> {
  return task => performTask(task, world)
}

async function performTask(task: Task, world: World): Promise<readonly Unstamped[]> {
  const limit = timeoutOf(task)
  const stop = new AbortController()
  const over = new AbortController()
  let isLate = false
  const after = world.after ?? systemClock.after
  const stopTimer =
    limit === null
      ? null
      : after(limit, () => {
          isLate = true
          stop.abort()
        })
  passOn(task.context.signal, stop)
  passOn(stop.signal, over)
  try {
    const attempt = { task, world, signal: stop.signal, over: over.signal }
    const done = task.work.rollback === null ? await operate(attempt) : await undo(attempt)
    return stoppedOutcome(task, done.value) ?? succeeded(task, done)
  } catch (error) {
    if (isFenced(error)) throw takenOver(error)
    if (isStateUnusable(error)) throw error
    const { evidence } = error as { evidence?: Json }
    return (
      stoppedOutcome(task, evidence) ??
      failed(task, world, { failure: scrubbed(failureOf(error, isLate ? limit : null), world), evidence })
    )
  } finally {
    stopTimer?.()
    over.abort(OVER)
  }
}

/** As `AbortSignal.any` does, whose weak references are a tenth of what a step costs that does nothing. */
function passOn(from: AbortSignal, to: AbortController): void {
  if (from.aborted) to.abort(from.reason)
  else from.addEventListener('abort', () => to.abort(from.reason), { once: true })
}

const timeoutOf = ({ work }: Task): Millis | null =>
  work.rollback === null ? work.node.timeout : Math.max(work.node.timeout ?? 0, UNDO_TIMEOUT)

function succeeded({ work, attempt }: Task, done: Done): readonly Unstamped[] {
  const { value, summary, warning, how } = done
  return [{ type: 'node-succeeded', node: work.key, attempt, value, summary, warning, how }]
}

/** What was told to stop has not failed: a cancelled node is a consequence, an aborted one is taken up by a resume. */
function stoppedOutcome({ work, stopped }: Task, left: Json | undefined): readonly Unstamped[] | null {
  const why = stopped()
  if (why === null) return null
  if (why.type === 'aborted') return []
  const measured = left !== undefined && isEvidence(left) ? { evidence: left } : {}
  return [{ type: 'node-cancelled', node: work.key, because: why.because, ...measured }]
}

interface Told {
  readonly failure: Failure
  /** What an analysis had measured. */
  readonly evidence: Json | undefined
}

function failed(task: Task, world: World, { failure, evidence }: Told): readonly Unstamped[] {
  const { work, attempt } = task
  const retry = work.rollback === null ? work.node.retry : UNDO_RETRY
  if (work.failures < retry.limit && !FINAL.has(failure.code)) {
    const until = world.now() + Math.min(retry.delay * 2 ** work.failures, retry.maxDelay)
    return [{ type: 'node-retrying', node: work.key, attempt, failure, until }]
  }
  const { operation } = work.node
  const mild = (operation.kind === 'gate' || operation.kind === 'notify') && !operation.required
  if (!mild) {
    const measured = evidence === undefined ? {} : { evidence }
    return [{ type: 'node-failed', node: work.key, attempt, failure, ...measured }]
  }
  const warning = failure.message
  return succeeded(task, { value: null, summary: null, warning, how: 'performed' })
}

/** What any error says, as data; a time limit that is over is the cause of whatever it brought about. */
export function failureOf(error: unknown, limit: Millis | null): Failure {
  if (limit !== null) {
    return {
      code: 'time-limit',
      message: `it was not done within its time limit of ${limit / 1000} s`,
      hint: 'See its log for where it stood; give it a longer time limit if it needs one.',
      ...tailOf(error),
    }
  }
  const { code, message, hint } = error as Partial<ReleaseError>
  return {
    code: typeof code === 'string' && isReleaseError(error) ? code : 'error',
    message: typeof message === 'string' && message !== '' ? message : String(error),
    ...(typeof hint === 'string' ? { hint } : {}),
    ...tailOf(error),
  }
}

/** A team's own error may say anything. */
const scrubbed = (failure: Failure, { secrets }: World): Failure => ({
  ...failure,
  message: secrets.scrub(failure.message),
  ...(failure.tail === undefined ? {} : { tail: secrets.scrub(failure.tail) }),
})

const tailOf = (error: unknown): { tail?: string } => {
  const { tail } = error as { tail?: unknown }
  return typeof tail === 'string' && tail !== '' ? { tail } : {}
}

const isFenced = (error: unknown): boolean => (error as Partial<ReleaseError>).code === 'fenced'

const isStateUnusable = (error: unknown): boolean => isReleaseError(error) && error.code === 'state-unusable'

/** What becomes of a write that a platform has refused to an older owner. */
export const takenOver = (error: unknown): StateError =>
  new StateError('environment-taken-over', (error as Error).message, {
    cause: error,
    hint: 'Another run has taken the environment over; this one wrote nothing more. See who with `release local status`.',
  })
