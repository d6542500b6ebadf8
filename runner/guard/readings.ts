/**
 * What a guard measures: one meter for each measure of each target, however many triggers ask for it.
 *
 *  RD1. What a meter has counted, it counts for all that ask for it: two meters of one measure would see the same twice.
 *  RD2. Measurements that a trigger is judged by are kept from the start; of others the latest are.
 */
import { measuredText } from '../../src/judge/anomaly.ts'
import type { Measurement } from '../../src/judge/measurement.ts'
import { judgeWindow, type Trigger, type WindowJudgement } from '../../src/judge/window.ts'
import { canonicalJson } from '../../src/plan/canonical.ts'
import type { PlanGuard, PlanGuardPlace, PlanReading, PlanTrigger } from '../../src/plan/plan.ts'
import type { GuardedPlace, GuardMeasured } from '../../src/run/guard-record.ts'
import type { Meter, Metrics } from '../../src/run/ports.ts'

/** Measurements that are kept where no trigger needs them. */
const KEPT = 600

export interface Guarded extends GuardedPlace {
  readonly version: string
}

interface Series {
  readonly reading: PlanReading
  readonly meter: Meter
  /** A trigger is judged by it. */
  readonly judged: boolean
  readonly points: Measurement[]
}

export interface JudgedTrigger {
  readonly target: Guarded
  readonly trigger: PlanTrigger
  readonly judgement: WindowJudgement
  readonly points: readonly Measurement[]
}

/** One target, with all that is measured of it. */
export class Readings {
  readonly target: Guarded
  readonly #place: PlanGuardPlace
  readonly #interval: number
  readonly #series: ReadonlyMap<string, Series>

  private constructor(
    target: Guarded,
    place: PlanGuardPlace,
    { interval, series }: { readonly interval: number; readonly series: ReadonlyMap<string, Series> },
  ) {
    this.target = target
    this.#place = place
    this.#interval = interval
    this.#series = series
  }

  /** Opens the meters: what was counted before does not count. */
  static async open(
    target: Guarded,
    place: PlanGuardPlace,
    {
      guard,
      metrics,
      signal,
    }: { readonly guard: PlanGuard; readonly metrics: Metrics; readonly signal: AbortSignal },
  ): Promise<Readings> {
    const readings = new Map([...place.triggers, ...place.watched].map(reading => [keyOf(reading), reading]))
    const judged = new Set(place.triggers.map(keyOf))
    const { environment, component, version } = target
    const opened = await Promise.all(
      [...readings].map(async ([key, reading]): Promise<[string, Series]> => {
        const { measure, provider } = reading
        const request = {
          measure,
          provider,
          target: { environment, component, side: 'stable', version } as const,
        }
        const meter = await metrics.open({ ...request, interval: guard.interval }, signal)
        return [key, { reading, meter, judged: judged.has(key), points: [] }]
      }),
    )
    return new Readings(target, place, { interval: guard.interval, series: new Map(opened) })
  }

  /** Measures everything once. Rejects only for an abort. */
  async measure(signal: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#series.values()].map(async ({ meter, points, judged }) => {
        points.push(await meter.read(signal))
        if (!judged && points.length > KEPT) points.shift()
      }),
    )
  }

  /** What was measured last of what is watched. */
  latest(): readonly GuardMeasured[] {
    return this.#place.watched.map(reading => {
      const { points } = this.#series.get(keyOf(reading))!
      const { value = null, requests, error } = points.at(-1) ?? {}
      return {
        name: reading.name,
        unit: reading.unit,
        value: value !== null && Number.isFinite(value) ? value : null,
        ...(requests === undefined ? {} : { requests }),
        ...(error === undefined ? {} : { error }),
      }
    })
  }

  /** Each measure that is watched, with its measurements, oldest first. */
  watched(): readonly { readonly reading: PlanReading; readonly points: readonly Measurement[] }[] {
    return this.#place.watched.map(reading => ({ reading, points: this.#series.get(keyOf(reading))!.points }))
  }

  judge(moment: { readonly started: number; readonly now: number }): readonly JudgedTrigger[] {
    return this.#place.triggers.map(trigger => {
      const { points } = this.#series.get(keyOf(trigger))!
      return {
        target: this.target,
        trigger,
        judgement: judgeWindow(asJudged(trigger), points, { ...moment, interval: this.#interval }),
        points,
      }
    })
  }
}

const keyOf = ({ measure, provider }: PlanReading): string => canonicalJson({ measure, provider })

const asJudged = ({ name, unit, condition, window, noData, minRequests }: PlanTrigger): Trigger => ({
  measure: name,
  unit,
  condition,
  window,
  noData,
  minRequests,
})

/** `front 2.0.0: error rate 0%, latency p95 12ms, throughput 48/s, cpu 0.1, memory 61 MiB` */
export const readingText = (target: Guarded, measured: readonly GuardMeasured[]): string =>
  `${target.component} ${target.version}: ${measured.map(({ name, unit, value }) => measuredText(name, unit, value)).join(', ')}`
