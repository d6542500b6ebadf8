/** Damaged plans: refused, or as good as they say; and every plan that has the right form can be shown. */
import { expect, test, vi } from 'vitest'
import { validate } from '../../runner/load/validate.ts'
import { parsePlan } from '../../runner/plan-file.ts'
import { sealPlan } from '../../src/plan/canonical.ts'
import { diffPlans } from '../../src/plan/diff.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { readPlan } from '../../src/plan/read.ts'
import { renderDiff } from '../../src/plan/render/diff-text.ts'
import { renderDot } from '../../src/plan/render/dot.ts'
import { renderMermaid } from '../../src/plan/render/mermaid.ts'
import { renderText } from '../../src/plan/render/text.ts'
import { samplePlan, sha256 } from '../fixtures/plan-samples.ts'
import { fuzz } from './fuzz.ts'
import { damageBytes, damageJson } from './mutate.ts'

// Inputs by the thousand: what hangs is found by the limit of each.
vi.setConfig({ testTimeout: 300_000 })

const plan = samplePlan()
const text = JSON.stringify(plan, null, 2)

test('files whose bytes were damaged', async () => {
  const outcomes = await fuzz({ seeds: 800 }, async roll => {
    const damaged = damageBytes(Buffer.from(text), roll).toString()
    expect(await parsePlan('plan.json', damaged)).toEqual({ ...plan, positions: expect.anything() })
  })
  expect(Object.keys(outcomes)).toContain('plan-unreadable')
})

test('plans of another form', async () => {
  const outcomes = await fuzz({ seeds: 800 }, async roll => {
    const damaged = damageJson(plan, roll, 'any')
    const resealed = roll.number(2) === 0 ? damaged : reseal(damaged)
    await parsePlan('plan.json', JSON.stringify(resealed))
  })
  expect(Object.keys(outcomes)).toEqual(expect.arrayContaining(['plan-changed', 'schema']))
})

const reseal = (damaged: Plan): Plan => {
  try {
    return sealPlan(damaged, sha256)
  } catch {
    return damaged
  }
}

test('plans of the right form that hold what nobody would write', async () => {
  const outcomes = await fuzz({ seeds: 500 }, async roll => {
    const other = sealPlan(damageJson(plan, roll, 'alike'), sha256)
    const diagnostics = await validate('plan', other)
    const read = readPlan(other, { validate: () => diagnostics })
    if (!read.ok) return 'refused'
    renderText(other, { color: true, width: 20 + roll.number(200) })
    renderMermaid(other)
    renderDot(other)
    renderDiff(diffPlans(plan, other), { color: false })
    renderDiff(diffPlans(other, plan), { color: true })
    return 'shown'
  })
  expect(outcomes.shown).toBeGreaterThan(50)
})
