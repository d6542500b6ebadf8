/**
 * The root of a definition.
 *
 * Role: `release()`, the order of stages, and the way back from a release to its model.
 * Boundary: data; nothing is judged here, except what cannot be data at all. The compiler says the rest.
 *
 * Invariants:
 *  R1. A release never changes: every method returns another one, frozen.
 *  R2. Its model is complete at any moment, and holds no object of the language, only models.
 */
import { callSite } from './call-site.ts'
import type { Component } from './component.ts'
import { type GuardOptions, guardModel } from './guard.ts'
import { copyOf, freeze, type Handle, model, modelIn, requireModel } from './handle.ts'
import type {
  ApproverModel,
  CallSite,
  FailurePolicyName,
  ReleaseModel,
  RollbackStrategyName,
  StageModel,
} from './model.ts'
import { brand } from './model.ts'
import type { Beyond, Ended, GivenAfter, Seen, WaitedBy } from './outputs.ts'
import type { Param } from './param.ts'
import { valueModel } from './param.ts'
import type { Secret } from './secret.ts'
import type { Stage } from './stage.ts'
import { buildItems, type ItemsBuilder } from './stage-builder.ts'
import type { Shape } from './step.ts'

/**
 * What happens to the rest of a release when something in it has failed.
 *
 * - `stop`: nothing new starts, what runs ends, nothing is undone.
 * - `rollback-all`: everything that the run did is undone, newest first.
 * - `rollback-dependents`: the failed component and all that need it are undone.
 * - `continue-partial`: as that, and what does not need it goes on.
 */
export type FailurePolicy = FailurePolicyName

/** A person who may approve, and the key that the person signs with. */
export interface Approver extends ApproverModel {}

/** `Policy` where it is one; otherwise the sentence that the editor shows. */
type PolicyOf<Policy> = Policy extends FailurePolicy
  ? Policy
  : `'${Policy & string}' is not a failure policy: write 'stop', 'rollback-all', 'rollback-dependents' or 'continue-partial'`

/** `Name` where no stage has it yet; otherwise the sentence that the editor shows. */
type NewStage<Name, Stages extends Ended> = Name extends Stages['name']
  ? `there is a stage '${Name}' already: give this one another name`
  : Name

/** `Name` where a stage above has it; otherwise the sentence that the editor shows. */
type StageAbove<Name, Stages extends Ended> = Name extends Stages['name']
  ? Name
  : [Stages] extends [never]
    ? 'no stage is written above this one: leave after out'
    : `there is no stage '${Name & string}' above this one: name one of those written above it`

/** The stages waited for; every one, where a name was wrong, so that one mistake is reported once. */
type WaitedFor<After, Stages extends Ended> = [After] extends [Stages['name']]
  ? Extract<WaitedBy<Stages, After>, string>
  : Stages['name']

export interface StageOptions<After, Policy, Stages extends Ended> {
  /** The stages that this one waits for; every stage written above it if left out. */
  readonly after?: readonly StageAbove<After, Stages>[]
  /** What happens when something in this stage fails; as the release says if left out. */
  readonly onFailure?: PolicyOf<Policy>
}

export interface ReleaseOptions<Components extends string, P extends Param, Secrets extends string> {
  /** SemVer, or a param that gives it. */
  readonly version: string | Param<string, string>
  /** What people call it. */
  readonly codename?: string
  /** ISO date: `'2024-03-15'`. */
  readonly targetDate?: string
  /** What it deploys. */
  readonly components?: readonly Component<Components>[]
  /** Its inputs; steps read them as `params.NAME`. */
  readonly params?: readonly P[]
  /** The secrets that steps read, as `await secrets.NAME()`. */
  readonly secrets?: readonly Secret<Secrets>[]
  /**
   * Who may approve: an SSH allowed-signers file with roles, relative to the definition's file, or people by
   * role. Left out, approvals are recorded unsigned.
   */
  readonly approvers?: string | Readonly<Record<string, readonly Approver[]>>
  /** How many effects may be in flight at once. */
  readonly concurrency?: number
}

/**
 * A release: what `release()` returns, and what a definition exports as its default.
 *
 * `Of` is what it holds; `Stages` is, for each stage, what its end leaves for stages that wait for it.
 */
export interface Release<in out Of extends Shape = Shape, in out Stages extends Ended = never>
  extends Handle<ReleaseModel> {
  readonly name: string

  /**
   * Adds a stage. It waits for every stage written above it.
   *
   * With `after`, it waits for those stages only, so that stages form a graph, and sees only the outputs that
   * are certain to be there then.
   *
   * @param name unique in the release, written literally.
   * @param build what the stage does: a function from the empty stage to the written one.
   * @example
   * import { command, release } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('lint', s => s.gate('lint', command('npm run lint').passes()))
   *   .stage('test', { after: [] }, s => s.gate('test', command('npm test').passes()))
   *   .stage('build', { after: ['lint', 'test'], onFailure: 'stop' }, s => s
   *     .step('image', async ({ $ }) => (await $`npm run --silent image`.text()).trim(), { idempotent: true }))
   */
  stage<const Name extends string, Made extends Seen>(
    name: NewStage<Name, Stages>,
    build: (stage: Stage<Of, GivenAfter<Stages, Stages['name']>>) => Stage<Of, Made>,
  ): Release<Of, Stages | Ended<Name, Beyond<Made, GivenAfter<Stages, Stages['name']>>, Stages['name']>>
  stage<
    const Name extends string,
    Made extends Seen,
    const After extends string = Stages['name'],
    const Policy extends string = FailurePolicy,
  >(
    name: NewStage<Name, Stages>,
    options: StageOptions<After, Policy, Stages>,
    build: (stage: Stage<Of, GivenAfter<Stages, WaitedFor<After, Stages>>>) => Stage<Of, Made>,
  ): Release<
    Of,
    Stages | Ended<Name, Beyond<Made, GivenAfter<Stages, WaitedFor<After, Stages>>>, WaitedFor<After, Stages>>
  >

  /**
   * Says what happens when something fails, in every stage that does not say so itself.
   *
   * @example
   * import { release } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('settle', s => s.wait('1m'))
   *   .onFailure('rollback-all')
   */
  onFailure<const Policy extends string = FailurePolicy>(
    policy: PolicyOf<Policy>,
    options?: RollbackOptions,
  ): Release<Of, Stages>

  /**
   * Says what is watched after the release, and when it is taken back. `release watch RUN --guard` watches, also hours
   * later and from another process; it goes by the plan that the run was made from.
   *
   * @example
   * import { errorRate, latency, release, trigger } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('settle', s => s.wait('1m'))
   *   .guard({
   *     for: '24h',
   *     every: '30s',
   *     triggers: [
   *       trigger(errorRate().above('5%'), { period: '2m', breaches: 3 }),
   *       trigger(latency('p95').above('2s'), { period: '5m', breaches: 3 }),
   *     ],
   *   })
   */
  guard(options: GuardOptions): Release<Of, Stages>
}

/**
 * In which order a rollback takes back what was done.
 *
 * - `service-by-service`: dependants first, along the graph, the newest first.
 * - `staged`: environment by environment, the last one first; the next only when what runs in it was found to be as it was.
 * - `immediate`: all traffic first, then everything at once.
 */
export type RollbackStrategy = RollbackStrategyName

/** How a failure's rollback goes. */
export interface RollbackOptions {
  /** In which order; `'service-by-service'` if left out. */
  readonly rollback?: RollbackStrategy
}

interface Options {
  readonly after?: readonly string[]
  readonly onFailure?: FailurePolicyName
}

type Build = (stage: ItemsBuilder) => unknown

const stageModel = (name: string, options: Options, build: Build, at: CallSite): StageModel => ({
  name,
  after: options.after === undefined ? null : [...options.after],
  onFailure: options.onFailure ?? null,
  items: buildItems('sequence', build, `the stage '${name}'`),
  at,
})

/** The object behind `Release`. */
class ReleaseBuilder {
  readonly name: string
  readonly [model]: ReleaseModel

  constructor(written: ReleaseModel) {
    this.name = written.name
    this[model] = freeze(written)
    Object.freeze(this)
  }

  stage(name: string, ...rest: [Build] | [Options, Build]): ReleaseBuilder {
    const at = callSite(this.stage)
    const [options, build] = rest.length === 1 ? [{}, rest[0]] : rest
    const stages = [...this[model].stages, stageModel(name, options, build, at)]
    return new ReleaseBuilder({ ...this[model], stages })
  }

  onFailure(policy: FailurePolicyName, options: RollbackOptions = {}): ReleaseBuilder {
    return new ReleaseBuilder({ ...this[model], onFailure: policy, rollback: options.rollback ?? null })
  }

  guard(options: GuardOptions): ReleaseBuilder {
    return new ReleaseBuilder({ ...this[model], guard: guardModel(options, callSite(this.guard)) })
  }
}

/**
 * Begins a release: the root of a definition, which exports it as its default.
 *
 * It is immutable: each method returns a new release.
 *
 * @param name what the release is called; runs are named after it.
 * @example
 * import { command, environment, local, param, release, rolling, service } from 'release-as-code'
 *
 * const version = param('version', { default: '3.0.0' })
 * const auth = service('auth-service', { critical: true, instances: 2 })
 * const production = environment('production', { on: local(), protect: true })
 *
 * export default release('phoenix', { version, components: [auth], params: [version] })
 *   .stage('preflight', s => s.gate('tests', command('npm test').passes()))
 *   .stage('production', s => s.deploy([auth], { to: production, with: rolling() }))
 *   .onFailure('rollback-all')
 */
export function release<
  const Components extends string = never,
  const P extends Param = never,
  const Secrets extends string = never,
>(name: string, options: ReleaseOptions<Components, P, Secrets>): Release<Shape<Components, P, Secrets>> {
  const written: ReleaseModel = {
    [brand]: 'release',
    name,
    version: valueModel(options.version),
    codename: options.codename ?? null,
    targetDate: options.targetDate ?? null,
    components: (options.components ?? []).map(each =>
      requireModel('component', each, 'release: components'),
    ),
    params: (options.params ?? []).map(each => requireModel('param', each, 'release: params')),
    secrets: (options.secrets ?? []).map(each => requireModel('secret', each, 'release: secrets')),
    approvers: copyOf(options.approvers ?? null),
    stages: [],
    onFailure: null,
    rollback: null,
    guard: null,
    concurrency: options.concurrency ?? null,
    at: callSite(release),
  }
  return new ReleaseBuilder(written) as never
}

/**
 * The model that a release carries; null for anything that is no release.
 *
 * It knows a release by its brand, so that one made by another copy of this package, as in a bundled
 * definition, is known too.
 *
 * @example
 * import { modelOf, release } from 'release-as-code'
 *
 * const stages = modelOf(release('phoenix', { version: '3.0.0' }))?.stages ?? []
 */
export function modelOf(value: unknown): ReleaseModel | null {
  return modelIn('release', value)
}
