/**
 * Measurements in memory: good ones, unless the node's fault wants others.
 *
 * Boundary: what is measured, never what it means. A value is good or bad by the very condition that it is held to, so
 * that a fault is one for every metric; of a comparison the other side is always good.
 */
import type { Condition, WithinCondition } from '../../src/judge/condition.ts'
import type { Measurement } from '../../src/judge/measurement.ts'
import type { PlanMetric, PlanNode } from '../../src/plan/plan.ts'
import type { Metrics } from '../../src/run/ports.ts'
import type { FaultKind } from './faults.ts'

export interface ModelMetricsOptions {
  readonly node: PlanNode
  readonly fault: FaultKind | null
  readonly now: () => number
}

/** Good measurements before a late breach. */
const GOOD_FIRST = 2

export function modelMetrics({ node, fault, now }: ModelMetricsOptions): Metrics {
  return {
    open: async request => {
      const { operation } = node
      if (operation.kind !== 'analyse') throw new Error(`${node.key} measures nothing`)
      const metric = operation.metrics.find(one => one.measure === request.measure)!
      // An experiment's deciding measure has a fault of its own; the side beside what is watched has none.
      const isWatched = operation.targets.some(({ side }) => side === request.target.side)
      const own = isWatched && (operation.decides === metric.name) === (fault === 'loses')
      const requests = 1000 + operation.requests + metric.minRequests
      let count = 0
      return {
        read: async () => {
          count += 1
          return { at: now(), requests, ...readingOf(metric, own ? fault : null, count) }
        },
      }
    },
  }
}

type Reading = Pick<Measurement, 'value' | 'error' | 'requests'>

function readingOf(
  metric: PlanMetric,
  fault: FaultKind | null,
  count: number,
): Partial<Reading> & Pick<Reading, 'value'> {
  switch (fault) {
    case 'no-data':
      return { value: null, requests: 0 }
    case 'errors':
      return { value: null, error: 'it did not answer' }
    case 'breach':
    case 'loses':
      return { value: readingAs(metric, 'bad', count) }
    case 'late-breach':
      return { value: readingAs(metric, count > GOOD_FIRST ? 'bad' : 'good', count) }
    default:
      return { value: readingAs(metric, 'good', count) }
  }
}

type Sort = 'good' | 'bad'

function readingAs({ expected, unit }: PlanMetric, sort: Sort, count: number): number {
  if (expected.kind === 'condition') return conditioned(expected.condition, sort, unit === 'ratio' ? 1 : null)
  // Two sides that are alike differ a little from look to look; what is worse lies far beyond any tolerance.
  const usual = USUAL + (count % 5) / 1000
  const { direction, floor = 0 } = expected
  const worse = direction === 'decrease' ? usual / 100 - 2 * floor : usual * 100 + 2 * floor
  return sort === 'good' ? usual : worse
}

/** `most`: no value is more; null: there is no such bound. */
function conditioned(condition: Condition, sort: Sort, most: number | null): number {
  if (condition.kind === 'within') return withinBaseline(condition, sort)
  const { kind, threshold } = condition
  const low = threshold > 0 ? 0 : threshold - 1
  const high = most ?? threshold + Math.abs(threshold) + 1
  const isUpper = kind === 'below' || kind === 'at-most'
  return isUpper === (sort === 'good') ? low : high
}

/** What the side beside it measures, and what is measured where all is well. */
const USUAL = 0.5

function withinBaseline({ baseline, tolerance, direction, floor = 0 }: WithinCondition, sort: Sort): number {
  const from = baseline.kind === 'fixed' ? baseline.value : USUAL
  if (sort === 'good') return from
  const off = 2 * tolerance * Math.abs(from) + 2 * floor + Number.EPSILON
  return direction === 'decrease' ? from - off : from + off
}
