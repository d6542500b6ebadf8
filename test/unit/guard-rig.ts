/**
 * A guard over a release of `api` (three instances) and `web` (one), with a platform in memory, measurements that a test
 * writes, and time that jumps to what is waited for.
 */

import { recover } from '../../runner/engine/mend.ts'
import { type GuardActs, type GuardOutcome, runGuard } from '../../runner/guard/guard.ts'
import { foreignAt, tend } from '../../runner/guard/tending.ts'
import {
  allAtOnce,
  canary,
  environment,
  errorRate,
  local,
  release,
  service,
  trigger,
} from '../../src/index.ts'
import type { Measurement } from '../../src/judge/measurement.ts'
import { ALL_STABLE, type Plan, type Revision } from '../../src/plan/plan.ts'
import type { RunEvent, Unstamped } from '../../src/run/events.ts'
import { foldRun } from '../../src/run/fold.ts'
import type { GuardLine, GuardLineType } from '../../src/run/guard-record.ts'
import type { Holder, Instance, Platform } from '../../src/run/ports.ts'
import type { RunState } from '../../src/run/state.ts'
import { planOf } from './compile-rig.ts'

export const START = 1_000_000
const RUN = 'shop-3.0.0'
export const MINUTE = 60_000

const api = service('api', { critical: true, instances: 3 })
const web = service('web', { critical: true, needs: [api] })
const production = environment('production', { on: local() })

/** For ten minutes; more than 5 % in two of two minutes takes it back. */
export const guardedPlan = (): Plan =>
  planOf(
    release('shop', { version: '3.0.0', components: [api, web] })
      .stage('production', s => s.deploy([api, web], { to: production, with: allAtOnce() }))
      .guard({
        for: '10m',
        every: '30s',
        triggers: [trigger(errorRate().above('5%'), { period: '1m', breaches: 2 })],
        anomalies: false,
      }),
  )

/** A canary of `api` on its way. */
export const canariedPlan = (): Plan =>
  planOf(
    release('shop', { version: '3.0.0', components: [api] }).stage('production', s =>
      s.deploy([api], {
        to: production,
        with: canary({ steps: [25, 100], every: '1m', analysis: { metrics: [errorRate().below('5%')] } }),
      }),
    ),
    { live: { production: { api: { version: '2.0.0', digest: 'e'.repeat(64) } } } },
  )

const revisionOf = (plan: Plan, component: string): Revision =>
  plan.nodes.flatMap(({ component: name, operation }) =>
    name === component && operation.kind === 'verify' ? [operation.revision] : [],
  )[0]!

/** Every node has succeeded, up to the last of them that is told, where nothing ran before. */
export function succeededRun(plan: Plan, { end = true, upTo = '' } = {}): RunState {
  const last = plan.nodes.findIndex(({ key }) => key === upTo)
  const nodes = plan.nodes
    .slice(0, last === -1 ? undefined : last + 1)
    .flatMap(({ key, operation }): Unstamped[] => {
      const value = operation.kind === 'prepare' ? { before: [] } : null
      const ended = { node: key, attempt: 1, value, summary: null, warning: null, how: 'performed' } as const
      return [
        { type: 'node-started', node: key, attempt: 1 },
        { type: 'node-succeeded', ...ended },
      ]
    })
  const events: Unstamped[] = [
    {
      type: 'run-started',
      run: RUN,
      release: 'shop',
      version: '3.0.0',
      plan: plan.hash,
      bundle: '',
      who: 'ann',
      only: null,
    },
    ...nodes,
    ...(end ? [{ type: 'run-finished', outcome: 'succeeded', cause: null } as const] : []),
  ]
  return foldRun(
    plan,
    events.map(event => ({ ...event, at: START }) as RunEvent),
  )
}

export const another: Holder = {
  run: 'shop-4.0.0',
  who: 'bob',
  host: 'build-7',
  pid: 1,
  cwd: '/srv/shop',
  since: START,
}

export const right = (now: number): Measurement => ({ at: now, value: 0.01, requests: 1000 })
export const bad = (now: number): Measurement => ({ at: now, value: 0.4, requests: 1000 })
export const broken = (now: number): Measurement => ({ at: now, value: null, error: 'there was no answer' })

export interface Told {
  readonly outcome: GuardOutcome
  readonly lines: readonly GuardLine[]
  /** What was started again: `api 0`. */
  readonly restarted: readonly string[]
  readonly endedAt: number
}

export class GuardRig {
  readonly plan: Plan
  state: RunState
  /** By component. */
  readonly instances = new Map<string, Instance[]>()
  readonly restarted: string[] = []
  /** Who had each place before this run's lock. */
  before: ReadonlyMap<string, Holder> = new Map()
  /** Whether somebody else holds the places, by the time. */
  isHeld: (now: number) => boolean = () => false
  measured: (component: string, now: number) => Measurement = (_, now) => right(now)
  /** How often each component was measured. */
  readonly reads = new Map<string, number>()
  rollBack: GuardActs['rollBack'] = async () => true
  decideTraffic: GuardActs['decideTraffic'] = async () => {}
  cutOff: number | null = null
  duration: number | null = null
  /** What happens meanwhile, at the first wait that ends then or later. */
  readonly meanwhile: { readonly at: number; readonly happens: () => void }[] = []
  readonly stopped = new AbortController()
  now = START

  constructor(plan: Plan = guardedPlan()) {
    this.plan = plan
    this.state = succeededRun(plan)
    const counts =
      plan.guard === undefined
        ? []
        : ([
            ['api', 3],
            ['web', 1],
          ] as const)
    for (const [component, count] of counts)
      this.instances.set(
        component,
        Array.from({ length: count }, (_, slot) => this.instance(component, slot)),
      )
  }

  instance(component: string, slot: number, more: Partial<Revision> = {}): Instance {
    const revision = { ...revisionOf(this.plan, component), ...more }
    const well = { running: true, healthy: true, routed: true, pid: 7, address: '' }
    return { side: 'stable', slot, revision, ...well }
  }

  /** Another release replaces its first slots, and takes the rest away. */
  release(component: string, version: string, slots: number): void {
    const revision = version === '3.0.0' ? {} : { version, digest: 'f'.repeat(64) }
    this.instances.set(
      component,
      Array.from({ length: slots }, (_, slot) => this.instance(component, slot, revision)),
    )
  }

  dies(component: string, slot: number): void {
    const left = this.instances.get(component)!
    this.instances.set(
      component,
      left.map(one => (one.slot === slot ? { ...one, running: false, healthy: false } : one)),
    )
  }

  readonly #platform = {
    kind: 'memory',
    observe: async (_: string, component: string) => ({
      instances: this.instances.get(component)!,
      traffic: ALL_STABLE,
    }),
    recoveries: [
      {
        name: 'restart',
        isApplicable: () => true,
        apply: async problem => {
          const slot = 'slot' in problem ? problem.slot : -1
          const { component } = problem
          this.restarted.push(`${component} ${slot}`)
          const others = this.instances.get(component)!.filter(one => one.slot !== slot)
          this.instances.set(component, [...others, this.instance(component, slot)])
          return 'it is back'
        },
      },
    ],
  } satisfies Partial<Platform> as unknown as Platform

  /** What is done under the locks. */
  readonly recover: GuardActs['recover'] = async patients => {
    if (this.isHeld(this.now)) return null
    return tend(patients, {
      state: this.state,
      before: this.before,
      platform: () => this.#platform,
      mend: (problems, expected) =>
        recover(this.#platform, problems, {
          signal: this.stopped.signal,
          fence: 1,
          log: () => {},
          secret: async () => '',
          expected,
        }),
    })
  }

  async run(lines: GuardLine[] = []): Promise<Told> {
    const outcome = await runGuard({
      plan: this.plan,
      read: async () => this.state,
      holder: async () => null,
      observe: (environment, component) => this.#platform.observe(environment, component),
      metrics: {
        open: async ({ target: { component } }) => ({
          read: async () => {
            this.reads.set(component, (this.reads.get(component) ?? 0) + 1)
            return this.measured(component, this.now)
          },
        }),
      },
      acts: {
        rollBack: breach => this.rollBack(breach),
        decideTraffic: components => this.decideTraffic(components),
        recover: this.recover,
        foreign: target => foreignAt(this.state, target, () => this.#platform),
      },
      tell: async line => void lines.push(line),
      who: 'ann',
      now: () => this.now,
      until: async time => {
        this.now = Math.max(this.now, time)
        while (this.meanwhile.length > 0 && this.meanwhile[0]!.at <= this.now)
          this.meanwhile.shift()!.happens()
      },
      duration: this.duration,
      cutOff: async () => this.cutOff,
      signal: this.stopped.signal,
    })
    return { outcome, lines, restarted: this.restarted, endedAt: this.now }
  }
}

/** Lines of one type. */
export const linesOf = <Type extends GuardLineType>(
  { lines }: { readonly lines: readonly GuardLine[] },
  type: Type,
): readonly Extract<GuardLine, { type: Type }>[] =>
  lines.filter((line): line is Extract<GuardLine, { type: Type }> => line.type === type)

/** How it ended: `gone: …`. */
export const endOf = (told: { readonly lines: readonly GuardLine[] }): string =>
  linesOf(told, 'guard-ended')
    .map(({ outcome, reason }) => `${outcome}: ${reason}`)
    .join('\n')

export const hindrancesIn = (told: { readonly lines: readonly GuardLine[] }): readonly string[] =>
  linesOf(told, 'guard-hindered').map(({ about, reason }) => `${about}: ${reason}`)
