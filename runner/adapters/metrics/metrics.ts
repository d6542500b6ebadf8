/**
 * Where measurements come from: the adapter of the port `Metrics`.
 *
 * Role: finds the provider of a measure. Each is a file of its own and is loaded when it is first asked for.
 */
import type { Commands, Meter, MeterRequest, Metrics, Platform, Secrets } from '../../../src/run/ports.ts'
import { type MeterContext, stopped } from './reading.ts'

export interface MetricsOptions {
  /** The platform of an environment. */
  readonly platform: (environment: string) => Platform
  readonly secrets: Pick<Secrets, 'resolve' | 'scrub'>
  readonly commands: Commands
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly fetch?: typeof fetch
  /** How long one reading may take, in milliseconds. */
  readonly timeout?: number
}

const defaultTimeout = 10_000

/**
 * Opens meters. `json` and `command` measures are their own source, whatever the provider says.
 *
 * `open` fails with code `cancelled` for an abort, and `measure-unknown` for a measure that the provider does not know;
 * a source that does not answer is what the readings say.
 */
export function createMetrics(options: MetricsOptions): Metrics {
  const { secrets, timeout = defaultTimeout } = options
  return {
    open: async (request, signal) => {
      if (signal.aborted) throw stopped()
      const context: MeterContext = { secrets, timeout, now: forwards(options.now) }
      return openMeter(request, { options, context }, signal)
    },
  }
}

/** Measurements are judged in the order of their times, which therefore never go back with the wall clock. */
function forwards(now: () => number): () => number {
  let latest = Number.NEGATIVE_INFINITY
  return () => {
    latest = Math.max(latest, now())
    return latest
  }
}

interface Around {
  readonly options: MetricsOptions
  readonly context: MeterContext
}

async function openMeter(
  { measure, provider, target, interval }: MeterRequest,
  { options, context }: Around,
  signal: AbortSignal,
): Promise<Meter> {
  const ask = options.fetch ?? fetch
  if (measure.kind === 'json') {
    const { openJsonMeter } = await import('./json-meter.ts')
    return openJsonMeter({ measure, target, interval, fetch: ask }, context)
  }
  if (measure.kind === 'command') {
    const { openCommandMeter } = await import('./command-meter.ts')
    return openCommandMeter({ measure, target, interval, commands: options.commands }, context)
  }
  switch (provider.kind) {
    case 'router': {
      const { openRouterMeter } = await import('./router-meter.ts')
      const platform = options.platform(target.environment)
      return openRouterMeter({ measure, target, platform }, context, signal)
    }
    case 'prometheus': {
      const { openPrometheusMeter } = await import('./prometheus-meter.ts')
      return openPrometheusMeter({ measure, provider, target, interval, fetch: ask }, context)
    }
    default:
      return provider satisfies never
  }
}
