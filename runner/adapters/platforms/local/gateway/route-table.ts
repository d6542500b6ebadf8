/**
 * Which instances get a component's requests.
 *
 * Invariants:
 *  R1. A change is on disk before it is acknowledged, and applied in one step.
 *  R2. A change with a fence below the component's highest is refused.
 *  R3. An instance that was taken out finishes what it is answering; its connections are closed after that.
 */
import { readState, replaceFile } from '../../../loopback/state-file.ts'
import type { ComponentRoutes, Route, RouteChange, RoutesFile } from './protocol.ts'
import { Upstream } from './upstream.ts'

const CHECK_EJECTED_MS = 250
const CHECK_ALL_MS = 1_000

export type Changed = { readonly type: 'changed' } | { readonly type: 'fenced'; readonly fence: number }

interface Component {
  fence: number
  upstreams: Upstream[]
}

export class RouteTable {
  readonly #file: string
  readonly #components = new Map<string, Component>()
  /** Taken out and still answering, by token. */
  readonly #leaving = new Map<string, Upstream>()
  #turn = 0
  #writing: Promise<unknown> = Promise.resolve()

  private constructor(file: string) {
    this.#file = file
  }

  /** The table as it was left, by a crash too. */
  static async open(file: string): Promise<RouteTable> {
    const table = new RouteTable(file)
    const saved = await readState<RoutesFile>(file)
    for (const [name, { fence, routes }] of Object.entries(saved?.components ?? {}))
      table.#components.set(name, { fence, upstreams: routes.map(route => new Upstream(name, route)) })
    return table
  }

  knows(component: string): boolean {
    return this.#components.has(component)
  }

  all(): readonly Upstream[] {
    return [...this.#components.values()].flatMap(component => component.upstreams)
  }

  /** Those that answer something, routed or leaving. */
  answering(): readonly Upstream[] {
    return [...this.all(), ...this.#leaving.values()]
  }

  toJSON(): RoutesFile {
    const entries = [...this.#components].map(([name, { fence, upstreams }]): [string, ComponentRoutes] => [
      name,
      { fence, routes: upstreams.map(upstream => upstream.route) },
    ])
    return { format: 1, components: Object.fromEntries(entries) }
  }

  /**
   * The instance for the next attempt: one that is up and was not tried, with the least in flight, in turns.
   * Where all are ejected, one of those: to fail for certain is worse than to try.
   */
  choose(component: string, tried: ReadonlySet<Upstream>): Upstream | null {
    const upstreams = this.#components.get(component)?.upstreams ?? []
    const chosen = best(upstreams, tried)
    this.#turn += 1
    chosen?.begin(this.#turn)
    return chosen
  }

  /** One change at a time. */
  change(change: RouteChange): Promise<Changed> {
    const done = this.#writing.then(() => this.#change(change))
    this.#writing = done.catch(() => undefined)
    return done
  }

  async #change(change: RouteChange): Promise<Changed> {
    const before = this.#components.get(change.component) ?? { fence: 0, upstreams: [] }
    if (change.fence < before.fence) return { type: 'fenced', fence: before.fence }
    const routes = changedRoutes(before.upstreams, change)
    await this.#save(change.component, { fence: change.fence, routes })
    const upstreams = routes.map(route => this.#upstreamFor(change.component, route, before.upstreams))
    this.#components.set(change.component, { fence: change.fence, upstreams })
    for (const upstream of before.upstreams) if (!upstreams.includes(upstream)) this.#leave(upstream)
    return { type: 'changed' }
  }

  #save(component: string, routes: ComponentRoutes): Promise<void> {
    const now = this.toJSON()
    const next: RoutesFile = { format: 1, components: { ...now.components, [component]: routes } }
    return replaceFile(this.#file, `${JSON.stringify(next, null, 2)}\n`)
  }

  #upstreamFor(component: string, route: Route, before: readonly Upstream[]): Upstream {
    const known = before.find(upstream => upstream.route.instance === route.instance)
    if (known) return known
    const leaving = this.#leaving.get(route.instance)
    if (!leaving) return new Upstream(component, route)
    this.#leaving.delete(route.instance)
    return leaving
  }

  #leave(upstream: Upstream): void {
    const { instance } = upstream.route
    this.#leaving.set(instance, upstream)
    void upstream.drained(LEAVE_MS).then(() => {
      // It may have been taken back in meanwhile.
      if (this.#leaving.get(instance) !== upstream) return undefined
      this.#leaving.delete(instance)
      return upstream.close()
    })
  }

  /** Waits until an instance that was taken out answers nothing more; says how much it still does. */
  async drain(instance: string, within: number): Promise<number> {
    return (await this.#leaving.get(instance)?.drained(within)) ?? 0
  }

  /** Asks the ejected often and the others seldom, for as long as the process lives. */
  watch(): void {
    const checkAll = (which: (upstream: Upstream) => boolean) => () => {
      for (const upstream of this.all()) if (which(upstream)) void upstream.check()
    }
    setInterval(
      checkAll(upstream => !upstream.up),
      CHECK_EJECTED_MS,
    )
    setInterval(
      checkAll(upstream => upstream.up),
      CHECK_ALL_MS,
    )
  }
}

/** Longest time that the connections of an instance that was taken out are kept. */
const LEAVE_MS = 10 * 60_000

const changedRoutes = (before: readonly Upstream[], change: RouteChange): readonly Route[] => {
  const added = new Set(change.add.map(route => route.instance))
  const stay = before
    .map(upstream => upstream.route)
    .filter(route => !added.has(route.instance) && !change.remove.includes(route.instance))
  return [...stay, ...change.add].sort((a, b) => a.slot - b.slot)
}

const best = (upstreams: readonly Upstream[], tried: ReadonlySet<Upstream>): Upstream | null => {
  const rank = (upstream: Upstream): number => (tried.has(upstream) ? 2 : 0) + (upstream.up ? 0 : 1)
  let chosen: Upstream | null = null
  for (const upstream of upstreams) if (chosen === null || isBetter(upstream, chosen, rank)) chosen = upstream
  return chosen
}

const isBetter = (a: Upstream, b: Upstream, rank: (upstream: Upstream) => number): boolean => {
  if (rank(a) !== rank(b)) return rank(a) < rank(b)
  if (a.inFlight !== b.inFlight) return a.inFlight < b.inFlight
  return a.turn < b.turn
}
