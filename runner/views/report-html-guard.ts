/**
 * The parts of the HTML report that tell of the time after the release: what the guard saw, and what runs since.
 *
 * Boundary: pure; as report-html-parts.ts, whose sections these are.
 */
import { formatValue } from '../../src/judge/unit.ts'
import { html, type Markup, markupTable } from '../../src/plan/render/markup.ts'
import type { GuardBreach } from '../../src/run/guard-record.ts'
import type { Report } from '../../src/run/report.ts'
import type { Validation } from '../../src/run/validation.ts'
import type { Part } from './report-html-parts.ts'
import { GUARD_OUTCOMES } from './report-words.ts'
import { renderTime } from './time-text.ts'

/** Why the guard took the release back: the one root cause of that. */
export const breachPart: Part = ({ rollbacks = [] }) => {
  const breaches = rollbacks.flatMap(({ breach }) => breach ?? [])
  return breaches.length === 0 ? null : html`<h2>Why the guard took it back</h2>${breaches.map(breachText)}`
}

function breachText(breach: GuardBreach): Markup {
  const { component, version, environment, reason, measure, expected, firedAt, unit } = breach
  const rows = breach.measurements.map(([at, value, requests]) => [
    renderTime(at),
    value === null ? 'no data' : formatValue(value, unit),
    requests ?? '–',
  ])
  return html`<div class="box is-bad"><p><strong>${component} ${version} in ${environment}</strong>: ${reason}.</p><p>It fired at ${renderTime(firedAt)}; ${measure} had to be ${expected}.</p></div><details><summary>What was measured up to then</summary>${markupTable(
    `${measure} before the breach`,
    ['When', measure, 'Requests'],
    rows,
    [1, 2],
  )}</details>`
}

/** What ran after each rollback, where anybody looked. */
export const statePart: Part = ({ rollbacks = [] }) => {
  const looked = rollbacks.flatMap(({ number, validated }) =>
    validated === null ? [] : [validatedText(number, validated)],
  )
  return looked.length === 0 ? null : html`<h2>What runs since</h2>${looked}`
}

function validatedText(number: number, { components, recoveries, ok }: Validation): Markup {
  const rows = components.map(({ environment, component, runs, differs, ok: right }) => [
    `${component} in ${environment}`,
    runs.length === 0
      ? 'nothing'
      : runs.map(({ slot, version, healthy }) => `${slot}: ${version}${healthy ? '' : ' (ill)'}`).join(', '),
    right ? html`<span class="good">yes</span>` : html`<span class="bad">no: ${differs.join('; ')}</span>`,
  ])
  const all = ok
    ? html`<p>After rollback ${number} all was as it should be:</p>`
    : html`<p class="bad">After rollback ${number} not all was as it should be:</p>`
  return html`${all}${markupTable(`What ran after rollback ${number}`, ['Component', 'Runs', 'As it should'], rows)}${
    recoveries.length === 0
      ? null
      : html`<ul>${recoveries.map(one => html`<li>${recoveryText(one)}</li>`)}</ul>`
  }`
}

const recoveryText = ({
  name,
  environment,
  component,
  problem,
  outcome,
  detail,
}: Validation['recoveries'][number]): Markup =>
  html`<code>${name}</code> for ${component} in ${environment}, since ${problem}: ${outcome === 'failed' ? html`<span class="bad">failed</span>, ` : null}${detail}`

/** What each watch saw and did. */
export const guardPart: Part = ({ guards = [] }) =>
  guards.length === 0 ? null : html`<h2>After the release</h2><ul>${guards.map(watchText)}</ul>`

function watchText(guard: NonNullable<Report['guards']>[number]): Markup {
  const { startedAt, endedAt, who, outcome, reason, rounds, anomalies, recoveries } = guard
  const end = endedAt === null ? 'it was cut off, or goes on' : `until ${renderTime(endedAt)}`
  const how = outcome === null ? '' : `: ${GUARD_OUTCOMES[outcome]}`
  const told = [
    ...anomalies.map(({ at, environment, component, reason: why }) => ({
      at,
      line: html`unusual: ${component} in ${environment}: ${why}`,
    })),
    ...recoveries.map(one => ({ at: one.at, line: recoveryText(one) })),
  ].sort((a, b) => a.at - b.at)
  return html`<li>${renderTime(startedAt)}, by ${who}: ${rounds} rounds, ${end}${
    outcome === 'rollback-failed' || outcome === 'unmeasured' ? html`<span class="bad">${how}</span>` : how
  }${reason === null ? '' : ` (${reason})`}${
    told.length === 0
      ? null
      : html`<ul>${told.map(({ at, line }) => html`<li>${renderTime(at)}, ${line}</li>`)}</ul>`
  }</li>`
}
