/**
 * Pass: stages and their items become nodes.
 *
 * Reason: the graph is what runs; the order in which things were written is only where its edges come from.
 *
 * How edges arise: an item follows what the flow says has come before. After a step, a gate, an approval or a
 * wait the next item *needs* it; after a deployment it only comes *after* it, because a component that is not
 * critical may fail without stopping the rest (what needs that component has a need of its own).
 */
import type {
  BakeModel,
  CallSite,
  GateModel,
  ItemModel,
  NotifyModel,
  RetryModel,
  StepModel,
} from '../definition/model.ts'
import type { Span } from '../diagnostic.ts'
import type { EnvValue, Millis, PlanCommand, PlanNode, Retry, Undo } from '../plan/plan.ts'
import { lowerBake } from './bake.ts'
import { lowerCheck } from './checks.ts'
import { type SplitCommandLine, splitCommandLine } from './command-line.ts'
import { checkCompared, NOBODY } from './compared.ts'
import { type CompileContext, isSecret } from './context.ts'
import { type DeployTarget, lowerDeploy } from './deploy.ts'
import { flatten } from './names.ts'
import type { ResolvedStage } from './stages.ts'

const MINUTE: Millis = 60_000
export const DEFAULT_TIMEOUT = { gate: 30 * MINUTE, step: 30 * MINUTE, notify: MINUTE } as const
const NO_RETRY: Retry = { limit: 0, delay: 1000, maxDelay: MINUTE }
const NOTHING: Undo = { kind: 'nothing' }
const NOTIFY_RETRY: Retry = { limit: 3, delay: 1000, maxDelay: 30_000 }

/** Where a component was brought to, and the node that says so. */
export interface Deployed {
  readonly component: string
  readonly environment: string
  readonly verify: string
}

/** What has come before a place in the pipeline. */
export interface Flow {
  readonly needs: readonly string[]
  readonly after: readonly string[]
  readonly deployed: readonly Deployed[]
}

const START: Flow = { needs: [], after: [], deployed: [] }

const merge = (flows: readonly Flow[]): Flow => ({
  needs: [...new Set(flows.flatMap(flow => flow.needs))],
  after: [...new Set(flows.flatMap(flow => flow.after))],
  deployed: [...new Set(flows.flatMap(flow => flow.deployed))],
})

export interface Lowered {
  readonly nodes: PlanNode[]
  readonly positions: Record<string, Span>
}

export function lowerStages(
  stages: readonly ResolvedStage[],
  target: DeployTarget,
  context: CompileContext,
): Lowered {
  const lowering = new Lowering(target, context)
  const ends = new Map<string, Flow>()
  for (const stage of stages) {
    const before = merge([START, ...stage.after.map(name => ends.get(name)!)])
    ends.set(stage.model.name, lowering.stage(stage, before))
  }
  return { nodes: lowering.nodes, positions: lowering.positions }
}

/** A node as an item asks for it; the rest is filled in from where it stands. */
export type NodeDraft = Pick<PlanNode, 'key' | 'title' | 'operation'> &
  Partial<
    Pick<
      PlanNode,
      'component' | 'environment' | 'lockstep' | 'timeout' | 'retry' | 'undo' | 'needs' | 'after'
    >
  >

export class Lowering {
  readonly nodes: PlanNode[] = []
  readonly positions: Record<string, Span> = {}
  readonly target: DeployTarget
  readonly context: CompileContext
  readonly #keys = new Set<string>()
  /** What the stage's steps, gates and approvals are called: their keys are theirs, wherever they stand in it. */
  #named: ReadonlySet<string> = new Set()
  #stage = ''
  #joins = 0

  constructor(target: DeployTarget, context: CompileContext) {
    this.target = target
    this.context = context
  }

  get stageName(): string {
    return this.#stage
  }

  stage(stage: ResolvedStage, before: Flow): Flow {
    this.#stage = stage.model.name
    this.#joins = 0
    this.#named = new Set(flatten(stage.model.items).flatMap(item => ('name' in item ? [item.name] : [])))
    this.place(`stage:${stage.model.name}`, stage.model.at)
    return this.#sequence(stage.model.items, before)
  }

  #sequence(items: readonly ItemModel[], before: Flow): Flow {
    let flow = before
    for (const item of items) flow = this.#item(item, width(item) > 1 ? this.#join(flow) : flow)
    return flow
  }

  #item(item: ItemModel, before: Flow): Flow {
    switch (item.kind) {
      case 'sequence':
        return this.#sequence(item.items, before)
      case 'parallel':
        return item.items.length === 0 ? before : merge(item.items.map(part => this.#item(part, before)))
      case 'deploy':
        return lowerDeploy(this, item, before)
      case 'gate':
        return this.#gate(item, before)
      case 'step':
        return this.#step(item, before)
      case 'notify':
        return this.#notify(item, before)
      case 'approval':
        return this.#single(item.at, before, {
          key: `${this.#stage}/${item.name}`,
          title: `approval: ${item.name}`,
          timeout: null,
          operation: {
            kind: 'approval',
            name: item.name,
            from: item.from,
            expires: this.context.duration(item.expires, {
              name: `the expiry of the approval "${item.name}"`,
              at: item.at,
              fallback: null,
            }),
            self: item.self,
          },
        })
      case 'bake':
        return this.#bake(item, before)
      case 'wait': {
        const duration = this.context.duration(item.duration, {
          name: 'the wait',
          at: item.at,
          fallback: 0,
        })
        const text = String(this.context.value(item.duration))
        return this.#single(item.at, before, {
          key: this.#unique(`wait-${text}`),
          title: `wait ${text}`,
          timeout: null,
          operation: { kind: 'wait', duration },
        })
      }
    }
  }

  /** Watches the places that were deployed to last: production, not staging before it. */
  #bake(item: BakeModel, before: Flow): Flow {
    checkCompared(this.context, item.analysis.metrics, [NOBODY])
    const last = before.deployed.at(-1)?.environment
    const places = [...this.target.sites.values()]
    const root = places.find(site => site.name === last)?.environment
    const key = this.#unique(`bake-${String(this.context.value(item.duration))}`)
    lowerBake(this, { ...item, key, environments: places.filter(site => site.environment === root) }, before)
    return { needs: [key], after: [], deployed: before.deployed }
  }

  /** Two waits of one length in a stage are two nodes; the later is numbered in the order written. */
  #unique(name: string): string {
    let unique = name
    for (let n = 2; this.#named.has(unique) || this.has(`${this.#stage}/${unique}`); n += 1) {
      unique = `${name}-${n}`
    }
    return `${this.#stage}/${unique}`
  }

  /** One node for many, where two wide groups meet. */
  #join(flow: Flow): Flow {
    if (flow.needs.length + flow.after.length < 3) return flow
    this.#joins += 1
    const key = `${this.#stage}/join/${this.#joins}`
    this.add({ key, title: 'all of these', timeout: null, operation: { kind: 'join' } }, flow)
    return { needs: [key], after: [], deployed: flow.deployed }
  }

  #gate(item: GateModel, before: Flow): Flow {
    return this.#single(item.at, before, {
      key: `${this.#stage}/${item.name}`,
      title: `gate: ${item.name}`,
      timeout: this.#timeout(item, DEFAULT_TIMEOUT.gate),
      retry: this.retry(item.retry, item.at, NO_RETRY),
      operation: { kind: 'gate', name: item.name, required: item.required, check: lowerCheck(this, item) },
    })
  }

  #step(item: StepModel, before: Flow): Flow {
    return this.#single(item.at, before, {
      key: `${this.#stage}/${item.name}`,
      title: `step: ${item.name}`,
      timeout: this.#timeout(item, DEFAULT_TIMEOUT.step),
      retry: this.retry(item.retry, item.at, NO_RETRY),
      undo: undoOf(item),
      operation: {
        kind: 'step',
        name: item.name,
        idempotent: item.idempotent,
        observable: item.observe !== null,
      },
    })
  }

  #notify(item: NotifyModel, before: Flow): Flow {
    const { channel } = item
    const url: EnvValue = isSecret(channel.url)
      ? { secret: channel.url.name }
      : { value: channel.url as string }
    const name = channel.kind === 'slack' ? `slack ${channel.channel}` : 'webhook'
    const key = this.#unique(`notify-${name.replaceAll(/[^\w-]+/g, '-')}`)
    this.add(
      {
        key,
        title: `notify: ${name}`,
        timeout: DEFAULT_TIMEOUT.notify,
        retry: NOTIFY_RETRY,
        operation: {
          kind: 'notify',
          required: item.required,
          channel:
            channel.kind === 'slack'
              ? { kind: 'slack', url, channel: channel.channel ?? '' }
              : { kind: 'webhook', url },
          message: item.message,
        },
      },
      before,
      item.at,
    )
    return { needs: [key], after: [], deployed: before.deployed }
  }

  #single(at: CallSite, before: Flow, draft: NodeDraft): Flow {
    this.add(draft, before, at)
    return { needs: [draft.key], after: [], deployed: before.deployed }
  }

  #timeout(item: GateModel | StepModel, fallback: Millis): Millis {
    return this.context.duration(item.timeout, {
      name: `the time limit of "${item.name}"`,
      at: item.at,
      fallback,
    })
  }

  retry(retry: RetryModel | null, at: CallSite, fallback: Retry): Retry {
    if (retry === null) return fallback
    if (!Number.isInteger(retry.limit) || retry.limit < 0) {
      this.context.report({
        code: 'not-a-retry',
        message: `retry ${retry.limit}: a number of further attempts is a whole number from 0`,
        hint: 'Write retry: 2, for three attempts in all.',
        at,
      })
    }
    const of = (text: string | null, name: string, otherwise: Millis): Millis =>
      this.context.duration(text, { name: `the retry's ${name}`, at, fallback: otherwise })
    return {
      limit: retry.limit,
      delay: of(retry.delay, 'delay', fallback.delay),
      maxDelay: of(retry.maxDelay, 'maxDelay', fallback.maxDelay),
    }
  }

  command(command: { line: string | readonly string[]; cwd: string | null }, at: CallSite): PlanCommand {
    const cwd = command.cwd ?? ''
    const split = typeof command.line === 'string' ? splitCommandLine(command.line) : readArgv(command.line)
    if ('argv' in split) return { argv: split.argv, cwd }
    this.context.report({
      code: 'not-a-command',
      message: `${JSON.stringify(command.line)}: ${split.error}`,
      hint: split.hint,
      at,
    })
    return { argv: [], cwd }
  }

  /** Adds a node that follows the flow; `needs` and `after` of the draft come on top. */
  add(draft: NodeDraft, before: Flow, at?: CallSite): void {
    if (this.#keys.has(draft.key)) return
    this.#keys.add(draft.key)
    // What many share stays one list: a flow's keys stand in it once already.
    const needs = draft.needs === undefined ? before.needs : [...new Set([...before.needs, ...draft.needs])]
    const others = draft.after === undefined ? before.after : [...new Set([...before.after, ...draft.after])]
    const after = withoutNeeds(others, needs)
    const { key, title, component, environment, lockstep, operation } = draft
    const stage = this.#stage
    const timeout = draft.timeout === undefined ? null : draft.timeout
    const retry = draft.retry ?? NO_RETRY
    const undo = draft.undo ?? NOTHING
    // Most nodes of a large plan belong to no component: theirs is written without a spread.
    this.nodes.push(
      (component ?? environment ?? lockstep) === undefined
        ? { key, stage, title, needs, after, timeout, retry, undo, operation }
        : {
            ...{ key, stage, title },
            ...(component === undefined ? {} : { component }),
            ...(environment === undefined ? {} : { environment }),
            needs,
            ...(lockstep === undefined ? {} : { lockstep }),
            ...{ after, timeout, retry, undo, operation },
          },
    )
    if (at !== undefined) this.place(draft.key, at)
  }

  place(key: string, at: CallSite): void {
    const span = this.context.span(at)
    if (span !== undefined) this.positions[key] = span
  }

  has(key: string): boolean {
    return this.#keys.has(key)
  }
}

const withoutNeeds = (after: readonly string[], needs: readonly string[]): readonly string[] =>
  after.length === 0 || needs.length === 0 ? after : after.filter(key => !needs.includes(key))

/** How many nodes an item begins with, roughly: whether a join before it saves edges. */
function width(item: ItemModel): number {
  switch (item.kind) {
    case 'parallel':
      return item.items.length
    case 'deploy':
      return item.components.length
    case 'sequence':
      return item.items[0] === undefined ? 0 : width(item.items[0])
    default:
      return 1
  }
}

const readArgv = (argv: readonly string[]): SplitCommandLine =>
  argv[0] === undefined || argv[0] === ''
    ? { error: 'it names no program', offset: 0, hint: "Write the program first: ['npm', 'test']." }
    : { argv }

function undoOf(item: StepModel): Undo {
  if (item.undo === 'none') {
    const reason = `the step "${item.name}" says that nothing can undo it`
    return { kind: 'irreversible', reason, freezes: true }
  }
  if (item.undo === 'not-needed') return NOTHING
  if (item.undo === null) {
    return { kind: 'irreversible', reason: `the step "${item.name}" has no undo` }
  }
  return { kind: 'step' }
}
