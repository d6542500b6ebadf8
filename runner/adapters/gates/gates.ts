/**
 * Gates: performs a plan's check and comes back with a verdict.
 *
 * Boundary: commands, gateways and the team's function are handed in; only report files and addresses are read here.
 *
 *  GA1. A verdict is reached, passed or failed with a reason; nothing that could not be asked counts as passed.
 *  GA2. What is thrown is that the check could not be performed at all: the program is not there, the function threw.
 *  GA3. A check that was stopped has no verdict: it fails with code `cancelled`.
 *  GA4. A check whose command was cut off, so that nobody knows its end, is asked anew, as after a crash of the runner.
 */
import { isReleaseError, ReleaseError } from '../../../src/errors.ts'
import type { PlanCheck } from '../../../src/plan/plan.ts'
import { performCommand } from './command-gate.ts'
import { performCoverage } from './coverage-gate.ts'
import { performHttp } from './http-gate.ts'
import { failed, type GateContext, type GateResult, type OwnVerdict } from './verdict.ts'

export type { GateContext, GateResult, OwnVerdict } from './verdict.ts'

/** Performs a check. */
export async function performGate(check: PlanCheck, context: GateContext): Promise<GateResult> {
  if (context.signal.aborted) throw stopped()
  const result = await perform(check, context).catch(error => askAnew(error, check, context))
  if (context.signal.aborted) throw stopped()
  return result
}

/** Once: a second time it is not cut off for the same reason, because nothing stands between the runner and it then. */
function askAnew(error: unknown, check: PlanCheck, context: GateContext): Promise<GateResult> {
  if (!isReleaseError(error) || error.code !== 'command-cut-off' || context.signal.aborted) throw error
  context.write(`${error.message}; it is asked anew\n`)
  return perform(check, context)
}

function perform(check: PlanCheck, context: GateContext): Promise<GateResult> {
  switch (check.kind) {
    case 'command':
      return performCommand(check.command, context)
    case 'coverage':
      return performCoverage(check, context)
    case 'http':
      return performHttp(check, context)
    case 'function':
      return performFunction(context)
  }
}

async function performFunction({ run }: GateContext): Promise<GateResult> {
  if (run === null) {
    throw new ReleaseError('check-missing', 'the bundle has no function for this gate', {
      hint: 'Resume with the bundle that the run began with, or start a new run.',
    })
  }
  const verdict: unknown = await run()
  if (typeof verdict === 'boolean') {
    return verdict
      ? { passed: true, summary: 'passed' }
      : failed({ code: 'gate-failed', message: 'the check returned false' })
  }
  if (!isVerdict(verdict)) throw noVerdict(verdict)
  const { passed, summary } = verdict
  if (passed) return { passed, summary: summary ?? 'passed' }
  return failed({ code: 'gate-failed', message: summary ?? 'the check did not pass' })
}

const isVerdict = (value: unknown): value is Exclude<OwnVerdict, boolean> =>
  typeof value === 'object' &&
  value !== null &&
  'passed' in value &&
  typeof value.passed === 'boolean' &&
  (!('summary' in value) || value.summary === undefined || typeof value.summary === 'string')

/** `undefined` is not a pass: it is mostly a `return` that was forgotten. */
const noVerdict = (verdict: unknown): ReleaseError =>
  new ReleaseError(
    'gate-no-verdict',
    `the check returned ${verdict === null ? 'null' : `a value of type ${typeof verdict}`}, which is no verdict`,
    {
      hint: 'Return true or false, or {passed: boolean, summary?: string}.',
    },
  )

const stopped = (): ReleaseError =>
  new ReleaseError('cancelled', 'the gate was stopped before it had a verdict')
