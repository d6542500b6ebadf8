/**
 * Prometheus's HTTP API, as far as measuring needs it.
 *
 *  PA1. An empty answer and NaN are no data; a source that refuses, or answers with something else than one number, is
 *       an error that says which.
 */
import { ReleaseError } from '../../../src/errors.ts'
import type { EnvValue, Millis } from '../../../src/plan/plan.ts'
import type { Secrets } from '../../../src/run/ports.ts'
import { type Answer, addressOf, ask, nameOfAddress } from './http-answer.ts'
import { durationOf } from './promql-selectors.ts'

export interface PrometheusOptions {
  readonly url: EnvValue
  readonly secrets: Pick<Secrets, 'resolve'>
  readonly fetch: typeof fetch
}

/** When a query is asked, and until when an answer is waited for. */
export interface Asking {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly signal: AbortSignal
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Prometheus {
  /** The samples that a query comes to; a scalar is one without labels. */
  samples(query: string, asking: Asking): Promise<readonly Sample[]>
  /** The one number that a query comes to; null: there is no data. */
  number(query: string, asking: Asking): Promise<number | null>
  /** How often each target is asked, by {@link sourceOf}; empty where the server does not tell. */
  scrapeIntervals(signal: AbortSignal): Promise<ReadonlyMap<string, Millis>>
}

/** What a target is known by: its labels `job` and `instance`. */
export const sourceOf = (labels: Readonly<Record<string, string>>): string =>
  `${labels.job ?? ''} ${labels.instance ?? ''}`

/** A server, asked over its HTTP API. The address may have a path before `/api/v1`. */
export function prometheusAt({ url, secrets, fetch }: PrometheusOptions): Prometheus {
  const call = async (path: string, signal: AbortSignal, form?: URLSearchParams): Promise<Called> => {
    const base = addressOf(await secrets.resolve(url), 'Prometheus')
    const address = new URL(base)
    address.pathname = `${base.pathname.replace(/\/+$/, '')}/api/v1/${path}`
    const name = `Prometheus at ${nameOfAddress(base, url)}`
    const answer = await ask({ url: address, name, signal, fetch, ...(form === undefined ? {} : { form }) })
    return { name, answer }
  }
  const samples = async (query: string, { at, signal }: Asking): Promise<readonly Sample[]> => {
    const form = new URLSearchParams({ query, time: (at / 1000).toFixed(3) })
    const called = await call('query', signal, form)
    return samplesOf(dataOf(called) as QueryData, called.name)
  }
  return {
    samples,
    number: async (query, asking) => onlyNumber(await samples(query, asking), query),
    scrapeIntervals: async signal => {
      const called = await call('targets', signal)
      // Servers that only speak Prometheus's language have no targets of their own to tell of.
      if (called.answer.status !== 200) return new Map()
      return intervalsOf(dataOf(called) as TargetsData)
    },
  }
}

interface Called {
  readonly name: string
  readonly answer: Answer
}

type Stamped = readonly [at: number, value: string]

type QueryData =
  | {
      readonly resultType: 'vector'
      readonly result: readonly {
        readonly metric: Readonly<Record<string, string>>
        readonly value: Stamped
      }[]
    }
  | { readonly resultType: 'scalar'; readonly result: Stamped }
  | { readonly resultType: 'matrix' | 'string' }

interface TargetsData {
  readonly activeTargets?: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly scrapeInterval?: string
  }[]
}

function dataOf({ name, answer: { status, text } }: Called): unknown {
  const body = parsed(text) as {
    readonly status?: unknown
    readonly data?: unknown
    readonly errorType?: unknown
    readonly error?: unknown
  } | null
  if (body?.status === 'success' && typeof body.data === 'object' && body.data !== null) return body.data
  if (body?.status === 'error') {
    throw new ReleaseError('measure-refused', `${name} refused the query: ${body.error} (${body.errorType})`)
  }
  throw new ReleaseError('measure-refused', `${name} answered ${status} with nothing of Prometheus's own`, {
    hint: 'Look whether the address is that of a Prometheus, with the path before /api/v1 where it has one.',
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function samplesOf(data: QueryData, name: string): readonly Sample[] {
  switch (data.resultType) {
    case 'vector':
      return data.result.map(({ metric, value }) => ({ labels: metric, value: numberOf(value[1]) }))
    case 'scalar':
      return [{ labels: {}, value: numberOf(data.result[1]) }]
    default:
      throw new ReleaseError(
        'measure-not-a-number',
        `the query came to a ${data.resultType} and not to one number; ${name} was asked for one moment`,
        { hint: 'Write a query that comes to one number, such as an aggregation: max(…), sum(rate(…)).' },
      )
  }
}

/** As Prometheus writes numbers. */
const numberOf = (text: string): number =>
  text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)

function onlyNumber(samples: readonly Sample[], query: string): number | null {
  if (samples.length > 1) throw tooMany(samples)
  const value = samples[0]?.value ?? Number.NaN
  if (Number.isNaN(value)) return null
  if (Number.isFinite(value)) return value
  throw new ReleaseError(
    'measure-not-a-number',
    `the query came to ${value}, which is no finite number: ${query}`,
  )
}

function tooMany(samples: readonly Sample[]): ReleaseError {
  const shown = samples.slice(0, 3).map(labelsText)
  const rest = samples.length - shown.length
  return new ReleaseError(
    'measure-several',
    `the query came to ${samples.length} numbers and not to one: ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`,
    { hint: 'Aggregate them in the query: max(…), sum(…), or name the one that is meant by its labels.' },
  )
}

const labelsText = ({ labels, value }: Sample): string => {
  const { __name__: name = '', ...others } = labels
  const pairs = Object.entries(others).map(([label, text]) => `${label}=${JSON.stringify(text)}`)
  return `${name}{${pairs.join(', ')}} ${value}`
}

const intervalsOf = ({ activeTargets = [] }: TargetsData): ReadonlyMap<string, Millis> => {
  const intervals = new Map<string, Millis>()
  for (const { labels, scrapeInterval = '' } of activeTargets) {
    const source = sourceOf(labels)
    intervals.set(source, Math.max(intervals.get(source) ?? 0, durationOf(scrapeInterval)))
  }
  return intervals
}
