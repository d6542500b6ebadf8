/**
 * The ports of traffic: what divides requests, and where measurements come from.
 *
 * Role: contracts only; ports.ts holds the others. Each adapter passes the contract suite of its port in test/contract.
 */
import type { Measurement } from '../judge/measurement.ts'
import type {
  MeasureTarget,
  Millis,
  PlanMeasure,
  PlanProvider,
  RouterCapabilities,
  Side,
  Traffic,
} from '../plan/plan.ts'

/** An instance that requests may be sent to. */
export interface Route {
  /** The instance's token. */
  readonly instance: string
  readonly side: Side
  readonly slot: number
  readonly version: string
  /** On the loopback interface. */
  readonly port: number
  /** Path that is asked to find out whether it is well. */
  readonly health: string
}

/** One change of a component's routes and traffic, in one step: no request is sent between its halves. */
export interface RouteChange {
  readonly component: string
  readonly fence: number
  /** A token that is known already gets its new side and slot, and keeps its connections. */
  readonly add: readonly Route[]
  /** Tokens. They finish what they are answering. */
  readonly remove: readonly string[]
  /** Left out: as it is. */
  readonly traffic?: Traffic
}

export interface Routing {
  /** The highest fence that a change came with; 0 where there was none. */
  readonly fence: number
  readonly routes: readonly Route[]
  readonly traffic: Traffic
}

/**
 * What a router has counted for one version of a component on one side, since that router was started. Counters only
 * grow; one that is lower than before says that the router was started anew, and counts from 0.
 */
export interface Counters {
  readonly component: string
  readonly side: Side
  readonly version: string
  /** Requests answered, by an instance or by the router in its place, and those whose caller left before that. */
  readonly requests: number
  /** Of these: answered with a status of 500 or more, by an instance or by the router in its place, or unanswered. */
  readonly errors: number
  /**
   * Of the errors: those that no instance answered (no connection, broken, no answer in time), also where the caller
   * gave up: it left after a second or more without a byte of an answer. Who left sooner is no error.
   */
  readonly unanswered: number
  /**
   * Sum of the times from the whole request to its whole answer, or until its caller left without any, in seconds;
   * null where the router does not know.
   */
  readonly seconds: number | null
  /** Requests that took at most so many seconds, cumulative, in rising order of `le`; null where the router has no histogram. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[] | null
  /** Mirrored requests, and those of them whose answers differed from the one that the caller got. */
  readonly mirrored: number
  readonly mismatched: number
}

/**
 * What stands before the instances of one environment and divides requests among them.
 *
 * Contract:
 *  T1. A change is kept before it is acknowledged, and applied in one step; one with an older fence is refused with code `fenced`.
 *  T2. `routing` says what the router really does, read back from it, never what was last asked for; also after the router was killed or reloaded.
 *  T3. No request is lost by a change: an instance that is taken out finishes what it is answering.
 *  T4. A side without a healthy instance gets nothing, whatever its weight: its share goes to the stable side. Where that has
 *      none either, one of its instances is asked all the same: what seems ill may be busy, and there is nobody else.
 *  T5. Drawn requests fall on the sides within the binomial bounds of the weights.
 *  T6. With `traffic.carried`, the side that a request carries in {@link SIDE_HEADER} is obeyed where that side has an instance,
 *      and the side that was chosen is written into the request that the instance gets.
 *  T7. A router that was killed is started again by the next call with the routes and the traffic that it had.
 */
export interface Router {
  readonly kind: string
  readonly capabilities: RouterCapabilities
  /** Base address: components are asked as `<base>/<component>/<path>`. Starts the router where it does not run. */
  address(): Promise<string>
  routing(component: string): Promise<Routing>
  change(change: RouteChange): Promise<void>
  /** Waits until an instance that was taken out answers nothing more, for at most `within` ms; says how many requests it still answers. */
  drain(instance: string, within: Millis): Promise<number>
  counters(component: string): Promise<readonly Counters[]>
  /** Ends the router's process, if it runs; its routes stay kept. */
  stop(): Promise<void>
}

export interface MeterRequest {
  readonly measure: PlanMeasure
  readonly provider: PlanProvider
  readonly target: MeasureTarget
  /** How far apart the readings will be: the window of a query. */
  readonly interval: Millis
}

/** Reads one measure of one target, again and again. */
export interface Meter {
  /**
   * What was measured since the last reading, or since the meter was opened: no request counts twice. Never rejects but
   * for an abort: what could not be measured is a measurement with `error`, and no data is `null`, never 0.
   */
  read(signal: AbortSignal): Promise<Measurement>
}

/**
 * Where measurements come from.
 *
 * Contract:
 *  M1. No data is null: no request, an empty answer, NaN. It is never 0 and never the last value again.
 *  M2. A source that does not answer is an `error`, and so is one whose target it cannot reach (`up` is 0).
 *  M3. What was counted before the meter was opened does not count, and a counter that was set back counts from 0.
 */
export interface Metrics {
  open(request: MeterRequest, signal: AbortSignal): Promise<Meter>
}
