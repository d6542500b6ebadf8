import { readJournal } from '../journal/read.ts'
import { currentHolder } from '../journal/run-lock.ts'
import { listRuns, type RunFolder, type RunMeta } from '../journal/run-store.ts'
import { type RunRow, renderRunList, runRow } from '../views/run-list.ts'
import { painterOf } from '../views/terminal-text.ts'
import type { Command } from './command.ts'
import { print } from './io.ts'
import { stateFolder } from './state.ts'

/** `release list`: the runs, oldest first. */
export const list: Command = {
  name: 'list',
  usage: '',
  summary: 'Lists the runs, oldest first.',
  example: 'release list --json',
  options: {},
  takes: [0, 0],
  run: async (invocation, io) => {
    const rows = await Promise.all((await listRuns(stateFolder(invocation, io))).map(readRow))
    print(io, {
      json: rows,
      text: renderRunList(rows, { paint: painterOf({ color: io.color.stdout }), now: Date.now() }),
    })
    return 0
  },
}

async function readRow(folder: RunFolder & { readonly meta: RunMeta }): Promise<RunRow> {
  const nothing = (standing: RunRow['standing']): RunRow => ({
    run: folder.id,
    release: folder.meta.release,
    version: folder.meta.version,
    standing,
    who: folder.meta.who,
    startedAt: folder.meta.createdAt,
    finishedAt: null,
    waitsFor: [],
  })
  try {
    const { events } = await readJournal(folder.journal)
    const runner = (await currentHolder(folder.path)) === null ? 'gone' : 'alive'
    return runRow(events, runner) ?? nothing('interrupted')
  } catch {
    return nothing('damaged')
  }
}
