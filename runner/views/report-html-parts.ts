/**
 * The parts of the HTML report that are text and tables.
 *
 * Boundary: pure; each part of a report in, its section out, or nothing where there is nothing to say.
 */
import { html, type Markup, markupTable } from '../../src/plan/render/markup.ts'
import type { Failure } from '../../src/run/events.ts'
import type { Report, ReportNode, ReportStage } from '../../src/run/report.ts'
import {
  becauseWords,
  type GateVerdict,
  gateVerdict,
  hasSomethingToSay,
  nodeNotes,
  nodeOutcome,
  WHYS,
} from './report-words.ts'
import { plainLines } from './terminal-text.ts'
import { renderDuration, renderTime } from './time-text.ts'

export type Part = (report: Report) => Markup | null

const code = (text: string): Markup => html`<code>${text}</code>`
const took = (millis: number | null): string => (millis === null ? '' : renderDuration(millis))
const toned = (text: string, tone: 'good' | 'bad' | 'warn'): Markup =>
  html`<span class="${tone}">${text}</span>`

const titlesOf = (report: Report): ReadonlyMap<string, string> =>
  new Map(report.stages.flatMap(({ nodes }) => nodes.map(({ key, title }) => [key, title] as const)))

/** What failed first, why, and what to do. */
export const causePart: Part = ({ cause }) => {
  if (cause === null) return null
  const { position: at } = cause
  const where = at === undefined ? null : html`, asked for at ${code(`${at.file}:${at.line}:${at.column}`)}`
  return html`<h2>Root cause</h2><div class="box is-bad"><p><strong>${cause.title}</strong> failed (${code(cause.node)}${where}):</p>${failureText(cause.failure)}</div>`
}

function failureText({ message, hint, tail }: Failure): Markup {
  return html`<p>${plainLines(message).map(line => html`${line}<br>`)}</p>${
    hint === undefined ? null : html`<p><strong>What to do:</strong> ${hint}</p>`
  }${tail === undefined ? null : html`<div class="scroll" role="region" aria-label="The last lines of output" tabindex="0"><pre>${plainLines(tail).join('\n')}</pre></div>`}`
}

export const rollbackPart: Part = report => {
  if (report.rolledBack.length === 0) return null
  const titles = titlesOf(report)
  const rows = report.rolledBack.map(({ undoes, outcome, failure, duration }) => [
    titles.get(undoes) ?? undoes,
    code(undoes),
    outcome === 'succeeded'
      ? toned('yes', 'good')
      : toned(failure === undefined ? outcome : `${outcome}: ${failure.message}`, 'bad'),
    took(duration),
  ])
  return html`<h2>Rolled back</h2>${markupTable('Rolled back', ['What', 'Node', 'Taken back', 'Took'], rows, [3])}`
}

export const keptPart: Part = report => {
  if (report.notRolledBack.length === 0) return null
  const titles = titlesOf(report)
  const rows = report.notRolledBack.map(({ node, reason }) => [titles.get(node) ?? node, code(node), reason])
  return html`<h2>Not rolled back</h2>${markupTable('Not rolled back', ['What', 'Node', 'Why'], rows)}`
}

export const irreversiblePart: Part = ({ irreversible }) => {
  if (irreversible.length === 0) return null
  const rows = irreversible.map(({ node, title, reason }) => [title, code(node), reason])
  return html`<h2>Cannot be taken back</h2>${markupTable('Cannot be taken back', ['What', 'Node', 'Why'], rows)}`
}

const TONES: Readonly<Record<GateVerdict, Markup>> = {
  passed: toned('passed', 'good'),
  failed: toned('failed', 'bad'),
  warning: toned('warning', 'warn'),
  none: html`none`,
}

export const gatesPart: Part = ({ gates }) => {
  if (gates.length === 0) return null
  const rows = gates.map(gate => [
    gate.name,
    TONES[gateVerdict(gate)],
    gate.summary,
    gate.required ? 'yes' : 'no',
    gate.at === null ? '' : renderTime(gate.at),
  ])
  return html`<h2>Gates</h2>${markupTable('Gates', ['Gate', 'Verdict', 'Figure', 'Required', 'When'], rows)}`
}

export const approvalsPart: Part = ({ approvals }) => {
  if (approvals.length === 0) return null
  const rows = approvals.map(({ name, verdict, reason, person, role, at, key }) => [
    name,
    verdict === 'approved' ? toned('approved', 'good') : toned(`rejected: ${reason ?? ''}`, 'bad'),
    person,
    role,
    renderTime(at),
    key === null ? 'unsigned' : code(key),
  ])
  const head = ['Approval', 'Word', 'Person', 'Role', 'When', 'Key']
  return html`<h2>Approvals</h2>${markupTable('Approvals', head, rows)}`
}

/** What failed or is not over is open at once. */
export const stagesPart: Part = ({ stages }) => html`<h2>Stages</h2>${stages.map(stageText)}`

function stageText(stage: ReportStage): Markup {
  const time =
    stage.startedAt === null || stage.finishedAt === null
      ? ''
      : `, ${renderDuration(stage.finishedAt - stage.startedAt)}`
  const rows = stage.nodes.filter(hasSomethingToSay).map(nodeRow)
  const head = html`<h3>${stage.name}: ${stage.outcome}${time}</h3>`
  if (rows.length === 0) return head
  const open = stage.outcome === 'succeeded' || stage.outcome === 'skipped' ? null : html` open`
  const table = markupTable(
    `Nodes of ${stage.name}`,
    ['What', 'Outcome', 'Attempts', 'Started', 'Took', 'Said'],
    rows,
    [2, 4],
  )
  return html`${head}<details${open}><summary>${rows.length} ${rows.length === 1 ? 'node' : 'nodes'}</summary>${table}</details>`
}

const nodeRow = (node: ReportNode): readonly (string | number | Markup)[] => [
  node.title,
  outcomeText(node),
  node.attempts,
  node.startedAt === null ? '' : renderTime(node.startedAt),
  took(node.duration),
  node.outcome === 'failed' && node.failure !== undefined ? node.failure.message : nodeNotes(node),
]

function outcomeText(node: ReportNode): Markup {
  const outcome = nodeOutcome(node)
  if (outcome === 'succeeded') return toned(outcome, 'good')
  if (outcome === 'failed' || outcome === 'uncertain') return toned(outcome, 'bad')
  return outcome === 'warning' ? toned(outcome, 'warn') : html`${outcome}`
}

export const consequencesPart: Part = ({ consequences }) => {
  if (consequences.length === 0) return null
  const byCause = Map.groupBy(consequences, ({ outcome, because }) => `${outcome}\n${because}`)
  const items = [...byCause.values()].map(group => {
    const { outcome, because } = group[0]!
    const [before, node, after] = becauseWords(because)
    const nodes = group.map((one, i) => html`${i === 0 ? '' : ', '}${code(one.node)}`)
    return html`<li>${outcome === 'skipped' ? 'Skipped' : 'Stopped'} ${before}${node === null ? null : code(node)}${after}: ${nodes}</li>`
  })
  return html`<h2>What did not run</h2><ul>${items}</ul>`
}

export const interruptionsPart: Part = ({ interruptions, stops }) => {
  const lines = [
    ...stops.map(({ at, by, who }) => ({
      at,
      text: `${who} ${by === 'cancel' ? 'cancelled the run' : 'interrupted the runner'}`,
    })),
    ...interruptions.map(({ from, until, why, resumedBy }) => ({
      at: from,
      text: `${WHYS[why]}; ${until === null ? 'nobody has gone on yet' : `${resumedBy ?? 'somebody'} went on at ${renderTime(until)}, after ${renderDuration(until - from)}`}`,
    })),
  ].sort((a, b) => a.at - b.at)
  if (lines.length === 0) return null
  return html`<h2>Interruptions</h2><ul>${lines.map(({ at, text }) => html`<li>${renderTime(at)}: ${text}</li>`)}</ul>`
}
