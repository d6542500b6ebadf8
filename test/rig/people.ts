/**
 * People with SSH keys of their own, and the words that they, or somebody in their name, put into a run's inbox.
 *
 * Boundary: makes and signs; judges nothing.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { signDecision } from '../../runner/adapters/signatures/sign-decision.ts'
import { sendSignal } from '../../runner/journal/inbox.ts'
import { decisionText } from '../../src/run/decision.ts'
import type { Decision, SignedDecision } from '../../src/run/ports.ts'
import type { TestProject } from './project.ts'

/** Path of a person's private key; made at the first call. */
export function keyOf(project: TestProject, name: string): string {
  const folder = join(project.root, 'keys')
  const path = join(folder, name)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (project.read(`keys/${name}`) === '') {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path])
  }
  return path
}

/** Writes the approvers file: each person's roles. */
export function writeApprovers(
  project: TestProject,
  roles: Readonly<Record<string, readonly string[]>>,
): void {
  const lines = Object.entries(roles).map(([name, held]) => {
    const key = readFileSync(`${keyOf(project, name)}.pub`, 'utf8')
      .split(' ', 2)
      .join(' ')
    return `${personOf(name)} namespaces="release-as-code" ${key} roles=${held.join(',')}`
  })
  project.write('approvers', `${lines.join('\n')}\n`)
}

export const personOf = (name: string): string => `${name}@techcorp.example`

/** A decision about the run's approval, by default one that would count if the person and the role fit. */
export async function decisionFor(
  project: TestProject,
  run: string,
  said: Partial<Decision>,
): Promise<Decision> {
  const [started] = await project.eventsOf(run, 'run-started')
  const [waiting] = await project.eventsOf(run, 'node-waiting')
  return {
    format: 1,
    verdict: 'approve',
    run,
    plan: started!.plan,
    approval: waiting!.node,
    person: personOf('alice'),
    role: 'release-manager',
    reason: '',
    nonce: randomBytes(16).toString('hex'),
    at: Date.now(),
    ...said,
  }
}

/** Signs with a person's key, whoever the decision speaks for. */
export const signedBy = (project: TestProject, name: string, decision: Decision): Promise<SignedDecision> =>
  signDecision(decision, { key: { kind: 'file', path: keyOf(project, name) } })

export const unsigned = (decision: Decision): SignedDecision => ({
  statement: decisionText(decision),
  signature: null,
})

/** Puts a word straight into a run's inbox for an approval, past everything that the command line would say to it. */
export const smuggle = (
  project: TestProject,
  run: string,
  { approval, decision }: { readonly approval: string; readonly decision: SignedDecision },
): Promise<string> =>
  sendSignal(join(project.folderOf(run), 'inbox'), approval, { type: 'decision', decision })
