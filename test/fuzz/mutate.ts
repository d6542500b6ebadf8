/**
 * Seeded damage to bytes, texts and JSON.
 *
 * Boundary: pure; the same seed makes the same damage for ever, so that a failure is found again by its number.
 */
import { seeded } from '../rig/crash.ts'

export interface Dice {
  /** From 0 to `below`, which is excluded. */
  readonly number: (below: number) => number
  readonly pick: <T>(items: readonly T[]) => T
}

export function dice(seed: number): Dice {
  const random = seeded(seed * 2_654_435_761)
  const number = (below: number): number => Math.floor(random() * below)
  return { number, pick: items => items[number(items.length)]! }
}

/** Texts that have broken programs before. */
export const NASTY: readonly string[] = [
  '',
  ' ',
  '\0',
  '\n',
  '\u2028',
  '\ud800',
  '\u202e',
  '\u001b[2J',
  '__proto__',
  'constructor',
  'toString',
  '..',
  '../../etc/passwd',
  '/',
  '-',
  '--',
  '{version}',
  '$' + '{x}',
  '%s%n',
  '"',
  "'",
  '`',
  '\\',
  '<script>',
  '|',
  'NaN',
  '1e999',
  '-0',
  '0x10',
  '9007199254740993',
  'null',
  'undefined',
  'ё'.repeat(3),
  '👩‍👩‍👧‍👦',
  'a'.repeat(5_000),
]

const NUMBERS: readonly number[] = [
  0,
  -0,
  -1,
  1,
  0.5,
  2 ** 31,
  2 ** 53,
  -(2 ** 53),
  1e308,
  1e21,
  4_294_967_296,
]

/** One to four cuts, flips, copies and insertions. */
export function damageBytes(bytes: Buffer, { number, pick }: Dice): Buffer {
  let damaged = Buffer.from(bytes)
  for (let left = 1 + number(4); left > 0; left -= 1) {
    const at = number(damaged.length + 1)
    const length = Math.min(damaged.length - at, 1 + number(pick([1, 8, 64, 600])))
    const [head, middle, tail] = [
      damaged.subarray(0, at),
      damaged.subarray(at, at + length),
      damaged.subarray(at + length),
    ]
    switch (number(7)) {
      case 0:
        damaged = Buffer.concat([head, middle.map(byte => byte ^ (1 << number(8))), tail])
        break
      case 1:
        damaged = Buffer.concat([head, tail])
        break
      case 2:
        damaged = Buffer.concat([head, middle, middle, tail])
        break
      case 3:
        damaged = Buffer.concat([head, Buffer.alloc(length), tail])
        break
      case 4:
        damaged = Buffer.concat([head, Buffer.from(pick(NASTY)), middle, tail])
        break
      case 5:
        damaged = head
        break
      case 6:
        damaged = Buffer.concat([tail, head, middle])
        break
    }
  }
  return damaged
}

/** As with bytes, in whole characters, and with words of the text itself and others put in. */
export function damageText(text: string, words: readonly string[], { number, pick }: Dice): string {
  let damaged = text
  for (let left = 1 + number(3); left > 0; left -= 1) {
    const at = number(damaged.length + 1)
    const to = Math.min(damaged.length, at + number(pick([2, 10, 60])))
    const [head, middle, tail] = [damaged.slice(0, at), damaged.slice(at, to), damaged.slice(to)]
    damaged = pick([
      () => head + tail,
      () => head + middle + middle + tail,
      () => head + pick(words) + tail,
      () => head + pick(NASTY) + middle + tail,
      () => tail + head,
      () => head,
      () => head + String.fromCodePoint(number(0x2_ff)) + tail,
    ])()
  }
  return damaged
}

type Loose = null | boolean | number | string | Loose[] | { [key: string]: Loose }

/** A copy of a JSON value in which one to three places are others: of their own type with `'alike'`, of any with `'any'`. */
export function damageJson<T>(value: T, roll: Dice, types: 'alike' | 'any'): T {
  let damaged = structuredClone(value) as Loose
  for (let left = 1 + roll.number(3); left > 0; left -= 1) damaged = damageOne(damaged, roll, types)
  return damaged as T
}

function damageOne(root: Loose, roll: Dice, types: 'alike' | 'any'): Loose {
  const places = placesIn(root)
  if (places.length === 0) return another(root, roll, types)
  const { holder, key } = roll.pick(places)
  if (Array.isArray(holder)) damageList(holder, key as number, roll, types)
  else if (types === 'any' && roll.number(6) === 0) delete holder[key]
  else if (types === 'any' && roll.number(12) === 0)
    Object.assign(holder, { [roll.pick(NASTY)]: holder[key] })
  else set(holder, key, another(holder[key] ?? null, roll, types))
  return root
}

/** Also where the key is `__proto__`, as JSON.parse would. */
const set = (holder: { [key: string]: Loose }, key: string | number, value: Loose): void => {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
}

function damageList(list: Loose[], at: number, roll: Dice, types: 'alike' | 'any'): void {
  const item = list[at]!
  switch (roll.number(5)) {
    case 0:
      list.splice(at, 1)
      break
    case 1:
      list.splice(roll.number(list.length), 0, structuredClone(item))
      break
    case 2:
      list.push(...list.splice(at, 1))
      break
    default:
      list[at] = another(item, roll, types)
  }
}

function another(value: Loose, roll: Dice, types: 'alike' | 'any'): Loose {
  if (types === 'any' && roll.number(3) === 0) {
    return roll.pick<Loose>([null, true, 0, -1, '', [], {}, [[]], { kind: 'x' }, 'x', 1e308])
  }
  switch (typeof value) {
    case 'string':
      return roll.number(2) === 0 ? roll.pick(NASTY) : value.slice(roll.number(value.length + 1))
    case 'number':
      return roll.pick(NUMBERS)
    case 'boolean':
      return !value
    default:
      return value
  }
}

interface Place {
  readonly holder: Loose[] | { [key: string]: Loose }
  readonly key: string | number
}

function placesIn(value: Loose, found: Place[] = []): readonly Place[] {
  if (typeof value !== 'object' || value === null) return found
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value)
  for (const key of keys) {
    found.push({ holder: value, key } as Place)
    placesIn((value as { [key: string]: Loose })[key]!, found)
  }
  return found
}
