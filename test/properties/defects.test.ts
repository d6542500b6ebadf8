/** Defects that are put into the engine: each is found, named by the law that it breaks, and shrunk to what shows it. */
import { expect, test } from 'vitest'
import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import { Broken } from './broken.ts'
import type { Case } from './case.ts'
import { findBroken } from './find.ts'
import { type Flaw, play } from './play.ts'
import { asTest } from './shrink.ts'

/** From here on even the slowest of them is shrunk in a moment. */
const FROM = 301
const CASES = 300
const NODES = 3

/** The engine goes by nodes that are not quite those of the plan. */
const withNodes =
  (change: (node: PlanNode) => PlanNode): ((plan: Plan) => Plan) =>
  plan => ({ ...plan, nodes: plan.nodes.map(change) })

const DEFECTS: Readonly<Record<string, { readonly law: string; readonly flaw: Flaw }>> = {
  'needs are not waited for': {
    law: 'needs',
    flaw: { plan: withNodes(node => ({ ...node, needs: [] })) },
  },
  'what was cut off by a crash is done twice': {
    law: 'once',
    flaw: {
      perform: async (task, once) => {
        if (task.recover) await once(task)
        return once(task)
      },
    },
  },
  'a step that cannot be repeated is': {
    law: 'uncertain',
    flaw: {
      plan: withNodes(node =>
        node.operation.kind === 'step'
          ? { ...node, operation: { ...node.operation, idempotent: true } }
          : node,
      ),
    },
  },
  'instances are not given back': {
    law: 'all that is promised',
    flaw: {
      plan: withNodes(node => (node.undo.kind === 'restore' ? { ...node, undo: { kind: 'nothing' } } : node)),
    },
  },
  'what froze the rest is gone through': {
    law: 'not through what freezes',
    flaw: {
      plan: withNodes(node =>
        node.undo.kind === 'irreversible'
          ? { ...node, undo: { kind: 'irreversible', reason: node.undo.reason } }
          : node,
      ),
    },
  },
  'more is done at once than was allowed': {
    law: 'concurrency',
    flaw: { plan: plan => ({ ...plan, concurrency: plan.concurrency + 1 }) },
  },
  'an error that nobody foresaw': {
    law: 'no defect',
    flaw: {
      plan: () => {
        throw new TypeError('it is undefined')
      },
    },
  },
}

/** Plays what was printed, as somebody would who pasted it. */
async function replay(printed: string, flaw: Flaw): Promise<{ readonly name: string; readonly law: string }> {
  let told: { readonly name: string; readonly law: string } | undefined
  const it = async (name: string, body: () => Promise<unknown>): Promise<void> => {
    const error = await body().then(
      () => null,
      (thrown: unknown) => thrown,
    )
    told = { name, law: error instanceof Broken ? error.law : `no broken law: ${error}` }
  }
  const holds = (kase: Case): Promise<unknown> => play(kase, flaw)
  await new Function('it', 'holds', `return ${printed}`)(it, holds)
  return told!
}

test.each(Object.entries(DEFECTS))('%s', async (_, { law, flaw }) => {
  const { broken } = await findBroken({ from: FROM, cases: CASES, flaw })
  expect(broken?.error.law).toBe(law)
  const { kase, error } = broken!
  expect(kase.sketch.nodes.length, JSON.stringify(kase)).toBeLessThanOrEqual(NODES)
  expect(await replay(asTest(kase, error), flaw)).toEqual({ name: law, law })
  // Without the defect the engine keeps the law in the very same case.
  await play(kase)
})
