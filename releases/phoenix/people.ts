/**
 * The two people whose approval Phoenix needs, played by keys that are made in this checkout.
 *
 *     node releases/phoenix/people.ts
 *
 * The private keys lie in `.release/phoenix`; `approvers`, with the public ones, lies beside the definition, where
 * `release` looks for it. Neither is committed: a key that everybody has signs for nobody.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Somebody who may approve. */
export interface Person {
  /** The principal in the approvers file. */
  readonly name: string
  readonly role: string
  /** Path of the private key. */
  readonly key: string
}

const people = [
  { name: 'rosa@techcorp.example', role: 'release-manager' },
  { name: 'paul@techcorp.example', role: 'platform-owner' },
]

const makeKey = async (file: string, comment: string): Promise<void> => {
  if (existsSync(file)) return
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file])
}

/** The type and the text of a public key, without its comment. */
const publicKeyOf = (file: string): string => readFileSync(`${file}.pub`, 'utf8').split(' ', 2).join(' ')

const keys = join(import.meta.dirname, '..', '..', '.release', 'phoenix')
const approvers = join(import.meta.dirname, 'approvers')

/** Makes the people's keys where they are missing, and writes who they are and what they may approve. */
export const meetPeople = async (): Promise<readonly Person[]> => {
  mkdirSync(keys, { recursive: true, mode: 0o700 })
  const known = people.map(person => ({ ...person, key: join(keys, person.role) }))
  for (const { key, name } of known) await makeKey(key, name)
  const lines = known.map(
    ({ name, role, key }) => `${name} namespaces="release-as-code" ${publicKeyOf(key)} roles=${role}`,
  )
  writeFileSync(approvers, `${lines.join('\n')}\n`)
  return known
}

if (import.meta.main) await meetPeople()
