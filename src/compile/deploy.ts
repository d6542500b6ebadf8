/**
 * Lowering of a deployment: each component becomes prepare → replace … → verify, in each place of its environment.
 *
 *     prepare                keeps the files, records what runs now
 *        └─▶ rolling/1       brings the first batch of instances over
 *               └─▶ rolling/2 …
 *                     └─▶ verify   removes what is beyond, reads back, asks every instance
 *
 * A component's first batch needs the `verify` of everything that it needs in the same environment, so that
 * providers are whole before their consumers begin, and nothing waits for more than that. Strategies that divide
 * traffic stand between `prepare` and `verify` (progressive.ts); where nothing runs yet there is none to divide, and the
 * component is simply brought up.
 */
import type { AnalysisModel, ComponentModel, DeployModel } from '../definition/model.ts'
import type { LiveFact, Millis, Revision, Sha256 } from '../plan/plan.ts'
import { lowerBake } from './bake.ts'
import { checkCompared, measuresAnything, NOBODY } from './compared.ts'
import type { ResolvedComponent } from './components.ts'
import type { CompileContext } from './context.ts'
import { lockstepBase, lowerLockstep } from './lockstep.ts'
import type { Deployed, Flow, Lowering } from './lower.ts'
import {
  type First,
  lowerBatches,
  lowerVerify,
  type Part,
  partFields,
  type SiteDeploy,
  siteBase,
} from './part.ts'
import { isProgressive } from './phases.ts'
import { lowerProgressive } from './progressive.ts'
import { isHeldBy, regionsOf, type SiteModel, wavesOf } from './regions.ts'

const MINUTE: Millis = 60_000
const PREPARE_TIMEOUT: Millis = 5 * MINUTE
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
  /** By environment, by component: what runs there. */
  readonly live: Readonly<Record<string, Readonly<Record<string, LiveFact | null>>>>
  /** Every place that something is deployed to, by its name. */
  readonly sites: ReadonlyMap<string, SiteModel>
}

/** Wave after wave: a later one needs all of the one before, and what it was watched for. */
export function lowerDeploy(lowering: Lowering, item: DeployModel, before: Flow): Flow {
  for (const component of item.components) {
    if (!lowering.target.components.has(component.name)) reportNotHeld(lowering.context, component, item)
  }
  let flow = before
  let last: readonly Deployed[] = []
  for (const wave of wavesOf(item.to, lowering.context)) {
    const placed = wave.map(site => lowerSite(lowering, { item, site, before: flow }))
    last = placed.flatMap(({ deployed }) => deployed)
    const ends = [...last.map(({ verify }) => verify), ...placed.flatMap(({ bakes }) => bakes)]
    if (ends.length === 0) continue
    flow = { needs: ends, after: [], deployed: [...flow.deployed, ...last] }
  }
  if (flow === before) return before
  // What follows the deployment comes after its last wave: what needs a component of it says so itself.
  return regionsOf(item.to, lowering.context).length === 0
    ? { needs: [], after: last.map(({ verify }) => verify), deployed: flow.deployed }
    : flow
}

interface Placed {
  readonly deployed: readonly Deployed[]
  readonly bakes: readonly string[]
}

function lowerSite(lowering: Lowering, place: SiteDeploy): Placed {
  const { item, site, before } = place
  const components = inOrder(lowering, place)
  const divided = isProgressive(item.with) && components.some(c => isLive(lowering, site, c))
  const together = item.order === 'lockstep' && divided
  const deployed = together
    ? lowerTogether(lowering, place, components)
    : lowerInOrder(lowering, place, components)
  if (site.bake === null || deployed.length === 0) return { deployed, bakes: [] }
  const bake = lowerBake(
    lowering,
    {
      key: `${siteBase(lowering, site)}/bake`,
      duration: site.bake,
      analysis: bakedBy(lowering.context, place, divided),
      at: item.at,
      environments: [site],
    },
    { needs: deployed.map(({ verify }) => verify), after: [], deployed: [...before.deployed, ...deployed] },
  )
  return { deployed, bakes: [bake] }
}

/** What a wave is watched by: what its region says, or else what the strategy measures. */
function bakedBy(
  context: CompileContext,
  { item, site }: SiteDeploy,
  divided: boolean,
): AnalysisModel | null {
  if (site.watched !== null) {
    checkCompared(context, site.watched.metrics, [NOBODY])
    return site.watched
  }
  const own = 'analysis' in item.with ? item.with.analysis : null
  if (own === null || !measuresAnything(own, NOBODY)) reportOnlyWaits(context, item, site)
  // Nobody is where nothing ran before: there is nothing to measure, and it only waits.
  return divided ? own : null
}

function reportOnlyWaits(
  context: CompileContext,
  { to, with: strategy, at }: DeployModel,
  { region }: SiteModel,
): void {
  context.report({
    severity: 'warning',
    code: 'bake-only-waits',
    message: `the region "${region}" of ${to.name} bakes by waiting alone: the strategy ${strategy.kind} measures nothing that could go on after it`,
    hint: "Say what has to hold: bake: { for: '1h', analysis: [errorRate().below('1%')] }.",
    at,
    related: [{ message: `${to.name} is defined here`, at: to.at }],
  })
}

function lowerTogether(
  lowering: Lowering,
  place: SiteDeploy,
  components: readonly ResolvedComponent[],
): readonly Deployed[] {
  const lockstep = lockstepBase(lowering, place.site)
  const parts = components.flatMap(component => partOf(lowering, place, component, lockstep) ?? [])
  return lowerLockstep(lowering, place, { parts, base: lockstep })
}

/** Each component is finished before those that need it. */
function lowerInOrder(
  lowering: Lowering,
  place: SiteDeploy,
  components: readonly ResolvedComponent[],
): readonly Deployed[] {
  const deployed: Deployed[] = []
  const byName = new Map<string, Deployed>()
  const groups = new Map<number, string[]>()
  for (const component of components) {
    const part = partOf(lowering, place, component)
    if (part === null) continue
    const first = firstNeeds(place, part, { byName, groups })
    const { with: strategy } = place.item
    const last =
      isProgressive(strategy) && part.live
        ? lowerProgressive(lowering, { ...place, strategy }, part, first)
        : lowerBatches(lowering, place, part, first)
    const verify = lowerVerify(lowering, place, part, last)
    const done = { component: part.component.name, environment: place.site.name, verify }
    deployed.push(done)
    byName.set(done.component, done)
    const { group } = part.component
    groups.set(group, groups.get(group) ?? [])
    groups.get(group)!.push(verify)
  }
  return deployed
}

/** In the order of needs, so that a provider's `verify` is known when its consumer is lowered. */
function inOrder(lowering: Lowering, { item, site }: SiteDeploy): readonly ResolvedComponent[] {
  const wanted = new Set(item.components.map(component => component.name))
  return [...lowering.target.components.values()].filter(
    ({ name }) => wanted.has(name) && isHeldBy(site, name),
  )
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

/** Whether another version runs there. */
const isLive = ({ target }: Lowering, site: SiteModel, component: ResolvedComponent): boolean =>
  isOther(target, site.name, component)

/** Whether another version of a component runs in a place. */
export function isOther(target: DeployTarget, site: string, { name, version }: ResolvedComponent): boolean {
  const now = target.live[site]?.[name] ?? null
  return now !== null && (now.version !== version || now.digest !== target.facts.get(name)?.digest)
}

/** A version that nobody releases. */
const EARLIER: LiveFact = { version: '0.0.0-earlier', digest: '' }

/**
 * The same, as if an earlier version ran wherever none does now. A first deployment has no traffic to divide and is
 * rolled out; lowered against this, what is wrong with its strategy is found all the same.
 */
export function asIfLive(target: DeployTarget): DeployTarget {
  const components = [...target.components.values()]
  const liveIn = (site: string) =>
    Object.fromEntries(
      components.map(component => [
        component.name,
        isOther(target, site, component) ? target.live[site]![component.name]! : EARLIER,
      ]),
    )
  return { ...target, live: Object.fromEntries([...target.sites.keys()].map(site => [site, liveIn(site)])) }
}

/** With its `prepare`; null where it could not be lowered. Those that shift together wait for what any of them needs. */
function partOf(
  lowering: Lowering,
  place: SiteDeploy,
  component: ResolvedComponent,
  lockstep?: string,
): Part | null {
  const { item, site, before } = place
  const base = `${siteBase(lowering, site)}/${component.name}`
  const prepare = `${base}/prepare`
  if (lowering.has(prepare)) {
    reportTwice(lowering.context, component, item)
    return null
  }
  const revision = revisionOf(lowering, component)
  const instances = instancesOf(lowering.context, component, site)
  const live = isLive(lowering, site, component)
  const together = lockstep === undefined ? {} : { lockstep }
  const part: Part = { component, base, revision, instances, prepare, live, ...together }
  const providers = lockstep === undefined ? [] : providersOf(component, before.deployed, site)
  lowering.add(
    {
      ...partFields(place, part),
      key: prepare,
      title: `${component.name}: keep ${component.version}`,
      timeout: PREPARE_TIMEOUT,
      needs: [...own(before, component), ...providers],
      operation: { kind: 'prepare', revision },
    },
    before,
    item.at,
  )
  return part
}

/** What is deployed so far in this place, by component, in this order, and by group. */
interface SoFar {
  readonly byName: ReadonlyMap<string, Deployed>
  readonly groups: ReadonlyMap<number, readonly string[]>
}

/** The first change needs its providers here, and comes after the groups that are pinned before its own. */
function firstNeeds({ site, before }: SiteDeploy, { component }: Part, soFar: SoFar): First {
  const here = namesOfNeeds(component).flatMap(name => soFar.byName.get(name)?.verify ?? [])
  const needs = [...providersOf(component, before.deployed, site), ...here]
  if (component.model.group === null) return { needs, after: [] }
  const after = [...soFar.groups]
    .filter(([group]) => group < component.group)
    .flatMap(([, verifies]) => verifies)
  return { needs, after: after.filter(key => !needs.includes(key)) }
}

/** The `verify` of everything that the component needs and that was deployed here. */
function providersOf(component: ResolvedComponent, deployed: readonly Deployed[], site: SiteModel): string[] {
  const earlier = namesOfNeeds(component).flatMap(name => deploymentsOf(name, deployed))
  return earlier.filter(d => d.environment === site.name).map(d => d.verify)
}

const namesOfNeeds = (component: ResolvedComponent): readonly string[] => [
  ...new Set(component.model.needs.map(need => need.component.name)),
]

/** By component. Each of a thousand components asks what was deployed before. */
const indexed = new WeakMap<readonly Deployed[], ReadonlyMap<string, readonly Deployed[]>>()

function deploymentsOf(component: string, deployed: readonly Deployed[]): readonly Deployed[] {
  const index = indexed.get(deployed) ?? Map.groupBy(deployed, one => one.component)
  indexed.set(deployed, index)
  return index.get(component) ?? []
}

/** A component that failed in an earlier place does not go on to the next. */
const own = (before: Flow, component: ResolvedComponent): string[] =>
  deploymentsOf(component.name, before.deployed).map(d => d.verify)

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

/** A region may say its own number; otherwise its environment's holds. */
function instancesOf(context: CompileContext, component: ResolvedComponent, site: SiteModel): number {
  const { instances } = component.model
  const environment = site.environment.name
  const count =
    typeof instances === 'number' ? instances : (instances[site.name] ?? instances[environment] ?? 1)
  if (Number.isInteger(count) && count >= 1 && count <= MOST_INSTANCES) return count
  context.report({
    code: 'not-a-count',
    message: `${component.name} is to have ${count} instances in ${environment}`,
    hint: `Instances are a whole number from 1${count > MOST_INSTANCES ? ` to ${MOST_INSTANCES}` : ''}.`,
    at: component.model.at,
  })
  return 1
}
