/**
 * What every rendering of a report says in the same words.
 *
 * Boundary: pure, and unescaped: who writes Markdown or HTML escapes it for that.
 */
import { spanText } from '../../src/judge/score.ts'
import { formatValue } from '../../src/judge/unit.ts'
import type {
  Report,
  ReportAnalysis,
  ReportGate,
  ReportInterruption,
  ReportMeasure,
  ReportNode,
  ReportTraffic,
} from '../../src/run/report.ts'
import { renderDuration } from './time-text.ts'

/** After the release's name: `phoenix 3.0.0 succeeded`. */
export const OUTCOMES: Readonly<Record<Report['outcome'], string>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  partial: 'is done in part',
  cancelled: 'was cancelled',
  'rolled-back': 'was rolled back',
  running: 'is running',
  waiting: 'is waiting',
  interrupted: 'was interrupted and can be resumed',
}

/** What is said of the time in which nobody was running it. */
export const WHYS: Readonly<Record<ReportInterruption['why'], string>> = {
  crashed: 'last heard of a runner that did not end in order',
  interrupted: 'the runner left, interrupted',
  waiting: 'the runner left, since the run only waited',
}

export type GateVerdict = 'none' | 'passed' | 'failed' | 'warning'

export function gateVerdict({ passed, required }: ReportGate): GateVerdict {
  if (passed === null) return 'none'
  if (passed) return 'passed'
  return required ? 'failed' : 'warning'
}

/** Why nodes did not run: words, and the node that they speak of between them. */
export function becauseWords(because: string): readonly [before: string, node: string | null, after: string] {
  if (because === 'only') return ['by --only', null, '']
  if (because === 'cancel') return ['because the run was cancelled', null, '']
  if (because === 'person') return ['because a rollback was asked for', null, '']
  if (because === 'guard') return ['because the guard took the release back', null, '']
  return ['because ', because, ' failed']
}

/** A node that succeeded without having been started, in no time and without a word, only stood for others. */
export const hasSomethingToSay = (node: ReportNode): boolean =>
  node.outcome !== 'succeeded' || node.attempts > 0 || node.duration !== 0 || node.summary !== null

/** `succeeded`, `failed`, `warning` … */
export const nodeOutcome = ({ outcome, warning }: ReportNode): string =>
  warning !== null && outcome === 'succeeded' ? 'warning' : outcome

export const nodeNotes = ({ warning, summary }: ReportNode): string =>
  [warning, summary === warning ? null : summary].filter(note => note !== null).join('; ')

/** `passed in 2.0 s on 420 requests; the canary side is kept` */
export function analysisText(analysis: ReportAnalysis): string {
  const { passed, cancelled, startedAt, finishedAt, requests, winner, scores = [] } = analysis
  const took = renderDuration(finishedAt - startedAt)
  const counted = requests === 0 ? '' : ` on ${countedRequests(requests)}`
  const won = winner === undefined ? '' : `; the ${winner} side is kept`
  const scored = scores.map(score => `; scored ${spanText(score)}`).join('')
  if (cancelled) return `stopped after ${took}${counted}, undecided`
  return `${passed ? 'passed' : 'failed'} in ${took}${counted}${won}${scored}`
}

export const countedRequests = (requests: number): string =>
  `${requests} ${requests === 1 ? 'request' : 'requests'}`

/** `payment-service 3.0.0, canary` */
export const targetText = ({ target }: Pick<ReportMeasure, 'target'>): string =>
  `${target.component} ${target.version}, ${target.side === 'all' ? 'all requests' : target.side}`

/** The value with its unit; `–`: there is none. */
export const valueText = (value: number | null, { unit }: Pick<ReportMeasure, 'unit'>): string =>
  value === null ? '–' : formatValue(value, unit)

export const VERDICTS: Readonly<Record<ReportMeasure['verdict'], string>> = {
  pass: 'held',
  fail: 'broken',
  inconclusive: 'no verdict',
  unmeasured: 'not measured',
  running: 'no verdict yet',
}

/** `25 % to the new version`, `promoted`, `taken back`. */
export function trafficText({ kind, canary, baseline, mirror, matched }: ReportTraffic): string {
  if (kind === 'taken-back') return 'taken back: all requests go to the old version'
  if (kind === 'promoted')
    return canary === 100
      ? 'promoted: the new version has all requests'
      : 'ended: the old version keeps all requests'
  const shares = [
    `${canary} % to the new version`,
    ...(baseline > 0 ? [`${baseline} % to the old version beside it`] : []),
    ...(mirror > 0 ? [`a copy of ${mirror} %`] : []),
    ...(matched ? ['those with certain headers or cookies'] : []),
  ]
  return shares.join(', ')
}

/** How a watch over a release that was done has ended. */
export const GUARD_OUTCOMES: Readonly<
  Record<NonNullable<NonNullable<Report['guards']>[number]['outcome']>, string>
> = {
  quiet: 'its time was over, and nothing had to be taken back',
  unmeasured: 'could not see whether the release had to be taken back',
  'rolled-back': 'took the release back',
  'rollback-failed': 'tried to take the release back, and not all is back',
  gone: 'ended, since the release stands no more',
  interrupted: 'was told to stop',
}
