/**
 * The plan for people: what is released, what changes, every node in layers, the longest way, who is asked, and
 * what cannot be taken back.
 *
 * Boundary: text only. No text is cut off; lines that are too long for the width go on in the next, indented.
 */
import { canonicalJson } from '../canonical.ts'
import type { LiveFact, Millis, Plan, Revision } from '../plan.ts'
import { drawPlan, fewestNodes } from './drawing.ts'
import { legendLines, stageSections } from './layers.ts'
import { longestWayLines, noticeSections } from './notices.ts'
import { type Page, widest } from './page.ts'
import { type Cell, flow, type Painter, padded, painter, plain, wrap } from './painter.ts'
import { riskLines } from './risks.ts'
import { countText, liveText, shortHash } from './wording.ts'

export interface TextOptions {
  readonly color: boolean
  /** Columns of the terminal; 100 where it is left out. */
  readonly width?: number
  /** By a node's key: how long it is expected to take. Left out, the longest way goes by the time limits. */
  readonly durations?: Readonly<Record<string, Millis>>
}

/** The whole plan as text, ending in a new line. */
export function renderText(plan: Plan, options: TextOptions): string {
  const page: Page = {
    plan,
    drawing: drawPlan(plan, fewestNodes),
    byKey: new Map(plan.nodes.map(node => [node.key, node])),
    paint: painter(options),
    width: Math.max(20, options.width ?? 100),
    durations: options.durations,
  }
  const sections = [
    headLines(page),
    changeLines(page),
    ...stageSections(page),
    legendLines(page),
    longestWayLines(page),
    riskLines(page),
    ...noticeSections(page),
  ]
  return `${sections
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')}\n`
}

// ── what is released ────────────────────────────────────────────────────────────────────────────

/** `phoenix 3.0.0 “Phoenix”, for 2024-03-15` */
export function releaseTitle({ release: { name, version, codename, targetDate } }: Plan): string {
  const called = codename === undefined ? '' : ` “${plain(codename)}”`
  return `${plain(`${name} ${version}`)}${called}${targetDate === undefined ? '' : `, for ${plain(targetDate)}`}`
}

/** What the plan is made from, by name; nothing is left out but what is empty. */
export function headRows(plan: Plan): readonly (readonly [label: string, value: string])[] {
  const nodes = plan.nodes.filter(node => node.operation.kind !== 'join').length
  const size = `${countText(nodes, 'node')} in ${countText(plan.stages.length, 'stage')}`
  const rows: [string, string][] = [
    ['plan', `${shortHash(plan.hash)}, ${size}, at most ${plan.concurrency} at once`],
    ['bundle', shortHash(plan.bundle)],
    ['params', Object.entries(plan.params).map(paramText).join(', ')],
    ['secrets', plan.secrets.map(secret => plain(secret.name)).join(', ')],
    ['on failure', plan.policy],
  ]
  return rows.filter(([, value]) => value !== '')
}

function headLines({ plan, paint, width }: Page): string[] {
  const facts = headRows(plan).flatMap(([label, value]) =>
    rowLines(label, value, { paint, width, columns: 10 }),
  )
  return [...flow([{ text: releaseTitle(plan), paint: paint.bold }], { width, indent: 2 }), ...facts]
}

const paramText = ([name, value]: [string, unknown]): string => plain(`${name}=${canonicalJson(value)}`)

/** A label and its text, which goes on below itself where it is too long. */
function rowLines(
  label: string,
  text: string,
  { paint, width, columns }: { paint: Painter; width: number; columns: number },
): string[] {
  const lines = wrap(text, Math.max(20, width - columns - 4))
  return lines.map((line, i) => `  ${paint.dim(padded(i === 0 ? label : '', columns))}  ${line}`)
}

// ── what runs now, and what will ────────────────────────────────────────────────────────────────

/** A component that is deployed, what runs in its place now, and what will. */
export interface Change {
  readonly name: string
  readonly now: LiveFact | null
  readonly revision: Revision
  /** Exactly this runs already. */
  readonly stays: boolean
}

/** In plan order. */
export const changesOf = (plan: Plan): readonly Change[] =>
  plan.nodes.flatMap(({ environment, operation }) => {
    if (operation.kind !== 'prepare' || environment === undefined) return []
    const { revision } = operation
    const now = own(own(plan.facts.live, environment), revision.component) ?? null
    const stays = now?.digest === revision.digest && now.version === revision.version
    return [{ name: plain(`${environment}/${revision.component}`), now, revision, stays }]
  })

function changeLines({ plan, paint, width }: Page): string[] {
  const rows = changesOf(plan)
  if (rows.length === 0) return []
  const names = widest(
    rows.map(row => row.name),
    60,
  )
  const versions = widest(
    rows.map(row => liveText(row.now)),
    40,
  )
  const lines = rows.flatMap(({ name, now, revision, stays }) => {
    const cells: Cell[] = stays
      ? [
          { text: `  ${name}`, columns: names + 2 },
          { text: `${liveText(now)} stays`, paint: paint.dim },
        ]
      : [
          { text: `  ${name}`, columns: names + 2 },
          { text: plain(liveText(now)), columns: versions },
          { text: `→ ${plain(liveText(revision))}`, paint: paint.green },
        ]
    return flow(cells, { width, indent: 6 })
  })
  return [paint.bold('What changes'), ...lines]
}

/** What a record itself holds: every object has a `constructor`, and a component may be called so. */
const own = <T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
