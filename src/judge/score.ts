/**
 * Many comparisons as one score, from 0 to 100, in weighted groups.
 *
 *  SC1. A group of which nothing was measured fails the whole; it is never left out, whatever its weight.
 *  SC2. What is inconclusive counts as both: the score is a span. It passes if even the worst case does, it fails if
 *       even the best case does, and is inconclusive otherwise.
 *  SC3. A measure without data counts as bad, unless it says that it may have none.
 */
import { InputError } from '../errors.ts'
import { type Comparison, type ComparisonRule, compareSeries, type Series } from './compare.ts'
import { countOf } from './unit.ts'

/** A comparison in its group. */
export interface ScoredRule extends ComparisonRule {
  readonly group: string
  /** Within its group. Left out: 1. */
  readonly weight?: number
  /** A difference here fails the whole, whatever the score. */
  readonly critical?: boolean
  /** What a measure without data is. Left out: fail. */
  readonly noData?: 'fail' | 'ignore'
}

export interface ScorePolicy {
  readonly measures: readonly ScoredRule[]
  /** Weights by group. Left out: 1. */
  readonly groups?: Readonly<Record<string, number>>
  /** The score that passes, and the one below which it fails. Left out: 95 and 75. */
  readonly pass?: number
  readonly marginal?: number
}

/** From the worst case of all that is inconclusive to the best. */
export interface Span {
  readonly least: number
  readonly most: number
}

/** What all comparisons have come to. JSON. */
export interface Score {
  readonly verdict: 'pass' | 'fail' | 'inconclusive'
  readonly score: Span
  readonly groups: readonly (Span & {
    readonly name: string
    readonly weight: number
    readonly measured: boolean
  })[]
  readonly comparisons: readonly Comparison[]
  /** For people, a sentence without its full stop. */
  readonly reason: string
}

/**
 * Compares every measure and scores them. A measure without a series has no data.
 * @throws InputError where there is no measure, or a weight is not greater than 0
 */
export function scoreOf(policy: ScorePolicy, series: Readonly<Record<string, Series>>): Score {
  checkPolicy(policy)
  const judged = policy.measures.map(rule => ({
    rule,
    comparison: compareSeries(rule, series[rule.measure] ?? { canary: [], baseline: [] }),
  }))
  const groups = [...Map.groupBy(judged, ({ rule }) => rule.group)].map(([name, members]) => ({
    name,
    weight: policy.groups?.[name] ?? 1,
    measured: members.some(({ comparison }) => isMeasured(comparison)),
    ...averageOf(
      members
        .filter(counts)
        .map(({ rule, comparison }) => ({ weight: rule.weight ?? 1, ...spanOf(comparison) })),
    ),
  }))
  const score = averageOf(groups)
  const comparisons = judged.map(({ comparison }) => comparison)
  return { ...verdictOf(policy, { score, groups, judged }), score, groups, comparisons }
}

interface JudgedRule {
  readonly rule: ScoredRule
  readonly comparison: Comparison
}

const isMeasured = ({ verdict }: Comparison): boolean => verdict !== 'no-data' && verdict !== 'error'
const isBad = ({ verdict }: Comparison): boolean => verdict === 'high' || verdict === 'low'
const counts = ({ rule, comparison }: JudgedRule): boolean =>
  comparison.verdict !== 'no-data' || rule.noData !== 'ignore'

function spanOf({ verdict }: Comparison): Span {
  switch (verdict) {
    case 'pass':
      return { least: 100, most: 100 }
    case 'inconclusive':
      return { least: 0, most: 100 }
    case 'high':
    case 'low':
    case 'no-data':
    case 'error':
      return { least: 0, most: 0 }
    default:
      return verdict satisfies never
  }
}

function averageOf(parts: readonly (Span & { readonly weight: number })[]): Span {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0)
  const average = (of: (part: Span) => number): number =>
    total === 0 ? 0 : parts.reduce((sum, part) => sum + part.weight * of(part), 0) / total
  return { least: average(({ least }) => least), most: average(({ most }) => most) }
}

function verdictOf(
  { pass = 95, marginal = 75 }: ScorePolicy,
  {
    score,
    groups,
    judged,
  }: { readonly score: Span; readonly groups: Score['groups']; readonly judged: readonly JudgedRule[] },
): Pick<Score, 'verdict' | 'reason'> {
  const blind = groups.find(({ measured }) => !measured)
  if (blind !== undefined)
    return { verdict: 'fail', reason: `nothing of the group ${blind.name} could be measured` }
  const critical = judged.find(({ rule, comparison }) => rule.critical === true && isBad(comparison))
  if (critical !== undefined) return { verdict: 'fail', reason: critical.comparison.reason }
  const told = scoreText(score)
  if (score.most < marginal)
    return { verdict: 'fail', reason: `${told}, and at least ${marginal} is asked for` }
  if (score.least >= pass) return { verdict: 'pass', reason: `${told}, and at least ${pass} is asked for` }
  const open = judged.filter(({ comparison }) => comparison.verdict === 'inconclusive').length
  const why =
    open === 0 ? 'which neither passes nor fails' : `with ${countOf(open, 'measure')} that cannot be told yet`
  return { verdict: 'inconclusive', reason: `${told}, ${why}` }
}

const scoreText = ({ least, most }: Span): string => {
  const [low, high] = [Math.floor(least), Math.floor(most)]
  return low === high ? `the score is ${low}` : `the score is between ${low} and ${high}`
}

function checkPolicy({ measures, groups = {} }: ScorePolicy): void {
  const problem = (message: string, hint: string): InputError =>
    new InputError([{ code: 'score-policy', severity: 'error', message, hint }])
  if (measures.length === 0)
    throw problem('a score of no measures says nothing', 'Name at least one measure to compare.')
  const weights = [
    ...measures.map(({ measure, weight = 1 }) => [measure, weight] as const),
    ...Object.entries(groups),
  ]
  const wrong = weights.find(([, weight]) => !(weight > 0 && Number.isFinite(weight)))
  if (wrong !== undefined)
    throw problem(
      `the weight of ${wrong[0]} is ${wrong[1]}, which would leave it out`,
      'Give a number greater than 0, or take it away.',
    )
}
