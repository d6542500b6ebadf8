import { expect, test } from 'vitest'
import { diffPlans } from '../../src/plan/diff.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { renderDiff } from '../../src/plan/render/diff-text.ts'
import { renderDot } from '../../src/plan/render/dot.ts'
import { renderMermaid } from '../../src/plan/render/mermaid.ts'
import { renderPlanHtml } from '../../src/plan/render/plan-html.ts'
import { renderSvg } from '../../src/plan/render/svg.ts'
import { renderText } from '../../src/plan/render/text.ts'
import { samplePlan, samplePlanOf } from '../fixtures/plan-samples.ts'

/** Each render of the sample, beside this file. `npx vitest run -u` writes them anew: look at what changed. */
const check = (file: string, text: string): Promise<void> =>
  expect(text).toMatchFileSnapshot(`./plan/${file}`)

const plan = samplePlan()

/** Another version, and a definition that was changed with less care. */
function careless(): Plan {
  const next = samplePlanOf('3.1.0')
  const nodes = next.nodes
    .filter(({ key }) => key !== 'preflight/no freeze is on' && key !== 'announce/flags')
    .map(node => {
      const { operation } = node
      const waits = (keys: readonly string[]) =>
        keys.filter(key => key !== 'preflight/no freeze is on' && key !== 'announce/flags')
      const kept = { ...node, needs: waits(node.needs), after: waits(node.after) }
      if (operation.kind === 'approval')
        return { ...kept, operation: { ...operation, from: { 'release-manager': 1 } } }
      if (operation.kind !== 'gate' || operation.check.kind !== 'coverage') return kept
      return {
        ...kept,
        timeout: 60_000,
        operation: { ...operation, check: { ...operation.check, atLeast: 70 } },
      }
    })
  return samplePlan({ ...next, nodes, stages: next.stages.map(stage => ({ ...stage, policy: 'stop' })) })
}

test('text', () => check('phoenix.txt', renderText(plan, { color: false })))
test('text in a narrow terminal', () =>
  check('phoenix-60.txt', renderText(plan, { color: false, width: 60 })))
test('text in colour', () => check('phoenix.ansi', renderText(plan, { color: true })))
test('mermaid', () => check('phoenix.mmd', renderMermaid(plan)))
test('svg', () => check('phoenix.svg', renderSvg(plan)))
test('html', () => check('phoenix.html', renderPlanHtml(plan)))
test('dot', () => check('phoenix.dot', renderDot(plan)))
test('difference', () => check('phoenix-diff.txt', renderDiff(diffPlans(plan, careless()), { color: false })))
test('difference in colour', () =>
  check('phoenix-diff.ansi', renderDiff(diffPlans(plan, careless()), { color: true })))
test('difference as JSON', () =>
  check('phoenix-diff.json', `${JSON.stringify(diffPlans(plan, samplePlanOf('3.0.1')), null, 2)}\n`))
