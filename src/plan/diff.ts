/**
 * What changed between two plans, and what that means.
 *
 * Role: the answer to "what else would this plan do than that one?", as data; diff-text.ts says it in words.
 *
 * Invariants:
 *  F1. Two plans with the same hash have no difference, and two with different hashes have at least one item.
 *  F2. Whatever the hash covers is compared; positions are not.
 *  F3. `meanings` follow from the items alone; each names its place.
 */
import { canonicalJson, hashedPart } from './canonical.ts'
import { type Meaning, meaningsOf } from './diff-meaning.ts'
import type { Json, Plan, Sha256 } from './plan.ts'

/** One field of an item. A side is left out where the field was not there. */
export interface FieldChange {
  /** Dotted: `operation.check.atLeast`. */
  readonly field: string
  readonly from?: Json
  readonly to?: Json
}

/** added and removed items are held whole in `value`. */
export type ItemChange =
  | { readonly kind: 'added'; readonly name: string; readonly value: Json }
  | { readonly kind: 'removed'; readonly name: string; readonly value: Json }
  | { readonly kind: 'changed'; readonly name: string; readonly fields: readonly FieldChange[] }
  /** The same items stand in another order. */
  | { readonly kind: 'reordered'; readonly name: string }

export const sections = [
  'release',
  'params',
  'components',
  'environments',
  'live',
  'sources',
  'stages',
  'nodes',
  'approvers',
  'secrets',
] as const

export type Section = (typeof sections)[number]

export interface PlanName {
  readonly release: string
  readonly version: string
  readonly hash: Sha256
}

export interface PlanDiff {
  readonly older: PlanName
  readonly newer: PlanName
  readonly identical: boolean
  /** What it comes to, the weightiest first. */
  readonly meanings: readonly Meaning[]
  readonly changes: Readonly<Record<Section, readonly ItemChange[]>>
}

/** Compares two plans of the current format. */
export function diffPlans(older: Plan, newer: Plan): PlanDiff {
  const [before, after] = [itemsOf(older), itemsOf(newer)]
  const changes = Object.fromEntries(
    sections.map(section => [section, diffItems(section, before[section], after[section])]),
  ) as unknown as PlanDiff['changes']
  return {
    older: nameOf(older),
    newer: nameOf(newer),
    identical: canonicalJson(hashedPart(older)) === canonicalJson(hashedPart(newer)),
    meanings: meaningsOf(older, newer),
    changes,
  }
}

const nameOf = ({ release, hash }: Plan): PlanName => ({
  release: release.name,
  version: release.version,
  hash,
})

type Items = ReadonlyMap<string, Json>

function itemsOf(plan: Plan): Record<Section, Items> {
  const { release, bundle, policy, concurrency, format } = plan
  // That nobody is named is another thing than that the list is empty: approvals are then recorded unsigned.
  const approvals = plan.approvers === null ? 'unsigned' : 'signed'
  const live = Object.entries(plan.facts.live).flatMap(([environment, components]) =>
    Object.entries(components).map(([component, fact]) => [`${environment}/${component}`, fact] as const),
  )
  const named = <T extends object>(items: readonly T[], name: (item: T) => string): Items =>
    new Map(items.map(item => [name(item), item as Json]))
  return {
    release: new Map(
      Object.entries({ ...release, bundle, policy, concurrency, format, approvals }) as [string, Json][],
    ),
    params: new Map(Object.entries(plan.params)),
    components: named(plan.components, component => component.name),
    environments: named(plan.environments, environment => environment.name),
    live: new Map(live as [string, Json][]),
    sources: new Map(Object.entries(plan.facts.sources)),
    stages: named(plan.stages, stage => stage.name),
    nodes: named(plan.nodes, node => node.key),
    approvers: named(plan.approvers ?? [], approver => approver.person),
    secrets: named(plan.secrets, secret => secret.name),
  }
}

/** The properties of an object are in no order; the items of a list are. */
const ordered: ReadonlySet<Section> = new Set([
  'components',
  'environments',
  'stages',
  'nodes',
  'approvers',
  'secrets',
])

function diffItems(section: Section, before: Items, after: Items): ItemChange[] {
  const removed = [...before].filter(([name]) => !after.has(name))
  const changes = [...after].flatMap(([name, value]): ItemChange[] => {
    if (!before.has(name)) return [{ kind: 'added', name, value }]
    const fields = diffFields(before.get(name)!, value)
    return fields.length === 0 ? [] : [{ kind: 'changed', name, fields }]
  })
  const moved = ordered.has(section) ? reorderedOf(before, after) : []
  return [
    ...removed.map(([name, value]): ItemChange => ({ kind: 'removed', name, value })),
    ...changes,
    ...moved,
  ]
}

/** Only what both have is compared: what was put in or taken out moves nothing. */
function reorderedOf(before: Items, after: Items): ItemChange[] {
  const kept = [...before.keys()].filter(name => after.has(name))
  const now = [...after.keys()].filter(name => before.has(name))
  const at = kept.findIndex((name, i) => name !== now[i])
  return at === -1 ? [] : [{ kind: 'reordered', name: now[at]! }]
}

/** The innermost fields that differ. Lists are compared whole. */
export function diffFields(from: Json, to: Json, path = ''): FieldChange[] {
  if (!isRecord(from) || !isRecord(to)) {
    return canonicalJson(from) === canonicalJson(to) ? [] : [{ field: path, from, to }]
  }
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])]
  return names.flatMap((name): FieldChange[] => {
    const field = path === '' ? name : `${path}.${name}`
    const [a, b] = [from[name], to[name]]
    if (a === undefined && b === undefined) return []
    if (a === undefined) return [{ field, to: b! }]
    return b === undefined ? [{ field, from: a }] : diffFields(a, b, field)
  })
}

const isRecord = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
