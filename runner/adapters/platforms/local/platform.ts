/**
 * The platform `local`: components run as processes on this machine, behind a router an environment.
 *
 * Role: composes store, locks, instances and routers to the port {@link Platform}.
 * An instance that dies stays dead until the next `converge`: this is no supervisor. Its router sends nothing
 * to it meanwhile.
 *
 * Boundary: the only module of this folder that the composition root needs; status and source lie beside it.
 */
import { ReleaseError } from '../../../../src/errors.ts'
import { canonicalJson } from '../../../../src/plan/canonical.ts'
import type { LiveFact, Traffic } from '../../../../src/plan/plan.ts'
import type {
  Acquired,
  Holder,
  Instance,
  Observed,
  Platform,
  PlatformContext,
  Routing,
  Usage,
} from '../../../../src/run/ports.ts'
import { byPlace, type RouterKind, readRouting } from '../../loopback/kept-routing.ts'
import { usageOfGroups } from '../../loopback/process-usage.ts'
import { acquireLock, assertFence, holderOf, type Ownership } from './component-lock.ts'
import { convergeSlots } from './converge.ts'
import { gatewayKind } from './gateway-router.ts'
import { localHome, routerFolder } from './home.ts'
import { cancelled, isHealthy, isRunning } from './instance.ts'
import { type InstanceRecord, readRecords } from './instance-records.ts'
import { promoteCanary } from './promote.ts'
import { recoveriesOf } from './recoveries.ts'
import { placed } from './settled-records.ts'
import { openStore } from './store.ts'
import {
  type FaultPoint,
  openedOnce,
  placeOf,
  type Settings,
  type Site,
  settingsFrom,
  siteOf,
  type World,
} from './world.ts'

export interface LocalOptions {
  /** Definitions that name the same cluster share its environments. */
  readonly cluster: string
  /** Where everything is kept; left out: see {@link localHome}. */
  readonly home?: string
  /** What stands before each environment; left out: the local platform's own gateway. */
  readonly router?: RouterKind
  readonly settings?: Partial<Settings>
  /** Called at each {@link FaultPoint}; for tests that end the process there. */
  readonly reached?: (point: FaultPoint) => void
}

export interface LocalPlatform extends Platform {
  readonly kind: 'local'
  /** Who owns a component, or owned it last; null: nobody ever did. */
  holderOf(environment: string, component: string): Promise<Ownership | null>
}

/** The local platform of one cluster. */
export const localPlatform = (options: LocalOptions): LocalPlatform => {
  const world = worldOf(options)
  const { home, cluster, store } = world
  const place = (environment: string, component: string) => ({ home, cluster, environment, component })
  const own = new OwnLocks()
  return {
    kind: 'local',
    digest: store.digest,
    keep: store.keep,
    kept: store.kept,
    observe: (environment, component) => observe(siteOf(world, environment, component)),
    live: (environment, component) => live(siteOf(world, environment, component)),
    async converge(desired, context) {
      const site = siteOf(world, desired.environment, desired.component)
      await convergeSlots(site, desired, context)
      return observe(site)
    },
    lock: (environment, component, holder) =>
      own.acquire(`${environment}\0${component}`, holder, () =>
        acquireLock(place(environment, component), holder),
      ),
    holderOf: (environment, component) => holderOf(place(environment, component)),
    gateway: environment => siteOf(world, environment, '').router.address(),
    shift: (environment, component, traffic, context) =>
      shift(siteOf(world, environment, component), traffic, context),
    async promote(promotion, context) {
      const site = siteOf(world, promotion.environment, promotion.component)
      await promoteCanary(site, promotion, context)
      return observe(site)
    },
    counters: (environment, component) => siteOf(world, environment, component).router.counters(component),
    usage: (environment, component) => usage(siteOf(world, environment, component)),
    recoveries: recoveriesOf(world),
    async owner(environment, component) {
      const owner = await holderOf(place(environment, component))
      return owner?.state === 'held' ? owner.holder : null
    },
  }
}

const worldOf = (options: LocalOptions): World => {
  const home = options.home ?? localHome()
  return {
    home,
    cluster: options.cluster,
    store: openStore(home),
    router: openedOnce(options.router ?? gatewayKind),
    settings: { ...settingsFrom(process.env), ...options.settings },
    reached: options.reached ?? (() => undefined),
  }
}

const observe = async (site: Site): Promise<Observed> => {
  const records = await readRecords(site.folders.instances, site.component)
  const routing = await routingOf(site, records)
  const instances = await Promise.all(records.map(record => asInstance(placed(record, routing), routing)))
  return { instances: instances.sort(byPlace), traffic: routing.traffic }
}

/** Where nothing runs, no router is started to be asked: it would say what is kept. */
const routingOf = (site: Site, records: readonly InstanceRecord[]): Promise<Routing> =>
  records.length > 0
    ? site.router.routing(site.component)
    : readRouting(routerFolder(site.folders, site.router.kind), site.component)

const asInstance = async (record: InstanceRecord, { routes }: Routing): Promise<Instance> => ({
  side: record.side,
  slot: record.slot,
  revision: record.revision,
  running: isRunning(record),
  healthy: await isHealthy(record),
  routed: routes.some(({ instance }) => instance === record.token),
  pid: record.process?.pid ?? 0,
  address: `http://127.0.0.1:${record.port}`,
})

/** What runs on the stable side. */
const live = async (site: Site): Promise<LiveFact | null> => {
  const records = await readRecords(site.folders.instances, site.component)
  const stable = records.filter(record => record.side === 'stable' && isRunning(record))
  const facts = stable.map(({ revision }) => revision)
  const [first] = facts
  if (first === undefined) return null
  const same = facts.every(({ version, digest }) => version === first.version && digest === first.digest)
  return same ? { version: first.version, digest: first.digest } : null
}

const shift = async (site: Site, traffic: Traffic, context: PlatformContext): Promise<Traffic> => {
  await assertFence(placeOf(site), context.fence)
  if (context.signal.aborted) throw cancelled(site)
  site.world.reached('routing')
  const { component } = site
  await site.router.change({ component, fence: context.fence, add: [], remove: [], traffic })
  site.world.reached('routed')
  const now = (await site.router.routing(component)).traffic
  if (canonicalJson(now) === canonicalJson(traffic)) return now
  throw new ReleaseError(
    'traffic-not-as-asked',
    `The router of ${site.environment} was told to divide the requests of ${component} as ${canonicalJson(traffic)}, and divides them as ${canonicalJson(now)}.`,
    {
      hint: 'Somebody else changed it at the same time, or the router cannot do it: look at its log, then resume.',
    },
  )
}

const usage = async (site: Site): Promise<readonly Usage[]> => {
  const records = await readRecords(site.folders.instances, site.component)
  const running = records.filter(isRunning)
  const groups = usageOfGroups(new Set(running.map(record => record.process!.pid)))
  return running.flatMap(({ side, slot, revision, process }) => {
    const used = groups.get(process!.pid)
    return used === undefined ? [] : [{ side, slot, version: revision.version, ...used }]
  })
}

/** Locks that this process holds for a run: asked for again, they are shared, and released with the last share. */
class OwnLocks {
  readonly #held = new Map<
    string,
    { run: string; fence: number; shares: number; release: () => Promise<void> }
  >()

  #last: Promise<unknown> = Promise.resolve()

  /** One at a time, so that two requests of one run do not stand in each other's way. */
  acquire(key: string, holder: Holder, take: () => Promise<Acquired>): Promise<Acquired> {
    const acquired = this.#last.then(() => this.#acquire(key, holder, take))
    this.#last = acquired.catch(() => undefined)
    return acquired
  }

  async #acquire(key: string, holder: Holder, take: () => Promise<Acquired>): Promise<Acquired> {
    const known = this.#held.get(key)
    if (known?.run === holder.run) {
      known.shares += 1
      return { type: 'acquired', fence: known.fence, release: this.#share(key) }
    }
    const acquired = await take()
    if (acquired.type === 'held') return acquired
    const { fence, release } = acquired
    this.#held.set(key, { run: holder.run, fence, shares: 1, release })
    return { ...acquired, release: this.#share(key) }
  }

  /** Releasing one share twice counts once. */
  #share(key: string): () => Promise<void> {
    let released = false
    return async () => {
      const held = this.#held.get(key)
      if (released || held === undefined) return
      released = true
      held.shares -= 1
      if (held.shares > 0) return
      this.#held.delete(key)
      await held.release()
    }
  }
}
