/**
 * What the difference of two plans comes to: which versions move, what guards less, what can no longer be undone.
 *
 * Boundary: reads two plans; words nothing but the sentence of each meaning.
 */
import type { ApprovalOperation, FailurePolicy, GateOperation, Plan, PlanNode, Revision } from './plan.ts'
import { checkText, durationText, liveText, peopleText, shortHash } from './render/wording.ts'

/**
 * - deploy: another revision reaches a place.
 * - weaker: something that guarded the release does so less, or no longer.
 * - stronger: the opposite.
 * - world: what the older plan was made from is no longer so: it is stale.
 * - code: the definition's code is another.
 */
export type MeaningKind = 'weaker' | 'deploy' | 'world' | 'code' | 'stronger'

export interface Meaning {
  readonly kind: MeaningKind
  /** What it is about: a node's key, `environment/component`, a stage, or `release`. */
  readonly subject: string
  /** A sentence without its subject: `2.9.0 (ab12cd34) → 3.0.0 (cd34ef56)`. */
  readonly text: string
}

const order: readonly MeaningKind[] = ['weaker', 'deploy', 'world', 'code', 'stronger']

/** In order of weight, and of the plans within that. */
export function meaningsOf(older: Plan, newer: Plan): Meaning[] {
  const meanings = [
    ...deployMeanings(older, newer),
    ...guardMeanings(older, newer),
    ...undoMeanings(older, newer),
    ...protectionMeanings(older, newer),
    ...policyMeanings(older, newer),
    ...worldMeanings(older, newer),
    ...codeMeanings(older, newer),
  ]
  return meanings.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
}

/** Where each revision goes, by place. */
const targetsOf = (plan: Plan): Map<string, Revision> =>
  new Map(
    plan.nodes.flatMap(({ environment, operation }) =>
      operation.kind === 'prepare'
        ? [[`${environment}/${operation.revision.component}`, operation.revision]]
        : [],
    ),
  )

function deployMeanings(older: Plan, newer: Plan): Meaning[] {
  const [before, after] = [targetsOf(older), targetsOf(newer)]
  return bothKeys(before, after).flatMap((subject): Meaning[] => {
    const [from, to] = [before.get(subject), after.get(subject)]
    if (to === undefined)
      return [{ kind: 'deploy', subject, text: `is no longer deployed (was ${liveText(from)})` }]
    if (from === undefined) return [{ kind: 'deploy', subject, text: `is deployed too: ${liveText(to)}` }]
    if (from.digest === to.digest && from.version === to.version) return []
    return [{ kind: 'deploy', subject, text: `${liveText(from)} → ${liveText(to)}` }]
  })
}

type Guard = PlanNode & { readonly operation: GateOperation | ApprovalOperation }

const isGuard = (node: PlanNode): node is Guard =>
  node.operation.kind === 'gate' || node.operation.kind === 'approval'

const byKey = <T extends PlanNode>(nodes: readonly T[]): Map<string, T> =>
  new Map(nodes.map(node => [node.key, node]))

function guardMeanings(older: Plan, newer: Plan): Meaning[] {
  const [before, after] = [byKey(older.nodes.filter(isGuard)), byKey(newer.nodes.filter(isGuard))]
  return bothKeys(before, after).flatMap((subject): Meaning[] => {
    const [from, to] = [before.get(subject)?.operation, after.get(subject)?.operation]
    if (to === undefined) return [{ kind: 'weaker', subject, text: `the ${from!.kind} is gone` }]
    if (from === undefined) return [{ kind: 'stronger', subject, text: `is a new ${to.kind}` }]
    if (from.kind === 'gate' && to.kind === 'gate') return gateMeanings(subject, from, to)
    if (from.kind === 'approval' && to.kind === 'approval') return approvalMeanings(subject, from, to)
    return [{ kind: 'weaker', subject, text: `is ${named(to)} now, not ${named(from)}` }]
  })
}

const named = ({ kind }: GateOperation | ApprovalOperation): string =>
  kind === 'approval' ? 'an approval' : 'a gate'

function gateMeanings(subject: string, from: GateOperation, to: GateOperation): Meaning[] {
  const meanings: Meaning[] = []
  if (from.required !== to.required) {
    const text = to.required ? 'its failure stops the release now' : 'its failure only warns now'
    meanings.push({ kind: to.required ? 'stronger' : 'weaker', subject, text })
  }
  const [asked, asks] = [checkText(from.check), checkText(to.check)]
  if (asked !== asks) {
    // Only a figure can be said to be higher; any other question has to be looked at by a person.
    const higher =
      from.check.kind === 'coverage' && to.check.kind === 'coverage' && to.check.atLeast > from.check.atLeast
    meanings.push({
      kind: higher ? 'stronger' : 'weaker',
      subject,
      text: `asks that ${asks}, not that ${asked}`,
    })
  }
  return meanings
}

function approvalMeanings(subject: string, from: ApprovalOperation, to: ApprovalOperation): Meaning[] {
  const meanings: Meaning[] = []
  const roles = [...new Set([...Object.keys(from.from), ...Object.keys(to.from)])]
  const fewer = roles.some(role => (to.from[role] ?? 0) < (from.from[role] ?? 0))
  const more = roles.some(role => (to.from[role] ?? 0) > (from.from[role] ?? 0))
  if (fewer || more) {
    const text = `asks ${peopleText(to.from) || 'nobody'}, not ${peopleText(from.from) || 'nobody'}`
    meanings.push({ kind: fewer ? 'weaker' : 'stronger', subject, text })
  }
  if (from.self !== to.self) {
    const text = to.self
      ? 'who starts the run may approve now'
      : 'who starts the run may not approve any more'
    meanings.push({ kind: to.self ? 'weaker' : 'stronger', subject, text })
  }
  if (from.expires !== to.expires) {
    const said = (expires: number | null): string =>
      expires === null ? 'never' : `after ${durationText(expires)}`
    const longer = (to.expires ?? Infinity) > (from.expires ?? Infinity)
    const text = `expires ${said(to.expires)}, not ${said(from.expires)}`
    meanings.push({ kind: longer ? 'weaker' : 'stronger', subject, text })
  }
  return meanings
}

function undoMeanings(older: Plan, newer: Plan): Meaning[] {
  const before = byKey(older.nodes)
  return newer.nodes.flatMap(({ key, undo }): Meaning[] => {
    const was = before.get(key)?.undo.kind
    if (undo.kind === 'irreversible' && was !== 'irreversible') {
      const text = was === undefined ? 'is new and cannot be taken back' : 'can no longer be taken back'
      return [{ kind: 'weaker', subject: key, text: `${text}: ${undo.reason}` }]
    }
    if (was === 'irreversible' && undo.kind !== 'irreversible') {
      return [{ kind: 'stronger', subject: key, text: 'can be taken back now, or leaves nothing behind' }]
    }
    return []
  })
}

function protectionMeanings(older: Plan, newer: Plan): Meaning[] {
  const before = new Map(older.environments.map(environment => [environment.name, environment.protect]))
  const changed = newer.environments.filter(
    ({ name, protect }) => before.has(name) && before.get(name) !== protect,
  )
  const environments = changed.map(
    ({ name, protect }): Meaning => ({
      kind: protect ? 'stronger' : 'weaker',
      subject: name,
      text: protect ? 'is protected now' : 'is no longer protected',
    }),
  )
  if ((older.approvers === null) === (newer.approvers === null)) return environments
  const asked = newer.approvers !== null
  const text = asked ? 'approvals have to be signed now' : 'approvals are recorded unsigned now'
  return [...environments, { kind: asked ? 'stronger' : 'weaker', subject: 'release', text }]
}

/** The higher, the more of a release is taken back where something in it fails. */
const takenBack: Readonly<Record<FailurePolicy, number>> = {
  'rollback-all': 3,
  'rollback-dependents': 2,
  'continue-partial': 1,
  stop: 0,
}

function policyMeanings(older: Plan, newer: Plan): Meaning[] {
  const before = new Map(older.stages.map(stage => [stage.name, stage.policy]))
  const pairs = newer.stages.map(stage => [stage.name, before.get(stage.name), stage.policy] as const)
  return pairs.flatMap(([subject, from, to]): Meaning[] => {
    if (from === undefined || from === to) return []
    const text = `a failure in it means ${to} now, not ${from}`
    return [{ kind: takenBack[to] < takenBack[from] ? 'weaker' : 'stronger', subject, text }]
  })
}

function worldMeanings(older: Plan, newer: Plan): Meaning[] {
  const flat = (plan: Plan) =>
    new Map(
      Object.entries(plan.facts.live).flatMap(([environment, components]) =>
        Object.entries(components).map(([name, fact]) => [`${environment}/${name}`, fact] as const),
      ),
    )
  const [before, after] = [flat(older), flat(newer)]
  return [...after].flatMap(([subject, now]): Meaning[] => {
    const was = before.get(subject)
    if (was === undefined || (was?.digest === now?.digest && was?.version === now?.version)) return []
    return [{ kind: 'world', subject, text: `runs ${liveText(now)} now, not ${liveText(was)}` }]
  })
}

const codeMeanings = (older: Plan, newer: Plan): Meaning[] =>
  older.bundle === newer.bundle
    ? []
    : [
        {
          kind: 'code',
          subject: 'release',
          text: `the definition's code is another (${shortHash(older.bundle)} → ${shortHash(newer.bundle)}): its steps and checks may do something else`,
        },
      ]

const bothKeys = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): string[] => [
  ...new Set([...a.keys(), ...b.keys()]),
]
