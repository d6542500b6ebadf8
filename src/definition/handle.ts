/**
 * What the objects of the language have in common: each carries its model.
 *
 * Role: hides the model behind one symbol, so that completion shows a team only what it may use, and finds
 * it again. Boundary: knows the models' brand; knows no builder.
 *
 * Invariants:
 *  H1. A handle and everything that its model holds are frozen, except the team's own functions.
 *  H2. A handle is known by its model's brand, never by `instanceof`: a bundled definition carries its own
 *      copy of every class.
 */
import { ReleaseError } from '../errors.ts'
import type { MeasureHeldModel } from './metric.ts'
import type {
  ChannelModel,
  CheckModel,
  ComponentModel,
  EnvironmentModel,
  MetricModel,
  ParamModel,
  PickModel,
  PlatformModel,
  ProviderModel,
  ReleaseModel,
  RouterModel,
  SecretModel,
  StrategyModel,
  TriggerModel,
} from './model.ts'
import { brand } from './model.ts'

/** The key under which an object of the language carries its model. */
export const model: unique symbol = Symbol.for('release-as-code/model') as never

/** There is no such class: a protected member keeps the model out of completion, and other objects out of its place. */
declare abstract class Carrier<Model> {
  protected readonly [model]: Model
}

/** An object of the language. */
export interface Handle<Model> extends Carrier<Model> {}

/** Makes a handle: what a team may use of it, and the model that it carries. */
export const handle = <H extends Handle<object>>(members: object, written: object): H =>
  freeze({ ...members, [model]: written }) as never

interface Models {
  channel: ChannelModel
  check: CheckModel
  component: ComponentModel
  environment: EnvironmentModel
  measure: MeasureHeldModel
  metric: MetricModel
  param: ParamModel
  pick: PickModel
  platform: PlatformModel
  provider: ProviderModel
  release: ReleaseModel
  router: RouterModel
  secret: SecretModel
  strategy: StrategyModel
  trigger: TriggerModel
}

export type HandleKind = keyof Models

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' || typeof value === 'function') && value !== null

/** The model of that kind which `value` carries; null where it carries none or another. */
export const modelIn = <Kind extends HandleKind>(kind: Kind, value: unknown): Models[Kind] | null => {
  if (!isObject(value) || !(model in value)) return null
  const carried: unknown = value[model]
  const fits = isObject(carried) && brand in carried && carried[brand] === kind
  return fits ? (carried as Models[Kind]) : null
}

const written = (value: unknown): string =>
  typeof value === 'string' ? `'${value}'` : `a value of type ${typeof value}`

/**
 * The model that `value` carries, where no other value can stand for it.
 * Fails with code `not-a-KIND` (`not-an-environment`): what the type check says in the editor, for a definition that was not checked.
 */
export const requireModel = <Kind extends HandleKind>(
  kind: Kind,
  value: unknown,
  where: string,
): Models[Kind] => {
  const found = modelIn(kind, value)
  if (found !== null) return found
  const article = kind === 'environment' ? 'an' : 'a'
  throw new ReleaseError(
    `not-${article}-${kind}`,
    `${where} takes ${article} ${kind}, and was given ${written(value)}.`,
    {
      hint: `Give what ${maker[kind]} returned.`,
      exitCode: 2,
    },
  )
}

const maker: { readonly [Kind in HandleKind]: string } = {
  channel: 'slack() or webhook()',
  check: 'command(…).passes(), coverage(…).atLeast() or http(…).answers()',
  component: 'service() or app()',
  environment: 'environment()',
  measure: 'errorRate(), latency() or another measure',
  metric: 'a measure such as errorRate().below(…)',
  param: 'param()',
  pick: "a param's pick()",
  platform: 'local()',
  provider: 'prometheus()',
  release: 'release()',
  router: 'haproxy()',
  secret: 'secret()',
  strategy: 'rolling(), canary(), blueGreen(), abTest(), mirror() or allAtOnce()',
  trigger: 'trigger()',
}

/** Freezes plain data to its last part; functions and what is frozen already are left as they are. */
export const freeze = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const key of Reflect.ownKeys(value)) {
    const part = (value as Record<PropertyKey, unknown>)[key]
    if (typeof part === 'object') freeze(part)
  }
  return Object.freeze(value)
}

/** A copy of plain data that the team handed over, so that freezing it does not freeze the team's own object. */
export const copyOf = <T>(value: T): T => {
  if (Array.isArray(value)) return value.map(copyOf) as T
  if (!isObject(value) || model in value || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copyOf(part)])) as T
}
