import { describe, expect, test, vi } from 'vitest'
import type { Plan, PlanNode } from '../../src/plan/plan.ts'
import { renderDot } from '../../src/plan/render/dot.ts'
import { drawPlan, fewestLines } from '../../src/plan/render/drawing.ts'
import { renderMermaid } from '../../src/plan/render/mermaid.ts'
import { columnsOf, flow, plain } from '../../src/plan/render/painter.ts'
import { renderText } from '../../src/plan/render/text.ts'
import { commandText, durationText, listText } from '../../src/plan/render/wording.ts'
import { planOfNodes, sampleNode, samplePlan } from '../fixtures/plan-samples.ts'

// The large graphs are slow where other tests run beside them.
vi.setConfig({ testTimeout: 60_000 })

const plan = samplePlan()

/** What a team could name a thing, and a terminal, Mermaid, HTML or Graphviz could misread. */
const nasty = [
  'a "quoted" title',
  'end',
  'graph TD; x-->y',
  '<b>bold</b> & [brackets] {braces}',
  '`code` #35; %%{init}%%',
  'back\\slash \\N',
  'new\nline\u001b[31m red',
  '日本語 🚀',
  '',
]
const nastyPlan = planOfNodes(
  nasty.map((title, i) =>
    sampleNode({
      key: `s"a\\ge ${i % 2}/${title}`,
      stage: `s"a\\ge ${i % 2}`,
      title,
      needs: nasty.slice(i - 1, i).map(before => `s"a\\ge ${(i + 1) % 2}/${before}`),
    }),
  ),
)

describe('text', () => {
  const words = (text: string): string[] => text.split(/\s+/).filter(Boolean)

  test('says the same at every width, and keeps within it where the words allow', () => {
    const expected = words(renderText(plan, { color: false, width: 10_000 }))
    const longest = Math.max(...expected.map(word => word.length))
    for (let width = 20; width <= 140; width += 7) {
      const text = renderText(plan, { color: false, width })
      expect(words(text)).toEqual(expected)
      if (width > longest + 33)
        expect(Math.max(...text.split('\n').map(columnsOf))).toBeLessThanOrEqual(width)
    }
  })

  test('says the same in colour', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    const withoutColour = renderText(plan, { color: true }).replaceAll(/\u001b\[\d+m/g, '')
    expect(withoutColour).toBe(renderText(plan, { color: false }))
  })

  test('names every node but joins', () => {
    const text = renderText(plan, { color: false, width: 10_000 })
    for (const { key, stage, operation } of plan.nodes) {
      const row = new RegExp(`^ +\\d* +${key.slice(stage.length + 1).replaceAll(/[/.]/g, '\\$&')} `, 'm')
      if (operation.kind === 'join') expect(text).not.toContain(key)
      else expect(text).toMatch(row)
    }
  })

  test('lets no control character through', () => {
    const text = renderText(nastyPlan, { color: false })
    expect(text).not.toMatch(/[^\P{Cc}\n]/u)
    expect(text).toContain('new line�[31m red')
  })

  test('goes by the durations that it is given', () => {
    const durations = { 'preflight/unit tests': 90_000, 'staging/smoke': 30_000 }
    expect(renderText(plan, { color: false, durations })).toContain(
      'Longest way  2m  by the expected durations, without the wait for people\n' +
        '  preflight/unit tests 1m 30s  → staging/smoke 30s\n',
    )
  })

  test('says who approves where nobody has the role, and where nobody signs', () => {
    const approval = (overrides: Partial<Plan>): string[] =>
      renderText(samplePlan(overrides), { color: false, width: 200 })
        .split('\n')
        .filter(line => line.startsWith('  go-live/go live'))
    expect(approval({ approvers: [] })).toEqual([
      '  go-live/go live  1 release-manager (nobody has this role) and 1 platform-owner (nobody has this role), within 3d',
    ])
    expect(approval({ approvers: null })).toEqual([
      '  go-live/go live  1 release-manager and 1 platform-owner, within 3d; recorded unsigned',
    ])
  })

  test('is short for a plan without nodes', () => {
    expect(renderText(planOfNodes([]), { color: false })).toMatchInlineSnapshot(`
      "phoenix 3.0.0 “Phoenix”, for 2024-03-15
        plan        6322862a, 0 nodes in 0 stages, at most 8 at once
        bundle      69b96a89
        params      version="3.0.0", pace="real", regions=["eu","us"], dryRun=false, limit=3, owner=null
        on failure  rollback-all
      "
    `)
  })
})

describe('mermaid', () => {
  const node =
    /^ {4}(n\d+)(?:\{\{|\[\/|\[|\(\[|\(\(|>)"[^"`<>&;[\]{}\\#]*(?:#\d+;[^"`<>&;[\]{}\\#]*)*"(?:\}\}|\/\]|\]|\]\)|\)\)):::[a-z]+$/
  const line = /^ {2}(n\d+) (-->|-\.->) (n\d+)$/
  const rest =
    /^(?:flowchart TD| {2}subgraph s\d+ \["[^"]+"\]| {2}end| {2}classDef [a-z]+ [\w#:,-]+| {2}class [n\d,]+ irreversible|)$/

  const check = (of: Plan): void => {
    const lines = renderMermaid(of).split('\n')
    const ids = lines.flatMap(text => node.exec(text)?.[1] ?? [])
    const drawing = drawPlan(of, fewestLines)
    expect(ids).toHaveLength(drawing.nodes.length)
    expect(new Set(ids)).toEqual(new Set(drawing.nodes.map((_, i) => `n${i}`)))
    const edges = lines.flatMap(text => (line.test(text) ? [text] : []))
    expect(edges).toHaveLength([...drawing.waits.values()].flat().length)
    for (const edge of edges)
      expect(ids).toEqual(expect.arrayContaining([line.exec(edge)![1], line.exec(edge)![3]]))
    for (const text of lines)
      expect(
        [node, line, rest].some(form => form.test(text)),
        text,
      ).toBe(true)
  }

  test('holds nothing but nodes, lines, subgraphs and classes', () => {
    check(plan)
    check(nastyPlan)
    check(planOfNodes([]))
  })

  test('writes as an entity whatever could be read as markup', () => {
    expect(renderMermaid(nastyPlan)).toContain(
      '"#60;b#62;bold#60;/b#62; #38; #91;brackets#93; #123;braces#125;"',
    )
  })
})

describe('dot', () => {
  const string = '"(?:[^"\\\\\\n]|\\\\"|\\\\\\\\)*"'
  const value = `(?:${string}|\\w+|\\d+\\.\\d+|[\\d.]+)`
  const attributes = `\\[\\w+=${value}(?:, \\w+=${value})*\\]`
  const forms = [
    `digraph ${string} \\{`,
    ` {2}(?:graph|node|edge) ${attributes}`,
    ' {2}subgraph cluster_\\d+ \\{',
    ` {4}label=${string}; color=${string}; fontsize=13`,
    ` {4}${string} ${attributes}`,
    ` {2}${string} -> ${string}(?: ${attributes})?`,
    ' {0,2}\\}',
    '',
  ].map(form => new RegExp(`^${form}$`))

  const check = (of: Plan): void => {
    const lines = renderDot(of).split('\n')
    for (const text of lines)
      expect(
        forms.some(form => form.test(text)),
        text,
      ).toBe(true)
    const drawing = drawPlan(of, fewestLines)
    const declared = lines.flatMap(text => new RegExp(`^ {4}(${string}) \\[`).exec(text)?.[1] ?? [])
    expect(new Set(declared).size).toBe(drawing.nodes.length)
    const edges = lines.flatMap(text => {
      const match = new RegExp(`^ {2}(${string}) -> (${string})`).exec(text)
      return match === null ? [] : [[match[1]!, match[2]!]]
    })
    expect(edges).toHaveLength([...drawing.waits.values()].flat().length)
    for (const edge of edges) expect(declared).toEqual(expect.arrayContaining(edge))
  }

  test('holds nothing but strings, nodes, lines and clusters', () => {
    check(plan)
    check(nastyPlan)
    check(planOfNodes([]))
  })
})

test('ten thousand nodes are rendered in every form', () => {
  const nodes: PlanNode[] = Array.from({ length: 10_000 }, (_, i) => {
    const layer = Math.floor(i / 100)
    const before = (step: number): string =>
      `s${Math.floor((layer - 1) / 10)}/n${(layer - 1) * 100 + ((i + step) % 100)}`
    return sampleNode({
      key: `s${Math.floor(layer / 10)}/n${i}`,
      needs: layer === 0 ? [] : [before(0), before(7)],
    })
  })
  const large = planOfNodes(nodes)
  expect(renderText(large, { color: true }).split('\n').length).toBeGreaterThan(10_000)
  expect(renderMermaid(large).split('\n').length).toBeGreaterThan(29_000)
  expect(renderDot(large).split('\n').length).toBeGreaterThan(29_000)
})

describe('wording', () => {
  test('durations have at most two units', () => {
    const check = (duration: number, expected: string): void => expect(durationText(duration)).toBe(expected)
    check(0, '0s')
    check(250, '250ms')
    check(61_500, '1m 1s')
    check(1500, '1s 500ms')
    check(5_400_000, '1h 30m')
    check(72 * 3_600_000, '3d')
    check(90_061_001, '1d 1h')
  })

  test('lists say how many more there are, and never leave out only one', () => {
    expect(listText(['a', 'b', 'c', 'd'], 3)).toBe('a, b, c, d')
    expect(listText(['a', 'b', 'c', 'd', 'e'], 3)).toBe('a, b, c and 2 more')
  })

  test('commands can be pasted into a shell', () =>
    expect(commandText({ argv: ['node', '-e', 'a b'], cwd: 'web' })).toBe('node -e "a b" in web'))
})

describe('painter', () => {
  test('counts the columns that a terminal takes', () => {
    const check = (text: string, columns: number): void => expect(columnsOf(text)).toBe(columns)
    check('abc', 3)
    check('日本', 4)
    check('🚀', 2)
    check('e\u0301', 1)
    check('→ ↩', 3)
  })

  test('plain text has one line and one direction', () =>
    expect(plain('a\r\nb\u202ec\u0007')).toBe('a  b�c�'))

  test('flow puts what does not fit on the next line', () => {
    const cells = [{ text: 'name', columns: 6 }, { text: 'a title' }, { text: '' }, { text: 'waits' }]
    expect(flow(cells, { width: 80, indent: 2 })).toEqual(['name    a title  waits'])
    expect(flow(cells, { width: 16, indent: 2 })).toEqual(['name    a title', '  waits'])
    expect(flow(cells, { width: 3, indent: 2 })).toEqual(['name', '  a', '  title', '  waits'])
    expect(flow([{ text: 'one two three' }], { width: 9, indent: 2 })).toEqual(['one two', '  three'])
  })
})
