/**
 * Lowering of a guard: what is watched after the release in each place, and when it is taken back.
 *
 * Reason: a trigger says what is bad, the judge what is healthy; and each environment has sources of its own.
 */
import type {
  CallSite,
  EnvironmentModel,
  GuardModel,
  MetricModel,
  TriggerModel,
  WindowModel,
} from '../definition/model.ts'
import type { Condition } from '../judge/condition.ts'
import type { Window } from '../judge/window.ts'
import {
  type Millis,
  type PlanExpectation,
  type PlanGuard,
  type PlanGuardPlace,
  type PlanReading,
  type PlanTrigger,
  ROUTER_CAPABILITIES,
} from '../plan/plan.ts'
import type { ResolvedRelease } from './compile.ts'
import type { CompileContext } from './context.ts'
import type { Lowering } from './lower.ts'
import { checkTriggerOptions } from './metric-options.ts'
import {
  checkMeasurable,
  lowerExpectation,
  lowerMeasure,
  providerOf,
  requestsOf,
  requestsWanted,
  routerOf,
} from './metrics.ts'
import type { SiteModel } from './regions.ts'

const MINUTE: Millis = 60_000

type Asked = Pick<Lowering, 'context' | 'command'>

/** null where nothing is deployed, which is reported. */
export function lowerGuard(lowering: Asked, guard: GuardModel, resolved: ResolvedRelease): PlanGuard | null {
  const { context } = lowering
  const sites = sitesGuarded(resolved)
  const report = reporter(context, guard.at)
  if (sites.length === 0)
    report('guard-of-nothing', 'a guard watches what was deployed, and nothing is', 'Leave the guard out.')
  if (guard.triggers.length === 0 && guard.anomalies === null)
    report(
      'guard-without-trigger',
      'the guard has no trigger and looks for nothing unusual',
      'Give it triggers.',
    )
  const duration = timeOf(context, guard.duration, 'how long the guard watches', guard.at, MINUTE)
  const interval = timeOf(context, guard.interval, "the guard's interval", guard.at, MINUTE)
  checkAnomalies(guard, report)
  if (interval > duration)
    report('guard-too-short', 'the guard ends before its first measurement', 'Give it a shorter `every`.')
  const places = sites.map(site => lowerPlace(lowering, { site, guard, interval, resolved }))
  return sites.length === 0 ? null : { duration, interval, places, anomalies: guard.anomalies }
}

type Report = (code: string, message: string, hint: string) => void

const reporter =
  (context: CompileContext, at: CallSite): Report =>
  (code, message, hint) =>
    context.report({ code, message, hint, at })

const timeOf = (
  context: CompileContext,
  value: Parameters<CompileContext['duration']>[0],
  name: string,
  at: CallSite,
  fallback: Millis,
): Millis => Math.max(1, context.duration(value, { name, at, fallback }))

function checkAnomalies({ anomalies }: GuardModel, report: Report): void {
  if (anomalies === null) return
  if (!(anomalies.deviations > 0))
    report(
      'not-a-number',
      `anomalies begin at ${anomalies.deviations} deviations`,
      'Write a number above 0; 3.5 is usual.',
    )
  if (!Number.isInteger(anomalies.points) || anomalies.points < 3)
    report(
      'not-a-count',
      `${anomalies.points} points say what is usual`,
      'Write a whole number from 3; 20 is usual.',
    )
}

/** The protected places; where none is, those of the environment that is deployed to last. */
function sitesGuarded({ sites, targets }: ResolvedRelease): readonly SiteModel[] {
  const used = sites.filter(site => targets.some(({ environment }) => environment === site.name))
  const guarded = used.filter(({ environment }) => environment.protect)
  if (guarded.length > 0) return guarded
  const last = targets.at(-1)?.environment
  const environment = used.find(({ name }) => name === last)?.environment
  return used.filter(site => site.environment === environment)
}

interface Around {
  readonly site: SiteModel
  readonly guard: GuardModel
  readonly interval: Millis
  readonly resolved: ResolvedRelease
}

function lowerPlace(lowering: Asked, { site, guard, interval, resolved }: Around): PlanGuardPlace {
  const { environment } = site
  const components = resolved.targets
    .filter(target => target.environment === site.name)
    .flatMap(({ component }) => {
      const held = resolved.components.find(({ name }) => name === component)
      return held === undefined ? [] : [{ component, version: held.version }]
    })
  const triggers = guard.triggers.flatMap(
    model => lowerTrigger(lowering, model, { environment, interval }) ?? [],
  )
  return { environment: site.name, components, watched: watchedIn(environment), triggers }
}

/** What every guard measures, as far as the environment's sources can tell it. */
function watchedIn(environment: EnvironmentModel): readonly PlanReading[] {
  const provider = providerOf(environment.metrics)
  const known = provider.kind !== 'router' || ROUTER_CAPABILITIES[routerOf(environment).kind].latency
  const own = { kind: 'router' } as const
  const latency: PlanReading = {
    name: 'latency p95',
    unit: 'ms',
    measure: { kind: 'latency', quantile: 0.95 },
    provider,
  }
  return [
    { name: 'error rate', unit: 'ratio', measure: { kind: 'error-rate' }, provider },
    ...(known ? [latency] : []),
    { name: 'throughput', unit: 'per-second', measure: { kind: 'throughput' }, provider },
    { name: 'cpu', unit: 'number', measure: { kind: 'cpu' }, provider: own },
    { name: 'memory', unit: 'bytes', measure: { kind: 'memory' }, provider: own },
  ]
}

function lowerTrigger(
  lowering: Asked,
  model: TriggerModel,
  { environment, interval }: { readonly environment: EnvironmentModel; readonly interval: Millis },
): PlanTrigger | null {
  const { context } = lowering
  const { metric } = model
  const condition = healthyOf(lowering, metric, model.at)
  const window = lowerWindow(context, model, interval)
  if (condition === null) return null
  const { name, unit, noData } = metric
  const expected = { kind: 'condition', condition } as const
  const trigger: PlanTrigger = {
    name,
    unit,
    measure: lowerMeasure(lowering, metric.measure, metric.at),
    provider: providerOf(metric.provider ?? environment.metrics),
    condition,
    window,
    noData,
    minRequests: requestsOf(context, metric) ?? requestsToFire(metric, expected),
    ...errorLimitOf(lowering, model),
  }
  checkTriggerOptions(context, metric, model.at)
  checkMeasurable(context, trigger, { model: metric, watch: { environment } })
  return trigger
}

/** Nothing where it is the usual one. */
function errorLimitOf(
  { context }: Asked,
  { metric, at }: TriggerModel,
): Pick<PlanTrigger, 'consecutiveErrorLimit'> {
  const { name, consecutiveErrorLimit } = metric
  if (!Number.isInteger(consecutiveErrorLimit) || consecutiveErrorLimit < 0)
    context.report({
      code: 'not-a-count',
      message: `the consecutiveErrorLimit of the trigger on ${name} is ${consecutiveErrorLimit}`,
      hint: 'Write a whole number from 0; 4 is usual.',
      at,
    })
  return consecutiveErrorLimit === USUAL_ERRORS ? {} : { consecutiveErrorLimit }
}

/** Errors in a row that a metric lets go by where the team does not say. */
const USUAL_ERRORS = 4

/** More are enough for any quantile. */
const ENOUGH_REQUESTS = 100

/** Of latency, so many that one slow answer alone does not reach the quantile. A quotient is not exact. */
function requestsToFire(metric: MetricModel, expected: PlanExpectation): number {
  if (metric.measure.kind !== 'latency') return requestsWanted(metric, expected)
  return Math.min(ENOUGH_REQUESTS, Math.ceil(1 / (1 - metric.measure.quantile) - 1e-6))
}

const OPPOSITE = { below: 'at-least', 'at-most': 'above', above: 'at-most', 'at-least': 'below' } as const

/** What is healthy is the opposite of what a trigger says is bad. */
function healthyOf({ context }: Asked, metric: MetricModel, at: CallSite): Condition | null {
  const expected = lowerExpectation(context, metric)
  if (expected.kind === 'condition' && expected.condition.kind !== 'within') {
    const { kind, threshold } = expected.condition
    return { kind: OPPOSITE[kind], threshold }
  }
  context.report({
    code: 'not-a-trigger',
    message: `the trigger on ${metric.name} compares it with something else`,
    hint: "After a release there is no other side to compare with: say what is bad, as in errorRate().above('5%').",
    at,
  })
  return null
}

function lowerWindow(
  context: CompileContext,
  { window, metric, at }: TriggerModel,
  interval: Millis,
): Window {
  const name = `the time of the trigger on ${metric.name}`
  checkCounts(context, { window, metric, at })
  switch (window.kind) {
    case 'periods': {
      const period = timeOf(context, window.period, name, at, MINUTE)
      if (period < interval)
        context.report({
          code: 'trigger-too-short',
          message: `the trigger on ${metric.name} judges periods of ${period} ms, and is measured every ${interval} ms`,
          hint: 'Give it a longer period, or the guard a shorter `every`.',
          at,
        })
      const { breaches, aggregate } = window
      return { kind: 'periods', period, aggregate, periods: window.of ?? breaches, breaches }
    }
    case 'breaches':
      return {
        kind: 'breaches',
        within: timeOf(context, window.within, name, at, MINUTE),
        breaches: window.breaches,
      }
    case 'lasting':
      return { kind: 'lasting', duration: timeOf(context, window.duration, name, at, MINUTE) }
  }
}

function checkCounts(
  context: CompileContext,
  { window, metric, at }: Pick<TriggerModel, 'metric' | 'at'> & { readonly window: WindowModel },
): void {
  if (window.kind === 'lasting') return
  const of = window.kind === 'periods' ? (window.of ?? window.breaches) : window.breaches
  if (
    Number.isInteger(window.breaches) &&
    window.breaches >= 1 &&
    Number.isInteger(of) &&
    of >= window.breaches
  )
    return
  context.report({
    code: 'not-a-count',
    message: `the trigger on ${metric.name} fires at ${window.breaches} breaches of ${of}`,
    hint: 'Write whole numbers from 1, and no more breaches than there are periods.',
    at,
  })
}
