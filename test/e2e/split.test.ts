/**
 * How requests are divided while whole releases go through, and that none is lost: every strategy on every router,
 * one release after the other on the same instances.
 *
 * A call counts for a step if it was sent when the journal had the step's shift as done, and answered before the next
 * change of its component began. The chance of so few or so many as were seen, were the weights kept, is computed
 * exactly. What is asked here is asked some sixty times; a check that is to fail by chance once in a million times
 * makes a run of this file fail by chance once in more than ten thousand.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { localPlatform } from '../../runner/adapters/platforms/local/platform.ts'
import { haproxyKind } from '../../runner/adapters/routers/haproxy/haproxy.ts'
import { binomialAbove, binomialBelow } from '../../src/judge/statistics/proportions.ts'
import type { Plan, Traffic } from '../../src/plan/plan.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { type Call, type Callers, GROUP, isLost, startCallers } from '../rig/callers.ts'
import { type CanariedOptions, CLUSTER, canariedDefinition, canariedProject } from '../rig/canaried.ts'
import { haproxyMissing } from '../rig/haproxy.ts'
import type { TestProject } from '../rig/project.ts'
import { until } from '../rig/wait.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** What is less likely than this is no chance. */
const CHANCE = 1e-6
const PER_SECOND = 80

/** Steps last until so many requests have been answered by the new version, however long that takes. */
const METRICS = `metrics: [errorRate({ minRequests: 10 }).below('1%')], interval: '250ms', requests: 15, patience: '1m'`
const BY_HEADER = 'ab-test by a header'
const DECIDED = `for: '1s', primary: errorRate({ minRequests: 10 }).below('5%'), analysis: { ${METRICS} }`
const RELEASES: Readonly<Record<string, Omit<CanariedOptions, 'platform'>>> = {
  rolling: { strategy: 'rolling()', instances: 2 },
  'all-at-once': { strategy: 'allAtOnce()' },
  'canary, each after what it needs': {
    strategy: `canary({ steps: [10, 50, 100], every: '1s', analysis: { ${METRICS} } })`,
  },
  'canary with a baseline, in lockstep': {
    order: 'lockstep',
    strategy: `canary({ steps: [20, 100], every: '1500ms', baseline: true, analysis: { ${METRICS} } })`,
  },
  'blue-green': { strategy: `blueGreen({ keepOld: '1s', analysis: { ${METRICS} } })` },
  'ab-test': {
    strategy: `abTest({ to: { percent: 40 }, ${DECIDED} })`,
  },
  [BY_HEADER]: {
    strategy: `abTest({ to: { header: '${GROUP.header}', value: '${GROUP.value}' }, ${DECIDED} })`,
  },
  mirror: {
    strategy: `mirror({ for: '1s', percent: 100, analysis: { metrics: [mismatch().below('100%')], interval: '250ms', patience: '20s' } })`,
  },
}

/** Their instances are exchanged, and there is nothing to shift. */
const UNDIVIDED = new Set(['rolling', 'all-at-once'])

const missing = await haproxyMissing()
const ROUTERS = [
  { name: 'gateway', platform: `local({ cluster: '${CLUSTER}' })`, missing: null },
  { name: 'haproxy', platform: `local({ cluster: '${CLUSTER}', router: haproxy() })`, missing },
] as const

/** What a component's calls were to be, from one change to the next. */
interface Step {
  readonly node: string
  readonly component: string
  readonly traffic: Traffic
  readonly from: number
  readonly to: number
}

const CHANGES = new Set(['shift', 'promote', 'remove'])

/** In lockstep the side is drawn at `front` for both, so that its steps count, and a change of either ends one. */
function stepsOf(plan: Plan, events: readonly RunEvent[]): readonly Step[] {
  const changes = plan.nodes.filter(({ operation }) => CHANGES.has(operation.kind))
  const startOf = (node: string): number | undefined =>
    events.find(event => event.type === 'node-started' && event.node === node)?.at
  return changes.flatMap(({ key, operation, component, lockstep }) => {
    const done = events.find(event => event.type === 'node-succeeded' && event.node === key)
    if (operation.kind !== 'shift' || done === undefined) return []
    if (lockstep !== undefined && component !== 'front') return []
    const later = changes.filter(
      other => other.component === component || (lockstep !== undefined && other.lockstep === lockstep),
    )
    const starts = later.flatMap(other => startOf(other.key) ?? []).filter(at => at > done.at)
    const to = Math.min(...starts)
    return [{ node: key, component: component!, traffic: operation.traffic, from: done.at, to }]
  })
}

interface Seen {
  readonly calls: number
  readonly hits: number
  readonly share: number
}

/** How likely a count as far off as this one is, on either side. */
const chanceOf = ({ calls, hits, share }: Seen): number => {
  const counted = { events: hits, requests: calls }
  return Math.min(1, 2 * Math.min(binomialBelow(counted, share), binomialAbove(counted, share)))
}

const told = (where: string, seen: Seen): string =>
  `${where}: ${seen.hits} of ${seen.calls} at ${seen.share * 100} %, chance ${chanceOf(seen).toExponential(1)}`

/** The counts of a step: of the new version, and of the sides that only the router can tell apart. */
function countsOf(
  step: Step,
  calls: readonly Call[],
  version: string,
): readonly (Seen & { where: string })[] {
  const { canary, baseline, match } = step.traffic
  const during = calls.filter(({ sent, ended }) => sent > step.from && ended < step.to)
  const isChosen = ({ grouped }: Call): boolean => match.length > 0 && grouped
  const own = during.filter(call => !isChosen(call))
  const chosen = during.filter(isChosen)
  const of = step.component === 'front' ? (call: Call) => call.front : (call: Call) => call.back
  const count = (where: string, percent: number, isHit: (call: Call) => boolean, from = own) => ({
    where: `${step.node}, ${where}`,
    calls: from.length,
    hits: from.filter(isHit).length,
    share: percent / 100,
  })
  const side = (name: string) => (call: Call) => call.side === name
  return [
    count(version, canary, call => of(call) === version),
    ...(match.length > 0 ? [count('the group', 100, call => of(call) === version, chosen)] : []),
    ...(step.component === 'front' && baseline > 0
      ? [count('baseline', baseline, side('baseline')), count('canary', canary, side('canary'))]
      : []),
  ]
}

/** How many calls did not get the answer that they were to get, which, and when the first and the last of them were sent. */
const unanswered = (calls: readonly Call[]): string => {
  const bad = calls.filter(call => isLost(call) || call.status !== 200)
  if (bad.length === 0) return 'none'
  const sent = bad.map(call => call.sent - calls[0]!.sent)
  const statuses = [...new Set(bad.map(({ status }) => status))].join(', ')
  return `${bad.length} of ${calls.length} got ${statuses}, sent between ${Math.min(...sent)} and ${Math.max(...sent)} ms`
}

describe.each(ROUTERS)('on $name', router => {
  if (router.missing !== null) {
    test('is not tested', ({ skip }) => skip(router.missing!))
    return
  }
  const able = Object.keys(RELEASES).filter(name => router.name === 'gateway' || name !== 'mirror')
  const all: (Seen & { where: string })[] = []
  let project: TestProject
  let callers: Callers
  let live = '1.0.0'
  beforeAll(async () => {
    project = await canariedProject({
      ...RELEASES.mirror!,
      strategy: 'allAtOnce()',
      platform: router.platform,
    })
    const platform = localPlatform({
      home: project.home,
      cluster: CLUSTER,
      ...(router.name === 'haproxy' ? { router: haproxyKind } : {}),
    })
    callers = startCallers(await platform.gateway('production'), { perSecond: PER_SECOND, group: 4 })
  })
  afterAll(async () => {
    await callers?.stop()
    await project?.dispose()
  })

  test.each(able)('%s: each step has its share, and no request is lost', async name => {
    const version = live === '1.0.0' ? '2.0.0' : '1.0.0'
    const options = { ...RELEASES[name]!, platform: router.platform }
    project.write('release.config.ts', canariedDefinition(project.root, options))
    const first = callers.calls.length
    const { code, run, stderr } = await project.release(['run', '--param', `version=${version}`, '--yes'])
    expect(code, stderr).toBe(0)
    live = version
    const over = Date.now()
    await until('calls after the release', () => callers.calls.some(({ sent }) => sent > over))
    const calls = callers.calls.slice(first)
    const since = calls.filter(({ sent }) => sent > over)
    expect(since.filter(({ front, back }) => front !== version || back !== version)).toEqual([])
    expect(unanswered(calls)).toBe('none')
    const plan = JSON.parse(project.read(`.release/runs/${run}/plan.json`)) as Plan
    const steps = stepsOf(plan, await project.events(run))
    const counts = steps.flatMap(step => countsOf(step, calls, version))
    for (const seen of counts.filter(seen => seen.calls > 0)) {
      all.push(seen)
      expect(chanceOf(seen), told(seen.where, seen)).toBeGreaterThan(CHANCE)
    }
    expect(steps.length > 0).toBe(!UNDIVIDED.has(name))
    if (name === BY_HEADER) expect(counts.filter(({ where }) => where.endsWith('the group'))).toHaveLength(2)
    if (RELEASES[name]!.order !== 'lockstep') return
    // The side is decided once: nobody meets both versions.
    expect(calls.filter(({ front, back }) => front !== back)).toEqual([])
  })

  test('all steps together: no side is favoured', () => {
    const divided = all.filter(({ share }) => share > 0 && share < 1)
    const calls = divided.reduce((sum, seen) => sum + seen.calls, 0)
    const over = divided.reduce((sum, seen) => sum + seen.hits - seen.calls * seen.share, 0)
    const spread = Math.sqrt(divided.reduce((sum, { calls: n, share }) => sum + n * share * (1 - share), 0))
    console.log(
      `split on ${router.name}: ${callers.calls.length} requests, 0 lost; ${calls} in ${divided.length} divided steps, ` +
        `${((over / calls) * 100).toFixed(2)} points off the weights, which is ${(over / spread).toFixed(1)} standard deviations`,
    )
    // Of one step few calls may have been seen whole on a busy machine, and never of all.
    expect(calls).toBeGreaterThan(300)
    expect(
      all.reduce((sum, seen) => sum + (seen.where.endsWith('the group') ? seen.calls : 0), 0),
    ).toBeGreaterThan(10)
    // Five standard deviations: once in a million and more.
    expect(Math.abs(over / spread)).toBeLessThan(5)
  })
})
