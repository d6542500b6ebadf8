/**
 * The plan as one HTML page: all that its text says, with the picture of its graph.
 *
 * Boundary: a plan in, text out; nothing is loaded and nothing runs: there is no script. Everything foreign is escaped
 * by the template that it goes into.
 */
import type { Plan, PlanNode, PlanStage } from '../plan.ts'
import { type Drawing, drawPlan, fewestNodes, wavesOf } from './drawing.ts'
import { layersOf, marksOf, nameOf, othersOf, signsOf, titleOf, waitsText } from './layers.ts'
import { html, type Markup, markupTable, PAGE_STYLE, trusted } from './markup.ts'
import { longestWay, noticesOf } from './notices.ts'
import { plain } from './painter.ts'
import { RISKS_TITLE, riskRows } from './risks.ts'
import { planPicture, SVG_STYLE } from './svg.ts'
import { changesOf, headRows, releaseTitle } from './text.ts'
import { durationText, liveText, purposeText } from './wording.ts'

/** A picture of more nodes than this is a file of its own: a page with it would take a browser minutes. */
const MOST_DRAWN = 2000

const STYLE = `${PAGE_STYLE}${SVG_STYLE}
.picture { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .4rem } .picture svg { display: block; margin: 0 auto } @media print { .picture svg { max-width: 100%; height: auto } }
`

/** The whole page. Ends with a line break. */
export function renderPlanHtml(plan: Plan): string {
  const title = releaseTitle(plan)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${`Plan of ${title}`}</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<div class="box"><dl>${headRows(plan).map(([label, value]) => html`<dt>${label}</dt><dd>${value}</dd>`)}</dl></div>
${changes(plan)}
${rows(RISKS_TITLE, ['Deployment', 'What it risks'], riskRows(plan))}
${noticesOf(plan).map(notice => rows(notice.title, ['Node', 'What'], notice.rows))}
${way(plan)}
${picture(plan)}
${stages(plan)}
</main>
</body>
</html>
`.markup
}

const rows = (
  title: string,
  head: readonly string[],
  all: readonly (readonly [string, string])[],
): Markup | null =>
  all.length === 0
    ? null
    : html`<h2>${title}</h2>${markupTable(
        title,
        head,
        all.map(([name, text]) => [html`<code>${plain(name)}</code>`, plain(text)]),
      )}
`

function changes(plan: Plan): Markup | null {
  const all = changesOf(plan).map(({ name, now, revision, stays }) => [
    name,
    liveText(now),
    stays ? html`<span class="soft">stays</span>` : html`<span class="good">${liveText(revision)}</span>`,
  ])
  if (all.length === 0) return null
  return html`<h2>What changes</h2>${markupTable('What changes', ['Component', 'Now', 'Then'], all)}`
}

function way(plan: Plan): Markup | null {
  const found = longestWay(plan, undefined)
  if (found === null) return null
  return html`<h2>Longest way</h2><p>${durationText(found.length)}, ${found.by}:</p><ol>${found.steps.map(step => html`<li>${step}</li>`)}</ol>`
}

function picture(plan: Plan): Markup {
  if (plan.nodes.length > MOST_DRAWN) {
    return html`<h2>Picture</h2><p>The graph has ${plan.nodes.length} nodes, which no page shows well. As a file of its own: <code>release plan --format svg --out plan.svg</code></p>`
  }
  return html`<h2>Picture</h2><div class="scroll picture" role="region" aria-label="The plan’s graph" tabindex="0">${planPicture(plan)}</div>`
}

function stages(plan: Plan): Markup {
  const drawing = drawPlan(plan, fewestNodes)
  const byKey = new Map(plan.nodes.map(node => [node.key, node]))
  const waves = wavesOf(drawing)
  const byStage = Map.groupBy(drawing.nodes, ({ stage }) => stage)
  const parts = plan.stages.map(stage =>
    stageText(stage, layersOf(byStage.get(stage.name) ?? [], waves), { drawing, byKey }),
  )
  return html`<h2>Stages</h2><p class="soft">What stands under one number may run side by side. ${signsOf(drawing).join(' · ')}</p>${parts}`
}

interface Known {
  readonly drawing: Drawing
  readonly byKey: ReadonlyMap<string, PlanNode>
}

function stageText(
  { name, after, policy }: PlanStage,
  layers: readonly (readonly PlanNode[])[],
  known: Known,
): Markup {
  const first = after.length === 0 ? '' : `after ${after.join(', ')}, `
  const all = layers.flatMap((layer, i) =>
    layer.map((node, n) => [n === 0 ? i + 1 : '', ...nodeCells(node, known)]),
  )
  const head = ['Order', 'Node', 'What', 'Limits', 'For', 'Waits for']
  return html`<h3>${plain(name)}</h3><p class="soft">${plain(first)}on failure ${policy}</p>${markupTable(`Nodes of ${plain(name)}`, head, all, [0])}
`
}

const nodeCells = (node: PlanNode, { drawing, byKey }: Known): readonly (string | Markup)[] => [
  html`<code>${nameOf(node.key, node.stage)}</code>`,
  titleOf(node),
  node.undo.kind === 'irreversible' ? html`<span class="warn">${marksOf(node)}</span>` : marksOf(node),
  plain(purposeText(node)),
  waitsText(othersOf(drawing.waits.get(node.key)!, node, { byKey }), node.stage),
]
