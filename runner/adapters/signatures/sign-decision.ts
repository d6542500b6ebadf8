/**
 * Signs a person's decision with their SSH key, and finds which key that is.
 *
 * Boundary: a private key is never read by us; `ssh-keygen` or the agent does.
 */
import { readdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { signatureNamespace } from '../../../src/compile/approvers.ts'
import { ReleaseError } from '../../../src/errors.ts'
import type { PlanApprover } from '../../../src/plan/plan.ts'
import { decisionText } from '../../../src/run/decision.ts'
import type { Decision, SignedDecision } from '../../../src/run/ports.ts'
import { lastLine, runTool, withFiles } from './ssh-keygen.ts'

/** A key to sign with: a private key's file (or its `.pub`, with the private half in the agent), or one of the agent's. */
export type SigningKey =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'agent'; readonly publicKey: string }

export interface SignOptions {
  readonly key: SigningKey
  /** Whether the person can be asked for a passphrase. */
  readonly interactive?: boolean
  readonly env?: NodeJS.ProcessEnv
}

/** A decision with its signature. Fails with code `signing-failed`, or `ssh-missing`. */
export function signDecision(decision: Decision, options: SignOptions): Promise<SignedDecision> {
  const statement = decisionText(decision)
  const { key } = options
  const files = { statement, ...(key.kind === 'agent' ? { 'key.pub': key.publicKey } : {}) }
  return withFiles(files, async path => {
    const keyFile = key.kind === 'agent' ? path('key.pub') : key.path
    const args = ['-q', '-Y', 'sign', '-f', keyFile, '-n', signatureNamespace, path('statement')]
    const { exitCode, stderr } = await runTool('ssh-keygen', args, options)
    if (exitCode !== 0) throw signingFailed(key, stderr, options)
    return { statement, signature: await readFile(path('statement.sig'), 'utf8') }
  })
}

/** A key at hand, and whose it is. */
export interface Signer {
  readonly person: string
  readonly roles: readonly string[]
  readonly key: SigningKey
}

export interface SignerOptions {
  /** Only this key; left out: those of the agent, then those in `~/.ssh`. */
  readonly key?: string
  readonly env?: NodeJS.ProcessEnv
  /** Left out: the person's own. */
  readonly home?: string
}

/** The approvers whose keys are at hand: normally one, whoever sits here. Empty: none of the keys is an approver's. */
export async function signersAtHand(
  approvers: readonly PlanApprover[],
  options: SignerOptions = {},
): Promise<readonly Signer[]> {
  const keys = options.key === undefined ? await keysAtHand(options) : await keyAt(options.key)
  const found = keys.flatMap(({ publicKey, key }) =>
    approvers
      .filter(approver => approver.keys.some(known => sameKey(known, publicKey)))
      .map(({ person, roles }) => ({ person, roles, key })),
  )
  return found.filter((signer, i) => found.findIndex(other => other.person === signer.person) === i)
}

interface KeyAtHand {
  readonly publicKey: string
  readonly key: SigningKey
}

async function keysAtHand(options: SignerOptions): Promise<readonly KeyAtHand[]> {
  const env = options.env ?? process.env
  const held = env.SSH_AUTH_SOCK ? await runTool('ssh-add', ['-L'], { env }) : null
  const lines = held?.exitCode === 0 ? held.stdout.split('\n').filter(line => line !== '') : []
  const agent = lines.map(publicKey => ({ publicKey, key: { kind: 'agent', publicKey } as const }))
  const folder = join(options.home ?? homedir(), '.ssh')
  const names = (await readdir(folder).catch(() => [])).filter(name => name.endsWith('.pub')).sort()
  const files = await Promise.all(names.map(name => keyAt(join(folder, name.slice(0, -'.pub'.length)))))
  return [...agent, ...files.flat()]
}

/** The public half of a private key's file lies beside it; that of a `.pub` is itself. */
async function keyAt(path: string): Promise<readonly KeyAtHand[]> {
  const file = path.endsWith('.pub') ? path : `${path}.pub`
  const text = await readFile(file, 'utf8').catch(() => derived(path))
  return text.trim() === '' ? [] : [{ publicKey: text, key: { kind: 'file', path } }]
}

async function derived(path: string): Promise<string> {
  const { exitCode, stdout } = await runTool('ssh-keygen', ['-y', '-f', path])
  return exitCode === 0 ? stdout : ''
}

/** Comments do not count. */
const sameKey = (a: string, b: string): boolean => bare(a) === bare(b)
const bare = (key: string): string => key.trim().split(/\s+/).slice(0, 2).join(' ')

function signingFailed(key: SigningKey, stderr: string, options: SignOptions): ReleaseError {
  const what = key.kind === 'file' ? `the key ${key.path}` : 'the key in the agent'
  const locked = options.interactive !== true && /passphrase/i.test(stderr)
  return new ReleaseError(
    'signing-failed',
    `the decision could not be signed with ${what}: ${lastLine(stderr)}`,
    {
      hint: locked
        ? 'The key has a passphrase: add it to the agent with ssh-add, or give the approval in a terminal.'
        : 'Check the path of the key; a private key may be readable by its owner only.',
    },
  )
}
