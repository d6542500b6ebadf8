import { InputError } from '../../src/errors.ts'
import type { Json } from '../../src/plan/plan.ts'
import type { Unstamped } from '../../src/run/events.ts'
import { reopenableNodes } from '../../src/run/reopen.ts'
import type { RunState } from '../../src/run/state.ts'
import { adoptPlan } from '../adopt.ts'
import { whoami } from '../identity.ts'
import { loadRunDefinition } from '../load-run.ts'
import { type OpenedRun, openedRun } from '../open-run.ts'
import { type Command, type Invocation, wrong } from './command.ts'
import { attached, beginning, readPatience, runAndShow, WAIT_OPTION } from './running.ts'
import { stateFolder } from './state.ts'

/** `release resume`: goes on from the last checkpoint, with the code and the plan that the run began with. */
export const resume: Command = {
  name: 'resume',
  usage: '[RUN]',
  summary: 'Goes on with a run: after a crash, a Ctrl-C, a wait, or a failure whose cause is gone.',
  example: 'release resume --rerun smoke',
  options: {
    rerun: { value: 'STEP', many: true, help: 'a step that was cut off and may be done again' },
    skip: {
      value: 'STEP[=JSON]',
      many: true,
      help: 'a step that was cut off and was done, with what it returned',
    },
    adopt: { help: 'take the definition as it is now, if all that is done already is the same in it' },
    wait: WAIT_OPTION,
  },
  takes: [0, 1],
  run: async (invocation, io) => {
    const patience = readPatience(invocation, io)
    const opened = await openedRun(stateFolder(invocation, io), invocation.args[0])
    const answers = readAnswers(invocation, opened.state)
    refuseFinished(opened)
    const loaded = await loadRunDefinition(opened, {
      onChange: message => io.stderr.write(`${message}\n`),
      quiet: invocation.flag('adopt'),
    })
    const adopted = invocation.flag('adopt') ? await adoptPlan(opened) : null
    const who = whoami(io.env, opened.meta.root)
    return runAndShow(io, {
      folder: opened.folder,
      plan: adopted?.plan ?? opened.plan,
      known: opened,
      definition: adopted?.definition ?? loaded.definition,
      root: opened.meta.root,
      opening: state => [
        ...(state.phase === 'new' ? [beginning(opened.meta)] : []),
        ...(adopted === null
          ? []
          : [{ type: 'plan-adopted' as const, plan: adopted.plan.hash, bundle: adopted.plan.bundle, who }]),
        attached(who),
        ...reopening(state, who),
        ...answers(who),
      ],
      patience,
    })
  },
}

function reopening(state: RunState, who: string): readonly Unstamped[] {
  return state.phase === 'finished' ? [{ type: 'run-reopened', who, nodes: reopenableNodes(state) }] : []
}

function refuseFinished({ state, folder }: OpenedRun): void {
  if (state.phase !== 'finished') return
  const refuse = (message: string, hint: string): never => {
    throw new InputError([wrong('nothing-to-resume', message, hint)])
  }
  if (state.outcome === 'succeeded')
    refuse(`the run ${folder.id} is done`, 'Start a new one with: release run')
  const all = state.rollbacks.some(rollback => rollback.scope.kind === 'all' && rollback.works.length > 0)
  if (state.outcome === 'rolled-back' || all) {
    refuse(
      `the run ${folder.id} was rolled back: there is nothing to go on from`,
      'Mend the cause and start a new one with: release run',
    )
  }
}

/** What a person says about steps that were cut off. */
function readAnswers(invocation: Invocation, state: RunState): (who: string) => readonly Unstamped[] {
  const events: ((who: string) => Unstamped)[] = []
  const problems: ReturnType<typeof wrong>[] = []
  for (const name of invocation.list('rerun')) {
    const node = uncertainNode(state, name)
    if (node === null) problems.push(notUncertain(state, '--rerun', name))
    else events.push(who => ({ type: 'node-rerun', node, who }))
  }
  for (const text of invocation.list('skip')) {
    const name = text.split('=', 1)[0]!
    const node = uncertainNode(state, name)
    const value = text === name ? { json: null } : parseJson(text.slice(name.length + 1))
    if (node === null) problems.push(notUncertain(state, '--skip', name))
    else if (value === null)
      problems.push(
        wrong('not-json', `--skip ${text}: the value is no JSON`, `Write --skip '${name}={"a": 1}'.`),
      )
    else events.push(who => given(node, value.json, who))
  }
  if (problems.length > 0) throw new InputError(problems)
  return who => events.map(event => event(who))
}

const given = (node: string, value: Json, who: string): Unstamped => ({
  type: 'node-succeeded',
  node,
  attempt: 1,
  value,
  summary: `${who} said that it was done`,
  warning: null,
  how: 'given',
})

/** By the step's name or the node's key. */
function uncertainNode(state: RunState, name: string): string | null {
  for (const work of state.active) {
    const { operation } = work.node
    const named = work.key === name || (operation.kind === 'step' && operation.name === name)
    if (named && work.rollback === null && work.status.type === 'uncertain') return work.key
  }
  return null
}

function notUncertain(state: RunState, option: string, name: string): ReturnType<typeof wrong> {
  const uncertain = [...state.active].filter(work => work.status.type === 'uncertain').map(work => work.key)
  return wrong(
    'not-uncertain',
    `${option} ${name}: no step of that name was cut off and waits for an answer`,
    uncertain.length === 0 ? 'None does: say `release resume` alone.' : `These do: ${uncertain.join(', ')}.`,
  )
}

function parseJson(text: string): { readonly json: Json } | null {
  try {
    return { json: JSON.parse(text) as Json }
  } catch {
    return null
  }
}
