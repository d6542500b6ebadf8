import { InputError } from '../../src/errors.ts'
import { openedRun, told } from '../open-run.ts'
import { type Command, wrong } from './command.ts'
import { stateFolder } from './state.ts'

/** `release report RUN`: what happened, when, by whom, measured how. */
export const report: Command = {
  name: 'report',
  usage: '[RUN]',
  summary:
    'Says what happened in a run: who, what, when, each figure, the cause, what was taken back and what not.',
  example: 'release report --format md > release-report.md',
  options: { format: { value: 'FORMAT', help: 'md or json (md)' } },
  takes: [0, 1],
  run: async (invocation, io) => {
    const format = invocation.text('format') ?? (io.json ? 'json' : 'md')
    if (format !== 'md' && format !== 'json') {
      throw new InputError([
        wrong('format', `--format ${format}: there is no such format`, 'There are md and json.'),
      ])
    }
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
    const built = told(folder, () => buildReport(plan, events))
    if (format === 'json') io.stdout.write(`${JSON.stringify(built, null, 2)}\n`)
    else {
      const { renderReportMarkdown } = await import('../views/report-md.ts')
      io.stdout.write(told(folder, () => renderReportMarkdown(built)))
    }
    return 0
  },
}
