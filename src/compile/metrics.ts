/**
 * Lowering of analyses: what is measured, how often, and what it has to be.
 *
 * Reason: thresholds and times are still as the team wrote them; here they become numbers in the measure's unit, and
 * a measure that its source cannot give is found before anything runs.
 */
import type {
  AnalysisModel,
  CallSite,
  EnvironmentModel,
  ExpectationModel,
  MeasureModel,
  MetricModel,
  ProviderModel,
  StrategyModel,
  Value,
} from '../definition/model.ts'
import type { ScorePolicy } from '../judge/score.ts'
import {
  type EnvValue,
  type Millis,
  type PlanExpectation,
  type PlanMeasure,
  type PlanMetric,
  type PlanProvider,
  type PlanRouter,
  ROUTER_CAPABILITIES,
} from '../plan/plan.ts'
import { type Beside, checkApart, isComparable } from './compared.ts'
import { type CompileContext, isSecret } from './context.ts'
import { requestsBeside, withFloor } from './floors.ts'
import type { Lowering } from './lower.ts'
import { checkOptions } from './metric-options.ts'
import { lowerScore } from './score.ts'
import { checkReach, checkSound } from './sound.ts'
import { parseDuration } from './units.ts'

const SECOND: Millis = 1000
/** A share of requests is judged on at least this many, where the metric does not say. */
const ENOUGH_REQUESTS = 101

export interface Watch extends Beside {
  /** How long it is watched at least. */
  readonly duration: Millis
  readonly environment: EnvironmentModel
  /** Another node's end is its own; left out: its time is. */
  readonly openEnded?: true
  /** What decides an experiment; left out: it is none. */
  readonly decides?: MetricModel | null
  readonly at: CallSite
}

export interface LoweredAnalysis {
  readonly metrics: readonly PlanMetric[]
  readonly requests: number
  readonly patience: Millis
  readonly score?: ScorePolicy
}

/** The router that stands before an environment. */
export const routerOf = (environment: EnvironmentModel): PlanRouter => ({
  kind: environment.on.router?.kind ?? 'gateway',
})

export function lowerAnalysis(lowering: Lowering, analysis: AnalysisModel, watch: Watch): LoweredAnalysis {
  const { context } = lowering
  const names = new Set<string>()
  const patience = context.duration(analysis.patience, {
    name: 'the patience of the analysis',
    at: watch.at,
    fallback: 0,
  })
  const metrics = analysis.metrics
    .filter(({ expected }) => isComparable(expected, watch))
    .map(model => lowerMetric(lowering, model, { analysis, watch, patience, names }))
  const counted = metrics.length > 0 || analysis.requests === 0 ? metrics : [requestsAlone(watch)]
  const score = lowerScore(context, { analysis, metrics, decides: watch.decides ?? null, at: watch.at })
  const requests = countAsked(context, analysis, watch.at)
  return { metrics: counted, requests, patience, ...(score !== undefined && { score }) }
}

function countAsked(context: CompileContext, { requests }: AnalysisModel, at: CallSite): number {
  if (Number.isInteger(requests) && requests >= 0) return requests
  context.report({
    code: 'not-a-count',
    message: `the analysis wants to have seen ${requests} requests`,
    hint: 'Write a whole number from 0: requests: 100.',
    at,
  })
  return 0
}

/** Where only a number of requests is asked for, they are counted; how many come in a second does not matter. */
const requestsAlone = ({ duration, environment }: Watch): PlanMetric => ({
  name: 'requests',
  unit: 'per-second',
  measure: { kind: 'throughput' },
  provider: providerOf(environment.metrics),
  expected: { kind: 'condition', condition: { kind: 'at-least', threshold: 0 } },
  interval: often(duration),
  delay: 0,
  failureLimit: 0,
  consecutiveErrorLimit: 4,
  minRequests: 0,
  noData: 'hold',
})

/** A tenth of the time watched, from one second to one minute. */
const often = (duration: Millis): Millis => Math.round(Math.min(60 * SECOND, Math.max(SECOND, duration / 10)))

interface Among {
  readonly analysis: AnalysisModel
  readonly watch: Watch
  readonly patience: Millis
  readonly names: Set<string>
}

function lowerMetric(lowering: Lowering, model: MetricModel, among: Among): PlanMetric {
  const { context } = lowering
  const { watch, analysis, patience } = among
  const time = (value: Value<string> | null, name: string, fallback: Millis): Millis =>
    context.duration(value, { name: `the ${name} of ${model.name}`, at: model.at, fallback })
  const interval = Math.max(
    1,
    time(model.interval, 'interval', time(analysis.interval, 'interval', often(watch.duration))),
  )
  const expected = withFloor(lowerExpectation(context, model), model.unit, floorOf(context, model))
  const metric: PlanMetric = {
    name: uniqueName(model, expected, among.names),
    unit: model.unit,
    measure: lowerMeasure(lowering, model.measure, model.at),
    provider: providerOf(model.provider ?? watch.environment.metrics),
    expected,
    interval,
    delay: time(model.delay, 'delay', 0),
    failureLimit: model.failureLimit,
    consecutiveErrorLimit: model.consecutiveErrorLimit,
    minRequests: requestsOf(context, model) ?? requestsWanted(model, expected),
    noData: model.noData,
    ...(model.inconclusiveLimit !== null && { inconclusiveLimit: model.inconclusiveLimit }),
    ...(model.count !== null && { count: model.count }),
  }
  checkOptions(context, model)
  checkMeasurable(context, metric, { model, watch })
  checkApart(context, metric, model.at)
  const limit = watch.openEnded === true ? null : watch.duration + patience
  checkSound(context, metric, { limit, at: model.at })
  if (watch.openEnded !== true)
    checkReach(context, metric, { duration: watch.duration, patience, at: model.at })
  return metric
}

/** One measure may be asked about twice, above and below. */
function uniqueName(model: MetricModel, expected: PlanExpectation, names: Set<string>): string {
  const base = expected.kind === 'comparison' ? `${model.name} compared` : model.name
  let name = base
  for (let n = 2; names.has(name); n += 1) name = `${base} (${n})`
  names.add(name)
  return name
}

/** As the team says; null: it does not. */
export function requestsOf(context: CompileContext, model: MetricModel): number | null {
  if (model.minRequests === null) return null
  const count = context.value(model.minRequests)
  if (Number.isInteger(count) && count >= 0) return count
  context.report({
    code: 'not-a-count',
    message: `${model.name} is to rest on ${JSON.stringify(count)} requests`,
    hint: 'Write a whole number from 0: minRequests: 100.',
    at: model.at,
  })
  return 0
}

/** So many that one bad answer alone is within a threshold of that share; where less is allowed, a hundred and one do. */
export function requestsWanted(model: MetricModel, expected: PlanExpectation): number {
  if (model.unit !== 'ratio' || model.measure.kind === 'mismatch') return 0
  if (expected.kind !== 'condition') return 0
  if (expected.condition.kind === 'within') return requestsBeside(expected.condition)
  const { kind, threshold } = expected.condition
  const allowed = kind === 'below' || kind === 'at-most' ? threshold : 1 - threshold
  if (allowed <= 0) return ENOUGH_REQUESTS
  // One of a hundred is 1 %, and that is not below 1 %. A quotient that misses a whole number by rounding is that number.
  const strict = kind === 'below' || kind === 'above'
  const wanted = strict ? Math.floor(1 / allowed + ROUNDING) + 1 : Math.ceil(1 / allowed - ROUNDING)
  return Math.min(ENOUGH_REQUESTS, wanted)
}

const ROUNDING = 1e-6

export function lowerExpectation(context: CompileContext, model: MetricModel): PlanExpectation {
  const { expected } = model
  switch (expected.kind) {
    case 'below':
    case 'at-most':
    case 'above':
    case 'at-least': {
      const threshold = numberOf(context, expected.threshold, model)
      return { kind: 'condition', condition: { kind: expected.kind, threshold } }
    }
    case 'within': {
      const tolerance = shareOf(context, expected.tolerance, model)
      return { kind: 'condition', condition: { ...withinOf(context, expected, model), tolerance } }
    }
    case 'comparison': {
      const { with: side, direction, confidence } = expected
      if (!(confidence > 0.5 && confidence < 1)) reportConfidence(context, model, confidence)
      const tolerance = shareOf(context, expected.tolerance, model)
      const { group, critical } = expected
      return {
        kind: 'comparison',
        with: side,
        direction,
        tolerance,
        confidence,
        ...(group !== null && { group }),
        ...(critical === true && { critical }),
      }
    }
  }
}

function withinOf(
  context: CompileContext,
  expected: Extract<ExpectationModel, { kind: 'within' }>,
  model: MetricModel,
) {
  const baseline =
    expected.of === 'stable'
      ? ({ kind: 'stable' } as const)
      : ({ kind: 'fixed', value: numberOf(context, expected.of, model) } as const)
  return { kind: 'within', baseline, direction: expected.direction } as const
}

function reportConfidence(context: CompileContext, model: MetricModel, confidence: number): void {
  context.report({
    code: 'not-a-confidence',
    message: `${model.name} is compared with a confidence of ${confidence}`,
    hint: 'A confidence lies between 0.5 and 1; 0.98 is usual.',
    at: model.at,
  })
}

/** The difference that is never a breach, in the measure's unit; null: none is written. */
function floorOf(context: CompileContext, model: MetricModel): number | null {
  const floor = 'floor' in model.expected ? model.expected.floor : null
  if (floor === null) return null
  const read = numberOf(context, floor, model, 'floor')
  if (read >= 0) return read
  context.report({
    code: 'not-a-floor',
    message: `the floor of ${model.name} is ${JSON.stringify(context.value(floor))}`,
    hint: 'It is the least difference that matters, and no difference is less than 0.',
    at: model.at,
  })
  return 0
}

/** A threshold in the measure's unit: `'1%'` of a share is 0.01, `'500ms'` of a time is 500. */
function numberOf(
  context: CompileContext,
  value: Value<number | string>,
  model: MetricModel,
  name = 'threshold',
): number {
  const written = context.value(value)
  const read = typeof written === 'number' ? written : parseThreshold(written, model.unit)
  if (read !== null && Number.isFinite(read)) return read
  context.report({
    code: 'not-a-threshold',
    message: `the ${name} of ${model.name} is ${JSON.stringify(written)}`,
    hint: THRESHOLD_HINT[model.unit],
    at: model.at,
  })
  return 0
}

function parseThreshold(text: string, unit: MetricModel['unit']): number | null {
  if (unit === 'ms') return parseDuration(text)
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text)
  return unit === 'ratio' && match !== null ? Number(match[1]) / 100 : null
}

const THRESHOLD_HINT: Readonly<Record<MetricModel['unit'], string>> = {
  ratio: "Write a percentage such as '1%', or a share such as 0.01.",
  ms: "Write a duration such as '500ms', or a number of milliseconds.",
  count: 'Write a number.',
  'per-second': 'Write a number: so many a second.',
  bytes: 'Write a number of bytes.',
  number: 'Write a number.',
}

function shareOf(context: CompileContext, value: Value<number | string>, model: MetricModel): number {
  const written = context.value(value)
  const match = typeof written === 'string' ? /^(\d+(?:\.\d+)?)%$/.exec(written) : null
  if (match !== null) return Number(match[1]) / 100
  context.report({
    code: 'not-a-tolerance',
    message: `the tolerance of ${model.name} is ${JSON.stringify(written)}`,
    hint: "Write a percentage such as '10%'.",
    at: model.at,
  })
  return 0
}

export function lowerMeasure(
  lowering: Pick<Lowering, 'context' | 'command'>,
  measure: MeasureModel,
  at: CallSite,
): PlanMeasure {
  switch (measure.kind) {
    case 'json':
      return { ...measure, url: envValue(measure.url) }
    case 'command':
      return { kind: 'command', command: lowering.command(measure.command, at) }
    case 'latency':
      if (!(measure.quantile > 0 && measure.quantile < 1)) {
        lowering.context.report({
          code: 'not-a-quantile',
          message: `latency is asked at the quantile ${measure.quantile}`,
          hint: "Write one between p0 and p100, such as 'p95'.",
          at,
        })
      }
      return measure
    default:
      return measure
  }
}

const envValue = (value: string | { readonly name: string }): EnvValue =>
  typeof value === 'string' ? { value } : { secret: value.name }

export const providerOf = (provider: ProviderModel | null): PlanProvider =>
  provider === null
    ? { kind: 'router' }
    : { kind: 'prometheus', url: envValue(provider.url), queries: provider.queries }

/** A router that keeps no histogram cannot say how long most answers took. */
export function checkMeasurable(
  context: CompileContext,
  metric: Pick<PlanMetric, 'provider' | 'measure'>,
  { model, watch }: { readonly model: MetricModel; readonly watch: Pick<Watch, 'environment'> },
): void {
  const router = routerOf(watch.environment)
  const able = ROUTER_CAPABILITIES[router.kind]
  const asked = metric.provider.kind === 'router' ? metric.measure.kind : null
  const lacking =
    (asked === 'latency' && !able.latency) || (asked === 'mismatch' && !able.mirroring) || asked === 'promql'
  if (!lacking) return
  context.report({
    code: 'router-cannot-measure',
    message: `${model.name} in ${watch.environment.name} cannot be measured by ${router.kind === 'haproxy' ? 'HAProxy' : 'the gateway'}`,
    hint: "Give the environment a source that can: metrics: prometheus('http://…').",
    at: model.at,
  })
}

/** Every secret that a metric's sources refer to. */
export const secretsOfAnalysis = ({ metrics }: Pick<AnalysisModel, 'metrics'>): readonly unknown[] =>
  metrics
    .flatMap(({ measure, provider }) => [measure.kind === 'json' ? measure.url : null, provider?.url])
    .filter(isSecret)

/** Everything that a strategy watches. */
export function analysesOf(strategy: StrategyModel): readonly AnalysisModel[] {
  switch (strategy.kind) {
    case 'rolling':
    case 'all-at-once':
      return []
    case 'canary':
      return [strategy.analysis, ...(strategy.background === null ? [] : [strategy.background])]
    case 'blue-green':
      return [strategy.analysis, ...(strategy.preview === null ? [] : [strategy.preview])]
    case 'ab-test':
      return [{ ...strategy.analysis, metrics: [...strategy.analysis.metrics, strategy.primary] }]
    case 'mirror':
      return [strategy.analysis]
  }
}
