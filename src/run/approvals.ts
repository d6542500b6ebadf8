/**
 * What a person's word is worth: whether a decision counts for an approval, and when there are enough.
 *
 * Boundary: pure. A signature has been checked before by the port {@link Signatures}; what it said comes in.
 *
 * Invariants:
 *  A1. A decision counts for one approval of one run of one plan, once: its text names all three and a nonce.
 *  A2. One person counts once for an approval, under whatever role, and a role is never filled beyond what is asked.
 *  A3. Without approvers nothing can be checked: a decision counts unsigned, and only A1 and A2 hold.
 *  A4. Every refusal is one sentence that says what is wrong with the decision, for the person who gave it.
 */
import type { ApprovalOperation, Plan, PlanApprover } from '../plan/plan.ts'
import type { Decision, Verified } from './ports.ts'

/** Who has approved so far. */
export interface GivenApproval {
  readonly person: string
  readonly role: string
}

/** What a decision is judged by. Times are milliseconds since 1970. */
export interface Judgement {
  readonly decision: Decision
  /** What the signature is worth. */
  readonly verified: Verified
  readonly plan: Plan
  /** This run's id. */
  readonly run: string
  /** The approval that is meant: its key, whether it waits now, and until when; null: the run has no such approval. */
  readonly approval: OpenApproval | null
  readonly given: readonly GivenApproval[]
  /** Nonces of the decisions that this run has already recorded. */
  readonly nonces: ReadonlySet<string>
  /** Who started the run. */
  readonly startedBy: string
  readonly now: number
}

export interface OpenApproval {
  readonly key: string
  readonly operation: ApprovalOperation
  readonly waiting: boolean
  readonly until: number | null
}

export type Judged = { readonly accept: true } | { readonly accept: false; readonly reason: string }

/** Whether enough people of each role have approved. */
export const isApproved = (
  from: Readonly<Record<string, number>>,
  given: readonly GivenApproval[],
): boolean => Object.entries(from).every(([role, asked]) => peopleAs(role, given) >= asked)

/** Decides whether a decision counts. The first thing that is wrong with it is the reason that is given. */
export function judgeDecision(judgement: Judgement): Judged {
  for (const objection of objections) {
    const reason = objection(judgement)
    if (reason !== null) return { accept: false, reason }
  }
  return { accept: true }
}

type Objection = (judgement: Judgement) => string | null

const notFromHere: Objection = ({ decision, run, plan }) => {
  if (decision.run !== run) {
    return `This decision was given for the run ${decision.run}, not for ${run}; a decision counts for one run only.`
  }
  if (decision.plan !== plan.hash) {
    return `This decision was given for another plan (${short(decision.plan)}); this run follows the plan ${short(plan.hash)}.`
  }
  return null
}

const forged: Objection = ({ decision, verified, plan }) => {
  if (plan.approvers === null) return null
  if (!verified.ok) return `The signature does not count: ${sentence(verified.reason)}`
  if (verified.person === decision.person) return null
  return `The decision speaks for ${decision.person}, but ${verified.person} signed it.`
}

const replayed: Objection = ({ decision, nonces }) =>
  nonces.has(decision.nonce)
    ? 'This very decision has been recorded before; it does not count twice. Give a new one.'
    : null

const noSuchApproval: Objection = ({ decision, approval }) =>
  approval === null || approval.key !== decision.approval
    ? `This run has no approval "${decision.approval}".`
    : null

const expired: Objection = ({ approval, now }) => {
  const until = approval?.until ?? null
  return until !== null && now >= until
    ? `The approval "${approval?.operation.name}" expired before the decision arrived.`
    : null
}

const notWaiting: Objection = ({ approval }) =>
  approval?.waiting === true
    ? null
    : `The approval "${approval?.operation.name}" is not waiting for anybody: it has not been reached, or it is decided.`

const unknownPerson: Objection = ({ decision, plan }) =>
  plan.approvers === null || approverOf(plan.approvers, decision.person) !== undefined
    ? null
    : `${decision.person} is not among the release's approvers.`

const wrongRole: Objection = ({ decision, plan, approval }) => {
  const asked = approval?.operation.from ?? {}
  if (!Object.hasOwn(asked, decision.role)) {
    return `The approval "${approval?.operation.name}" asks for ${list(Object.keys(asked))}, not for "${decision.role}".`
  }
  const roles = plan.approvers === null ? null : (approverOf(plan.approvers, decision.person)?.roles ?? [])
  if (roles === null || roles.includes(decision.role)) return null
  return `${decision.person} does not have the role "${decision.role}"${roles.length === 0 ? '' : `, but ${list(roles)}`}.`
}

const selfApproval: Objection = ({ decision, approval, startedBy }) =>
  decision.verdict === 'approve' && decision.person === startedBy && approval?.operation.self !== true
    ? `${decision.person} started this run and cannot approve it; somebody else has to.`
    : null

const counted: Objection = ({ decision, given }) => {
  if (decision.verdict === 'reject') return null
  const before = given.find(g => g.person === decision.person)
  if (before === undefined) return null
  return `${decision.person} has approved already, as ${before.role}; one person counts once.`
}

const roleFull: Objection = ({ decision, approval, given }) => {
  if (decision.verdict === 'reject') return null
  const asked = approval?.operation.from[decision.role] ?? 0
  return peopleAs(decision.role, given) < asked
    ? null
    : `Nobody is missing as "${decision.role}": ${asked} of ${asked} have approved.`
}

/** In the order in which they are told: where it belongs, who it is from, whether it is new, whether it may. */
const objections: readonly Objection[] = [
  notFromHere,
  forged,
  replayed,
  noSuchApproval,
  expired,
  notWaiting,
  unknownPerson,
  wrongRole,
  selfApproval,
  counted,
  roleFull,
]

const approverOf = (approvers: readonly PlanApprover[], person: string): PlanApprover | undefined =>
  approvers.find(approver => approver.person === person)

const peopleAs = (role: string, given: readonly GivenApproval[]): number =>
  new Set(given.filter(g => g.role === role).map(g => g.person)).size

const short = (hash: string): string => hash.slice(0, 12)
const list = (names: readonly string[]): string => names.map(name => `"${name}"`).join(', ')
const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)
