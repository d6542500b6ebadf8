import { InputError } from '../../src/errors.ts'
import type { RollbackScope } from '../../src/run/events.ts'
import { computeRollback, type RollbackPlan } from '../../src/run/rollback.ts'
import type { RunState } from '../../src/run/state.ts'
import { whoami } from '../identity.ts'
import { currentHolder } from '../journal/run-lock.ts'
import { loadRunDefinition } from '../load-run.ts'
import { openedRun } from '../open-run.ts'
import { type Command, type Invocation, wrong } from './command.ts'
import { print } from './io.ts'
import { attached, runAndShow } from './running.ts'
import { stateFolder } from './state.ts'

/** `release rollback RUN`: undoes what the run did, newest first. */
export const rollback: Command = {
  name: 'rollback',
  usage: 'RUN',
  summary: 'Undoes what a run did, newest first along the graph.',
  example: 'release rollback phoenix-3.0.0-20261121-101530-1a2b --dry-run',
  options: {
    to: { value: 'NODE', help: 'only what was done after this node' },
    'dry-run': { help: 'say what would be undone, and what could not be; change nothing' },
  },
  takes: [1, 1],
  run: async (invocation, io) => {
    const opened = await openedRun(stateFolder(invocation, io), invocation.args[0])
    const scope = readScope(invocation, opened.state)
    const planned = computeRollback(opened.state, { scope })
    if (invocation.flag('dry-run')) {
      print(io, { json: { run: opened.folder.id, ...planned }, text: renderDryRun(opened.state, planned) })
      return 0
    }
    if (planned.nodes.length === 0) {
      throw new InputError([
        wrong(
          'nothing-to-undo',
          `the run ${opened.folder.id} has done nothing that could be undone`,
          'See `--dry-run`.',
        ),
      ])
    }
    if ((await currentHolder(opened.folder.path)) !== null) {
      throw new InputError([
        wrong(
          'run-held',
          `the run ${opened.folder.id} is still running`,
          `Stop it first: release cancel ${opened.folder.id}`,
        ),
      ])
    }
    const { definition } = await loadRunDefinition(opened, { onChange: () => {}, quiet: true })
    const who = whoami(io.env, opened.meta.root)
    return runAndShow(io, {
      folder: opened.folder,
      plan: opened.plan,
      definition,
      root: opened.meta.root,
      opening: state => [
        attached(who),
        { type: 'rollback-planned', because: 'person', scope, ...computeRollback(state, { scope }) },
      ],
      patience: Infinity,
    })
  },
}

function readScope(invocation: Invocation, state: RunState): RollbackScope {
  const node = invocation.text('to')
  if (node === undefined) return { kind: 'all' }
  const work = state.works.get(node)
  if (work !== undefined && work.doneOrder > 0) return { kind: 'to', node }
  throw new InputError([
    wrong(
      'unknown-node',
      `--to ${node}: ${work === undefined ? 'the run has no such node' : 'that node was never done'}`,
      'Name a node that is done, by its key: see `release status`.',
    ),
  ])
}

function renderDryRun(state: RunState, { nodes, kept }: RollbackPlan): string {
  const title = (key: string): string => state.works.get(key)?.node.title ?? key
  const undone = nodes.map(
    ({ undoes }, index) => `${String(index + 1).padStart(4)}. ${title(undoes)}  (${undoes})`,
  )
  return [
    nodes.length === 0 ? 'Nothing would be undone.' : 'This would be undone, in this order:',
    ...undone,
    ...(kept.length === 0
      ? []
      : ['', 'This stays:', ...kept.map(({ node, reason }) => `  ${title(node)}: ${reason}`)]),
  ].join('\n')
}
