/**
 * An analysis: measures again and again, folds each measurement into the judge's verdict, and ends when that is certain.
 *
 *     watching ──every verdict a pass, time over, requests seen──▶ passed
 *        │  └──time over, something still open──▶ patience ──▶ passed | failed
 *        └──a verdict that is bad──▶ failed, at once
 *
 * Boundary: when to measure and when to stop. What a measurement is comes from {@link Metrics}, what it means from src/judge.
 *
 *  A1. What measured nothing never passes.
 *  A2. A breach ends the analysis when it is measured, not when its time is over. What is compared as a whole is a breach at the
 *      latest when its time is over: only what nobody can tell yet is given patience.
 *  A3. It changes nothing: one that was cut off begins anew, and has its patience for what it cannot know any more.
 *  A4. What counts to a score fails nothing by itself: the score is told when its time is over.
 */
import { ReleaseError } from '../../src/errors.ts'
import { spanText } from '../../src/judge/score.ts'
import type { AnalyseOperation, Json, MeasureTarget, Millis, PlanMetric } from '../../src/plan/plan.ts'
import type { Evidence, EvidenceScore } from '../../src/run/evidence.ts'
import { isEnded } from '../../src/run/state.ts'
import type { Attempt, Done } from './operations.ts'
import { failsAll, isScored, scoresOf, throwScore, unscored } from './scored.ts'
import { advance, evidenceOf, openSeries, type Series, standingOf } from './series.ts'

/** How often an analysis without an end of its own looks whether it is over: four times for each measurement, within these. */
const GLANCE = { least: 500, most: 15_000 } as const

export async function analyse(attempt: Attempt, operation: AnalyseOperation): Promise<Done> {
  const { world, signal } = attempt
  const started = world.now()
  const all = await openAll(attempt, operation, started)
  const watch: Watch = { attempt, operation, all, started, over: null, scores: [], unserved: new Map() }
  try {
    for (;;) {
      await lookForThem(watch, await measureDue(watch))
      const end = endOf(watch)
      if (end !== null) return end
      await pause(attempt, nextLook(watch) - world.now())
      if (signal.aborted) throw new ReleaseError('cancelled', 'the analysis was stopped')
    }
  } catch (error) {
    throw withEvidence(error, watch)
  }
}

interface Watch {
  readonly attempt: Attempt
  readonly operation: AnalyseOperation
  readonly all: readonly Series[]
  readonly started: number
  /** When it was first seen that its time is over. */
  over: number | null
  /** What its comparisons have come to together; empty until its time is over, and where none is scored. */
  scores: readonly EvidenceScore[]
  /** By target without requests: how often in a row nobody was found there who could have answered any. */
  readonly unserved: Map<MeasureTarget, number>
}

async function openAll(
  { task, world, signal }: Attempt,
  { metrics, targets, decides, duration }: AnalyseOperation,
  started: number,
): Promise<readonly Series[]> {
  const { facts } = task.state.plan
  const pairs = targets.flatMap(target => metrics.map(metric => [metric, target] as const))
  return Promise.all(
    pairs.map(([metric, target]) =>
      openSeries({
        metric,
        target,
        beside: besideOf(metric, target, facts.live[target.environment]?.[target.component]?.version),
        decides: decides === metric.name,
        metrics: world.metrics,
        started,
        duration,
        signal,
      }),
    ),
  )
}

/** The side that it is looked at beside: what is asked for in a comparison, otherwise what was live before. */
function besideOf(metric: PlanMetric, target: MeasureTarget, live: string | undefined): MeasureTarget | null {
  if (target.side !== 'canary' || live === undefined) return null
  const side = metric.expected.kind === 'comparison' ? metric.expected.with : 'stable'
  return { ...target, side, version: live }
}

/** Resolves to what was measured. */
async function measureDue({ attempt, all }: Watch): Promise<readonly Series[]> {
  const { world, signal } = attempt
  const now = world.now()
  const due = all.filter(series => series.next !== null && series.next <= now)
  await Promise.all(due.map(series => advance(series, { now: world.now, signal })))
  const log = world.log(attempt.task.work.key)
  for (const series of due) log.line(lineOf(series))
  return due
}

/**
 * A router that knows that a side is dead sends its share to the stable one, and there is nothing to measure. That is
 * found out by a look at the instances, rather than waited for until patience is at its end; one look may be mistaken
 * on a busy machine.
 */
async function lookForThem({ attempt, all, unserved }: Watch, measured: readonly Series[]): Promise<void> {
  for (const target of new Set(measured.map(series => series.target))) {
    const { side, environment, component } = target
    const own = all.filter(series => series.target === target)
    if (side === 'stable' || side === 'all' || own.some(hasRequests)) {
      unserved.delete(target)
      continue
    }
    const platform = attempt.world.platform(environment)
    // Who cannot be asked is not known to be dead: that the source does not answer either, the measurements say.
    const found = await platform.observe(environment, component).catch(() => null)
    const isServed = found?.instances.some(instance => instance.side === side && instance.healthy) ?? true
    const times = isServed ? 0 : (unserved.get(target) ?? 0) + 1
    unserved.set(target, times)
    if (times >= UNSERVED_LOOKS) throw gone(target)
  }
}

const UNSERVED_LOOKS = 2

const hasRequests = ({ points }: Series): boolean => {
  const last = points.at(-1)
  return last !== undefined && (last.value !== null || (last.requests ?? 0) > 0)
}

const gone = ({ component, environment, side, version }: MeasureTarget): ReleaseError =>
  new ReleaseError(
    'analysis-unanswered',
    `${component} ${version} in ${environment}: nothing is measured, since no healthy instance of it is left on its ${side} side`,
    { hint: 'See why they ended: `release local status`, and the logs that it names.' },
  )

function lineOf(series: Series): string {
  const last = series.points.at(-1)
  const where = `${series.target.component} ${series.metric.name}`
  if (last === undefined) return `${where}: nothing measured`
  return `${where}: ${series.judgement().reason}`
}

/** How it has ended; null: it goes on. */
function endOf(watch: Watch): Done | null {
  const { attempt, operation, all } = watch
  const now = attempt.world.now()
  const guards = all.filter(series => !series.decides)
  const certain = guards.filter(failsAll)
  throwCertain(certain)
  if (!isTimeOver(watch, now) && !isDecided(watch)) return null
  watch.over ??= operation.until === null ? Math.min(now, watch.started + operation.duration) : now
  const waited = now - watch.over
  for (const series of all) series.close(waited >= operation.patience ? 1 : waited / operation.patience)
  throwCertain(certain)
  const open = guards.filter(series => !isScored(series) && standingOf(series, 'ended') !== 'pass')
  const untold = score(watch, waited >= operation.patience)
  const seen = requestsOf(all)
  if (open.length === 0 && untold === null && seen >= operation.requests) return passed(watch, seen)
  if (waited < operation.patience) return null
  if (open[0] !== undefined) throw unanswered(open[0])
  if (untold !== null) throw unscored(untold)
  throw tooFew(seen, operation)
}

/** Tells the scores; the first that cannot be told yet, or null. */
function score(watch: Watch, isLast: boolean): EvidenceScore | null {
  const { attempt, operation, all } = watch
  if (operation.score === undefined) return null
  const scores = scoresOf(operation.score, all, { isLast })
  const log = attempt.world.log(attempt.task.work.key)
  const known = new Set(watch.scores.map(({ reason }) => reason))
  for (const { target, reason } of scores) if (!known.has(reason)) log.line(`${target.component}: ${reason}`)
  watch.scores = scores
  throwScore(scores)
  return scores.find(({ verdict }) => verdict !== 'pass') ?? null
}

/** What is certain already, and no pass. */
function throwCertain(guards: readonly Series[]): void {
  const bad = guards.find(series => standingOf(series, 'so far') === 'fail')
  if (bad !== undefined) throw breach(bad)
  const open = guards.find(series => series.isDecided() && standingOf(series, 'so far') !== 'pass')
  if (open !== undefined) throw unanswered(open)
}

function isTimeOver({ attempt, operation, started }: Watch, now: number): boolean {
  if (operation.until === null) return now >= started + operation.duration
  return isEnded(attempt.task.state.works.get(operation.until)!.status)
}

/** An experiment may be decided before its time is over. */
const isDecided = ({ all }: Watch): boolean => all.some(series => series.decides && series.isDecided())

/** The same requests stand under each metric of a target: they are counted once. */
function requestsOf(all: readonly Series[]): number {
  const byTarget = new Map<string, number>()
  for (const { target, requests } of all) {
    const key = `${target.environment}/${target.component}`
    byTarget.set(key, Math.max(byTarget.get(key) ?? 0, requests))
  }
  return [...byTarget.values()].reduce((sum, count) => sum + count, 0)
}

/** More measures than these are counted, not named. */
const MOST_SAID = 3

function passed(watch: Watch, requests: number): Done {
  const evidence = evidenceIn(watch)
  const counted = requests === 0 ? '' : `, ${requests} requests`
  const said = watch.all.filter(series => !isScored(series)).map(summaryOf)
  const scored = watch.scores.map(score => `scored ${spanText(score)}`)
  const winner = watch.all.filter(({ decides }) => decides).map(wonText)[0] ?? ''
  const held = said.length > MOST_SAID ? [`${said.length} measures held`] : said
  const texts = [...held, ...scored].join(', ')
  const summary = `${winner}${texts}${counted}`
  return { value: evidence as unknown as Json, summary, warning: null, how: 'performed' }
}

/** That a canary is no worse than what it is compared with keeps it, and makes no winner of it. */
function wonText(series: Series): string {
  const { expected } = series.metric
  const standing = standingOf(series, 'ended')
  if (standing === 'fail') return 'the stable side has won: '
  if (standing !== 'pass') return 'no side has won, and the stable one is kept: '
  const other = besideIn(expected)
  return other === null || series.isBetter?.() === true
    ? 'the canary side has won: '
    : `the canary side is not worse than the ${other} one, and is kept: `
}

function besideIn(expected: PlanMetric['expected']): 'stable' | 'baseline' | null {
  if (expected.kind === 'comparison') return expected.with
  return expected.condition.kind === 'within' && expected.condition.baseline.kind === 'stable'
    ? 'stable'
    : null
}

/** Of what decides an experiment, why: it need not have held. */
const summaryOf = (series: Series): string =>
  series.decides ? series.judgement('ended').reason : `${series.metric.name} ${series.heldText()}`

const breach = (series: Series): ReleaseError =>
  new ReleaseError('analysis-failed', `${nameOf(series)}: ${series.judgement().reason}`, {
    hint: 'The requests go back to the old version. See what the new one logged: `release local status`.',
  })

const unanswered = (series: Series): ReleaseError =>
  new ReleaseError('analysis-unanswered', `${nameOf(series)}: ${series.judgement('ended').reason}`, {
    hint: 'What was not measured never passes: bring traffic to it, watch it for longer, or give it more patience.',
  })

const nameOf = ({ target }: Series): string =>
  `${target.component} ${target.version} in ${target.environment}`

const tooFew = (seen: number, { requests, duration, patience }: AnalyseOperation): ReleaseError =>
  new ReleaseError(
    'too-few-requests',
    `${seen} requests were seen in ${(duration + patience) / 1000} s, and ${requests} are asked for`,
    { hint: 'Bring traffic to it, watch it for longer, or ask for fewer.' },
  )

function nextLook(watch: Watch): number {
  const times = watch.all.flatMap(({ next }) => (next === null ? [] : [next]))
  return Math.min(nextEnd(watch), ...times)
}

/** When it may end next for another reason than a measurement. */
function nextEnd({ attempt, operation, started, over }: Watch): number {
  if (over !== null) return over + operation.patience
  if (operation.until === null) return started + operation.duration
  const often = Math.min(...operation.metrics.map(({ interval }) => interval / 4))
  return attempt.world.now() + Math.min(GLANCE.most, Math.max(GLANCE.least, often))
}

function pause({ world, signal }: Attempt, delay: Millis): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const stop = world.after === undefined ? timer(delay, done) : world.after(Math.max(1, delay), done)
    signal.addEventListener('abort', done, { once: true })
  })
}

function timer(delay: Millis, then: () => void): () => void {
  const handle = setTimeout(then, Math.max(1, delay))
  return () => clearTimeout(handle)
}

function evidenceIn({ attempt, all, started, scores }: Watch): Evidence {
  const decided = all.find(series => series.decides)
  const winner =
    decided === undefined ? undefined : standingOf(decided, 'ended') === 'pass' ? 'canary' : 'stable'
  return {
    kind: 'analysis',
    started,
    ended: attempt.world.now(),
    requests: requestsOf(all),
    series: all.map(evidenceOf),
    ...(winner === undefined ? {} : { winner }),
    ...(scores.length > 0 && { scores }),
  }
}

/** A failure says what had been measured. */
function withEvidence(error: unknown, watch: Watch): unknown {
  if (error instanceof Error) Object.assign(error, { evidence: evidenceIn(watch) })
  return error
}
