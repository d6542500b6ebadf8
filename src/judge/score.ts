/**
 * Many comparisons as one score, from 0 to 100, in weighted groups.
 *
 * The rule is Kayenta's (its WeightedSumScorer, and thresholds that tell pass, marginal and fail): a group's score is the
 * share of its measures that pass, and the whole is the groups' by their weights. What it lacks: there a group without
 * data scores 100, and nothing can be undecided.
 *
 *  SC1. A group of which nothing was measured fails the whole, or holds it as long as data may come; it is never left
 *       out, whatever its weight.
 *  SC2. What is inconclusive counts as both: the score is a span. It passes if even the worst case does, it fails if
 *       even the best case does, and is inconclusive otherwise.
 *  SC3. A measure without data is undecided as long as data may come, and counts as bad after that, unless it says
 *       that it may have none: then it is left out.
 *  SC4. What is critical fails the whole, and does not pass as long as it is undecided, whatever the score.
 */
import { ReleaseError } from '../errors.ts'
import { countOf } from './unit.ts'

/** What each group weighs, and which scores pass and fail. */
export interface ScorePolicy {
  /** By group, each above 0. What they weigh together is the whole. */
  readonly weights: Readonly<Record<string, number>>
  /** The score that passes. */
  readonly pass: number
  /** A score below it fails. */
  readonly marginal: number
}

/** waits: data may still come. */
export type Gap = 'waits' | 'bad' | 'left-out'

/** What one comparison has come to, in its group. */
export interface ScoredMeasure {
  /** As people call it: `latency p95 compared`. */
  readonly measure: string
  readonly group: string
  /** Where it fails, all does. */
  readonly critical: boolean
  /** What it means that it is not measured, if it is not. */
  readonly gap: Gap
  readonly verdict: 'pass' | 'fail' | 'inconclusive' | 'unmeasured'
  /** For people, a sentence without its full stop. */
  readonly reason: string
}

/** From the worst case of all that is undecided to the best, from 0 to 100. */
export interface Span {
  readonly least: number
  readonly most: number
}

/** One group's score. JSON. */
export interface ScoredGroup extends Span {
  readonly name: string
  readonly weight: number
}

/** What all comparisons have come to. JSON. */
export interface Score extends Span {
  /** marginal: neither passed nor failed, and no measurement would change that. inconclusive: one might. */
  readonly verdict: 'pass' | 'marginal' | 'fail' | 'inconclusive'
  readonly groups: readonly ScoredGroup[]
  /** For people, a sentence without its full stop. */
  readonly reason: string
}

/**
 * Scores what has been compared.
 * @throws ReleaseError `score-policy` where a group has no weight
 */
export function scoreOf(policy: ScorePolicy, measures: readonly ScoredMeasure[]): Score {
  const groups = [...Map.groupBy(measures, ({ group }) => group)].map(([name, members]) => ({
    name,
    weight: weightOf(policy, name),
    members,
    ...groupSpan(members),
  }))
  const span = rounded(averageOf(groups))
  const judged = verdictOf(policy, { span, groups, measures })
  return {
    ...span,
    ...judged,
    groups: groups.map(({ name, weight, least, most }) => ({ name, weight, ...rounded({ least, most }) })),
  }
}

function weightOf({ weights }: ScorePolicy, group: string): number {
  const weight = Object.hasOwn(weights, group) ? weights[group]! : 0
  if (weight > 0) return weight
  throw new ReleaseError(
    'score-policy',
    `the group ${group} has no weight, and would be left out of the score`,
    {
      hint: 'Compile the plan again.',
    },
  )
}

const groupSpan = (members: readonly ScoredMeasure[]): Span =>
  averageOf(members.filter(counts).map(measure => ({ weight: 1, ...spanOf(measure) })))

const isBlind = (members: readonly ScoredMeasure[]): boolean =>
  members.every(({ verdict }) => verdict === 'unmeasured')

const counts = ({ verdict, gap }: ScoredMeasure): boolean => verdict !== 'unmeasured' || gap !== 'left-out'

/** Whether its verdict may still come. */
const isOpen = ({ verdict, gap }: ScoredMeasure): boolean =>
  verdict === 'inconclusive' || (verdict === 'unmeasured' && gap === 'waits')

const spanOf = (measure: ScoredMeasure): Span => ({
  least: measure.verdict === 'pass' ? 100 : 0,
  most: measure.verdict === 'pass' || isOpen(measure) ? 100 : 0,
})

function averageOf(parts: readonly (Span & { readonly weight: number })[]): Span {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0)
  const average = (of: (part: Span) => number): number =>
    total === 0 ? 0 : parts.reduce((sum, part) => sum + part.weight * of(part), 0) / total
  return { least: average(({ least }) => least), most: average(({ most }) => most) }
}

/** To two digits: a sum of shares is not to miss what it has to reach by a digit that nobody wrote. */
const rounded = ({ least, most }: Span): Span => ({
  least: Math.round(least * 100) / 100,
  most: Math.round(most * 100) / 100,
})

interface Group extends ScoredGroup {
  readonly members: readonly ScoredMeasure[]
}

interface Judged {
  readonly span: Span
  readonly groups: readonly Group[]
  readonly measures: readonly ScoredMeasure[]
}

function verdictOf(policy: ScorePolicy, judged: Judged): Pick<Score, 'verdict' | 'reason'> {
  const { span, groups, measures } = judged
  const { pass, marginal } = policy
  const refused = refusalOf(judged)
  if (refused !== null) return { verdict: 'fail', reason: refused }
  const open = measures.filter(isOpen)
  const told = `the score is ${spanText(span)}`
  const why = groupsText(groups)
  if (span.most < marginal) return { verdict: 'fail', reason: `${told}, and below ${marginal} fails: ${why}` }
  const isHeld = open.some(measure => measure.critical) || groups.some(({ members }) => isBlind(members))
  if (span.least >= pass && !isHeld) return { verdict: 'pass', reason: `${told}, and ${pass} passes: ${why}` }
  const isMarginal = open.length === 0
  const how = isMarginal
    ? `which is marginal: ${pass} passes, and below ${marginal} fails`
    : `with ${countOf(open.length, 'measure')} that cannot be told yet`
  return { verdict: isMarginal ? 'marginal' : 'inconclusive', reason: `${told}, ${how}: ${why}` }
}

/** What fails the whole, whatever the score; null: nothing does. */
function refusalOf({ groups, measures }: Pick<Judged, 'groups' | 'measures'>): string | null {
  const critical = measures.filter(measure => measure.critical)
  const broken = critical.find(({ verdict }) => verdict === 'fail')
  if (broken !== undefined) return `${broken.reason}, which is critical`
  const blind = groups.find(({ members }) => isBlind(members) && !members.some(isOpen))
  if (blind !== undefined)
    return `nothing of the group ${blind.name} could be measured: ${blind.members[0]!.reason}`
  const unseen = critical.find(({ verdict, gap }) => verdict === 'unmeasured' && gap === 'bad')
  return unseen === undefined ? null : `${unseen.reason}, which is critical`
}

/** `87.5`, `between 25 and 100` */
export const spanText = ({ least, most }: Span): string =>
  least === most ? String(least) : `between ${least} and ${most}`

/** `errors 0 (error rate of the canary is …), speed 100 (latency p95 compared holds; cpu compared holds)` */
const groupsText = (groups: readonly Group[]): string =>
  groups
    .map(group => `${group.name} ${spanText(rounded(group))} (${group.members.map(memberText).join('; ')})`)
    .join(', ')

function memberText(member: ScoredMeasure): string {
  if (member.verdict === 'pass') return `${member.measure} holds`
  return counts(member) ? member.reason : `${member.reason} and is left out`
}
