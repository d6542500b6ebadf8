/**
 * The plan's canonical form: one text for one value, and the hash over it.
 *
 * Boundary: pure; sha256 is handed in, because only the runner may import it.
 * A large plan's text exists in pieces only.
 *
 * Invariants:
 *  C1. Values that are equal as JSON have the same text, whatever the order of their properties (RFC 8785).
 *  C2. What JSON cannot say is refused, never dropped: NaN, infinities, functions, symbols, bigints, lone
 *      surrogates, undefined in a list. A property that is undefined is absent, as `JSON.stringify` has it.
 *  C3. A plan's hash covers everything but `hash` and `positions`.
 */
import { ReleaseError } from '../errors.ts'
import type { Plan, Sha256 } from './plan.ts'

/** sha256 of the UTF-8 bytes of texts that follow one another, as lower-case hexadecimal. */
export type HashPieces = (pieces: Iterable<string>) => Sha256

/** A plan that has not got its hash yet. */
export type UnsealedPlan = Omit<Plan, 'hash'>

/**
 * The canonical JSON text of a value, as RFC 8785 has it: properties sorted by UTF-16 code units, no white
 * space, numbers as ECMAScript writes them, -0 as 0.
 * @throws ReleaseError `not-json`, naming the place
 */
export function canonicalJson(value: unknown): string {
  return textOf(value, [])
}

function textOf(value: unknown, path: Path): string {
  const ordered = inOrder(value)
  return ordered === UNFIT ? write(value, path) : JSON.stringify(ordered)
}

/** Entries of a list that make a piece. */
const AT_ONCE = 500

/**
 * The same text of an object, in pieces: one for each of its properties, more for a long list.
 * @throws ReleaseError `not-json`, naming the place, when it comes to it
 */
export function* canonicalPieces(value: object): Generator<string> {
  const record = value as Readonly<Record<string, unknown>>
  let before = '{'
  for (const name of namesIn(record)) {
    yield `${before}${writeString(name, [])}:`
    const part = record[name]
    if (Array.isArray(part)) yield* listPieces(part, name)
    else yield textOf(part, [name])
    before = ','
  }
  yield before === '{' ? '{}' : '}'
}

function* listPieces(list: readonly unknown[], name: string): Generator<string> {
  yield '['
  for (let from = 0; from < list.length; from += AT_ONCE) {
    const some = list.slice(from, from + AT_ONCE)
    const ordered = listInOrder(some)
    if (from > 0) yield ','
    if (ordered !== UNFIT) yield JSON.stringify(ordered).slice(1, -1)
    else yield Array.from(some, (item, i) => write(item, [name, from + i])).join(',')
  }
  yield ']'
}

/** What a plan's hash is taken over. */
export function hashedPart(plan: UnsealedPlan | Plan): Omit<Plan, 'hash' | 'positions'> {
  const { hash: _hash, positions: _positions, ...hashed } = plan as Plan
  return hashed
}

/** Gives a plan its hash. */
export const sealPlan = (plan: UnsealedPlan, sha256: HashPieces): Plan => ({
  ...plan,
  hash: sha256(canonicalPieces(hashedPart(plan))),
})

/** Whether a plan is what it was when its hash was made. */
export const isIntact = (plan: Plan, sha256: HashPieces): boolean =>
  plan.hash === sha256(canonicalPieces(hashedPart(plan)))

// ── the quick way: properties put in order, and the engine's own JSON ───────────────────────────

/** Not plainly fit: `write` says what is wrong, or how it is written all the same. */
const UNFIT = Symbol('unfit')

/**
 * A value whose JSON text as the engine writes it is the canonical one: the value itself, or a copy where properties
 * have to change places.
 */
function inOrder(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value : UNFIT
    case 'number':
      return Number.isFinite(value) ? value : UNFIT
    case 'boolean':
      return value
    case 'object':
      if (value === null) return null
      return Array.isArray(value) ? listInOrder(value) : objectInOrder(value)
    default:
      return UNFIT
  }
}

function listInOrder(list: readonly unknown[]): unknown {
  let copy: unknown[] | null = null
  for (let i = 0; i < list.length; i += 1) {
    const item = inOrder(list[i])
    if (item === UNFIT) return UNFIT
    if (copy === null && item !== list[i]) copy = list.slice(0, i)
    copy?.push(item)
  }
  return copy ?? list
}

function objectInOrder(value: object): unknown {
  if (!isPlain(value)) return UNFIT
  const record = value as Readonly<Record<string, unknown>>
  const names = Object.keys(record)
  const order = orderOf(names)
  if (order === UNFIT) return UNFIT
  // Where nothing changes places, a copy is only made from the first part on that is another.
  let copy: Record<string, unknown> | null = order === names ? null : {}
  for (let i = 0; i < order.length; i += 1) {
    const name = order[i]!
    const part = record[name]
    const ordered = part === undefined ? part : inOrder(part)
    if (ordered === UNFIT) return UNFIT
    if (copy === null && ordered !== part) copy = firstOf(record, order, i)
    if (copy !== null && ordered !== undefined) copy[name] = ordered
  }
  return copy ?? record
}

const firstOf = (record: Readonly<Record<string, unknown>>, names: readonly string[], count: number) =>
  Object.fromEntries(names.slice(0, count).map(name => [name, record[name]]))

/** The names themselves where they stand in order already; UNFIT where one of them cannot be put in order. */
function orderOf(names: readonly string[]): readonly string[] | typeof UNFIT {
  const alike = names.length > MOST_NAMES ? undefined : shapes.get(names[0])
  const known = alike?.find(shape => isSame(shape.names, names))
  if (known !== undefined) return known.order ?? names
  if (names.some(name => isMoved(name) || !name.isWellFormed())) return UNFIT
  const order = isAscending(names) ? null : [...names].sort(byCodeUnits)
  if (alike === undefined && names.length <= MOST_NAMES && shapes.size < MOST_SHAPES)
    shapes.set(names[0], [{ names, order }])
  else if (alike !== undefined && alike.length < MOST_ALIKE) alike.push({ names, order })
  return order ?? names
}

/** A plan's nodes have few shapes: what order the names of one come in is found out once. */
interface Shape {
  readonly names: readonly string[]
  /** null: they are in order. */
  readonly order: readonly string[] | null
}

const MOST_NAMES = 24
const MOST_SHAPES = 64
const MOST_ALIKE = 16
/** By their first name. */
const shapes = new Map<string | undefined, Shape[]>()

const isSame = (a: readonly string[], b: readonly string[]): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}

/** Names that an object does not keep where they were put: numbers come first in it, and `__proto__` is none at all. */
const isMoved = (name: string): boolean => name === '__proto__' || (name < ':' && /^\d+$/.test(name))

function isAscending(names: readonly string[]): boolean {
  for (let i = 1; i < names.length; i += 1) if (names[i - 1]! > names[i]!) return false
  return true
}

// ── the whole way, which knows the place of what cannot be written ──────────────────────────────

type Path = readonly (string | number)[]

function write(value: unknown, path: Path): string {
  switch (typeof value) {
    case 'string':
      return writeString(value, path)
    case 'boolean':
      return String(value)
    case 'number':
      if (!Number.isFinite(value)) throw notJson(String(value), path)
      return JSON.stringify(value)
    case 'object':
      return value === null ? 'null' : writeObject(value, path)
    default:
      throw notJson(typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`, path)
  }
}

/** A lone surrogate has no UTF-8 form, so that its hash would be another string's. */
function writeString(value: string, path: Path): string {
  if (!value.isWellFormed()) throw notJson('a string with a lone surrogate', path)
  return JSON.stringify(value)
}

function writeObject(value: object, path: Path): string {
  if (Array.isArray(value)) return `[${Array.from(value, (item, i) => write(item, [...path, i])).join(',')}]`
  if (!isPlain(value)) throw notJson(`an object of class ${value.constructor?.name ?? 'unknown'}`, path)
  const record = value as Readonly<Record<string, unknown>>
  const properties = namesIn(record).map(
    name => `${writeString(name, path)}:${write(record[name], [...path, name])}`,
  )
  return `{${properties.join(',')}}`
}

const namesIn = (record: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.keys(record)
    .filter(name => record[name] !== undefined)
    .sort(byCodeUnits)

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // A value that was made in another realm has another Object.prototype, which itself has none.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function notJson(what: string, path: Path): ReleaseError {
  const place = path.length === 0 ? 'the value' : path.join('.')
  return new ReleaseError('not-json', `${place} is ${what}, which JSON cannot say`, {
    hint: 'Use null, booleans, finite numbers, strings, lists and plain objects only.',
  })
}
