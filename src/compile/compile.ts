/**
 * compile: definition and facts to plan.
 *
 * Role: runs the passes in order and puts the plan together. Nothing is thrown for what a team may have got
 * wrong: all findings come back at once, and a plan only where none of them is an error.
 *
 * Two halves, because what is asked of the world depends on the first: `resolveRelease` says which components
 * go where, the runner reads the facts for exactly these, and `compileRelease` makes the plan.
 */
import type { CallSite, EnvironmentModel, ItemModel, ReleaseModel, SecretModel } from '../definition/model.ts'
import { type Diagnostic, hasErrors, type Span } from '../diagnostic.ts'
import { type HashPieces, sealPlan } from '../plan/canonical.ts'
import type {
  FailurePolicy,
  LiveFact,
  Plan,
  PlanApprover,
  PlanComponent,
  PlanEnvironment,
  PlanSecret,
  Sha256,
} from '../plan/plan.ts'
import { PLAN_FORMAT } from '../plan/plan.ts'
import { type ResolvedComponent, readVersion, resolveComponents } from './components.ts'
import { CompileContext, isSecret } from './context.ts'
import { asIfLive, type ComponentFact, isOther } from './deploy.ts'
import { checkHttpGates } from './gates.ts'
import { lowerGuard } from './guard.ts'
import { Lowering, lowerStages } from './lower.ts'
import { analysesOf, secretsOfAnalysis } from './metrics.ts'
import { checkNames, flatten } from './names.ts'
import { checkOptions } from './options.ts'
import { readParams } from './params.ts'
import { isProgressive } from './phases.ts'
import { checkRegions, isHeldBy, regionsOf, type SiteModel, sitesOf } from './regions.ts'
import { checkSafety } from './safety.ts'
import { resolveStages } from './stages.ts'

export const DEFAULT_POLICY: FailurePolicy = 'rollback-all'
/** Effects in flight at once where the definition does not say: a plan does not depend on the machine that made it. */
export const DEFAULT_CONCURRENCY = 8

export interface CompileInput {
  readonly model: ReleaseModel
  /** As typed on the command line, by name. */
  readonly params: Readonly<Record<string, string>>
  /** How many effects may be in flight at once; left out: as the definition says. */
  readonly concurrency?: number | null
  readonly locate: (at: CallSite) => Span | undefined
}

/** A definition whose params, components and environments are known, and what was found on the way. */
export interface ResolvedRelease {
  readonly model: ReleaseModel
  readonly version: string
  readonly components: readonly ResolvedComponent[]
  readonly environments: readonly EnvironmentModel[]
  /** Every place that something is deployed to: environments, or their regions. */
  readonly sites: readonly SiteModel[]
  /** Which component goes to which place, by name. */
  readonly targets: readonly { readonly environment: string; readonly component: string }[]
  readonly concurrency: number
  readonly context: CompileContext
}

export interface CompileFacts {
  readonly bundle: Sha256
  /** Components whose folder could not be read are left out, with a finding in `diagnostics`. */
  readonly components: ReadonlyMap<string, ComponentFact>
  readonly live: Readonly<Record<string, Readonly<Record<string, LiveFact | null>>>>
  /** null: the release names no approvers. unknown: they could not be read, which is among the diagnostics. */
  readonly approvers: readonly PlanApprover[] | null | 'unknown'
  readonly diagnostics: readonly Diagnostic[]
  readonly sha256: HashPieces
}

export interface Compiled {
  /** null where any of the diagnostics is an error. */
  readonly plan: Plan | null
  readonly diagnostics: readonly Diagnostic[]
}

/** First half: everything that needs nothing but the definition and the params. */
export function resolveRelease(input: CompileInput): ResolvedRelease {
  const { model } = input
  const context = new CompileContext(input.locate)
  readParams(model, input.params, context)
  const version = readVersion(model, context)
  checkOptions(model, context)
  checkNames(model, context)
  const components = resolveComponents(model, version, context)
  const environments = environmentsOf(model, context)
  const held = new Set(components.map(component => component.name))
  const concurrency = input.concurrency ?? model.concurrency ?? DEFAULT_CONCURRENCY
  checkRegions(model, context)
  const targets = targetsOf(model, held, context)
  const sites = environments.flatMap(environment => sitesOf(environment, context))
  return { model, version, components, environments, sites, targets, concurrency, context }
}

/** Second half: the nodes, what is dangerous about them, and the plan. */
export function compileRelease(resolved: ResolvedRelease, facts: CompileFacts): Compiled {
  const { model, context } = resolved
  const stages = resolveStages(model, context)
  const byName = new Map(resolved.components.map(component => [component.name, component]))
  const sites = new Map(resolved.sites.map(site => [site.name, site]))
  const target = { components: byName, facts: facts.components, live: facts.live, sites }
  const { nodes, positions } = lowerStages(stages, target, context)
  // What is wrong with a strategy is said at the first deployment, which does without it, and not at the second.
  const isFirst = resolved.targets.some(
    ({ environment, component }) => !isOther(target, environment, byName.get(component)!),
  )
  if (isFirst && divides(model)) lowerStages(stages, asIfLive(target), context)
  checkHttpGates(model, context)
  const guard = model.guard === null ? null : lowerGuard(new Lowering(target, context), model.guard, resolved)
  checkSafety({ model, nodes, approvers: facts.approvers }, context)
  const secrets = secretsOf(model, context)
  const diagnostics = [...context.diagnostics, ...facts.diagnostics]
  if (hasErrors(diagnostics)) return { plan: null, diagnostics }
  const policy = model.onFailure ?? DEFAULT_POLICY
  const plan: Omit<Plan, 'hash'> = {
    format: PLAN_FORMAT,
    release: {
      name: model.name,
      version: resolved.version,
      ...(model.codename === null ? {} : { codename: model.codename }),
      ...(model.targetDate === null ? {} : { targetDate: model.targetDate }),
    },
    bundle: facts.bundle,
    params: Object.fromEntries(context.params),
    policy,
    ...(model.rollback === null ? {} : { rollback: model.rollback }),
    ...(guard === null ? {} : { guard }),
    concurrency: resolved.concurrency,
    components: resolved.components.map(component => planComponent(component, facts)),
    environments: resolved.sites.map(site => planEnvironment(site, model)),
    secrets: secrets.map(planSecret),
    approvers: facts.approvers === 'unknown' ? [] : facts.approvers,
    facts: {
      live: facts.live,
      sources: Object.fromEntries([...facts.components].map(([name, fact]) => [name, fact.digest])),
    },
    stages: stages.map(stage => ({
      name: stage.model.name,
      after: stage.after,
      policy: stage.model.onFailure ?? policy,
    })),
    nodes,
    // Not spread: there is one for each node.
    positions: Object.assign(positions, componentPositions(resolved)),
  }
  return { plan: sealPlan(plan, facts.sha256), diagnostics }
}

/** Whether any deployment's strategy divides traffic. */
const divides = (model: ReleaseModel): boolean =>
  model.stages
    .flatMap(stage => flatten(stage.items))
    .some(item => item.kind === 'deploy' && isProgressive(item.with))

function environmentsOf(model: ReleaseModel, context: CompileContext): readonly EnvironmentModel[] {
  const byName = new Map<string, EnvironmentModel>()
  const used = model.stages
    .flatMap(stage => flatten(stage.items))
    .flatMap(item => {
      if (item.kind === 'deploy') return [item.to]
      if (item.kind !== 'gate' || typeof item.check === 'function' || item.check.kind !== 'http') return []
      return typeof item.check.target === 'string' ? [] : [item.check.target.environment]
    })
  for (const environment of used) {
    const first = byName.get(environment.name)
    if (first === undefined) byName.set(environment.name, environment)
    else if (first !== environment) {
      context.report({
        code: 'duplicate-environment',
        message: `two environments are named "${environment.name}"`,
        hint: 'Define it once and use it by reference.',
        at: environment.at,
        related: [{ message: 'the first one', at: first.at }],
      })
    }
  }
  return [...byName.values()]
}

function targetsOf(
  model: ReleaseModel,
  held: ReadonlySet<string>,
  context: CompileContext,
): ResolvedRelease['targets'] {
  const seen = new Map<string, { environment: string; component: string }>()
  for (const item of model.stages.flatMap(stage => flatten(stage.items))) {
    if (item.kind !== 'deploy') continue
    for (const site of sitesOf(item.to, context)) {
      for (const { name } of item.components.filter(c => held.has(c.name) && isHeldBy(site, c.name)))
        seen.set(`${site.name}/${name}`, { environment: site.name, component: name })
    }
  }
  return [...seen.values()]
}

/** Every secret that the release lists or that something in it refers to, once. */
function secretsOf(model: ReleaseModel, context: CompileContext): readonly SecretModel[] {
  const byName = new Map<string, SecretModel>()
  const used: unknown[] = [
    ...model.secrets,
    ...model.components.flatMap(component => Object.values(component.env)),
    ...model.stages.flatMap(stage => flatten(stage.items)).flatMap(item => secretsIn(item, context)),
    ...secretsOfAnalysis({ metrics: (model.guard?.triggers ?? []).map(({ metric }) => metric) }),
  ]
  for (const secret of used.filter(isSecret)) {
    const first = byName.get(secret.name)
    if (first === undefined) byName.set(secret.name, secret)
    else if (JSON.stringify(first.from) !== JSON.stringify(secret.from)) {
      context.report({
        code: 'duplicate-secret',
        message: `the secret "${secret.name}" is read from two different places`,
        hint: 'Define it once and use it by reference.',
        at: secret.at,
        related: [{ message: 'the first one', at: first.at }],
      })
    }
  }
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function secretsIn(item: ItemModel, context: CompileContext): readonly unknown[] {
  if (item.kind === 'notify') return [item.channel.url]
  if (item.kind === 'bake') return secretsOfAnalysis(item.analysis)
  if (item.kind !== 'deploy') return []
  const baked = regionsOf(item.to, context).flatMap(({ watched }) => watched ?? [])
  return [item.to.metrics?.url, ...[...analysesOf(item.with), ...baked].flatMap(secretsOfAnalysis)]
}

function planSecret({ name, from }: SecretModel): PlanSecret {
  switch (from.kind) {
    case 'env':
      return { name, from: 'env', variable: from.variable }
    case 'file':
      return { name, from: 'file', path: from.path }
    case 'command':
      return { name, from: 'command', argv: from.argv }
  }
}

function planComponent(component: ResolvedComponent, facts: CompileFacts): PlanComponent {
  const { model } = component
  const fact = facts.components.get(component.name)
  return {
    name: component.name,
    type: model.type,
    ...(model.platform === null ? {} : { platform: model.platform }),
    version: component.version,
    critical: model.critical,
    needs: model.needs.map(need => ({
      component: need.component.name,
      ...(need.range === null ? {} : { range: need.range }),
    })),
    group: component.group,
    source: fact?.source ?? '',
    env: component.env,
  }
}

const planEnvironment = (site: SiteModel, model: ReleaseModel): PlanEnvironment => {
  const { name, environment, region, wave } = site
  const { on, protect } = environment
  const router = on.router === null ? {} : { router: { kind: on.router.kind } }
  return {
    name,
    platform: { kind: on.kind, cluster: on.cluster ?? model.name, ...router },
    protect,
    ...(region === null ? {} : { region: { name: region, of: environment.name, wave } }),
  }
}

function componentPositions({ components, context }: ResolvedRelease): Record<string, Span> {
  const positions: Record<string, Span> = {}
  for (const { name, model } of components) {
    const span = context.span(model.at)
    if (span !== undefined) positions[`component:${name}`] = span
  }
  return positions
}
