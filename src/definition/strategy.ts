/**
 * Strategies: how a component's instances are brought to another version.
 *
 * Boundary: data; the compiler expands a strategy into the plan's nodes.
 */
import { callSite } from './call-site.ts'
import { copyOf, type Handle, handle, requireModel } from './handle.ts'
import type { Metric } from './metric.ts'
import type { AbTestModel, AnalysisModel, CanaryStepModel, StrategyModel } from './model.ts'
import { brand } from './model.ts'
import { valueModel } from './param.ts'
import type { AmountOf, Duration, DurationOf, Value, Written } from './value.ts'

/** How instances are replaced: what `rolling()` and `allAtOnce()` return. */
export interface Strategy extends Handle<StrategyModel> {}

/** Time limit of one batch, where the strategy does not say. */
const PROGRESS_DEADLINE = '10m'

export interface RollingOptions<Batch, Unavailable, Time> {
  /** Instances replaced at a time, or a share of them (`'25%'`); 1 if left out. */
  readonly batch?: AmountOf<Batch>
  /** How many, or which share, may be missing meanwhile; 0 if left out: new ones are healthy before old ones go. */
  readonly maxUnavailable?: AmountOf<Unavailable>
  /** Time limit of one batch; 10 minutes if left out. */
  readonly progressDeadline?: DurationOf<Time>
}

export interface AllAtOnceOptions<Time> {
  /** Time limit of the whole; 10 minutes if left out. */
  readonly progressDeadline?: DurationOf<Time>
}

/**
 * Replaces instances batch by batch; each batch is a checkpoint.
 *
 * @example
 * import { rolling } from 'release-as-code'
 *
 * const careful = rolling()
 * const quick = rolling({ batch: '25%', maxUnavailable: 1, progressDeadline: '5m' })
 */
export function rolling<
  const Batch extends Written | number = never,
  const Unavailable extends Written | number = never,
  const Time extends Written = never,
>(options: RollingOptions<Batch, Unavailable, Time> = {}): Strategy {
  const written: StrategyModel = {
    [brand]: 'strategy',
    kind: 'rolling',
    batch: valueModel<number | string>(options.batch ?? 1),
    maxUnavailable: valueModel<number | string>(options.maxUnavailable ?? 0),
    progressDeadline: valueModel<string>(options.progressDeadline ?? PROGRESS_DEADLINE),
  }
  return handle({}, written)
}

/**
 * Replaces all instances of a component together.
 *
 * @example
 * import { allAtOnce } from 'release-as-code'
 *
 * const together = allAtOnce({ progressDeadline: '2m' })
 */
export function allAtOnce<const Time extends Written = never>(
  options: AllAtOnceOptions<Time> = {},
): Strategy {
  const written: StrategyModel = {
    [brand]: 'strategy',
    kind: 'all-at-once',
    progressDeadline: valueModel<string>(options.progressDeadline ?? PROGRESS_DEADLINE),
  }
  return handle({}, written)
}

/** How something is watched. */
export interface AnalysisOptions {
  readonly metrics: readonly Metric[]
  /** Between two measurements where a metric does not say; a tenth of the time watched if left out, from 1 s to 1 min. */
  readonly interval?: Value<Duration>
  /** Requests that it wants to have seen before it says anything good. */
  readonly requests?: number
  /** How much longer than asked it waits for data and requests; 5 minutes if left out. */
  readonly patience?: Value<Duration>
  /** Judges its comparisons together, by their groups; each that fails is a failure if left out. */
  readonly score?: ScoreOptions
}

/**
 * How the comparisons of an analysis are judged together, as Kayenta does: each belongs to a group, a group's score is the
 * share of its comparisons that pass, and the whole, from 0 to 100, is the groups' by their weights. It is decided once, when
 * its time is over; only what is `critical` fails before. A group of which nothing was measured fails it.
 * What is no comparison has to hold beside it.
 */
export interface ScoreOptions {
  /** By group, in percent: together 100. Groups that are not named share what is left evenly; all weigh alike if left out. */
  readonly weights?: Readonly<Record<string, number>>
  /** The score that passes; 95 if left out. */
  readonly pass?: number
  /** A score below it fails; 75 if left out. One between the two is marginal: it fails nothing and never promotes. */
  readonly marginal?: number
}

/** The metrics alone, or with how they are watched. */
export type Analysis = readonly Metric[] | AnalysisOptions

/** One step of a canary: a share of the requests, and what has to happen before the next. */
export interface CanaryStep {
  /** Percent of the requests. */
  readonly weight: Value<number>
  /** How long it is watched; the canary's `every` if left out. */
  readonly every?: Value<Duration>
  /** People who let it go on. Traffic stays divided meanwhile, and the run with it. */
  readonly approval?: { readonly name: string; readonly from: Readonly<Record<string, number>> }
}

export interface CanaryOptions {
  /** Percent of the requests, rising, the last one 100; or steps that say more. */
  readonly steps?: readonly (number | CanaryStep)[]
  /** How long each step is watched; 10 minutes if left out. */
  readonly every?: Value<Duration>
  /** What has to hold in each step. */
  readonly analysis?: Analysis
  /** What has to hold from the first shift to the end of the last step. */
  readonly background?: Analysis
  /** Starts as many instances of the old version beside the canary's, with the same share of the requests. */
  readonly baseline?: boolean
  /** Time limit of starting the instances of a step; 10 minutes if left out. */
  readonly progressDeadline?: Value<Duration>
}

export interface BlueGreenOptions {
  /** What has to hold of the new side before anybody is on it; its health alone if left out. */
  readonly preview?: AnalysisOptions & { readonly for: Value<Duration> }
  /** What has to hold after the switch, for as long as the old side is kept. */
  readonly analysis?: Analysis
  /** How long the old side is kept after the switch, so that the way back is one change; 30 s if left out. */
  readonly keepOld?: Value<Duration>
  /** Time limit of starting the new side; 10 minutes if left out. */
  readonly progressDeadline?: Value<Duration>
}

export interface AbTestOptions {
  /** Who gets the new version: a share of the callers, who then stay on their side, or those with a header or cookie. */
  readonly to:
    | { readonly percent: Value<number> }
    | { readonly header: string; readonly value: string }
    | { readonly cookie: string; readonly value: string }
  /** How long it lasts at most. */
  readonly for: Value<Duration>
  /** Decides: the new version wins where it holds. */
  readonly primary: Metric
  /** A breach of one of these ends the experiment as a failure. */
  readonly analysis?: Analysis
  /** Time limit of starting the new side; 10 minutes if left out. */
  readonly progressDeadline?: Value<Duration>
}

export interface MirrorOptions {
  /** How long requests are mirrored. */
  readonly for: Value<Duration>
  /** Percent of the requests that are copied; 100 if left out. */
  readonly percent?: Value<number>
  /** What has to hold of the answers to the copies. */
  readonly analysis: Analysis
  /** Time limit of starting the new side; 10 minutes if left out. */
  readonly progressDeadline?: Value<Duration>
}

const PATIENCE = '5m'
const STEPS = [5, 25, 50, 100] as const

const PASS = 95
const MARGINAL = 75

function scoreModel({ weights = {}, pass = PASS, marginal = Math.min(MARGINAL, pass) }: ScoreOptions) {
  return { weights: copyOf(weights), pass, marginal }
}

/** An analysis as data; metrics without more are watched as the product does by default. `word`: what the team called. */
export const analysisModel = (
  analysis: Analysis | undefined,
  word?: (...args: never[]) => unknown,
): AnalysisModel => {
  const options: AnalysisOptions =
    analysis === undefined ? { metrics: [] } : 'metrics' in analysis ? analysis : { metrics: analysis }
  return {
    metrics: options.metrics.map(metric => requireModel('metric', metric, 'analysis')),
    interval: options.interval === undefined ? null : valueModel<string>(options.interval),
    requests: options.requests ?? 0,
    patience: valueModel<string>(options.patience ?? PATIENCE),
    score:
      options.score === undefined
        ? null
        : { ...scoreModel(options.score), at: word === undefined ? null : callSite(word) },
  }
}

const stepModel = (step: number | CanaryStep): CanaryStepModel => {
  const { weight, every, approval } = typeof step === 'number' ? { weight: step } : step
  return {
    weight: valueModel<number>(weight),
    every: every === undefined ? null : valueModel<string>(every),
    approval: approval === undefined ? null : copyOf(approval),
  }
}

/**
 * Gives the new version a growing share of the requests, and judges it at each step; a breach takes all of it back.
 *
 * @example
 * import { canary, errorRate, latency } from 'release-as-code'
 *
 * const careful = canary({
 *   steps: [5, 25, 50, 100],
 *   every: '30m',
 *   analysis: [errorRate().below('1%'), latency('p95').below('500ms')],
 * })
 */
export function canary(options: CanaryOptions = {}): Strategy {
  const written: StrategyModel = {
    [brand]: 'strategy',
    kind: 'canary',
    steps: (options.steps ?? STEPS).map(stepModel),
    every: valueModel<string>(options.every ?? '10m'),
    analysis: analysisModel(options.analysis, canary),
    background: options.background === undefined ? null : analysisModel(options.background, canary),
    baseline: options.baseline ?? false,
    progressDeadline: valueModel<string>(options.progressDeadline ?? PROGRESS_DEADLINE),
  }
  return handle({}, written)
}

/**
 * Starts the new version whole beside the old one, and switches all requests at once; the old one is kept for a while.
 *
 * @example
 * import { blueGreen, errorRate } from 'release-as-code'
 *
 * const switched = blueGreen({ analysis: [errorRate().below('1%')], keepOld: '10m' })
 */
export function blueGreen(options: BlueGreenOptions = {}): Strategy {
  const { preview } = options
  const written: StrategyModel = {
    [brand]: 'strategy',
    kind: 'blue-green',
    preview:
      preview === undefined
        ? null
        : { ...analysisModel(preview, blueGreen), time: valueModel<string>(preview.for) },
    analysis: analysisModel(options.analysis, blueGreen),
    keepOld: valueModel<string>(options.keepOld ?? '30s'),
    progressDeadline: valueModel<string>(options.progressDeadline ?? PROGRESS_DEADLINE),
  }
  return handle({}, written)
}

const abTarget = (to: AbTestOptions['to']): AbTestModel['to'] => {
  if ('percent' in to) return { kind: 'percent', percent: valueModel<number>(to.percent) }
  if ('header' in to) return { kind: 'header', name: to.header, value: to.value }
  return { kind: 'cookie', name: to.cookie, value: to.value }
}

/**
 * Tries the new version on some callers, who stay on their side, and keeps the one that wins.
 *
 * @example
 * import { abTest, errorRate, measured } from 'release-as-code'
 *
 * const experiment = abTest({
 *   to: { percent: 50 },
 *   for: '7d',
 *   primary: measured('conversion', ['npm', 'run', '--silent', 'conversion', '--', '{side}']).atLeast(0.02),
 *   analysis: [errorRate().below('1%')],
 * })
 */
export function abTest(options: AbTestOptions): Strategy {
  const written: StrategyModel = {
    [brand]: 'strategy',
    kind: 'ab-test',
    to: abTarget(options.to),
    time: valueModel<string>(options.for),
    primary: requireModel('metric', options.primary, 'abTest: primary'),
    analysis: analysisModel(options.analysis, abTest),
    progressDeadline: valueModel<string>(options.progressDeadline ?? PROGRESS_DEADLINE),
  }
  return handle({}, written)
}

/**
 * Sends the new version a copy of the requests, compares its answers with those that the callers get, and lets it take
 * over when they agree. Nobody is ever answered by it before that.
 *
 * @example
 * import { mirror, mismatch } from 'release-as-code'
 *
 * const shadowed = mirror({ for: '1h', percent: 10, analysis: [mismatch().below('0.1%')] })
 */
export function mirror(options: MirrorOptions): Strategy {
  const written: StrategyModel = {
    [brand]: 'strategy',
    kind: 'mirror',
    percent: valueModel<number>(options.percent ?? 100),
    time: valueModel<string>(options.for),
    analysis: analysisModel(options.analysis, mirror),
    progressDeadline: valueModel<string>(options.progressDeadline ?? PROGRESS_DEADLINE),
  }
  return handle({}, written)
}
