/**
 * Reads coverage figures from the standard reports: istanbul and c8's summary, lcov, cobertura.
 *
 * Boundary: pure text. Which file is read, and whether it is new enough, is the adapter's affair.
 *
 *  CV1. A figure is counted, covered out of total, wherever the report counts; it is never rounded up.
 *  CV2. A report that contradicts itself, or counts nothing, gives no figure but a reason.
 */

export type CoverageMetric = 'lines' | 'branches' | 'functions' | 'statements'

export type CoverageFormat = 'istanbul' | 'lcov' | 'cobertura'

export type ReadCoverage =
  | {
      readonly ok: true
      readonly format: CoverageFormat
      /** Percent, not rounded. */
      readonly percent: number
    }
  | { readonly ok: false; readonly reason: string }

/** The figure for a metric, from a report whose format its content tells. `reason` continues "the report …". */
export function readCoverage(text: string, metric: CoverageMetric): ReadCoverage {
  const content = text.replace(/^\uFEFF/, '').trimStart()
  if (content === '') return refuse('is empty')
  if (content.startsWith('{')) return fromIstanbul(content, metric)
  if (content.startsWith('<')) return fromCobertura(content, metric)
  if (/^(TN|SF):/m.test(content)) return fromLcov(content, metric)
  return refuse('is neither a JSON summary of istanbul or c8, nor lcov, nor cobertura XML')
}

/** `91.4 % of lines, at least 90 asked`. Cut off, not rounded: 89.97 is not shown as 90. */
export function coverageSummary(percent: number, metric: CoverageMetric, atLeast: number): string {
  const digits = Math.max(1, (String(atLeast).split('.')[1] ?? '').length)
  // 12 digits first, so that 0.58 * 100 = 57.99999999999999 counts as 58.
  const cut = Math.floor(Number((percent * 10 ** digits).toPrecision(12))) / 10 ** digits
  return `${cut.toFixed(digits).replace(/\.0+$/, '')} % of ${metric}, at least ${atLeast} asked`
}

/** Whether the figure is enough. */
export const isEnough = (percent: number, atLeast: number): boolean =>
  Number(percent.toPrecision(12)) >= atLeast

// ── istanbul, c8, vitest, jest, nyc: coverage-summary.json ──────────────────────────────────────

function fromIstanbul(text: string, metric: CoverageMetric): ReadCoverage {
  const report = parseJson(text)
  if (report === null) return refuse('is no valid JSON: it may have been cut off')
  const { total } = report
  if (!isRecord(total)) {
    const detailed = Object.values(report).some(file => isRecord(file) && 'statementMap' in file)
    return refuse(
      detailed
        ? 'is the detailed report of istanbul; the gate reads the summary (reporter json-summary)'
        : 'has no "total"',
    )
  }
  const figure = total[metric]
  if (!isRecord(figure)) return refuse(`does not tell ${metric}`)
  return counted('istanbul', metric, figure.covered, figure.total)
}

// ── lcov ────────────────────────────────────────────────────────────────────────────────────────

/** For each metric: found and hit as counted by the writer, and the records that they were counted from. */
const lcovFields = {
  lines: { found: 'LF', hit: 'LH', detail: 'DA', count: 1 },
  branches: { found: 'BRF', hit: 'BRH', detail: 'BRDA', count: 3 },
  functions: { found: 'FNF', hit: 'FNH', detail: 'FNDA', count: 0 },
} as const

function fromLcov(text: string, metric: CoverageMetric): ReadCoverage {
  if (metric === 'statements') return refuse('is lcov, which does not tell statements')
  if (!/^end_of_record\s*$/.test(text.trimEnd().split('\n').at(-1)!)) {
    return refuse('is cut off: lcov ends in "end_of_record"')
  }
  let covered = 0
  let total = 0
  for (const record of text.split(/^end_of_record\s*$/m)) {
    const figures = lcovRecord(record, lcovFields[metric])
    if (figures === null) return refuse(`has a damaged line on ${metric}`)
    covered += figures.hit
    total += figures.found
  }
  return counted('lcov', metric, covered, total)
}

function lcovRecord(
  record: string,
  fields: (typeof lcovFields)[keyof typeof lcovFields],
): { readonly found: number; readonly hit: number } | null {
  const values = (name: string): readonly string[] =>
    [...record.matchAll(new RegExp(`^${name}:(.*?)\\s*$`, 'gm'))].map(match => match[1]!)
  const [found] = values(fields.found)
  const [hit] = values(fields.hit)
  if (found !== undefined && hit !== undefined) {
    return isCount(found) && isCount(hit) ? { found: Number(found), hit: Number(hit) } : null
  }
  // Some writers leave the sums out.
  const counts = values(fields.detail).map(value => value.split(',')[fields.count] ?? '')
  if (!counts.every(count => isCount(count) || count === '-')) return null
  return { found: counts.length, hit: counts.filter(count => Number(count) > 0).length }
}

const isCount = (text: string): boolean => /^\d+$/.test(text)

// ── cobertura ───────────────────────────────────────────────────────────────────────────────────

function fromCobertura(text: string, metric: CoverageMetric): ReadCoverage {
  if (metric === 'functions' || metric === 'statements')
    return refuse(`is cobertura, which does not tell ${metric}`)
  const root = /<coverage\b([^>]*)>/.exec(text.replace(/<!--[\s\S]*?-->/g, ''))
  if (root === null) return refuse('is XML without a <coverage> element')
  if (!/<\/coverage>\s*$/.test(text) && !root[1]!.trimEnd().endsWith('/')) {
    return refuse('is cut off: </coverage> is missing')
  }
  const attribute = (name: string): string | undefined =>
    new RegExp(`\\s${name}\\s*=\\s*["']([^"']*)["']`).exec(root[1]!)?.[1]
  const valid = attribute(`${metric}-valid`)
  const covered = attribute(`${metric}-covered`)
  if (valid !== undefined && covered !== undefined) {
    return counted('cobertura', metric, toNumber(covered), toNumber(valid))
  }
  const rate = toNumber(attribute(metric === 'lines' ? 'line-rate' : 'branch-rate') ?? '')
  if (!(rate >= 0 && rate <= 1)) return refuse(`does not tell ${metric}`)
  return { ok: true, format: 'cobertura', percent: rate * 100 }
}

const toNumber = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text))

// ── what they share ─────────────────────────────────────────────────────────────────────────────

function counted(
  format: CoverageFormat,
  metric: CoverageMetric,
  covered: unknown,
  total: unknown,
): ReadCoverage {
  if (!isWhole(covered) || !isWhole(total)) return refuse(`does not count ${metric} as whole numbers`)
  if (covered > total) return refuse(`contradicts itself: ${covered} of ${total} ${metric} are covered`)
  if (total === 0) return refuse(`counts no ${metric} at all: nothing was measured`)
  return { ok: true, format, percent: (covered / total) * 100 }
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function parseJson(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : null
  } catch {
    return null
  }
}

const refuse = (reason: string): ReadCoverage => ({ ok: false, reason })
