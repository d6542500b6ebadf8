/**
 * Steady customers: begins visits at a fixed rate, whether or not the ones before have ended, and now and then a whole way
 * through the shop. Says at the end what they saw, as JSON on stdout. SIGTERM ends it early, after those under way.
 *
 *     node releases/phoenix/scripts/client.js http://127.0.0.1:4000 --seconds 60 --rate 200 --journeys 2
 *
 * It repeats nothing and forgives nothing: a request without an answer is lost, an answer that is not as it should be is
 * wrong. Either is counted for the side that it was on: one that no canary had any part in makes the exit code 1.
 *
 * Several gateways are the regions of one environment: each gets as much of the rate as it has components. No more than a few requests are
 * under way at once, so that a machine that is busy with something else is not buried; visits that are due while so many
 * are under way are counted as held back.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { components } from './components.js'
import { ask, Lost, Wrong, walk } from './journey.js'
import { secretOf } from './keys.js'
import { turnsOf, visit } from './visits.js'

const LONGEST = 900
const MOST_AT_ONCE = 16
const PROBLEMS_SHOWN = 5

const { values, positionals: gateways } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '200' },
    journeys: { type: 'string', default: '2' },
  },
})
const seconds = Math.min(Number(values.seconds), LONGEST)
const rate = Number(values.rate)
const journeys = Number(values.journeys)
if (gateways.length === 0 || !(seconds > 0) || !(rate >= 0) || !(journeys > 0))
  throw new Error(
    'usage: client.js <gateway …> [--seconds 60] [--rate <visits a second>] [--journeys <a second>]',
  )

const nothing = () => ({ requests: 0, errors: 0, lost: 0 })
const seen = {
  journeys: 0,
  heldBack: 0,
  versions: {},
  sides: { outside: nothing(), canary: nothing() },
  problems: [],
}
const times = []

const sideOf = ({ sides }) => seen.sides[sides.includes('canary') ? 'canary' : 'outside']

/** Does something of a customer's, and counts every answer and what was wrong. */
const counted = async doing => {
  let last = null
  const onAnswer = answer => {
    last = answer
    const { component, version, milliseconds } = answer
    times.push(milliseconds)
    sideOf(answer).requests++
    seen.versions[component] ??= {}
    seen.versions[component][version] = (seen.versions[component][version] ?? 0) + 1
  }
  try {
    return await doing(onAnswer)
  } catch (error) {
    if (!(error instanceof Lost || error instanceof Wrong)) throw error
    // Nobody can say on which side a request was that got no answer: it counts for those who have no part in the canary.
    if (error instanceof Lost) seen.sides.outside.lost++
    else sideOf(last).errors++
    const outside = error instanceof Lost || sideOf(last) === seen.sides.outside
    if (outside && seen.problems.length < PROBLEMS_SHOWN) seen.problems.push(error.message)
    return null
  }
}

const password = secretOf('synthetic-password')

/** A place where customers come: which components it has, and what a customer holds there. */
const arriveAt = async gateway => {
  const asked = components.map(async component => (await ask(gateway, component, 'GET', '/health')).status)
  const there = await Promise.all(asked)
  const found = components.filter((_, index) => there[index] === 200)
  const has = component => found.includes(component)
  return {
    gateway,
    has,
    turns: turnsOf(found),
    held: await walk({ gateway, password, has }),
    visits: 0,
  }
}

const visitOnce = ([place, component]) => {
  // Numbered by those who visit user-service, whose profile says how often they have come.
  const number = component === 'user-service' ? ++place.visits : undefined
  return counted(onAnswer => visit({ ...place, component, number, onAnswer }))
}

const walkOnce = async ({ gateway, has }) => {
  const held = await counted(onAnswer => walk({ gateway, password, has, onAnswer }))
  if (held !== null) seen.journeys++
}

const ended = new AbortController()
process.once('SIGTERM', () => ended.abort())
process.once('SIGINT', () => ended.abort())

const places = await Promise.all(gateways.map(arriveAt))
/** In a region that has more components there is more to visit. */
const turns = places.flatMap(place => place.turns.map(component => [place, component]))
const started = performance.now()
const underWay = new Set()
const begin = doing => {
  const one = doing.finally(() => underWay.delete(one))
  underWay.add(one)
}

/** Begins what has become due since it last looked, taking turns among the places. */
const due = { visits: 0, journeys: 0 }
const beginDue = () => {
  const passed = (performance.now() - started) / 1_000
  for (; due.journeys <= passed * journeys; due.journeys++)
    begin(walkOnce(places[due.journeys % places.length]))
  for (; due.visits < passed * rate; due.visits++)
    if (underWay.size < MOST_AT_ONCE) begin(visitOnce(turns[due.visits % turns.length]))
    else seen.heldBack++
}

while (!ended.signal.aborted && performance.now() - started < seconds * 1_000) {
  beginDue()
  await wait(5, null, { signal: ended.signal }).catch(() => {})
}
await Promise.all(underWay)

times.sort((a, b) => a - b)
const percentile = share =>
  Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0)
const { outside } = seen.sides
const summary = {
  seconds: Math.round((performance.now() - started) / 1_000),
  requests: times.length + outside.lost,
  ...seen,
  milliseconds: { p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99) },
}
console.log(JSON.stringify(summary, null, 2))
process.exitCode = outside.lost + outside.errors === 0 ? 0 : 1
