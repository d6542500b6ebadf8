/**
 * Which instances get a component's requests, and how these are divided among its sides.
 *
 * Invariants:
 *  R1. A change is on disk before it is acknowledged, and applied in one step.
 *  R2. A change with a fence below the component's highest is refused.
 *  R3. An instance that was taken out finishes what it is answering; its connections are closed after that.
 *      One that changes its side stays what it is, with its connections.
 *  R4. What has not a healthy instance on its side goes to the stable one.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { ALL_STABLE, type Side, type Traffic } from '../../../../../src/plan/plan.ts'
import type { Route, RouteChange, Routing } from '../../../../../src/run/ports.ts'
import { changedRouting, NO_ROUTING, readRoutings, writeRoutings } from '../../../loopback/kept-routing.ts'
import { type Decided, decideSide, isPlain } from './sides.ts'
import { Upstream } from './upstream.ts'

const CHECK_EJECTED_MS = 250
const CHECK_ALL_MS = 1_000

export type Changed = { readonly type: 'changed' } | { readonly type: 'fenced'; readonly fence: number }

interface Component {
  readonly routing: Routing
  readonly upstreams: readonly Upstream[]
  readonly bySide: Readonly<Record<Side, readonly Upstream[]>>
  /** Nothing has to be looked at: every request goes to the stable side. */
  readonly plain: boolean
}

const STABLE: Decided = { side: 'stable', given: false }

export class RouteTable {
  readonly #folder: string
  readonly #components = new Map<string, Component>()
  /** Taken out and still answering, by token. */
  readonly #leaving = new Map<string, Upstream>()
  #turn = 0
  #writing: Promise<unknown> = Promise.resolve()

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** The table as it was left, by a crash too. */
  static async open(folder: string): Promise<RouteTable> {
    const table = new RouteTable(folder)
    for (const [name, routing] of Object.entries(await readRoutings(folder)))
      table.#components.set(
        name,
        componentOf(
          routing,
          routing.routes.map(route => new Upstream(name, route)),
        ),
      )
    return table
  }

  knows(component: string): boolean {
    return this.#components.has(component)
  }

  /** What it does with a component's requests. */
  routing(component: string): Routing {
    return this.#components.get(component)?.routing ?? NO_ROUTING
  }

  traffic(component: string): Traffic {
    return this.#components.get(component)?.routing.traffic ?? ALL_STABLE
  }

  traffics(): readonly (readonly [string, Traffic])[] {
    return [...this.#components].map(([name, { routing }]) => [name, routing.traffic])
  }

  all(): readonly Upstream[] {
    return [...this.#components.values()].flatMap(component => component.upstreams)
  }

  /** Those that answer something, routed or leaving. */
  answering(): readonly Upstream[] {
    return [...this.all(), ...this.#leaving.values()]
  }

  /** The side of a request: see sides.ts. */
  decide(component: string, headers: IncomingHttpHeaders): Decided {
    const known = this.#components.get(component)
    if (known === undefined || known.plain) return STABLE
    const { bySide, routing } = known
    return decideSide({
      traffic: routing.traffic,
      headers,
      has: side => bySide[side].some(isUp),
      draw: () => Math.random() * 100,
    })
  }

  /**
   * The instance for the next attempt: of the side, one that is up and was not tried, with the least in flight, in
   * turns. Where the side has none left, one of the stable side; and where all of that are ejected, one of those: to
   * fail for certain is worse than to try.
   */
  choose(component: string, side: Side, tried: ReadonlySet<Upstream>): Upstream | null {
    const bySide = this.#components.get(component)?.bySide
    if (bySide === undefined) return null
    const beside =
      side === 'stable'
        ? null
        : best(
            bySide[side].filter(each => each.up && !tried.has(each)),
            tried,
          )
    return this.#begin(beside ?? best(bySide.stable, tried))
  }

  /** An instance of the canary for the copy of a request; null: none is up. */
  chooseMirror(component: string): Upstream | null {
    const canary = this.#components.get(component)?.bySide.canary ?? []
    return this.#begin(best(canary.filter(isUp), new Set()))
  }

  /** The same instance once more. */
  again(upstream: Upstream): Upstream | null {
    return this.#begin(upstream)
  }

  #begin(chosen: Upstream | null): Upstream | null {
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
    const { component } = change
    const before = this.#components.get(component)
    const routing = changedRouting(before?.routing ?? NO_ROUTING, change)
    if (routing === null) return { type: 'fenced', fence: before?.routing.fence ?? 0 }
    await this.#save(component, routing)
    const known = before?.upstreams ?? []
    const upstreams = routing.routes.map(route => this.#upstreamFor(component, route, known))
    this.#components.set(component, componentOf(routing, upstreams))
    for (const upstream of known) if (!upstreams.includes(upstream)) this.#leave(upstream)
    return { type: 'changed' }
  }

  #save(component: string, routing: Routing): Promise<void> {
    const now = [...this.#components].map(([name, known]): [string, Routing] => [name, known.routing])
    return writeRoutings(this.#folder, { ...Object.fromEntries(now), [component]: routing })
  }

  #upstreamFor(component: string, route: Route, before: readonly Upstream[]): Upstream {
    const { instance } = route
    const known = before.find(upstream => upstream.route.instance === instance) ?? this.#leaving.get(instance)
    if (known === undefined) return new Upstream(component, route)
    this.#leaving.delete(instance)
    known.move(route)
    return known
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
    setInterval(checkAll(isUp), CHECK_ALL_MS)
  }
}

/** Longest time that the connections of an instance that was taken out are kept. */
const LEAVE_MS = 10 * 60_000

const isUp = (upstream: Upstream): boolean => upstream.up

const componentOf = (routing: Routing, upstreams: readonly Upstream[]): Component => {
  const of = (side: Side) => upstreams.filter(({ route }) => route.side === side)
  return {
    routing,
    upstreams,
    bySide: { stable: of('stable'), canary: of('canary'), baseline: of('baseline') },
    plain: isPlain(routing.traffic),
  }
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
