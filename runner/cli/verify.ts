import { readDecision } from '../../src/run/decision.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { Signatures } from '../../src/run/ports.ts'
import { verifyJournal } from '../journal/read.ts'
import { openBundle } from '../load/bundle.ts'
import { openedRun } from '../open-run.ts'
import { openSignatures } from '../wire.ts'
import type { Command } from './command.ts'
import { print } from './io.ts'
import { stateFolder } from './state.ts'

interface CheckedApproval {
  readonly node: string
  readonly person: string
  readonly signed: boolean
  /** null: the signature is good, or none was asked for. */
  readonly problem: string | null
}

/** `release verify RUN`: exit 0 where the journal is whole and every approval's signature good; 4 otherwise. */
export const verify: Command = {
  name: 'verify',
  usage: '[RUN]',
  summary:
    'Checks that a journal is whole and unchanged, that plan and bundle are its own, and every signature.',
  example: 'release verify phoenix-3.0.0-20261121-101530-1a2b',
  options: {},
  takes: [0, 1],
  run: async (invocation, io) => {
    const { folder, bundle, plan, events } = await openedRun(stateFolder(invocation, io), invocation.args[0])
    const { records, head, torn } = await verifyJournal(folder.journal)
    await openBundle(bundle, plan.bundle)
    const approvals = await checkApprovals(events, await openSignatures(plan))
    const bad = approvals.filter(approval => approval.problem !== null)
    print(io, {
      json: { run: folder.id, ok: bad.length === 0, records, head, torn, plan: plan.hash, approvals },
      text: [
        `${folder.id}: the journal is whole, ${records} records, head ${head}`,
        ...(torn > 0 ? [`the last ${torn} bytes are an append that was cut off; a resume removes them`] : []),
        `the plan ${plan.hash.slice(0, 12)} and the bundle ${plan.bundle.slice(0, 12)} are those that the journal names`,
        ...approvals.map(describe),
      ].join('\n'),
    })
    return bad.length === 0 ? 0 : 4
  },
}

function describe({ node, person, signed, problem }: CheckedApproval): string {
  if (problem !== null) return `${node}: the approval of ${person} is NOT good: ${problem}`
  return signed
    ? `${node}: signed by ${person}`
    : `${node}: given by ${person}, unsigned (the release names no approvers)`
}

function checkApprovals(
  events: readonly RunEvent[],
  signatures: Signatures,
): Promise<readonly CheckedApproval[]> {
  const given = events.filter(event => event.type === 'approval-given' || event.type === 'approval-rejected')
  return Promise.all(
    given.map(async ({ node, person, statement, signature }) => {
      const read = readDecision(statement)
      const base = { node, person, signed: signature !== null }
      if (!read.ok) return { ...base, problem: read.reason }
      if (read.decision.person !== person || read.decision.approval !== node) {
        return { ...base, problem: 'what was signed is not what was recorded' }
      }
      const verified = await signatures.verify({ statement, signature }, read.decision)
      return { ...base, problem: verified.ok ? null : verified.reason }
    }),
  )
}
