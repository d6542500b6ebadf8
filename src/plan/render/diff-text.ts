/**
 * The difference of two plans for people: what it means first, then every field that differs.
 *
 * Nodes whose fields changed in the same way are said together, so that a new version of a component is one
 * paragraph and not one for each of its instances.
 */
import { canonicalJson } from '../canonical.ts'
import { type FieldChange, type ItemChange, type PlanDiff, type Section, sections } from '../diff.ts'
import type { MeaningKind } from '../diff-meaning.ts'
import type { Json } from '../plan.ts'
import { type Painter, painter, plain } from './painter.ts'
import { countText, listText, shortHash } from './wording.ts'

export interface DiffTextOptions {
  readonly color: boolean
}

/** The whole difference as text, ending in a new line. */
export function renderDiff(diff: PlanDiff, options: DiffTextOptions): string {
  const paint = painter(options)
  const head = paint.bold(`${planText(diff.older)} → ${planText(diff.newer)}`)
  if (diff.identical) return `${head}\nThe plans are the same.\n`
  const parts = [
    [head, 'Approvals of the older plan do not count for the newer one.'],
    meaningLines(diff, paint),
    ...sections.map(section => sectionLines(section, diff.changes[section], paint)),
  ]
  const text = parts.filter(lines => lines.length > 0).map(lines => lines.join('\n'))
  return `${text.join('\n\n')}\n`
}

const planText = ({ release, version, hash }: PlanDiff['older']): string =>
  `${plain(release)} ${plain(version)} (${shortHash(hash)})`

const headings: Readonly<Record<MeaningKind, string>> = {
  weaker: 'Guards less',
  deploy: 'Deploys something else',
  world: 'The world is another: the older plan is stale',
  code: 'Runs other code',
  stronger: 'Guards more',
}

function meaningLines({ meanings }: PlanDiff, paint: Painter): string[] {
  const paints: Record<MeaningKind, (text: string) => string> = {
    weaker: paint.red,
    deploy: paint.green,
    world: paint.yellow,
    code: paint.yellow,
    stronger: paint.green,
  }
  return [...Map.groupBy(meanings, meaning => meaning.kind)].flatMap(([kind, group]) => [
    paints[kind](headings[kind]),
    ...group.map(({ subject, text }) => `  ${plain(subject)}: ${plain(text)}`),
  ])
}

const titles: Readonly<Record<Section, string>> = {
  release: 'Release',
  params: 'Params',
  components: 'Components',
  environments: 'Environments',
  live: 'What runs',
  sources: 'Sources',
  stages: 'Stages',
  nodes: 'Nodes',
  approvers: 'Approvers',
  secrets: 'Secrets',
}

function sectionLines(section: Section, changes: readonly ItemChange[], paint: Painter): string[] {
  if (changes.length === 0) return []
  const told =
    section === 'nodes' ? changes.map(withoutWhatIsSaid).filter(change => change !== null) : changes
  const alike = Map.groupBy(told, change =>
    change.kind === 'changed' ? canonicalJson(change.fields) : `${change.kind} ${change.name}`,
  )
  const quiet = changes.length - told.length
  return [
    paint.bold(titles[section]),
    ...[...alike.values()].flatMap(group => groupLines(group, paint)),
    ...(quiet === 0 ? [] : [`  ~ ${countText(quiet, 'node')} with nothing new but the versions above`]),
  ]
}

/** The meanings name each deployed version, and a title follows from the fields that it is made of. */
function withoutWhatIsSaid(change: ItemChange): ItemChange | null {
  if (change.kind !== 'changed') return change
  const untitled = change.fields.filter(({ field }) => field !== 'title')
  const fields = untitled.filter(({ field }) => !/^operation\.revision\.(version|digest)$/.test(field))
  if (fields.length > 0) return { ...change, fields }
  return untitled.length > 0 ? null : change
}

/** Several items only ever share a group where their fields changed alike. */
function groupLines(group: readonly ItemChange[], paint: Painter): string[] {
  const [first] = group as [ItemChange]
  const names = group.map(({ name }) => plain(name))
  switch (first.kind) {
    case 'added':
      return [paint.green(`  + ${names[0]}${valueText(first.value)}`)]
    case 'removed':
      return [paint.red(`  - ${names[0]}${valueText(first.value)}`)]
    case 'reordered':
      return [paint.yellow(`  ~ the order is another, from ${names[0]} on`)]
    case 'changed': {
      const [only] = first.fields
      const name =
        group.length === 1 ? names[0]! : `${listText(names, 4)} (${countText(group.length, 'item')})`
      if (first.fields.length === 1 && only!.field === '') return [`  ~ ${name}: ${changeText(only!, paint)}`]
      return [
        `  ~ ${name}`,
        ...first.fields.map(field => `      ${plain(field.field)}: ${changeText(field, paint)}`),
      ]
    }
  }
}

/** Of an item that came or went, only what fits beside its name. */
const valueText = (value: Json): string => {
  if (typeof value !== 'object' || value === null) return ` ${jsonText(value)}`
  return 'title' in value && typeof value.title === 'string' ? ` (${plain(value.title)})` : ''
}

function changeText({ from, to }: FieldChange, paint: Painter): string {
  if (isWords(from) && isWords(to)) {
    const gone = from.filter(word => !to.includes(word)).map(word => paint.red(`-${plain(word)}`))
    const come = to.filter(word => !from.includes(word)).map(word => paint.green(`+${plain(word)}`))
    if (gone.length + come.length > 0) return [...gone, ...come].join(' ')
  }
  const old = from === undefined ? paint.dim('unset') : paint.red(jsonText(from))
  return `${old} → ${to === undefined ? paint.dim('unset') : paint.green(jsonText(to))}`
}

const isWords = (value: Json | undefined): value is readonly string[] =>
  Array.isArray(value) && value.every(item => typeof item === 'string')

const sha256 = /^[0-9a-f]{64}$/

const jsonText = (value: Json): string => {
  if (typeof value !== 'string') return plain(canonicalJson(value))
  return sha256.test(value) ? shortHash(value) : plain(value === '' ? '""' : value)
}
