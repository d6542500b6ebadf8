import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { InputError } from '../../src/errors.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { planText } from '../../src/plan/render/json.ts'
import { whoami } from '../identity.ts'
import { createRun, readMeta } from '../journal/run-store.ts'
import { readPlanFile } from '../plan-file.ts'
import { type Planned, type PlanRequest, requirePlan } from '../plan-release.ts'
import { type Command, type Invocation, nearest, wrong } from './command.ts'
import type { Io } from './io.ts'
import { PLAN_OPTIONS, planRequest, tellFindings } from './planning.ts'
import { attached, beginning, readPatience, runAndShow, WAIT_OPTION } from './running.ts'

/** `release run`: runs a release to its end, or until only a person or a time is waited for (exit 3). */
export const run: Command = {
  name: 'run',
  usage: '[FILE]',
  summary: 'Runs a release. What was done is remembered: whatever happens, `release resume` goes on.',
  example: 'release run releases/phoenix.ts --param version=3.0.0 --yes',
  options: {
    ...PLAN_OPTIONS,
    plan: { value: 'PLAN', help: 'run exactly this saved plan; refused when the world has changed since' },
    only: { value: 'STAGE', many: true, help: 'only this stage, and every gate and approval that guards it' },
    yes: { short: 'y', help: 'a protected environment may be changed without asking' },
    wait: WAIT_OPTION,
  },
  takes: [0, 1],
  run: async (invocation, io) => {
    const patience = readPatience(invocation, io)
    const request = await planRequest(invocation, io)
    const { project } = request
    const planned = await planToRun(invocation, io, request)
    const { plan } = planned
    const only = readOnly(invocation, plan)
    await confirmProtected(invocation, io, { plan, only })
    const who = whoami(io.env, project.root)
    const folder = await createRun(project.state, {
      release: plan.release.name,
      version: plan.release.version,
      who,
      root: project.root,
      definition: project.definition,
      only,
      plan: { hash: plan.hash, text: planText(plan) },
      bundle: {
        hash: plan.bundle,
        path: planned.loaded.bundle.path,
        map: planned.loaded.bundle.mapPath,
      },
      at: Date.now(),
    })
    const opening = [beginning(await readMeta(folder)), attached(who)]
    return runAndShow(io, {
      folder,
      plan,
      definition: planned.loaded.definition,
      root: project.root,
      opening: () => opening,
      patience,
    })
  },
}

type ToRun = Planned & { readonly plan: Plan }

async function planToRun(invocation: Invocation, io: Io, request: PlanRequest): Promise<ToRun> {
  const saved = invocation.text('plan')
  const wanted = saved === undefined ? null : await readPlanFile(resolve(io.cwd, saved))
  const planned = await requirePlan(wanted === null ? request : likeSaved(request, wanted))
  if (!io.json) await tellFindings(planned.diagnostics, request, io)
  if (wanted !== null && wanted.hash !== planned.plan.hash) throw await stale(wanted, planned.plan)
  return planned
}

/** What is not said anew is as the saved plan has it. */
const likeSaved = (request: PlanRequest, saved: Plan): PlanRequest => ({
  ...request,
  params: request.params.length > 0 ? request.params : paramsOf(saved),
  concurrency: request.concurrency ?? saved.concurrency,
})

const paramsOf = (plan: Plan): readonly string[] =>
  Object.entries(plan.params).map(([name, value]) => `${name}=${String(value)}`)

async function stale(saved: Plan, now: Plan): Promise<InputError> {
  const [{ diffPlans }, { renderDiff }] = await Promise.all([
    import('../../src/plan/diff.ts'),
    import('../../src/plan/render/diff-text.ts'),
  ])
  const difference = renderDiff(diffPlans(saved, now), { color: false })
  return new InputError([
    wrong(
      'plan-stale',
      `the saved plan is stale; since it was made this has changed:\n${difference}`,
      'Make a new plan, have it looked at, and run that.',
    ),
  ])
}

function readOnly(invocation: Invocation, plan: Plan): readonly string[] | null {
  const only = invocation.list('only')
  const stages = plan.stages.map(stage => stage.name)
  const unknown = only.filter(name => !stages.includes(name))
  if (unknown.length > 0) {
    throw new InputError(
      unknown.map(name =>
        wrong('unknown-stage', `--only ${name}: there is no such stage`, nearest(name, stages)),
      ),
    )
  }
  return only.length === 0 ? null : only
}

/** Nothing reaches a protected environment by mistake: a person says yes, here or by `--yes`. */
async function confirmProtected(
  invocation: Invocation,
  io: Io,
  { plan, only }: { readonly plan: Plan; readonly only: readonly string[] | null },
): Promise<void> {
  const runs = plan.nodes.filter(node => only === null || only.includes(node.stage))
  const reached = plan.environments.filter(
    ({ name, protect }) => protect && runs.some(node => node.environment === name),
  )
  if (reached.length === 0 || invocation.flag('yes')) return
  const names = reached.map(environment => environment.name).join(' and ')
  if (!io.interactive || io.json) {
    throw new InputError([
      wrong(
        'needs-yes',
        `this changes ${names}, which is protected, and nobody is here to ask`,
        'Say --yes.',
      ),
    ])
  }
  const prompt = createInterface({ input: process.stdin, output: io.stderr })
  const answer = await prompt.question(
    `${plan.release.name} ${plan.release.version} changes ${names}, which is protected. Go on? (yes/no) `,
  )
  prompt.close()
  if (/^y(es)?$/i.test(answer.trim())) return
  throw new InputError([wrong('not-confirmed', `${names} stays as it is`, 'Nothing was changed.')])
}
