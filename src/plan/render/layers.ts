/**
 * The nodes of a plan, stage by stage, in layers: what stands under one number may run side by side.
 */
import type { PlanNode, PlanStage } from '../plan.ts'
import { type Drawing, type Line, wavesOf } from './drawing.ts'
import type { Page } from './page.ts'
import { widest } from './page.ts'
import { type Cell, flow, type Painter, padded, plain } from './painter.ts'
import { durationText, listText, purposeText } from './wording.ts'

/** A section for each stage. */
export function stageSections(page: Page): string[][] {
  const waves = wavesOf(page.drawing)
  const byStage = Map.groupBy(page.drawing.nodes, node => node.stage)
  return page.plan.stages.map(stage =>
    stageLines(page, stage, layersOf(byStage.get(stage.name) ?? [], waves)),
  )
}

/** What stands under one number may run side by side. */
export const layersOf = (nodes: readonly PlanNode[], waves: ReadonlyMap<string, number>): PlanNode[][] =>
  [...Map.groupBy(nodes, node => waves.get(node.key)!)]
    .toSorted(([a], [b]) => a - b)
    .map(([, layer]) => layer)

interface Columns {
  readonly wave: number
  readonly name: number
  readonly title: number
  readonly marks: number
}

function stageLines(page: Page, stage: PlanStage, layers: readonly (readonly PlanNode[])[]): string[] {
  const { paint } = page
  const after = stage.after.length === 0 ? '' : `after ${plain(stage.after.join(', '))}, `
  const head: Cell[] = [
    { text: plain(stage.name), paint: paint.bold },
    { text: `${after}on failure ${stage.policy}`, paint: paint.dim },
  ]
  const nodes = layers.flat()
  const columns: Columns = {
    wave: String(layers.length).length,
    name: widest(
      nodes.map(node => nameOf(node.key, stage.name)),
      40,
    ),
    title: widest(nodes.map(titleOf), 40),
    marks: widest(nodes.map(marksOf), 24),
  }
  return [
    ...flow(head, { width: page.width, indent: 2 }),
    ...layers.flatMap((layer, i) => layerLines(page, layer, { columns, wave: i + 1 })),
  ]
}

/** What all of a layer wait for is said once, below it. */
function layerLines(
  page: Page,
  layer: readonly PlanNode[],
  { columns, wave }: { readonly columns: Columns; readonly wave: number },
): string[] {
  const { drawing, paint, width } = page
  const waits = layer.map(node => waitsText(othersOf(drawing.waits.get(node.key)!, node, page), node.stage))
  const shared = layer.length > 1 && waits[0] !== '' && waits.every(text => text === waits[0])
  const indent = columns.wave + 6
  const rows = layer.flatMap((node, i) => {
    const number = padded(i === 0 ? String(wave) : '', columns.wave)
    const cells: Cell[] = [
      { text: `  ${number}`, paint: paint.dim },
      { text: nameOf(node.key, node.stage), columns: columns.name },
      { text: titleOf(node), columns: columns.title, paint: paintOf(node, paint) },
      { text: marksOf(node), columns: columns.marks, paint: marksPaintOf(node, paint) },
      { text: plain(purposeText(node)) },
      { text: shared ? '' : waits[i]!, paint: paint.dim },
    ]
    return flow(cells, { width, indent })
  })
  const below = [{ text: `${' '.repeat(columns.wave + 4)}each ${waits[0]}`, paint: paint.dim }]
  return shared ? [...rows, ...flow(below, { width, indent })] : rows
}

/** A key without its stage, where that stands above it. */
export const nameOf = (key: string, stage: string): string =>
  plain(key.startsWith(`${stage}/`) ? key.slice(stage.length + 1) : key)

/** The title without what the name says already. */
export function titleOf({ component, operation, title }: PlanNode): string {
  const prefix = `${component ?? operation.kind}: `
  const rest = title.startsWith(prefix) ? title.slice(prefix.length) : title
  return plain('name' in operation && rest === operation.name ? operation.kind : rest)
}

const marksPaintOf = ({ undo }: PlanNode, paint: Painter): Painter['dim'] =>
  undo.kind === 'irreversible' ? paint.yellow : paint.dim

const paintOf = (node: PlanNode, paint: Painter): ((text: string) => string) => {
  if (node.operation.kind === 'approval') return paint.cyan
  return ['replace', 'shift', 'promote'].includes(node.operation.kind) ? paint.green : text => text
}

/** Time limit, further attempts, and what a rollback can do. */
export function marksOf(node: PlanNode): string {
  const { operation, retry, timeout } = node
  const marks = [
    timeout === null ? '' : durationText(timeout),
    retry.limit === 0 ? '' : `+${retry.limit}×`,
    operation.kind === 'approval' && operation.expires !== null ? durationText(operation.expires) : '',
    (operation.kind === 'gate' || operation.kind === 'notify') && !operation.required ? '?' : '',
    { nothing: '', restore: '↩', step: '↩', traffic: '↩', remove: '↩', irreversible: '!' }[node.undo.kind],
  ]
  return marks.filter(mark => mark !== '').join(' ')
}

/** Without a deployment's own earlier nodes: that they follow each other goes without saying. */
export const othersOf = (
  lines: readonly Line[],
  { component, environment, stage }: PlanNode,
  { byKey }: Pick<Page, 'byKey'>,
): Line[] =>
  lines.filter(({ from }) => {
    const before = byKey.get(from)!
    const same =
      before.component === component && before.environment === environment && before.stage === stage
    return component === undefined || !same
  })

/** What a node needs, and what only has to have ended. */
export function waitsText(lines: readonly Line[], stage: string): string {
  const named = (kind: Line['kind']): string[] =>
    lines.filter(line => line.kind === kind).map(line => nameOf(line.from, stage))
  const [needs, after] = [named('needs'), named('after')]
  return [
    needs.length === 0 ? '' : `← ${listText(needs, 3)}`,
    after.length === 0 ? '' : `⇠ ${listText(after, 3)}`,
  ]
    .filter(part => part !== '')
    .join('  ')
}

/** What the signs mean, of those that are used. */
export function signsOf({ nodes, waits }: Drawing): readonly string[] {
  const marks = new Set(nodes.flatMap(node => marksOf(node).split(' ')).filter(mark => /^[?!↩+]/.test(mark)))
  const lines = [...waits.values()].flat()
  const signs: [boolean, string][] = [
    [lines.some(line => line.kind === 'needs'), '← needs'],
    [lines.some(line => line.kind === 'after'), '⇠ once it has ended'],
    [[...marks].some(mark => mark.startsWith('+')), '+2× further attempts'],
    [marks.has('↩'), '↩ a rollback takes it back'],
    [marks.has('!'), '! nothing takes it back'],
    [marks.has('?'), '? its failure only warns'],
  ]
  return signs.filter(([isUsed]) => isUsed).map(([, text]) => text)
}

/** The same as a line of text. */
export function legendLines({ drawing, paint, width }: Page): string[] {
  const cells = signsOf(drawing).map((text, i) => ({ text: i === 0 ? `  ${text}` : text, paint: paint.dim }))
  return flow(cells, { width, indent: 2 })
}
