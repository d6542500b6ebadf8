/**
 * The ways in which a node can fail: every kind of operation has its own.
 *
 * Boundary: data. What a fault does to the world is in model-world.ts.
 */
import type { Operation, Plan } from '../../src/plan/plan.ts'

export type FaultKind =
  /** It fails and has changed nothing. */
  | 'fails'
  /** Its effect happened, and then it failed. */
  | 'fails-late'
  /** It does not come to an end within its time limit; half of its effect happened. */
  | 'hangs'
  /** The new instances never get healthy; the old ones go on. */
  | 'never-healthy'
  /** The first of several new instances takes over, the next does not get healthy. */
  | 'half-replaced'
  /** What runs in the end is not what was asked for. */
  | 'not-as-asked'
  | 'rejected'
  | 'expires'

export interface Fault {
  readonly node: string
  readonly kind: FaultKind
  /** Of taking the node back rather than of the node itself. */
  readonly undo: boolean
}

/** Every node of the plan, in every way in which it can fail; then every undoing that can fail. */
export const faultsOf = (plan: Plan): readonly Fault[] =>
  plan.nodes.flatMap(node => kindsOf(node.operation).map(kind => ({ node: node.key, kind, undo: false })))

/** Nodes whose undoing can fail. */
export const undoFaultsOf = (plan: Plan): readonly Fault[] =>
  plan.nodes
    .filter(({ undo }) => undo.kind === 'step' || undo.kind === 'restore')
    .map(node => ({ node: node.key, kind: 'fails' as const, undo: true }))

function kindsOf(operation: Operation): readonly FaultKind[] {
  switch (operation.kind) {
    case 'gate':
      return ['fails', 'hangs']
    case 'step':
      return ['fails', 'fails-late', 'hangs']
    case 'notify':
    case 'prepare':
      return ['fails']
    case 'replace':
      return operation.to - operation.from > 1 ? ['never-healthy', 'half-replaced'] : ['never-healthy']
    case 'verify':
      return ['not-as-asked']
    case 'approval':
      return operation.expires === null ? ['rejected'] : ['rejected', 'expires']
    case 'wait':
    case 'join':
      return []
  }
}

const WORDS: Readonly<Record<FaultKind, string>> = {
  fails: 'fails',
  'fails-late': 'fails after its effect has happened',
  hangs: 'hangs until its time limit',
  'never-healthy': 'never gets healthy',
  'half-replaced': 'gets healthy in part only',
  'not-as-asked': 'finds something else than was asked for',
  rejected: 'is rejected',
  expires: 'expires',
}

/** `production/migrate fails after its effect has happened` */
export const describeFault = ({ node, kind, undo }: Fault): string =>
  undo ? `taking back ${node} fails` : `${node} ${WORDS[kind]}`
