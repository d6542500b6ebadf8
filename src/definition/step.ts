/**
 * What a team's own functions are given when they run, and what they may return.
 *
 * Role: the types of steps and of gates' functions. Boundary: types only; the shell's type is structural,
 * so that the adapter behind it can be another tomorrow.
 */
import type { Visible } from './outputs.ts'
import type { Param } from './param.ts'
import type { DurationOf, Retries, Written } from './value.ts'

/**
 * What a release holds, as its stages see it: components by name, its params, secrets by name.
 *
 * A reusable piece of pipeline that reads a param says so with it: `Stage<Shape<string, typeof pace>>`.
 */
export interface Shape<
  Components extends string = string,
  Params extends Param = Param,
  Secrets extends string = string,
> {
  readonly components: Components
  readonly params: Params
  readonly secrets: Secrets
}

/**
 * The values of params, by their names. The detour over `infer` makes an editor show them, and not how they
 * came about.
 */
export type ParamsOf<P extends Param> = {
  readonly [Name in P['name']]: P extends Param<Name, infer T> ? T : never
} extends infer Values
  ? Values
  : never

/** What a command printed, and how it ended. */
export interface ShellOutput {
  readonly stdout: string
  readonly stderr: string
  /** null where a signal ended it. */
  readonly exitCode: number | null
  /** What it printed to stdout, without the last line break. */
  toString(): string
}

/** A command that runs. Awaiting it fails where its exit code is not 0, unless `nothrow()` was asked. */
export interface ShellProcess extends Promise<ShellOutput> {
  /** What it prints to stdout. */
  text(): Promise<string>
  /** What it prints to stdout, read as JSON. */
  json<T = unknown>(): Promise<T>
  /** What it prints to stdout, by lines. */
  lines(): Promise<string[]>
  /** Does not fail where the exit code is not 0. */
  nothrow(): ShellProcess
  /** Keeps what it prints out of the node's log. */
  quiet(): ShellProcess
}

/** What can be put into a command: each becomes one argument, quoted; an array becomes several. */
export type ShellValue = string | number | boolean | ShellOutput | readonly (string | number | boolean)[]

export interface ShellOptions {
  /** Relative to the folder of the nearest package.json above the definition. */
  readonly cwd?: string
  /** Added to the environment of the run. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Given to the command's stdin. */
  readonly input?: string
  readonly nothrow?: boolean
  readonly quiet?: boolean
}

/** Runs commands: `` await $`npm run smoke` ``. Ended together with all that they started, when the step is. */
export interface Shell {
  (pieces: TemplateStringsArray, ...values: ShellValue[]): ShellProcess
  /** The same shell with other settings: `` await $({ cwd: 'web' })`npm run build` ``. */
  (options: ShellOptions): Shell
}

/** What a step's function is given. */
export interface StepContext<Of extends Shape = Shape, Given = never> {
  /** Runs commands. */
  readonly $: Shell
  /** What earlier steps returned: those that have certainly ended before this one starts. */
  readonly outputs: Visible<Given>
  /** The release's params. */
  readonly params: ParamsOf<Of['params']>
  /** The release's secrets: `await secrets.NAME()` reads one. */
  readonly secrets: { readonly [Name in Of['secrets']]: () => Promise<string> }
  /** Writes a line to the node's log; secrets that were read are replaced. */
  log(message: string): void
  /** Aborted when the step is cancelled or its time limit is over. */
  readonly signal: AbortSignal
  /** The release's version. */
  readonly version: string
  /** Grows with every runner that takes the run over: hand it to systems that refuse late writers. */
  readonly fence: number
}

/** What a step's `undo` is given. */
export interface UndoContext<Of extends Shape, Given, Value> extends StepContext<Of, Given> {
  /** What the step returned; undefined if it was cut off. */
  readonly value: Value | undefined
}

/** What a step's function returned, as later steps read it: nothing is null. */
export type Recorded<Returned> =
  Awaited<Returned> extends infer Value
    ? // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing returns void
      Value extends undefined | void
      ? null
      : Value
    : never

type Any<T> = 0 extends 1 & T ? true : false

/** How deep a returned value is looked into. */
type Deep = [1, 1, 1, 1, 1]

/** The parts of a value that JSON cannot hold. */
type NotJson<T, Left extends unknown[] = Deep> =
  Any<T> extends true
    ? never
    : Left extends [unknown, ...infer Rest]
      ? T extends null | undefined | boolean | number | string
        ? never
        : T extends bigint | symbol | ((...values: never[]) => unknown)
          ? T
          : T extends readonly (infer Item)[]
            ? NotJson<Item, Rest>
            : T extends object
              ? { [Key in keyof T]-?: NotJson<T[Key], Rest> }[keyof T]
              : never
      : never

/** The sentence for a value with parts that JSON cannot hold. `any` stands where another error is shown already. */
type Unrecordable<Parts> = [Parts] extends [never]
  ? never
  : [unknown] extends [Parts]
    ? never
    : "a step's value is recorded as JSON, which has no functions, dates, maps or bigints: return plain data, or nothing"

/** `Returned` where it can be recorded; otherwise the sentence that the editor shows. */
export type ReturnOf<Returned> = [Unrecordable<NotJson<Awaited<Returned>>>] extends [never]
  ? Returned
  : Unrecordable<NotJson<Awaited<Returned>>>

/** What a gate's own function returns: passed or not, and a line for people. */
export interface Verdict {
  readonly passed: boolean
  readonly summary?: string
}

/** A team's own check, for `.gate()`. */
export type CheckFunction<Of extends Shape, Given> = (
  context: StepContext<Of, Given>,
) => boolean | Verdict | Promise<boolean | Verdict>

type MaybePromise<T> = T | Promise<T>

export interface StepOptions<Of extends Shape, Given, Value, Time extends Written> {
  /** Attempts after the first, or those and the time between them; none if left out. */
  readonly retry?: Retries<Time>
  /** Time limit of one attempt. */
  readonly timeout?: DurationOf<Time>
  /**
   * Takes the step's effect back in a rollback. `'not-needed'` says that nothing of it lasts, as with a smoke
   * test; `'none'`, that something does and nothing can take it back.
   */
  readonly undo?: ((context: UndoContext<Of, Given, Value>) => unknown) | 'none' | 'not-needed'
  /** Returns the step's value where it is already done, and undefined where it is not. */
  readonly observe?: (context: StepContext<Of, Given>) => MaybePromise<Value | undefined>
  /** Running it a second time does no harm, so that an interrupted one is simply run again. */
  readonly idempotent?: boolean
}
