/**
 * A run over time: a row for each component and for what stands alone, its bars where something ran or waited.
 *
 * Boundary: pure; spans in, a table out. The bars are places in percent of the run, so that they fit any screen; what
 * they show stands beside them as text.
 */
import { html, type Markup } from '../../src/plan/render/markup.ts'
import type { Report, ReportInterruption } from '../../src/run/report.ts'
import type { Span, Timeline } from '../../src/run/timeline.ts'
import { elapsedText } from './chart-svg.ts'
import { renderDuration } from './time-text.ts'

interface Row {
  readonly group: string
  readonly name: string
  readonly spans: Span[]
}

/** The timeline as a table; '' where nothing has begun. */
export function timelineHtml(report: Report, timeline: Timeline): Markup | null {
  const rows = rowsOf(timeline)
  if (rows.length === 0) return null
  const place = placer(timeline)
  const groups = [...Map.groupBy(rows, ({ group }) => group)]
  return html`<table class="timeline"><thead><tr><th scope="col">What</th><th scope="col">When</th><th scope="col" class="number">Took</th></tr>
<tr class="soft"><td></td><td>${axis(timeline)}</td><td></td></tr></thead>${groups.map(
    ([group, own]) =>
      html`<tbody><tr><th scope="rowgroup" colspan="3">${group}</th></tr>${own.map(
        row => html`<tr><th scope="row" class="name">${row.name}</th><td>${bars(row, place, report.interruptions)}</td><td class="number">${tookText(row, timeline)}</td></tr>
`,
      )}</tbody>`,
  )}</table>
<p class="key"><b class="k ran">▬</b> ran  <b class="k failed">▬</b> failed  <b class="k waited">▬</b> waited  <b class="k undone">▬</b> was taken back  <b class="k retried">▮</b> tried again  <b class="k gone">▒</b> no runner</p>`
}

/** In the order in which they began; a rollback is a group of its own, after the stages. */
function rowsOf({ spans }: Timeline): readonly Row[] {
  const rows = new Map<string, Row>()
  for (const span of spans) {
    const { node, rollback } = span
    const group = rollback === null ? node.stage : `rollback ${rollback}`
    const name = node.component === undefined ? node.title : placeName(span)
    const key = `${group}\n${name}`
    const row = rows.get(key) ?? { group, name, spans: [] }
    rows.set(key, row)
    row.spans.push(span)
  }
  return [...rows.values()]
}

const placeName = ({ node, rollback }: Span): string =>
  rollback === null ? node.component! : `${node.environment}/${node.component}`

type Place = (at: number) => number

/** Percent of the width. */
function placer({ from, until }: Timeline): Place {
  const width = Math.max(1, until - from)
  return at => Math.round(((at - from) / width) * 10_000) / 100
}

function bars({ name, spans }: Row, place: Place, interruptions: readonly ReportInterruption[]): Markup {
  const gone = interruptions.map(({ from, until }) => {
    const x = place(from)
    return html`<rect class="gone" x="${x}%" width="${Math.max(0.2, (until === null ? 100 : place(until)) - x)}%" height="16" y="0"/>`
  })
  const label = `${name}: ${spans.slice(0, 8).map(wordsOf).join(', ')}${spans.length > 8 ? `, and ${spans.length - 8} more` : ''}`
  return html`<svg class="bars" width="100%" height="16" role="img" aria-label="${label}">${gone}${seen(
    spans,
    place,
  ).map(
    ({ span, x, width }) =>
      html`<rect class="${lookOf(span)}" x="${x}%" y="${span.kind === 'ran' ? 3 : 6}" width="${width}%" height="${span.kind === 'ran' ? 10 : 4}" rx="1.5"><title>${span.node.title}: ${wordsOf(span)}</title></rect>${span.end === 'retried' || span.end === 'cut-off' ? html`<rect class="retried" x="${Math.min(99.6, x + width)}%" y="1" width="2" height="14"/>` : null}`,
  )}</svg>`
}

interface Seen {
  readonly span: Span
  readonly x: number
  readonly width: number
}

/** Bars of one look that could not be told apart are drawn as one: ten thousand nodes are no more than a row can show. */
function seen(spans: readonly Span[], place: Place): readonly Seen[] {
  const drawn: { span: Span; x: number; width: number }[] = []
  for (const span of spans) {
    const x = place(span.from)
    const width = Math.max(0.3, (span.until === null ? 100 : place(span.until)) - x)
    const last = drawn.at(-1)
    const hides = last !== undefined && lookOf(last.span) === lookOf(span) && x + width - last.x < 0.4
    if (!hides) drawn.push({ span, x, width: Math.round(width * 100) / 100 })
  }
  return drawn
}

function lookOf({ kind, end, rollback }: Span): string {
  if (kind !== 'ran') return 'waited'
  if (end === 'failed' || end === 'retried') return 'failed'
  if (rollback !== null) return 'undone'
  return end === 'cancelled' || end === 'cut-off' ? 'stopped' : 'ran'
}

const ENDS: Readonly<Record<NonNullable<Span['end']>, string>> = {
  succeeded: '',
  failed: ', failed',
  cancelled: ', stopped',
  retried: ', tried again',
  'cut-off': ', cut off',
}

function wordsOf({ kind, from, until, end }: Span): string {
  const took = until === null ? 'not ended' : renderDuration(until - from)
  const what = { ran: '', waited: 'waited ', paused: 'paused ' }[kind]
  return `${what}${took}${end === null ? '' : ENDS[end]}`
}

function tookText({ spans }: Row, { until }: Timeline): string {
  const from = spans.reduce((least, span) => Math.min(least, span.from), Number.POSITIVE_INFINITY)
  const end = spans.reduce((most, span) => Math.max(most, span.until ?? until), 0)
  return renderDuration(end - from)
}

function axis({ from, until }: Timeline): Markup {
  const places = [0, 25, 50, 75, 100]
  const text = (percent: number): string => elapsedText(((until - from) * percent) / 100)
  return html`<svg class="bars" width="100%" height="16" aria-hidden="true">${places.map(
    percent =>
      html`<text x="${percent}%" y="12" class="${percent === 0 ? 'first' : percent === 100 ? 'last' : 'between'}">${text(percent)}</text>`,
  )}</svg>`
}

export const TIMELINE_STYLE = `
.timeline { table-layout: fixed } .timeline th:first-child { width: 26% } .timeline th:nth-child(3) { width: 6.5rem } .timeline th.name { font-weight: 400; color: var(--ink); padding-left: .8rem }
.timeline td, .timeline th { padding-top: .12rem; padding-bottom: .12rem } .timeline tbody th[scope=rowgroup] { color: var(--ink); padding-top: .6rem; width: auto } .timeline td { vertical-align: middle }
svg.bars { display: block; overflow: visible; font: 10px system-ui, sans-serif } svg.bars text { fill: var(--soft) } svg.bars .last { text-anchor: end } svg.bars .between { text-anchor: middle }
.ran { fill: var(--new); color: var(--new) } .bars .failed, .k.failed { fill: var(--bad); color: var(--bad) } .waited { fill: var(--wait); color: var(--wait) } .undone { fill: var(--warn); color: var(--warn) } .stopped { fill: var(--old) }
.retried { fill: var(--ink); color: var(--ink) } .gone { fill: var(--line); color: var(--line) } @media (max-width: 30rem) { .timeline th:first-child { width: 34% } .timeline th:nth-child(3) { width: 4.6rem } }
`
