import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { InputError } from '../../src/errors.ts'
import { foldGuard } from '../../src/run/guard-record.ts'
import type { Report } from '../../src/run/report.ts'
import { type OpenedRun, openedRun, told } from '../open-run.ts'
import { type Command, type Invocation, wrong } from './command.ts'
import type { Io } from './io.ts'
import { stateFolder } from './state.ts'

const FORMATS = ['md', 'html', 'json'] as const
type Format = (typeof FORMATS)[number]

/** `release report RUN`: what happened, when, by whom, measured how. */
export const report: Command = {
  name: 'report',
  usage: '[RUN]',
  summary:
    'Says what happened in a run: who, what, when, each figure, the cause, what was taken back and what not.',
  example: 'release report --format html --out report.html',
  options: {
    format: { value: 'FORMAT', help: 'md, html or json (md)' },
    out: { value: 'FILE', help: 'write it there instead of to stdout' },
  },
  takes: [0, 1],
  run: async (invocation, io) => {
    const format = readFormat(invocation, io)
    const { plan, events, folder } = await openedRun(stateFolder(invocation, io), invocation.args[0])
    if (events.length === 0) {
      throw new InputError([
        wrong(
          'nothing-to-report',
          `the run ${folder.id} was ended before its first record: nothing has happened in it`,
          `Begin it with: release resume ${folder.id}`,
        ),
      ])
    }
    const { buildReport } = await import('../../src/run/build-report.ts')
    const { readGuards } = await import('../guard/guard-file.ts')
    const guards = (await readGuards(folder)).flatMap(lines => foldGuard(lines) ?? [])
    const built = told(folder, () => buildReport(plan, events, guards))
    const text = await renderReport(format, { built, plan, events, folder })
    const out = invocation.text('out')
    if (out === undefined) io.stdout.write(text)
    else await writeFile(resolve(io.cwd, out), text)
    return 0
  },
}

function readFormat(invocation: Invocation, io: Io): Format {
  const format = invocation.text('format') ?? (io.json ? 'json' : 'md')
  if ((FORMATS as readonly string[]).includes(format)) return format as Format
  throw new InputError([
    wrong('format', `--format ${format}: there is no such format`, 'There are md, html and json.'),
  ])
}

interface Built extends Pick<OpenedRun, 'plan' | 'events' | 'folder'> {
  readonly built: Report
}

async function renderReport(format: Format, { built, plan, events, folder }: Built): Promise<string> {
  switch (format) {
    case 'json':
      return `${JSON.stringify(built, null, 2)}\n`
    case 'md': {
      const { renderReportMarkdown } = await import('../views/report-md.ts')
      return told(folder, () => renderReportMarkdown(built))
    }
    case 'html': {
      const { renderReportHtml } = await import('../views/report-html.ts')
      const { buildTimeline } = await import('../../src/run/timeline.ts')
      return told(folder, () => renderReportHtml(built, buildTimeline(plan, events)))
    }
    default:
      return format satisfies never
  }
}
