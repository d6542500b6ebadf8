import { parseDuration } from '../../src/compile/units.ts'
import { InputError } from '../../src/errors.ts'
import { formatDuration } from '../../src/judge/unit.ts'
import type { RollbackStrategy } from '../../src/plan/plan.ts'
import type { RollbackScope } from '../../src/run/events.ts'
import { type RollbackPlan, rollbackSteps } from '../../src/run/rollback.ts'
import type { RunState } from '../../src/run/state.ts'
import { type Feasibility, feasibilityOf } from '../feasibility.ts'
import { type OpenedRun, openedRun } from '../open-run.ts'
import { type Command, type Invocation, wrong } from './command.ts'
import { type Io, print } from './io.ts'
import { type Asked, finishedAt, rollBack, titleOf } from './rolling-back.ts'
import { stateFolder } from './state.ts'

/** In which orders a rollback can go, for people. */
const STRATEGIES: Readonly<Record<RollbackStrategy, string>> = {
  'service-by-service': 'service by service, dependants first',
  staged: 'environment by environment, the last one first',
  immediate: 'all traffic first, then everything at once',
}

/** `release rollback RUN`: undoes what the run did, newest first. */
export const rollback: Command = {
  name: 'rollback',
  usage: 'RUN',
  summary: 'Undoes what a run did, newest first along the graph, and sees that all is as it was.',
  example: 'release rollback phoenix-3.0.0-20261121-101530-1a2b --dry-run',
  options: {
    to: { value: 'NODE', help: 'only what was done after this node' },
    strategy: {
      value: 'ORDER',
      help: 'service-by-service, staged or immediate (as the definition says; else service-by-service)',
    },
    within: {
      value: 'TIME',
      help: 'only while the run ended no longer ago than this, and taking no longer than this',
    },
    through: { help: 'also what was frozen, because something that cannot be undone was built on it' },
    'dry-run': { help: 'say what would be undone, and what could not be; change nothing' },
  },
  takes: [1, 1],
  run: async (invocation, io) => {
    const opened = await openedRun(stateFolder(invocation, io), invocation.args[0])
    const asked: Asked = {
      because: 'person',
      scope: readScope(invocation, opened.state),
      ...orderOf(invocation, opened),
    }
    const limit = readLimit(invocation, opened)
    if (invocation.flag('dry-run')) return dryRun(io, opened, asked)
    if (limit === null) return rollBack(io, opened, asked)
    const code = await rollBack(io, opened, { ...asked, limit })
    if (code !== 130) return code
    io.stderr.write(
      `The rollback did not come to its end within ${formatDuration(limit)}. Go on with it: release resume ${opened.folder.id}\n`,
    )
    return 1
  },
}

/** What is taken back in stages stops at what is frozen, each stage for itself: going through it is one rollback. */
function orderOf(invocation: Invocation, { plan }: OpenedRun): Pick<Asked, 'strategy' | 'through'> {
  const strategy = readStrategy(invocation)
  const through = invocation.flag('through')
  if (through && strategy === 'staged') {
    const hint = 'Leave one of them out, or take --strategy immediate.'
    throw new InputError([wrong('arguments', '--through and --strategy staged do not go together', hint)])
  }
  if (!through) return { strategy: strategy ?? plan.rollback }
  return {
    through,
    strategy: strategy ?? (plan.rollback === 'immediate' ? 'immediate' : 'service-by-service'),
  }
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

function readStrategy(invocation: Invocation): RollbackStrategy | undefined {
  const text = invocation.text('strategy')
  if (text === undefined || Object.hasOwn(STRATEGIES, text)) return text as RollbackStrategy | undefined
  throw new InputError([
    wrong(
      'unknown-strategy',
      `--strategy ${text}: a rollback has no such order`,
      `There are ${Object.keys(STRATEGIES).join(', ')}.`,
    ),
  ])
}

/** Milliseconds; null where none was given. @throws InputError where the run has not ended, or ended too long ago */
function readLimit(invocation: Invocation, { folder, events }: OpenedRun): number | null {
  const text = invocation.text('within')
  if (text === undefined) return null
  const refuse = (code: string, message: string, hint: string): never => {
    throw new InputError([wrong(code, message, hint)])
  }
  const limit = parseDuration(text)
  const ended = finishedAt(events)
  if (limit === null || limit === 0)
    return refuse('not-a-duration', `--within ${text}: that is no time`, 'Say how long, as in --within 10m.')
  if (ended === null)
    return refuse(
      'not-finished',
      `--within ${text}: the run ${folder.id} has not ended`,
      'Leave --within out: it is for a release that is done.',
    )
  const age = Date.now() - ended
  if (age > limit)
    return refuse(
      'too-late',
      `--within ${text}: the run ${folder.id} ended ${formatDuration(age)} ago, and nothing was changed`,
      'What stands on it since may not stand without it: look first, then leave --within out.',
    )
  return limit
}

async function dryRun(io: Io, { folder, plan, state }: OpenedRun, asked: Asked): Promise<number> {
  const feasibility = await feasibilityOf(plan, state, asked)
  const { infeasible, held } = feasibility
  const steps = rollbackSteps(state, { ...asked, infeasible })
  const nodes = steps.flatMap(step => step.nodes)
  const { rollback: number, kept } = steps[0]!
  const { strategy = 'service-by-service' } = asked
  print(io, {
    json: {
      run: folder.id,
      rollback: number,
      strategy,
      steps: steps.map(step => ({ rollback: step.rollback, nodes: step.nodes.map(({ key }) => key) })),
      nodes,
      kept,
      infeasible: [...infeasible].map(([node, reason]) => ({ node, reason })),
      held,
    },
    text: renderDryRun(state, { steps, kept, strategy, feasibility }),
  })
  return 0
}

interface DryRun {
  readonly steps: readonly RollbackPlan[]
  readonly kept: RollbackPlan['kept']
  readonly strategy: RollbackStrategy
  readonly feasibility: Feasibility
}

function renderDryRun(state: RunState, { steps, kept, strategy, feasibility }: DryRun): string {
  const count = steps.reduce((sum, { nodes }) => sum + nodes.length, 0)
  let index = 0
  const lines = steps.flatMap(({ nodes }, at) => [
    ...(at === 0 ? [] : ['      … when what runs then is found to be as it was:']),
    ...nodes.map(({ undoes }) => {
      index += 1
      return `${String(index).padStart(4)}. ${titleOf(state, undoes)}  (${undoes})`
    }),
  ])
  const order = strategy === 'service-by-service' ? '' : `, ${STRATEGIES[strategy]}`
  return [
    count === 0 ? 'Nothing would be undone.' : `This would be undone, in this order${order}:`,
    ...lines,
    ...(kept.length === 0
      ? []
      : ['', 'This stays:', ...kept.map(({ node, reason }) => `  ${titleOf(state, node)}: ${reason}`)]),
    ...(feasibility.held.length === 0
      ? []
      : ['', 'It would be refused as long as', ...feasibility.held.map(text => `  ${text}`)]),
  ].join('\n')
}
