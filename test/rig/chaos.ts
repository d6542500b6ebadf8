/**
 * One canary release, and something that is killed in the middle of it.
 *
 * Role: brings a release to a moment, kills, sees to it that the run comes to its end, and says all that is not as it
 * has to be then. Boundary: what may be combined with what is the matrix's (chaos-matrix.ts).
 *
 *  1. Whatever was killed, the run ends: by itself, or where the runner was killed by `resume`, or by a guard where
 *     nobody resumes.
 *  2. Nothing is left undecided: all requests go to one version, the new one if the run succeeded and the old one if
 *     it failed; of the other, and beside the stable instances, no process is left.
 *  3. A request is lost only while there is no router, or no instance to answer it: an answer that was under way when
 *     the router was killed, and what is asked until a runner has started the router again, which is within its next look at it.
 *  4. The record is whole, and the report says what the run came to.
 *  5. No analysis passes that began when the source of its measurements was gone.
 */
import { recordedRouter } from '../../runner/adapters/loopback/kept-routing.ts'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { haproxyKind } from '../../runner/adapters/routers/haproxy/haproxy.ts'
import { listWorkers } from '../../runner/adapters/routers/haproxy/workers.ts'
import { canonicalJson } from '../../src/plan/canonical.ts'
import { ALL_STABLE } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { Instance } from '../../src/run/ports.ts'
import { type Call, type Callers, isLost, startCallers } from './callers.ts'
import { CLUSTER, canariedDefinition, canariedProject } from './canaried.ts'
import type { ChaosCase, RouterName } from './chaos-case.ts'
import { answerHere } from './here.ts'
import { killGroup, killOne } from './kill.ts'
import type { Exit, Running, TestProject } from './project.ts'
import { type PrometheusRig, prometheusOf } from './prometheus.ts'
import { until } from './wait.ts'

const ANALYSIS = `{ metrics: [errorRate({ minRequests: 8 }).below('5%'), availability({ minRequests: 8 }).atLeast('95%')], interval: '150ms', patience: '20s' }`
const STRATEGY = `canary({ steps: [50, 100], every: '500ms', analysis: ${ANALYSIS} })`
/** Prometheus asks once a second, and three times before it is asked. */
const SCRAPED_STRATEGY = STRATEGY.replace("interval: '150ms'", "interval: '500ms'")
const PER_SECOND = 60
/** Seconds that an arena is open at most: the whole matrix takes less, also on a busy machine. */
const LONGEST = 2 * 3600
/** A runner that lives looks at its router more often than this, and starts one within this on a busy machine. */
const LONGEST_OUTAGE_MS = 15_000

/** A project in which cases are played one after the other, each releasing the version that is not live. */
export interface Arena {
  play(kase: ChaosCase): Promise<Told>
  dispose(): Promise<void>
}

/** What a case came to; `amiss` is empty where all is as it has to be. */
export interface Told {
  readonly outcome: 'new' | 'old'
  readonly killed: number
  readonly calls: number
  readonly lost: number
  readonly amiss: readonly string[]
}

export async function openArena(router: RouterName): Promise<Arena> {
  const on = `local({ cluster: '${CLUSTER}'${router === 'haproxy' ? ', router: haproxy()' : ''} })`
  const project = await canariedProject({ strategy: 'allAtOnce()', platform: on })
  const { home } = project
  const platform = localPlatform({
    home,
    cluster: CLUSTER,
    ...(router === 'haproxy' ? { router: haproxyKind } : {}),
  })
  const base = await platform.gateway('production')
  const callers = startCallers(base, { perSecond: PER_SECOND, most: PER_SECOND * LONGEST })
  const arena = {
    project,
    platform,
    callers,
    base,
    on,
    folder: `${home}/clusters/${CLUSTER}/production/${router}`,
  }
  return {
    play: kase => new Play(arena, kase).run(),
    async dispose() {
      await callers.stop()
      await project.dispose()
    },
  }
}

interface Ground {
  readonly project: TestProject
  readonly platform: ReturnType<typeof localPlatform>
  readonly callers: Callers
  readonly base: string
  readonly on: string
  readonly folder: string
}

interface Blow {
  /** 0: the run had gone on past the moment before it was seen. */
  readonly pids: number
  /** When the first process and the last was killed. */
  readonly from: number
  readonly to: number
}

class Play {
  readonly #ground: Ground
  readonly #case: ChaosCase
  readonly #before: ReadonlySet<string>

  constructor(ground: Ground, kase: ChaosCase) {
    this.#ground = ground
    this.#case = kase
    this.#before = new Set(ground.project.runs())
  }

  async run(): Promise<Told> {
    if (this.#case.victim !== 'prometheus') return this.#release(null)
    const source = await prometheusOf(this.#ground.base)
    try {
      return await this.#release(source)
    } finally {
      await source.dispose()
    }
  }

  async #release(source: PrometheusRig | null): Promise<Told> {
    const { project, callers, on } = this.#ground
    const { order, version: kind, victim } = this.#case
    const old = await this.#live()
    const version = old === '1.0.0' ? '2.0.0' : '1.0.0'
    project.write('fault', kind === 'breaking' ? `front@${version} errors\n` : '')
    project.write(
      'release.config.ts',
      canariedDefinition(project.root, {
        order,
        platform: on,
        ...(source === null
          ? { strategy: STRATEGY }
          : { strategy: SCRAPED_STRATEGY, environment: `metrics: prometheus('${source.url}'),` }),
      }),
    )
    const first = callers.calls.length
    const args = ['run', '--param', `version=${version}`, '--yes']
    const byItself = victim === 'runner' || victim === 'runner and router'
    const running = project.start(args, byItself ? { fault: this.#fault() } : {})
    const blow = byItself ? await this.#awaitDeath(running) : await this.#strike(running, { version, source })
    const exit = await this.#bringToItsEnd(await running.exit)
    // What is called now, the run has nothing to do with any more: there is an answer to each that was sent before.
    const end = Date.now()
    await until('what was asked has been answered', () => callers.calls.some(({ sent }) => sent > end))
    const calls = callers.calls.slice(first).filter(({ sent }) => sent <= end)
    const amiss = [
      ...(await this.#amissAfter(exit, { old, version })),
      ...(source === null || blow.pids === 0 ? [] : await this.#passedUnmeasured(blow)),
      ...this.#amissOf(calls, { blow, version, end, isPromoting: await this.#isPromoting(blow) }),
    ]
    return {
      outcome: exit.code === 0 ? 'new' : 'old',
      killed: blow.pids,
      calls: calls.length,
      lost: calls.filter(isLost).length,
      amiss,
    }
  }

  #fault(): string {
    const { moment } = this.#case
    return `${moment.at}:${moment.node}#1:1`
  }

  // ── the kill ──────────────────────────────────────────────────────────────────────────────────

  async #awaitDeath(running: Running): Promise<Blow> {
    const { signal, stderr } = await running.exit
    if (signal !== 'SIGKILL') throw new Error(`the runner did not come to ${this.#fault()}:\n${stderr}`)
    const from = Date.now()
    if (this.#case.victim !== 'runner and router') return { pids: 1, from, to: from }
    const pids = await this.#routerProcesses()
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    return { pids: 1 + pids.length, from, to: Date.now() }
  }

  async #strike(
    running: Running,
    { version, source }: { readonly version: string; readonly source: PrometheusRig | null },
  ): Promise<Blow> {
    const { node, at } = this.#case.moment
    let ended = false
    void running.exit.finally(() => {
      ended = true
    })
    await until(`${at} ${node}`, async () => ended || (await this.#isAt()))
    const pids = ended ? [] : source !== null ? [source.pid] : await this.#victims(version)
    const from = Date.now()
    for (const pid of pids) (this.#case.victim === 'canary' ? killGroup : killOne)(pid)
    return { pids: pids.length, from, to: Date.now() }
  }

  async #isAt(): Promise<boolean> {
    const { node, at } = this.#case.moment
    const run = this.#run()
    if (run === undefined) return false
    const { project } = this.#ground
    const is = (type: RunEvent['type']) => (event: RunEvent) =>
      event.type === type && 'node' in event && event.node === node
    const events = await project.events(run)
    if (at === 'done') return events.some(is('node-succeeded'))
    if (!events.some(is('node-started'))) return false
    if (at === 'started') return true
    const { stdout } = await answerHere(project.root, ['logs', run, node])
    return stdout.includes('is below')
  }

  #run(): string | undefined {
    return this.#ground.project.runs().find(id => !this.#before.has(id))
  }

  async #victims(version: string): Promise<readonly number[]> {
    if (this.#case.victim !== 'canary') return this.#routerProcesses()
    const observed = await this.#instances()
    return observed
      .filter(({ side, revision }) => side === 'canary' && revision.version === version)
      .map(({ pid }) => pid)
  }

  async #routerProcesses(): Promise<readonly number[]> {
    const { folder } = this.#ground
    const main = (await recordedRouter(folder))?.process.pid
    if (main === undefined) throw new Error(`no router runs in ${folder}`)
    if (this.#case.router === 'gateway') return [main]
    const workers = (await listWorkers(folder)).map(({ pid }) => pid)
    if (this.#case.victim === 'worker') return workers
    return this.#case.victim === 'master' ? [main] : [main, ...workers]
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────

  async #bringToItsEnd(exit: Exit): Promise<Exit> {
    if (exit.signal === null) return exit
    const run = this.#run()
    if (run === undefined) throw new Error('it was killed before there was a run')
    const args = this.#case.end === 'guard' ? ['watch', run, '--guard'] : ['resume', run]
    return this.#ground.project.release(args)
  }

  async #instances(): Promise<readonly Instance[]> {
    const { platform } = this.#ground
    const both = await Promise.all(['back', 'front'].map(name => platform.observe('production', name)))
    return both.flatMap(({ instances }) => instances)
  }

  async #live(): Promise<string> {
    const versions = new Set((await this.#instances()).map(({ revision }) => revision.version))
    const [only] = versions
    if (only === undefined || versions.size > 1)
      throw new Error(`there is no one version to begin from: ${[...versions].join(', ')}`)
    return only
  }

  async #amissAfter(
    exit: Exit,
    { old, version }: { readonly old: string; readonly version: string },
  ): Promise<readonly string[]> {
    const { project, platform } = this.#ground
    const amiss: string[] = []
    const say = (holds: boolean, what: string): void => {
      if (!holds) amiss.push(what)
    }
    const { code, stderr } = exit
    say(code === 0 || code === 1, `it ended with ${code}: ${stderr}`)
    say(this.#case.version === 'good' || code === 1, 'a version that answers with errors was released')
    const wanted = code === 0 ? version : old
    for (const name of ['back', 'front']) {
      const { instances, traffic } = await platform.observe('production', name)
      const found = instances.map(
        ({ side, revision, healthy, routed }) =>
          `${side} ${revision.version}${healthy ? '' : ' ill'}${routed ? '' : ' unrouted'}`,
      )
      say(
        found.join() === `stable ${wanted}`,
        `${name} is ${found.join(', ') || 'nothing'}, not stable ${wanted}: ${stderr}`,
      )
      say(canonicalJson(traffic) === canonicalJson(ALL_STABLE), `${name} divides ${canonicalJson(traffic)}`)
    }
    const left = project.instances().length
    say(left === 2, `${left} instances run, not two`)
    amiss.push(...(await this.#amissInRecord(code)))
    return amiss
  }

  async #passedUnmeasured({ to }: Blow): Promise<readonly string[]> {
    const begun = new Set<string>()
    const amiss: string[] = []
    for (const event of await this.#ground.project.events(this.#run()!)) {
      if (!('node' in event) || !event.node.endsWith('/analyse')) continue
      if (event.type === 'node-started' && event.at > to) begun.add(event.node)
      if (event.type === 'node-succeeded' && begun.has(event.node))
        amiss.push(`${event.node} passed, and there was nothing to measure it with`)
    }
    return amiss
  }

  async #amissInRecord(code: number | null): Promise<readonly string[]> {
    const { project } = this.#ground
    const run = this.#run()!
    const verified = await answerHere(project.root, ['verify', run])
    const report = await answerHere(project.root, ['report', run, '--format', 'json'])
    const { outcome } = JSON.parse(report.stdout || '{}') as { outcome?: string }
    // What a guard has taken back was asked for by it, and is no failure of the taking back.
    const wanted =
      code === 0
        ? ['succeeded']
        : this.#case.end === 'guard'
          ? ['failed', 'rolled-back', 'cancelled']
          : ['failed']
    return [
      ...(verified.code === 0 ? [] : [`verify says: ${verified.stdout}${verified.stderr}`]),
      ...(wanted.includes(outcome ?? '') ? [] : [`the report says ${outcome}, and it ended with ${code}`]),
    ]
  }

  // ── the requests ──────────────────────────────────────────────────────────────────────────────

  #amissOf(
    calls: readonly Call[],
    around: {
      readonly blow: Blow
      readonly version: string
      readonly end: number
      readonly isPromoting: boolean
    },
  ): readonly string[] {
    const { blow, version } = around
    const lost = calls.filter(isLost)
    const bad = calls.filter(call => !isLost(call) && call.status !== 200 && call.front !== version)
    const told = (which: readonly Call[]): string =>
      which
        .slice(0, 3)
        .map(
          ({ sent, ended, ...call }) =>
            `${JSON.stringify(call)} ${sent - blow.from} to ${ended - blow.from} ms`,
        )
        .join('; ')
    const amiss =
      bad.length === 0 ? [] : [`${bad.length} errors that the new version did not make: ${told(bad)}`]
    const allowed = this.#mayBeLost(calls, around)
    const beyond = lost.filter(call => !allowed(call))
    if (beyond.length > 0) amiss.push(`${beyond.length} requests were lost that need not be: ${told(beyond)}`)
    return amiss
  }

  /**
   * Until an answer comes again to what is asked after the kill; of an outage that lasts longer, nothing is excused.
   * Without the canary others answer, unless it was about to be the only one: its promotion had begun.
   */
  #mayBeLost(
    calls: readonly Call[],
    { blow, end, isPromoting }: { readonly blow: Blow; readonly end: number; readonly isPromoting: boolean },
  ): (call: Call) => boolean {
    const { victim } = this.#case
    if (victim === 'runner' || victim === 'prometheus' || (victim === 'canary' && !isPromoting))
      return () => false
    const answered = calls.filter(call => !isLost(call) && call.sent >= blow.to).map(({ sent }) => sent)
    const back = victim === 'canary' ? end : Math.min(...answered, blow.to + LONGEST_OUTAGE_MS)
    return call => call.ended >= blow.from && call.sent <= back
  }

  /** Whether a promotion had begun when the kill came, and was not known to be over. */
  async #isPromoting({ to }: Blow): Promise<boolean> {
    const begun = new Set<string>()
    for (const event of await this.#ground.project.events(this.#run()!)) {
      if (event.at > to) break
      if (!('node' in event) || !event.node.endsWith('/canary/promote')) continue
      if (event.type === 'node-started') begun.add(event.node)
      if (event.type === 'node-succeeded') begun.delete(event.node)
    }
    return begun.size > 0
  }
}
