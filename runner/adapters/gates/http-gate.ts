/**
 * The HTTP gate: asks an address once and judges the status of its answer.
 *
 * A redirect is an answer: it is judged, not followed. The body is not read.
 */
import type { PlanCheck } from '../../../src/plan/plan.ts'
import { noAnswerReason } from '../../../src/run/no-answer.ts'
import { failed, type GateContext, type GateResult } from './verdict.ts'

type HttpCheck = Extract<PlanCheck, { kind: 'http' }>

/** How long one answer may take, in milliseconds, where the gate does not say. */
const defaultTimeout = 10_000

/** Asks and judges. */
export async function performHttp(check: HttpCheck, context: GateContext): Promise<GateResult> {
  const url = await addressOf(check, context)
  const request = `${check.method} ${withoutSecrets(url)}`
  const timeout = context.httpTimeout ?? defaultTimeout
  context.write(`${request}\n`)
  const answer = await ask(url, check.method, AbortSignal.any([context.signal, AbortSignal.timeout(timeout)]))
  if (typeof answer !== 'number') return unanswered(request, answer, timeout)
  context.write(`answered ${answer}\n`)
  if (answer === check.status) return { passed: true, summary: `${request} answered ${answer}` }
  return failed({
    code: 'http-status',
    message: `${request} answered ${answer}, not ${check.status}`,
    ...(answer >= 300 && answer < 400
      ? { hint: 'A redirect is not followed: ask the address that it leads to.' }
      : {}),
  })
}

async function addressOf({ target }: HttpCheck, context: GateContext): Promise<string> {
  if ('url' in target) return target.url
  const gateway = await context.gateway(target.environment)
  return `${gateway.replace(/\/+$/, '')}/${encodeURIComponent(target.component)}/${target.path.replace(/^\/+/, '')}`
}

/** The status, or why there is none. */
async function ask(url: string, method: string, signal: AbortSignal): Promise<number | Error> {
  try {
    const response = await fetch(url, { method, redirect: 'manual', signal })
    await response.body?.cancel()
    return response.status
  } catch (error) {
    return error as Error
  }
}

function unanswered(request: string, error: Error, timeout: number): GateResult {
  if (error.name === 'TimeoutError') {
    return failed({
      code: 'http-timeout',
      message: `${request} did not answer within ${timeout} ms`,
      hint: 'Look whether the service hangs; `retry` asks again.',
    })
  }
  return failed({
    code: 'http-unreachable',
    message: `${request} could not be reached (${noAnswerReason(error)})`,
    hint: 'Look whether the service runs and the address is right; `retry` asks again.',
  })
}

/** What stands before the host, in the query or after the sign may be a password or a token. */
function withoutSecrets(address: string): string {
  if (!URL.canParse(address)) return address
  const url = new URL(address)
  const query = url.search === '' ? '' : '?…'
  return `${url.protocol}//${url.host}${url.pathname}${query}`
}
