/**
 * What each kind of node does.
 *
 * Every operation may be asked again after a crash (`recover`): a deployment is told what should be and changes
 * nothing that is so already; a step is asked through `observe` whether it is done; a gate is asked anew.
 */
import { ReleaseError } from '../../src/errors.ts'
import { canonicalJson } from '../../src/plan/canonical.ts'
import type {
  GateOperation,
  Json,
  NotifyOperation,
  PrepareOperation,
  ReplaceOperation,
  Revision,
  StepOperation,
  VerifyOperation,
} from '../../src/plan/plan.ts'
import type { Instance, Observed, Platform, PlatformContext } from '../../src/run/ports.ts'
import type { Task } from './engine.ts'
import { runtimeContext } from './runtime-context.ts'
import type { World } from './world.ts'

export interface Attempt {
  readonly task: Task
  readonly world: World
  /** The task's signal, also aborted by the time limit. */
  readonly signal: AbortSignal
  /** Aborted when the attempt has ended: what a step started and did not wait for ends with it. */
  readonly over: AbortSignal
}

export interface Done {
  readonly value: Json
  readonly summary: string | null
  readonly warning: string | null
  readonly how: 'performed' | 'observed'
}

/** What ran before a deployment, by slot: what its undoing restores. */
export interface Prepared {
  readonly before: readonly { readonly slot: number; readonly revision: Revision }[]
}

const done = (value: Json, summary: string | null, how: Done['how'] = 'performed'): Done => ({
  value,
  summary,
  warning: null,
  how,
})

export function operate(attempt: Attempt): Promise<Done> {
  const { operation } = attempt.task.work.node
  switch (operation.kind) {
    case 'gate':
      return gate(attempt, operation)
    case 'step':
      return step(attempt, operation)
    case 'notify':
      return notify(attempt, operation)
    case 'prepare':
      return prepare(attempt, operation)
    case 'replace':
      return replace(attempt, operation)
    case 'verify':
      return verify(attempt, operation)
    case 'approval':
    case 'wait':
    case 'join':
      throw new Error(`${operation.kind} has no effect to perform`)
  }
}

async function gate(attempt: Attempt, operation: GateOperation): Promise<Done> {
  const { task, world, signal } = attempt
  const check = world.checks.get(operation.name)
  const verdict = await world.gate({
    check: operation.check,
    signal,
    log: world.log(task.work.key),
    key: task.work.key,
    run:
      check === undefined
        ? null
        : async () => (await check(await runtimeContext(attempt))) as boolean | { passed: boolean },
  })
  if (verdict.passed) return done(null, verdict.summary)
  const { code, message, hint, tail } = verdict.failure ?? { code: 'gate-failed', message: verdict.summary }
  throw new ReleaseError(code, message, { hint, tail })
}

async function step(attempt: Attempt, operation: StepOperation): Promise<Done> {
  const { task, world } = attempt
  const model = world.steps.get(operation.name)
  if (model === undefined) {
    throw new ReleaseError('step-missing', `the bundle has no step named "${operation.name}"`)
  }
  const context = await runtimeContext(attempt)
  if (task.recover && model.observe !== null) {
    const found = await model.observe(context)
    if (found !== undefined) return done(toJson(found, attempt), 'found to be done already', 'observed')
  }
  return done(toJson(await model.run(context), attempt), null)
}

/** What a step returns is written down, so it has to be JSON, and no secret may stand in it. */
function toJson(value: unknown, { task, world }: Attempt): Json {
  try {
    const text = JSON.stringify(value ?? null)
    if (text === undefined) throw new TypeError(`a ${typeof value} is no JSON`)
    return JSON.parse(world.secrets.scrub(text)) as Json
  } catch (error) {
    throw new ReleaseError(
      'not-json',
      `${task.work.node.title} returned what cannot be written down: ${(error as Error).message}`,
      { hint: 'Return plain data: objects, arrays, strings, numbers, booleans, null.' },
    )
  }
}

async function notify({ task, world, signal }: Attempt, operation: NotifyOperation): Promise<Done> {
  const { plan } = task.state
  const { name, version } = plan.release
  const template = operation.message ?? `${name} {version}: ${progressOf(task)}`
  const message = template
    .replaceAll('{version}', version)
    .replaceAll('{release}', name)
    .replaceAll('{run}', world.run)
  const idempotencyKey = `${world.run}/${task.work.key}`
  return done(null, await world.notify({ operation, message, signal, idempotencyKey }))
}

function progressOf({ state }: Task): string {
  const failed = state.containments.length
  const finished = [...state.works.values()].filter(work => work.status.type === 'succeeded').length
  return `${finished} of ${state.plan.nodes.length} nodes done${failed === 0 ? '' : `, ${failed} failed`}`
}

export interface Place {
  readonly platform: Platform
  readonly environment: string
  readonly component: string
  readonly context: PlatformContext
}

/** Where a deployment's node works, and with which token. */
export function placeOf({ task, world, signal }: Attempt): Place {
  const { node, key } = task.work
  const environment = node.environment!
  const component = node.component!
  const log = world.log(key)
  return {
    platform: world.platform(environment),
    environment,
    component,
    context: {
      signal,
      fence: world.fence(environment, component),
      log: log.line,
      secret: name => world.secrets.read(name),
    },
  }
}

async function prepare(attempt: Attempt, { revision }: PrepareOperation): Promise<Done> {
  const { platform, environment, component } = placeOf(attempt)
  const { plan } = attempt.task.state
  const source = plan.components.find(c => c.name === component)!.source
  await platform.keep(`${attempt.world.root}/${source}`, revision.digest)
  const { instances } = await platform.observe(environment, component)
  const before = instances.map(({ slot, revision }) => ({ slot, revision }))
  return done({ before } as unknown as Json, `kept as ${short(revision.digest)}; ${now(instances)}`)
}

const short = (digest: string): string => digest.slice(0, 12)

function now(instances: readonly Instance[]): string {
  if (instances.length === 0) return 'nothing runs there yet'
  const versions = [...new Set(instances.map(instance => instance.revision.version))]
  return `${versions.join(' and ')} runs on ${instances.length}`
}

async function replace(attempt: Attempt, operation: ReplaceOperation): Promise<Done> {
  const { platform, environment, component, context } = placeOf(attempt)
  const { revision, from, to, maxUnavailable } = operation
  if (isSo(await platform.observe(environment, component), revision, from, to)) {
    return done(null, 'found to be so already', 'observed')
  }
  await platform.converge({ environment, component, from, to, revision, maxUnavailable }, context)
  return done(
    null,
    `${to - from === 1 ? 'instance' : `${to - from} instances`} healthy on ${revision.version}`,
  )
}

/** Every slot of the range runs exactly this revision, is healthy and gets traffic. */
function isSo(observed: Observed, revision: Revision, from: number, to: number): boolean {
  const text = canonicalJson(revision)
  for (let slot = from; slot < to; slot += 1) {
    const instance = observed.instances.find(i => i.slot === slot)
    if (!instance?.healthy || !instance.routed || canonicalJson(instance.revision) !== text) return false
  }
  return true
}

async function verify(attempt: Attempt, operation: VerifyOperation): Promise<Done> {
  const { platform, environment, component, context } = placeOf(attempt)
  const { revision, instances } = operation
  const observed = await platform.observe(environment, component)
  const end = Math.max(0, ...observed.instances.map(instance => instance.slot + 1))
  if (end > instances) {
    const beyond = { environment, component, from: instances, to: end, revision: null, maxUnavailable: 0 }
    await platform.converge(beyond, context)
  }
  const how = end > instances ? 'performed' : 'observed'
  const after = how === 'performed' ? await platform.observe(environment, component) : observed
  if (isSo(after, revision, 0, instances))
    return done(null, `${instances} healthy on ${revision.version}`, how)
  throw new ReleaseError('not-as-asked', `${component} in ${environment}: ${shortfall(after, operation)}`, {
    hint: 'See the instance logs: `release local status`.',
  })
}

function shortfall({ instances }: Observed, { revision, instances: asked }: VerifyOperation): string {
  const text = canonicalJson(revision)
  const right = instances.filter(i => canonicalJson(i.revision) === text)
  const healthy = right.filter(i => i.healthy).length
  return `${asked} instances of ${revision.version} were asked for; ${right.length} run it and ${healthy} of these are healthy`
}
