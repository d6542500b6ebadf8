/**
 * Steady customers: starts a journey through the gateway at a fixed rate, whether or not the ones before have
 * ended, and says at the end what they saw, as JSON on stdout. SIGTERM ends it early, after those under way.
 *
 *     node releases/phoenix/scripts/client.js http://127.0.0.1:4000 --seconds 60 --rate 2
 *
 * It repeats nothing and forgives nothing: a request without an answer is lost, an answer that is not as it
 * should be is wrong, and either makes the exit code 1.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Lost, Wrong, walk } from './journey.js'
import { secretOf } from './keys.js'

const LONGEST = 600
const PROBLEMS_SHOWN = 5

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, rate: { type: 'string', default: '2' } },
})
const [gateway] = positionals
const seconds = Math.min(Number(values.seconds), LONGEST)
const rate = Number(values.rate)
if (!gateway || !(seconds > 0) || !(rate > 0))
  throw new Error('usage: client.js <gateway> [--seconds 60] [--rate <journeys a second>]')

const seen = { journeys: 0, lost: 0, wrong: 0, problems: [], versions: {} }
const times = []

const onAnswer = ({ component, version, milliseconds }) => {
  times.push(milliseconds)
  seen.versions[component] ??= {}
  seen.versions[component][version] = (seen.versions[component][version] ?? 0) + 1
}

const walkOnce = async password => {
  try {
    await walk({ gateway, password, onAnswer })
    seen.journeys++
  } catch (error) {
    if (!(error instanceof Lost || error instanceof Wrong)) throw error
    seen[error instanceof Lost ? 'lost' : 'wrong']++
    if (seen.problems.length < PROBLEMS_SHOWN) seen.problems.push(error.message)
  }
}

const ended = new AbortController()
process.once('SIGTERM', () => ended.abort())
process.once('SIGINT', () => ended.abort())

const password = secretOf('synthetic-password')
const started = performance.now()
const underWay = new Set()
for (let turn = 1; !ended.signal.aborted && turn <= seconds * rate; turn++) {
  const journey = walkOnce(password).finally(() => underWay.delete(journey))
  underWay.add(journey)
  const due = started + (turn * 1_000) / rate
  await wait(Math.max(0, due - performance.now()), null, { signal: ended.signal }).catch(() => {})
}
await Promise.all(underWay)

times.sort((a, b) => a - b)
const percentile = share =>
  Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0)
const summary = {
  seconds: Math.round((performance.now() - started) / 1_000),
  requests: times.length + seen.lost,
  ...seen,
  milliseconds: { p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99) },
}
console.log(JSON.stringify(summary, null, 2))
process.exitCode = seen.lost + seen.wrong === 0 ? 0 : 1
