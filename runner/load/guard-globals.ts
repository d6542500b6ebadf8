/**
 * The guards on the real globals, in place only while a definition is evaluated.
 *
 * Invariants:
 *  1. They refuse nothing but the evaluation's own doings (purity.ts): the rest of this process may go
 *     on meanwhile.
 *  2. When the last of the evaluations under way has ended, every global is again exactly what it was.
 */

import { processRule } from './guard-process.ts'
import { guardFunction, guardObject, type Rule } from './guard-values.ts'
import { type ImpurityKind, isEvaluating, refuseImpurity } from './purity.ts'

interface Patch {
  readonly target: object
  readonly key: string
  readonly before: PropertyDescriptor | undefined
}

const LATE = 'WebSocket'

let holders = 0
let patches: readonly Patch[] = []

/**
 * Puts the guards in place for a script. What it returns takes them away again, and must be called once.
 *
 * Node reads WebSocket from its snapshot when anybody so much as asks for the property, which takes longer than
 * everything else together: it is guarded only where the script names it.
 */
export function guardGlobals(code: string): () => void {
  holders += 1
  if (holders === 1) patches = patchAll()
  if (code.includes(LATE) && !patches.some(({ key }) => key === LATE)) {
    patches = [...patches, ...patchFunction('network', LATE)]
  }
  return () => {
    holders -= 1
    if (holders === 0) restoreAll()
  }
}

function restoreAll(): void {
  for (const { target, key, before } of patches.toReversed()) {
    if (before === undefined) Reflect.deleteProperty(target, key)
    else Object.defineProperty(target, key, before)
  }
  patches = []
}

function patchAll(): readonly Patch[] {
  return [
    ...clockPatches(),
    ...randomnessPatches(),
    ...functionPatches(),
    ...processPatches(),
    ...consolePatches(),
  ]
}

/** Replaces a property by what `guard` makes of it; nothing happens where there is none. */
function patch(target: object, key: string, guard: (real: never) => unknown): readonly Patch[] {
  const before = Object.getOwnPropertyDescriptor(target, key)
  if (before === undefined) return []
  Object.defineProperty(target, key, guardedDescriptor(target, before, guard as (real: unknown) => unknown))
  return [{ target, key, before }]
}

/** A global that node loads when it is first read still is. */
function guardedDescriptor(
  target: object,
  before: PropertyDescriptor,
  guard: (real: unknown) => unknown,
): PropertyDescriptor {
  const { enumerable = false } = before
  if (!('get' in before))
    return { enumerable, configurable: true, writable: true, value: guard(before.value) }
  const { get, set } = before
  return {
    enumerable,
    configurable: true,
    get: () => guard(get?.call(target)),
    ...(set === undefined ? {} : { set }),
  }
}

// ── the clock ───────────────────────────────────────────────────────────────────────────────────

function clockPatches(): readonly Patch[] {
  const guardedDate = guardDate(Date)
  const { prototype: format } = Intl.DateTimeFormat
  return [
    ...patch(Date.prototype, 'constructor', () => guardedDate),
    ...patch(Date, 'now', (real: () => number) => guardFunction(real, 'clock', 'Date.now')),
    ...patch(globalThis, 'Date', () => guardedDate),
    ...patch(globalThis, 'performance', (real: object) =>
      guardObject(real, 'performance', allOf('clock', 'performance')),
    ),
    ...patch(format, 'formatToParts', guardFormatter),
    ...patchFormat(format),
    ...temporalPatches(),
  ]
}

const allOf =
  (kind: ImpurityKind, name: string): Rule =>
  key => ({ kind, what: `${name}.${key}` })

/** `new Date(2024, 2, 15)` is a value; only `new Date()` and `Date()` read the clock. */
const guardDate = (real: DateConstructor): DateConstructor => {
  const guard: DateConstructor = new Proxy(real, {
    apply: (target, self, args) => {
      refuseImpurity('clock', 'Date()')
      return Reflect.apply(target, self, args)
    },
    construct: (target, args, newTarget) => {
      if (args.length === 0) refuseImpurity('clock', 'new Date()')
      return Reflect.construct(target, args, newTarget === guard ? target : newTarget)
    },
  })
  return guard
}

type Formatter = (date?: unknown) => unknown

/** A formatter that is given no date formats the present. */
function guardFormatter(real: Formatter): Formatter {
  return function (this: unknown, date) {
    if (date === undefined) refuseImpurity('clock', 'Intl.DateTimeFormat.format')
    return Reflect.apply(real, this, [date])
  }
}

function patchFormat(prototype: object): readonly Patch[] {
  const before = Object.getOwnPropertyDescriptor(prototype, 'format')
  if (before?.get === undefined) return []
  const { get } = before
  Object.defineProperty(prototype, 'format', {
    ...before,
    get() {
      const real = Reflect.apply(get, this, []) as Formatter
      return isEvaluating() ? guardFormatter(real) : real
    },
  })
  return [{ target: prototype, key: 'format', before }]
}

/** `Temporal` is in node from 26 on. */
function temporalPatches(): readonly Patch[] {
  const temporal = (globalThis as { Temporal?: object }).Temporal
  return temporal === undefined
    ? []
    : patch(temporal, 'Now', (real: object) =>
        guardObject(real, 'Temporal.Now', allOf('clock', 'Temporal.Now')),
      )
}

// ── randomness, network, timers ─────────────────────────────────────────────────────────────────

const randomnessPatches = (): readonly Patch[] => [
  ...patch(Math, 'random', (real: () => number) => guardFunction(real, 'randomness', 'Math.random')),
  ...patch(globalThis, 'crypto', (real: object) =>
    guardObject(real, 'crypto', key =>
      key === 'subtle' ? undefined : { kind: 'randomness', what: `crypto.${key}` },
    ),
  ),
]

const FUNCTIONS: readonly (readonly [ImpurityKind, string])[] = [
  ['network', 'fetch'],
  ['network', 'EventSource'],
  ['timer', 'setTimeout'],
  ['timer', 'setInterval'],
  ['timer', 'setImmediate'],
]

const functionPatches = (): readonly Patch[] => FUNCTIONS.flatMap(([kind, name]) => patchFunction(kind, name))

const patchFunction = (kind: ImpurityKind, name: string): readonly Patch[] =>
  patch(globalThis, name, (real: unknown) =>
    typeof real === 'function' ? guardFunction(real, kind, name) : real,
  )

// ── the process and the machine ─────────────────────────────────────────────────────────────────

const MACHINE = new Set(['hardwareConcurrency', 'language', 'languages'])

const processPatches = (): readonly Patch[] => [
  ...patch(globalThis, 'process', (real: object) => guardObject(real, 'process', processRule)),
  ...patch(globalThis, 'navigator', (real: object) =>
    guardObject(real, 'navigator', key =>
      MACHINE.has(key) ? { kind: 'process', what: `navigator.${key}` } : undefined,
    ),
  ),
]

/** What a definition prints goes to stderr: stdout is for the command's result. */
const consolePatches = (): readonly Patch[] =>
  (['log', 'info', 'debug', 'table', 'dir'] as const).flatMap(method =>
    patch(
      console,
      method,
      (real: (...values: unknown[]) => void) =>
        (...values: unknown[]) =>
          isEvaluating() ? console.error(...values) : real(...values),
    ),
  )
