/**
 * How the parts of a plan are said in few words, the same in every render.
 */
import { allowedText, formatCondition } from '../../judge/condition.ts'
import type { ScorePolicy } from '../../judge/score.ts'
import type { LiveFact, Millis, PlanCheck, PlanCommand, PlanMetric, PlanNode, Revision } from '../plan.ts'

const units: readonly (readonly [string, Millis])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]

/** `1h 30m`; the two greatest units that are not nothing. */
export function durationText(duration: Millis): string {
  const parts: string[] = []
  let rest = Math.round(duration)
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0 && parts.length < 2) parts.push(`${count}${unit}`)
  }
  return parts.length === 0 ? '0s' : parts.join(' ')
}

export const shortHash = (hash: string): string => hash.slice(0, 8)

/** `3.0.0 (cd34ef56)`, or `nothing`. */
export const liveText = (fact: LiveFact | Revision | null | undefined): string =>
  fact === null || fact === undefined ? 'nothing' : `${fact.version} (${shortHash(fact.digest)})`

/** `12,000 nodes`. By hand: the locale's own way would load its tables, for a comma. */
export const countText = (count: number, one: string, many = `${one}s`): string =>
  `${String(count).replace(/\B(?=(\d{3})+$)/g, ',')} ${count === 1 ? one : many}`

/** The first of a list, and how many more there are. */
export function listText(items: readonly string[], most: number): string {
  const shown = items.length <= most + 1 ? items : items.slice(0, most)
  const more = items.length - shown.length
  return more === 0 ? shown.join(', ') : `${shown.join(', ')} and ${more} more`
}

export const commandText = ({ argv, cwd }: PlanCommand): string =>
  argv.map(quoted).join(' ') + (cwd === '' ? '' : ` in ${cwd}`)

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))

export function checkText(check: PlanCheck): string {
  switch (check.kind) {
    case 'command':
      return `\`${commandText(check.command)}\` passes`
    case 'coverage':
      return `\`${commandText(check.command)}\` covers at least ${check.atLeast} % of ${check.metric}`
    case 'http': {
      const { target } = check
      const where = 'url' in target ? target.url : `${target.environment}/${target.component}${target.path}`
      return `${check.method} ${where} answers ${check.status}`
    }
    case 'function':
      return 'the team’s own check'
  }
}

/** What a node is for, beyond its title: a gate's question, an approval's people. '' where the title says it all. */
export function purposeText(node: PlanNode): string {
  const { operation } = node
  switch (operation.kind) {
    case 'gate':
      return checkText(operation.check)
    case 'approval':
      return peopleText(operation.from)
    case 'analyse':
      return [
        ...operation.metrics.map(metricText),
        ...(operation.score === undefined ? [] : [scoreText(operation.score)]),
      ].join(', ')
    case 'start':
    case 'shift':
    case 'promote':
    case 'remove':
    case 'wait':
    case 'step':
    case 'notify':
    case 'prepare':
    case 'replace':
    case 'verify':
    case 'join':
      return ''
  }
}

/** `1 release-manager and 2 platform-owner` */
export const peopleText = (from: Readonly<Record<string, number>>): string =>
  Object.entries(from)
    .map(([role, count]) => `${count} ${role}`)
    .join(' and ')

/** `error rate below 1%` */
export function metricText({ name, unit, expected }: PlanMetric): string {
  if (expected.kind === 'condition')
    return `${name} ${formatCondition({ condition: expected.condition, unit })}`
  const { with: side, direction, group, critical } = expected
  const worse = { increase: 'no higher', decrease: 'no lower', either: 'no further' }[direction]
  const counts = group === undefined ? '' : ` (${group}${critical === undefined ? '' : ', critical'})`
  return `${name}: ${worse} than the ${side} side by more than ${allowedText(expected, unit)}${counts}`
}

/** `score of 60 % errors and 40 % speed: 95 passes, below 75 fails` */
export function scoreText({ weights, pass, marginal }: ScorePolicy): string {
  const whole = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  const shareOf = (weight: number): number => Number(((100 * weight) / whole).toFixed(2))
  const weighed = Object.entries(weights).map(([group, weight]) => `${shareOf(weight)} % ${group}`)
  return `score of ${weighed.join(' and ')}: ${pass} passes, below ${marginal} fails`
}
