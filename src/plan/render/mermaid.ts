/**
 * The plan's graph as a Mermaid flowchart: a subgraph for each stage, solid lines for `needs`, dotted for `after`.
 *
 * Boundary: text only. Every label is quoted and holds nothing that Mermaid or HTML would read as markup.
 */
import type { OperationKind, Plan, PlanNode } from '../plan.ts'
import { drawPlan, fewestLines } from './drawing.ts'
import { plain } from './painter.ts'

const shapes: Readonly<Record<OperationKind, readonly [string, string]>> = {
  gate: ['{{', '}}'],
  approval: ['[/', '/]'],
  step: ['[', ']'],
  wait: ['([', '])'],
  notify: ['>', ']'],
  prepare: ['[', ']'],
  replace: ['[', ']'],
  verify: ['[', ']'],
  start: ['[', ']'],
  shift: ['>', ']'],
  analyse: ['([', '])'],
  promote: ['[', ']'],
  remove: ['[', ']'],
  join: ['((', '))'],
}

const styles: Readonly<Record<OperationKind, string>> = {
  gate: 'fill:#e8f1fb,stroke:#2f6fb0,color:#10253d',
  approval: 'fill:#fdf0d5,stroke:#b7791f,color:#3d2a08',
  step: 'fill:#f4f4f5,stroke:#71717a,color:#18181b',
  wait: 'fill:#f4f4f5,stroke:#a1a1aa,color:#3f3f46',
  notify: 'fill:#f3e8fd,stroke:#7e3fb0,color:#2a103d',
  prepare: 'fill:#eef7ee,stroke:#86b386,color:#16301a',
  replace: 'fill:#d9f2dd,stroke:#2f8f46,color:#10301a',
  verify: 'fill:#eef7ee,stroke:#2f8f46,color:#10301a',
  start: 'fill:#eef7ee,stroke:#86b386,color:#16301a',
  shift: 'fill:#d9f2dd,stroke:#2f8f46,color:#10301a',
  analyse: 'fill:#e8f1fb,stroke:#2f6fb0,color:#10253d',
  promote: 'fill:#d9f2dd,stroke:#2f8f46,color:#10301a',
  remove: 'fill:#eef7ee,stroke:#86b386,color:#16301a',
  join: 'fill:#a1a1aa,stroke:#a1a1aa,color:#a1a1aa',
}

/** A valid flowchart; its ids are short and stable for one plan, `n0` being its first node. */
export function renderMermaid(plan: Plan): string {
  const drawing = drawPlan(plan, fewestLines)
  const ids = new Map(drawing.nodes.map(({ key }, i) => [key, `n${i}`]))
  const used = new Set(drawing.nodes.map(node => node.operation.kind))
  const lines = drawing.nodes.flatMap(({ key }) =>
    drawing.waits
      .get(key)!
      .map(({ from, kind }) => `  ${ids.get(from)} ${kind === 'needs' ? '-->' : '-.->'} ${ids.get(key)}`),
  )
  const nodesOf = (stage: string): string[] =>
    drawing.nodes
      .filter(node => node.stage === stage)
      .map(node => `    ${nodeText(node, ids.get(node.key)!)}`)
  return [
    'flowchart TD',
    ...plan.stages.flatMap(({ name }, i) => [`  subgraph s${i} [${label(name)}]`, ...nodesOf(name), '  end']),
    ...lines,
    ...Object.entries(styles)
      .filter(([kind]) => used.has(kind as OperationKind))
      .map(([kind, style]) => `  classDef ${kind} ${style}`),
    ...irreversible(drawing.nodes, ids),
    '',
  ].join('\n')
}

const nodeText = (node: PlanNode, id: string): string => {
  const [open, close] = shapes[node.operation.kind]
  const text = node.operation.kind === 'join' ? '' : node.title
  return `${id}${open}${label(text)}${close}:::${node.operation.kind}`
}

/** What nothing takes back has a red edge. */
function irreversible(nodes: readonly PlanNode[], ids: ReadonlyMap<string, string>): string[] {
  const marked = nodes.filter(node => node.undo.kind === 'irreversible').map(node => ids.get(node.key)!)
  if (marked.length === 0) return []
  return [
    '  classDef irreversible stroke:#c0392b,stroke-width:3px',
    `  class ${marked.join(',')} irreversible`,
  ]
}

/**
 * All but letters, digits and harmless signs become Mermaid's own entities, `#34;` for a quotation mark. It takes
 * no empty label.
 */
const label = (text: string): string =>
  `"${plain(text).replaceAll(markup, character => `#${character.codePointAt(0)};`) || ' '}"`

const markup = /[^\p{L}\p{M}\p{N} .,:/()+=_%→↔–×-]/gu
