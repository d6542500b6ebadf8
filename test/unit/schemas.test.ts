import { expect, test, vi } from 'vitest'
import eventSchema from '../../schemas/event.schema.json' with { type: 'json' }
import guardSchema from '../../schemas/guard.schema.json' with { type: 'json' }
import planSchema from '../../schemas/plan.schema.json' with { type: 'json' }
import reportSchema from '../../schemas/report.schema.json' with { type: 'json' }
import type { Span } from '../../src/diagnostic.ts'
import type { WithinCondition } from '../../src/judge/condition.ts'
import type { Score } from '../../src/judge/score.ts'
import type { PlanExpectation } from '../../src/plan/metric.ts'
import type {
  AnalyseOperation,
  FailurePolicy,
  NotifyOperation,
  OperationKind,
  Plan,
  PlanCheck,
  PlanComponent,
  PlanMetric,
  PlanNode,
  PlanPlatform,
  PlanRelease,
  PlanSecret,
  RollbackStrategy,
  Undo,
} from '../../src/plan/plan.ts'
import type { Failure, Outcome, RollbackScope, RunEvent, RunEventType } from '../../src/run/events.ts'
import type {
  GuardLine,
  GuardLineType,
  GuardMeasured,
  GuardTriggerState,
} from '../../src/run/guard-record.ts'
import type {
  NodeStanding,
  Report,
  ReportAnalysis,
  ReportApproval,
  ReportCause,
  ReportConsequence,
  ReportInterruption,
  ReportMeasure,
  ReportNode,
  ReportTraffic,
  ReportUndone,
  RunStanding,
} from '../../src/run/report.ts'
import type { AppliedRecovery } from '../../src/run/validation.ts'
import { eventSamples } from '../fixtures/event-samples.ts'
import { guardSamples } from '../fixtures/guard-samples.ts'
import { samplePlan } from '../fixtures/plan-samples.ts'
import { reportSamples } from '../fixtures/report-samples.ts'
import { trafficPlans } from '../fixtures/traffic-plan.ts'
import { compileSchema, type OptionalOf, proveSchema } from './schema-truth.ts'

vi.setConfig({ testTimeout: 60_000 })

type Optional<T> = Record<OptionalOf<T>, true>
type Literals<T extends string | number> = Record<T, true>
type EventOf<T extends RunEventType> = Extract<RunEvent, { type: T }>
type LineOf<T extends GuardLineType> = Extract<GuardLine, { type: T }>
type Comparison = Extract<PlanExpectation, { kind: 'comparison' }>
type Check<K extends PlanCheck['kind']> = Extract<PlanCheck, { kind: K }>

const policies: Literals<FailurePolicy> = {
  stop: true,
  'rollback-all': true,
  'rollback-dependents': true,
  'continue-partial': true,
}
const failure: Optional<Failure> = { hint: true, tail: true }
const span: Optional<Span> = { endLine: true, endColumn: true }
const standing: Literals<NodeStanding> = {
  pending: true,
  running: true,
  waiting: true,
  succeeded: true,
  failed: true,
  cancelled: true,
  skipped: true,
  uncertain: true,
}
const outcome: Literals<Outcome> = {
  succeeded: true,
  failed: true,
  partial: true,
  cancelled: true,
  'rolled-back': true,
}

/** The sample once more for each value that one plan can hold only one of. */
const planSamples: readonly Plan[] = [
  samplePlan(),
  ...trafficPlans(),
  samplePlan({ approvers: null, policy: 'stop', nodes: [], positions: {} }),
  samplePlan({ policy: 'rollback-dependents', nodes: [], positions: {} }),
  samplePlan({ policy: 'continue-partial', nodes: [], positions: {} }),
  samplePlan({
    positions: {},
    nodes: (['branches', 'functions', 'statements'] as const).map(metric => ({
      ...samplePlan().nodes[0]!,
      key: metric,
      operation: {
        kind: 'gate',
        name: metric,
        required: true,
        check: {
          kind: 'coverage',
          command: { argv: ['x'], cwd: 'a' },
          metric,
          atLeast: 99.5,
          report: 'lcov.info',
        },
      },
    })),
  }),
]

test('the plan’s schema says what its type says', () => {
  const refused = proveSchema(planSchema, planSamples, {
    optional: {
      release: { codename: true, targetDate: true } satisfies Optional<PlanRelease>,
      '**.expected.condition': { direction: true, floor: true } satisfies Optional<WithinCondition>,
      'environments.*.platform': { router: true } satisfies Optional<PlanPlatform>,
      'components.*': { platform: true } satisfies Optional<PlanComponent>,
      'components.*.needs.*': { range: true } satisfies Optional<PlanComponent['needs'][number]>,
      'nodes.*': { component: true, environment: true, lockstep: true } satisfies Optional<PlanNode>,
      'nodes.*.operation': { score: true } satisfies Optional<AnalyseOperation>,
      '**.expected': { floor: true, group: true, critical: true } satisfies Optional<Comparison>,
      '**.metrics.*': { inconclusiveLimit: true, count: true } satisfies Optional<PlanMetric>,
      'positions.*': span,
    },
    maps: [
      'params',
      'positions',
      '**.env',
      'facts.live',
      'facts.live.*',
      'facts.sources',
      'nodes.*.operation.from',
      '**.provider.queries',
      '**.score.weights',
    ],
    free: ['params.*'],
    signed: ['**.condition.threshold', '**.condition.baseline.value'],
    literals: {
      policy: policies,
      'stages.*.policy': policies,
      'components.*.type': { service: true, app: true } satisfies Literals<PlanComponent['type']>,
      'environments.*.platform.kind': { local: true } satisfies Literals<PlanPlatform['kind']>,
      'secrets.*.from': { env: true, file: true, command: true } satisfies Literals<PlanSecret['from']>,
      'nodes.*.undo.kind': {
        nothing: true,
        irreversible: true,
        step: true,
        restore: true,
        traffic: true,
        remove: true,
      } satisfies Literals<Undo['kind']>,
      'nodes.*.operation.kind': {
        gate: true,
        approval: true,
        step: true,
        wait: true,
        notify: true,
        prepare: true,
        replace: true,
        verify: true,
        start: true,
        shift: true,
        analyse: true,
        promote: true,
        remove: true,
        join: true,
      } satisfies Literals<OperationKind>,
      'nodes.*.operation.check.kind': {
        command: true,
        coverage: true,
        http: true,
        function: true,
      } satisfies Literals<PlanCheck['kind']>,
      'nodes.*.operation.check.metric': {
        lines: true,
        branches: true,
        functions: true,
        statements: true,
      } satisfies Literals<Check<'coverage'>['metric']>,
      'nodes.*.operation.channel.kind': {
        webhook: true,
        slack: true,
      } satisfies Literals<NotifyOperation['channel']['kind']>,
    },
  })
  expect(refused).toBeGreaterThan(2000)
})

test('the event’s schema says what its type says', () => {
  const refused = proveSchema(eventSchema, Object.values(eventSamples).flat(), {
    optional: {
      failure,
      '**': { strategy: true, breach: true, validated: true, evidence: true } satisfies Optional<
        EventOf<'rollback-planned'>
      > &
        Optional<EventOf<'rollback-finished'>> &
        Optional<EventOf<'node-failed'>> &
        Optional<EventOf<'node-cancelled'>>,
    },
    maps: [],
    free: ['value', 'evidence'],
    signed: ['breach.threshold', 'breach.measurements.*.*'],
    literals: {
      type: eventSamples,
      for: { person: true, time: true } satisfies Literals<EventOf<'node-waiting'>['for']>,
      how: { performed: true, observed: true, given: true } satisfies Literals<
        EventOf<'node-succeeded'>['how']
      >,
      by: { interrupt: true, cancel: true } satisfies Literals<EventOf<'stop-asked'>['by']>,
      why: { interrupted: true, waiting: true } satisfies Literals<EventOf<'run-left'>['why']>,
      outcome,
      strategy: {
        'service-by-service': true,
        staged: true,
        immediate: true,
      } satisfies Literals<RollbackStrategy>,
      'validated.recoveries.*.outcome': { mended: true, failed: true } satisfies Literals<
        AppliedRecovery['outcome']
      >,
      'scope.kind': { all: true, components: true, to: true, traffic: true } satisfies Literals<
        RollbackScope['kind']
      >,
    },
  })
  expect(refused).toBeGreaterThan(500)
})

test('the report’s schema says what its type says', () => {
  const refused = proveSchema(reportSchema, reportSamples, {
    optional: {
      'stages.*.nodes.*': { failure: true } satisfies Optional<ReportNode>,
      'rolledBack.*': { failure: true } satisfies Optional<ReportUndone>,
      cause: { position: true } satisfies Optional<ReportCause>,
      'cause.position': span,
      '**.failure': failure,
      'analyses.*': { cancelled: true, winner: true, scores: true } satisfies Optional<ReportAnalysis>,
      'analyses.*.measures.*': { margin: true } satisfies Optional<ReportMeasure>,
    },
    maps: ['params'],
    free: ['gates.*.value', 'params.*'],
    signed: [
      'analyses.*.measures.*.threshold',
      'analyses.*.measures.*.last',
      'analyses.*.measures.*.margin.around',
      'analyses.*.measures.*.points.*.*',
    ],
    literals: {
      outcome: {
        ...outcome,
        running: true,
        waiting: true,
        interrupted: true,
      } satisfies Literals<RunStanding>,
      'stages.*.outcome': standing,
      'stages.*.nodes.*.outcome': standing,
      'approvals.*.verdict': { approved: true, rejected: true } satisfies Literals<ReportApproval['verdict']>,
      'consequences.*.outcome': { skipped: true, cancelled: true } satisfies Literals<
        ReportConsequence['outcome']
      >,
      'analyses.*.scores.*.verdict': {
        pass: true,
        marginal: true,
        fail: true,
        inconclusive: true,
      } satisfies Literals<Score['verdict']>,
      'analyses.*.winner': { canary: true, stable: true } satisfies Literals<
        NonNullable<ReportAnalysis['winner']>
      >,
      'analyses.*.measures.*.unit': {
        ratio: true,
        ms: true,
        count: true,
        'per-second': true,
        bytes: true,
        number: true,
      } satisfies Literals<ReportMeasure['unit']>,
      'analyses.*.measures.*.target.side': {
        stable: true,
        canary: true,
        baseline: true,
        all: true,
      } satisfies Literals<ReportMeasure['target']['side']>,
      'analyses.*.measures.*.verdict': {
        pass: true,
        fail: true,
        inconclusive: true,
        unmeasured: true,
        running: true,
      } satisfies Literals<ReportMeasure['verdict']>,
      'analyses.*.measures.*.margin.direction': {
        increase: true,
        decrease: true,
        either: true,
      } satisfies Literals<NonNullable<ReportMeasure['margin']>['direction']>,
      'traffic.*.kind': { shifted: true, promoted: true, 'taken-back': true } satisfies Literals<
        ReportTraffic['kind']
      >,
      'interruptions.*.why': { interrupted: true, waiting: true, crashed: true } satisfies Literals<
        ReportInterruption['why']
      >,
      'stops.*.by': { interrupt: true, cancel: true } satisfies Literals<Report['stops'][number]['by']>,
    },
  })
  expect(refused).toBeGreaterThan(500)
})

test('the guard’s schema says what its type says', () => {
  const refused = proveSchema(guardSchema, Object.values(guardSamples).flat(), {
    optional: {
      'targets.*.measured.*': { requests: true, error: true } satisfies Optional<GuardMeasured>,
    },
    maps: [],
    free: [],
    signed: ['breach.threshold', 'breach.measurements.*.*', 'targets.*.measured.*.value'],
    literals: {
      type: guardSamples,
      kind: { outlier: true, drift: true } satisfies Literals<LineOf<'guard-anomaly'>['kind']>,
      about: { stopped: true, unmeasured: true, held: true } satisfies Literals<
        LineOf<'guard-hindered'>['about']
      >,
      'triggers.*.verdict': {
        fired: true,
        breaching: true,
        cooling: true,
        unmeasured: true,
      } satisfies Literals<GuardTriggerState['verdict']>,
    },
  })
  expect(refused).toBeGreaterThan(200)
})

test('formats of another version are refused by the schemas', () => {
  expect(compileSchema(planSchema)({ ...samplePlan(), format: 2 })).toBe(false)
  expect(compileSchema(reportSchema)({ ...reportSamples[0], format: 2 })).toBe(false)
})

test('each schema has a title and a description, and no definition that nothing uses', () => {
  for (const schema of [planSchema, eventSchema, reportSchema, guardSchema]) {
    expect(schema.title).not.toBe('')
    expect(schema.description).not.toBe('')
    const used = new Set(JSON.stringify(schema).match(/#\/\$defs\/\w+/g))
    for (const name of Object.keys(schema.$defs)) expect(used).toContain(`#/$defs/${name}`)
  }
})
