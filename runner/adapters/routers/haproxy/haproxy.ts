/**
 * HAProxy as an environment's router: one process in one folder, steered through its runtime API.
 *
 * A change is written to `routes.json` first, then HAProxy is brought to it, then read back. Whoever asks next finds a
 * change that was cut off between the two, and finishes it. Only a component that HAProxy does not know yet needs a
 * reload: its configuration is rendered anew from the routes, so that nothing has to be carried over but what is
 * counted and who is ill.
 *
 * Invariants:
 *  1. Whoever writes routes holds their file, and whoever steers HAProxy holds the folder (exclusive.ts): all runners of
 *     this machine come in turn. What is steered to is read while the folder is held, and so is the newest.
 *  2. What is asked of an HAProxy that dies meanwhile is asked again of the one that takes its place.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { ReleaseError } from '../../../../src/errors.ts'
import { ROUTER_CAPABILITIES } from '../../../../src/plan/plan.ts'
import type { Counters, RouteChange, Router, Routing } from '../../../../src/run/ports.ts'
import { fenced } from '../../loopback/fenced.ts'
import {
  changedRouting,
  NO_ROUTING,
  type RouterKind,
  type RouterState,
  readRoutings,
  routerFiles,
  writeRoutings,
} from '../../loopback/kept-routing.ts'
import { countersOf, keepCounts } from './counts.ts'
import { exclusively } from './exclusive.ts'
import { ADMIN_SOCKET, expectName } from './files.ts'
import { type LiveServer, readLive } from './live.ts'
import { endRouter, ensureRunning, type Place, reload } from './process.ts'
import { converse, type Session, Unreachable } from './session.ts'
import { setHealth, steer, takeAway } from './steer.ts'
import { readWorkers, type Worker } from './workers.ts'

export interface HaproxyOptions {
  /** Absolute; all that is kept lies there. Made when HAProxy is first started. */
  readonly folder: string
  /** For messages. */
  readonly environment?: string
  /** A name that is looked for in PATH and in the usual places, or a path. */
  readonly program?: string
}

const TRIES = 5
const DRAIN_STEP_MS = 20

/** HAProxy in this folder; nothing is started before something is asked of it. */
export const haproxyRouter = ({
  folder,
  environment = folder,
  program = 'haproxy',
}: HaproxyOptions): Router => new HaproxyRouter({ folder, program }, environment)

/** How an environment gets one. */
export const haproxyKind: RouterKind = {
  kind: 'haproxy',
  open: ({ environment, folder }) => haproxyRouter({ environment, folder }),
}

class HaproxyRouter implements Router {
  readonly kind = 'haproxy'
  readonly capabilities = ROUTER_CAPABILITIES.haproxy
  readonly #place: Place
  readonly #environment: string

  constructor(place: Place, environment: string) {
    this.#place = place
    this.#environment = environment
  }

  async address(): Promise<string> {
    const state = await this.#held(state => Promise.resolve(state))
    return `http://127.0.0.1:${state.port}`
  }

  async routing(component: string): Promise<Routing> {
    const routings = await readRoutings(this.#place.folder)
    if (routings[component] === undefined) return NO_ROUTING
    return this.#held(async state => {
      await this.#settle(state, component)
      return this.#talk(async session => (await readLive(session, component)).routing)
    })
  }

  async change(change: RouteChange): Promise<void> {
    expectName(change.component)
    for (const route of change.add) expectName(route.instance)
    expectPossible(change)
    // Kept before HAProxy's turn comes: components that are new at the same time then share one reload.
    await exclusively(routerFiles(this.#place.folder).routes, () => this.#write(change))
    await this.#held(state => this.#settle(state, change.component))
  }

  async drain(instance: string, within: number): Promise<number> {
    const end = performance.now() + within
    for (;;) {
      const left = await this.#held(() => this.#leaving(instance))
      if (left === 0) await this.#held(state => this.#forget(state, instance))
      if (left === 0 || performance.now() >= end) return left
      await pause(DRAIN_STEP_MS)
    }
  }

  counters(component: string): Promise<readonly Counters[]> {
    const { folder } = this.#place
    return this.#held(async ({ process }) => {
      const workers = await readWorkers(folder)
      // What a worker of before a reload has counted is kept while it can still be asked.
      if (workers.some(({ takes }) => !takes)) await keepCounts(folder, process, workers)
      return countersOf(folder, process, { component, workers })
    })
  }

  stop(): Promise<void> {
    return exclusively(this.#place.folder, () => endRouter(this.#place.folder))
  }

  /** With the folder held and HAProxy running; again, where it dies meanwhile. */
  #held<T>(work: (state: RouterState) => Promise<T>): Promise<T> {
    return exclusively(this.#place.folder, async () => {
      for (let tries = 1; ; tries += 1) {
        const state = await ensureRunning(this.#place)
        try {
          return await work(state)
        } catch (error) {
          if (!(error instanceof Unreachable) || tries === TRIES) throw asFailure(error, this.#place)
        }
      }
    })
  }

  #talk<T>(talk: (session: Session) => Promise<T>): Promise<T> {
    return converse(this.#place.folder, ADMIN_SOCKET, talk)
  }

  /** The change is kept when it resolves. Fails with code `fenced`. */
  async #write(change: RouteChange): Promise<void> {
    const { folder } = this.#place
    const routings = await readRoutings(folder)
    const before = routings[change.component] ?? NO_ROUTING
    const after = changedRouting(before, change)
    if (after === null) {
      const { component, fence } = change
      throw fenced({ component, environment: this.#environment, fence, highest: before.fence })
    }
    await writeRoutings(folder, { ...routings, [change.component]: after })
  }

  /** HAProxy does what is kept. */
  async #settle(state: RouterState, component: string): Promise<void> {
    const wanted = (await readRoutings(this.#place.folder))[component]
    if (wanted === undefined) return
    const keep = () => this.#keepCounts(state)
    const bring = () => this.#talk(session => steer({ session, component, wanted, keepCounts: keep }))
    if (await bring()) return
    await this.#reload(state)
    if (await bring()) return
    throw new ReleaseError('router-failed', `HAProxy does not know ${component} although it was reloaded.`)
  }

  async #keepCounts({ process }: RouterState): Promise<void> {
    await keepCounts(this.#place.folder, process, await readWorkers(this.#place.folder))
  }

  async #reload(state: RouterState): Promise<void> {
    const ill = await this.#ill()
    await this.#keepCounts(state)
    await reload(this.#place, state)
    await this.#keepCounts(state)
    await this.#setHealth(ill)
  }

  /** Instances that are down: a new worker takes every server for well. */
  async #ill(): Promise<ReadonlySet<string>> {
    const down = (await this.#servers()).filter(server => server.down)
    return new Set(down.map(({ instance }) => instance))
  }

  async #setHealth(ill: ReadonlySet<string>): Promise<void> {
    const servers = await this.#servers()
    await this.#talk(async session => {
      for (const { name, instance, out } of servers)
        if (!out) await session.tell(setHealth(name, ill.has(instance) ? 'down' : 'up'))
    })
  }

  async #servers(): Promise<readonly LiveServer[]> {
    const components = Object.keys(await readRoutings(this.#place.folder))
    return this.#talk(async session => {
      const servers: LiveServer[] = []
      for (const component of components) servers.push(...(await readLive(session, component)).servers)
      return servers
    })
  }

  /** Requests that the instance still answers, where it was taken out. */
  async #leaving(instance: string): Promise<number> {
    const { folder } = this.#place
    const routed = Object.values(await readRoutings(folder)).flatMap(({ routes }) => routes)
    if (routed.some(route => route.instance === instance)) return 0
    return currentOf(await readWorkers(folder), instance)
  }

  /** Nothing more is asked of an instance that is about to end, not even for its health. */
  async #forget(state: RouterState, instance: string): Promise<void> {
    const routed = Object.values(await readRoutings(this.#place.folder)).flatMap(({ routes }) => routes)
    if (routed.some(route => route.instance === instance)) return
    const servers = (await this.#servers()).filter(server => server.instance === instance)
    await this.#talk(session => takeAway({ session, keepCounts: () => this.#keepCounts(state) }, servers))
  }
}

const currentOf = (workers: readonly Worker[], instance: string): number =>
  workers
    .flatMap(({ rows }) => rows)
    .filter(row => row.instance === instance)
    .reduce((sum, row) => sum + row.current, 0)

const expectPossible = ({ component, traffic }: RouteChange): void => {
  if (traffic === undefined || traffic.mirror === 0) return
  throw new ReleaseError(
    'router-cannot',
    `HAProxy cannot mirror requests, and ${traffic.mirror} % of those of ${component} were to be.`,
    { hint: "Use the platform's own gateway for this environment: leave `router: haproxy()` out." },
  )
}

const asFailure = (error: unknown, { folder }: Place): unknown =>
  error instanceof Unreachable
    ? new ReleaseError('router-failed', `HAProxy in ${folder} does not answer: ${error.message}.`, {
        cause: error,
        hint: `Its log lies in ${folder}.`,
      })
    : error
