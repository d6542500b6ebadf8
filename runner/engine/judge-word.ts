/**
 * A person's word about an approval: what it comes to, as events.
 *
 * Boundary: reads, verifies and judges it against the run's state; the engine says when, one word after the other.
 */
import { judgeDecision, type OpenApproval } from '../../src/run/approvals.ts'
import { readDecision } from '../../src/run/decision.ts'
import type { Unstamped } from '../../src/run/events.ts'
import type { Signatures, SignedDecision } from '../../src/run/ports.ts'
import type { RunState } from '../../src/run/state.ts'

/** A decision and the approval that it was delivered for. */
export interface Word {
  readonly approval: string
  readonly signed: SignedDecision
}

export interface Judges {
  readonly signatures: Signatures
  readonly now: () => number
}

/** What is to be recorded for it. */
export async function judgeWord(
  { approval, signed }: Word,
  state: RunState,
  { signatures, now }: Judges,
): Promise<readonly Unstamped[]> {
  const read = readDecision(signed.statement)
  if (!read.ok) return [{ type: 'approval-refused', node: approval, person: '', reason: read.reason }]
  const { decision } = read
  const { person, role } = decision
  const verified = await signatures.verify(signed, decision)
  const judged = judgeDecision({
    decision,
    verified,
    plan: state.plan,
    run: state.run,
    approval: openApproval(state, decision.approval),
    given: state.given.get(decision.approval) ?? [],
    nonces: state.nonces,
    startedBy: state.startedBy,
    now: now(),
  })
  const node = approval
  if (!judged.accept) return [{ type: 'approval-refused', node, person, reason: judged.reason }]
  const proof = { key: verified.ok ? verified.key : null, ...signed }
  if (decision.verdict === 'approve') return [{ type: 'approval-given', node, person, role, ...proof }]
  const failure = { code: 'rejected', message: `${person} rejected it as ${role}: ${decision.reason}` }
  return [
    { type: 'approval-rejected', node, person, role, reason: decision.reason, ...proof },
    { type: 'node-failed', node, attempt: 1, failure },
  ]
}

function openApproval(state: RunState, key: string): OpenApproval | null {
  const work = state.works.get(key)
  const operation = work?.node.operation
  if (work === undefined || operation?.kind !== 'approval') return null
  const until = work.status.type === 'waiting' ? work.status.until : null
  return { key, operation, waiting: work.status.type === 'waiting', until }
}
