/**
 * From a definition's file to its plan: load, resolve, read the facts, compile.
 */
import { type CompileInput, compileRelease, resolveRelease } from '../src/compile/compile.ts'
import type { Diagnostic } from '../src/diagnostic.ts'
import { InputError } from '../src/errors.ts'
import type { Plan } from '../src/plan/plan.ts'
import { readFacts } from './facts.ts'
import { type LoadedDefinition, openDefinition } from './load/load.ts'
import type { Project } from './load/project.ts'
import { openPlatform } from './wire.ts'

export interface PlanRequest {
  readonly project: Project
  /** As typed on the command line: `name=value`. */
  readonly params: readonly string[]
  /** How many effects may be in flight at once; null: as the definition says. */
  readonly concurrency: number | null
}

export interface Planned {
  /** null where any of the diagnostics is an error. */
  readonly plan: Plan | null
  readonly diagnostics: readonly Diagnostic[]
  readonly loaded: LoadedDefinition
}

/** All findings at once: of the types, of the graph, of safety. @throws InputError where the definition could not be evaluated */
export async function planRelease(request: PlanRequest): Promise<Planned> {
  const { project } = request
  const params = readParamArguments(request.params)
  const { checked, ...opened } = await openDefinition(project, { types: 'check' })
  const { concurrency } = request
  const input: CompileInput = { model: opened.definition, params, concurrency, locate: opened.locate }
  const resolved = resolveRelease(input)
  const facts = await readFacts(resolved, {
    project,
    bundle: opened.bundle.hash,
    platform: openPlatform,
  })
  const compiled = compileRelease(resolved, facts)
  // Types are checked in another process, which takes longer than all the rest the first time.
  const loaded = { ...opened, ...(await checked) }
  const diagnostics = [...loaded.diagnostics, ...compiled.diagnostics]
  const broken = loaded.diagnostics.some(d => d.severity === 'error')
  return { plan: broken ? null : compiled.plan, diagnostics, loaded }
}

/** As {@link planRelease}, for those who need the plan. @throws InputError with every finding where there is none */
export async function requirePlan(request: PlanRequest): Promise<Planned & { readonly plan: Plan }> {
  const planned = await planRelease(request)
  if (planned.plan === null)
    throw Object.assign(new InputError(planned.diagnostics), { root: request.project.root })
  return { ...planned, plan: planned.plan }
}

function readParamArguments(given: readonly string[]): Readonly<Record<string, string>> {
  const wrong = given.filter(text => !/^[^=]+=/.test(text))
  if (wrong.length > 0) {
    throw new InputError(
      wrong.map(text => ({
        code: 'param-argument',
        severity: 'error' as const,
        message: `--param ${text}: a name and a value were expected`,
        hint: 'Write --param name=value.',
      })),
    )
  }
  const pairs = given.map(
    text => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)] as const,
  )
  const names = pairs.map(([name]) => name)
  const twice = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
  if (twice.length > 0) {
    throw new InputError(
      twice.map(name => ({
        code: 'param-twice',
        severity: 'error' as const,
        message: `--param ${name} is given twice`,
        hint: 'Say it once.',
      })),
    )
  }
  return Object.fromEntries(pairs)
}
