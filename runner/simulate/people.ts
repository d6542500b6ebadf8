/**
 * People who give the approvals of a simulated run, at once.
 */
import { canonicalJson } from '../../src/plan/canonical.ts'
import type { ApprovalOperation, Plan } from '../../src/plan/plan.ts'
import type { Decision, SignedDecision } from '../../src/run/ports.ts'

/** Who speaks in which role; null: no such choice of people exists, since one person counts once. */
export function peopleFor(
  plan: Plan,
  { from }: ApprovalOperation,
): readonly { readonly person: string; readonly role: string }[] | null {
  const seats = Object.entries(from).flatMap(([role, count]) => Array.from({ length: count }, () => role))
  if (plan.approvers === null) return seats.map((role, index) => ({ person: `person-${index + 1}`, role }))
  return seat(seats, plan.approvers, new Set())
}

function seat(
  seats: readonly string[],
  approvers: NonNullable<Plan['approvers']>,
  taken: ReadonlySet<string>,
): readonly { readonly person: string; readonly role: string }[] | null {
  const [role, ...rest] = seats
  if (role === undefined) return []
  for (const { person, roles } of approvers) {
    if (taken.has(person) || !roles.includes(role)) continue
    const others = seat(rest, approvers, new Set([...taken, person]))
    if (others !== null) return [{ person, role }, ...others]
  }
  return null
}

export interface WordOf {
  readonly plan: Plan
  readonly run: string
  readonly approval: string
  readonly person: string
  readonly role: string
  readonly verdict: Decision['verdict']
  /** Different for each word of a run. */
  readonly number: number
}

export function wordOf({ plan, number, verdict, ...rest }: WordOf): SignedDecision {
  const decision: Decision = {
    format: 1,
    verdict,
    plan: plan.hash,
    reason: verdict === 'reject' ? 'simulated' : '',
    nonce: number.toString(16).padStart(32, '0'),
    at: 0,
    ...rest,
  }
  return { statement: canonicalJson(decision), signature: null }
}
