/**
 * Checks the signatures of decisions against the plan's approvers.
 *
 * Role: the adapter of the port `Signatures`, on `ssh-keygen -Y`. Boundary: whether a signature is good and
 * whose it is; whether the decision then counts is judged in src/run/approvals.ts.
 *
 *  SG1. A signature is checked against the keys of the person who is claimed, and of nobody else.
 *  SG2. What was signed is the canonical text of the very decision that is claimed.
 *  SG3. A signature that was made for another purpose (a commit, a file) does not count.
 */
import { signatureNamespace } from '../../../src/compile/approvers.ts'
import type { PlanApprover } from '../../../src/plan/plan.ts'
import { decisionText } from '../../../src/run/decision.ts'
import type { Decision, Signatures, SignedDecision, Verified } from '../../../src/run/ports.ts'
import { lastLine, runTool, withFiles } from './ssh-keygen.ts'

/** Checks signatures against these approvers; null: the release names none, and nothing is signed. */
export const sshSignatures = (approvers: readonly PlanApprover[] | null): Signatures => ({
  verify: async (signed, claimed) =>
    approvers === null
      ? { ok: true, person: claimed.person, key: null }
      : (objection(signed, claimed, approvers) ?? (await check(signed, claimed, approvers))),
})

function objection(
  { statement, signature }: SignedDecision,
  claimed: Decision,
  approvers: readonly PlanApprover[],
): Verified | null {
  if (signature === null) return refuse('it is not signed, and this release has approvers')
  if (statement !== decisionText(claimed)) return refuse('what was signed is not this decision')
  if (!approvers.some(approver => approver.person === claimed.person)) {
    return refuse(`${claimed.person} is not among the release's approvers`)
  }
  return isOnePerson(claimed.person) ? null : refuse(`"${claimed.person}" is a pattern, not a person`)
}

async function check(
  { statement, signature }: SignedDecision,
  { person }: Decision,
  approvers: readonly PlanApprover[],
): Promise<Verified> {
  const theirs = approvers.filter(approver => approver.person === person)
  const files = { theirs: allowedSigners(theirs), all: allowedSigners(approvers), signature: signature ?? '' }
  return withFiles(files, async path => {
    const purpose = ['-n', signatureNamespace, '-s', path('signature')]
    const verify = ['-Y', 'verify', '-f', path('theirs'), '-I', person, ...purpose]
    const { exitCode, stdout } = await runTool('ssh-keygen', verify, { input: statement })
    const key = fingerprintIn(stdout)
    if (exitCode === 0 && key !== null) return { ok: true, person, key }
    return refuse(await whyNot(statement, person, purpose, path))
  })
}

/** Tells a changed text, a wrong purpose, a wrong person and a stranger's key apart, for who reads the refusal. */
async function whyNot(
  statement: string,
  person: string,
  purpose: readonly string[],
  path: (name: string) => string,
): Promise<string> {
  const sound = await runTool('ssh-keygen', ['-Y', 'check-novalidate', ...purpose], { input: statement })
  if (sound.exitCode !== 0) return unsound(sound.stderr)
  const search = ['-Y', 'find-principals', '-s', path('signature'), '-f', path('all')]
  const found = await runTool('ssh-keygen', search)
  const owner = found.exitCode === 0 ? found.stdout.trim().split('\n')[0]! : ''
  if (owner !== '') return `it was made with a key of ${owner}, not of ${person}`
  return `it was made with a key that no approver has (${fingerprintIn(sound.stdout) ?? 'unknown'})`
}

function unsound(stderr: string): string {
  if (/namespace/i.test(stderr)) return 'it was made for another purpose than approvals'
  if (/incorrect signature/i.test(stderr)) return 'the text was changed after it was signed'
  if (/parse|invalid format|armou?r|decode/i.test(stderr)) return 'it is no SSH signature, or it is damaged'
  return `ssh-keygen says: ${lastLine(stderr)}`
}

/** The approvers as SSH reads them. People with a name that SSH would read as a pattern are left out. */
export const allowedSigners = (approvers: readonly PlanApprover[]): string =>
  approvers
    .filter(({ person }) => isOnePerson(person))
    .flatMap(({ person, keys }) =>
      keys.filter(isOneLine).map(key => `${person} namespaces="${signatureNamespace}" ${key}\n`),
    )
    .join('')

const isOnePerson = (person: string): boolean => /^[^\s"'*?!,#-][^\s"'*?!,]*$/.test(person)
const isOneLine = (key: string): boolean => !/[\r\n]/.test(key)

const fingerprintIn = (text: string): string | null => /\bSHA256:[A-Za-z0-9+/]+/.exec(text)?.[0] ?? null

const refuse = (reason: string): Verified => ({ ok: false, reason })
