/** The plan as a picture and as a page: where boxes stand, what stands in them, and that nothing foreign is markup. */
import { describe, expect, test, vi } from 'vitest'
import type { Plan } from '../../src/plan/plan.ts'
import { renderDot } from '../../src/plan/render/dot.ts'
import { drawPlan, fewestLines } from '../../src/plan/render/drawing.ts'
import { BOX, layoutDrawing } from '../../src/plan/render/layout.ts'
import { renderPlanHtml } from '../../src/plan/render/plan-html.ts'
import { renderSvg } from '../../src/plan/render/svg.ts'
import { planOfNodes, sampleNode, samplePlan } from '../fixtures/plan-samples.ts'
import passed from '../fixtures/report/passed.json' with { type: 'json' }
import { viewPlan, widePlan } from '../fixtures/view-plan.ts'

// The large graphs are slow where other tests run beside them.
vi.setConfig({ testTimeout: 60_000 })

const canaried = passed.plan as unknown as Plan

describe('layout', () => {
  const plans: readonly [string, Plan][] = [
    ['the sample', samplePlan()],
    ['canaries in lockstep', canaried],
    ['stages in a row', viewPlan],
    ['layers of twenty, which are more than fit', widePlan(400)],
    ['nothing', samplePlan({ nodes: [], stages: [], positions: {} })],
  ]

  test.each(plans)('nothing stands beside or above what it waits for, and no boxes touch: %s', (_, plan) => {
    const drawing = drawPlan(plan, fewestLines)
    const { boxes, stages, lines, width, height } = layoutDrawing(plan, drawing)
    expect(boxes.size).toBe(drawing.nodes.length)
    for (const { line } of lines) {
      expect(boxes.get(line.to)!.y).toBeGreaterThanOrEqual(boxes.get(line.from)!.y + BOX.height)
    }
    for (const row of Map.groupBy(boxes.values(), ({ y }) => y).values()) {
      const places = row.map(({ x }) => x).sort((a, b) => a - b)
      for (const [i, x] of places.entries())
        if (i > 0) expect(x - places[i - 1]!).toBeGreaterThanOrEqual(BOX.width + BOX.across - 0.01)
    }
    const frames = new Map(stages.map(stage => [stage.name, stage]))
    for (const { key, stage } of drawing.nodes) {
      const [box, frame] = [boxes.get(key)!, frames.get(stage)!]
      expect(box.x).toBeGreaterThanOrEqual(frame.x)
      expect(box.x + BOX.width).toBeLessThanOrEqual(frame.x + frame.width + 0.01)
      expect(box.y + BOX.height).toBeLessThanOrEqual(frame.y + frame.height)
      expect(frame.x + frame.width).toBeLessThanOrEqual(width + 0.01)
      expect(frame.y + frame.height).toBeLessThanOrEqual(height)
    }
  })

  test('stages that wait for the same ones stand side by side', () => {
    const stage = (name: string, after: readonly string[]) => ({ name, after, policy: 'stop' as const })
    const plan = samplePlan({
      nodes: ['a', 'b', 'c', 'd'].map(name => sampleNode({ key: `${name}/n`, stage: name })),
      stages: [stage('a', []), stage('b', ['a']), stage('c', ['a']), stage('d', ['b', 'c'])],
      positions: {},
    })
    const { stages } = layoutDrawing(plan, drawPlan(plan, fewestLines))
    const [a, b, c, d] = stages as [
      (typeof stages)[0],
      (typeof stages)[0],
      (typeof stages)[0],
      (typeof stages)[0],
    ]
    expect([b.y, c.y]).toEqual([c.y, b.y])
    expect(c.x).toBeGreaterThan(b.x + b.width)
    expect(a.y + a.height).toBeLessThan(b.y)
    expect(c.y + c.height).toBeLessThan(d.y)
  })

  test('a chain is drawn straight', () => {
    const plan = planOfNodes(
      Array.from({ length: 30 }, (_, i) =>
        sampleNode({ key: `s/${i}`, stage: 's', needs: i === 0 ? [] : [`s/${i - 1}`] }),
      ),
    )
    const { boxes } = layoutDrawing(plan, drawPlan(plan, fewestLines))
    expect(new Set([...boxes.values()].map(({ x }) => x)).size).toBe(1)
  })
})

describe('svg', () => {
  test('each shift shows its share, and what nothing takes back is marked', () => {
    const svg = renderSvg(canaried)
    const full = Number(/class="track" x="1" y="\d+" width="(\d+)"/.exec(svg)![1])
    const shares = [...svg.matchAll(/class="share" [^>]*width="([\d.]+)"/g)].map(([, width]) =>
      Math.round((Number(width) / full) * 100),
    )
    expect(shares.sort((a, b) => a - b)).toEqual([0, 0, 5, 5, 25, 25, 50, 50, 100, 100])
    expect(svg.match(/class="box step for-good"/g)).toHaveLength(1)
    for (const name of ['traffic, its share filled', 'nothing takes it back', 'needed by', 'measurement'])
      expect(svg).toContain(`>${name}<`)
  })

  test('names every node that is drawn, in full', () => {
    const svg = renderSvg(canaried)
    for (const { key, operation } of canaried.nodes)
      if (operation.kind !== 'join') expect(svg).toContain(`<title>${key}: `)
  })
})

const evil = '</title><script>alert(1)</script>" onload="x" &amp; \u202e \u0007'
const evilPlan = planOfNodes([
  sampleNode({ key: `${evil}/${evil}`, stage: evil, title: evil, component: evil }),
  sampleNode({ key: `${evil}/b`, stage: evil, title: `b ${evil}`, needs: [`${evil}/${evil}`] }),
])

test.each([
  ['svg', renderSvg(evilPlan)],
  ['html', renderPlanHtml(evilPlan)],
])('foreign text is text: %s', (_, page) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  for (const forged of [/<script/, /" onload=/, /[\u0000-\u0008\u202e]/]) expect(forged.exec(page)).toBeNull()
  expect(page).toContain('&lt;script&gt;')
  expect(/undefined|NaN|\[object|Infinity/.exec(page)).toBeNull()
})

describe('html', () => {
  test('says all that the text says', () => {
    const page = renderPlanHtml(samplePlan())
    const headings = [...page.matchAll(/<h2>([^<]*)/g)].map(([, text]) => text)
    expect(headings).toEqual([
      'What changes',
      'Needs a person',
      'Cannot be taken back',
      'Left as it is by a rollback',
      'Asks a person where a crash cut it off',
      'Longest way',
      'Picture',
      'Stages',
    ])
    expect(renderPlanHtml(canaried)).toContain('<h2>Traffic is divided</h2>')
    expect(page).toContain('<svg')
    expect(page).not.toContain('<script')
  })

  test('a graph that no page shows well is left to a file of its own', () => {
    const page = renderPlanHtml(widePlan(2001))
    expect(page).not.toContain('<svg')
    expect(page).toContain('--format svg')
  })
})

/** Processor time of the render, the least of three: the first may have code to compile. */
const cost = (render: (plan: Plan) => string, plan: Plan): number =>
  Math.min(
    ...[1, 2, 3].map(() => {
      const before = process.cpuUsage()
      expect(render(plan).length).toBeGreaterThan(1_000_000)
      return process.cpuUsage(before).user
    }),
  )

// About three times it: 0.8 s where Graphviz's text takes 0.3 s.
test.each([
  ['svg', renderSvg],
  ['html', renderPlanHtml],
] as const)('ten thousand nodes cost little more than their text: %s', (_, render) => {
  const plan = widePlan(10_000)
  expect(cost(render, plan) / cost(renderDot, plan)).toBeLessThan(20)
})
