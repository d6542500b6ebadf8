import { execFileSync, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { signDecision, signersAtHand } from '../../runner/adapters/signatures/sign-decision.ts'
import { sshSignatures } from '../../runner/adapters/signatures/ssh-signatures.ts'
import type { PlanApprover } from '../../src/plan/plan.ts'
import { decisionText, readDecision } from '../../src/run/decision.ts'
import type { Decision, SignedDecision } from '../../src/run/ports.ts'

let home = ''
let approvers: readonly PlanApprover[] = []
const keygen = (...args: string[]) =>
  execFileSync('ssh-keygen', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString()
const makeKey = async (
  name: string,
  options: { type?: string; passphrase?: string } = {},
): Promise<string> => {
  const path = join(home, '.ssh', name)
  keygen(
    '-q',
    '-t',
    options.type ?? 'ed25519',
    '-N',
    options.passphrase ?? '',
    '-C',
    `${name} comment`,
    '-f',
    path,
  )
  return (await readFile(`${path}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ')
}
const path = (name: string): string => join(home, '.ssh', name)

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'signatures-'))
  await mkdir(path(''), { mode: 0o700 })
  const [alice, bob, locked, rsa] = await Promise.all([
    makeKey('alice'),
    makeKey('bob'),
    makeKey('locked', { passphrase: 'open sesame' }),
    makeKey('rsa', { type: 'rsa' }),
  ])
  await makeKey('eve')
  approvers = [
    { person: 'alice@x', roles: ['release-manager', 'cto'], keys: [alice, rsa] },
    { person: 'bob@x', roles: ['platform-owner'], keys: [bob] },
    { person: 'carol@x', roles: ['qa'], keys: [locked] },
  ]
}, 60_000)
afterAll(() => rm(home, { recursive: true, force: true }))

const decision: Decision = {
  format: 1,
  verdict: 'approve',
  run: 'phoenix-1',
  plan: 'a'.repeat(64),
  approval: 'go-live/go live',
  person: 'alice@x',
  role: 'release-manager',
  reason: '',
  nonce: '0123456789abcdef'.repeat(2),
  at: 1_700_000_000_000,
}
const sign = (key: string, said: Partial<Decision> = {}): Promise<SignedDecision> =>
  signDecision({ ...decision, ...said }, { key: { kind: 'file', path: path(key) } })
const verify = async (signed: SignedDecision, said: Partial<Decision> = {}): Promise<string> => {
  const verified = await sshSignatures(approvers).verify(signed, { ...decision, ...said })
  return verified.ok ? `${verified.person} ${verified.key?.slice(0, 7)}` : verified.reason
}

describe('a signed decision', { timeout: 60_000 }, () => {
  it.each(['alice', 'rsa'])('is good with each of a person’s keys: %s', async key => {
    const signed = await sign(key)
    expect(await verify(signed)).toBe('alice@x SHA256:')
    expect(readDecision(signed.statement)).toEqual({ ok: true, decision })
  })

  it('names the key by its fingerprint', async () => {
    const verified = await sshSignatures(approvers).verify(await sign('alice'), decision)
    expect(keygen('-l', '-f', `${path('alice')}.pub`)).toContain(verified.ok ? verified.key! : 'nothing')
  })

  it('holds for texts that are hard to carry', async () => {
    const said = { reason: 'zu früh ☃\n"quoted" $(id) \u2028', verdict: 'reject' as const }
    expect(await verify(await sign('alice', said), said)).toBe('alice@x SHA256:')
  })

  it('is refused when the text was changed, even where the decision says the same', async () => {
    const signed = await sign('alice')
    expect(
      await verify({ ...signed, statement: decisionText({ ...decision, role: 'cto' }) }, { role: 'cto' }),
    ).toBe('the text was changed after it was signed')
    expect(await verify(signed, { role: 'cto' })).toBe('what was signed is not this decision')
    expect(await verify({ ...signed, statement: `${signed.statement}\n` })).toBe(
      'what was signed is not this decision',
    )
  })

  it('is refused with the key of another', async () => {
    expect(await verify(await sign('bob'))).toBe('it was made with a key of bob@x, not of alice@x')
    expect(await verify(await sign('eve'))).toMatch(/^it was made with a key that no approver has \(SHA256:/)
    expect(await verify(await sign('eve', { person: 'eve@x' }), { person: 'eve@x' })).toBe(
      "eve@x is not among the release's approvers",
    )
  })

  it('is refused when it was made for another purpose', async () => {
    const file = join(home, 'statement')
    await writeFile(file, decisionText(decision))
    keygen('-Y', 'sign', '-f', path('alice'), '-n', 'git', file)
    const signature = await readFile(`${file}.sig`, 'utf8')
    expect(await verify({ statement: decisionText(decision), signature })).toBe(
      'it was made for another purpose than approvals',
    )
  })

  it.each<[string, (signature: string) => string | null, RegExp]>([
    ['missing', () => null, /^it is not signed/],
    ['empty', () => '', /no SSH signature|ssh-keygen says/],
    ['nonsense', () => 'yes, I agree', /no SSH signature|ssh-keygen says/],
    ['cut', text => text.slice(0, -60), /no SSH signature|ssh-keygen says/],
    [
      'turned',
      text => text.replace(/(.{20})(.)(.*\n-----END)/, (_, a, b, c) => a + (b === 'A' ? 'B' : 'A') + c),
      /./,
    ],
  ])('is refused when the signature is %s', async (_, change, reason) => {
    const signed = await sign('alice')
    const changed = { ...signed, signature: change(signed.signature!) }
    const verified = await sshSignatures(approvers).verify(changed, decision)
    expect(verified).toMatchObject({ ok: false, reason: expect.stringMatching(reason) })
  })

  it('cannot be claimed by a pattern, even where an approver is called so', async () => {
    const [alice] = approvers
    const odd = [{ person: '*@x', roles: ['release-manager'], keys: alice!.keys }]
    const signed = await sign('alice', { person: '*@x' })
    expect(await sshSignatures(odd).verify(signed, { ...decision, person: '*@x' })).toMatchObject({
      ok: false,
    })
    const signedAsAlice = await sign('alice')
    expect(await sshSignatures(odd).verify(signedAsAlice, decision)).toMatchObject({ ok: false })
  })

  it('cannot bring a second line into the list of signers', async () => {
    const eve = (await readFile(`${path('eve')}.pub`, 'utf8')).trim()
    const odd = [{ person: 'bob@x', roles: [], keys: [`ssh-ed25519 AAAA\nalice@x ${eve}`] }, approvers[0]!]
    expect(await sshSignatures(odd).verify(await sign('eve'), decision)).toMatchObject({ ok: false })
  })

  it('counts unsigned where the release has no approvers', async () => {
    const statement = decisionText(decision)
    expect(await sshSignatures(null).verify({ statement, signature: null }, decision)).toEqual({
      ok: true,
      person: 'alice@x',
      key: null,
    })
  })

  it('leaves no file behind', async () => {
    const own = path('temporary')
    await mkdir(own)
    vi.stubEnv('TMPDIR', own)
    onTestFinished(() => void vi.unstubAllEnvs())
    await verify(await sign('alice'))
    await expect(sign('no-such-key')).rejects.toThrow()
    expect(await readdir(own)).toEqual([])
  })
})

describe('signing', { timeout: 60_000 }, () => {
  it('fails at once, without asking, for a key with a passphrase when nobody is there', async () => {
    await expect(sign('locked')).rejects.toMatchObject({
      code: 'signing-failed',
      hint: expect.stringContaining('ssh-add'),
    })
  })

  it('lets ssh-keygen ask for the passphrase when somebody is', async () => {
    const askpass = join(home, 'askpass')
    await writeFile(askpass, '#!/bin/sh\necho open sesame\n')
    await chmod(askpass, 0o755)
    const env = { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' }
    const said = { person: 'carol@x', role: 'qa' }
    const key = { kind: 'file', path: path('locked') } as const
    expect(
      await verify(await signDecision({ ...decision, ...said }, { key, interactive: true, env }), said),
    ).toBe('carol@x SHA256:')
  })

  it('fails clearly for a key that is not there', async () => {
    await expect(sign('no-such-key')).rejects.toMatchObject({
      code: 'signing-failed',
      message: expect.stringContaining('No such file'),
    })
  })

  it('uses a key that only the agent holds, and finds whose it is', async () => {
    const socket = join(home, 'agent')
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] })
    onTestFinished(() => void agent.kill())
    await new Promise(resolve => agent.stdout.once('data', resolve))
    const env = { ...process.env, SSH_AUTH_SOCK: socket }
    await makeKey('agent-only')
    const publicKey = (await readFile(`${path('agent-only')}.pub`, 'utf8')).trim()
    execFileSync('ssh-add', ['-q', path('agent-only')], { env, stdio: 'ignore' })
    await rm(path('agent-only'))
    await rename(`${path('agent-only')}.pub`, join(home, 'moved.pub'))
    const dave = { person: 'dave@x', roles: ['qa'], keys: [publicKey.split(' ').slice(0, 2).join(' ')] }
    const signers = await signersAtHand([...approvers, dave], { env, home: join(home, 'empty') })
    expect(signers).toEqual([{ person: 'dave@x', roles: ['qa'], key: { kind: 'agent', publicKey } }])
    const said = { person: 'dave@x', role: 'qa' }
    const signed = await signDecision({ ...decision, ...said }, { key: signers[0]!.key, env })
    expect(await sshSignatures([dave]).verify(signed, { ...decision, ...said })).toMatchObject({ ok: true })
  })
})

describe('whose keys are at hand', { timeout: 60_000 }, () => {
  const env = { PATH: process.env.PATH }
  it('is told by the public keys in ~/.ssh, each person once', async () => {
    const signers = await signersAtHand(approvers, { env, home })
    expect(signers.map(signer => signer.person)).toEqual(['alice@x', 'bob@x', 'carol@x'])
    expect(signers[0]).toEqual({
      person: 'alice@x',
      roles: ['release-manager', 'cto'],
      key: { kind: 'file', path: path('alice') },
    })
  })

  it('is told for one key, also when its public half is not beside it', async () => {
    expect(await signersAtHand(approvers, { key: path('bob') })).toMatchObject([{ person: 'bob@x' }])
    expect(await signersAtHand(approvers, { key: path('eve') })).toEqual([])
    expect(await signersAtHand(approvers, { key: path('nobody') })).toEqual([])
    const alone = join(home, 'alone')
    await writeFile(alone, await readFile(path('bob')), { mode: 0o600 })
    expect(await signersAtHand(approvers, { key: alone })).toMatchObject([
      { person: 'bob@x', key: { path: alone } },
    ])
  })
})

describe('a decision as text', () => {
  const text = decisionText(decision)
  it.each<[string, string]>([
    ['not JSON', 'The decision is not a JSON object.'],
    ['[]', 'The decision is not a JSON object.'],
    ['null', 'The decision is not a JSON object.'],
    [
      text.replace('"format":1', '"format":2'),
      'The decision has the format 2; this version reads the format 1. Use the version of release-as-code that runs the release.',
    ],
    [text.replace('"approve"', '"maybe"'), 'The decision\'s "verdict" is missing or not what it should be.'],
    [
      text.replace(/"nonce":"\w+"/, '"nonce":"x"'),
      'The decision\'s "nonce" is missing or not what it should be.',
    ],
    [
      text.replace('"person":"alice@x",', ''),
      'The decision\'s "person" is missing or not what it should be.',
    ],
    [
      text.replace('a'.repeat(64), 'A'.repeat(64)),
      'The decision\'s "plan" is missing or not what it should be.',
    ],
    [
      ` ${text}`,
      'The decision is not in its canonical form, so that its signature would cover another text.',
    ],
    [
      text.replace('"role"', '"person":"alice@x","role"'),
      'The decision is not in its canonical form, so that its signature would cover another text.',
    ],
  ])('is refused: %s', (statement, reason) => expect(readDecision(statement)).toEqual({ ok: false, reason }))
})
