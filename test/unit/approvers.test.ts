import { describe, expect, it } from 'vitest'
import { parseApprovers } from '../../src/compile/approvers.ts'

const alice = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGHDuc4TyPEdXYkXbSMprMjjUbSNtAkoEwtFCHkuhFZk'
const key = (seed: number): string => {
  const field = (bytes: number[]): number[] => [0, 0, 0, bytes.length, ...bytes]
  const bytes = [...field([...Buffer.from('ssh-ed25519')]), ...field(Array.from({ length: 32 }, () => seed))]
  return `ssh-ed25519 ${Buffer.from(bytes).toString('base64')}`
}

const parse = (text: string) => parseApprovers(text, { file: 'approvers' })
const people = (text: string) => {
  const { approvers, diagnostics } = parse(text)
  expect(diagnostics).toEqual([])
  return approvers
}

describe('the approvers file', () => {
  it('reads people, keys and roles, and merges the lines of one person', () => {
    const text = [
      '# who may approve',
      '',
      `alice@x namespaces="release-as-code" ${key(1)} roles=release-manager,platform-owner`,
      `bob@x ${key(2)} laptop of Bob roles=platform-owner`,
      `\talice@x namespaces="git,release-as-code"  ${key(3)}\troles=cto,release-manager`,
      `carol@x namespaces=release-as-code ${key(4)} roles=qa\r`,
    ].join('\n')
    expect(people(text)).toEqual([
      { person: 'alice@x', roles: ['release-manager', 'platform-owner', 'cto'], keys: [key(1), key(3)] },
      { person: 'bob@x', roles: ['platform-owner'], keys: [key(2)] },
      { person: 'carol@x', roles: ['qa'], keys: [key(4)] },
    ])
  })

  it('reads a key that ssh-keygen made, and a file that begins with a byte order mark', () => {
    expect(people(`\uFEFFalice@x ${alice} roles=a`)).toEqual([
      { person: 'alice@x', roles: ['a'], keys: [alice] },
    ])
  })

  it.each<[string, string, string, number]>([
    ['no key', 'alice@x', 'approver-line', 8],
    ['no roles', `alice@x ${alice}`, 'approver-roles', 9 + alice.length],
    ['an empty role', `alice@x ${alice} roles=a,,b`, 'approver-roles', 10 + alice.length],
    ['no role after the sign', `alice@x ${alice} roles=`, 'approver-roles', 10 + alice.length],
    ['an unknown kind of key', `alice@x ssh-dss AAAA roles=a`, 'approver-key', 9],
    ['a cut key', `alice@x ${alice.slice(0, -8)} roles=a`, 'approver-key', 21],
    ['a key of another kind', `alice@x ssh-rsa ${alice.split(' ')[1]} roles=a`, 'approver-key', 17],
    ['a key without data', 'alice@x ssh-ed25519', 'approver-key', 9],
    ['a pattern', `*@x ${alice} roles=a`, 'approver-pattern', 1],
    ['two people', `alice@x,bob@x ${alice} roles=a`, 'approver-shared', 1],
    ['another namespace', `alice@x namespaces="git" ${alice} roles=a`, 'approver-namespace', 9],
    ['an expiry', `alice@x valid-before="20270101" ${alice} roles=a`, 'approver-option', 9],
    [
      'an expiry beside a namespace',
      `alice@x namespaces="release-as-code",valid-before="20270101" ${alice} roles=a`,
      'approver-option',
      9,
    ],
    ['an authority', `alice@x cert-authority ${alice} roles=a`, 'approver-option', 9],
    ['nonsense', `alice@x what is this`, 'approver-line', 9],
    ['a .pub line', `${alice} roles=a`, 'approver-line', 1],
    ['an open quote', `alice@x namespaces="git ${alice} roles=a`, 'approver-namespace', 9],
    ['nobody', '# nobody yet\n', 'approvers-empty', 1],
  ])('says where %s is wrong', (_, text, code, column) => {
    const { diagnostics } = parse(text)
    expect(diagnostics).toMatchObject([
      { code, severity: 'error', span: { file: 'approvers', line: 1, column } },
    ])
    expect(diagnostics[0]!.hint).toBeTruthy()
  })

  it('refuses one key for two people, and says whose it was', () => {
    const { diagnostics } = parse(`alice@x ${key(1)} roles=a\nbob@x ${key(1)} roles=b`)
    expect(diagnostics).toMatchObject([
      {
        code: 'approver-shared',
        message: 'bob@x has the same key as alice@x',
        span: { line: 2 },
        related: [{ span: { line: 1 } }],
      },
    ])
  })

  it('tells every bad line, and keeps the good ones', () => {
    const { approvers, diagnostics } = parse(`x\nalice@x ${alice} roles=a\ny z`)
    expect(diagnostics.map(d => d.span?.line)).toEqual([1, 3])
    expect(approvers.map(a => a.person)).toEqual(['alice@x'])
  })
})
