/**
 * What a command is, how its arguments are read, and how its help is written: one table for both.
 */
import { parseArgs } from 'node:util'
import type { Diagnostic } from '../../src/diagnostic.ts'
import { InputError } from '../../src/errors.ts'
import type { Io } from './io.ts'

export interface Option {
  /** `VALUE` as it is shown in help; a flag has none. */
  readonly value?: string
  readonly short?: string
  /** It may be given more than once. */
  readonly many?: boolean
  readonly help: string
}

export interface Command {
  readonly name: string
  /** As in `release plan [FILE]`: the part after the name. */
  readonly usage: string
  readonly summary: string
  readonly example: string
  readonly options: Readonly<Record<string, Option>>
  /** How many arguments it takes at least and at most. */
  readonly takes: readonly [number, number]
  /** Returns the process's exit code. */
  readonly run: (invocation: Invocation, io: Io) => Promise<number>
}

export interface Invocation {
  readonly args: readonly string[]
  readonly flag: (name: string) => boolean
  readonly text: (name: string) => string | undefined
  readonly list: (name: string) => readonly string[]
}

/** Every command takes these. */
export const COMMON: Readonly<Record<string, Option>> = {
  json: { help: 'print JSON on stdout, and nothing else there' },
  state: {
    value: 'DIR',
    help: 'where runs are kept (.release beside the package.json above the definition)',
  },
  'no-color': { help: 'no colour, as with NO_COLOR' },
  help: { short: 'h', help: 'print this help' },
}

/** @throws InputError for what the command does not take, all at once */
export function readInvocation(command: Command, argv: readonly string[]): Invocation {
  const options = { ...command.options, ...COMMON }
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { value, short }]) => [
        name,
        {
          type: value === undefined ? ('boolean' as const) : ('string' as const),
          ...(short === undefined ? {} : { short }),
        },
      ]),
    ),
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const found = new Map<string, string[]>()
  const args: string[] = []
  const wrong: Diagnostic[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') args.push(token.value)
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined
    const problem = problemOf(token, option, options, found)
    if (problem !== null) wrong.push(problem)
    else found.set(token.name, [...(found.get(token.name) ?? []), token.value ?? ''])
  }
  if (!found.has('help')) wrong.push(...countProblem(command, args))
  if (wrong.length > 0) throw new InputError(wrong)
  return {
    args,
    flag: name => found.has(name),
    text: name => found.get(name)?.at(-1),
    list: name => found.get(name) ?? [],
  }
}

interface Given {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  /** The value was written with a `=`, and not as a word of its own. */
  readonly inlineValue: boolean | undefined
}

function problemOf(
  token: Given,
  option: Option | undefined,
  options: Readonly<Record<string, Option>>,
  found: ReadonlyMap<string, unknown>,
): Diagnostic | null {
  if (option === undefined) {
    return wrong(
      'unknown-option',
      `there is no option ${token.rawName}`,
      nearest(token.name, Object.keys(options), '--'),
    )
  }
  if (option.value !== undefined && token.value === undefined) {
    return wrong('option-value', `${token.rawName} needs a value`, `Write --${token.name} ${option.value}.`)
  }
  if (token.inlineValue === false && /^-./.test(token.value ?? '')) {
    return wrong(
      'option-value',
      `${token.rawName} needs a value, and ${token.value} is an option`,
      `Write --${token.name} ${option.value}; or --${token.name}=${token.value}, if that is the value.`,
    )
  }
  if (option.value === undefined && token.value !== undefined) {
    return wrong('option-value', `${token.rawName} takes no value`, `Write --${token.name}.`)
  }
  if (option.many !== true && found.has(token.name) && option.value !== undefined) {
    return wrong('option-twice', `${token.rawName} is given twice`, 'Say it once.')
  }
  return null
}

function countProblem(command: Command, args: readonly string[]): readonly Diagnostic[] {
  const [least, most] = command.takes
  if (args.length >= least && args.length <= most) return []
  const said = args.length < least ? 'something is missing' : `${args[most]} is one argument too many`
  return [
    wrong('arguments', `release ${command.name}: ${said}`, `Write release ${command.name} ${command.usage}.`),
  ]
}

export const wrong = (code: string, message: string, hint: string): Diagnostic => ({
  code,
  severity: 'error',
  message,
  hint,
})

/** What somebody may have meant: the name with the fewest letters changed. */
export function nearest(name: string, names: readonly string[], prefix = ''): string {
  const ranked = names.map(known => ({ known, far: distance(name, known) })).sort((a, b) => a.far - b.far)
  const best = ranked[0]
  return best !== undefined && best.far <= Math.max(2, name.length / 3)
    ? `Did you mean ${prefix}${best.known}?`
    : `There are ${names.map(known => prefix + known).join(', ')}.`
}

/** Levenshtein's distance, by rows. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + cost))
    }
    row = next
  }
  return row[b.length]!
}

export function renderHelp(command: Command): string {
  const rows = Object.entries({ ...command.options, ...COMMON }).map(([name, option]) => {
    const short = option.short === undefined ? '' : `-${option.short}, `
    const value = option.value === undefined ? '' : ` ${option.value}`
    return [
      `  ${short}--${name}${value}`,
      option.help + (option.many ? ' (may be given more than once)' : ''),
    ] as const
  })
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return [
    `release ${command.name} ${command.usage}`.trimEnd(),
    '',
    command.summary,
    '',
    ...rows.map(([left, right]) => left.padEnd(width) + right),
    '',
    'Example:',
    `  ${command.example}`,
    '',
  ].join('\n')
}
