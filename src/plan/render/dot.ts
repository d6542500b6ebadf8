/**
 * The plan's graph in Graphviz's language: a cluster for each stage, solid lines for `needs`, dashed for `after`.
 *
 * Boundary: text only. Every id and label is a quoted string.
 */
import type { OperationKind, Plan, PlanNode } from '../plan.ts'
import { drawPlan, fewestLines, type Line } from './drawing.ts'
import { plain } from './painter.ts'

interface Look {
  readonly fill: string
  readonly border: string
  readonly shape?: string
}

const looks: Readonly<Record<OperationKind, Look>> = {
  gate: { fill: '#e8f1fb', border: '#2f6fb0', shape: 'hexagon' },
  approval: { fill: '#fdf0d5', border: '#b7791f', shape: 'parallelogram' },
  step: { fill: '#f4f4f5', border: '#71717a' },
  wait: { fill: '#f4f4f5', border: '#a1a1aa', shape: 'oval' },
  notify: { fill: '#f3e8fd', border: '#7e3fb0', shape: 'cds' },
  prepare: { fill: '#eef7ee', border: '#86b386' },
  replace: { fill: '#d9f2dd', border: '#2f8f46' },
  verify: { fill: '#eef7ee', border: '#2f8f46' },
  start: { fill: '#eef7ee', border: '#86b386' },
  shift: { fill: '#d9f2dd', border: '#2f8f46', shape: 'cds' },
  analyse: { fill: '#e8f1fb', border: '#2f6fb0', shape: 'ellipse' },
  promote: { fill: '#d9f2dd', border: '#2f8f46' },
  remove: { fill: '#eef7ee', border: '#86b386' },
  join: { fill: '#a1a1aa', border: '#a1a1aa', shape: 'point' },
}

/** A valid directed graph. The ids of its nodes are their keys. */
export function renderDot(plan: Plan): string {
  const drawing = drawPlan(plan, fewestLines)
  const nodesOf = (stage: string): string[] =>
    drawing.nodes.filter(node => node.stage === stage).map(node => `    ${nodeText(node)}`)
  const { name, version } = plan.release
  return [
    `digraph ${quoted(`${name} ${version}`)} {`,
    '  graph [rankdir=TB, fontname="Helvetica"]',
    '  node [shape=box, style=filled, fontname="Helvetica", fontsize=11]',
    '  edge [color="#71717a", arrowsize=0.7]',
    ...plan.stages.flatMap((stage, i) => [
      `  subgraph cluster_${i} {`,
      `    label=${quoted(stage.name)}; color="#d4d4d8"; fontsize=13`,
      ...nodesOf(stage.name),
      '  }',
    ]),
    ...drawing.nodes.flatMap(node => drawing.waits.get(node.key)!.map(lineText)),
    '}',
    '',
  ].join('\n')
}

function nodeText(node: PlanNode): string {
  const { fill, border, shape } = looks[node.operation.kind]
  const irreversible = node.undo.kind === 'irreversible'
  const attributes = [
    `label=${quoted(node.operation.kind === 'join' ? '' : node.title)}`,
    `tooltip=${quoted(node.key)}`,
    ...(shape === undefined ? [] : [`shape=${shape}`]),
    `fillcolor=${quoted(fill)}`,
    `color=${quoted(irreversible ? '#c0392b' : border)}`,
    ...(irreversible ? ['penwidth=2'] : []),
  ]
  return `${quoted(node.key)} [${attributes.join(', ')}]`
}

const lineText = ({ from, to, kind }: Line): string =>
  `  ${quoted(from)} -> ${quoted(to)}${kind === 'after' ? ' [style=dashed]' : ''}`

/**
 * Inside quotation marks only these and backslashes have a meaning; in a label `\N` would stand for the node's
 * name, and `&amp;` for an ampersand.
 */
const quoted = (text: string): string =>
  `"${plain(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('&', '&amp;')}"`
