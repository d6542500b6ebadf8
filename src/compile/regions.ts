/**
 * The places of an environment: itself, or its regions in their waves.
 *
 * A region is an environment of its own to everything that comes after: it has its own instances, router, locks and
 * facts, under the name `<environment>.<region>`.
 */
import type {
  AnalysisModel,
  DeployModel,
  EnvironmentModel,
  RegionModel,
  ReleaseModel,
  Value,
} from '../definition/model.ts'
import type { CompileContext } from './context.ts'
import { flatten } from './names.ts'

export interface SiteModel {
  /** As the plan names it: `production` or `production.eu-west-1`. */
  readonly name: string
  readonly environment: EnvironmentModel
  /** null: the environment has no regions. */
  readonly region: string | null
  readonly wave: number
  readonly weights: readonly number[] | null
  /** Names; null: all. */
  readonly components: readonly string[] | null
  readonly bake: Value<string> | null
  /** What it is watched by meanwhile; null: by what the strategy measures. */
  readonly watched: AnalysisModel | null
}

/** As written, or as a param decides; empty: it is one place. */
export const regionsOf = (environment: EnvironmentModel, context: CompileContext): readonly RegionModel[] =>
  environment.regions === null ? [] : context.value(environment.regions)

/** In the order in which they are released. */
export function sitesOf(environment: EnvironmentModel, context: CompileContext): readonly SiteModel[] {
  const { name } = environment
  const regions = regionsOf(environment, context)
  if (regions.length === 0) {
    const whole = { region: null, wave: 1, weights: null, components: null, bake: null, watched: null }
    return [{ name, environment, ...whole }]
  }
  return regions
    .map(region => ({ ...region, environment, region: region.name, name: `${name}.${region.name}` }))
    .sort((a, b) => a.wave - b.wave)
}

/** The same, those of one wave together. */
export function wavesOf(
  environment: EnvironmentModel,
  context: CompileContext,
): readonly (readonly SiteModel[])[] {
  const sites = sitesOf(environment, context)
  const waves = [...new Set(sites.map(site => site.wave))]
  return waves.map(wave => sites.filter(site => site.wave === wave))
}

/** Whether that component is released there. */
export const isHeldBy = (site: SiteModel, component: string): boolean =>
  site.components === null || site.components.includes(component)

export function checkRegions(model: ReleaseModel, context: CompileContext): void {
  const deployments = model.stages
    .flatMap(stage => flatten(stage.items))
    .flatMap(item => (item.kind === 'deploy' ? [item] : []))
  const environments = new Set(deployments.map(({ to }) => to))
  for (const environment of environments) {
    checkWeighted(
      environment,
      deployments.filter(({ to }) => to === environment),
      context,
    )
    const regions = regionsOf(environment, context)
    for (const region of regions) {
      const report = (code: string, message: string, hint: string): void =>
        context.report({ code, message, hint, at: environment.at })
      const same = regions.filter(other => other.name === region.name)
      if (same.length > 1)
        report(
          'duplicate-region',
          `${environment.name} has two regions named "${region.name}"`,
          'Give each its own name.',
        )
      if (!/^[\p{L}\p{N}][\p{L}\p{N}_-]*$/u.test(region.name))
        report(
          'not-a-name',
          `the region ${JSON.stringify(region.name)} of ${environment.name} has no usable name`,
          "Letters, digits, '-' and '_', as in 'eu-west-1'.",
        )
      if (!Number.isInteger(region.wave) || region.wave < 1)
        report(
          'not-a-wave',
          `the region "${region.name}" of ${environment.name} is in the wave ${region.wave}`,
          'Waves are counted from 1.',
        )
      const held = new Set(model.components.map(component => component.name))
      for (const name of region.components ?? [])
        if (!held.has(name))
          report(
            'component-not-held',
            `the region "${region.name}" names ${name}, which the release does not hold`,
            `Add ${name} to the release's components, or take it out of the region.`,
          )
    }
  }
}

/** Weights are the steps of a canary: where none goes to the region, they would be read by nobody. */
function checkWeighted(
  environment: EnvironmentModel,
  deployments: readonly DeployModel[],
  context: CompileContext,
): void {
  for (const site of sitesOf(environment, context)) {
    const here = deployments.filter(({ components }) => components.some(({ name }) => isHeldBy(site, name)))
    if (site.weights === null || here.length === 0 || here.some(item => item.with.kind === 'canary')) continue
    context.report({
      code: 'weights-without-canary',
      message: `the region "${site.region}" of ${environment.name} has weights, and no canary goes there: ${here.map(item => item.with.kind).join(', ')}`,
      hint: 'Deploy to it with a canary, whose steps the weights replace, or take the weights out.',
      at: here[0]!.at,
      related: [{ message: `${environment.name} is defined here`, at: environment.at }],
    })
  }
}
