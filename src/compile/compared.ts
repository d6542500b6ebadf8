/**
 * What a metric is compared with: that there is somebody, and that it is somebody else.
 *
 * Boundary: says what can be known beforehand; what a comparison comes to is judged in src/judge.
 */
import type { AnalysisModel, CallSite, ExpectationModel, MetricModel } from '../definition/model.ts'
import type { PlanMetric } from '../plan/plan.ts'
import type { CompileContext } from './context.ts'

/** Who gets requests beside what is watched. */
export interface Beside {
  /** Whether a baseline gets requests meanwhile; where not, what compares with it is left out. */
  readonly baseline: boolean
  /** Whether the stable side does; where not, what compares with it is left out. */
  readonly stable: boolean
}

/** After the promotion there is none but the new version. */
export const NOBODY: Beside = { baseline: false, stable: false }

/** Whether anything is left to look at where only these get requests beside it. */
export const measuresAnything = ({ metrics, requests }: AnalysisModel, beside: Beside): boolean =>
  requests > 0 || metrics.some(({ expected }) => isComparable(expected, beside))

/** Whether there will be anything beside it to compare with. */
export function isComparable(expected: ExpectationModel, { baseline, stable }: Beside): boolean {
  if (expected.kind === 'comparison') return expected.with === 'stable' ? stable : baseline
  return expected.kind !== 'within' || expected.of !== 'stable' || stable
}

/** What never has anything beside it would be left out each time, and nobody would know. */
export function checkCompared(
  context: CompileContext,
  metrics: readonly MetricModel[],
  watches: readonly Beside[],
): void {
  for (const { name, expected, at } of metrics) {
    if (watches.some(beside => isComparable(expected, beside))) continue
    const side = expected.kind === 'comparison' ? expected.with : 'stable'
    context.report({
      code: 'compared-with-nobody',
      message: `${name} is compared with the ${side} side, which gets no requests whenever it is watched`,
      hint:
        side === 'baseline'
          ? 'Let the canary start one, with baseline: true; it gets requests in the steps up to 50 %.'
          : 'Give it a threshold here: the stable side gets no requests at 100 %, and after the promotion there is none.',
      at,
    })
  }
}

/** What is filled in differently for the side beside it. */
const APART = /\{(?:side|version)\}/

/** A question that names neither side nor version is asked twice alike, and the difference is none whatever happens. */
export function checkApart(
  context: CompileContext,
  metric: Pick<PlanMetric, 'name' | 'measure' | 'provider' | 'expected'>,
  at: CallSite,
): void {
  const asked = isBeside(metric.expected) ? ownWords(metric) : null
  if (asked === null || APART.test(asked.text)) return
  context.report({
    code: 'compared-with-itself',
    message: `${metric.name} asks the same of both sides: its ${asked.name} names neither {side} nor {version}, so that no difference can ever show`,
    hint: asked.hint,
    at,
  })
}

const isBeside = (expected: PlanMetric['expected']): boolean =>
  expected.kind === 'comparison' ||
  (expected.condition.kind === 'within' && expected.condition.baseline.kind === 'stable')

interface OwnWords {
  readonly name: string
  readonly text: string
  readonly hint: string
}

/** As the team asks for it; null: the product's own question, which names the side, or one that only a secret knows. */
function ownWords({ measure, provider }: Pick<PlanMetric, 'measure' | 'provider'>): OwnWords | null {
  switch (measure.kind) {
    case 'promql':
      return { name: 'query', text: measure.query, hint: QUERY_HINT }
    case 'json':
      return 'secret' in measure.url
        ? null
        : { name: 'address', text: measure.url.value, hint: "Say whose it is: 'http://…/stats?side={side}'." }
    case 'command':
      return {
        name: 'command',
        text: measure.command.argv.join(' '),
        hint: "Say whose it is in an argument: ['npm', 'run', '--silent', 'conversion', '--', '{side}'].",
      }
    default: {
      const query = provider.kind === 'prometheus' ? provider.queries[measure.kind] : undefined
      return query === undefined ? null : { name: 'query', text: query, hint: QUERY_HINT }
    }
  }
}

const QUERY_HINT =
  'Take a label that tells the sides apart into the query: {job="{component}",version="{version}"}, or side="{side}".'
