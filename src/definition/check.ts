/**
 * Checks: what a gate asks.
 *
 * Role: `coverage()`, `command()` and `http()`, each finished by the word that makes it a verdict.
 * Boundary: data; the adapters perform them. A team's own function can stand for a check (see stage.ts).
 */
import type { Component } from './component.ts'
import type { Environment } from './environment.ts'
import { copyOf, freeze, type Handle, handle, requireModel } from './handle.ts'
import type { CheckModel, CommandModel } from './model.ts'
import { brand } from './model.ts'

/** A question with a verdict, for `.gate()`: what `passes()`, `atLeast()` and `answers()` return. */
export interface Check extends Handle<CheckModel> {}

/** A command line, split into arguments and run without a shell, or the program and its arguments. */
export type CommandLine = string | readonly [string, ...string[]]

export interface CommandOptions {
  /** The folder it starts in, relative to that of the nearest package.json above the definition. */
  readonly cwd?: string
}

export interface CoverageOptions extends CommandOptions {
  /** Which figure counts; `'lines'` if left out. */
  readonly metric?: 'lines' | 'branches' | 'functions' | 'statements'
  /** Where the command leaves its report, relative to its folder; left out, the usual places are looked through. */
  readonly report?: string
}

export interface HttpOptions {
  /** `'GET'` if left out. */
  readonly method?: string
}

/** A component in an environment, asked through the environment's gateway. */
export interface HttpTarget {
  readonly component: Component
  readonly in: Environment
  /** `'/health'`. */
  readonly path: string
}

/** Coverage without the figure that is asked for: `.atLeast(90)` makes it a check. */
export interface CoverageWithoutAtLeast {
  /** Passes when the command exits with 0 and its report shows at least that many percent. */
  atLeast(percent: number): Check
}

/** A command without what is asked of it: `.passes()` makes it a check. */
export interface CommandWithoutPasses {
  /** Passes when the command exits with 0. */
  passes(): Check
}

/** A request without the answer that is asked for: `.answers()` makes it a check. */
export interface HttpWithoutAnswers {
  /** Passes when the answer's status is that one; 200 if left out. */
  answers(status?: number): Check
}

const check = (written: CheckModel): Check => handle({}, written)

const commandModel = (line: CommandLine, options: CommandOptions): CommandModel => ({
  line: copyOf(line),
  cwd: options.cwd ?? null,
})

/**
 * Asks for tests' coverage: runs a command, and reads the report that it leaves.
 *
 * Istanbul and c8 summaries (JSON), lcov and cobertura are read. A report older than the command's start does
 * not count.
 *
 * @example
 * import { coverage } from 'release-as-code'
 *
 * const covered = coverage('npm test -- --coverage', { metric: 'branches' }).atLeast(90)
 */
export function coverage(line: CommandLine, options: CoverageOptions = {}): CoverageWithoutAtLeast {
  return freeze({
    atLeast: (percent: number) =>
      check({
        [brand]: 'check',
        kind: 'coverage',
        command: commandModel(line, options),
        metric: options.metric ?? 'lines',
        report: options.report ?? null,
        atLeast: percent,
      }),
  })
}

/**
 * Asks a command, run without a shell in the folder of the nearest package.json above the definition.
 *
 * @example
 * import { command } from 'release-as-code'
 *
 * const scanned = command('npm run scan').passes()
 * const audited = command(['npm', 'audit', '--omit', 'dev'], { cwd: 'services' }).passes()
 */
export function command(line: CommandLine, options: CommandOptions = {}): CommandWithoutPasses {
  return freeze({
    passes: () => check({ [brand]: 'check', kind: 'command', command: commandModel(line, options) }),
  })
}

const targetModel = (target: string | HttpTarget): Extract<CheckModel, { kind: 'http' }>['target'] =>
  typeof target === 'string'
    ? target
    : {
        component: requireModel('component', target.component, 'http: component'),
        environment: requireModel('environment', target.in, 'http: in'),
        path: target.path,
      }

/**
 * Asks an address, or a component in an environment, over HTTP.
 *
 * @example
 * import { environment, http, local, service } from 'release-as-code'
 *
 * const auth = service('auth-service')
 * const staging = environment('staging', { on: local() })
 *
 * const up = http({ component: auth, in: staging, path: '/health' }).answers()
 * const gone = http('https://techcorp.example/v1/login', { method: 'POST' }).answers(410)
 */
export function http(target: string | HttpTarget, options: HttpOptions = {}): HttpWithoutAnswers {
  const asked = targetModel(target)
  const method = options.method ?? 'GET'
  return freeze({
    answers: (status = 200) => check({ [brand]: 'check', kind: 'http', target: asked, method, status }),
  })
}
