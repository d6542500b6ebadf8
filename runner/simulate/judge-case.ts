/**
 * Whether a simulated release ended as its policy promises: all new, all old, or exactly what was said; and if not,
 * which hole it fell into.
 *
 * Boundary: reads a result; runs nothing.
 */

import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import { withDependents } from '../../src/run/policy.ts'
import type { Fault } from './faults.ts'
import type { CaseResult } from './simulate-case.ts'

export type HoleKind =
  /** Something that nothing can undo stays while the rest goes back. */
  | 'cannot-be-undone'
  /** A component is left on two versions. */
  | 'left-half'
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
  const excused = excusedBy(plan, faults)
  return [
    ...deployments(plan).flatMap(node => judgeDeployment(node, promise, { result, excused })),
    ...plan.nodes.flatMap(node => judgeStep(node, promise, { result, excused })),
  ]
}

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
      const failed = state.works.get(halt.cause)?.node.component
      const undone = new Set(failed === undefined ? [] : withDependents(plan, [failed]))
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
  readonly result: CaseResult
  readonly excused: ReadonlySet<string>
}

function judgeDeployment(node: PlanNode, promise: Promise_, { result, excused }: Judged): readonly Hole[] {
  const { operation, component = '', environment = '' } = node
  if (operation.kind !== 'verify' || excused.has(component)) return []
  const found = stateOf(result, node)
  const wanted = promise.component(component)
  const where = `${component} in ${environment}`
  if (wanted === 'as-it-is' || found === wanted) return []
  if (wanted === 'either' && found !== 'mixed') return []
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
      fix: 'This is a fault of release-as-code: please report it with the plan.',
    },
  ]
}

function stateOf({ world }: CaseResult, node: PlanNode): 'new' | 'old' | 'mixed' {
  const { operation, component = '', environment = '' } = node
  if (operation.kind !== 'verify') return 'old'
  const slots = [...world.slotsOf(environment, component).values()]
  const fresh = slots.filter(revision => revision.env.OLD === undefined).length
  if (fresh === 0) return 'old'
  return fresh === slots.length && slots.length === operation.instances ? 'new' : 'mixed'
}

function judgeStep(node: PlanNode, promise: Promise_, { result, excused }: Judged): readonly Hole[] {
  const { operation, undo, key } = node
  if (operation.kind !== 'step' || undo.kind === 'nothing' || excused.has(key)) return []
  const found = result.world.stepState(operation.name)
  const left = found === 'done' || found === 'half'
  if (!left || !promise.steps(node)) return []
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
      fix: 'This is a fault of release-as-code: please report it with the plan.',
    },
  ]
}
