/**
 * Rules that cannot do what they are for: an analysis that can never fail, or never pass, or never end.
 *
 * Boundary: looks at the rule alone. Whoever has it from a definition adds the line that asked for it.
 */

import type { Diagnostic } from '../diagnostic.ts'
import type { AnalysisRule } from './analysis.ts'
import { formatCondition } from './condition.ts'
import { formatDuration, formatValue } from './unit.ts'

/** Everything that is wrong with a rule; empty where nothing is. */
export const diagnoseRule = (rule: AnalysisRule): readonly Diagnostic[] => [
  ...numbersOf(rule),
  ...thresholdOf(rule),
  ...countsOf(rule),
  ...timesOf(rule),
]

const error = (code: string, message: string, hint: string): Diagnostic => ({
  code,
  severity: 'error',
  message,
  hint,
})

function numbersOf(rule: AnalysisRule): Diagnostic[] {
  const { condition } = rule
  const limits = [
    'initialDelay',
    'failureLimit',
    'consecutiveErrorLimit',
    'inconclusiveLimit',
    'minRequests',
  ] as const
  const wrong: readonly (readonly [string, number])[] = [
    ...limits.flatMap(name => {
      const limit = rule[name] ?? 0
      return limit === 'half' || isCount(limit) ? [] : [[name, limit] as const]
    }),
    ...(rule.interval > 0 && Number.isFinite(rule.interval) ? [] : [['interval', rule.interval] as const]),
    ...(rule.count === undefined || (isCount(rule.count) && rule.count > 0)
      ? []
      : [['count', rule.count] as const]),
    ...(condition.kind !== 'within' && !Number.isFinite(condition.threshold)
      ? [['threshold', condition.threshold] as const]
      : []),
    ...(condition.kind === 'within' && !(condition.tolerance >= 0 && Number.isFinite(condition.tolerance))
      ? [['tolerance', condition.tolerance] as const]
      : []),
  ]
  return wrong.map(([name, value]) =>
    error(
      'analysis-number',
      `the ${name} of ${rule.measure} is ${value}`,
      NUMBER_HINT[name] ?? 'Give a whole number that is not negative.',
    ),
  )
}

const NUMBER_HINT: Readonly<Record<string, string>> = {
  interval: 'Give a number that is greater than 0.',
  count: 'Give a whole number that is greater than 0.',
  threshold: 'Give a number.',
  tolerance: 'Give a number that is not negative.',
}

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0

/** What no share can be over or under is no condition. */
function thresholdOf({ measure, unit, condition }: AnalysisRule): Diagnostic[] {
  if (condition.kind === 'within' || unit === 'number') return []
  const { kind, threshold } = condition
  const most = unit === 'ratio' ? 1 : Infinity
  const isUpper = kind === 'below' || kind === 'at-most'
  const always = isUpper
    ? threshold > most || (kind === 'at-most' && threshold >= most)
    : threshold < 0 || (kind === 'at-least' && threshold <= 0)
  const never = isUpper
    ? threshold < 0 || (kind === 'below' && threshold <= 0)
    : threshold > most || (kind === 'above' && threshold >= most)
  const words = `${measure} ${formatCondition({ condition, unit })}`
  if (always)
    return [
      error('analysis-never-fails', `"${words}" holds whatever is measured`, thresholdHint(unit, threshold)),
    ]
  if (never)
    return [
      error(
        'analysis-never-passes',
        `"${words}" holds for nothing that can be measured`,
        thresholdHint(unit, threshold),
      ),
    ]
  return []
}

const thresholdHint = (unit: AnalysisRule['unit'], threshold: number): string =>
  unit === 'ratio' && threshold >= 1
    ? `A share is at most ${formatValue(1, unit)}; a percentage is written as '1%', and 0.01 means the same.`
    : 'Give a threshold that can be met and can be missed.'

function countsOf({ measure, count, failureLimit = 0 }: AnalysisRule): Diagnostic[] {
  if (count === undefined || count < 1 || failureLimit + 1 <= count) return []
  return [
    error(
      'analysis-never-fails',
      `${measure} is measured ${count} times and may fail ${failureLimit} times: only if every point is bad would it fail`,
      `Let it fail at most ${count - 1} times, or measure it more often.`,
    ),
  ]
}

function timesOf({ measure, count, interval, initialDelay = 0, timeLimit }: AnalysisRule): Diagnostic[] {
  const lasts = initialDelay + interval * ((count ?? 1) - 1)
  if (timeLimit === undefined || lasts < timeLimit) return []
  return [
    error(
      'analysis-out-of-time',
      `${measure} takes ${formatDuration(lasts)} to measure and has ${formatDuration(timeLimit)}`,
      'Measure fewer times or more often, or give it more time.',
    ),
  ]
}
