/**
 * Pass: what is allowed but dangerous.
 *
 * Reason: found when everything else is known, on the very nodes that would run.
 */
import type { ItemModel, ReleaseModel, StepModel } from '../definition/model.ts'
import type { PlanApprover, PlanNode } from '../plan/plan.ts'
import type { CompileContext } from './context.ts'
import { flatten } from './names.ts'

export interface SafetySubject {
  readonly model: ReleaseModel
  readonly nodes: readonly PlanNode[]
  readonly approvers: readonly PlanApprover[] | null | 'unknown'
}

export function checkSafety(subject: SafetySubject, context: CompileContext): void {
  const items = subject.model.stages.flatMap(stage => flatten(stage.items))
  for (const item of items) checkItem(item, subject, context)
  checkGuards(subject, items, context)
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

function checkApproval(
  item: Extract<ItemModel, { kind: 'approval' }>,
  { approvers }: SafetySubject,
  context: CompileContext,
): void {
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
  if (approvers === 'unknown') return
  for (const [role, count] of roles) {
    const people = approvers.filter(approver => approver.roles.includes(role)).length
    if (people >= count) continue
    context.report({
      code: 'approval-unattainable',
      message: `the approval "${item.name}" asks ${count} of the role ${role}, and the approvers hold ${people}`,
      hint: `Give the role to more people: roles=${role} at the end of their line in the approvers file.`,
      at: item.at,
    })
  }
}

/** A protected environment is guarded where a required gate or an approval comes before whatever changes it. */
function checkGuards(
  { model, nodes }: SafetySubject,
  items: readonly ItemModel[],
  context: CompileContext,
): void {
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
        item.kind === 'deploy' && item.to.name === name && item.to.protect && held(model, node.stage, item),
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

/** ISO dates only, so that a plan means the same day everywhere. */
export function checkTargetDate(model: ReleaseModel, context: CompileContext): void {
  const { targetDate } = model
  if (targetDate === null || isDate(targetDate)) return
  context.report({
    code: 'not-a-date',
    message: `the target date is ${JSON.stringify(targetDate)}`,
    hint: "Write it as year, month and day: '2024-03-15'.",
    at: model.at,
  })
}

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (match === null) return false
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1]!
}
