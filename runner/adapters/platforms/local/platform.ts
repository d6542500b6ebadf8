/**
 * The platform `local`: components run as processes on this machine, behind a gateway an environment.
 *
 * Role: composes store, locks, instances and gateway to the port {@link Platform}.
 * An instance that dies stays dead until the next `converge`: this is no supervisor. Its gateway sends nothing
 * to it meanwhile.
 *
 * Boundary: the only module of this folder that the composition root needs; status and source lie beside it.
 */
import type { LiveFact } from '../../../../src/plan/plan.ts'
import type { Acquired, Holder, Instance, Observed, Platform } from '../../../../src/run/ports.ts'
import { acquireLock, holderOf, type Ownership } from './component-lock.ts'
import { convergeSlots } from './converge.ts'
import { ensureGateway, routedInstances } from './gateway-client.ts'
import { localHome } from './home.ts'
import { isHealthy, isRunning } from './instance.ts'
import { type InstanceRecord, readRecords } from './instance-records.ts'
import { openStore } from './store.ts'
import { type FaultPoint, type Settings, type Site, settingsFrom, siteOf, type World } from './world.ts'

export interface LocalOptions {
  /** Definitions that name the same cluster share its environments. */
  readonly cluster: string
  /** Where everything is kept; left out: see {@link localHome}. */
  readonly home?: string
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
    async gateway(environment) {
      const { port } = await ensureGateway(siteOf(world, environment, '').folders.gateway)
      return `http://127.0.0.1:${port}`
    },
  }
}

const worldOf = (options: LocalOptions): World => {
  const home = options.home ?? localHome()
  return {
    home,
    cluster: options.cluster,
    store: openStore(home),
    settings: { ...settingsFrom(process.env), ...options.settings },
    reached: options.reached ?? (() => undefined),
  }
}

const observe = async (site: Site): Promise<Observed> => {
  const records = await readRecords(site.folders.instances, site.component)
  const routed = await routedInstances(site.folders.gateway, site.component)
  return { instances: await Promise.all(records.map(record => asInstance(record, routed))) }
}

const asInstance = async (record: InstanceRecord, routed: ReadonlySet<string>): Promise<Instance> => ({
  slot: record.slot,
  revision: record.revision,
  running: isRunning(record),
  healthy: await isHealthy(record),
  routed: routed.has(record.token),
  pid: record.process?.pid ?? 0,
  address: `http://127.0.0.1:${record.port}`,
})

const live = async (site: Site): Promise<LiveFact | null> => {
  const records = await readRecords(site.folders.instances, site.component)
  const facts = records.filter(isRunning).map(({ revision }) => revision)
  const [first] = facts
  if (first === undefined) return null
  const same = facts.every(({ version, digest }) => version === first.version && digest === first.digest)
  return same ? { version: first.version, digest: first.digest } : null
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
    return { type: 'acquired', fence, release: this.#share(key) }
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
