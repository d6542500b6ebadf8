/**
 * Components: the things with a version that a release deploys.
 *
 * Role: `service()` and `app()`, and what one component needs of another.
 * Boundary: data; where a component's files are and how it starts is read by the compiler and the platform.
 */
import { callSite } from './call-site.ts'
import { copyOf, type Handle, handle, model, modelIn, requireModel } from './handle.ts'
import type { CallSite, ComponentModel, HealthModel, NeedModel, ParamValue } from './model.ts'
import { brand } from './model.ts'
import { valueModel } from './param.ts'
import type { Secret } from './secret.ts'
import type { DurationOf, Value } from './value.ts'

/** A thing with a version that is deployed: what `service()` and `app()` return. */
export interface Component<Name extends string = string> extends Handle<ComponentModel> {
  readonly name: Name

  /**
   * This component in the versions that fit, for another's `needs`.
   *
   * @param range a SemVer range: `'^3.0.0'`, `'>=2.9.0 <4'`.
   * @example
   * import { service } from 'release-as-code'
   *
   * const auth = service('auth-service')
   * const order = service('order-service', { needs: [auth.range('^3.0.0')] })
   */
  range(range: string): Need<Name>
}

/** A need of one component for another, in the versions that fit. Made by {@link Component.range}. */
export interface Need<Name extends string = string> extends Handle<NeedModel> {
  readonly name: Name
}

/** A component that answers requests: what `service()` returns. */
export interface Service<Name extends string = string> extends Component<Name> {
  readonly type: 'service'
}

/** A component that people use: what `app()` returns. */
export interface App<Name extends string = string> extends Component<Name> {
  readonly type: 'app'
}

type NeedOf<Item> = Item extends Component | Need
  ? Item
  : Item extends string
    ? `needs takes the component itself, not its name: write the variable that service('${Item}') returned`
    : 'needs takes components: what service() and app() return, or their range()'

export interface ComponentOptions<Item, Time> {
  /** Its failure fails the release; that of another component is contained. `false` if left out. */
  readonly critical?: boolean
  /** What must be there before it: other components, or ranges of their versions. Gives the rollout's order. */
  readonly needs?: readonly NeedOf<Item>[]
  /** Pins the rollout group, from 1; left out, it follows from `needs`. */
  readonly group?: number
  /** SemVer; the release's if left out. */
  readonly version?: Value<string>
  /** How many run: a number, or one for each environment by its name; 1 where left out. */
  readonly instances?: number | Readonly<Record<string, number>>
  /** Environment variables of its processes. A secret is given as the reference. */
  readonly env?: Readonly<Record<string, Value<ParamValue> | Secret>>
  /**
   * Its folder, relative to the definition's file; `{name}` and `{version}` are filled in.
   * Left out, the platform's convention holds.
   */
  readonly source?: string
  /** The command that starts it, run without a shell; the `start` script of its package.json if left out. */
  readonly start?: string | readonly string[]
  /** The path that answers 2xx when it is healthy (`/health` if left out), and how long it may take. */
  readonly health?: string | HealthOptions<Time>
}

export interface HealthOptions<Time> {
  readonly path?: string
  /** From its start to its first healthy answer. */
  readonly timeout?: DurationOf<Time>
  /** Between two questions. */
  readonly interval?: DurationOf<Time>
}

export interface AppOptions<Item, Time> extends ComponentOptions<Item, Time> {
  /** What it runs on: `'web'`, `'ios'`, `'android'`, `'desktop'`. */
  readonly platform?: string
}

/** A bare component is needed where its dependant is declared; a range has a place of its own. */
const needModel = (of: string, need: unknown, at: CallSite): NeedModel => {
  const ranged =
    typeof need === 'object' && need !== null && model in need ? (need[model] as NeedModel) : null
  if (ranged !== null && 'range' in ranged) return ranged
  const component = requireModel('component', need, `The component '${of}': needs`)
  return { component, range: null, at }
}

const healthModel = (health: string | HealthOptions<unknown> | undefined): HealthModel | null => {
  if (health === undefined) return null
  const options = typeof health === 'string' ? { path: health } : (health as HealthOptions<string>)
  return {
    path: options.path ?? '/health',
    timeout: (options.timeout as string | undefined) ?? null,
    interval: (options.interval as string | undefined) ?? null,
  }
}

const envModel = (env: ComponentOptions<unknown, unknown>['env']): ComponentModel['env'] =>
  Object.fromEntries(
    Object.entries(env ?? {}).map(([name, value]) => [
      name,
      modelIn('secret', value) ?? valueModel<ParamValue>(value),
    ]),
  )

type Maker = typeof service | typeof app

const define = (
  type: 'service' | 'app',
  name: string,
  options: AppOptions<unknown, unknown>,
  maker: Maker,
): Component => {
  const at = callSite(maker)
  const written: ComponentModel = {
    [brand]: 'component',
    type,
    name,
    platform: options.platform ?? null,
    critical: options.critical ?? false,
    needs: (options.needs ?? []).map(need => needModel(name, need, at)),
    group: options.group ?? null,
    version: options.version === undefined ? null : valueModel<string>(options.version),
    instances: copyOf(options.instances ?? 1),
    env: envModel(options.env),
    source: options.source ?? null,
    start: copyOf(options.start ?? null),
    health: healthModel(options.health),
    at,
  }
  const range = (text: string): Need => {
    const need: NeedModel = { component: written, range: text, at: callSite(range) }
    return handle({ name }, need)
  }
  return handle({ type, name, range }, written)
}

/**
 * Declares a service: a component that answers requests.
 *
 * Give what it needs by reference, so that the rollout's order follows; list it in the release's `components`.
 *
 * @param name unique in the release; by convention also its folder's name.
 * @example
 * import { service } from 'release-as-code'
 *
 * const auth = service('auth-service', { critical: true, instances: 2 })
 * const payment = service('payment-service', {
 *   critical: true,
 *   needs: [auth.range('^3.0.0')],
 *   health: { path: '/health', timeout: '30s' },
 * })
 */
export function service<const Name extends string, const Item = never, const Time extends string = never>(
  name: Name,
  options: ComponentOptions<Item, Time> = {},
): Service<Name> {
  return define('service', name, options as never, service) as Service<Name>
}

/**
 * Declares an app: a component that people use, deployed like any other.
 *
 * @param name unique in the release; by convention also its folder's name.
 * @example
 * import { app, service } from 'release-as-code'
 *
 * const auth = service('auth-service')
 * const web = app('web-app', { platform: 'web', needs: [auth] })
 */
export function app<const Name extends string, const Item = never, const Time extends string = never>(
  name: Name,
  options: AppOptions<Item, Time> = {},
): App<Name> {
  return define('app', name, options as never, app) as App<Name>
}
