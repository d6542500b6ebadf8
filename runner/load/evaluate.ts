/**
 * From a bundle to the definition as data.
 *
 * Evaluation is synchronous and pure, and happens in this very process: the step functions in the data
 * are called later and may then do what they like.
 */
import { compileFunction, constants } from 'node:vm'
import type { CallSite, ReleaseModel } from '../../src/definition/model.ts'
import type { Diagnostic, Span } from '../../src/diagnostic.ts'
import { InputError, isReleaseError, type ReleaseError } from '../../src/errors.ts'
import type { Bundle } from './bundle.ts'
import { findRelease } from './find-release.ts'
import { guardGlobals } from './guard-globals.ts'
import { guardedRequire } from './guard-modules.ts'
import { createLocator, type Locator } from './locate.ts'
import type { Project } from './project.ts'
import {
  describeImpurity,
  type Evaluation,
  evaluateAs,
  IMPURITY_HINTS,
  ImpureError,
  type Impurity,
} from './purity.ts'

export interface Loaded {
  readonly definition: ReleaseModel
  /**
   * Where in the sources a call was made: the innermost frame that is not the language's own.
   * undefined where the stack names none. Also maps the stack of an error thrown by a step.
   */
  readonly locate: (at: CallSite) => Span | undefined
}

export interface EvaluateOptions {
  /** Whether the builders' calls are to know where they stand; left out, they are. */
  readonly places?: 'take' | 'skip'
}

/**
 * Evaluates a bundle.
 *
 * @throws InputError `impure-definition`, `evaluation-failed` or `no-release`, or what the language
 *   itself refused, each with its place in the sources
 */
export async function evaluateBundle(
  bundle: Bundle,
  project: Project,
  options: EvaluateOptions = {},
): Promise<Loaded> {
  const locator = createLocator(bundle)
  const run = (): unknown => runBundle(bundle, project)
  const evaluated =
    options.places === 'skip'
      ? // What fails is evaluated once more, as it is pure: an error is told with its place.
        runPurely(bundle, () => withoutStacks(run), locator).catch(() => runPurely(bundle, run, locator))
      : runPurely(bundle, run, locator)
  return { definition: findRelease(await evaluated, project), locate: locator.locate }
}

/** The evaluation is synchronous, so that nobody else's stacks are meant. src/definition/call-site.ts takes none then. */
function withoutStacks(run: () => unknown): unknown {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return run()
  } finally {
    Error.stackTraceLimit = limit
  }
}

async function runPurely(bundle: Bundle, run: () => unknown, locator: Locator): Promise<unknown> {
  const evaluation: Evaluation = { impurities: [] }
  const restore = guardGlobals(bundle.code)
  const rejections = watchRejections(bundle)
  let outcome: Outcome
  try {
    outcome = attempt(() => evaluateAs(evaluation, run))
    await nextTurn()
  } finally {
    rejections.stop()
    restore()
  }
  const [impurity] = evaluation.impurities
  if (impurity !== undefined) throw new InputError([impureDiagnostic(impurity, locator)])
  const failure = outcome.kind === 'threw' ? outcome : rejections.first()
  if (failure !== undefined) throw new InputError(failureDiagnostics(failure.error, locator))
  return outcome.kind === 'returned' ? outcome.value : undefined
}

type Threw = { readonly kind: 'threw'; readonly error: unknown }
type Outcome = Threw | { readonly kind: 'returned'; readonly value: unknown }

function attempt(run: () => unknown): Outcome {
  try {
    return { kind: 'returned', value: run() }
  } catch (error) {
    return { kind: 'threw', error }
  }
}

function runBundle(bundle: Bundle, project: Project): unknown {
  const module = { exports: {} }
  const script = compileFunction(bundle.code, ['exports', 'require', 'module'], {
    filename: bundle.path,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  script.call(module.exports, module.exports, guardedRequire(project.definition), module)
  return module.exports
}

const turn = setImmediate

/** Everything that the evaluation left in the queue of promises has run by then, under its guards. */
const nextTurn = (): Promise<void> => new Promise(resolve => turn(resolve))

/**
 * A promise that the definition left and that fails is a failure of the evaluation, and must not end
 * this process. One that fails elsewhere meanwhile is passed on as it was.
 */
function watchRejections(bundle: Bundle): {
  readonly stop: () => void
  readonly first: () => Threw | undefined
} {
  const own: unknown[] = []
  const foreign: unknown[] = []
  const listener = (error: unknown) => {
    const isOwn =
      error instanceof ImpureError || (error instanceof Error && error.stack?.includes(bundle.path))
    ;(isOwn ? own : foreign).push(error)
  }
  process.on('unhandledRejection', listener)
  return {
    stop: () => {
      process.off('unhandledRejection', listener)
      for (const error of foreign) void Promise.reject(error)
    },
    first: () => (own.length > 0 ? { kind: 'threw', error: own[0] } : undefined),
  }
}

// ── what went wrong, as diagnostics ─────────────────────────────────────────────────────────────

function impureDiagnostic({ kind, what, stack }: Impurity, locator: Locator): Diagnostic {
  const [innermost, ...outer] = locator.frames(stack)
  const team = innermost?.installed ? outer.find(frame => !frame.installed) : innermost
  const span = (team ?? innermost)?.span
  const library = innermost?.installed ? innermost.span : undefined
  return {
    code: 'impure-definition',
    severity: 'error',
    message: `${describeImpurity(kind, what)} while it was evaluated`,
    hint:
      library === undefined
        ? IMPURITY_HINTS[kind]
        : "this is a package's doing: use it in a step's function, with await import('…')",
    ...(span === undefined ? {} : { span }),
    ...(library !== undefined && team !== undefined
      ? { related: [{ message: 'it happens in a package', span: library }] }
      : {}),
  }
}

function failureDiagnostics(error: unknown, locator: Locator): readonly Diagnostic[] {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const span = locator.locate({ stack })
  const at = span === undefined ? {} : { span }
  if (isReleaseError(error)) return ownDiagnostics(error, at)
  return [
    {
      code: 'evaluation-failed',
      severity: 'error',
      message: `the definition threw while it was evaluated: ${describe(error)}`,
      ...at,
    },
  ]
}

const ownDiagnostics = (error: ReleaseError, at: { span?: Span }): readonly Diagnostic[] => [
  {
    code: error.code,
    severity: 'error',
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...at,
  },
]

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `a value that is no error: ${String(error)}`
  const cause = error.cause === undefined ? '' : ` (because: ${describe(error.cause)})`
  return `${error.name}: ${error.message}${cause}`
}
