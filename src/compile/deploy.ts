/**
 * Lowering of a deployment: each component becomes prepare → replace … → verify.
 *
 *     prepare                keeps the files, records what runs now
 *        └─▶ rolling/1       brings the first batch of instances over
 *               └─▶ rolling/2 …
 *                     └─▶ verify   removes what is beyond, reads back, asks every instance
 *
 * A component's first batch needs the `verify` of everything that it needs in the same environment, so that
 * providers are whole before their consumers begin, and nothing waits for more than that.
 */
import type { ComponentModel, DeployModel, StrategyModel } from '../definition/model.ts'
import type { Millis, Revision, Sha256 } from '../plan/plan.ts'
import type { ResolvedComponent } from './components.ts'
import type { CompileContext } from './context.ts'
import type { Deployed, Flow, Lowering } from './lower.ts'
import { parseDuration, parseShare } from './units.ts'

const MINUTE: Millis = 60_000
const PREPARE_TIMEOUT: Millis = 5 * MINUTE
const VERIFY_TIMEOUT: Millis = 5 * MINUTE
const DEFAULT_HEALTH = { path: '/health', timeout: 30_000, interval: 100 } as const

/** What the world says of a component: read by the runner before the plan is made. */
export interface ComponentFact {
  /** The folder that is deployed, relative to the project's folder. */
  readonly source: string
  readonly digest: Sha256
  /** The `start` script's arguments, where the definition names no command. */
  readonly start: readonly string[] | null
}

export interface DeployTarget {
  readonly components: ReadonlyMap<string, ResolvedComponent>
  readonly facts: ReadonlyMap<string, ComponentFact>
}

export function lowerDeploy(lowering: Lowering, item: DeployModel, before: Flow): Flow {
  const held = inOrder(lowering, item)
  const deployed: Deployed[] = []
  const here = { component: new Map<string, string>(), groups: new Map<number, string[]>() }
  for (const component of held) {
    const verify = lowerComponent(lowering, { item, component, before, deployed, groups: here.groups })
    if (verify === null) continue
    deployed.push({ component: component.name, environment: item.to.name, verify })
    here.groups.set(component.group, [...(here.groups.get(component.group) ?? []), verify])
  }
  if (deployed.length === 0) return before
  return { needs: [], after: deployed.map(d => d.verify), deployed: [...before.deployed, ...deployed] }
}

/** In the order of needs, so that a provider's `verify` is known when its consumer is lowered. */
function inOrder(lowering: Lowering, item: DeployModel): readonly ResolvedComponent[] {
  const wanted = new Set(item.components.map(component => component.name))
  for (const component of item.components) {
    if (!lowering.target.components.has(component.name)) reportNotHeld(lowering.context, component, item)
  }
  return [...lowering.target.components.values()].filter(component => wanted.has(component.name))
}

function reportNotHeld(context: CompileContext, component: ComponentModel, item: DeployModel): void {
  context.report({
    code: 'component-not-held',
    message: `${component.name} is deployed, but the release does not hold it`,
    hint: `Add ${component.name} to the release's components.`,
    at: item.at,
    related: [{ message: `${component.name} is defined here`, at: component.at }],
  })
}

interface Place {
  readonly item: DeployModel
  readonly component: ResolvedComponent
  readonly before: Flow
  /** What this deployment has lowered so far. */
  readonly deployed: readonly Deployed[]
  readonly groups: ReadonlyMap<number, readonly string[]>
}

/** Returns the key of the component's `verify`; null where it could not be lowered. */
function lowerComponent(lowering: Lowering, place: Place): string | null {
  const { item, component, before } = place
  const environment = item.to.name
  const stage = lowering.stageName
  const base =
    environment === stage ? `${stage}/${component.name}` : `${stage}/${environment}/${component.name}`
  if (lowering.has(`${base}/prepare`)) {
    reportTwice(lowering.context, component, item)
    return null
  }
  const revision = revisionOf(lowering, component)
  const instances = instancesOf(lowering.context, component, environment)
  const common = { component: component.name, environment }
  const prepare = `${base}/prepare`
  lowering.add(
    {
      ...common,
      key: prepare,
      title: `${component.name}: keep ${component.version}`,
      timeout: PREPARE_TIMEOUT,
      needs: own(before, component),
      operation: { kind: 'prepare', revision },
    },
    before,
    item.at,
  )
  const last = lowerBatches(lowering, { ...place, base, revision, instances })
  const verify = `${base}/verify`
  lowering.add(
    {
      ...common,
      key: verify,
      title: `${component.name}: verify ${instances} × ${component.version}`,
      timeout: VERIFY_TIMEOUT,
      undo: { kind: 'restore' },
      operation: { kind: 'verify', revision, instances, prepared: prepare },
    },
    { needs: [last], after: [], deployed: [] },
    item.at,
  )
  return verify
}

function lowerBatches(
  lowering: Lowering,
  place: Place & { readonly base: string; readonly revision: Revision; readonly instances: number },
): string {
  const { item, component, base, revision, instances } = place
  const shape = shapeOf(lowering.context, item.with, instances, item)
  let last = `${base}/prepare`
  for (let from = 0, batch = 1; from < instances; from += shape.batch, batch += 1) {
    const to = Math.min(from + shape.batch, instances)
    const key = `${base}/${item.with.kind}/${batch}`
    const first = batch === 1 ? firstNeeds(place) : { needs: [], after: [] }
    lowering.add(
      {
        component: component.name,
        environment: item.to.name,
        key,
        title: `${component.name}: ${slots(from, to)} of ${instances} to ${component.version}`,
        timeout: shape.deadline,
        undo: { kind: 'restore' },
        ...first,
        operation: {
          kind: 'replace',
          revision,
          from,
          to,
          maxUnavailable: shape.maxUnavailable,
          prepared: `${base}/prepare`,
        },
      },
      { needs: [last], after: [], deployed: [] },
      item.at,
    )
    last = key
  }
  return last
}

const slots = (from: number, to: number): string =>
  to - from === 1 ? `instance ${to}` : `instances ${from + 1}–${to}`

/** A component that failed in an earlier place does not go on to the next. */
const own = (before: Flow, component: ResolvedComponent): string[] =>
  before.deployed.filter(d => d.component === component.name).map(d => d.verify)

/** The first batch needs its providers here, and comes after the groups that are pinned before its own. */
function firstNeeds(place: Place): { needs: string[]; after: string[] } {
  const environment = place.item.to.name
  const providers = new Set(place.component.model.needs.map(need => need.component.name))
  const needs = [...place.before.deployed, ...place.deployed]
    .filter(d => d.environment === environment && providers.has(d.component))
    .map(d => d.verify)
  const after = [...place.groups]
    .filter(([group]) => place.component.model.group !== null && group < place.component.group)
    .flatMap(([, verifies]) => verifies)
  return { needs, after: after.filter(key => !needs.includes(key)) }
}

function reportTwice(context: CompileContext, component: ResolvedComponent, item: DeployModel): void {
  context.report({
    code: 'deployed-twice',
    message: `${component.name} is deployed to ${item.to.name} twice in one stage`,
    hint: 'Take it out of one of the deployments, or move one to a stage of its own.',
    at: item.at,
  })
}

function revisionOf(lowering: Lowering, component: ResolvedComponent): Revision {
  const fact = lowering.target.facts.get(component.name)
  const { model } = component
  const start =
    model.start === null
      ? (fact?.start ?? [])
      : lowering.command({ line: model.start, cwd: null }, model.at).argv
  const { health, at } = model
  return {
    component: component.name,
    version: component.version,
    digest: fact?.digest ?? '',
    start,
    health: {
      path: health?.path ?? DEFAULT_HEALTH.path,
      timeout: lowering.context.duration(health?.timeout ?? null, {
        at,
        name: `the health timeout of ${component.name}`,
        fallback: DEFAULT_HEALTH.timeout,
      }),
      interval: lowering.context.duration(health?.interval ?? null, {
        at,
        name: `the health interval of ${component.name}`,
        fallback: DEFAULT_HEALTH.interval,
      }),
    },
    env: component.env,
  }
}

/** Each batch of them is a node: what is more than this was mistyped, and would be a plan that nobody can read. */
const MOST_INSTANCES = 10_000

function instancesOf(context: CompileContext, component: ResolvedComponent, environment: string): number {
  const { instances } = component.model
  const count = typeof instances === 'number' ? instances : (instances[environment] ?? 1)
  if (Number.isInteger(count) && count >= 1 && count <= MOST_INSTANCES) return count
  context.report({
    code: 'not-a-count',
    message: `${component.name} is to have ${count} instances in ${environment}`,
    hint: `Instances are a whole number from 1${count > MOST_INSTANCES ? ` to ${MOST_INSTANCES}` : ''}.`,
    at: component.model.at,
  })
  return 1
}

interface Shape {
  readonly batch: number
  readonly maxUnavailable: number
  readonly deadline: Millis
}

function shapeOf(
  context: CompileContext,
  strategy: StrategyModel,
  instances: number,
  item: DeployModel,
): Shape {
  const deadline = context.duration(strategy.progressDeadline, {
    name: 'the progress deadline',
    at: item.at,
    fallback: parseDuration('10m')!,
  })
  switch (strategy.kind) {
    case 'all-at-once':
      return { batch: instances, maxUnavailable: 0, deadline }
    case 'rolling': {
      const share = (value: typeof strategy.batch, name: string, round: 'up' | 'down'): number => {
        const text = context.value(value)
        const count = parseShare(text, { of: instances, round })
        if (count === null) reportShare(context, { name, text, at: item.at })
        return count ?? 1
      }
      return {
        batch: Math.max(1, share(strategy.batch, 'batch', 'up')),
        maxUnavailable: share(strategy.maxUnavailable, 'maxUnavailable', 'down'),
        deadline,
      }
    }
  }
}

function reportShare(
  context: CompileContext,
  what: { readonly name: string; readonly text: number | string; readonly at: DeployModel['at'] },
): void {
  context.report({
    code: 'not-a-share',
    message: `${what.name} is ${JSON.stringify(what.text)}`,
    hint: "Write a whole number of instances, or a share of them as in '25%'.",
    at: what.at,
  })
}
