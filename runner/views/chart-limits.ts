/**
 * How far a measure may go from the one beside it, as lines of its chart.
 *
 * Boundary: pure. What is compared as distributions is drawn with the same lines: they show how large a difference matters,
 * and one point beyond them is no breach.
 */
import type { ReportMeasure } from '../../src/run/report.ts'
import type { ChartLine, ChartPoint } from './chart-svg.ts'

type Margin = NonNullable<ReportMeasure['margin']>

/** The upper line, the lower one, or both; none where it is compared with nothing. */
export function limitLines(
  { margin, points, unit }: ReportMeasure,
  read: (value: number | null) => string,
): readonly ChartLine[] {
  if (margin === undefined) return []
  const lineOf = (name: string, sign: 1 | -1): ChartLine => ({
    name,
    look: 'limit',
    shape: 'linear',
    points: points.map(([at, , beside]): ChartPoint => {
      const value = limitAt(margin, margin.around ?? beside, sign)
      const shown = value === null || unit !== 'ratio' ? value : Math.min(1, Math.max(0, value))
      return [at, shown, read(shown)]
    }),
  })
  return [
    ...(margin.direction === 'decrease' ? [] : [lineOf('at most', 1)]),
    ...(margin.direction === 'increase' ? [] : [lineOf('at least', -1)]),
  ]
}

const limitAt = ({ tolerance, floor }: Margin, base: number | null, sign: 1 | -1): number | null =>
  base === null ? null : base + sign * Math.max(Math.abs(base) * tolerance, floor)
