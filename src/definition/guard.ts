/**
 * Guards: what is watched after a release, and when it is taken back.
 *
 * Role: `trigger()`, and what `.guard()` takes. Boundary: data; `release watch RUN --guard` watches, src/judge judges.
 */
import { callSite } from './call-site.ts'
import { type Handle, handle, requireModel } from './handle.ts'
import type { Metric } from './metric.ts'
import type { CallSite, GuardModel, TriggerModel, WindowModel } from './model.ts'
import { brand } from './model.ts'
import { valueModel } from './param.ts'
import type { Duration, Value } from './value.ts'

/** When a release is taken back after its end: what `trigger()` returns. */
export interface Trigger extends Handle<TriggerModel> {}

/** How often, or for how long, what is bad has to be so. */
export type TriggerOptions =
  | {
      /** Time is cut into periods of this length, and each is judged as a whole. */
      readonly period: Value<Duration>
      /** So many of them have to be bad; 1 if left out. */
      readonly breaches?: number
      /** Of so many of the latest; as many as `breaches` if left out, that is, one after the other. */
      readonly of?: number
      /** How a period's measurements become one value; `'mean'` if left out, weighted by their requests. */
      readonly aggregate?: 'sum' | 'mean' | 'median' | 'max' | 'min'
    }
  | {
      /** So many single measurements have to be bad … */
      readonly breaches: number
      /** … within a time of this length. */
      readonly within: Value<Duration>
    }
  | {
      /** Every measurement has to be bad, for so long without a break; time in which nothing was measured does not count. */
      readonly lasting: Value<Duration>
    }

/** When a measurement is told as unusual. */
export interface AnomalyOptions {
  /** How far from what was usual, as multiples of the usual spread; 3.5 if left out. */
  readonly deviations?: number
  /** How many measurements say what is usual; 20 if left out. */
  readonly points?: number
}

/** What is watched after a release, and when it is taken back. */
export interface GuardOptions {
  /** For how long it watches, from the start of its first watch: one that was cut off is gone on with to the same end. */
  readonly for: Value<Duration>
  /** From one round of measurements to the next; `'30s'` if left out. */
  readonly every?: Value<Duration>
  /** The first that fires takes the release back. */
  readonly triggers: readonly Trigger[]
  /** What is unusual is told, and takes nothing back; `false`: it is not looked for. */
  readonly anomalies?: AnomalyOptions | false
}

const windowModel = (options: TriggerOptions): WindowModel => {
  if ('lasting' in options) return { kind: 'lasting', duration: valueModel<string>(options.lasting) }
  if ('within' in options)
    return { kind: 'breaches', within: valueModel<string>(options.within), breaches: options.breaches }
  return {
    kind: 'periods',
    period: valueModel<string>(options.period),
    breaches: options.breaches ?? 1,
    of: options.of ?? null,
    aggregate: options.aggregate ?? 'mean',
  }
}

/**
 * Says when a release is taken back after its end: what is bad, and how often it has to be. What rests on too few requests
 * (`minRequests`) waits for more; left out, so many are asked for that one bad or slow answer alone is not enough: 20 for a p95.
 * The measure's `interval`, `delay` and `failureLimit` are an analysis's, and say nothing here.
 *
 * @example
 * import { errorRate, latency, trigger } from 'release-as-code'
 *
 * const failing = trigger(errorRate().above('5%'), { period: '2m', breaches: 3 })
 * const slow = trigger(latency('p95').above('2s'), { lasting: '15m' })
 */
export function trigger(metric: Metric, options: TriggerOptions): Trigger {
  const written: TriggerModel = {
    [brand]: 'trigger',
    metric: requireModel('metric', metric, 'trigger'),
    window: windowModel(options),
    at: callSite(trigger),
  }
  return handle({}, written)
}

const DEVIATIONS = 3.5
const POINTS = 20

export const guardModel = (options: GuardOptions, at: CallSite): GuardModel => {
  const { anomalies = {} } = options
  return {
    duration: valueModel<string>(options.for),
    interval: valueModel<string>(options.every ?? '30s'),
    triggers: options.triggers.map(each => requireModel('trigger', each, 'guard: triggers')),
    anomalies:
      anomalies === false
        ? null
        : { deviations: anomalies.deviations ?? DEVIATIONS, points: anomalies.points ?? POINTS },
    at,
  }
}
