/**
 * A run's report as Markdown that reads well raw and rendered.
 *
 * Boundary: pure; a report in, text out. What came from people or programs is escaped, so that no title or output
 * can forge a heading, a table or a link.
 */
import type { Failure } from '../../src/run/events.ts'
import type { Report, ReportNode, ReportStage } from '../../src/run/report.ts'
import { code, fenced, section, table, text } from './markdown.ts'
import { breachSection, guardSection, stateSection } from './report-guard-md.ts'
import {
  analysisText,
  becauseWords,
  gateVerdict,
  hasSomethingToSay,
  nodeNotes,
  nodeOutcome,
  OUTCOMES,
  targetText,
  trafficText,
  VERDICTS,
  valueText,
  WHYS,
} from './report-words.ts'
import { plainLines } from './terminal-text.ts'
import { renderDuration, renderTime } from './time-text.ts'

/** The report, the outcome and its root cause first. Ends with a line break. */
export function renderReportMarkdown(report: Report): string {
  const sections = [
    heading(report),
    causeSection(report),
    breachSection(report),
    rollbackSection(report),
    stateSection(report),
    keptSection(report),
    irreversibleSection(report),
    trafficSection(report),
    measuredSection(report),
    gatesSection(report),
    approvalsSection(report),
    stagesSection(report),
    consequencesSection(report),
    interruptionsSection(report),
    guardSection(report),
  ]
  return `${sections.filter(section => section !== '').join('\n\n')}\n`
}

function heading(report: Report): string {
  const end = report.finishedAt === null ? 'not yet' : renderTime(report.finishedAt)
  return [
    `# ${text(report.release)} ${text(report.version)} ${OUTCOMES[report.outcome]}`,
    '',
    table(
      ['', ''],
      [
        ['Run', code(report.run)],
        ['Started by', text(report.who)],
        ['Started', renderTime(report.startedAt)],
        ['Finished', end],
        ['Took', report.duration === null ? '–' : renderDuration(report.duration)],
        ['Plan', code(report.plan)],
      ],
    ),
  ].join('\n')
}

// ── what went wrong ─────────────────────────────────────────────────────────────────────────────

function causeSection({ cause }: Report): string {
  if (cause === null) return ''
  const { position } = cause
  const where =
    position === undefined
      ? ''
      : `, asked for at ${code(`${position.file}:${position.line}:${position.column}`)}`
  return [
    '## Root cause',
    '',
    `**${text(cause.title)}** failed (${code(cause.node)}${where}):`,
    '',
    ...failureText(cause.failure),
  ].join('\n')
}

function failureText(failure: Failure): readonly string[] {
  return [
    ...plainLines(failure.message).map(line => `> ${text(line)}`),
    ...(failure.hint === undefined ? [] : ['', `What to do: ${text(failure.hint)}`]),
    ...(failure.tail === undefined ? [] : ['', ...fenced(plainLines(failure.tail))]),
  ]
}

function rollbackSection(report: Report): string {
  if (report.rolledBack.length === 0) return ''
  const titles = titlesOf(report)
  const rows = report.rolledBack.map(undone => [
    text(titles.get(undone.undoes) ?? undone.undoes),
    code(undone.undoes),
    undone.outcome === 'succeeded'
      ? 'yes'
      : `**${undone.outcome}**${undone.failure === undefined ? '' : `: ${text(undone.failure.message)}`}`,
    duration(undone.duration),
  ])
  return section('Rolled back', table(['What', 'Node', 'Taken back', 'Took'], rows))
}

function keptSection(report: Report): string {
  if (report.notRolledBack.length === 0) return ''
  const titles = titlesOf(report)
  const items = report.notRolledBack.map(
    ({ node, reason }) => `- **${text(titles.get(node) ?? node)}** (${code(node)}): ${text(reason)}`,
  )
  return section('Not rolled back', items.join('\n'))
}

function irreversibleSection({ irreversible }: Report): string {
  if (irreversible.length === 0) return ''
  const items = irreversible.map(
    ({ node, title, reason }) => `- **${text(title)}** (${code(node)}): ${text(reason)}`,
  )
  return section('Cannot be taken back', items.join('\n'))
}

function consequencesSection({ consequences }: Report): string {
  if (consequences.length === 0) return ''
  const byCause = Map.groupBy(consequences, ({ outcome, because }) => `${outcome}\n${because}`)
  const items = [...byCause.values()].map(group => {
    const { outcome, because } = group[0]!
    const word = outcome === 'skipped' ? 'Skipped' : 'Stopped'
    return `- ${word} ${becauseText(because)}: ${group.map(({ node }) => code(node)).join(', ')}`
  })
  return section('What did not run', items.join('\n'))
}

function becauseText(because: string): string {
  if (because === 'only') return 'by `--only`'
  const [before, node, after] = becauseWords(because)
  return node === null ? before : `${before}${code(node)}${after}`
}

// ── what was done ───────────────────────────────────────────────────────────────────────────────

/** Verdicts that are to be seen at once. */
const MARKED: ReadonlySet<string> = new Set(['failed', 'warning'])

function gatesSection({ gates }: Report): string {
  if (gates.length === 0) return ''
  const rows = gates.map(gate => [
    text(gate.name),
    MARKED.has(gateVerdict(gate)) ? `**${gateVerdict(gate)}**` : gateVerdict(gate),
    text(gate.summary ?? ''),
    gate.required ? 'yes' : 'no',
  ])
  return section('Gates', table(['Gate', 'Verdict', 'Figure', 'Required'], rows))
}

function trafficSection({ traffic }: Report): string {
  if (traffic.length === 0) return ''
  const rows = traffic.map(moment => [
    renderTime(moment.at),
    text(`${moment.environment}/${moment.component}`),
    text(trafficText(moment)),
  ])
  return section('Traffic', table(['When', 'Component', 'Requests'], rows))
}

function measuredSection({ analyses }: Report): string {
  if (analyses.length === 0) return ''
  const parts = analyses.map(analysis => {
    const rows = analysis.measures.map(measure => [
      text(targetText(measure)),
      text(measure.name),
      text(measure.expected),
      text(valueText(measure.last, measure)),
      measure.requests === null ? '' : String(measure.requests),
      measure.verdict === 'fail' ? `**${VERDICTS.fail}**` : VERDICTS[measure.verdict],
    ])
    const head = `### ${text(analysis.title)}: ${analysisText(analysis)}`
    const columns = ['Of', 'Metric', 'Expected', 'Last', 'Requests', 'Verdict']
    const scores = (analysis.scores ?? []).map(score => `${text(targetText(score))}: ${text(score.reason)}.`)
    return [head, ...(rows.length === 0 ? [] : [table(columns, rows)]), ...scores].join('\n\n')
  })
  return section('Measurements', parts.join('\n\n'))
}

function approvalsSection({ approvals }: Report): string {
  if (approvals.length === 0) return ''
  const rows = approvals.map(word => [
    text(word.name),
    word.verdict === 'approved' ? 'approved' : `**rejected**: ${text(word.reason ?? '')}`,
    text(word.person),
    text(word.role),
    renderTime(word.at),
    word.key === null ? 'unsigned' : code(word.key),
  ])
  return section('Approvals', table(['Approval', 'Word', 'Person', 'Role', 'When', 'Key'], rows))
}

const stagesSection = ({ stages }: Report): string => section('Stages', stages.map(stageText).join('\n\n'))

function stageText(stage: ReportStage): string {
  const took =
    stage.startedAt === null || stage.finishedAt === null
      ? ''
      : `, ${renderDuration(stage.finishedAt - stage.startedAt)}`
  const rows = stage.nodes
    .filter(hasSomethingToSay)
    .map(node => [
      text(node.title),
      outcomeText(node),
      String(node.attempts),
      node.startedAt === null ? '' : renderTime(node.startedAt),
      duration(node.duration),
      text(nodeNotes(node)),
    ])
  const head = `### ${text(stage.name)}: ${stage.outcome}${took}`
  return rows.length === 0
    ? head
    : `${head}\n\n${table(['What', 'Outcome', 'Attempts', 'Started', 'Took', 'Said'], rows)}`
}

const outcomeText = (node: ReportNode): string =>
  node.outcome === 'failed' ? '**failed**' : nodeOutcome(node)

function interruptionsSection({ interruptions, stops }: Report): string {
  const lines = [
    ...stops.map(({ at, by, who }) => ({
      at,
      line: `- ${renderTime(at)}: ${text(who)} ${by === 'cancel' ? 'cancelled the run' : 'interrupted the runner'}`,
    })),
    ...interruptions.map(({ from, until, why, resumedBy }) => ({
      at: from,
      line: `- ${renderTime(from)}: ${WHYS[why]}; ${until === null ? 'nobody has gone on yet' : `${text(resumedBy ?? 'somebody')} went on at ${renderTime(until)}, after ${renderDuration(until - from)}`}`,
    })),
  ].sort((a, b) => a.at - b.at)
  return lines.length === 0 ? '' : section('Interruptions', lines.map(({ line }) => line).join('\n'))
}

// ── Markdown ────────────────────────────────────────────────────────────────────────────────────

const duration = (millis: number | null): string => (millis === null ? '' : renderDuration(millis))

const titlesOf = (report: Report): ReadonlyMap<string, string> =>
  new Map(report.stages.flatMap(({ nodes }) => nodes.map(({ key, title }) => [key, title] as const)))
