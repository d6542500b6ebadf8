/**
 * Stand-ins for functions and objects that refuse while a definition is evaluated and pass everything
 * on at all other times, so that what a definition took hold of while it was evaluated works in its steps.
 *
 * Invariants:
 *  1. Asked for twice by one name, a thing has one and the same stand-in.
 *  2. Functions are refused when they are called, values when they are read: to look whether there is
 *     a `fetch` is pure.
 */
import { type ImpurityKind, refuseImpurity } from './purity.ts'

// biome-ignore lint/complexity/noBannedTypes: any function or class at all is guarded here.
type Callable = Function

/** What is impure about a property; undefined: nothing is. */
export type Rule = (key: string) => { readonly kind: ImpurityKind; readonly what: string } | undefined

const originals = new WeakMap<object, object>()
/** By what is real, by the name that it is refused under: node reaches some things by two. */
const standIns = new WeakMap<object, Map<string, object>>()

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
const originalOf = (value: unknown): unknown => (isObject(value) ? (originals.get(value) ?? value) : value)

function standInFor<T extends object>(real: T, name: string, make: () => T): T {
  const named = standIns.get(real) ?? new Map<string, object>()
  standIns.set(real, named)
  const known = named.get(name)
  if (known !== undefined) return known as T
  const made = make()
  named.set(name, made)
  originals.set(made, real)
  return made
}

/** A function or class that may not be called or constructed while a definition is evaluated. */
export const guardFunction = <T extends Callable>(real: T, kind: ImpurityKind, what: string): T =>
  standInFor(real, what, () => {
    // Not the real function is the proxy's target: a target's fixed properties must be handed out as they are.
    // biome-ignore lint/complexity/useArrowFunction: an arrow function could not be constructed.
    const shadow = function () {} as unknown as T
    const guard: T = new Proxy(shadow, {
      apply: (_, self, args) => {
        refuseImpurity(kind, what)
        return Reflect.apply(real, originalOf(self), args)
      },
      construct: (_, args, newTarget) => {
        refuseImpurity(kind, `new ${what}`)
        return Reflect.construct(real, args, newTarget === guard ? real : newTarget)
      },
      get: (_, key) => {
        const value: unknown = Reflect.get(real, key)
        const own = typeof value === 'function' && Object.hasOwn(real, key) && key !== 'prototype'
        return own ? guardFunction(value, kind, typeof key === 'string' ? `${what}.${key}` : what) : value
      },
      set: (_, key, value) => Reflect.set(real, key, value),
      has: (_, key) => Reflect.has(real, key),
      getPrototypeOf: () => Reflect.getPrototypeOf(real),
    })
    return guard
  })

/** An object whose properties are guarded as the rule says; the others are the real one's. The name tells rules apart. */
export const guardObject = <T extends object>(real: T, name: string, rule: Rule): T =>
  standInFor(
    real,
    name,
    () =>
      new Proxy(real, {
        get: (_, key) => {
          const value: unknown = Reflect.get(real, key, real)
          const impure = typeof key === 'string' && key in real ? rule(key) : undefined
          if (impure === undefined) return value
          if (typeof value === 'function') return guardFunction(value, impure.kind, impure.what)
          refuseImpurity(impure.kind, impure.what)
          return value
        },
        set: (_, key, value) => {
          const impure = typeof key === 'string' ? rule(key) : undefined
          if (impure !== undefined) refuseImpurity(impure.kind, impure.what)
          return Reflect.set(real, key, value, real)
        },
      }),
  )

/**
 * A module's exports with every function and every object in them guarded as the rule says. Each is
 * looked up when it is asked for, since some of node's are costly or warn when touched.
 */
export const guardExports = (real: object, name: string, rule: Rule): object =>
  standInFor(real, name, () => {
    const copy = {}
    for (const key of Object.getOwnPropertyNames(real))
      Object.defineProperty(copy, key, {
        enumerable: Object.prototype.propertyIsEnumerable.call(real, key),
        configurable: true,
        get: () => guardExport(Reflect.get(real, key), key, rule),
        set: value => Object.defineProperty(copy, key, { value, writable: true }),
      })
    return copy
  })

function guardExport(value: unknown, key: string, rule: Rule): unknown {
  const impure = rule(key)
  if (impure === undefined) return value
  if (typeof value === 'function') return guardFunction(value, impure.kind, impure.what)
  if (!isObject(value) || Array.isArray(value)) return value
  const within: Rule = inner => ({ kind: impure.kind, what: `${impure.what}.${inner}` })
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(value))
  return isPlain ? guardExports(value, impure.what, within) : guardObject(value, impure.what, within)
}
