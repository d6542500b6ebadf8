/**
 * A run's report as Markdown that reads well raw and rendered.
 *
 * Boundary: pure; a report in, text out. What came from people or programs is escaped, so that no title or output
 * can forge a heading, a table or a link.
 */
import type { Failure } from '../../src/run/events.ts'
import type { Report, ReportGate, ReportNode, ReportStage } from '../../src/run/report.ts'
import { plain, plainLines } from './terminal-text.ts'
import { renderDuration, renderTime } from './time-text.ts'

/** The report, the outcome and its root cause first. Ends with a line break. */
export function renderReportMarkdown(report: Report): string {
  const sections = [
    heading(report),
    causeSection(report),
    rollbackSection(report),
    keptSection(report),
    irreversibleSection(report),
    gatesSection(report),
    approvalsSection(report),
    stagesSection(report),
    consequencesSection(report),
    interruptionsSection(report),
  ]
  return `${sections.filter(section => section !== '').join('\n\n')}\n`
}

const OUTCOMES: Readonly<Record<Report['outcome'], string>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  partial: 'is done in part',
  cancelled: 'was cancelled',
  'rolled-back': 'was rolled back',
  running: 'is running',
  waiting: 'is waiting',
  interrupted: 'was interrupted and can be resumed',
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

/** A fence that is longer than any in the text. */
function fenced(lines: readonly string[]): readonly string[] {
  const longest = Math.max(2, ...lines.map(line => /`*/.exec(line.trimStart())![0].length))
  const fence = '`'.repeat(longest + 1)
  return [`${fence}text`, ...lines, fence]
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
  if (because === 'cancel') return 'because the run was cancelled'
  if (because === 'person') return 'because a rollback was asked for'
  return `because ${code(because)} failed`
}

// ── what was done ───────────────────────────────────────────────────────────────────────────────

function gatesSection({ gates }: Report): string {
  if (gates.length === 0) return ''
  const rows = gates.map(gate => [
    text(gate.name),
    verdict(gate),
    text(gate.summary ?? ''),
    gate.required ? 'yes' : 'no',
  ])
  return section('Gates', table(['Gate', 'Verdict', 'Figure', 'Required'], rows))
}

function verdict({ passed, required }: ReportGate): string {
  if (passed === null) return 'none'
  if (passed) return 'passed'
  return required ? '**failed**' : '**warning**'
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
      text(
        [node.warning, node.summary === node.warning ? null : node.summary]
          .filter(note => note !== null)
          .join('; '),
      ),
    ])
  const head = `### ${text(stage.name)}: ${stage.outcome}${took}`
  return rows.length === 0
    ? head
    : `${head}\n\n${table(['What', 'Outcome', 'Attempts', 'Started', 'Took', 'Said'], rows)}`
}

/** A node that succeeded without having been started, in no time and without a word, only stood for others. */
const hasSomethingToSay = (node: ReportNode): boolean =>
  node.outcome !== 'succeeded' || node.attempts > 0 || node.duration !== 0 || node.summary !== null

function outcomeText(node: ReportNode): string {
  if (node.outcome === 'failed') return '**failed**'
  return node.warning !== null && node.outcome === 'succeeded' ? 'warning' : node.outcome
}

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

const WHYS = {
  crashed: 'last heard of a runner that did not end in order',
  interrupted: 'the runner left, interrupted',
  waiting: 'the runner left, since the run only waited',
} as const

// ── Markdown ────────────────────────────────────────────────────────────────────────────────────

const section = (title: string, body: string): string => `## ${title}\n\n${body}`

const duration = (millis: number | null): string => (millis === null ? '' : renderDuration(millis))

const titlesOf = (report: Report): ReadonlyMap<string, string> =>
  new Map(report.stages.flatMap(({ nodes }) => nodes.map(({ key, title }) => [key, title] as const)))

/** One line of foreign text, with everything escaped that Markdown or HTML would read. */
export const text = (foreign: string): string =>
  plainLines(foreign)
    .join(' ')
    .replace(/[\\`*_[\]<>|#~&]/g, character =>
      character === '&' ? '&amp;' : character === '<' ? '&lt;' : `\\${character}`,
    )

/** Foreign text as code; backquotes in it end nothing. */
function code(foreign: string): string {
  const line = plain(foreign).replaceAll('|', '\\|')
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map(run => run.length))
  const fence = '`'.repeat(longest + 1)
  return longest === 0 ? `${fence}${line}${fence}` : `${fence} ${line} ${fence}`
}

/** Columns are padded, so that the raw text is a table too. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map(row => row[i]!.length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  return [line(head), `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join(
    '\n',
  )
}
