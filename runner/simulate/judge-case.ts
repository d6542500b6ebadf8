/**
 * Whether a simulated release ended as its policy promises: all new, all old, or exactly what was said; and if not,
 * which hole it fell into.
 *
 * Boundary: reads a result; runs nothing.
 */

import { canonicalJson } from '../../src/plan/canonical.ts'
import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import { fallingWith, matesOf } from '../../src/run/policy.ts'
import type { RunState } from '../../src/run/state.ts'
import type { Fault } from './faults.ts'
import { besideOf, isDivided } from './model-fleet.ts'
import type { CaseResult } from './simulate-case.ts'

export type HoleKind =
  /** Something that nothing can undo stays while the rest goes back. */
  | 'cannot-be-undone'
  /** A component is left on two versions. */
  | 'left-half'
  /** Instances that ran before have gone, and none of the new version stands in their place. */
  | 'gone'
  /** Something that nothing can undo stays, and what was built on it stays with it, while what came after goes back. */
  | 'freezes'
  /** The release has ended, and requests are divided or instances of a canary are left. */
  | 'traffic-undecided'
  /** Components that shift together have ended on different versions. */
  | 'lockstep-torn'
  /** What should be old is not, or what should be new is not. */
  | 'not-as-promised'
  /** A crash leaves a step of which nobody can tell whether it happened. */
  | 'asks-a-person'
  /** It comes to no end: an approval that can never be given. */
  | 'never-ends'

export interface Hole {
  readonly kind: HoleKind
  /** The node that is left behind. */
  readonly node: string
  /** What is left, as a sentence. */
  readonly left: string
  /** What would close it. */
  readonly fix: string
}

/** The holes that a case shows; none: it ended as promised. */
export function judgeCase(plan: Plan, faults: readonly Fault[], result: CaseResult): readonly Hole[] {
  if (result.ended === 'stuck') return [stuckHole(result)]
  const promise = promiseOf(plan, result)
  const judged: Judged = {
    plan,
    result,
    excused: excusedBy(plan, faults),
    frozen: frozenIn(plan, result.state),
    kept: keptOld(result),
  }
  return [
    ...(faults.length === 0 ? judgeUntroubled(result) : []),
    ...deployments(plan).flatMap(node => judgeDeployment(node, promise, judged)),
    ...deployments(plan).flatMap(node => judgeTraffic(node, judged)),
    ...judgeLocksteps(judged),
    ...(faults.some(({ undo }) => undo) ? [] : judgeValidations(result)),
    ...plan.nodes.flatMap(node => judgeStep(node, promise, judged)),
  ]
}

/** A killed runner changes nothing about how a release ends. */
function judgeUntroubled({ state }: CaseResult): readonly Hole[] {
  if (state.outcome === 'succeeded') return []
  return [
    {
      kind: 'not-as-promised',
      node: state.cause ?? '',
      left: `nothing failed, and the release ends ${state.outcome}`,
      fix: OUR_FAULT,
    },
  ]
}

const OUR_FAULT = 'This is a fault of release-as-code: please report it with the plan.'

function stuckHole({ state }: CaseResult): Hole {
  const uncertain = [...state.active].find(work => work.status.type === 'uncertain')
  if (uncertain !== undefined) {
    return {
      kind: 'asks-a-person',
      node: uncertain.key,
      left: `a crash in the middle of ${uncertain.node.title} leaves nobody who could tell whether it happened; resume stops and asks`,
      fix: 'Give the step `observe`, or idempotent: true where a second run does no harm.',
    }
  }
  const waiting = [...state.active][0]
  return {
    kind: 'never-ends',
    node: waiting?.key ?? '',
    left: `the release waits for ${waiting?.node.title ?? 'nothing'} and can never go on`,
    fix: 'Ask for people who are not the same person twice, or give a role to more people.',
  }
}

type Wanted = 'new' | 'old' | 'either' | 'as-it-is'

interface Promise_ {
  readonly component: (name: string) => Wanted
  /** Whether steps that were done have to be undone. */
  readonly steps: (node: PlanNode) => boolean
  readonly policy: string
}

/** What the policy says about the end state, from how the run ended. */
function promiseOf(plan: Plan, { state }: CaseResult): Promise_ {
  const contained = new Set(state.containments.flatMap(({ components }) => components))
  const causes = new Set(state.containments.map(({ cause }) => cause))
  const base = (name: string): Wanted => (contained.has(name) ? 'old' : 'new')
  const { halt } = state
  if (halt === null) {
    return { component: base, steps: node => causes.has(node.key), policy: 'continue-partial' }
  }
  switch (halt.policy) {
    case 'stop':
      return {
        component: name => (contained.has(name) ? 'old' : 'as-it-is'),
        steps: () => false,
        policy: halt.policy,
      }
    case 'rollback-all':
      return { component: () => 'old', steps: () => true, policy: halt.policy }
    case 'rollback-dependents': {
      const failed = state.works.get(halt.cause)
      const undone = new Set(failed === undefined ? [] : fallingWith(plan, matesOf(plan, failed.node)))
      return {
        component: name => (undone.has(name) || contained.has(name) ? 'old' : 'either'),
        steps: node => node.key === halt.cause || causes.has(node.key),
        policy: halt.policy,
      }
    }
  }
}

/** What a failed undoing leaves is said in the report: it is no hole of the definition. */
const excusedBy = (plan: Plan, faults: readonly Fault[]): ReadonlySet<string> =>
  new Set(
    faults
      .filter(fault => fault.undo)
      .flatMap(fault => {
        const node = plan.nodes.find(one => one.key === fault.node)
        return [fault.node, ...(node?.component === undefined ? [] : [node.component])]
      }),
  )

const deployments = (plan: Plan): readonly PlanNode[] =>
  plan.nodes.filter(node => node.operation.kind === 'verify')

interface Judged {
  readonly plan: Plan
  readonly result: CaseResult
  readonly excused: ReadonlySet<string>
  /** What a rollback left since something that cannot be undone came after it. */
  readonly frozen: ReadonlySet<string>
  /** Places whose experiment the old version has won. */
  readonly kept: ReadonlySet<string>
}

/**
 * Said of what stays because of the step that freezes it; the step's own hole tells. What looks whether a deployment has
 * come to its end stays with what it has put there.
 */
function frozenIn({ nodes }: Plan, { rollbacks, works }: RunState): ReadonlySet<string> {
  const kept = rollbacks.flatMap(rollback =>
    rollback.kept.filter(({ reason }) => reason.startsWith('frozen')),
  )
  const keys = new Set(kept.map(({ node }) => node))
  const places = new Set([...keys].map(key => placeOf(works.get(key)!.node)))
  const looks = nodes.filter(({ operation }) => operation.kind === 'verify')
  for (const node of looks) if (places.has(placeOf(node))) keys.add(node.key)
  return keys
}

const keptOld = ({ state }: CaseResult): ReadonlySet<string> =>
  new Set(
    [...state.works.values()].flatMap(({ node, value }) =>
      node.operation.kind === 'promote' && canonicalJson(value) === KEPT_STABLE ? [placeOf(node)] : [],
    ),
  )

const KEPT_STABLE = canonicalJson({ kept: 'stable' })

const placeOf = ({ environment, component }: PlanNode): string => `${environment}/${component}`

function judgeDeployment(node: PlanNode, promise: Promise_, judged: Judged): readonly Hole[] {
  const { operation, component = '', environment = '' } = node
  const { result, excused, kept, frozen } = judged
  if (operation.kind !== 'verify' || excused.has(component) || frozen.has(node.key)) return []
  const found = stateOf(result, node)
  const promised = promise.component(component)
  const staysOld = kept.has(placeOf(node)) || isLeftOut(node, result.state)
  const wanted = promised === 'new' && staysOld ? 'old' : promised
  const where = `${component} in ${environment}`
  if (found === wanted || (wanted === 'as-it-is' && mayStand(found, node, judged))) return []
  if (wanted === 'either' && (found === 'new' || found === 'old')) return []
  if (found === 'short' || found === 'gone') return [goneHole(node, wanted, judged)]
  if (found === 'mixed') {
    return [
      {
        kind: 'left-half',
        node: node.key,
        left: `${where} is left with instances of two versions`,
        fix: `The policy ${promise.policy} stops what is under way where it stands: take rollback-all or continue-partial.`,
      },
    ]
  }
  return [
    {
      kind: 'not-as-promised',
      node: node.key,
      left: `${where} ends on the ${found} version, and ${promise.policy} promises the ${wanted} one`,
      fix: OUR_FAULT,
    },
  ]
}

/** What comes after a failure that stays with itself, and needs it, is never begun. */
function isLeftOut({ key }: PlanNode, { works, containments }: RunState): boolean {
  const { status } = works.get(key)!
  return status.type === 'skipped' && containments.some(({ cause }) => cause === status.because)
}

/**
 * What runs in the stable slots. old: as many as ran before, none where nothing did. short: not as many, and none of the new
 * version. gone: none at all, where some ran before.
 */
type Found = 'new' | 'old' | 'mixed' | 'short' | 'gone'

function stateOf({ world }: CaseResult, node: PlanNode): Found {
  const { operation, component = '', environment = '' } = node
  if (operation.kind !== 'verify') return 'old'
  const slots = [...world.slotsOf(environment, component).values()]
  const fresh = slots.filter(revision => revision.env.OLD === undefined).length
  if (fresh > 0) return fresh === slots.length && slots.length === operation.instances ? 'new' : 'mixed'
  if (slots.length === world.ranBefore(environment, component)) return 'old'
  return slots.length === 0 ? 'gone' : 'short'
}

/** Whether a policy that stops may leave it so: on its way from one version to the other, but never without any. */
function mayStand(found: Found, node: PlanNode, judged: Judged): boolean {
  if (found === 'gone') return false
  return !((found === 'mixed' || found === 'short') && isProgressive(judged, node))
}

function goneHole(node: PlanNode, wanted: Wanted, { result: { world } }: Judged): Hole {
  const { key, component = '', environment = '' } = node
  const left = world.slotsOf(environment, component).size
  const before = world.ranBefore(environment, component)
  const stops = wanted === 'as-it-is' || wanted === 'either'
  return {
    kind: 'gone',
    node: key,
    left: `${component} in ${environment} is left with ${left} of the ${before} instances that ran before, and none of the new version`,
    fix: stops
      ? 'Replace it with maxUnavailable: 0, so that the old ones go when the new ones are healthy; or take rollback-all.'
      : OUR_FAULT,
  }
}

/** Its stable side changes in one step: between two versions is never a place to stop. */
const isProgressive = ({ plan }: Judged, { environment, component }: PlanNode): boolean =>
  plan.nodes.some(
    node =>
      node.operation.kind === 'promote' && node.environment === environment && node.component === component,
  )

function judgeTraffic(node: PlanNode, { result, excused }: Judged): readonly Hole[] {
  const { component = '', environment = '' } = node
  const place = result.world.placeOf(environment, component)
  const beside = besideOf(place)
  if (excused.has(component) || (!isDivided(place) && beside === 0)) return []
  const left = isDivided(place) ? 'its requests are divided' : `${beside} instances of its canary run`
  return [
    {
      kind: 'traffic-undecided',
      node: node.key,
      left: `the release has ended, and ${left}: ${component} in ${environment}`,
      fix: OUR_FAULT,
    },
  ]
}

/**
 * Where no undoing was made to fail, what runs after a rollback is what the journal says; and it is so without having to be
 * mended, unless only traffic was decided and a deployment that failed half-way stood where it was.
 */
const judgeValidations = ({ state }: CaseResult): readonly Hole[] =>
  state.rollbacks.flatMap(({ because, scope, validated }) => {
    const hole = { kind: 'not-as-promised', node: because, fix: OUR_FAULT } as const
    const differing = (validated?.components ?? []).filter(({ ok }) => !ok)
    const mended = scope.kind === 'traffic' ? [] : (validated?.recoveries ?? [])
    return [
      ...differing.map(({ component, environment, differs }) => ({
        ...hole,
        left: `after the rollback ${component} in ${environment} is not as the journal says: ${differs.join('; ')}`,
      })),
      ...mended.map(({ component, environment, problem }) => ({
        ...hole,
        left: `after the rollback ${component} in ${environment} had to be mended: ${problem}`,
      })),
    ]
  })

function judgeLocksteps({ plan, result, excused, frozen }: Judged): readonly Hole[] {
  const names = new Set(plan.nodes.flatMap(({ lockstep }) => lockstep ?? []))
  return [...names].flatMap(lockstep => {
    const promotions = plan.nodes.filter(
      node => node.lockstep === lockstep && node.operation.kind === 'promote',
    )
    if (promotions.some(({ component = '', key }) => excused.has(component) || frozen.has(key))) return []
    const verifies = deployments(plan).filter(node =>
      promotions.some(promotion => placeOf(promotion) === placeOf(node)),
    )
    const states = new Set(verifies.map(node => stateOf(result, node)))
    if (states.size < 2) return []
    return [
      {
        kind: 'lockstep-torn' as const,
        node: promotions[0]!.key,
        left: `of the components that shift together some end on the new version and some on the old: ${verifies.map(node => `${node.component} ${stateOf(result, node)}`).join(', ')}`,
        fix: OUR_FAULT,
      },
    ]
  })
}

function judgeStep(node: PlanNode, promise: Promise_, judged: Judged): readonly Hole[] {
  const { operation, undo, key } = node
  const { result, excused, frozen } = judged
  if (operation.kind !== 'step' || undo.kind === 'nothing' || excused.has(key) || frozen.has(key)) return []
  const found = result.world.stepState(operation.name)
  const left = found === 'done' || found === 'half'
  if (!left || !promise.steps(node)) return []
  const canaries = canariesAfter(judged.plan, node)
  if (undo.kind === 'irreversible' && undo.freezes === true && canaries.length > 0) {
    return [
      {
        kind: 'freezes',
        node: key,
        left: `${node.title} is ${found === 'half' ? 'half done' : 'done'} and stays, while the canary of ${namesText(canaries)} that came after it goes back: the old version runs on what it left`,
        fix: "Make the old version work with it and say so by undo: 'not-needed'; give it an `undo`; or do it when the canary is promoted.",
      },
    ]
  }
  if (undo.kind === 'irreversible') {
    return [
      {
        kind: 'cannot-be-undone',
        node: key,
        left: `${node.title} is ${found === 'half' ? 'half done' : 'done'} and stays, while ${promise.policy} takes the rest back`,
        fix: "Give it an `undo`; or move it behind everything that can fail; or give its stage and those after it onFailure: 'stop'.",
      },
    ]
  }
  return [
    {
      kind: 'not-as-promised',
      node: key,
      left: `${node.title} is ${found === 'half' ? 'half done' : 'done'}, and ${promise.policy} promises that it is undone`,
      fix: OUR_FAULT,
    },
  ]
}

/** Components that a canary, or its kind, tries after that node. */
function canariesAfter({ nodes }: Plan, { key }: PlanNode): readonly string[] {
  const later = new Set([key])
  const found = new Set<string>()
  for (const node of nodes) {
    if (![...node.needs, ...node.after].some(before => later.has(before))) continue
    later.add(node.key)
    if (node.operation.kind === 'start' && node.component !== undefined) found.add(node.component)
  }
  return [...found]
}

const namesText = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`
