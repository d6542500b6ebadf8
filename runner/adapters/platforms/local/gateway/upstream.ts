/**
 * One instance as the gateway sees it: its connections, what it is answering, whether it is well.
 *
 *     up ──connection failure, or three failed checks──▶ ejected ──a check passes──▶ up
 *
 * Invariants:
 *  U1. A request that may not be sent twice never goes over a connection that was used before: an instance
 *      may close such a connection at the very moment, and nobody could tell whether it had read the request.
 *  U2. `inFlight` counts from the choice of the instance to the last byte of its answer.
 */
import { Pool } from 'undici'
import type { Route } from '../../../../../src/run/ports.ts'
import { ask, isOk } from '../../../loopback/ask.ts'
import type { Labels } from './metrics.ts'

const CONNECT_MS = 1_000
const HEADERS_MS = 60_000
const CHECK_MS = 2_000
const FAILED_CHECKS = 3

export class Upstream {
  readonly component: string
  #route: Route
  #labels: Labels
  inFlight = 0
  /** Turn at which it was last chosen, for taking turns among equals. */
  turn = 0
  up = true
  #failedChecks = 0
  #checking = false
  readonly #kept: Pool
  readonly #fresh: Pool
  #idle: (() => void)[] = []

  constructor(component: string, route: Route) {
    this.component = component
    this.#route = route
    this.#labels = labelsOf(component, route)
    const origin = `http://127.0.0.1:${route.port}`
    const options = { connect: { timeout: CONNECT_MS }, headersTimeout: HEADERS_MS, bodyTimeout: HEADERS_MS }
    this.#kept = new Pool(origin, { ...options, pipelining: 1 })
    this.#fresh = new Pool(origin, { ...options, pipelining: 0 })
  }

  get route(): Route {
    return this.#route
  }

  /** The same object as long as the route is the same. */
  get labels(): Labels {
    return this.#labels
  }

  /** Gives it another side and slot. Its process, and so its port, stay what they are. */
  move(route: Route): void {
    if (route.side === this.#route.side && route.slot === this.#route.slot) return
    this.#route = route
    this.#labels = labelsOf(this.component, route)
  }

  pool(connection: 'kept' | 'fresh'): Pool {
    return connection === 'kept' ? this.#kept : this.#fresh
  }

  begin(turn: number): void {
    this.inFlight += 1
    this.turn = turn
  }

  end(): void {
    this.inFlight -= 1
    if (this.inFlight > 0) return
    const waiting = this.#idle
    this.#idle = []
    for (const notify of waiting) notify()
  }

  /** Resolves when nothing is in flight, or after `within` milliseconds; says what still is. */
  async drained(within: number): Promise<number> {
    if (this.inFlight === 0) return 0
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, within)
      this.#idle.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    return this.inFlight
  }

  /** Takes it out of the choice at once and asks it whether it is really gone. */
  eject(): void {
    this.up = false
    this.#failedChecks = FAILED_CHECKS
    void this.check()
  }

  async check(): Promise<void> {
    if (this.#checking) return
    this.#checking = true
    const well = await ask({ port: this.route.port, path: this.route.health, timeout: CHECK_MS }).then(
      answer => isOk(answer.status),
      () => false,
    )
    this.#checking = false
    this.#failedChecks = well ? 0 : this.#failedChecks + 1
    this.up = this.#failedChecks < FAILED_CHECKS
  }

  async close(): Promise<void> {
    await Promise.all([this.#kept.destroy(), this.#fresh.destroy()])
  }
}

const labelsOf = (component: string, { side, version, slot }: Route): Labels => ({
  component,
  side,
  version,
  slot: String(slot),
})
