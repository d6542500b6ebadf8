import { InputError } from '../../src/errors.ts'
import { whoami } from '../identity.ts'
import { sendSignal } from '../journal/inbox.ts'
import { currentHolder } from '../journal/run-lock.ts'
import { openedRun } from '../open-run.ts'
import { type Command, wrong } from './command.ts'
import { print } from './io.ts'
import { stateFolder } from './state.ts'

/** `release cancel RUN`: what runs ends, nothing new starts, nothing is undone. */
export const cancel: Command = {
  name: 'cancel',
  usage: 'RUN',
  summary: 'Lets what runs end and starts nothing more. Nothing is undone: that is what rollback is for.',
  example: 'release cancel phoenix-3.0.0-20261121-101530-1a2b',
  options: {},
  takes: [1, 1],
  run: async (invocation, io) => {
    const { folder, state } = await openedRun(stateFolder(invocation, io), invocation.args[0])
    if (state.phase === 'finished') {
      throw new InputError([
        wrong(
          'run-finished',
          `the run ${folder.id} has ended already`,
          `See it with: release status ${folder.id}`,
        ),
      ])
    }
    await sendSignal(folder.inbox, 'run', { type: 'stop', by: 'cancel', who: whoami(io.env, io.cwd) })
    const running = (await currentHolder(folder.path)) !== null
    const text = running
      ? `${folder.id} is told to stop: what runs ends, nothing new starts`
      : `nobody runs ${folder.id} now; it will be cancelled by: release resume ${folder.id}`
    print(io, { json: { run: folder.id, running }, text })
    return 0
  },
}
