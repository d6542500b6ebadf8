/**
 * Lowering of scores: which comparisons count together, and what each group weighs.
 *
 * Reason: in Kayenta a comparison without a group does not count, a weight of a group that is nowhere is lost, and
 * weights may come to anything. Here each of these is said before anything runs.
 */
import type { AnalysisModel, CallSite, MetricModel, ScoreModel } from '../definition/model.ts'
import type { ScorePolicy } from '../judge/score.ts'
import type { PlanMetric } from '../plan/plan.ts'
import type { CompileContext } from './context.ts'

/** A hundredth of a percent: thirds of a hundred are no mistake. */
const ROUNDING = 0.01

export interface ScoredBy {
  readonly analysis: AnalysisModel
  /** What is left of the analysis's metrics where it is watched. */
  readonly metrics: readonly PlanMetric[]
  /** What decides an experiment, which is not scored; null: nothing does. */
  readonly decides: MetricModel | null
  readonly at: CallSite
}

/** The score of what is watched; undefined: nothing of it is scored. */
export function lowerScore(context: CompileContext, scored: ScoredBy): ScorePolicy | undefined {
  const { analysis, metrics, decides, at } = scored
  const { score } = analysis
  const own = analysis.metrics.filter(metric => metric !== decides)
  checkUnscored(context, score === null ? analysis.metrics : decides === null ? [] : [decides], score)
  if (score === null) return undefined
  const groups = groupsOf(context, own)
  const where = score.at ?? at
  checkBounds(context, score, where)
  if (groups.length === 0 && !own.some(isCompared)) reportNothing(context, where)
  const weights = weightsOf(context, score, { groups, at: where })
  const here = groups.filter(group =>
    metrics.some(({ expected }) => expected.kind === 'comparison' && expected.group === group),
  )
  if (here.length === 0) return undefined
  return {
    weights: Object.fromEntries(here.map(group => [group, weights.get(group) ?? 0])),
    pass: score.pass,
    marginal: score.marginal,
  }
}

const isCompared = ({ expected }: MetricModel): boolean => expected.kind === 'comparison'

/** What is said of a score where there is none would be lost, and nobody would know. */
function checkUnscored(
  context: CompileContext,
  metrics: readonly MetricModel[],
  score: ScoreModel | null,
): void {
  for (const { name, expected, at } of metrics) {
    if (expected.kind !== 'comparison' || (expected.group === null && expected.critical === null)) continue
    const what =
      expected.group === null ? 'says whether it is critical' : `belongs to the group "${expected.group}"`
    context.report({
      code: 'not-scored',
      message: `${name} ${what}, and ${score === null ? 'its analysis has no score' : 'what decides an experiment is not scored'}`,
      hint:
        score === null
          ? 'Give the analysis one, as in score: { pass: 95 }, or leave it out: each comparison that fails is a failure then.'
          : 'Leave it out, or compare it once more in the analysis.',
      at,
    })
  }
}

/** In the order in which they come. */
function groupsOf(context: CompileContext, metrics: readonly MetricModel[]): readonly string[] {
  const groups = new Set<string>()
  for (const { name, expected, at } of metrics) {
    if (expected.kind !== 'comparison') continue
    if (expected.group !== null && expected.group !== '') groups.add(expected.group)
    else
      context.report({
        code: 'comparison-without-group',
        message: `${name} is compared in an analysis with a score, and belongs to no group`,
        hint: "Say what it counts to, as in compare(latency('p95'), { group: 'latency' }).",
        at,
      })
  }
  return [...groups]
}

function reportNothing(context: CompileContext, at: CallSite): void {
  context.report({
    code: 'score-of-nothing',
    message: 'an analysis has a score, and compares nothing',
    hint: "Only comparisons are scored: add some, as in compare(latency('p95'), { group: 'latency' }), or leave it out.",
    at,
  })
}

function checkBounds(context: CompileContext, { pass, marginal }: ScoreModel, at: CallSite): void {
  const areNumbers = typeof pass === 'number' && typeof marginal === 'number'
  if (areNumbers && pass > 0 && pass <= 100 && marginal >= 0 && marginal <= pass) return
  context.report({
    code: 'not-a-score',
    message: `a score passes from ${pass} and fails below ${marginal}`,
    hint: 'Scores go from 0 to 100, and what passes is not below what fails: pass: 95, marginal: 75.',
    at,
  })
}

interface Weighed {
  readonly groups: readonly string[]
  readonly at: CallSite
}

/** As they are written; groups that are not named share what is left evenly, as Kayenta has it. */
function weightsOf(
  context: CompileContext,
  { weights }: ScoreModel,
  { groups, at }: Weighed,
): ReadonlyMap<string, number> {
  const written = new Map(Object.entries(weights))
  const unknown = [...written.keys()].filter(name => !groups.includes(name))
  if (groups.length > 0 && unknown.length > 0) reportUnknown(context, { unknown, groups, at })
  const sum = [...written.values()].reduce((total, weight) => total + weight, 0)
  const unnamed = groups.filter(group => !written.has(group))
  const left = 100 - sum
  const isWhole = unnamed.length === 0 && written.size > 0 ? Math.abs(left) <= ROUNDING : left > ROUNDING
  const areShares = [...written.values()].every(weight => typeof weight === 'number' && weight > 0)
  if (groups.length > 0 && unknown.length === 0 && !(areShares && isWhole))
    reportWeights(context, { written, unnamed, sum, at })
  return new Map(groups.map(group => [group, written.get(group) ?? left / unnamed.length]))
}

function reportUnknown(
  context: CompileContext,
  { unknown, groups, at }: Weighed & { readonly unknown: readonly string[] },
): void {
  const quoted = (names: readonly string[]): string => names.map(name => `"${name}"`).join(', ')
  context.report({
    code: 'unknown-group',
    message: `a score has a weight for ${quoted(unknown)}, and no comparison belongs to it`,
    hint: `The comparisons belong to ${quoted(groups)}.`,
    at,
  })
}

interface Wrong {
  readonly written: ReadonlyMap<string, number>
  readonly unnamed: readonly string[]
  readonly sum: number
  readonly at: CallSite
}

function reportWeights(context: CompileContext, { written, unnamed, sum, at }: Wrong): void {
  const said = [...written].map(([name, weight]) => `${name} ${weight}`).join(', ')
  const rest = unnamed.length === 0 ? '' : `, which leaves nothing for ${unnamed.join(', ')}`
  context.report({
    code: 'score-weights',
    message: `the weights of a score are ${said}: ${Number(sum.toFixed(2))} together${rest}`,
    hint: 'Each is above 0, and together they are 100; groups that are not named share what is left.',
    at,
  })
}
