/**
 * Pass: what is allowed but dangerous.
 *
 * Reason: found when everything else is known, on the very nodes that would run.
 */
import type { ApprovalModel, ItemModel, ReleaseModel, StepModel } from '../definition/model.ts'
import type { PlanApprover, PlanNode } from '../plan/plan.ts'
import { emptySeats } from './attainable.ts'
import type { CompileContext } from './context.ts'
import { flatten } from './names.ts'
import { sitesOf } from './regions.ts'

export interface SafetySubject {
  readonly model: ReleaseModel
  readonly nodes: readonly PlanNode[]
  readonly approvers: readonly PlanApprover[] | null | 'unknown'
}

export function checkSafety(subject: SafetySubject, context: CompileContext): void {
  const items = subject.model.stages.flatMap(stage => flatten(stage.items))
  for (const item of items) checkItem(item, subject, context)
  checkGuards(subject, items, context)
  checkInstances(subject.model, items, context)
  checkEmptyStages(subject.model, context)
}

function checkItem(item: ItemModel, subject: SafetySubject, context: CompileContext): void {
  switch (item.kind) {
    case 'step':
      checkStep(item, context)
      return
    case 'approval':
      checkApproval(item, subject, context)
      return
    default:
      return
  }
}

function checkStep(step: StepModel, context: CompileContext): void {
  if (step.undo === null) {
    context.report({
      severity: 'warning',
      code: 'step-without-undo',
      message: `nothing undoes the step "${step.name}": a rollback leaves what it did`,
      hint: "Give it an `undo` function; or undo: 'not-needed' if nothing lasts, or undo: 'none' if nothing can.",
      at: step.at,
    })
  }
  if (!step.idempotent && step.observe === null) {
    context.report({
      severity: 'warning',
      code: 'step-not-resumable',
      message: `should a crash cut the step "${step.name}" off, nobody could tell whether it was done: resume will stop and ask`,
      hint: 'Give it `observe`, which returns its value where it is done already, or idempotent: true where a second run does no harm.',
      at: step.at,
    })
  }
}

function checkApproval(item: ApprovalModel, { approvers }: SafetySubject, context: CompileContext): void {
  const roles = Object.entries(item.from)
  const wrong = roles.filter(([, count]) => !Number.isInteger(count) || count < 1)
  if (roles.length === 0 || wrong.length > 0) {
    context.report({
      code: 'approval-from-nobody',
      message: `the approval "${item.name}" asks ${roles.length === 0 ? 'nobody' : wrong.map(([role, n]) => `${n} of ${role}`).join(', ')}`,
      hint: "Say how many people of each role: from: { 'release-manager': 1 }.",
      at: item.at,
    })
    return
  }
  if (approvers === null) {
    context.report({
      severity: 'warning',
      code: 'approval-unsigned',
      message: `the release has no approvers, so anybody can give the approval "${item.name}", and it is recorded as unsigned`,
      hint: "Name who may: approvers: 'approvers', an SSH allowed-signers file with roles.",
      at: item.at,
    })
    return
  }
  if (approvers !== 'unknown') checkAttainable(item, approvers, context)
}

function checkAttainable(
  item: ApprovalModel,
  approvers: readonly PlanApprover[],
  context: CompileContext,
): void {
  const report = (role: string, message: string): void =>
    context.report({
      code: 'approval-unattainable',
      message: `the approval "${item.name}" asks ${message}`,
      hint: `Give the role to more people: roles=${role} at the end of their line in the approvers file.`,
      at: item.at,
    })
  const holders = (role: string): number => approvers.filter(({ roles }) => roles.includes(role)).length
  const short = Object.entries(item.from).filter(([role, count]) => holders(role) < count)
  for (const [role, count] of short) {
    report(role, `${count} of the role ${role}, and the approvers hold ${holders(role)}`)
  }
  const [empty] = short.length > 0 ? [] : (emptySeats(item.from, approvers) ?? [])
  if (empty === undefined) return
  const all = Object.entries(item.from).map(([role, count]) => `${count} of the role ${role}`)
  report(empty, `${all.join(' and ')}, and the same people hold these roles: one person counts once`)
}

/** A protected environment is guarded where a required gate or an approval comes before whatever changes it. */
function checkGuards(
  { model, nodes }: SafetySubject,
  items: readonly ItemModel[],
  context: CompileContext,
): void {
  if (!items.some(item => item.kind === 'deploy' && item.to.protect)) return
  const guarded = new Set<string>()
  const reported = new Set<string>()
  for (const node of nodes) {
    const { operation } = node
    const guards = operation.kind === 'approval' || (operation.kind === 'gate' && operation.required)
    if (guards || [...node.needs, ...node.after].some(key => guarded.has(key))) guarded.add(node.key)
    const name = node.environment
    if (name === undefined || guarded.has(node.key) || reported.has(name)) continue
    const deploy = items.find(
      item =>
        item.kind === 'deploy' &&
        sitesOf(item.to, context).some(site => site.name === name) &&
        item.to.protect &&
        held(model, node.stage, item),
    )
    if (deploy === undefined) continue
    reported.add(name)
    context.report({
      code: 'unguarded-environment',
      message: `${name} is protected, and ${node.component} reaches it in the stage "${node.stage}" without any gate or approval before`,
      hint: 'Put a required gate or an approval before the deployment.',
      at: deploy.at,
    })
  }
}

const held = (model: ReleaseModel, stage: string, item: ItemModel): boolean =>
  flatten(model.stages.find(s => s.name === stage)?.items ?? []).includes(item as never)

/** A misspelt environment would leave the component with one instance where it should have many. */
function checkInstances(model: ReleaseModel, items: readonly ItemModel[], context: CompileContext): void {
  const reached = new Set(
    items.flatMap(item =>
      item.kind === 'deploy' ? [item.to.name, ...sitesOf(item.to, context).map(site => site.name)] : [],
    ),
  )
  for (const { name, instances, at } of model.components) {
    if (typeof instances === 'number') continue
    for (const environment of Object.keys(instances).filter(key => !reached.has(key))) {
      context.report({
        severity: 'warning',
        code: 'unknown-environment',
        message: `${name} says how many instances it has in "${environment}", where this release deploys nothing`,
        hint: reached.size === 0 ? 'It deploys nothing at all.' : `It deploys to ${[...reached].join(', ')}.`,
        at,
      })
    }
  }
}

function checkEmptyStages(model: ReleaseModel, context: CompileContext): void {
  if (model.stages.length === 0) {
    context.report({
      code: 'no-stages',
      message: `the release "${model.name}" has no stages: there is nothing to run`,
      hint: "Add one: .stage('deploy', s => s.deploy(…)).",
      at: model.at,
    })
  }
  for (const stage of model.stages) {
    if (stage.items.length > 0) continue
    context.report({
      severity: 'warning',
      code: 'empty-stage',
      message: `the stage "${stage.name}" does nothing`,
      hint: 'Put something into it, or take it out.',
      at: stage.at,
    })
  }
}
