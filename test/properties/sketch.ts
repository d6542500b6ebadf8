/**
 * A plan in few words, as the generator makes it, the shrinker cuts it down, and a regression test holds it.
 */
import {
  ALL_STABLE,
  type FailurePolicy,
  type Operation,
  type Plan,
  type PlanMetric,
  type PlanNode,
  type Revision,
  SIDE_HEADER,
  type Traffic,
  type Undo,
} from '../../src/plan/plan.ts'

export interface SketchComponent {
  readonly name: string
  readonly critical: boolean
  readonly needs: readonly string[]
}

export interface SketchNode {
  readonly key: string
  readonly kind: Operation['kind']
  readonly needs: readonly string[]
  readonly after: readonly string[]
  readonly component?: string
  /** `freezes`: nothing can undo it, and what it was built on stays. */
  readonly undo?: 'step' | 'restore' | 'irreversible' | 'freezes' | 'traffic' | 'remove'
  /** Attempts after the first. */
  readonly retries?: number
  /** Of a step. */
  readonly redo?: 'idempotent' | 'observable'
  /** Of a gate or a message: it only warns. */
  readonly mild?: boolean
  /** Of a wait or an analysis, or until an approval expires; milliseconds. */
  readonly time?: number
  /** Of a replace or a start: the slot, or the first. Of a verify or a promote: how many there are. */
  readonly slot?: number
  /** Of a start: the slots end before it. */
  readonly to?: number
  /** Of a start: the old version beside the new. */
  readonly baseline?: boolean
  /** Of a shift: percent. */
  readonly weight?: number
  /** Of an analysis: it watches until this has ended. */
  readonly until?: string
  /** Of a shift: copies of the requests in place of a share of them; or, as of its analysis, a share to decide by. */
  readonly trial?: 'mirror' | 'experiment'
  /** Of a promote: the analysis that says which side stays. */
  readonly decidedBy?: string
  /** Those that shift together. */
  readonly lockstep?: string
}

export interface Sketch {
  readonly concurrency: number
  readonly components: readonly SketchComponent[]
  readonly stages: readonly {
    readonly name: string
    readonly after: readonly string[]
    readonly policy: FailurePolicy
  }[]
  readonly nodes: readonly SketchNode[]
}

export const PLAN_HASH = 'a'.repeat(64)
export const stageOf = (key: string): string => key.split('/')[0]!

export const revisionOf = (component: string, version: string): Revision => ({
  component,
  version,
  digest: `${component}-${version}`,
  start: [],
  health: { path: '/', timeout: 1000, interval: 10 },
  env: {},
})

export function planOf(sketch: Sketch): Plan {
  return {
    format: 1,
    release: { name: 'sketch', version: '2.0.0' },
    bundle: 'b'.repeat(64),
    params: {},
    policy: 'rollback-all',
    concurrency: sketch.concurrency,
    components: sketch.components.map(({ name, critical, needs }) => ({
      name,
      type: 'service',
      version: '2.0.0',
      critical,
      needs: needs.map(component => ({ component })),
      group: 1,
      source: name,
      env: {},
    })),
    environments: sketch.stages.map(({ name }) => ({
      name,
      platform: { kind: 'local', cluster: 'sketch' },
      protect: false,
    })),
    secrets: [],
    approvers: null,
    facts: { live: {}, sources: {} },
    stages: sketch.stages,
    nodes: sketch.nodes.map(nodeOf),
    hash: PLAN_HASH,
    positions: {},
  }
}

function nodeOf(node: SketchNode): PlanNode {
  const stage = stageOf(node.key)
  const isFree = ['approval', 'wait', 'join'].includes(node.kind)
  return {
    key: node.key,
    stage,
    title: node.key,
    ...(node.component === undefined ? {} : { component: node.component, environment: stage }),
    ...(node.lockstep === undefined ? {} : { lockstep: node.lockstep }),
    needs: node.needs,
    after: node.after,
    timeout: isFree || node.until !== undefined ? null : 20_000 + (node.time ?? 0),
    retry: { limit: node.retries ?? 0, delay: 500, maxDelay: 4000 },
    undo: undoOf(node),
    operation: operationOf(node),
  }
}

function undoOf({ undo }: SketchNode): Undo {
  if (undo === undefined) return { kind: 'nothing' }
  const reason = 'it cannot be undone'
  if (undo === 'freezes') return { kind: 'irreversible', reason, freezes: true }
  return undo === 'irreversible' ? { kind: 'irreversible', reason } : { kind: undo }
}

function operationOf(node: SketchNode): Operation {
  const { key, kind } = node
  const revision = revisionOf(node.component ?? '', '2.0.0')
  const prepared = `${key.split('/').slice(0, 2).join('/')}/prepare`
  switch (kind) {
    case 'gate':
      return { kind, name: key, required: node.mild !== true, check: { kind: 'function' } }
    case 'approval':
      return { kind, name: key, from: { ops: 1, lead: 1 }, expires: node.time ?? null, self: false }
    case 'step':
      return {
        kind,
        name: key,
        idempotent: node.redo === 'idempotent',
        observable: node.redo === 'observable',
      }
    case 'wait':
      return { kind, duration: node.time ?? 0 }
    case 'notify':
      return {
        kind,
        required: node.mild !== true,
        channel: { kind: 'webhook', url: { value: 'http://x' } },
        message: null,
      }
    case 'prepare':
      return { kind, revision }
    case 'replace':
      return { kind, revision, from: node.slot!, to: node.slot! + 1, maxUnavailable: 0, prepared }
    case 'verify':
      return { kind, revision, instances: node.slot!, prepared }
    case 'start': {
      const side = node.baseline ? 'baseline' : 'canary'
      return {
        kind,
        side,
        revision: node.baseline ? null : revision,
        from: node.slot!,
        to: node.to!,
        prepared,
      }
    }
    case 'shift':
      return { kind, traffic: trafficOf(node) }
    case 'analyse':
      return {
        kind,
        targets: [
          { environment: stageOf(key), component: node.component!, side: 'canary', version: '2.0.0' },
        ],
        metrics: [metricOf(key)],
        duration: node.time ?? 0,
        requests: 0,
        patience: 3_000,
        until: node.until ?? null,
        decides: node.trial === 'experiment' ? METRIC : null,
      }
    case 'promote':
      return { kind, revision, instances: node.slot!, prepared, decidedBy: node.decidedBy ?? null }
    case 'remove':
      return { kind, side: 'baseline' }
    case 'join':
      return { kind }
  }
}

function trafficOf({ trial, weight, lockstep }: SketchNode): Traffic {
  if (trial === 'mirror') return { ...ALL_STABLE, mirror: 50 }
  if (trial === 'experiment') return { ...ALL_STABLE, canary: 50, sticky: SIDE_HEADER }
  return { ...ALL_STABLE, canary: weight!, carried: lockstep !== undefined }
}

const METRIC = 'error rate'

/** The node's key as its query, so that the model knows whose measurement it is. */
const metricOf = (key: string): PlanMetric => ({
  name: METRIC,
  unit: 'ratio',
  measure: { kind: 'promql', query: key },
  provider: { kind: 'router' },
  expected: { kind: 'condition', condition: { kind: 'below', threshold: 0.01 } },
  interval: 1_000,
  delay: 0,
  failureLimit: 0,
  consecutiveErrorLimit: 2,
  minRequests: 10,
  noData: 'hold',
})
