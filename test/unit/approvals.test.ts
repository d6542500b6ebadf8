import { describe, expect, it } from 'vitest'
import type { ApprovalOperation, Plan, PlanApprover } from '../../src/plan/plan.ts'
import { isApproved, type Judgement, judgeDecision } from '../../src/run/approvals.ts'
import type { Decision } from '../../src/run/ports.ts'

const approvers: readonly PlanApprover[] = [
  { person: 'alice@x', roles: ['release-manager', 'platform-owner'], keys: ['ssh-ed25519 A'] },
  { person: 'bob@x', roles: ['platform-owner'], keys: ['ssh-ed25519 B'] },
  { person: 'carol@x', roles: ['release-manager'], keys: ['ssh-ed25519 C'] },
]

const operation: ApprovalOperation = {
  kind: 'approval',
  name: 'go live',
  from: { 'release-manager': 1, 'platform-owner': 1 },
  expires: 1000,
  self: false,
}

const plan = { hash: 'a'.repeat(64), approvers } as unknown as Plan

const decision: Decision = {
  format: 1,
  verdict: 'approve',
  run: 'run-1',
  plan: plan.hash,
  approval: 'go-live/go live',
  person: 'alice@x',
  role: 'release-manager',
  reason: '',
  nonce: 'n1',
  at: 500,
}

const sound: Judgement = {
  decision,
  verified: { ok: true, person: 'alice@x', key: 'SHA256:abc' },
  plan,
  run: 'run-1',
  approval: { key: 'go-live/go live', operation, waiting: true, until: 1500 },
  given: [],
  nonces: new Set(),
  startedBy: 'dave@x',
  now: 600,
}

const judge = (change: Partial<Judgement>, said: Partial<Decision> = {}): string => {
  const judged = judgeDecision({ ...sound, ...change, decision: { ...decision, ...said } })
  return judged.accept ? 'accepted' : judged.reason
}

const signedBy = (person: string): Partial<Judgement> => ({ verified: { ok: true, person, key: 'SHA256:k' } })

describe('what a decision is worth', () => {
  it.each<[string, Partial<Judgement>, Partial<Decision>, string]>([
    ['a sound one', {}, {}, 'accepted'],
    [
      'of another run',
      {},
      { run: 'run-0' },
      'This decision was given for the run run-0, not for run-1; a decision counts for one run only.',
    ],
    [
      'of another plan',
      {},
      { plan: 'b'.repeat(64) },
      'This decision was given for another plan (bbbbbbbbbbbb); this run follows the plan aaaaaaaaaaaa.',
    ],
    [
      'forged',
      { verified: { ok: false, reason: 'it was changed after it was signed' } },
      {},
      'The signature does not count: it was changed after it was signed.',
    ],
    ['signed by another', signedBy('bob@x'), {}, 'The decision speaks for alice@x, but bob@x signed it.'],
    [
      'replayed',
      { nonces: new Set(['n1']) },
      {},
      'This very decision has been recorded before; it does not count twice. Give a new one.',
    ],
    ['for an unknown approval', { approval: null }, { approval: 'x/y' }, 'This run has no approval "x/y".'],
    ['for another approval', {}, { approval: 'x/y' }, 'This run has no approval "x/y".'],
    ['too late', { now: 1500 }, {}, 'The approval "go live" expired before the decision arrived.'],
    ['just in time', { now: 1499 }, {}, 'accepted'],
    [
      'not waited for',
      { approval: { ...sound.approval!, waiting: false } },
      {},
      'The approval "go live" is not waiting for anybody: it has not been reached, or it is decided.',
    ],
    ['of a stranger', signedBy('eve@x'), { person: 'eve@x' }, "eve@x is not among the release's approvers."],
    [
      'under a role that is not asked',
      {},
      { role: 'cto' },
      'The approval "go live" asks for "release-manager", "platform-owner", not for "cto".',
    ],
    [
      'under a role named like an object method',
      {},
      { role: 'toString' },
      'The approval "go live" asks for "release-manager", "platform-owner", not for "toString".',
    ],
    [
      'under a role that the person lacks',
      signedBy('bob@x'),
      { person: 'bob@x' },
      'bob@x does not have the role "release-manager", but "platform-owner".',
    ],
    [
      'of oneself',
      { startedBy: 'alice@x' },
      {},
      'alice@x started this run and cannot approve it; somebody else has to.',
    ],
    [
      'of oneself where allowed',
      { startedBy: 'alice@x', approval: { ...sound.approval!, operation: { ...operation, self: true } } },
      {},
      'accepted',
    ],
    [
      'a second time',
      { given: [{ person: 'alice@x', role: 'platform-owner' }] },
      {},
      'alice@x has approved already, as platform-owner; one person counts once.',
    ],
    [
      'for a full role',
      { given: [{ person: 'carol@x', role: 'release-manager' }] },
      {},
      'Nobody is missing as "release-manager": 1 of 1 have approved.',
    ],
    [
      'a rejection by who approved',
      { given: [{ person: 'alice@x', role: 'release-manager' }] },
      { verdict: 'reject' },
      'accepted',
    ],
    ['a rejection by who started', { startedBy: 'alice@x' }, { verdict: 'reject' }, 'accepted'],
    [
      'a rejection under a wrong role',
      {},
      { verdict: 'reject', role: 'cto' },
      'The approval "go live" asks for "release-manager", "platform-owner", not for "cto".',
    ],
  ])('%s', (_, change, said, expected) => expect(judge(change, said)).toBe(expected))

  it('counts unsigned where the release names no approvers, but once, and not for oneself', () => {
    const open = { ...plan, approvers: null } as Plan
    const unsigned: Partial<Judgement> = { plan: open, verified: { ok: true, person: 'eve@x', key: null } }
    expect(judge(unsigned, { person: 'eve@x' })).toBe('accepted')
    expect(judge({ ...unsigned, startedBy: 'eve@x' }, { person: 'eve@x' })).toMatch(/started this run/)
    expect(judge({ ...unsigned, nonces: new Set(['n1']) }, { person: 'eve@x' })).toMatch(/recorded before/)
  })
})

describe('enough people', () => {
  it.each<[Record<string, number>, [string, string][], boolean]>([
    [{ a: 1 }, [], false],
    [{ a: 1 }, [['p', 'a']], true],
    [
      { a: 2 },
      [
        ['p', 'a'],
        ['p', 'a'],
      ],
      false,
    ],
    [
      { a: 2 },
      [
        ['p', 'a'],
        ['q', 'a'],
      ],
      true,
    ],
    [{ a: 1, b: 1 }, [['p', 'a']], false],
    [
      { a: 1, b: 1 },
      [
        ['p', 'a'],
        ['q', 'b'],
      ],
      true,
    ],
    [{}, [], true],
  ])('%j with %j is %s', (from, given, expected) =>
    expect(
      isApproved(
        from,
        given.map(([person, role]) => ({ person, role })),
      ),
    ).toBe(expected),
  )
})
