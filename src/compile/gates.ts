/**
 * Pass: what gates ask over HTTP.
 *
 * Reason: a question to somewhere that cannot answer fails only when the release is half done.
 */
import type { CheckModel, GateModel, ReleaseModel } from '../definition/model.ts'
import type { CompileContext } from './context.ts'
import { flatten } from './names.ts'

type HttpModel = Extract<CheckModel, { kind: 'http' }>
type Asked = Exclude<HttpModel['target'], string>

export function checkHttpGates(model: ReleaseModel, context: CompileContext): void {
  const items = model.stages.flatMap(stage => flatten(stage.items))
  const deployed = new Set(
    items.flatMap(item =>
      item.kind === 'deploy' ? item.components.map(({ name }) => `${item.to.name}/${name}`) : [],
    ),
  )
  for (const item of items) {
    if (item.kind !== 'gate' || typeof item.check === 'function' || item.check.kind !== 'http') continue
    checkAnswer(item, item.check, context)
    if (typeof item.check.target === 'string') checkAddress(item, item.check.target, context)
    else checkAsked({ item, asked: item.check.target, model, deployed }, context)
  }
}

function checkAnswer(item: GateModel, { status }: HttpModel, context: CompileContext): void {
  if (Number.isInteger(status) && status >= 100 && status <= 599) return
  context.report({
    code: 'not-a-status',
    message: `the gate "${item.name}" asks for the status ${status}`,
    hint: 'A status is a whole number from 100 to 599, as in answers(204).',
    at: item.at,
  })
}

function checkAddress(item: GateModel, address: string, context: CompileContext): void {
  if (/^https?:\/\/[^\s/]+(\/\S*)?$/.test(address)) return
  context.report({
    code: 'not-an-address',
    message: `the gate "${item.name}" asks ${JSON.stringify(address)}, which is no address`,
    hint: "Write it whole, as in 'https://techcorp.example/health'.",
    at: item.at,
  })
}

interface Question {
  readonly item: GateModel
  readonly asked: Asked
  readonly model: ReleaseModel
  /** `environment/component` */
  readonly deployed: ReadonlySet<string>
}

function checkAsked({ item, asked, model, deployed }: Question, context: CompileContext): void {
  const { component, environment, path } = asked
  if (!path.startsWith('/') || /\s/.test(path)) {
    context.report({
      code: 'not-a-path',
      message: `the gate "${item.name}" asks ${component.name} for ${JSON.stringify(path)}`,
      hint: "A path begins with a slash and holds no blanks, as in '/health'.",
      at: item.at,
    })
  }
  if (!model.components.some(({ name }) => name === component.name)) {
    context.report({
      code: 'component-not-held',
      message: `the gate "${item.name}" asks ${component.name}, but the release does not hold it`,
      hint: `Add ${component.name} to the release's components, or ask for an address.`,
      at: item.at,
      related: [{ message: `${component.name} is defined here`, at: component.at }],
    })
  } else if (!deployed.has(`${environment.name}/${component.name}`)) {
    context.report({
      severity: 'warning',
      code: 'component-not-deployed',
      message: `the gate "${item.name}" asks ${component.name} in ${environment.name}, where this release never deploys it: it passes only if another has`,
      hint: `Deploy ${component.name} to ${environment.name} before, or ask where it is deployed.`,
      at: item.at,
    })
  }
}
