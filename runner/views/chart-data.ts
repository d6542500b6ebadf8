/**
 * Which charts a report has: for each deployment that divided traffic, and for each watch after one.
 *
 * Boundary: pure; a report in, charts out. What was measured under one name of one component is one chart, however
 * many analyses it took; all charts of a group share their time, so that they can be read one below the other.
 */
import type { Report, ReportAnalysis, ReportMeasure, ReportTraffic } from '../../src/run/report.ts'
import { limitLines } from './chart-limits.ts'
import { type Chart, type ChartLine, type ChartMoment, elapsedText } from './chart-svg.ts'
import { analysisText, targetText, trafficText, VERDICTS, valueText } from './report-words.ts'

/** Charts that are looked at together. */
export interface ChartGroup {
  readonly name: string
  readonly weights: Chart | null
  readonly parts: readonly { readonly name: string; readonly charts: readonly MeasureChart[] }[]
  /** Every decision, oldest first: what the marks of the charts say. */
  readonly moments: readonly ChartMoment[]
  readonly analyses: readonly { readonly analysis: ReportAnalysis; readonly measure: ReportMeasure }[]
}

export interface MeasureChart {
  readonly chart: Chart
  readonly measures: readonly ReportMeasure[]
}

interface Seen {
  readonly analysis: ReportAnalysis
  readonly measure: ReportMeasure
}

interface Gathered {
  readonly traffic: ReportTraffic[]
  readonly seen: Seen[]
}

/** In the order in which they began. */
export function chartGroups(report: Report): readonly ChartGroup[] {
  const groups = new Map<string, Gathered>()
  const groupOf = (name: string): Gathered => {
    const known = groups.get(name) ?? { traffic: [], seen: [] }
    groups.set(name, known)
    return known
  }
  const homes = new Map<string, string>()
  for (const moment of report.traffic) {
    const place = `${moment.environment}/${moment.component}`
    const name = moment.lockstep ?? place
    homes.set(place, name)
    groupOf(name).traffic.push(moment)
  }
  for (const analysis of report.analyses) {
    for (const measure of analysis.measures) {
      const { side, environment, component } = measure.target
      const place = `${environment}/${component}`
      const name = side === 'canary' ? (homes.get(place) ?? place) : `${analysis.title} (${analysis.node})`
      groupOf(name).seen.push({ analysis, measure })
    }
  }
  return [...groups].map(([name, gathered], i) => groupFrom(report, { name, id: `g${i}` }, gathered))
}

interface Frame {
  readonly id: string
  readonly from: number
  readonly until: number
  readonly zero: number
}

function groupFrom(
  report: Report,
  { name, id }: { readonly name: string; readonly id: string },
  { traffic, seen }: Gathered,
): ChartGroup {
  const frame = frameOf(report, id, traffic, seen)
  const said = approvalsIn(report, frame)
  const components = new Map<string, Seen[]>()
  for (const one of seen) {
    const { component } = one.measure.target
    components.set(component, [...(components.get(component) ?? []), one])
  }
  const parts = [...components].map(([component, own], i) => {
    const moves = traffic.filter(moment => moment.component === component)
    return { name: component, charts: chartsOf({ ...frame, id: `${id}c${i}` }, own, moves) }
  })
  const moments = inOrder([...shiftMoments(traffic), ...verdictMoments(seen), ...said])
  return {
    name,
    weights: traffic.length === 0 ? null : weightChart(frame, traffic, [...verdictMoments(seen), ...said]),
    parts,
    moments,
    analyses: seen,
  }
}

const inOrder = (moments: readonly ChartMoment[]): readonly ChartMoment[] =>
  moments.toSorted((a, b) => a.at - b.at)

function frameOf(
  report: Report,
  id: string,
  traffic: readonly ReportTraffic[],
  seen: readonly Seen[],
): Frame {
  let [from, until] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const take = (at: number): void => {
    from = Math.min(from, at)
    until = Math.max(until, at)
  }
  for (const { at } of traffic) take(at)
  for (const { analysis } of seen) {
    take(analysis.startedAt)
    take(analysis.finishedAt)
  }
  const space = Math.max(1, (until - from) * 0.04)
  return { id, from: from - space, until: until + space, zero: report.startedAt }
}

// ── traffic ─────────────────────────────────────────────────────────────────────────────────────

function weightChart(
  frame: Frame,
  traffic: readonly ReportTraffic[],
  decided: readonly ChartMoment[],
): Chart {
  const lines = [...Map.groupBy(traffic, ({ component }) => component)].flatMap(([component, moves]) =>
    SHARES.flatMap(share => shareLine(share, { component, moves, frame }) ?? []),
  )
  const reached = traffic.map(({ at, canary }) => `${canary} % at ${elapsedText(at - frame.zero)}`)
  return {
    ...frame,
    id: `${frame.id}w`,
    title: 'Share of requests that the new version answers',
    lines,
    thresholds: [],
    moments: firstOf(inOrder([...shown(traffic), ...decided])),
    format: value => `${value}%`,
    domain: [0, 100],
    description: [...new Set(reached)].slice(0, 20).join(', '),
  }
}

/** Whose share of the requests is drawn, and what is said behind the component's name. */
interface Share {
  readonly of: 'canary' | 'baseline' | 'mirror'
  readonly look: ChartLine['look']
  readonly words: string
}

const SHARES: readonly Share[] = [
  { of: 'canary', look: 'new', words: '' },
  { of: 'baseline', look: 'old', words: ', the old version beside it' },
  { of: 'mirror', look: 'copy', words: ', copies' },
]

interface Moves {
  readonly component: string
  readonly moves: readonly ReportTraffic[]
  readonly frame: Frame
}

/** null: it never had any, and a line at nothing would say nothing. */
function shareLine({ of, look, words }: Share, { component, moves, frame }: Moves): ChartLine | null {
  if (of !== 'canary' && moves.every(move => move[of] === 0)) return null
  const text = (share: number): string => `${share}%`
  const last = moves.at(-1)![of]
  const points = moves.map(move => [move.at, move[of], text(move[of])] as const)
  return {
    name: `${component}${words}`,
    look,
    shape: 'steps',
    points: [[frame.from, 0, text(0)], ...points, [frame.until, last, text(last)]],
  }
}

const KINDS: Readonly<Record<ReportTraffic['kind'], ChartMoment['kind']>> = {
  shifted: 'shift',
  promoted: 'promoted',
  'taken-back': 'back',
}

const shiftMoments = (traffic: readonly ReportTraffic[]): readonly ChartMoment[] =>
  traffic.map(moment => ({
    at: moment.at,
    kind: KINDS[moment.kind],
    label: labelOf(moment),
    text: `${moment.component}: ${trafficText(moment)}`,
  }))

/** Without what only prepares a shift: no request goes elsewhere yet. */
const shown = (traffic: readonly ReportTraffic[]): readonly ChartMoment[] =>
  shiftMoments(traffic).filter(({ label }) => label !== '')

function labelOf({ kind, canary, mirror }: ReportTraffic): string {
  if (kind === 'taken-back') return 'back'
  if (kind === 'promoted') return 'promoted'
  return canary === 0 && mirror > 0 ? `copy ${mirror}%` : canary === 0 ? '' : `${canary}%`
}

/** What many do together is marked once, where the first of them did it. */
const firstOf = (moments: readonly ChartMoment[]): readonly ChartMoment[] =>
  moments.filter(({ kind, label }, i) => {
    const before = moments[i - 1]
    return before === undefined || before.kind !== kind || before.label !== label
  })

// ── measurements ────────────────────────────────────────────────────────────────────────────────

function chartsOf(
  frame: Frame,
  seen: readonly Seen[],
  moves: readonly ReportTraffic[],
): readonly MeasureChart[] {
  const byName = Map.groupBy(seen, ({ measure: { name, target } }) => `${name}\n${target.side}`)
  return [...byName.values()].map((own, i) => ({
    chart: measureChart({ ...frame, id: `${frame.id}m${i}` }, own, moves),
    measures: own.map(({ measure }) => measure),
  }))
}

function measureChart(frame: Frame, own: readonly Seen[], moves: readonly ReportTraffic[]): Chart {
  const { measure } = own[0]!
  const read = (value: number | null): string => valueText(value, measure)
  const beside = measure.target.side === 'canary' ? 'beside it' : 'compared with'
  const lines = own.flatMap(({ measure: one, measure: { points, target } }): ChartLine[] => [
    {
      name: target.version,
      look: 'new',
      shape: 'linear',
      points: points.map(([at, value]) => [at, value, read(value)]),
    },
    ...(points.some(([, , baseline]) => baseline !== null)
      ? [
          {
            name: beside,
            look: 'old' as const,
            shape: 'linear' as const,
            points: points.map(([at, , baseline]) => [at, baseline, read(baseline)] as const),
          },
        ]
      : []),
    ...limitLines(one, read),
  ])
  return {
    ...frame,
    title: `${measure.target.component}: ${measure.name}`,
    lines,
    thresholds: thresholdsOf(own),
    moments: inOrder([...shown(moves), ...verdictMoments(own)]),
    format: value => read(value),
    ...(measure.unit === 'ratio' && isShare(own) && { most: 1 }),
    description: own.map(one => `${analysisText(one.analysis)}, last ${read(one.measure.last)}`).join('; '),
  }
}

/** A comparison of two may be more than the whole; a share of requests is not. */
const isShare = (own: readonly Seen[]): boolean =>
  own.every(({ measure: { points, threshold } }) =>
    [threshold, ...points.flatMap(([, value, beside]) => [value, beside])].every(value => (value ?? 0) <= 1),
  )

/** One line where several analyses in a row ask for the same. */
function thresholdsOf(own: readonly Seen[]): Chart['thresholds'] {
  const byValue = Map.groupBy(
    own.filter(({ measure }) => measure.threshold !== null),
    ({ measure }) => `${measure.threshold} ${measure.expected}`,
  )
  return [...byValue.values()].map(group => ({
    from: Math.min(...group.map(({ analysis }) => analysis.startedAt)),
    until: Math.max(...group.map(({ analysis }) => analysis.finishedAt)),
    value: group[0]!.measure.threshold!,
    text: group[0]!.measure.expected,
  }))
}

/** Each analysis that decided something, once: it passed, or what broke it. */
function verdictMoments(seen: readonly Seen[]): readonly ChartMoment[] {
  const decided = seen.filter(({ analysis }) => !analysis.cancelled)
  const byAnalysis = Map.groupBy(decided, ({ analysis }) => analysis)
  return [...byAnalysis].map(([analysis, own]): ChartMoment => {
    const score = analysis.scores?.find(({ verdict }) => verdict !== 'pass')
    const broken = score ?? own.find(({ measure }) => measure.verdict === 'fail')?.measure
    const at = analysis.finishedAt
    if (analysis.passed)
      return { at, kind: 'pass', label: '✓', text: `${analysis.title}: ${analysisText(analysis)}` }
    const why = broken === undefined ? analysisText(analysis) : `${targetText(broken)}: ${broken.reason}`
    return {
      at,
      kind: 'breach',
      label: broken === undefined ? '✗' : `✗ ${VERDICTS.fail}`,
      text: `${analysis.title}: ${why}`,
    }
  })
}

const approvalsIn = ({ approvals }: Report, { from, until }: Frame): readonly ChartMoment[] =>
  approvals
    .filter(({ at }) => at >= from && at <= until)
    .map(({ at, verdict, name, person, role }) => ({
      at,
      kind: 'approval',
      label: verdict,
      text: `${name}: ${verdict} by ${person} as ${role}`,
    }))
