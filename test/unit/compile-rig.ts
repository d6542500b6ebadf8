/** Definitions compiled with facts that a test makes up; places are told by what stands there, not by line. */
import { createHash } from 'node:crypto'
import {
  type Compiled,
  type CompileFacts,
  compileRelease,
  type ResolvedRelease,
  resolveRelease,
} from '../../src/compile/compile.ts'
import { analysesOf } from '../../src/compile/metrics.ts'
import type {
  AnalysisModel,
  CallSite,
  ItemModel,
  RegionModel,
  ReleaseModel,
} from '../../src/definition/model.ts'
import type { Diagnostic, Span } from '../../src/diagnostic.ts'
import { modelOf } from '../../src/index.ts'
import type { LiveFact, Plan, PlanApprover, PlanNode } from '../../src/plan/plan.ts'

/** Of a text, or of pieces of one. */
export const sha256 = (text: Iterable<string>): string =>
  createHash('sha256')
    .update([...text].join(''))
    .digest('hex')

export interface World {
  readonly params?: Readonly<Record<string, string>>
  readonly live?: Readonly<Record<string, Readonly<Record<string, LiveFact | null>>>>
  readonly approvers?: readonly PlanApprover[] | null | 'unknown'
  readonly diagnostics?: readonly Diagnostic[]
}

export const people = (roles: Readonly<Record<string, readonly string[]>>): readonly PlanApprover[] =>
  Object.entries(roles).map(([person, held]) => ({
    person,
    roles: held,
    keys: [`ssh-ed25519 ${sha256(person).slice(0, 16)}`],
  }))

export function resolveIt(definition: unknown, world: World = {}): ResolvedRelease {
  const model = modelOf(definition)
  if (model === null) throw new Error('the test handed over no release')
  const places = placesOf(model)
  const locate = (at: CallSite): Span | undefined => {
    const file = places.get(at)
    return file === undefined ? undefined : { file, line: 1, column: 1 }
  }
  return resolveRelease({ model, params: world.params ?? {}, locate })
}

export function compileIt(definition: unknown, world: World = {}): Compiled {
  const resolved = resolveIt(definition, world)
  return compileRelease(resolved, factsFor(resolved, world))
}

/** @throws where anything is an error */
export function planOf(definition: unknown, world: World = {}): Plan {
  const { plan, diagnostics } = compileIt(definition, world)
  if (plan === null) throw new Error(tell(diagnostics))
  return plan
}

function factsFor(resolved: ResolvedRelease, world: World): CompileFacts {
  const nothing: Record<string, Record<string, LiveFact | null>> = {}
  for (const { environment, component } of resolved.targets) {
    nothing[environment] ??= {}
    nothing[environment][component] = null
  }
  return {
    bundle: sha256('the bundle'),
    components: new Map(
      resolved.components.map(({ name }) => [
        name,
        { source: `services/${name}`, digest: sha256(name), start: ['node', 'server.js'] },
      ]),
    ),
    live: world.live ?? nothing,
    approvers: world.approvers ?? null,
    diagnostics: world.diagnostics ?? [],
    sha256,
  }
}

/** What stands at each call site of a model: `stage staging`, `component auth`. */
function placesOf(model: ReleaseModel): ReadonlyMap<CallSite, string> {
  const places = new Map<CallSite, string>([[model.at, 'release']])
  for (const param of model.params) places.set(param.at, `param ${param.name}`)
  for (const secret of model.secrets) places.set(secret.at, `secret ${secret.name}`)
  for (const component of model.components) {
    places.set(component.at, `component ${component.name}`)
    for (const need of component.needs)
      if (need.at !== component.at) places.set(need.at, `need of ${component.name}`)
    for (const value of Object.values(component.env)) {
      if (typeof value === 'object' && 'name' in value) places.set(value.at, `env of ${component.name}`)
    }
  }
  const visit = (item: ItemModel): void => {
    places.set(item.at, 'name' in item ? `${item.kind} ${item.name}` : item.kind)
    if (item.kind === 'deploy') {
      places.set(item.to.at, `environment ${item.to.name}`)
      for (const { name, at } of item.components) places.set(at, `component ${name}`)
    }
    for (const { metrics, score } of analysesIn(item)) {
      if (score !== null && score.at !== null) places.set(score.at, 'score')
      for (const { name, at } of metrics) places.set(at, `metric ${name}`)
    }
    if ('items' in item) item.items.forEach(visit)
  }
  for (const stage of model.stages) {
    places.set(stage.at, `stage ${stage.name}`)
    stage.items.forEach(visit)
  }
  if (model.guard !== null) places.set(model.guard.at, 'guard')
  for (const { at, metric } of model.guard?.triggers ?? []) places.set(at, `trigger on ${metric.name}`)
  return places
}

function analysesIn(item: ItemModel): readonly AnalysisModel[] {
  if (item.kind === 'deploy') {
    const { regions } = item.to
    const baked = Array.isArray(regions)
      ? (regions as readonly RegionModel[]).flatMap(r => r.watched ?? [])
      : []
    return [...analysesOf(item.with), ...baked]
  }
  return item.kind === 'bake' ? [item.analysis] : []
}

/** Findings as a person reads them, with what stands at their place. */
export const tell = (diagnostics: readonly Diagnostic[]): string =>
  diagnostics
    .map(({ code, severity, message, hint, span, related }) =>
      [
        `${severity}[${code}] at ${span?.file ?? 'no place'}: ${message}`,
        ...(hint === undefined ? [] : [`  help: ${hint}`]),
        ...(related ?? []).map(r => `  see ${r.span?.file ?? 'no place'}: ${r.message}`),
      ].join('\n'),
    )
    .join('\n')

/** A plan's nodes, a few lines each: enough to see every edge. */
export const outline = (plan: Plan): string => `\n${plan.nodes.map(lineOf).join('\n')}\n`

const lineOf = (node: PlanNode): string =>
  [
    `${node.key} (${node.operation.kind}${undone(node)})`,
    ...(node.needs.length === 0 ? [] : [`  needs ${node.needs.join(', ')}`]),
    ...(node.after.length === 0 ? [] : [`  after ${node.after.join(', ')}`]),
  ].join('\n')

const undone = ({ undo }: PlanNode): string => (undo.kind === 'nothing' ? '' : `, undo: ${undo.kind}`)
