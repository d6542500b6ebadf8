/**
 * `release approve` and `release reject`: a person's word, from any terminal, whether or not the run is being run.
 *
 * It is judged here first, so that a word that cannot count is refused at once with the reason, and judged again by
 * the runner, which alone records it.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { InputError, ReleaseError } from '../../src/errors.ts'
import type { ApprovalOperation } from '../../src/plan/plan.ts'
import { judgeDecision } from '../../src/run/approvals.ts'
import { decisionText } from '../../src/run/decision.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { Decision, SignedDecision } from '../../src/run/ports.ts'
import type { Work } from '../../src/run/state.ts'
import { signDecision, signersAtHand } from '../adapters/signatures/sign-decision.ts'
import { whoami } from '../identity.ts'
import { sendSignal } from '../journal/inbox.ts'
import { follow } from '../journal/read.ts'
import { currentHolder } from '../journal/run-lock.ts'
import { listRuns } from '../journal/run-store.ts'
import { type OpenedRun, openedRun } from '../open-run.ts'
import { openSignatures } from '../wire.ts'
import { type Command, type Invocation, wrong } from './command.ts'
import { type Io, print } from './io.ts'
import { stateFolder } from './state.ts'

const OPTIONS = {
  as: { value: 'ROLE', help: 'the role in which you speak; left out where only one fits' },
  key: { value: 'FILE', help: 'the SSH key to sign with; left out: the agent, then ~/.ssh' },
  person: {
    value: 'NAME',
    help: 'who you are, where the release names no approvers or your key has two names',
  },
} as const

export const approve: Command = {
  name: 'approve',
  usage: '[RUN] APPROVAL',
  summary: 'Gives an approval, signed with your SSH key and bound to this run and its plan.',
  example: "release approve 'go live' --as release-manager",
  options: OPTIONS,
  takes: [1, 2],
  run: (invocation, io) => decide('approve', invocation, io),
}

export const reject: Command = {
  name: 'reject',
  usage: '[RUN] APPROVAL',
  summary: 'Refuses an approval: it fails, and the failure policy decides what follows.',
  example: "release reject 'go live' --as release-manager --reason 'the load test is red'",
  options: { ...OPTIONS, reason: { value: 'TEXT', help: 'why; it is recorded' } },
  takes: [1, 2],
  run: (invocation, io) => decide('reject', invocation, io),
}

type Verdict = Decision['verdict']

async function decide(verdict: Verdict, invocation: Invocation, io: Io): Promise<number> {
  const reason = invocation.text('reason') ?? ''
  if (verdict === 'reject' && reason === '') {
    throw new InputError([wrong('reason-missing', 'a rejection needs a reason', "Say --reason 'why'.")])
  }
  const { opened, work } = await findApproval(invocation, io)
  const { operation } = work.node as { operation: ApprovalOperation }
  const signed = await sign({ verdict, reason, opened, work, operation }, invocation, io)
  await judgeHere(signed, opened, work)
  await sendSignal(opened.folder.inbox, work.key, { type: 'decision', decision: signed.signed })
  return tell(await answerOf(opened, signed.decision), { opened, work, verdict }, io)
}

interface Found {
  readonly opened: OpenedRun
  readonly work: Work
}

async function findApproval(invocation: Invocation, io: Io): Promise<Found> {
  const state = stateFolder(invocation, io)
  const [first, second] = invocation.args
  const name = second ?? first!
  const runs = second === undefined ? (await listRuns(state)).map(run => run.id) : [first!]
  const opened = await Promise.all(runs.map(run => openedRun(state, run)))
  const found = opened.flatMap(run => {
    const work = approvalOf(run, name)
    return work === undefined ? [] : [{ opened: run, work }]
  })
  const waiting = second === undefined ? found.filter(({ work }) => work.status.type === 'waiting') : found
  if (waiting.length === 1) return waiting[0]!
  if (waiting.length > 1) {
    const ids = waiting.map(({ opened: run }) => run.folder.id)
    throw new InputError([
      wrong('ambiguous-run', `${ids.length} runs wait for "${name}"`, `Name the run: ${ids.join(', ')}.`),
    ])
  }
  throw new InputError([
    wrong(
      'no-approval',
      second === undefined
        ? `no run waits for an approval "${name}"`
        : `the run ${first} has no approval "${name}"`,
      'See what waits with: release status',
    ),
  ])
}

/** By the approval's name or the node's key. */
const approvalOf = ({ state }: OpenedRun, name: string): Work | undefined =>
  [...state.works.values()].find(
    ({ key, node, rollback }) =>
      rollback === null &&
      node.operation.kind === 'approval' &&
      (key === name || node.operation.name === name),
  )

interface Word extends Found {
  readonly verdict: Verdict
  readonly reason: string
  readonly operation: ApprovalOperation
}

interface SignedWord {
  readonly decision: Decision
  readonly signed: SignedDecision
}

async function sign(word: Word, invocation: Invocation, io: Io): Promise<SignedWord> {
  const { approvers } = word.opened.plan
  const wanted = invocation.text('person')
  if (approvers === null) {
    const person = wanted ?? whoami(io.env, io.cwd)
    const decision = decisionOf(word, person, roleOf(word, invocation, null))
    return { decision, signed: { statement: decisionText(decision), signature: null } }
  }
  const key = readKey(invocation, io)
  const signers = await signersAtHand(approvers, key === undefined ? {} : { key })
  const fitting = wanted === undefined ? signers : signers.filter(signer => signer.person === wanted)
  const [signer] = fitting
  if (signer === undefined) throw noKey(key, wanted)
  const decision = decisionOf(word, signer.person, roleOf(word, invocation, signer.roles))
  return { decision, signed: await signDecision(decision, { key: signer.key, interactive: io.interactive }) }
}

function readKey(invocation: Invocation, io: Io): string | undefined {
  const key = invocation.text('key')
  if (key === undefined) return undefined
  const path = resolve(io.cwd, key)
  if (existsSync(path) || existsSync(`${path}.pub`)) return path
  throw new InputError([
    wrong(
      'no-such-key',
      `there is no key at ${path}`,
      'Name the private key, or its .pub: --key ~/.ssh/id_ed25519.',
    ),
  ])
}

const noKey = (key: string | undefined, person: string | undefined): InputError =>
  new InputError([
    wrong(
      'no-key',
      `${key === undefined ? 'none of your SSH keys belongs' : `the key ${key} does not belong`} to ${person ?? 'an approver of this release'}`,
      'Name the key with --key FILE, or have yours added to the approvers.',
    ),
  ])

const decisionOf = ({ verdict, reason, opened, work }: Word, person: string, role: string): Decision => ({
  format: 1,
  verdict,
  run: opened.folder.id,
  plan: opened.plan.hash,
  approval: work.key,
  person,
  role,
  reason,
  nonce: randomBytes(16).toString('hex'),
  at: Date.now(),
})

function roleOf({ operation }: Word, invocation: Invocation, held: readonly string[] | null): string {
  const named = invocation.text('as')
  if (named !== undefined) return named
  const asked = Object.keys(operation.from)
  const fitting = held === null ? asked : asked.filter(role => held.includes(role))
  if (fitting.length === 1) return fitting[0]!
  throw new InputError([
    wrong(
      'role-missing',
      `the approval "${operation.name}" asks for ${asked.join(' and ')}`,
      'Say in which role you speak: --as ROLE.',
    ),
  ])
}

/** The same judgement as the runner's, on what the journal says now. */
async function judgeHere({ decision, signed }: SignedWord, opened: OpenedRun, work: Work): Promise<void> {
  const { plan, state, folder } = opened
  const verified = await (await openSignatures(plan)).verify(signed, decision)
  const judged = judgeDecision({
    decision,
    verified,
    plan,
    run: folder.id,
    approval: {
      key: work.key,
      operation: work.node.operation as ApprovalOperation,
      waiting: work.status.type === 'waiting',
      until: work.status.type === 'waiting' ? work.status.until : null,
    },
    given: state.given.get(work.key) ?? [],
    nonces: state.nonces,
    startedBy: state.startedBy,
    now: Date.now(),
  })
  if (!judged.accept) throw refused(judged.reason)
}

const refused = (reason: string): ReleaseError =>
  new ReleaseError('approval-refused', reason, {
    exitCode: 1,
    hint: 'See what is asked with: release status',
  })

/** What the runner answered; null: nobody runs the run now, or it has not answered in time. */
async function answerOf(opened: OpenedRun, decision: Decision): Promise<RunEvent | null> {
  const { folder } = opened
  if ((await currentHolder(folder.path)) === null) return null
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), 10_000)
  let answer: RunEvent | null = null
  let seen = 0
  await follow(
    folder.journal,
    event => {
      seen += 1
      if (answer !== null || seen <= opened.events.length || !isAnswer(event, decision)) return
      answer = event
      over.abort()
    },
    over.signal,
  )
  clearTimeout(timer)
  return answer
}

function isAnswer(event: RunEvent, { person, approval, nonce }: Decision): boolean {
  switch (event.type) {
    case 'approval-given':
    case 'approval-rejected':
      return event.statement.includes(nonce)
    case 'approval-refused':
      return event.node === approval && event.person === person
    default:
      return false
  }
}

function tell(answer: RunEvent | null, said: Found & { readonly verdict: Verdict }, io: Io): number {
  const { folder } = said.opened
  if (answer?.type === 'approval-refused') throw refused(answer.reason)
  const what = said.verdict === 'approve' ? 'approved' : 'rejected'
  const recorded = answer !== null
  const text = recorded
    ? `${what}: ${said.work.key} of ${folder.id}`
    : `${what}: ${said.work.key} of ${folder.id}; it counts when the run goes on: release resume ${folder.id}`
  print(io, { json: { run: folder.id, approval: said.work.key, verdict: said.verdict, recorded }, text })
  return 0
}
