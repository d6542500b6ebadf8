/**
 * From measurements to a verdict, one measurement at a time.
 *
 *     measurement ─▶ error ────────▶ counted in a row; the next value or gap starts anew
 *                 ─▶ no data ──────▶ fail: a failed point · hold: waits · ignore: a point that says nothing
 *                 ─▶ few requests ─▶ pooled with those that follow, until there are enough, or enough bad ones
 *                 ─▶ value ────────▶ a point: met, breached or inconclusive
 *
 *  AN1. An analysis that measured nothing never passes: it is unmeasured, or failed where nothing was not allowed.
 *  AN2. A fold's state is small JSON, whatever the number of measurements, and depends on nothing but them.
 *  AN3. Once there is a verdict, later measurements do not change it.
 *  AN4. A measurement before the initial delay is over is not looked at.
 *  AN5. Where several measurements make one point, its value is their mean, weighted by requests: exact for a
 *       share of requests, and between the least and the greatest for anything else.
 *  AN6. A breach that would end the analysis is not waited for once it is certain (pool.ts, PO2). One that would not
 *       end it takes all its requests: what is allowed to fail is so many whole points.
 *  AN7. Points that had nothing to be compared with are no pass: at the end there are at most as many of them as the rule
 *       allows, or, by `half`, as many as there are others, and not the last three.
 */
import { ReleaseError } from '../errors.ts'
import { type Expectation, type Judged, judgeMeasurement } from './condition.ts'
import { type Measurement, readingOf } from './measurement.ts'
import { certainBreach, judgePool, type Pool, poolWith } from './pool.ts'
import { countOf } from './unit.ts'

/** Errors in a row that are let go by, where the metric does not say. */
export const CONSECUTIVE_ERROR_LIMIT = 4

/** fail: no data is a failed point. hold: wait for data, at most to the time limit. ignore: take a point as given that says nothing. */
export type NoData = 'fail' | 'hold' | 'ignore'

/** What is measured, how often, and how much may go wrong. Times are in milliseconds. */
export interface AnalysisRule extends Expectation {
  readonly interval: number
  /** How many points make an analysis; left out: it goes on until it is ended. */
  readonly count?: number
  /** From the start to the first measurement. Left out: 0. */
  readonly initialDelay?: number
  /** How many points may fail; one more is a failure. Left out: 0. */
  readonly failureLimit?: number
  /** How many measurements may be errors in a row; one more is a failure. Left out: 4. */
  readonly consecutiveErrorLimit?: number
  /** How many points may be inconclusive; one more makes the analysis so. `half`: told at its end only (AN7). Left out: 0. */
  readonly inconclusiveLimit?: number | 'half'
  /** How many requests a point has to rest on. Left out: 0. */
  readonly minRequests?: number
  /** Left out: hold. */
  readonly noData?: NoData
  /** From the start to the moment from which a hold is a failure; left out: until the analysis is ended. */
  readonly timeLimit?: number
}

/** unmeasured: it is over, and there was nothing to judge. */
export type Verdict = 'pass' | 'fail' | 'inconclusive' | 'unmeasured' | 'running'

/** What decided: a breach, missing data, errors, too few points or requests, a baseline that was missing. */
export type Cause = 'breach' | 'no-data' | 'errors' | 'too-few' | 'inconclusive'

/** What an analysis has come to. JSON. */
export interface Judgement {
  readonly verdict: Verdict
  /** The verdict if it ended now: what a watch in the background has seen so far. Never `running`. */
  readonly soFar: Exclude<Verdict, 'running'>
  /** Null while it runs and when it passed. */
  readonly cause: Cause | null
  /** For people, a sentence without its full stop: `error rate 3.2% is not below 1%`. */
  readonly reason: string
  /** Points that were judged. */
  readonly points: number
  readonly passes: number
  readonly failures: number
  readonly inconclusive: number
  /** Measurements without data. */
  readonly missing: number
  /** Measurements that were errors, and how many of them came last in a row. */
  readonly errors: number
  readonly consecutiveErrors: number
  /** Requests that the judged points rest on. */
  readonly requests: number
  /** When to measure next, in milliseconds since 1970; null: no more. */
  readonly next: number | null
}

/** An analysis in progress. JSON (AN2). */
export interface AnalysisState {
  readonly started: number
  readonly points: number
  readonly passes: number
  readonly failures: number
  readonly inconclusive: number
  /** How many of the last points are inconclusive, in a row. */
  readonly openInARow: number
  readonly missing: number
  readonly errors: number
  readonly consecutiveErrors: number
  readonly requests: number
  /** Measurements with too few requests, waiting for more. */
  readonly pool: Pool | null
  /** What the last measurement was; null: there was none. */
  readonly last: Judged['kind'] | 'pooled' | null
  readonly lastAt: number | null
  /** Of the first failed point, of the last inconclusive one, of the last error and of the last that passed. */
  readonly texts: Readonly<Partial<Record<'failed' | 'inconclusive' | 'error' | 'passed', string>>>
}

/** When it is looked at. */
export interface AnalysisMoment {
  /** When the analysis started, in milliseconds since 1970. */
  readonly started: number
  readonly now: number
  /** No measurement follows: the step, the bake or the watch is over. Left out: more may follow. */
  readonly ended?: boolean
}

/** After an error the next try comes sooner than the interval. In milliseconds. */
export const errorRetryDelay = 10_000

/** Judges all measurements at once, oldest first. The same as folding them one by one. */
export function judgeAnalysis(
  rule: AnalysisRule,
  measurements: readonly Measurement[],
  moment: AnalysisMoment,
): Judgement {
  const state = measurements.reduce(
    (folded, measurement) => advanceAnalysis(rule, folded, measurement),
    beginAnalysis(moment.started),
  )
  return verdictOf(rule, state, moment)
}

/** An analysis without a measurement. `started` is in milliseconds since 1970. */
export const beginAnalysis = (started: number): AnalysisState => ({
  started,
  points: 0,
  passes: 0,
  failures: 0,
  inconclusive: 0,
  openInARow: 0,
  missing: 0,
  errors: 0,
  consecutiveErrors: 0,
  requests: 0,
  pool: null,
  last: null,
  lastAt: null,
  texts: {},
})

/** Takes one more measurement in. It must not be older than the one before. */
export function advanceAnalysis(
  rule: AnalysisRule,
  state: AnalysisState,
  measurement: Measurement,
): AnalysisState {
  if (state.lastAt !== null && measurement.at < state.lastAt)
    throw new ReleaseError(
      'measurements-unordered',
      `a measurement of ${rule.measure} is ${state.lastAt - measurement.at} ms older than the one before it`,
      { hint: 'Hand measurements over in the order of their times.' },
    )
  if (measurement.at < state.started + (rule.initialDelay ?? 0) || isDecided(rule, state)) return state
  const counted = { ...state, lastAt: measurement.at }
  const reading = readingOf(measurement)
  if (reading.kind === 'error') return withError(counted, judgeMeasurement(rule, measurement).text)
  if (reading.kind === 'no-data') return withGap(rule, counted, judgeMeasurement(rule, measurement).text)
  if (measurement.requests === undefined && (rule.minRequests ?? 0) > 0)
    return withError(counted, `${rule.measure} does not say how many requests it rests on`)
  return withValue(rule, counted, measurement, reading.value)
}

/** What the analysis has come to at that moment. */
export function verdictOf(
  rule: AnalysisRule,
  state: AnalysisState,
  moment: Omit<AnalysisMoment, 'started'>,
): Judgement {
  const timedOut = rule.timeLimit !== undefined && moment.now >= state.started + rule.timeLimit
  const ended = timedOut || moment.ended === true
  const soFar = sightOf(rule, state)
  const over = ended || isDecided(rule, state)
  const end = over ? endOf(rule, state, soFar) : null
  return {
    verdict: end?.verdict ?? 'running',
    soFar: soFar.verdict,
    cause: end?.cause ?? null,
    reason: end?.reason ?? progressText(rule, state),
    points: state.points,
    passes: state.passes,
    failures: state.failures,
    inconclusive: state.inconclusive,
    missing: state.missing,
    errors: state.errors,
    consecutiveErrors: state.consecutiveErrors,
    requests: state.requests,
    next: over ? null : nextAt(rule, state),
  }
}

/**
 * The verdict of several analyses together. A failure is the verdict at once; otherwise there is none while one
 * still runs; then the worst wins: unmeasured, inconclusive, pass. Of no analyses: unmeasured (AN1).
 */
export function combine(verdicts: readonly Verdict[]): Verdict {
  const worstFirst: readonly Verdict[] = ['fail', 'running', 'unmeasured', 'inconclusive', 'pass']
  return worstFirst.find(verdict => verdicts.includes(verdict)) ?? 'unmeasured'
}

// ── the fold ────────────────────────────────────────────────────────────────────────────────────

const withError = (state: AnalysisState, error: string): AnalysisState => ({
  ...state,
  errors: state.errors + 1,
  consecutiveErrors: state.consecutiveErrors + 1,
  last: 'error',
  texts: { ...state.texts, error },
})

function withGap(rule: AnalysisRule, state: AnalysisState, text: string): AnalysisState {
  const missed = { ...state, consecutiveErrors: 0, missing: state.missing + 1, last: 'no-data' } as const
  if ((rule.noData ?? 'hold') !== 'fail') return missed
  return { ...withPoint(missed, { kind: 'breached', text }, 0), last: 'no-data' }
}

function withValue(
  rule: AnalysisRule,
  state: AnalysisState,
  measurement: Measurement,
  value: number,
): AnalysisState {
  const pool = poolWith(state.pool, measurement, value)
  const settled = { ...state, consecutiveErrors: 0 }
  const wanted = rule.minRequests ?? 0
  if (pool.requests < wanted) {
    const breach = wouldEnd(rule, state) ? certainBreach(rule, pool, wanted) : null
    if (breach !== null) return withPoint({ ...settled, pool: null }, breach, pool.requests)
    return { ...settled, pool, last: 'pooled' }
  }
  const judged = state.pool === null ? judgeMeasurement(rule, measurement) : judgePool(rule, pool)
  return withPoint({ ...settled, pool: null }, judged, pool.requests)
}

/** Whether one more failed point is one too many. */
const wouldEnd = (rule: AnalysisRule, { failures }: AnalysisState): boolean =>
  failures >= (rule.failureLimit ?? 0)

function withPoint(state: AnalysisState, judged: Judged, requests: number): AnalysisState {
  const { texts } = state
  const openInARow = judged.kind === 'inconclusive' ? state.openInARow + 1 : 0
  const total = { points: state.points + 1, requests: state.requests + requests }
  const point = { ...state, ...total, openInARow, last: judged.kind }
  switch (judged.kind) {
    case 'met':
      return { ...point, passes: state.passes + 1, texts: { ...texts, passed: judged.text } }
    case 'inconclusive':
      return {
        ...point,
        inconclusive: state.inconclusive + 1,
        texts: { ...texts, inconclusive: judged.text },
      }
    default:
      return {
        ...point,
        failures: state.failures + 1,
        texts: { ...texts, failed: texts.failed ?? judged.text },
      }
  }
}

// ── the verdict ─────────────────────────────────────────────────────────────────────────────────

interface End {
  readonly verdict: Exclude<Verdict, 'running'>
  readonly cause: Cause | null
  readonly reason: string
}

const isComplete = (rule: AnalysisRule, state: AnalysisState): boolean =>
  rule.count !== undefined && state.points + (rule.noData === 'ignore' ? state.missing : 0) >= rule.count

const isFailed = (rule: AnalysisRule, state: AnalysisState): boolean =>
  state.failures > (rule.failureLimit ?? 0) ||
  state.consecutiveErrors > (rule.consecutiveErrorLimit ?? CONSECUTIVE_ERROR_LIMIT)

const isUndecided = ({ inconclusiveLimit = 0 }: AnalysisRule, state: AnalysisState): boolean =>
  inconclusiveLimit !== 'half' && state.inconclusive > inconclusiveLimit

/** More in a row than these are no accident. */
const mostOpenInARow = 2

const isMostlyOpen = ({ inconclusiveLimit }: AnalysisRule, state: AnalysisState): boolean =>
  inconclusiveLimit === 'half' && (2 * state.inconclusive > state.points || state.openInARow > mostOpenInARow)

const isDecided = (rule: AnalysisRule, state: AnalysisState): boolean =>
  isComplete(rule, state) || isFailed(rule, state) || isUndecided(rule, state)

/** What has been seen, whether or not it was enough. */
function sightOf(rule: AnalysisRule, state: AnalysisState): End {
  const { texts, passes, failures, points } = state
  if (failures > (rule.failureLimit ?? 0) || (failures > 0 && failures === points))
    return {
      verdict: 'fail',
      cause: rule.noData === 'fail' && state.missing >= failures ? 'no-data' : 'breach',
      reason: `${texts.failed ?? ''}${timesText(failures, points)}`,
    }
  if (isFailed(rule, state))
    return {
      verdict: 'fail',
      cause: 'errors',
      reason: `${texts.error ?? ''}, ${countOf(state.consecutiveErrors, 'time')} in a row`,
    }
  if (isUndecided(rule, state) || (points > 0 && passes === 0))
    return { verdict: 'inconclusive', cause: 'inconclusive', reason: texts.inconclusive ?? '' }
  if (points === 0) return nothingSeen(rule, state)
  return { verdict: 'pass', cause: null, reason: `${texts.passed ?? ''}${timesText(passes, points)}` }
}

function nothingSeen({ measure, minRequests }: AnalysisRule, state: AnalysisState): End {
  if (state.pool !== null)
    return {
      verdict: 'inconclusive',
      cause: 'too-few',
      reason: `${measure} rests on ${countOf(state.pool.requests, 'request')}, and ${minRequests ?? 0} are asked for`,
    }
  if (state.texts.error !== undefined)
    return { verdict: 'unmeasured', cause: 'errors', reason: state.texts.error }
  if (state.last === 'no-data')
    return { verdict: 'unmeasured', cause: 'no-data', reason: `${measure} had no data` }
  return { verdict: 'unmeasured', cause: 'too-few', reason: `${measure} was never measured` }
}

/** The verdict of an analysis that is over: what was seen, unless data was still missing or points were too few. */
function endOf(rule: AnalysisRule, state: AnalysisState, seen: End): End {
  if (seen.verdict === 'fail' || isUndecided(rule, state)) return seen
  if (state.last === 'no-data' && (rule.noData ?? 'hold') === 'hold')
    return {
      verdict: 'fail',
      cause: 'no-data',
      reason: `${rule.measure} had no data when its time was over${state.points === 0 ? '' : `, after ${countOf(state.points, 'point')} that had`}`,
    }
  if (seen.verdict === 'pass' && isMostlyOpen(rule, state))
    return {
      verdict: 'inconclusive',
      cause: 'inconclusive',
      reason: `${state.texts.inconclusive ?? ''}${timesText(state.inconclusive, state.points)}`,
    }
  if (seen.verdict !== 'pass' || rule.count === undefined || isComplete(rule, state)) return seen
  return {
    verdict: 'inconclusive',
    cause: 'too-few',
    reason: `${rule.measure} was measured ${countOf(state.points, 'time')}, and ${rule.count} are asked for`,
  }
}

// ── while it runs ───────────────────────────────────────────────────────────────────────────────

function nextAt({ initialDelay = 0, interval }: AnalysisRule, state: AnalysisState): number {
  if (state.lastAt === null) return state.started + initialDelay
  return state.lastAt + (state.last === 'error' ? Math.min(interval, errorRetryDelay) : interval)
}

function progressText(rule: AnalysisRule, state: AnalysisState): string {
  const latest = latestText(rule, state)
  return rule.count === undefined ? latest : `${latest}; ${state.points} of ${countOf(rule.count, 'point')}`
}

function latestText(rule: AnalysisRule, { last, texts }: AnalysisState): string {
  switch (last) {
    case null:
      return `${rule.measure} is not measured yet`
    case 'met':
      return texts.passed ?? ''
    case 'breached':
      return texts.failed ?? ''
    case 'inconclusive':
      return texts.inconclusive ?? ''
    case 'error':
      return texts.error ?? ''
    case 'no-data':
      return `${rule.measure} has no data yet`
    case 'pooled':
      return `${rule.measure} waits for more requests`
    default:
      return last satisfies never
  }
}

/** `3 of 5 points`, where it is more than one. */
const timesText = (count: number, of: number): string => (of > 1 ? `, in ${count} of ${of} points` : '')
