/**
 * Measures by asking Prometheus.
 *
 *  PM1. The window of a query is the meter's interval, and at least as long as two scrapes need: three times the scrape
 *       interval of the targets that are asked about, one of which is what a scrape itself may take. It never reaches
 *       back before the meter was opened; until there is time for two scrapes since then, there is no data. Of a server
 *       that does not tell how often it scrapes (`/api/v1/targets`), the interval is the window.
 *  PM2. Prometheus holds on to the last rate of a target that has died, until it leaves the window. So each reading
 *       asks for `up` too: a target that is down and whose series are in the window makes the reading an error, and
 *       where nothing is in the window any more, so does one that was there in the last five minutes.
 *       Only series with `job` and `instance` can be traced to a target: those of recording rules cannot, nor what a
 *       target that was never reached would have shown. Of these there is no data.
 *  PM3. Windows that overlap count no request twice: requests are the rate times what has passed since the last reading,
 *       and what is less than a whole one counts with the next.
 *  PM4. A query for latency, default or the team's own, comes to seconds, as Prometheus's conventions ask for.
 */
import { ReleaseError } from '../../../src/errors.ts'
import type { Measurement } from '../../../src/judge/measurement.ts'
import type { MeasureTarget, Millis, PlanMeasure, PlanProvider } from '../../../src/plan/plan.ts'
import type { Meter } from '../../../src/run/ports.ts'
import { defaultQuery, mirroredQuery } from './default-queries.ts'
import { fillIn, inQuotes } from './fill-in.ts'
import { type Asking, type Prometheus, prometheusAt, sourceOf } from './prometheus-api.ts'
import { selectorsOf } from './promql-selectors.ts'
import { framed, type MeterContext } from './reading.ts'

/** What a Prometheus is asked for. */
export type QueriedMeasure = Exclude<PlanMeasure, { kind: 'json' | 'command' }>

export interface PrometheusMeterRequest {
  readonly measure: QueriedMeasure
  readonly provider: Extract<PlanProvider, { kind: 'prometheus' }>
  readonly target: MeasureTarget
  readonly interval: Millis
  readonly fetch: typeof fetch
}

/** How long Prometheus itself holds on to a series that is not scraped any more (its lookback delta). */
const LOOKBACK: Millis = 300_000
const SCRAPES_IN_WINDOW = 3

/** Opens a meter that asks a Prometheus at each reading. */
export function openPrometheusMeter(request: PrometheusMeterRequest, context: MeterContext): Meter {
  const { secrets, now } = context
  const server = prometheusAt({ url: request.provider.url, secrets, fetch: request.fetch })
  const windows = createWindows(request, server, now())
  const tally = createTally(now())
  return framed(context, async signal => {
    const at = now()
    const asking = { at, signal }
    const window = await windows.at(asking)
    const asked = queriesFor(request, window ?? request.interval)
    if (window === null) {
      await refuseDead(server, asked.value, request.interval, asking)
      return { at, value: null }
    }
    const [value, rate] = await Promise.all([
      server.number(asked.value, asking),
      asked.rate === null ? null : server.number(asked.rate, asking),
    ])
    await refuseDead(server, asked.value, value === null ? Math.max(window, LOOKBACK) : window, asking)
    return measured(request, asked, { at, value, rate, seconds: tally.passed(at, window) }, tally)
  })
}

// ── queries ─────────────────────────────────────────────────────────────────────────────────────

interface Queries {
  readonly value: string
  /** Requests a second that the value rests on; null: not known. */
  readonly rate: string | null
  /** The team's own query asks for the value, and by other names than the rate perhaps. */
  readonly own: boolean
}

function queriesFor({ measure, provider, target }: PrometheusMeterRequest, window: Millis): Queries {
  const quantile = measure.kind === 'latency' ? { quantile: measure.quantile } : {}
  const filled = (query: string): string => fillIn(query, { target, window, ...quantile }, inQuotes)
  if (measure.kind === 'promql') return { value: filled(measure.query), rate: null, own: true }
  const written = provider.queries[measure.kind]
  const rate = (): string =>
    provider.queries.throughput === undefined
      ? defaultQuery({ kind: 'throughput' }, { target, window })
      : filled(provider.queries.throughput)
  return {
    value: written === undefined ? defaultQuery(measure, { target, window }) : filled(written),
    rate: rateQuery(measure, rate, written === undefined ? mirroredQuery({ target, window }) : null),
    own: written !== undefined,
  }
}

function rateQuery({ kind }: QueriedMeasure, requests: () => string, mirrored: string | null): string | null {
  switch (kind) {
    case 'error-rate':
    case 'availability':
    case 'throughput':
    case 'latency':
      return requests()
    case 'mismatch':
      return mirrored
    case 'cpu':
    case 'memory':
    case 'promql':
      return null
    default:
      return kind satisfies never
  }
}

// ── windows ─────────────────────────────────────────────────────────────────────────────────────

interface Windows {
  /** The window of a reading; null: too little time has passed since the meter was opened (PM1). */
  at(asking: Asking): Promise<Millis | null>
}

function createWindows(request: PrometheusMeterRequest, server: Prometheus, opened: number): Windows {
  const { value } = queriesFor(request, request.interval)
  const counts = countsOver(request)
  /** Null until a target was found: how often it is scraped does not change from reading to reading. */
  let scrape: Millis | null = null
  return {
    async at(asking) {
      if (!counts) return request.interval
      scrape ??= await scrapeIntervalOf(server, value, asking)
      const needed = SCRAPES_IN_WINDOW * (scrape ?? 0)
      const window = Math.min(Math.max(request.interval, needed), asking.at - opened)
      return window <= 0 || window < needed ? null : window
    },
  }
}

/** Whether what is asked for is counted over the window, or is so at the moment. */
const countsOver = ({ measure, provider }: PrometheusMeterRequest): boolean => {
  if (measure.kind === 'promql') return measure.query.includes('{window}')
  const own = provider.queries[measure.kind]
  return own === undefined ? measure.kind !== 'memory' : own.includes('{window}')
}

/** The longest of those of the targets whose series the query is about; null: no such target is known yet. */
async function scrapeIntervalOf(server: Prometheus, query: string, asking: Asking): Promise<Millis | null> {
  const sources = await sourcesOf(server, query, LOOKBACK, asking)
  if (sources.length === 0) return null
  const intervals = await server.scrapeIntervals(asking.signal)
  return Math.max(0, ...sources.map(({ source }) => intervals.get(source) ?? 0))
}

// ── targets ─────────────────────────────────────────────────────────────────────────────────────

interface Source {
  readonly source: string
  readonly name: string
  readonly up: boolean
}

/** The targets that series of the query came from within that time. */
async function sourcesOf(
  server: Prometheus,
  query: string,
  within: Millis,
  asking: Asking,
): Promise<readonly Source[]> {
  const { selectors, range } = selectorsOf(query)
  if (selectors.length === 0) return []
  const span = `${Math.ceil(Math.max(within, range))}ms`
  const seen = selectors.map(selector => `group by (job, instance) (last_over_time(${selector}[${span}]))`)
  const samples = await server.samples(`up and on (job, instance) (${seen.join(' or ')})`, asking)
  return samples.map(({ labels, value }) => ({
    source: sourceOf(labels),
    name: `${labels.job} at ${labels.instance}`,
    up: value !== 0,
  }))
}

async function refuseDead(server: Prometheus, query: string, within: Millis, asking: Asking): Promise<void> {
  const dead = (await sourcesOf(server, query, within, asking)).filter(({ up }) => !up)
  if (dead.length === 0) return
  const names = [...new Set(dead.map(({ name }) => name))]
  const shown = names.slice(0, 3).join(', ')
  throw new ReleaseError(
    'measure-target-down',
    `Prometheus cannot reach ${shown}${names.length > 3 ? ` and ${names.length - 3} more` : ''}, which the query is about`,
    { hint: 'What it says of a target that is down is old. Look whether the target runs.' },
  )
}

// ── requests ────────────────────────────────────────────────────────────────────────────────────

interface Tally {
  /** Seconds since the last reading that counted, at most those of the window: none is counted twice. */
  passed(at: number, window: Millis): number
  /** Whole requests: what was left over by rounding counts with the next. */
  count(requests: number, at: number): number
}

function createTally(opened: number): Tally {
  let until = opened
  let exact = 0
  let whole = 0
  return {
    passed: (at, window) => Math.max(0, Math.min(at - until, window)) / 1000,
    count(requests, at) {
      until = at
      exact += requests
      const before = whole
      whole = Math.round(exact)
      return whole - before
    },
  }
}

interface Found {
  readonly at: number
  readonly value: number | null
  readonly rate: number | null
  readonly seconds: number
}

function measured(
  { measure }: PrometheusMeterRequest,
  { rate: asked, own }: Queries,
  { at, value, rate, seconds }: Found,
  tally: Tally,
): Measurement {
  const inUnit = value !== null && measure.kind === 'latency' ? value * 1000 : value
  if (asked === null || (own && rate === null)) return { at, value: inUnit }
  const requests = tally.count((rate ?? 0) * seconds, at)
  return { at, value: rate === null || rate === 0 ? null : inUnit, requests }
}
