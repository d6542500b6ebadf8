/**
 * Environments, and the platforms that they are on.
 *
 * Boundary: names a platform and its settings; the platform's adapter is elsewhere.
 */
import { callSite } from './call-site.ts'
import type { Component } from './component.ts'
import { freeze, type Handle, handle, requireModel } from './handle.ts'
import type { Provider } from './metric.ts'
import type { EnvironmentModel, PickModel, PlatformModel, RegionModel, RouterModel } from './model.ts'
import { brand } from './model.ts'
import { type Picked, valueModel } from './param.ts'
import { type Analysis, analysisModel } from './strategy.ts'
import type { Duration, DurationOf, Value, Written } from './value.ts'

/** What an environment is on: what `local()` returns. */
export interface Platform extends Handle<PlatformModel> {}

/** Where components run: what `environment()` returns. */
export interface Environment<Name extends string = string> extends Handle<EnvironmentModel> {
  readonly name: Name
}

/** What divides requests: what `haproxy()` returns. */
export interface Router extends Handle<RouterModel> {}

export interface LocalOptions {
  /** Definitions that name the same cluster share its environments; the release's name if left out. */
  readonly cluster?: string
  /** What stands before each environment's instances; the platform's own gateway if left out. */
  readonly router?: Router
}

/** How a region is watched by itself before the next wave begins: as `.bake()` watches what was deployed. */
export interface RegionBake {
  readonly for: Value<Duration>
  /** Requests that it wants to have seen; none asked for if left out. */
  readonly requests?: number
  /** What has to hold; nothing but the requests if left out. */
  readonly analysis?: Analysis
}

/** A duration, or how it is watched; also where the regions of one environment differ in that. */
type BakeOf<T> = T extends RegionBake ? RegionBake | Value<Duration> : RegionBake | DurationOf<T>

/** One of an environment's places. */
export interface Region<Time extends Written | RegionBake = never> {
  readonly name: string
  /** From 1: regions of one wave are released together, and after all of the wave before. */
  readonly wave: number
  /**
   * Percent, in place of the canary's steps. Each is watched as long as the canary's step of that weight, or the next above it,
   * says; people are asked where they would be there.
   */
  readonly weights?: readonly number[]
  /** What runs in this region; all that is deployed if left out. */
  readonly components?: readonly Component[]
  /**
   * How long the wave is watched before the next one begins: by what the strategy measures, or by what stands here, as in
   * `{ for: '1h', requests: 100, analysis: [errorRate().below('1%')] }`.
   */
  readonly bake?: BakeOf<Time>
}

export interface EnvironmentOptions<Time extends Written | RegionBake = never> {
  readonly on: Platform
  /** Its places, released in waves; left out or empty, it is one place. A param may decide: `where.pick({ … })`. */
  readonly regions?: readonly Region<Time>[] | Picked<readonly Region<Time>[]>
  /** Where measures come from that do not say; its router if left out. */
  readonly metrics?: Provider
  /** Nothing reaches it without a gate or an approval before it: `release check` says so otherwise. */
  readonly protect?: boolean
}

/**
 * The platform of this machine: components run as processes, behind a gateway on 127.0.0.1.
 *
 * @example
 * import { environment, local } from 'release-as-code'
 *
 * const staging = environment('staging', { on: local({ cluster: 'techcorp' }) })
 */
export function local(options: LocalOptions = {}): Platform {
  const written: PlatformModel = {
    [brand]: 'platform',
    kind: 'local',
    cluster: options.cluster ?? null,
    router: options.router === undefined ? null : requireModel('router', options.router, 'local: router'),
  }
  return handle({}, written)
}

/**
 * HAProxy before each environment's instances, steered through its runtime API: the `haproxy` of this machine is started
 * for it. It divides requests by weight, header and cookie; it does not mirror them.
 *
 * @example
 * import { environment, haproxy, local } from 'release-as-code'
 *
 * const production = environment('production', { on: local({ router: haproxy() }), protect: true })
 */
export function haproxy(): Router {
  const written: RouterModel = { [brand]: 'router', kind: 'haproxy' }
  return handle({}, written)
}

/**
 * Declares a place where components run.
 *
 * @param name unique in the release, and on its platform's cluster.
 * @example
 * import { environment, local } from 'release-as-code'
 *
 * const production = environment('production', { on: local(), protect: true })
 */
export function environment<const Name extends string, const Time extends Written | RegionBake = never>(
  name: Name,
  options: EnvironmentOptions<Time>,
): Environment<Name> {
  const written: EnvironmentModel = {
    [brand]: 'environment',
    name,
    on: requireModel('platform', options.on, `The environment '${name}': on`),
    protect: options.protect ?? false,
    regions: regionsModel(options.regions),
    metrics:
      options.metrics === undefined
        ? null
        : requireModel('provider', options.metrics, `The environment '${name}': metrics`),
    at: callSite(environment),
  }
  return handle({ name }, written)
}

/** Each region as its model, also where a param decides between lists of them. */
const regionsModel = <Time extends Written | RegionBake>(
  regions: EnvironmentOptions<Time>['regions'],
): EnvironmentModel['regions'] => {
  if (regions === undefined) return null
  if (Array.isArray(regions)) return regions.map(regionModel)
  const picked = requireModel('pick', regions, 'environment: regions') as PickModel<readonly Region<Time>[]>
  const options = Object.entries(picked.options).map(([choice, list]) => [choice, list.map(regionModel)])
  return freeze({ ...picked, options: Object.fromEntries(options) })
}

const regionModel = <Time extends Written | RegionBake>(region: Region<Time>): RegionModel => ({
  name: region.name,
  wave: region.wave,
  weights: region.weights ?? null,
  components:
    region.components?.map(
      component => requireModel('component', component, `The region '${region.name}': components`).name,
    ) ?? null,
  ...bakeModel(region.bake),
})

function bakeModel(bake: unknown): Pick<RegionModel, 'bake' | 'watched'> {
  if (bake === undefined) return { bake: null, watched: null }
  if (!isRegionBake(bake)) return { bake: valueModel<string>(bake), watched: null }
  const analysis = analysisModel(bake.analysis)
  return {
    bake: valueModel<string>(bake.for),
    watched: { ...analysis, requests: bake.requests ?? analysis.requests },
  }
}

const isRegionBake = (bake: unknown): bake is RegionBake =>
  typeof bake === 'object' && bake !== null && 'for' in bake
