import { buildReport } from '../../src/run/build-report.ts'
import { currentHolder } from '../journal/run-lock.ts'
import { openedRun, told } from '../open-run.ts'
import { createRunView } from '../views/model.ts'
import { runRow } from '../views/run-list.ts'
import { renderStatus } from '../views/status.ts'
import { painterOf } from '../views/terminal-text.ts'
import type { Command } from './command.ts'
import { print } from './io.ts'
import { stateFolder } from './state.ts'

/** `release status`: where a run stands, what it waits for, and what to say to let it go on. */
export const status: Command = {
  name: 'status',
  usage: '[RUN]',
  summary: 'Says where a run stands, what it waits for, and the command that lets it go on.',
  example: 'release status',
  options: {},
  takes: [0, 1],
  run: async (invocation, io) => {
    const { folder, plan, events } = await openedRun(stateFolder(invocation, io), invocation.args[0])
    const view = createRunView(plan)
    told(folder, () => events.forEach(event => void view.apply(event)))
    const runner = (await currentHolder(folder.path)) === null ? 'gone' : 'alive'
    const paint = painterOf({ color: io.color.stdout })
    const { stages } = told(folder, () => buildReport(plan, events))
    print(io, {
      json: { ...runRow(events, runner), runner, stages },
      text: told(folder, () => renderStatus(view.state, { paint, now: Date.now(), runner })),
    })
    return 0
  },
}
