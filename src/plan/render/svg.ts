/**
 * The plan's graph as a picture: a frame for each stage, a box for each node, how much traffic each shift moves.
 *
 * Boundary: text only; everything foreign is escaped by the template. It stands alone as a file, follows the reader's
 * light or dark screen, and holds each node's full title for those who point at it.
 */
import type { OperationKind, Plan, PlanNode } from '../plan.ts'
import { type Drawing, drawPlan, fewestLines, type LineKind } from './drawing.ts'
import { BOX, type Layout, layoutDrawing, type Point } from './layout.ts'
import { type Content, html, type Markup, trusted } from './markup.ts'
import { columnsOf, plain } from './painter.ts'
import { countText } from './wording.ts'

type Look = 'gate' | 'approval' | 'step' | 'wait' | 'notify' | 'deploy' | 'shift' | 'measure' | 'join'

const LOOKS: Readonly<Record<OperationKind, Look>> = {
  gate: 'gate',
  approval: 'approval',
  step: 'step',
  wait: 'wait',
  notify: 'notify',
  prepare: 'deploy',
  replace: 'deploy',
  verify: 'deploy',
  start: 'deploy',
  promote: 'deploy',
  remove: 'deploy',
  shift: 'shift',
  analyse: 'measure',
  join: 'join',
}

const NAMES: Readonly<Record<Look, string>> = {
  gate: 'gate',
  approval: 'approval',
  step: 'the team’s step',
  wait: 'wait',
  notify: 'message',
  deploy: 'instances',
  shift: 'traffic, its share filled',
  measure: 'measurement',
  join: 'all of these',
}

/** What the picture's elements look like; in a page it belongs into the page's own style. */
export const SVG_STYLE = `
.plan { --paper: #fff; --ink: #1c2530; --soft: #55606d; --frame: #cfd6df; --edge: #8a94a1; --stop: #b3261e; font: 11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif }
.plan text { fill: var(--ink) } .plan .head { font-weight: 600 } .plan .soft { fill: var(--soft) } .plan .frame { fill: none; stroke: var(--frame) } .plan .paper { fill: var(--paper) } .plan .name { font-size: 14px; font-weight: 600 }
.plan path { fill: none; stroke: var(--edge); stroke-width: 1.1 } .plan path.after { stroke-dasharray: 4 3 } .plan marker path { fill: var(--edge); stroke: none } .plan .box { stroke-width: 1.2 } .plan .share { fill: #2f8f46 } .plan .track { fill: #2f8f46; opacity: .2 }
.plan .gate { fill: #e8f1fb; stroke: #2f6fb0 } .plan .approval { fill: #fdf0d5; stroke: #b7791f } .plan .step { fill: #f1f1f3; stroke: #71717a } .plan .wait { fill: #f7f7f8; stroke: #a1a1aa } .plan .notify { fill: #f3e8fd; stroke: #7e3fb0 }
.plan .deploy { fill: #eef7ee; stroke: #5d9f68 } .plan .shift { fill: #d9f2dd; stroke: #2f8f46 } .plan .measure { fill: #e3f3f5; stroke: #1f7f8c } .plan .join { fill: #e4e4e7; stroke: #a1a1aa } .plan .for-good { stroke: var(--stop); stroke-width: 2.4 }
@media (prefers-color-scheme: dark) { .plan { --paper: #10161e; --ink: #e6edf5; --soft: #9fb0c3; --frame: #38475a; --edge: #7d8b9b; --stop: #ff8f86 }
.plan .gate { fill: #14263a; stroke: #6aa5e0 } .plan .approval { fill: #33270f; stroke: #d9a441 } .plan .step { fill: #23272e; stroke: #8b93a0 } .plan .wait { fill: #1b2028; stroke: #717b88 } .plan .notify { fill: #2a1a3a; stroke: #b583e3 }
.plan .deploy { fill: #16281a; stroke: #6fae7a } .plan .shift { fill: #17361f; stroke: #5fc178 } .plan .measure { fill: #0f2c31; stroke: #57b3c1 } .plan .join { fill: #2a2f37; stroke: #717b88 } .plan .for-good { stroke: var(--stop) } .plan .share { fill: #5fc178 } .plan .track { fill: #5fc178 } }
`

const MARGIN = 16
const LEGEND = 54

/** A file of its own, ending in a new line. */
export const renderSvg = (plan: Plan): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${planPicture(plan, { style: SVG_STYLE }).markup}\n`

/** The picture as an element. `style` goes into it; left out, the page that it stands in has it. */
export function planPicture(plan: Plan, options: { readonly style?: string } = {}): Markup {
  const drawing = drawPlan(plan, fewestLines)
  const layout = layoutDrawing(plan, drawing)
  const legend = legendOf(drawing)
  const width = Math.ceil(Math.max(layout.width, legend.width)) + 2 * MARGIN
  const height = Math.ceil(layout.height) + 2 * MARGIN + LEGEND
  const name = plain(`${plan.release.name} ${plan.release.version}`)
  const size = `${countText(drawing.nodes.length, 'node')} in ${countText(plan.stages.length, 'stage')}`
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="plan" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${`The plan of ${name}: ${size}`}">
${
  options.style === undefined
    ? null
    : html`<style>${trusted(options.style)}</style>
`
}<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>
<rect class="paper" width="${width}" height="${height}"/>
<g transform="translate(${MARGIN} ${MARGIN})">
${frames(layout)}${layout.lines.map(({ line, points }) => lineText(line.kind, points))}${drawing.nodes.map(node => boxText(node, layout.boxes.get(node.key)!))}</g>
<g transform="translate(${MARGIN} ${height - LEGEND})">${legend.picture}</g>
</svg>`
}

const rounded = (value: number): number => Math.round(value * 10) / 10

const frames = ({ stages }: Layout): Content =>
  stages.map(
    ({ name, x, y, width, height }) =>
      html`<rect class="frame" x="${rounded(x)}" y="${rounded(y)}" width="${rounded(width)}" height="${rounded(height)}" rx="8"/><text class="name" x="${rounded(x + 12)}" y="${rounded(y + 22)}">${plain(name)}</text>
`,
  )

/** From point to point, each left and reached upright. */
function lineText(kind: LineKind, points: readonly Point[]): Markup {
  let path = ''
  for (const [i, { x, y }] of points.entries()) {
    const before = points[i - 1]
    if (before === undefined) path += `M${rounded(x)} ${rounded(y)}`
    else {
      const half = rounded((before.y + y) / 2)
      path += `C${rounded(before.x)} ${half} ${rounded(x)} ${half} ${rounded(x)} ${rounded(y)}`
    }
  }
  return html`<path${kind === 'after' ? html` class="after"` : null} d="${path}" marker-end="url(#tip)"/>
`
}

function boxText(node: PlanNode, { x, y }: Point): Markup {
  const { operation, undo } = node
  const look = LOOKS[operation.kind]
  const [head, rest] = wordsOf(node)
  const forGood = undo.kind === 'irreversible' ? ' for-good' : ''
  const share = operation.kind === 'shift' ? shareText(operation.traffic.canary) : null
  return html`<g transform="translate(${rounded(x)} ${rounded(y)})"><title>${plain(`${node.key}: ${node.title}`)}</title><rect class="box ${look}${forGood}" width="${BOX.width}" height="${BOX.height}" rx="5"/><text class="head" x="8" y="17">${fitted(head)}</text><text class="soft" x="8" y="32">${fitted(rest)}</text>${share}</g>
`
}

const BAR = BOX.width - 2
const shareText = (percent: number): Markup =>
  html`<rect class="track" x="1" y="${BOX.height - 5}" width="${BAR}" height="4"/><rect class="share" x="1" y="${BOX.height - 5}" width="${rounded((BAR * percent) / 100)}" height="4"/>`

/** Whose node it is, and what it does. */
function wordsOf({ title, component, operation }: PlanNode): readonly [string, string] {
  const text = plain(title)
  const owner = plain(component ?? operation.kind)
  if (operation.kind === 'join') return ['all of these', text]
  return text.startsWith(`${owner}: `) ? [owner, text.slice(owner.length + 2)] : [text, owner]
}

/** As much as a box holds; the whole stands in its title. */
function fitted(text: string): string {
  const most = 31
  if (columnsOf(text) <= most) return text
  let kept = ''
  for (const character of text) {
    if (columnsOf(kept + character) > most - 1) break
    kept += character
  }
  return `${kept.trimEnd()}…`
}

/** What the looks mean, of those that are used. */
function legendOf({ nodes, waits }: Drawing): { readonly picture: Markup; readonly width: number } {
  const looks = [...new Set(nodes.map(({ operation }) => LOOKS[operation.kind]))]
  const lines = new Set([...waits.values()].flat().map(({ kind }) => kind))
  const forGood = nodes.some(({ undo }) => undo.kind === 'irreversible')
  const signs: (readonly [Markup, string])[] = [
    ...looks.map(look => [swatch(look), NAMES[look]] as const),
    ...(forGood ? [[swatch('for-good paper'), 'nothing takes it back'] as const] : []),
    ...(lines.has('needs') ? [[html`<path d="M0 8H20" marker-end="url(#tip)"/>`, 'needed by'] as const] : []),
    ...(lines.has('after')
      ? [[html`<path class="after" d="M0 8H20" marker-end="url(#tip)"/>`, 'once it has ended'] as const]
      : []),
  ]
  const half = Math.ceil(signs.length / 2)
  const places = [0, 0]
  const items = signs.map(([sign, name], i) => {
    const row = i < half ? 0 : 1
    const x = places[row]!
    places[row] = x + 28 + columnsOf(name) * 6.4 + 18
    return html`<g transform="translate(${rounded(x)} ${row * 22})">${sign}<text x="28" y="12">${name}</text></g>`
  })
  return { picture: html`${items}`, width: Math.max(...places) }
}

const swatch = (look: string): Markup => html`<rect class="box ${look}" width="20" height="15" rx="3"/>`
