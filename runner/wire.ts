/**
 * The composition root: which adapter stands behind which port.
 *
 * Adapters are imported here and only when they are needed, so that `plan` does not pay for what only `run` uses.
 */
import { join } from 'node:path'
import { flatten } from '../src/compile/names.ts'
import type { ReleaseModel, RuntimeContext, StepModel } from '../src/definition/model.ts'
import type { Plan, PlanPlatform } from '../src/plan/plan.ts'
import type { Metrics, Platform, Signatures } from '../src/run/ports.ts'
import type { RouterKind } from './adapters/loopback/kept-routing.ts'
import type { MetricsOptions } from './adapters/metrics/metrics.ts'
import type { LiveGrounds } from './adapters/platforms/local/grounds.ts'
import type { World } from './engine/world.ts'
import type { RunFolder } from './journal/run-store.ts'
import type { NodeLogs } from './node-logs.ts'

const platforms = new Map<string, Promise<Platform>>()

/** One platform for each cluster, however often it is asked for. */
export function openPlatform(platform: PlanPlatform): Promise<Platform> {
  const key = JSON.stringify(platform)
  const known = platforms.get(key)
  if (known !== undefined) return known
  const opened = makePlatform(platform)
  platforms.set(key, opened)
  return opened
}

async function makePlatform(platform: PlanPlatform): Promise<Platform> {
  switch (platform.kind) {
    case 'local': {
      const { localPlatform } = await import('./adapters/platforms/local/platform.ts')
      const router = await routerKind(platform)
      return localPlatform({ cluster: platform.cluster, ...(router === null ? {} : { router }) })
    }
  }
}

/** What a platform's answers rest on, and one of them asked anew. */
export interface Grounds {
  /** Of `live`; null: nobody can say now. */
  readonly live: (environment: string, component: string) => Promise<LiveGrounds | null>
  readonly fact: Platform['live']
  /** Of `digest`. `source` is absolute. */
  readonly source: (source: string) => readonly string[]
}

export async function openGrounds(platform: PlanPlatform): Promise<Grounds> {
  switch (platform.kind) {
    case 'local': {
      const [{ groundsOfLive, groundsOfSource }, { localHome }, { live: fact }] = await Promise.all([
        import('./adapters/platforms/local/grounds.ts'),
        import('./adapters/platforms/local/home.ts'),
        openPlatform({ kind: platform.kind, cluster: platform.cluster }),
      ])
      const { cluster } = platform
      const home = localHome()
      const live: Grounds['live'] = (environment, component) =>
        groundsOfLive({ home, cluster, environment }, component)
      return { live, fact, source: groundsOfSource }
    }
  }
}

/** null: the platform's own. */
async function routerKind({ router }: PlanPlatform): Promise<RouterKind | null> {
  const kinds = router === undefined ? [] : await routerKinds()
  return kinds.find(({ kind }) => kind === router?.kind) ?? null
}

/** Every kind of router that an environment of this machine may have. */
export async function routerKinds(): Promise<readonly RouterKind[]> {
  const [{ gatewayKind }, { haproxyKind }] = await Promise.all([
    import('./adapters/platforms/local/gateway-router.ts'),
    import('./adapters/routers/haproxy/haproxy.ts'),
  ])
  return [gatewayKind, haproxyKind]
}

export async function openSignatures(plan: Plan): Promise<Signatures> {
  const { sshSignatures } = await import('./adapters/signatures/ssh-signatures.ts')
  return sshSignatures(plan.approvers)
}

export interface WorldOptions {
  readonly plan: Plan
  readonly definition: ReleaseModel
  readonly folder: RunFolder
  /** The project's folder, absolute. */
  readonly root: string
  readonly logs: NodeLogs
  /** Fencing tokens by `environment/component`. */
  readonly fences: ReadonlyMap<string, number>
  readonly env: NodeJS.ProcessEnv
}

/** Asked for once: each `import()` takes its time, also of what is there. */
let shells: Promise<typeof import('./adapters/commands/step-shell.ts')> | undefined

/** Everything that the nodes of one plan touch. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const { plan, folder, root } = options
  const [{ createSecrets }, { processCommands }, { performGate }, { sendNotification }] = await Promise.all([
    import('./adapters/secrets/secrets.ts'),
    import('./adapters/commands/commands.ts'),
    import('./adapters/gates/gates.ts'),
    import('./adapters/notifiers/notifiers.ts'),
  ])
  const environments = new Map<string, Platform>()
  for (const { name, platform } of plan.environments) environments.set(name, await openPlatform(platform))
  const secrets = createSecrets(plan.secrets, { root, env: options.env })
  const children = { dir: join(folder.path, 'children'), run: folder.id }
  const env = await commandEnvironment(plan, environments)
  const commands = processCommands({ root, env, secrets, children })
  const { steps, checks } = functionsOf(options.definition)
  const log: World['log'] = node => options.logs.of(node)
  return {
    now: Date.now,
    run: folder.id,
    root,
    platform: environment => environments.get(environment)!,
    fence: (environment, component) => options.fences.get(`${environment}/${component}`) ?? 0,
    secrets,
    metrics: lazyMetrics({
      platform: environment => environments.get(environment)!,
      secrets,
      commands,
      now: Date.now,
    }),
    log,
    steps,
    checks,
    shell: async ({ key, signal, log: { chunk } }) => {
      shells ??= import('./adapters/commands/step-shell.ts')
      const { stepShell } = await shells
      return stepShell({ root, env, secrets, signal, write: chunk, node: key, children })
    },
    gate: request =>
      performGate(request.check, {
        commands,
        signal: request.signal,
        write: request.log.chunk,
        node: request.key,
        root,
        run: request.run,
        gateway: environment => environments.get(environment)!.gateway(environment),
      }),
    notify: request => sendNotification(request, { secrets, plan, run: folder.id }),
  }
}

/** Loaded when the first meter is opened: most runs measure nothing. */
const lazyMetrics = (options: MetricsOptions): Metrics => ({
  open: async (request, signal) => {
    const { createMetrics } = await import('./adapters/metrics/metrics.ts')
    return createMetrics(options).open(request, signal)
  },
})

/** What a definition's commands are told of the release: its version, its params, and where its environments answer. */
async function commandEnvironment(
  plan: Plan,
  environments: ReadonlyMap<string, Platform>,
): Promise<Readonly<Record<string, string | undefined>>> {
  // A command that itself calls `release` is not to die at the fault point that was meant for this one.
  const { name: release, version } = plan.release
  const env: Record<string, string | undefined> = {
    RELEASE_FAULT: undefined,
    RELEASE_VERSION: version,
    RELEASE_NAME: release,
  }
  for (const [name, value] of Object.entries(plan.params))
    env[`RELEASE_PARAM_${variable(name)}`] = String(value)
  for (const [name, platform] of environments) {
    env[`RELEASE_GATEWAY_${variable(name)}`] = await platform.gateway(name)
  }
  return env
}

const variable = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')

function functionsOf(definition: ReleaseModel): {
  readonly steps: ReadonlyMap<string, StepModel>
  readonly checks: ReadonlyMap<string, (context: RuntimeContext) => unknown>
} {
  const steps = new Map<string, StepModel>()
  const checks = new Map<string, (context: RuntimeContext) => unknown>()
  for (const item of definition.stages.flatMap(stage => flatten(stage.items))) {
    if (item.kind === 'step') steps.set(item.name, item)
    if (item.kind === 'gate' && typeof item.check === 'function') checks.set(item.name, item.check)
  }
  return { steps, checks }
}
