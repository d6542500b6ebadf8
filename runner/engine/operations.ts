/**
 * What each kind of node does.
 *
 * Every operation may be asked again after a crash (`recover`): a deployment is told what should be and changes
 * nothing that is so already; a step is asked through `observe` whether it is done; a gate is asked anew.
 */
import { ReleaseError } from '../../src/errors.ts'
import { canonicalJson } from '../../src/plan/canonical.ts'
import {
  ALL_STABLE,
  type GateOperation,
  type Json,
  type NotifyOperation,
  type PrepareOperation,
  type ReplaceOperation,
  type Revision,
  type StepOperation,
  type VerifyOperation,
} from '../../src/plan/plan.ts'
import type { Instance, Observed } from '../../src/run/ports.ts'
import { analyse } from './analyse.ts'
import type { Task } from './engine.ts'
import { placeOf, preparedOf } from './place.ts'
import { runtimeContext } from './runtime-context.ts'
import { endSide, promote, remove, shift, start } from './traffic-operations.ts'
import type { World } from './world.ts'

export interface Attempt {
  readonly task: Task
  readonly world: World
  /** The task's signal, also aborted by the time limit. */
  readonly signal: AbortSignal
  /** Aborted with `signal`, and when the attempt has ended: what a step started and did not wait for ends with it. */
  readonly over: AbortSignal
}

export interface Done {
  readonly value: Json
  readonly summary: string | null
  readonly warning: string | null
  readonly how: 'performed' | 'observed'
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
    case 'start':
      return start(attempt, operation)
    case 'shift':
      return shift(attempt, operation)
    case 'analyse':
      return analyse(attempt, operation)
    case 'promote':
      return promote(attempt, operation)
    case 'remove':
      return remove(attempt, operation)
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

async function prepare(attempt: Attempt, { revision }: PrepareOperation): Promise<Done> {
  const { platform, environment, component } = placeOf(attempt)
  const { plan } = attempt.task.state
  const source = plan.components.find(c => c.name === component)!.source
  await platform.keep(`${attempt.world.root}/${source}`, revision.digest)
  const observed = await platform.observe(environment, component)
  const instances = observed.instances.filter(({ side }) => side === 'stable')
  const before = instances.map(({ slot, revision }) => ({ slot, revision }))
  const left = await clearLeftovers(attempt, observed)
  const summary = `kept as ${short(revision.digest)}; ${now(instances)}${left}`
  return done({ before } as unknown as Json, summary)
}

/** What a run that nobody resumed left divided is decided before another begins: the stable side has it all. */
async function clearLeftovers(attempt: Attempt, { instances, traffic }: Observed): Promise<string> {
  const beside = instances.filter(({ side }) => side !== 'stable')
  const divided = canonicalJson(traffic) !== canonicalJson(ALL_STABLE)
  if (!divided && beside.length === 0) return ''
  const { platform, environment, component, context } = placeOf(attempt)
  if (divided) await platform.shift(environment, component, ALL_STABLE, context)
  for (const side of ['canary', 'baseline'] as const) await endSide(attempt, side, beside)
  return `; ${beside.length} that an earlier run left beside it ended`
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
  const desired = { environment, component, side: 'stable', from, to, revision, maxUnavailable } as const
  await platform.converge(desired, context)
  return done(
    null,
    `${to - from === 1 ? 'instance' : `${to - from} instances`} healthy on ${revision.version}`,
  )
}

/** Every stable slot of the range runs exactly this revision, is healthy and gets traffic. */
function isSo(observed: Observed, revision: Revision, from: number, to: number): boolean {
  const text = canonicalJson(revision)
  for (let slot = from; slot < to; slot += 1) {
    const instance = observed.instances.find(i => i.side === 'stable' && i.slot === slot)
    if (!instance?.healthy || !instance.routed || canonicalJson(instance.revision) !== text) return false
  }
  return true
}

async function verify(attempt: Attempt, operation: VerifyOperation): Promise<Done> {
  const { platform, environment, component, context } = placeOf(attempt)
  const { revision, instances } = wantedOf(attempt, operation)
  const observed = await platform.observe(environment, component)
  const stable = observed.instances.filter(({ side }) => side === 'stable')
  const end = Math.max(0, ...stable.map(instance => instance.slot + 1))
  if (end > instances) {
    const beyond = { environment, component, from: instances, to: end, revision: null, maxUnavailable: 0 }
    await platform.converge({ ...beyond, side: 'stable' }, context)
  }
  const how = end > instances ? 'performed' : 'observed'
  const after = how === 'performed' ? await platform.observe(environment, component) : observed
  if (isSo(after, revision, 0, instances) && canonicalJson(after.traffic) === canonicalJson(ALL_STABLE))
    return done(null, `${instances} healthy on ${revision.version}`, how)
  throw new ReleaseError(
    'not-as-asked',
    `${component} in ${environment}: ${shortfall(after, { revision, instances })}`,
    { hint: 'See the instance logs: `release local status`.' },
  )
}

/** What was to be promoted; where an experiment kept the old version, that. */
function wantedOf({ task }: Attempt, operation: VerifyOperation): Wanted {
  const promotion = task.state.plan.nodes.find(
    node => node.operation.kind === 'promote' && node.operation.prepared === operation.prepared,
  )
  const value = promotion === undefined ? null : task.state.works.get(promotion.key)!.value
  if (!isKeptStable(value)) return operation
  const { before } = preparedOf(task, operation.prepared)
  const [first] = before
  return first === undefined ? operation : { revision: first.revision, instances: before.length }
}

const isKeptStable = (value: Json): boolean =>
  typeof value === 'object' && value !== null && 'kept' in value && value.kept === 'stable'

interface Wanted {
  readonly revision: Revision
  readonly instances: number
}

function shortfall({ instances, traffic }: Observed, { revision, instances: asked }: Wanted): string {
  const text = canonicalJson(revision)
  const right = instances.filter(i => i.side === 'stable' && canonicalJson(i.revision) === text)
  const healthy = right.filter(i => i.healthy).length
  const divided = canonicalJson(traffic) === canonicalJson(ALL_STABLE) ? '' : ', and traffic is still divided'
  return `${asked} instances of ${revision.version} were asked for; ${right.length} run it and ${healthy} of these are healthy${divided}`
}
