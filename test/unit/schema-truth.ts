/**
 * Holds a schema and a TypeScript type together.
 *
 * The samples are typed, so that they are right by the type; here they must be right by the schema too, and every
 * way of spoiling one must be wrong by it. What may be left out or is free is said by the caller in records that
 * the compiler checks against the type.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { expect } from 'vitest'

export type Path = readonly (string | number)[]

/** The properties of an object type that may be left out. */
export type OptionalOf<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T] & string

export interface Shape {
  /** By pattern of an object's path: its optional properties. */
  readonly optional: Readonly<Record<string, Readonly<Record<string, true>>>>
  /** Patterns of objects whose property names are free. */
  readonly maps: readonly string[]
  /** Patterns of places where any JSON may stand. */
  readonly free: readonly string[]
  /** Patterns of places where a number may be less than nothing, and broken. */
  readonly signed?: readonly string[]
  /** By pattern of a place: every literal that may stand there. */
  readonly literals: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export const compileSchema = (schema: object): ValidateFunction =>
  new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: false }).compile(schema)

const patterns = new Map<string, RegExp>()

/** `**` stands for any number of steps, `*` for one. */
function matches(pattern: string, { text }: Place): boolean {
  let regExp = patterns.get(pattern)
  if (regExp === undefined) {
    const steps = pattern
      .split('.')
      .map(step => (step === '**' ? '(?:[^ ]+ )*' : step === '*' ? '[^ ]+ ' : `${step} `))
    regExp = new RegExp(`^${steps.join('')}$`)
    patterns.set(pattern, regExp)
  }
  return regExp.test(text)
}

interface Place {
  readonly path: Path
  /** The path's steps with a blank after each; a blank inside of a step is an underscore. */
  readonly text: string
  readonly value: unknown
}

function* placesOf(value: unknown, path: Path = [], text = ''): Generator<Place> {
  yield { path, text, value }
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    const step = Array.isArray(value) ? Number(name) : name
    yield* placesOf(inner, [...path, step], `${text}${name.replaceAll(' ', '_')} `)
  }
}

type Owner = Record<string | number, unknown>

/** Spoils one object of the sample, hands the sample over, and mends it again: a copy for each would be slow. */
function whileSpoiled(sample: unknown, path: Path, change: (owner: Owner) => void, look: () => void): void {
  let owner = sample as Owner
  for (const step of path) owner = owner[step] as Owner
  const before = { ...owner }
  change(owner)
  look()
  for (const name of Object.keys(owner)) if (!(name in before)) delete owner[name]
  Object.assign(owner, before)
}

const wrongValuesFor = (value: unknown): unknown[] => {
  if (typeof value === 'string') return [42, { wrong: true }]
  if (typeof value === 'number') return ['42', -1.5]
  if (typeof value === 'boolean') return ['yes', 1]
  if (value === null) return [{ wrong: true }, [[]]]
  return Array.isArray(value) ? [{ wrong: true }, 'a'] : [['wrong'], 'a']
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Proves that the schema takes every sample and none of its spoiled forms; returns how many it refused. */
export function proveSchema(schema: object, samples: readonly unknown[], shape: Shape): number {
  const proof = { validate: compileSchema(schema), shape, seen: new Set<string>(), refused: 0 }
  for (const sample of samples) {
    expect(proof.validate(sample), JSON.stringify(proof.validate.errors)).toBe(true)
    const copy: unknown = structuredClone(sample)
    for (const place of [...placesOf(copy)]) {
      if (shape.free.some(pattern => matches(`${pattern}.**`, place))) continue
      if (place.path.length > 0) spoilValue(proof, copy, place)
      if (isObject(place.value)) spoilProperties(proof, copy, place, place.value)
    }
    expect(copy).toEqual(sample)
  }
  for (const [pattern, names] of Object.entries(shape.optional)) {
    for (const name of Object.keys(names)) expect(proof.seen, 'samples').toContain(`${pattern} has ${name}`)
  }
  for (const [pattern, names] of Object.entries(shape.literals)) {
    for (const name of Object.keys(names)) expect(proof.seen, 'samples').toContain(`${pattern} is ${name}`)
  }
  return proof.refused
}

interface Proof {
  readonly validate: ValidateFunction
  readonly shape: Shape
  readonly seen: Set<string>
  refused: number
}

function mustRefuse(
  proof: Proof,
  sample: unknown,
  spoil: { readonly path: Path; readonly what: string; readonly change: (owner: Owner) => void },
): void {
  whileSpoiled(sample, spoil.path, spoil.change, () => {
    if (proof.validate(sample)) expect.fail(`the schema takes ${spoil.what}`)
    proof.refused++
  })
}

function spoilValue(proof: Proof, sample: unknown, at: Place): void {
  const { path, value } = at
  const put = (wrong: unknown): void =>
    mustRefuse(proof, sample, {
      path: path.slice(0, -1),
      what: `${JSON.stringify(wrong)} for ${path.join('.')}`,
      change: owner => {
        owner[path.at(-1)!] = wrong
      },
    })
  for (const [pattern, literals] of Object.entries(proof.shape.literals)) {
    if (!matches(pattern, at)) continue
    expect(Object.keys(literals), path.join('.')).toContain(value)
    proof.seen.add(`${pattern} is ${value}`)
    put('unheard-of')
  }
  const signed = proof.shape.signed?.some(pattern => matches(pattern, at)) === true
  for (const wrong of wrongValuesFor(value)) if (!signed || typeof wrong !== 'number') put(wrong)
}

function spoilProperties(proof: Proof, sample: unknown, at: Place, value: Record<string, unknown>): void {
  const { path } = at
  if (proof.shape.maps.some(pattern => matches(pattern, at))) return
  const place = path.join('.') || 'the whole'
  const optional = Object.entries(proof.shape.optional).find(([pattern]) => matches(pattern, at))
  for (const name of Object.keys(value)) {
    const change = (owner: Owner): void => {
      delete owner[name]
    }
    const what = `${place} without ${name}`
    if (optional?.[1][name] !== true) {
      mustRefuse(proof, sample, { path, what, change })
      continue
    }
    proof.seen.add(`${optional[0]} has ${name}`)
    whileSpoiled(sample, path, change, () => expect(proof.validate(sample), what).toBe(true))
  }
  mustRefuse(proof, sample, {
    path,
    what: `${place} with a property too many`,
    change: owner => {
      owner.surplus = 1
    },
  })
}
