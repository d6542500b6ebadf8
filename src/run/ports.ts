/**
 * The ports: everything the engine and the nodes' effects ask of the world.
 *
 * Role: contracts only. Each adapter in runner/ passes the contract suite of its port in test/contract.
 * Boundary: data and functions; nothing here knows a node module, a file or a process.
 */
import type {
  EnvValue,
  LiveFact,
  Millis,
  PlanCommand,
  Revision,
  Sha256,
  Side,
  Traffic,
} from '../plan/plan.ts'
import type { RunEvent, Unstamped } from './events.ts'
import type { Recovery } from './recovery.ts'
import type { Scrubber } from './scrub.ts'
import type { Counters } from './traffic-ports.ts'

export type * from './recovery.ts'
export type * from './traffic-ports.ts'

// ── the durable ground ──────────────────────────────────────────────────────────────────────────

/** Handed to an effect while it runs. */
export interface EffectContext {
  /** Aborted when the effect is cancelled or its time limit is over. */
  readonly signal: AbortSignal
  /** Grows with every runner that takes a lock over; platforms refuse writes with an older one. */
  readonly fence: number
}

/**
 * What the engine stands on: it runs effects at most once per recorded outcome, keeps time, delivers
 * people's signals, and remembers. Three grounds implement it (embedded journal, simulator, distributed
 * engine); nothing in the engine knows which one it stands on.
 *
 * Contract:
 *  D1. `next()` is the only await. It yields what happened, one at a time, in the order it was recorded.
 *  D2. An event handed to `record`, and an effect's intent, are durable before any effect asked for later starts.
 *  D3. An effect's outcome is durable before `next()` yields it.
 *  D4. A key that has a recorded outcome is never performed again: `next()` yields the recorded one.
 *  D5. A call with a key that is still open is an error.
 */
export interface DurablePort {
  /** What was recorded before this runner attached, oldest first. */
  readonly history: readonly RunEvent[]
  /**
   * Records `intent` (null: a read that needs none), performs the effect, records the events it resolves to
   * (its outcome) and yields them. The effect never rejects: a failure is an outcome. An empty outcome leaves
   * the intent open, as a crash would.
   */
  run(
    key: string,
    intent: Unstamped | null,
    effect: (context: EffectContext) => Promise<readonly Unstamped[]>,
  ): void
  /** Yields `slept` at or after `until` (milliseconds since 1970). */
  sleep(key: string, until: number): void
  /** Yields `signal` each time a person's word for this key arrives, until cancelled. */
  awaitSignal(key: string): void
  /** Records facts that have no effect, in order. Stamped and yielded back as `recorded`, in order. */
  record(events: readonly Unstamped[]): void
  /**
   * Yields `now` with the time, read once and the same on replay; and only after every signal that had arrived
   * for an awaited key when it was asked, so that nobody leaves over a word that lies there unread.
   */
  now(key: string): void
  /** Aborts what the key runs, sleeps or awaits. An effect still yields its outcome; the others yield nothing. */
  cancel(key: string): void
  next(): Promise<Happened>
}

export type Happened =
  | { readonly type: 'completed'; readonly key: string; readonly events: readonly RunEvent[] }
  | { readonly type: 'recorded'; readonly events: readonly RunEvent[] }
  | { readonly type: 'slept'; readonly key: string }
  | { readonly type: 'signal'; readonly key: string; readonly signal: Signal }
  | { readonly type: 'now'; readonly key: string; readonly at: number }
  /** Another runner has taken this run over: stop at once and write nothing more. */
  | { readonly type: 'lease-lost'; readonly holder: Holder }

/** A person's word, as it arrives: not yet believed. */
export type Signal =
  | { readonly type: 'decision'; readonly decision: SignedDecision }
  | { readonly type: 'stop'; readonly by: 'interrupt' | 'cancel'; readonly who: string }
  /** The second Ctrl-C: what runs is to be stopped too. */
  | { readonly type: 'abort'; readonly who: string }

export interface SignedDecision {
  /** Canonical JSON of {@link Decision}: the text that was signed. */
  readonly statement: string
  /** Armoured SSH signature; null where the release has no approvers. */
  readonly signature: string | null
}

/** What a person says about an approval; bound to one run and one plan, so that it cannot be used elsewhere. */
export interface Decision {
  readonly format: 1
  readonly verdict: 'approve' | 'reject'
  readonly run: string
  readonly plan: Sha256
  /** The approval's node key. */
  readonly approval: string
  readonly person: string
  readonly role: string
  /** Why, for a rejection. */
  readonly reason: string
  /** Random, 128 bits, hexadecimal. */
  readonly nonce: string
  /** Milliseconds since 1970. */
  readonly at: number
}

// ── locks ───────────────────────────────────────────────────────────────────────────────────────

export interface Holder {
  readonly run: string
  readonly who: string
  readonly host: string
  readonly pid: number
  /** Where it runs from: a checkout's folder. */
  readonly cwd: string
  /** Milliseconds since 1970. */
  readonly since: number
}

export type Acquired =
  | {
      readonly type: 'acquired'
      readonly fence: number
      readonly release: () => Promise<void>
      /** Who had it last; left out: nobody, or nobody knows. */
      readonly before?: Holder
    }
  | { readonly type: 'held'; readonly holder: Holder }

// ── platforms ───────────────────────────────────────────────────────────────────────────────────

/** One instance as it really is. */
export interface Instance {
  readonly side: Side
  /** Its place on its side, from 0. */
  readonly slot: number
  readonly revision: Revision
  /** The process is there. */
  readonly running: boolean
  /** It answered its health check just now. */
  readonly healthy: boolean
  /** It gets traffic. */
  readonly routed: boolean
  readonly pid: number
  /** Loopback address: `http://127.0.0.1:40123`. */
  readonly address: string
}

export interface Observed {
  /** Stable ones first, then the canary's, then the baseline's; on each side in order of their slot. */
  readonly instances: readonly Instance[]
  /** How requests are divided, as the router itself says. */
  readonly traffic: Traffic
}

/** What should be. A platform brings it about and changes nothing where it is so already. */
export interface Desired {
  readonly environment: string
  readonly component: string
  readonly side: Side
  /** The slots of that side that are meant, `from` included to `to` excluded. */
  readonly from: number
  readonly to: number
  /** What they run; null: nothing, the instances are drained and stopped. */
  readonly revision: Revision | null
  /** How many of these may be without a healthy instance meanwhile. 0: each new one is healthy before its old one is drained. */
  readonly maxUnavailable: number
}

export interface PlatformContext extends EffectContext {
  /** Progress for people and the node's log, a line at a time. */
  readonly log: (line: string) => void
  /** Resolves a secret's value; only for handing to a process. */
  readonly secret: (name: string) => Promise<string>
}

/** The canary's instances become the stable ones: see {@link Platform.promote}. */
export interface Promotion {
  readonly environment: string
  readonly component: string
  /** What the canary runs, and every stable slot afterwards. */
  readonly revision: Revision
  readonly instances: number
}

/** What one instance's processes use, read from the system. */
export interface Usage {
  readonly side: Side
  readonly slot: number
  readonly version: string
  /** Processor time since its start, in seconds. */
  readonly cpuSeconds: number
  /** Resident memory, in bytes. */
  readonly memoryBytes: number
}

// ── where components run ────────────────────────────────────────────────────────────────────────

/**
 * Where components run.
 *
 * Contract:
 *  L1. `keep` stores a folder's files unchanged under their content hash; a kept digest stays usable when the folder has changed or gone.
 *  L2. `converge` is idempotent: what is so already is not touched (no restart of a healthy instance of the same revision).
 *  L3. `observe` reads what really runs, never what was last asked for.
 *  L4. Writes with a fence below the highest that the component's lock has given out are refused with code `fenced`.
 *  L5. With `maxUnavailable` 0, no request through the environment's gateway is lost by a `converge`.
 *  L6. A failed `converge` leaves the old instances serving wherever they still did.
 *  L7. Instances of a side other than the stable one get no request before a `shift` says so; `converge` to null on such
 *      a side ends them without losing a request. No request is lost by a `shift` or a `promote`.
 */
export interface Platform {
  readonly kind: string
  /** The content hash of a folder, without keeping it. `source` is absolute. */
  digest(source: string): Promise<Sha256>
  /** Keeps the folder's files. Fails with code `source-changed` where they no longer have the digest. */
  keep(source: string, digest: Sha256): Promise<void>
  /** Whether these files are kept. */
  kept(digest: Sha256): Promise<boolean>
  observe(environment: string, component: string): Promise<Observed>
  /** What runs, in short; null: nothing does, or not one and the same revision. */
  live(environment: string, component: string): Promise<LiveFact | null>
  converge(desired: Desired, context: PlatformContext): Promise<Observed>
  /** One run owns a component in an environment. A dead holder's lock is taken over; the fence then grows. */
  lock(environment: string, component: string, holder: Holder): Promise<Acquired>
  /** Base address through which the environment's components are asked: `<base>/<component>/<path>`. */
  gateway(environment: string): Promise<string>
  /**
   * Divides the component's requests, reads back what the router then does, and returns it. Fails with code
   * `traffic-not-as-asked` where that is something else.
   */
  shift(environment: string, component: string, traffic: Traffic, context: PlatformContext): Promise<Traffic>
  /**
   * Gives the stable slots to the canary's instances, without a restart, in one step at the router; then drains and ends
   * what was stable, and what is left of the canary. Idempotent; fails with `promote-too-few` where the canary has not
   * as many healthy instances.
   */
  promote(promotion: Promotion, context: PlatformContext): Promise<Observed>
  counters(environment: string, component: string): Promise<readonly Counters[]>
  usage(environment: string, component: string): Promise<readonly Usage[]>
  /** What it can do about a component that is not as it should be; left out: nothing but `converge`. */
  readonly recoveries?: readonly Recovery[]
  /** Who holds the component's lock now, without taking it; null: it is free. Left out: that cannot be told. */
  owner?(environment: string, component: string): Promise<Holder | null>
}

// ── commands, secrets, people, messages ─────────────────────────────────────────────────────────

export interface CommandResult {
  readonly exitCode: number | null
  readonly signal: string | null
  /** What it printed, last 64 KiB, secrets scrubbed. */
  readonly output: string
  readonly duration: Millis
}

export interface CommandContext {
  readonly signal: AbortSignal
  /** Everything the command prints, scrubbed, as it comes. */
  readonly write: (chunk: string) => void
  readonly env?: Readonly<Record<string, string>>
  /** The node that it belongs to: by it, what a crashed runner left behind is found and ended. */
  readonly node?: string
}

/** Runs a command to its end, in a process group of its own that is ended with it. */
export interface Commands {
  run(command: PlanCommand, context: CommandContext): Promise<CommandResult>
}

export interface Secrets {
  /** The value. Fails with code `secret-missing`. Once read, it is scrubbed from all output. */
  read(name: string): Promise<string>
  resolve(value: EnvValue): Promise<string>
  /** Replaces every secret read so far by `[secret NAME]`. */
  scrub(text: string): string
}

/** Secrets whose values can also be taken out of text that comes in pieces. */
export interface ScrubbingSecrets extends Secrets {
  /** A value that is split between two pieces is found as well. */
  scrubber(): Scrubber
}

export type Verified =
  | { readonly ok: true; readonly person: string; readonly key: string | null }
  | { readonly ok: false; readonly reason: string }

/** Checks signatures against the plan's approvers. */
export interface Signatures {
  verify(decision: SignedDecision, claimed: Decision): Promise<Verified>
}
