/**
 * What is worth knowing of a plan before it starts: how long it may take, who is asked, what cannot be taken back.
 */
import { criticalPath } from '../../graph/graph.ts'
import type { Millis, Plan, PlanNode } from '../plan.ts'
import { type Page, section } from './page.ts'
import { type Cell, flow, plain } from './painter.ts'
import { durationText, listText } from './wording.ts'

/** What decides how long the run takes at most, and by which measure. */
export interface LongestWay {
  readonly length: Millis
  /** Each node that takes time, as text. */
  readonly steps: readonly string[]
  readonly by: string
}

/** The path that decides how long the run takes: by expected durations, or by the time limits. null: none takes time. */
export function longestWay(
  plan: Plan,
  durations: Readonly<Record<string, Millis>> | undefined,
): LongestWay | null {
  const byKey = new Map(plan.nodes.map(node => [node.key, node]))
  const weight = (key: string): Millis =>
    durations?.[key] ?? (durations === undefined ? limitOf(byKey.get(key)!) : 0)
  const vertices = plan.nodes.map(node => ({ key: node.key, needs: [...node.needs, ...node.after] }))
  const { path, length } = criticalPath(vertices, weight)
  const steps = path.filter(key => weight(key) > 0).map(key => `${plain(key)} ${durationText(weight(key))}`)
  if (steps.length === 0) return null
  const by = durations === undefined ? 'by the time limits of one attempt each' : 'by the expected durations'
  const people = plan.nodes.some(node => node.operation.kind === 'approval')
    ? ', without the wait for people'
    : ''
  const shown =
    steps.length <= 12 ? steps : [...steps.slice(0, 8), `${steps.length - 11} more`, ...steps.slice(-3)]
  return { length, steps: shown, by: `${by}${people}` }
}

/** The longest way as text. */
export function longestWayLines({ plan, paint, width, durations }: Page): string[] {
  const way = longestWay(plan, durations)
  if (way === null) return []
  const head: Cell[] = [
    { text: 'Longest way', paint: paint.bold },
    { text: durationText(way.length) },
    { text: way.by, paint: paint.dim },
  ]
  const steps = way.steps.map((step, i): Cell => ({ text: i === 0 ? `  ${step}` : `→ ${step}` }))
  return [...flow(head, { width, indent: 2 }), ...flow(steps, { width, indent: 2 })]
}

const limitOf = ({ operation, timeout }: PlanNode): Millis =>
  operation.kind === 'wait' ? operation.duration : (timeout ?? 0)

/** A title, and what stands under it: a node's key and what is to be known of it. */
export interface Notice {
  readonly title: string
  readonly rows: readonly (readonly [key: string, text: string])[]
}

/** What is worth knowing of single nodes, by subject; one without rows says nothing. */
export const noticesOf = (plan: Plan): readonly Notice[] => [
  { title: 'Needs a person', rows: people(plan) },
  { title: 'Cannot be taken back', rows: irreversible(plan) },
  { title: 'Left as it is by a rollback', rows: left(plan) },
  { title: 'Asks a person where a crash cut it off', rows: uncertain(plan) },
]

/** The same as text. */
export const noticeSections = (page: Page): string[][] =>
  noticesOf(page.plan).map(({ title, rows }) => section(page, title, rows))

/** Every approval, and who may give it. */
const people = ({ approvers, nodes }: Plan): Notice['rows'] =>
  nodes.flatMap(({ key, operation }): [string, string][] => {
    if (operation.kind !== 'approval') return []
    const roles = Object.entries(operation.from).map(
      ([role, count]) => `${count} ${role}${whoMay(approvers, role)}`,
    )
    const expires = operation.expires === null ? '' : `, within ${durationText(operation.expires)}`
    const self = operation.self ? '; who starts the run counts too' : ''
    const unsigned = approvers === null ? '; recorded unsigned' : ''
    return [[key, `${roles.join(' and ')}${expires}${self}${unsigned}`]]
  })

function whoMay(approvers: Plan['approvers'], role: string): string {
  if (approvers === null) return ''
  const people = approvers.filter(({ roles }) => roles.includes(role)).map(({ person }) => person)
  return ` (${people.length === 0 ? 'nobody has this role' : listText(people, 5)})`
}

/** What nothing takes back once it has begun. */
const irreversible = ({ nodes }: Plan): Notice['rows'] =>
  nodes.flatMap(({ key, undo }): [string, string][] =>
    undo.kind === 'irreversible'
      ? [
          [
            key,
            undo.freezes === true
              ? `${undo.reason}; once it has begun, what it was built on stays too`
              : undo.reason,
          ],
        ]
      : [],
  )

/** What a rollback passes over. Only what could have an effect of its own: a gate or a wait leaves nothing anyway. */
const left = ({ nodes }: Plan): Notice['rows'] =>
  nodes.flatMap(({ key, operation, undo }): [string, string][] => {
    if (undo.kind !== 'nothing') return []
    if (operation.kind === 'step') return [[key, 'has no effect that lasts, it says']]
    return operation.kind === 'notify' ? [[key, 'a message that was sent stays sent']] : []
  })

/** What resume cannot decide by itself after a crash. */
const uncertain = ({ nodes }: Plan): Notice['rows'] =>
  nodes.flatMap(({ key, operation }): [string, string][] =>
    operation.kind === 'step' && !operation.idempotent && !operation.observable
      ? [[key, 'it has neither `observe` nor `idempotent`']]
      : [],
  )
