/**
 * Who may approve: reads SSH's allowed-signers format, with each person's roles in the comment.
 *
 *     alice@techcorp.example namespaces="release-as-code" ssh-ed25519 AAAA… roles=release-manager,platform-owner
 *
 * Boundary: pure text. It never decides whether a signature is good; `ssh-keygen` does.
 *
 *  AP1. What the format can say and a plan cannot (expiry dates, authorities, patterns) is refused, never dropped:
 *       a key that had expired would otherwise count again.
 *  AP2. A key belongs to one person, because one person counts once.
 *  AP3. Several lines of one person are merged: their keys all count, their roles add up.
 */
import type { Diagnostic, Span } from '../diagnostic.ts'
import type { PlanApprover } from '../plan/plan.ts'

/** The namespace of every signature of ours: one made for git or for a file does not count as an approval. */
export const signatureNamespace = 'release-as-code'

export interface ParsedApprovers {
  /** In the order in which people are first named. Whole only where no diagnostic is an error. */
  readonly approvers: readonly PlanApprover[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Reads an allowed-signers file. `file` is its path for diagnostics, relative to the project's folder. */
export function parseApprovers(text: string, options: { readonly file: string }): ParsedApprovers {
  const diagnostics: Diagnostic[] = []
  const entries: Entry[] = []
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const read = readLine({ line, number: index + 1, file: options.file })
    if (read === null) continue
    if ('code' in read) diagnostics.push(read)
    else entries.push(read)
  }
  return {
    approvers: merge(entries),
    diagnostics: [...diagnostics, ...sharedKeys(entries), ...empty(entries, diagnostics, options.file)],
  }
}

interface Entry {
  readonly person: string
  readonly roles: readonly string[]
  readonly key: string
  readonly at: Span
}

interface Line {
  readonly line: string
  readonly number: number
  readonly file: string
}

interface Field {
  readonly text: string
  /** From 0. */
  readonly offset: number
}

function readLine(line: Line): Entry | Diagnostic | null {
  const fields = splitFields(line.line)
  const [person, second] = fields
  if (person === undefined || person.text.startsWith('#')) return null
  const wrongPerson = judgePerson(line, person)
  if (wrongPerson !== null) return wrongPerson
  const hasOptions = second !== undefined && !isKeyType(second.text) && !looksLikeKeyType(second.text)
  const wrongOption = hasOptions ? judgeOptions(line, second) : null
  return wrongOption ?? readKey(line, person, fields.slice(hasOptions ? 2 : 1))
}

function readKey(line: Line, person: Field, [type, blob, ...comment]: readonly Field[]): Entry | Diagnostic {
  if (type === undefined) {
    return finding(line, person.text.length, 'approver-line', `${person.text} has no key`, example)
  }
  if (!isKeyType(type.text)) {
    const known = keyTypes.join(', ')
    return finding(
      line,
      type.offset,
      'approver-key',
      `"${type.text}" is no kind of SSH key`,
      `Use one of ${known}.`,
    )
  }
  if (blob === undefined || !isKeyOf(type.text, blob.text)) {
    const offset = blob?.offset ?? type.offset
    return finding(
      line,
      offset,
      'approver-key',
      `the ${type.text} key of ${person.text} is cut off or damaged`,
      'Copy the whole line of the .pub file.',
    )
  }
  const roles = readRoles(line, person, blob, comment)
  if (!Array.isArray(roles)) return roles as Diagnostic
  const at = spanOf(line, blob.offset, blob.text.length)
  return { person: person.text, roles: roles as string[], key: `${type.text} ${blob.text}`, at }
}

function readRoles(
  line: Line,
  person: Field,
  blob: Field,
  comment: readonly Field[],
): readonly string[] | Diagnostic {
  const field = comment.find(f => f.text.startsWith('roles='))
  if (field === undefined) {
    const end = blob.offset + blob.text.length
    return finding(
      line,
      end,
      'approver-roles',
      `${person.text} has no roles`,
      `End the line with the roles, as in ${exampleRoles}.`,
    )
  }
  const roles = field.text.slice('roles='.length).split(',')
  const wrong = roles.find(role => !/^[A-Za-z][\w.-]*$/.test(role))
  if (wrong === undefined) return [...new Set(roles)]
  const what = wrong === '' ? 'an empty role' : `"${wrong}" as a role`
  return finding(
    line,
    field.offset,
    'approver-roles',
    `${person.text} has ${what}`,
    `Separate roles by commas without blanks, as in ${exampleRoles}.`,
  )
}

function judgePerson(line: Line, { text, offset }: Field): Diagnostic | null {
  if (text.includes(',')) {
    return finding(
      line,
      offset,
      'approver-shared',
      `the key of "${text}" belongs to several people`,
      'Give each person a line and a key: one person counts once.',
    )
  }
  if (/[*?!]/.test(text)) {
    return finding(
      line,
      offset,
      'approver-pattern',
      `"${text}" is a pattern, not a person`,
      'Name each person on a line.',
    )
  }
  if (/["']/.test(text)) {
    return finding(line, offset, 'approver-line', `"${text}" holds a quote`, example)
  }
  return isKeyType(text)
    ? finding(line, offset, 'approver-line', 'the line begins with a key, not with a person', example)
    : null
}

/** Options stand between the person and the key, separated by commas that are not in quotes. */
function judgeOptions(line: Line, field: Field): Diagnostic | null {
  for (const option of field.text.match(/(?:"[^"]*"|[^,"])+/g) ?? []) {
    const name = option.split('=')[0]!.toLowerCase()
    if (name !== 'namespaces') return refusedOption(line, field, name)
    const spaces = option
      .slice(option.indexOf('=') + 1)
      .replaceAll('"', '')
      .split(',')
    if (!spaces.includes(signatureNamespace)) {
      return finding(
        line,
        field.offset,
        'approver-namespace',
        `the key is for ${spaces.join(', ')}, not for approvals`,
        `Write namespaces="${signatureNamespace}", or leave the option out.`,
      )
    }
  }
  return null
}

function refusedOption(line: Line, field: Field, name: string): Diagnostic {
  const known = name === 'cert-authority' || name === 'valid-after' || name === 'valid-before'
  return known
    ? finding(
        line,
        field.offset,
        'approver-option',
        `the option ${name} is not supported`,
        'Only plain keys count. Take the line out when the key is to count no longer; plans made before keep the approvers that they were made with.',
      )
    : finding(
        line,
        field.offset,
        'approver-line',
        `"${field.text}" is neither an option nor a kind of key`,
        example,
      )
}

function sharedKeys(entries: readonly Entry[]): Diagnostic[] {
  const owners = new Map<string, Entry>()
  const found: Diagnostic[] = []
  for (const entry of entries) {
    const owner = owners.get(entry.key)
    if (owner === undefined) owners.set(entry.key, entry)
    else if (owner.person !== entry.person) {
      found.push({
        code: 'approver-shared',
        severity: 'error',
        message: `${entry.person} has the same key as ${owner.person}`,
        span: entry.at,
        hint: 'Give each person a key of their own: one person counts once.',
        related: [{ message: `the key of ${owner.person}`, span: owner.at }],
      })
    }
  }
  return found
}

/** A file without a person would make every approval wait for nobody. */
function empty(entries: readonly Entry[], diagnostics: readonly Diagnostic[], file: string): Diagnostic[] {
  if (entries.length > 0 || diagnostics.length > 0) return []
  const line = { line: '', number: 1, file }
  return [finding(line, 0, 'approvers-empty', 'the file names no approvers', example)]
}

function merge(entries: readonly Entry[]): readonly PlanApprover[] {
  const people = new Map<string, { roles: Set<string>; keys: Set<string> }>()
  for (const { person, roles, key } of entries) {
    const known = people.get(person) ?? { roles: new Set(), keys: new Set() }
    for (const role of roles) known.roles.add(role)
    known.keys.add(key)
    people.set(person, known)
  }
  return [...people].map(([person, { roles, keys }]) => ({ person, roles: [...roles], keys: [...keys] }))
}

const keyTypes = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
] as const

const isKeyType = (text: string): boolean => (keyTypes as readonly string[]).includes(text)

/** Meant as a kind of key, so that the message speaks of keys and not of options. */
const looksLikeKeyType = (text: string): boolean => /^(sk-)?(ssh|ecdsa)-/.test(text)

/** Whether a public key's data says of itself that it is of this kind, and is longer than that. */
function isKeyOf(type: string, blob: string): boolean {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(blob) || blob.length % 4 !== 0) return false
  const data = atob(blob)
  const header = `\0\0\0${String.fromCharCode(type.length)}${type}`
  return data.startsWith(header) && fieldsFill(data, 0)
}

/** The data of a key is a row of fields, each after its length: one that is cut off does not come out even. */
function fieldsFill(data: string, at: number): boolean {
  if (at === data.length) return true
  if (at + 4 > data.length) return false
  const length = [0, 1, 2, 3].reduce((sum, i) => sum * 256 + data.charCodeAt(at + i), 0)
  return at + 4 + length <= data.length && fieldsFill(data, at + 4 + length)
}

/** Blanks separate, except within double quotes. */
function splitFields(line: string): readonly Field[] {
  return [...line.matchAll(/(?:"[^"]*"|[^\s"]|"(?![^"]*"))+/g)].map(match => ({
    text: match[0],
    offset: match.index,
  }))
}

const exampleRoles = 'roles=release-manager,platform-owner'
const example = `Write a line as in: alice@example.com namespaces="${signatureNamespace}" ssh-ed25519 AAAA… ${exampleRoles}`

const finding = (line: Line, offset: number, code: string, message: string, hint: string): Diagnostic => ({
  code,
  severity: 'error',
  message,
  span: spanOf(line, offset, 1),
  hint,
})

const spanOf = (line: Line, offset: number, length: number): Span => ({
  file: line.file,
  line: line.number,
  column: offset + 1,
  endLine: line.number,
  endColumn: offset + 1 + length,
})
