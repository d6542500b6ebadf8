/**
 * The parts of a report that tell of the time after the release: what the guard saw, and what runs since.
 *
 * Boundary: pure; as report-md.ts, whose sections these are.
 */
import { formatValue } from '../../src/judge/unit.ts'
import type { GuardBreach } from '../../src/run/guard-record.ts'
import type { Report } from '../../src/run/report.ts'
import type { Validation } from '../../src/run/validation.ts'
import { code, section, table, text } from './markdown.ts'
import { GUARD_OUTCOMES } from './report-words.ts'
import { renderTime } from './time-text.ts'

/** Why the guard took the release back: the one root cause of that. */
export function breachSection({ rollbacks = [] }: Report): string {
  const breaches = rollbacks.flatMap(({ breach }) => breach ?? [])
  return breaches.length === 0
    ? ''
    : section('Why the guard took it back', breaches.map(breachText).join('\n\n'))
}

function breachText(breach: GuardBreach): string {
  const { component, version, environment, reason, measure, expected, firedAt, unit } = breach
  const rows = breach.measurements
    .slice(-SHOWN)
    .map(([at, value, requests]) => [
      renderTime(at),
      value === null ? 'no data' : formatValue(value, unit),
      requests === null ? '' : String(requests),
    ])
  return [
    `**${text(component)} ${text(version)} in ${text(environment)}**: ${text(reason)}.`,
    '',
    `It fired at ${renderTime(firedAt)}; ${text(measure)} had to be ${text(expected)}. The latest measurements up to then:`,
    '',
    table(['When', text(measure), 'Requests'], rows),
  ].join('\n')
}

/** Measurements of a breach that are drawn in a report; the journal has more. */
const SHOWN = 12

/** What ran after each rollback, where anybody looked. */
export function stateSection({ rollbacks = [] }: Report): string {
  const looked = rollbacks.flatMap(({ number, validated }) =>
    validated === null ? [] : [{ number, validated }],
  )
  if (looked.length === 0) return ''
  return section(
    'What runs since',
    looked.map(({ number, validated }) => validatedText(number, validated)).join('\n\n'),
  )
}

function validatedText(number: number, { components, recoveries, ok }: Validation): string {
  const rows = components.map(({ environment, component, runs, differs, ok: right }) => [
    text(`${component} in ${environment}`),
    runs.length === 0
      ? 'nothing'
      : text(
          runs
            .map(({ slot, version, healthy }) => `${slot}: ${version}${healthy ? '' : ' (ill)'}`)
            .join(', '),
        ),
    right ? 'yes' : `**no**: ${text(differs.join('; '))}`,
  ])
  const mended = recoveries.map(
    ({ name, environment, component, problem, outcome, detail }) =>
      `- ${code(name)} for ${text(component)} in ${text(environment)}, since ${text(problem)}: ${outcome === 'failed' ? '**failed**, ' : ''}${text(detail)}`,
  )
  return [
    `After rollback ${number} ${ok ? 'all was as it should be' : '**not all was as it should be**'}:`,
    '',
    table(['Component', 'Runs', 'As it should'], rows),
    ...(mended.length === 0 ? [] : ['', ...mended]),
  ].join('\n')
}

const outcomeText = (outcome: keyof typeof GUARD_OUTCOMES): string =>
  outcome === 'rollback-failed' || outcome === 'unmeasured'
    ? `**${GUARD_OUTCOMES[outcome]}**`
    : GUARD_OUTCOMES[outcome]

/** What each watch saw and did. */
export function guardSection({ guards = [] }: Report): string {
  if (guards.length === 0) return ''
  const texts = guards.map(guard => {
    const { startedAt, endedAt, who, outcome, reason, rounds, anomalies, recoveries } = guard
    const end = endedAt === null ? 'it was cut off, or goes on' : `until ${renderTime(endedAt)}`
    const head = `- ${renderTime(startedAt)}, by ${text(who)}: ${rounds} rounds, ${end}${outcome === null ? '' : `: ${outcomeText(outcome)}`}${reason === null ? '' : ` (${text(reason)})`}`
    const told = [
      ...anomalies.map(({ at, environment, component, reason: why }) => ({
        at,
        line: `  - ${renderTime(at)}, unusual: ${text(component)} in ${text(environment)}: ${text(why)}`,
      })),
      ...recoveries.map(({ at, environment, component, name, problem, outcome: so, detail }) => ({
        at,
        line: `  - ${renderTime(at)}, ${code(name)}: ${text(component)} in ${text(environment)}, since ${text(problem)}: ${so === 'failed' ? '**failed**, ' : ''}${text(detail)}`,
      })),
    ].sort((a, b) => a.at - b.at)
    return [head, ...told.map(({ line }) => line)].join('\n')
  })
  return section('After the release', texts.join('\n'))
}
