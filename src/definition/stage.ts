/**
 * The inside of a stage, as a team writes it.
 *
 * Role: the public types of what `.stage()`, `.parallel()`, `.sequence()`, `.each()` and `.use()` hand over.
 * Boundary: types only; stage-builder.ts makes the objects.
 *
 * Invariants:
 *  S1. Every method returns a new, frozen object; nothing that was handed out changes.
 *  S2. What is written wrongly is an error in the editor, whose text says what to write instead.
 */
import type { Channel } from './channel.ts'
import type { Check } from './check.ts'
import type { Component } from './component.ts'
import type { Environment } from './environment.ts'
import type { BesideOf, Beyond, NewStep, Output, Seen, ValueOf } from './outputs.ts'
import type { Param } from './param.ts'
import type { CheckFunction, Recorded, ReturnOf, Shape, StepContext, StepOptions } from './step.ts'
import type { Analysis, Strategy } from './strategy.ts'
import type { DurationOf, Retries, Written } from './value.ts'

/** `Item` where the release holds the component; otherwise the sentence that the editor shows. */
type Held<Item, Of extends Shape> =
  Item extends Component<infer Name>
    ? Name extends Of['components']
      ? Item
      : `'${Name}' is not in this release: add it to the release's components`
    : Item extends string
      ? `deploy takes the component itself, not its name: write the variable that service('${Item}') returned`
      : 'deploy takes components: what service() and app() return'

/** `From` where it names roles; otherwise the sentence that the editor shows. */
type Roles<From> = keyof From extends never
  ? "an approval needs at least one role: write who approves and how many, such as { 'release-manager': 1 }"
  : From

export interface GateOptions<Time extends Written> {
  /** A gate that is not required only warns; `true` if left out. */
  readonly required?: boolean
  /** Time limit of one attempt. */
  readonly timeout?: DurationOf<Time>
  /** Attempts after the first, or those and the time between them; none if left out. */
  readonly retry?: Retries<Time>
}

export interface ApprovalOptions<From, Time extends Written> {
  /** How many people of each role. */
  readonly from: Roles<From>
  /** An approval that nobody gave by then is a failure; left out, it waits for ever. */
  readonly expires?: DurationOf<Time>
  /** Whether who started the run may approve too; `false` if left out. */
  readonly self?: boolean
}

export interface DeployOptions {
  readonly to: Environment
  /** `rolling()` if left out. */
  readonly with?: Strategy
  /**
   * `'needs'`: each group is finished before those that need it; taken if left out. `'lockstep'`: all go through the steps
   * of a canary together, and what breaks one of them takes all of them back.
   */
  readonly order?: 'needs' | 'lockstep'
}

export interface BakeOptions {
  /** Requests that it wants to have seen; none asked for if left out. */
  readonly requests?: number
  readonly analysis?: Analysis
}

export interface NotifyOptions {
  /** `{version}`, `{release}` and `{run}` are filled in; a summary of the run so far if left out. */
  readonly message?: string
  /** Whether its failure is one of the release; otherwise it is a warning. `false` if left out. */
  readonly required?: boolean
}

/** What stages and their parallel parts have in common: the items that leave no output. */
interface Items<Of extends Shape, Given> {
  /**
   * A check with a verdict. One that is required and fails stops the release; any other is a warning that
   * every report shows.
   *
   * @param check what to ask, or a function of the team's that returns whether it passed.
   * @example
   * import { command, release } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('preflight', s => s
   *     .gate('security scan', command('npm run scan').passes(), { timeout: '10m', retry: 2 })
   *     .gate('freeze is over', async ({ $ }) => {
   *       const open = await $`npm run --silent freeze`.text()
   *       return { passed: open.trim() === 'over', summary: `the freeze is ${open.trim()}` }
   *     }))
   */
  gate<const Time extends Written = never>(
    name: string,
    check: Check | CheckFunction<Of, Given>,
    options?: GateOptions<Time>,
  ): this

  /**
   * Waits, for days if need be, until as many people of each role have approved this very plan.
   *
   * @example
   * import { release } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0', approvers: 'phoenix/approvers' })
   *   .stage('go-live', s => s
   *     .approval('go live', { from: { 'release-manager': 1, 'platform-owner': 1 }, expires: '3d' }))
   */
  approval<const From extends Readonly<Record<string, number>>, const Time extends Written = never>(
    name: string,
    options: ApprovalOptions<From, Time>,
  ): this

  /**
   * Brings components to their version in an environment, those that others need first.
   *
   * @example
   * import { environment, local, release, rolling, service } from 'release-as-code'
   *
   * const auth = service('auth-service', { instances: 2 })
   * const order = service('order-service', { needs: [auth] })
   * const staging = environment('staging', { on: local() })
   *
   * export default release('phoenix', { version: '3.0.0', components: [auth, order] })
   *   .stage('staging', s => s.deploy([auth, order], { to: staging, with: rolling({ batch: 1 }) }))
   */
  deploy<const Item>(components: readonly Held<Item, Of>[], options: DeployOptions): this

  /**
   * Waits for that long before what follows. A run that only waits can be left and resumed.
   *
   * @param duration a number and `ms`, `s`, `m`, `h` or `d`, or what a param decides.
   * @example
   * import { release } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' }).stage('settle', s => s.wait('10m'))
   */
  wait<const Time extends Written>(duration: DurationOf<Time>): this

  /**
   * Watches what was deployed before it, for that long and that many requests. A breach is a failure like any other.
   *
   * @example
   * import { errorRate, release } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('settle', s => s.bake('1h', { requests: 100, analysis: [errorRate().below('1%')] }))
   */
  bake<const Time extends Written>(duration: DurationOf<Time>, options?: BakeOptions): this

  /**
   * Sends a message to a channel.
   *
   * @example
   * import { release, secret, slack } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('announce', s => s
   *     .notify(slack(secret('SLACK_WEBHOOK'), '#releases'), { message: '{release} {version} is out' }))
   */
  notify(channel: Channel, options?: NotifyOptions): this
}

/**
 * A stage while it is written: things run in the order written, and each method returns a new stage.
 *
 * `Of` is what the release holds; `Given` is the steps so far, as what is written next sees them. A reusable piece of
 * pipeline is a function from `Stage` to `Stage`; see {@link Stage.use}.
 */
export interface Stage<in out Of extends Shape = Shape, in out Given extends Seen = never>
  extends Items<Of, Given> {
  /**
   * The team's own code. What it returns is recorded once, as JSON, and typed for the steps that are certain
   * to come after it.
   *
   * An interrupted step that has neither `observe` nor `idempotent` makes resume stop and ask.
   *
   * @param name unique in the release, written literally: it names the output.
   * @example
   * import { release } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('build', s => s
   *     .step('image', async ({ $, version }) => {
   *       const digest = await $`npm run --silent image -- ${version}`.text()
   *       return { digest: digest.trim() }
   *     }, { undo: async ({ $, value }) => { if (value) await $`npm run drop -- ${value.digest}` } })
   *     .step('sign', async ({ $, outputs }) => {
   *       await $`npm run sign -- ${outputs.image.digest}`
   *     }, { idempotent: true }))
   */
  step<const Name extends string, Returned, const Time extends Written = never>(
    name: NewStep<Name, Given>,
    run: (context: StepContext<Of, Given>) => ReturnOf<Returned>,
    options?: StepOptions<Of, Given, NoInfer<Recorded<Returned>>, Time>,
  ): Stage<Of, Given | Output<Name, Recorded<Returned>>>

  /**
   * Runs things side by side. They do not see each other's outputs; what follows sees all of them.
   *
   * @example
   * import { command, release } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('checks', s => s
   *     .parallel(p => p
   *       .gate('lint', command('npm run lint').passes())
   *       .step('size', async ({ $ }) => Number(await $`npm run --silent size`.text()), { idempotent: true }))
   *     .step('report', ({ outputs, log }) => log(`${outputs.size} bytes`), { idempotent: true }))
   */
  parallel<Made extends Seen>(
    build: (parts: Parallel<Of, Given>) => Parallel<Of, Given, Made>,
  ): Stage<Of, Given | Made>

  /** Runs things in the order written; inside `.parallel()` it makes them one part. */
  sequence<Made extends Seen>(build: (part: Stage<Of, Given>) => Stage<Of, Made>): Stage<Of, Made>

  /**
   * Writes the same for each item of a list. Literal items keep their types, so that the outputs of
   * `` step(`build-${item}`, …) `` can be read by name.
   *
   * @example
   * import { release } from 'release-as-code'
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('build', s => s
   *     .each(['api', 'web'], (s, item) => s
   *       .step(`build-${item}`, async ({ $ }) => (await $`npm run build -- ${item}`.text()).trim(), { idempotent: true }))
   *     .step('publish', async ({ $, outputs }) => {
   *       await $`npm run publish -- ${outputs['build-api']} ${outputs['build-web']}`
   *     }, { idempotent: true }))
   */
  each<const Item, Made extends Seen>(
    list: readonly Item[],
    build: (part: Stage<Of, Given>, item: Item) => Stage<Of, Made>,
  ): Stage<Of, Made>

  /**
   * Puts a reusable piece of pipeline in: a function from a stage to a stage. Its outputs are there afterwards.
   *
   * A piece that reads outputs or params says so in its argument's type: `Stage<Shape, Output<'image', string>>`.
   *
   * @example
   * import { command, release, type Stage } from 'release-as-code'
   *
   * const checked = (s: Stage) => s
   *   .gate('lint', command('npm run lint').passes())
   *   .step('size', async ({ $ }) => Number(await $`npm run --silent size`.text()), { idempotent: true })
   *
   * export default release('phoenix', { version: '3.0.0' })
   *   .stage('checks', s => s
   *     .use(checked)
   *     .step('report', ({ outputs, log }) => log(`${outputs.size} bytes`), { idempotent: true }))
   */
  use<Wants extends Shape = Of, Needs extends Seen = Given, Made extends Seen = never>(
    piece: Piece<Of, Given, Wants, Needs, Made>,
  ): Stage<Of, Given | Beyond<Made, Needs>>
}

/** The parts of a `.parallel()` while they are written: each method adds one that runs beside the others. */
export interface Parallel<
  in out Of extends Shape = Shape,
  in out Given extends Seen = never,
  in out Made extends Seen = never,
> extends Items<Of, Given | BesideOf<Made>> {
  /** As {@link Stage.step}, beside the other parts. */
  step<const Name extends string, Returned, const Time extends Written = never>(
    name: NewStep<Name, Given | Made>,
    run: (context: StepContext<Of, Given | BesideOf<Made>>) => ReturnOf<Returned>,
    options?: StepOptions<Of, Given | BesideOf<Made>, NoInfer<Recorded<Returned>>, Time>,
  ): Parallel<Of, Given, Made | Output<Name, Recorded<Returned>>>

  /** One part whose things run in the order written, and see each other's outputs. */
  sequence<Part extends Seen>(
    build: (part: Stage<Of, Given | BesideOf<Made>>) => Stage<Of, Part>,
  ): Parallel<Of, Given, Made | Beyond<Part, Given | Made>>

  /** As {@link Stage.each}, with one or more parts for each item. */
  each<const Item, Part extends Seen>(
    list: readonly Item[],
    build: (parts: Parallel<Of, Given, Made>, item: Item) => Parallel<Of, Given, Part>,
  ): Parallel<Of, Given, Part>

  /** As {@link Stage.use}: the piece is one part. */
  use<Wants extends Shape = Of, Needs extends Seen = Given | BesideOf<Made>, Part extends Seen = never>(
    piece: Piece<Of, Given | BesideOf<Made>, Wants, Needs, Part>,
  ): Parallel<Of, Given, Made | Beyond<Part, Needs>>
}

/** The steps that a piece adds and that are there already. */
type Repeated<Given extends Seen, Needs extends Seen, Made> = Extract<
  Beyond<Made, Needs>['name'],
  Given['name']
>

/** What a piece reads of outputs and params, and is not there. */
type Missing<Of extends Shape, Given, Wants extends Shape, Needs> =
  | MissingOutput<Needs, Extract<Given, Output>>
  | (string extends Wants['params']['name'] ? never : MissingParam<Wants['params'], Of['params']>)

type MissingOutput<Needs, Given extends Output> =
  Needs extends Output<infer Name, infer Value>
    ? Name extends Given['name']
      ? ValueOf<Given, Name> extends Value
        ? never
        : `this piece reads the output '${Name}' as another type than it has here`
      : `this piece reads the output '${Name}', which is not there: put the piece after the step that makes it`
    : never

type MissingParam<Wants, Params extends Param> =
  Wants extends Param<infer Name, infer Value>
    ? Name extends Params['name']
      ? Extract<Params, Param<Name>> extends Param<Name, Value>
        ? never
        : `this piece reads the param '${Name}' as another type than it has here`
      : `this piece reads the param '${Name}', which is not there: list it in the release's params`
    : never

/** A reusable piece of pipeline that fits here; otherwise the sentence that the editor shows. */
export type Piece<
  Of extends Shape,
  Given extends Seen,
  Wants extends Shape,
  Needs extends Seen,
  Made extends Seen,
> = [Missing<Of, Given, Wants, Needs>] extends [never]
  ? [Repeated<Given, Needs, Made>] extends [never]
    ? (part: Stage<Wants, Needs>) => Stage<Wants, Made>
    : `this piece has a step '${Repeated<Given, Needs, Made>}', and there is one already: give one of them another name`
  : Missing<Of, Given, Wants, Needs>
