/**
 * The charts of the HTML report, with what they show as tables beside them.
 *
 * Boundary: pure; groups of charts in, sections out.
 */
import { html, type Markup, markupTable } from '../../src/plan/render/markup.ts'
import type { ReportMeasure } from '../../src/run/report.ts'
import type { ChartGroup, MeasureChart } from './chart-data.ts'
import { type ReadableChart, readableChart } from './chart-reader.ts'
import { type Chart, chartSvg, elapsedText } from './chart-svg.ts'
import { targetText, VERDICTS, valueText } from './report-words.ts'

/** Rows of one table of points; a longer series shows every second, fourth, … of them. */
const MOST_ROWS = 60

/** What the page's script reads of every chart. */
export const readableCharts = (groups: readonly ChartGroup[]): readonly ReadableChart[] =>
  groups.flatMap((group, i) => {
    const charts = group.parts.flatMap(part => part.charts.map(({ chart }) => chart))
    const all = group.weights === null ? charts : [group.weights, ...charts]
    return all.map(chart => readableChart(chart, `g${i}`))
  })

/** A section for each group; nothing where nothing was measured or shifted. */
export function chartSections(groups: readonly ChartGroup[]): Markup | null {
  if (groups.length === 0) return null
  return html`<h2>Traffic and measurements</h2>
<p class="key"><b class="new">━</b> the new version <b class="old">┅</b> the one beside it <b class="bad">╌</b> what it has to be, or how far from the other it may go. Marks: requests shifted, ✓ held, ✗ broken, back: taken back. Times count from the start of the run.</p>
${groups.map(groupText)}`
}

function groupText({ name, weights, parts, moments, analyses }: ChartGroup): Markup {
  const measured = analyses.map(({ measure }) => measure)
  const scores = [...new Set(analyses.map(({ analysis }) => analysis))].flatMap(({ scores = [] }) => scores)
  return html`<section><h3>${name}</h3>
${weights === null ? null : html`<div class="charts">${figure(weights, null)}</div>`}
${parts.map(
  part => html`<h4>${part.name}</h4><div class="charts">${part.charts.map(chart => figure(chart.chart, pointsTable(chart)))}</div>
`,
)}
${measured.length === 0 ? null : html`<details open><summary>What was measured, and what it had to be</summary>${measuresTable(name, measured)}${scores.map(score => html`<p>${targetText(score)}: ${score.reason}.</p>`)}</details>`}
<details><summary>Every decision</summary>${decisionsTable(name, moments, zeroOf(weights, parts))}</details></section>
`
}

const zeroOf = (weights: Chart | null, parts: ChartGroup['parts']): number =>
  weights?.zero ?? parts[0]?.charts[0]?.chart.zero ?? 0

const figure = (
  chart: Chart,
  table: Markup | null,
): Markup => html`<figure><figcaption>${chart.title}</figcaption>
${chartSvg(chart)}<p class="reading screen" id="${`${chart.id}-reading`}" aria-live="polite"></p>${table}</figure>`

function measuresTable(name: string, measures: readonly ReportMeasure[]): Markup {
  const rows = measures.map(measure => {
    const values = measure.points.flatMap(([, value]) => value ?? [])
    const [least, most] = [values.reduce(lesser, null), values.reduce(greater, null)]
    return [
      targetText(measure),
      measure.name,
      measure.expected,
      html`<span class="${measure.verdict === 'pass' ? 'good' : measure.verdict === 'fail' ? 'bad' : 'soft'}">${VERDICTS[measure.verdict]}</span>`,
      valueText(least, measure),
      valueText(most, measure),
      valueText(measure.last, measure),
      valueText(measure.points.findLast(([, , beside]) => beside !== null)?.[2] ?? null, measure),
      measure.requests ?? '–',
    ]
  })
  const head = ['Of', 'Metric', 'Expected', 'Verdict', 'Least', 'Most', 'Last', 'Last beside it', 'Requests']
  return markupTable(`Measurements of ${name}`, head, rows, [4, 5, 6, 7, 8])
}

const lesser = (a: number | null, b: number): number => (a === null ? b : Math.min(a, b))
const greater = (a: number | null, b: number): number => (a === null ? b : Math.max(a, b))

const decisionsTable = (name: string, moments: ChartGroup['moments'], zero: number): Markup =>
  markupTable(
    `Decisions of ${name}`,
    ['After', 'What'],
    moments.map(({ at, text }) => [elapsedText(at - zero), text]),
  )

function pointsTable({ chart, measures }: MeasureChart): Markup {
  const points = measures.flatMap(measure => measure.points.map(point => ({ point, measure })))
  let every = 1
  while (points.length / every > MOST_ROWS) every *= 2
  const shown = points.filter((_, i) => i % every === 0 || i === points.length - 1)
  const rows = shown.map(({ point: [at, value, beside, requests], measure }) => [
    elapsedText(at - chart.zero),
    valueText(value, measure),
    valueText(beside, measure),
    requests ?? '–',
  ])
  const thinned = every === 1 ? '' : `, one in ${every}`
  return html`<details><summary>${points.length} measurements${thinned}</summary>${markupTable(
    `${chart.title}, measured`,
    ['After', 'New', 'Beside it', 'Requests'],
    rows,
    [0, 1, 2, 3],
  )}</details>`
}
