/**
 * Where traffic is divided: how much is exposed, how soon a breach shows, how soon everything is back.
 */
import { formatValue } from '../../judge/unit.ts'
import type { Plan } from '../plan.ts'
import { type ComparisonReach, USUAL_SPREAD } from '../reach.ts'
import { type Risk, risksOf } from '../risk.ts'
import { type Page, section } from './page.ts'
import { countText, durationText } from './wording.ts'

/** One entry for each deployment that divides traffic. */
export const riskRows = (plan: Plan): readonly (readonly [name: string, text: string])[] =>
  risksOf(plan).map(risk => [risk.name, riskText(risk)] as const)

export const RISKS_TITLE = 'Traffic is divided'

/** The same as text, a paragraph each. */
export const riskLines = (page: Page): string[] => section(page, RISKS_TITLE, riskRows(page.plan))

const riskText = (risk: Risk): string =>
  [
    ...[stepsText(risk), exposureText(risk), detectionText(risk), requestsText(risk)],
    ...risk.comparisons.map(comparisonText),
  ]
    .filter(text => text !== '')
    .join('; ')

function stepsText({ weights, components }: Risk): string {
  const shares = weights.filter(weight => weight > 0)
  const who = components.length === 1 ? '' : `${countText(components.length, 'component')} together: `
  return shares.length === 0
    ? `${who}nobody is answered by the new version before it is promoted`
    : `${who}${shares.join(' → ')} %`
}

const percent = (share: number): string => formatValue(share, 'ratio')

function exposureText({ exposed, exposedApart, hops, lockstep, weights }: Risk): string {
  if (exposed === 0) return ''
  if (exposed === 1) return 'all of the requests at once'
  const most = `at most ${percent(exposed)} of the requests before the last step`
  if (hops < 2 || weights.length < 2) return most
  return lockstep
    ? `${most}, since the side is decided once, at the edge (drawn anew at each of ${hops} hops it would be ${percent(exposedApart)})`
    : `${most} at each of ${hops} hops: ${percent(exposedApart)} of those that pass all`
}

function detectionText({ detected, back }: Risk): string {
  if (detected === null) return 'nothing is measured: only its health can stop it'
  return `a breach that can be measured shows within ${durationText(detected)}, and all requests are back within ${durationText(back)} more at the worst`
}

/** What it could see, and what it would take. */
function comparisonText({ metric, tolerance, points, power, needed }: ComparisonReach): string {
  const shift = `${metric}: a shift of ${percent(tolerance)}`
  if (needed === null) return `${shift} can be found by no number of points`
  const often = power > 0.995 ? 'nearly always' : `${Math.round(power * 100)} times in 100`
  const found = `${shift} is found ${power === 0 ? 'never' : often} by ${countText(points, 'point')} a side where values spread by ${percent(USUAL_SPREAD)} of their mean`
  return points >= needed.points
    ? found
    : `${found}; 80 times in 100 it takes ${needed.points} points, which is ${durationText(needed.time)} at one every ${durationText(needed.interval)}`
}

function requestsText({ requests, certain, weights }: Risk): string {
  const first = weights.find(weight => weight > 0)
  const wanted =
    requests === 0
      ? ''
      : `a verdict takes ${countText(requests, 'request')} to the new version${first === undefined || first === 100 ? '' : `, ${countText(Math.ceil((requests * 100) / first), 'request')} in all at ${first} %`}`
  const sure =
    certain === null
      ? ''
      : `to be 98 % certain of ${certain.metric} it takes ${countText(certain.requests, 'request')} without an error`
  return [wanted, sure].filter(text => text !== '').join('; ')
}
