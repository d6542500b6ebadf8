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
  /** What is found in the end, instances or the router's weights, is not what was asked for. */
  | 'not-as-asked'
  /** The new version is promoted at the router, and what is left of its canary is not ended. */
  | 'half-promoted'
  /** The first measurements are bad. */
  | 'breach'
  /** The first measurements are good, those that follow are bad. */
  | 'late-breach'
  /** There is never anything to measure. */
  | 'no-data'
  /** Whoever measures does not answer. */
  | 'errors'
  /** An experiment's deciding measure says that the old version is better: no failure, it stays. */
  | 'loses'
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
  plan.nodes.flatMap(node =>
    kindsOf(node.operation)
      // Without a time limit nothing would end it.
      .filter(kind => kind !== 'hangs' || node.timeout !== null)
      .map(kind => ({ node: node.key, kind, undo: false })),
  )

/** Nodes whose undoing can fail. A `verify` changes nothing where as many instances run as are asked for. */
export const undoFaultsOf = (plan: Plan): readonly Fault[] =>
  plan.nodes
    .filter(({ undo }) => undo.kind !== 'nothing' && undo.kind !== 'irreversible')
    .filter(({ operation }) => operation.kind !== 'verify')
    .map(node => ({ node: node.key, kind: 'fails' as const, undo: true }))

function kindsOf(operation: Operation): readonly FaultKind[] {
  switch (operation.kind) {
    case 'gate':
      return ['fails', 'hangs']
    case 'step':
      return ['fails', 'fails-late', 'hangs']
    case 'notify':
    case 'prepare':
    case 'remove':
      return ['fails']
    case 'replace':
    case 'start':
      return operation.to - operation.from > 1 ? ['never-healthy', 'half-replaced'] : ['never-healthy']
    case 'verify':
      return ['not-as-asked']
    case 'shift':
      return ['fails', 'not-as-asked']
    case 'analyse':
      return operation.metrics.length === 0
        ? ['no-data']
        : [
            ...(operation.decides === null || operation.metrics.length > 1 ? GUARD_FAULTS : []),
            ...(operation.decides === null ? [] : (['loses'] as const)),
          ]
    case 'promote':
      return ['fails', 'half-promoted']
    case 'approval':
      return operation.expires === null ? ['rejected'] : ['rejected', 'expires']
    case 'wait':
    case 'join':
      return []
  }
}

/** Of an analysis that has a measure to hold to. */
const GUARD_FAULTS = ['breach', 'late-breach', 'no-data', 'errors'] as const

const WORDS: Readonly<Record<FaultKind, string>> = {
  fails: 'fails',
  'fails-late': 'fails after its effect has happened',
  hangs: 'hangs until its time limit',
  'never-healthy': 'never gets healthy',
  'half-replaced': 'gets healthy in part only',
  'not-as-asked': 'finds something else than was asked for',
  'half-promoted': 'fails when the new version has all requests and not all of the rest is ended',
  breach: 'measures a breach at once',
  'late-breach': 'measures a breach after good measurements',
  'no-data': 'gets nothing to measure',
  errors: 'gets no answer from whoever measures',
  loses: 'finds that the old version is better',
  rejected: 'is rejected',
  expires: 'expires',
}

/** `production/migrate fails after its effect has happened` */
export const describeFault = ({ node, kind, undo }: Fault): string =>
  undo ? `taking back ${node} fails` : `${node} ${WORDS[kind]}`
