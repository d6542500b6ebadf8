/**
 * How often the judge is right, and how long it takes.
 *
 * Detection is simulated with seeded normal data whose standard deviation is a fifth of their mean, for points a side
 * and shifts of the canary's mean. Kayenta's own figures for the same data stand beside ours where they are known.
 */
import { judgeAnalysis } from '../../src/judge/analysis.ts'
import { compareValues } from '../../src/judge/compare.ts'
import { mannWhitney } from '../../src/judge/statistics/mann-whitney.ts'
import { shiftOf } from '../../src/judge/statistics/shift.ts'
import { mannKendall } from '../../src/judge/statistics/trend.ts'
import { kayenta, type Rates, ratesOf } from '../unit/judge/detection.ts'
import { normals, seeded } from '../unit/judge/seeded.ts'
import { type Bench, type BenchContext, median, type Row } from './table.ts'

const area = 'judge'
const sides = [2, 5, 10, 20, 50]
const shifts = [0, 0.1, 0.2, 0.5]

/** All rows: rates first, then times. */
export const rows: Bench = async context => [...detection(context), ...durations(context)]

/** Of each shift how often it is found and how often it passes, for all numbers of points a side. */
function detection({ quick, progress }: BenchContext): Row[] {
  return shifts.flatMap(shift => {
    const rates = sides.map(points => {
      progress(`${nameOf(shift)}, ${points} points a side`)
      const seed = 1_000 * points + 100 * shift
      return ratesOf({ points, shift, rounds: quick ? 200 : 4_000, seed })
    })
    return rowsOf(shift, rates)
  })
}

const percent = (share: number): number => Math.round(share * 1_000) / 10

const nameOf = (shift: number): string => (shift === 0 ? 'both alike' : `${percent(shift)} % worse`)

function rowsOf(shift: number, rates: readonly Rates[]): readonly Row[] {
  const what = `${sides.join(', ')} points a side, ${nameOf(shift)}`
  const row = (verdict: 'found' | 'passed', of: 'high' | 'pass'): Row => ({
    area,
    name: `${what}: ${verdict}`,
    value: rates.map(rate => percent(rate[of] ?? 0)),
    unit: '%',
  })
  const kayentas = sides.map(points => kayenta[points]?.[shift === 0 ? 'falsely' : 'found'] ?? null)
  const shown = kayentas.map(rate => (rate === null ? '?' : percent(rate))).join(' / ')
  const beside = shift === 0 || shift === 0.2 ? { against: `Kayenta: ${shown} %` } : {}
  const found = row('found', 'high')
  const passed = row('passed', 'pass')
  if (shift === 0) return [{ ...found, ...beside, aim: 'each at most 2 %' }, passed]
  return [{ ...found, ...beside }, shift < 0.2 ? passed : { ...passed, aim: 'each at most 2 %' }]
}

/** Milliseconds of each piece of work, in turns, beside sorting the million differences that it does without. */
function durations({ quick, progress }: BenchContext): Row[] {
  progress('times')
  const random = seeded(1)
  const x = normals(random, { mean: 110, sd: 20 }, 1_000)
  const y = normals(random, { mean: 100, sd: 20 }, 1_000)
  const few = x.slice(0, 40).map(Math.round)
  const measurements = normals(random, { mean: 200, sd: 20 }, 10_000).map((value, at) => ({ at, value }))
  const rule = {
    measure: 'latency',
    unit: 'ms',
    condition: { kind: 'below', threshold: 500 },
    interval: 1,
  } as const
  const works: readonly (readonly [string, () => unknown])[] = [
    [
      'sorting a million differences',
      () => Float64Array.from({ length: 1e6 }, (_, i) => x[i % 1_000]! - y[Math.floor(i / 1_000)]!).sort(),
    ],
    ['Hodges-Lehmann shift with bounds, 1,000 a side', () => shiftOf(x, y, 0.98)],
    ['Mann-Whitney, 1,000 a side', () => mannWhitney(x, y)],
    [
      'Mann-Whitney, exact with ties, 20 a side',
      () => mannWhitney(few.slice(0, 20), few.slice(20), { ties: 'exact' }),
    ],
    [
      'a whole comparison, 50 a side',
      () =>
        compareValues(
          { measure: 'latency', unit: 'ms', direction: 'either' },
          x.slice(0, 50),
          y.slice(0, 50),
        ),
    ],
    ['Mann-Kendall, 1,000 points', () => mannKendall(measurements.slice(0, 1_000))],
    [
      'an analysis of 10,000 measurements',
      () => judgeAnalysis(rule, measurements, { started: 0, now: 10_000 }),
    ],
  ]
  const times = works.map(() => [] as number[])
  for (let turn = 0; turn < (quick ? 3 : 15); turn += 1)
    works.forEach(([, work], index) => {
      const from = performance.now()
      work()
      times[index]!.push(performance.now() - from)
    })
  const base = times[0]!
  return works.slice(1).map(([name], index) => {
    const own = times[index + 1]!
    const ratio = median(own.map((value, turn) => value / base[turn]!))
    return { area, name, value: median(own), unit: 'ms', ratio, against: 'sorting a million differences' }
  })
}
