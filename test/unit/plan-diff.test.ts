import { describe, expect, test } from 'vitest'
import { diffPlans } from '../../src/plan/diff.ts'
import type { GateOperation, Plan, PlanNode } from '../../src/plan/plan.ts'
import { renderDiff } from '../../src/plan/render/diff-text.ts'
import { samplePlan, sha256 } from '../fixtures/plan-samples.ts'

const plan = samplePlan()

const withNode = (key: string, change: (node: PlanNode) => PlanNode | null): Plan =>
  samplePlan({ nodes: plan.nodes.flatMap(node => (node.key === key ? (change(node) ?? []) : node)) })

const withGate = (change: Partial<GateOperation>): Plan =>
  withNode('preflight/unit tests', node => ({
    ...node,
    operation: { ...(node.operation as GateOperation), ...change },
  }))

describe('what a difference means', () => {
  const check = (newer: Plan, ...expected: string[]): void =>
    expect(diffPlans(plan, newer).meanings.map(m => `${m.kind} ${m.subject}: ${m.text}`)).toEqual(expected)
  const both = (newer: Plan, there: string, back: string): void => {
    check(newer, there)
    expect(diffPlans(newer, plan).meanings.map(m => `${m.kind} ${m.subject}: ${m.text}`)).toEqual([back])
  }

  test('nothing, where nothing changed', () => check(samplePlan()))

  test('a gate that goes or comes', () =>
    both(
      withNode('preflight/no freeze is on', () => null),
      'weaker preflight/no freeze is on: the gate is gone',
      'stronger preflight/no freeze is on: is a new gate',
    ))

  test('a gate that only warns', () =>
    both(
      withGate({ required: false }),
      'weaker preflight/unit tests: its failure only warns now',
      'stronger preflight/unit tests: its failure stops the release now',
    ))

  test('a gate that asks for less', () => {
    const command = { argv: ['npm', 'test', '--', '--coverage'], cwd: '' }
    both(
      withGate({ check: { kind: 'coverage', command, metric: 'lines', atLeast: 70, report: null } }),
      'weaker preflight/unit tests: asks that `npm test -- --coverage` covers at least 70 % of lines, not that `npm test -- --coverage` covers at least 90 % of lines',
      'stronger preflight/unit tests: asks that `npm test -- --coverage` covers at least 90 % of lines, not that `npm test -- --coverage` covers at least 70 % of lines',
    )
  })

  test('an approval that asks fewer, waits longer, or lets who starts the run approve', () => {
    const approval = (change: object): Plan =>
      withNode('go-live/go live', node => ({ ...node, operation: { ...node.operation, ...change } as never }))
    both(
      approval({ from: { 'release-manager': 1 } }),
      'weaker go-live/go live: asks 1 release-manager, not 1 release-manager and 1 platform-owner',
      'stronger go-live/go live: asks 1 release-manager and 1 platform-owner, not 1 release-manager',
    )
    both(
      approval({ self: true }),
      'weaker go-live/go live: who starts the run may approve now',
      'stronger go-live/go live: who starts the run may not approve any more',
    )
    both(
      approval({ expires: null }),
      'weaker go-live/go live: expires never, not after 3d',
      'stronger go-live/go live: expires after 3d, not never',
    )
  })

  test('what can no longer be taken back', () =>
    both(
      withNode('announce/flags', node => ({ ...node, undo: { kind: 'irreversible', reason: 'no undo' } })),
      'weaker announce/flags: can no longer be taken back: no undo',
      'stronger announce/flags: can be taken back now, or leaves nothing behind',
    ))

  test('an environment that is no longer protected, approvals that nobody signs', () => {
    const environments = plan.environments.map(environment => ({ ...environment, protect: false }))
    both(
      samplePlan({ environments }),
      'weaker production: is no longer protected',
      'stronger production: is protected now',
    )
    both(
      samplePlan({ approvers: null }),
      'weaker release: approvals are recorded unsigned now',
      'stronger release: approvals have to be signed now',
    )
  })

  test('a policy that takes less back', () =>
    both(
      samplePlan({ stages: plan.stages.map(s => (s.name === 'staging' ? { ...s, policy: 'stop' } : s)) }),
      'weaker staging: a failure in it means stop now, not rollback-all',
      'stronger staging: a failure in it means rollback-all now, not stop',
    ))

  test('another source under the same version', () => {
    const digest = sha256('an edited folder')
    const edited = samplePlan({
      nodes: plan.nodes.map(node => {
        const { operation } = node
        if (node.environment !== 'production' || node.component !== 'web-app') return node
        if (!('revision' in operation) || operation.revision === null) return node
        return { ...node, operation: { ...operation, revision: { ...operation.revision, digest } } }
      }),
    })
    check(edited, `deploy production/web-app: 3.0.0 (0a802117) → 3.0.0 (${digest.slice(0, 8)})`)
  })

  test('a world that has moved on', () => {
    const facts = { ...plan.facts, live: { ...plan.facts.live, staging: { 'auth-service': null } } }
    check(samplePlan({ facts }), 'world staging/auth-service: runs nothing now, not 3.0.0 (3136a66a)')
  })

  test('other code', () =>
    check(
      samplePlan({ bundle: sha256('other') }),
      "code release: the definition's code is another (69b96a89 → d9298a10): its steps and checks may do something else",
    ))
})

describe('what differs', () => {
  test('is nothing for the same plan, even where positions moved', () => {
    const { identical, changes } = diffPlans(plan, samplePlan({ positions: {} }))
    expect(identical).toBe(true)
    expect(Object.values(changes).flat()).toEqual([])
  })

  test('is at least one item for any part that the hash covers', () => {
    const [firstComponent] = plan.components
    const spoiled: Partial<Plan>[] = [
      { release: { ...plan.release, codename: 'Fenix' } },
      { release: { name: 'phoenix', version: '3.0.0' } },
      { bundle: sha256('x') },
      { params: { ...plan.params, pace: 'quick' } },
      { params: {} },
      { policy: 'stop' },
      { concurrency: 1 },
      { components: plan.components.slice(1) },
      { components: [...plan.components.slice(1), firstComponent!] },
      { environments: plan.environments.toReversed() },
      { secrets: [] },
      { approvers: null },
      { approvers: [] },
      { facts: { ...plan.facts, sources: {} } },
      { facts: { ...plan.facts, live: {} } },
      { stages: plan.stages.map(stage => ({ ...stage, after: [] })) },
      { nodes: plan.nodes.map(node => ({ ...node, timeout: 1 })) },
      { nodes: [] },
    ]
    for (const part of spoiled) {
      const { identical, changes } = diffPlans(plan, samplePlan(part))
      expect(identical).toBe(false)
      expect(Object.values(changes).flat(), JSON.stringify(part).slice(0, 80)).not.toEqual([])
    }
    const [nobody, none] = [samplePlan({ approvers: null }), samplePlan({ approvers: [] })]
    expect(diffPlans(nobody, none).changes.release).toEqual([
      { kind: 'changed', name: 'approvals', fields: [{ field: '', from: 'unsigned', to: 'signed' }] },
    ])
  })

  test('is JSON', () => {
    const diff = diffPlans(plan, samplePlan({ params: {}, nodes: plan.nodes.slice(3) }))
    expect(JSON.parse(JSON.stringify(diff))).toEqual(diff)
  })

  test('names the innermost fields, and lists by what came and went', () => {
    const newer = withNode('staging/smoke', node => ({
      ...node,
      after: ['staging/auth-service/verify'],
      timeout: null,
      component: 'auth-service',
    }))
    const { changes } = diffPlans(plan, newer)
    expect(changes.nodes).toEqual([
      {
        kind: 'changed',
        name: 'staging/smoke',
        fields: [
          {
            field: 'after',
            from: plan.nodes.find(n => n.key === 'staging/smoke')!.after,
            to: ['staging/auth-service/verify'],
          },
          { field: 'timeout', from: 600_000, to: null },
          { field: 'component', to: 'auth-service' },
        ],
      },
    ])
    expect(renderDiff(diffPlans(plan, newer), { color: false }).split('\n').slice(4, 8)).toEqual([
      '  ~ staging/smoke',
      '      after: -staging/payment-service/verify -staging/inventory-service/verify -staging/order-service/verify',
      '      timeout: 600000 → null',
      '      component: unset → auth-service',
    ])
  })
})
