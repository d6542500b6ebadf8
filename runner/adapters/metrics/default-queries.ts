/**
 * What is asked of Prometheus for the named measures where the team gives no query of its own.
 *
 * Role: the families of our own gateway (`release_gateway_*`) where there are any, and else the usual names that
 * client libraries use: `http_requests_total` with `code`, `http_request_duration_seconds_bucket`,
 * `process_cpu_seconds_total`, `process_resident_memory_bytes`.
 *
 *  DQ1. Series are found by the labels `component`, and of one side by `side` and `version`. Where they have a label
 *       `environment` it has to be the right one.
 *  DQ2. Of no request there is no share: 0/0 is NaN and an absent series is empty, and both are no data. Only a counter
 *       of errors may be absent and count as 0, beside a counter of requests that is not.
 *  DQ3. Times are in seconds, as Prometheus's conventions ask for.
 */
import type { MeasureTarget, Millis, PlanMeasure } from '../../../src/plan/plan.ts'
import { inPattern, inQuotes, promDuration } from './fill-in.ts'

export interface Asked {
  readonly target: MeasureTarget
  readonly window: Millis
}

/** The query for a named measure. */
export function defaultQuery(
  measure: Exclude<PlanMeasure, { kind: 'promql' | 'json' | 'command' }>,
  asked: Asked,
): string {
  const rate = (family: string, more = ''): string =>
    `sum(rate(${family}${labelsOf(asked.target, more)}[${promDuration(asked.window)}]))`
  switch (measure.kind) {
    case 'error-rate':
      return (
        `${rate('release_gateway_errors_total')} / ${rate('release_gateway_requests_total')}` +
        ` or (${rate('http_requests_total', 'code=~"5.."')} or vector(0)) / ${rate('http_requests_total')}`
      )
    case 'availability':
      return (
        `1 - (${rate('release_gateway_unanswered_total')} or ${rate('release_gateway_requests_total', 'code=~"50[234]"')} or vector(0)) / ${rate('release_gateway_requests_total')}` +
        ` or 1 - (${rate('http_requests_total', 'code=~"50[234]"')} or vector(0)) / ${rate('http_requests_total')}`
      )
    case 'throughput':
      return `${rate('release_gateway_requests_total')} or ${rate('http_requests_total')}`
    case 'latency':
      return ['release_gateway_request_duration_seconds_bucket', 'http_request_duration_seconds_bucket']
        .map(family => rate(family).replace(/^sum/, 'sum by (le) '))
        .map(rates => `histogram_quantile(${measure.quantile}, ${rates})`)
        .join(' or ')
    case 'mismatch':
      return `${rate('release_gateway_mismatched_total')} / ${mirroredQuery(asked)}`
    case 'cpu':
      return rate('process_cpu_seconds_total').replace(/^sum/, 'max')
    case 'memory':
      return `max(process_resident_memory_bytes${labelsOf(asked.target, '')})`
    default:
      return measure satisfies never
  }
}

/** Mirrored requests a second: what a mismatch rests on. */
export const mirroredQuery = ({ target, window }: Asked): string =>
  `sum(rate(release_gateway_mirrored_total${labelsOf(target, '')}[${promDuration(window)}]))`

function labelsOf({ component, environment, side, version }: MeasureTarget, more: string): string {
  const labels = [
    `component="${inQuotes(component)}"`,
    // A pattern that nothing matches too matches series without the label.
    `environment=~"${inPattern(environment)}|"`,
    ...(side === 'all' ? [] : [`side="${side}"`, `version="${inQuotes(version)}"`]),
    ...(more === '' ? [] : [more]),
  ]
  return `{${labels.join(',')}}`
}
