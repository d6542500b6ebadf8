/**
 * A run's report as one HTML file that needs nothing else: no network, no script, no other file.
 *
 * Boundary: a report and its timeline in, text out. Charts are drawn here; the page's script only reads their values.
 *
 *  E1. Whatever came from people or programs is escaped by the template that it goes into (see markup.ts).
 *  E2. The page may load nothing and run nothing but its own script: its Content-Security-Policy says so by hash.
 *  E3. All that a chart shows stands in a table as well.
 */
import { createHash } from 'node:crypto'
import {
  html,
  type Markup,
  markupTable,
  PAGE_STYLE,
  scriptJson,
  trusted,
} from '../../src/plan/render/markup.ts'
import type { Report } from '../../src/run/report.ts'
import type { Timeline } from '../../src/run/timeline.ts'
import { chartGroups } from './chart-data.ts'
import { READER_SCRIPT } from './chart-reader.ts'
import { CHART_STYLE } from './chart-svg.ts'
import { chartSections, readableCharts } from './report-html-charts.ts'
import { breachPart, guardPart, statePart } from './report-html-guard.ts'
import {
  approvalsPart,
  causePart,
  consequencesPart,
  gatesPart,
  interruptionsPart,
  irreversiblePart,
  keptPart,
  rollbackPart,
  stagesPart,
} from './report-html-parts.ts'
import { OUTCOMES } from './report-words.ts'
import { plain } from './terminal-text.ts'
import { renderDuration, renderTime } from './time-text.ts'
import { TIMELINE_STYLE, timelineHtml } from './timeline-html.ts'

/** The whole page, the outcome and its root cause first. Ends with a line break. */
export function renderReportHtml(report: Report, timeline: Timeline): string {
  const groups = chartGroups(report)
  const title = `${plain(report.release)} ${plain(report.version)} ${OUTCOMES[report.outcome]}`
  const style = PAGE_STYLE + CHART_STYLE + TIMELINE_STYLE
  const script = groups.length === 0 ? null : READER_SCRIPT
  const when = timelineHtml(report, timeline)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policyOf(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${heading(report)}
${causePart(report)}
${breachPart(report)}
${rollbackPart(report)}
${statePart(report)}
${keptPart(report)}
${irreversiblePart(report)}
${chartSections(groups)}
${when === null ? null : html`<h2>When</h2>${when}`}
${gatesPart(report)}
${approvalsPart(report)}
${stagesPart(report)}
${consequencesPart(report)}
${interruptionsPart(report)}
${guardPart(report)}
${planPart(report)}
</main>
<script type="application/json" id="report">${scriptJson(report)}</script>
${
  script === null
    ? null
    : html`<script type="application/json" id="charts">${scriptJson(readableCharts(groups))}</script>
<script>${trusted(script)}</script>`
}
</body>
</html>
`.markup
}

/** JSON in a script element is data: it needs no leave to run. */
function policyOf(style: string, script: string | null): string {
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  const scripts = script === null ? '' : `; script-src ${hash(script)}`
  return `default-src 'none'; style-src ${hash(style)}; img-src data:${scripts}; base-uri 'none'; form-action 'none'`
}

const BOXES: Readonly<Record<Report['outcome'], string>> = {
  succeeded: 'is-good',
  'rolled-back': 'is-good',
  failed: 'is-bad',
  cancelled: 'is-bad',
  partial: 'is-open',
  running: 'is-open',
  waiting: 'is-open',
  interrupted: 'is-open',
}

function heading(report: Report): Markup {
  const end = report.finishedAt === null ? 'not yet' : renderTime(report.finishedAt)
  return html`<div class="box ${BOXES[report.outcome]}"><dl>
<dt>Run</dt><dd><code>${report.run}</code></dd>
<dt>Started by</dt><dd>${report.who}</dd>
<dt>Started</dt><dd>${renderTime(report.startedAt)}</dd>
<dt>Finished</dt><dd>${end}</dd>
<dt>Took</dt><dd>${report.duration === null ? '–' : renderDuration(report.duration)}</dd>
</dl></div>`
}

function planPart({ plan, params }: Report): Markup {
  const rows = Object.entries(params).map(([name, value]) => [
    name,
    html`<code>${JSON.stringify(value)}</code>`,
  ])
  return html`<h2>Plan</h2><p>Its hash is <code>${plan}</code>.</p>${rows.length === 0 ? null : markupTable('Params', ['Param', 'Value'], rows)}`
}
