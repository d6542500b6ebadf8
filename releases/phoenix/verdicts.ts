/**
 * What a report says of a release that divided requests, as lines for people: each share in the order of time, what was
 * measured while it held, and what became of it.
 *
 * Boundary: reads `release report --format json` and draws; it judges nothing.
 */

/** Of the report, what is read here: schemas/report.schema.json says all of it. */
export interface ReportRead {
  readonly analyses: readonly {
    readonly node: string
    readonly passed: boolean
    readonly finishedAt: number
    readonly measures: readonly Measure[]
  }[]
  readonly traffic: readonly {
    readonly at: number
    readonly kind: 'shifted' | 'promoted' | 'taken-back'
    readonly component: string
    readonly environment: string
    /** Percent. */
    readonly canary: number
  }[]
  readonly cause: { readonly title: string; readonly failure: { readonly message: string } } | null
}

interface Measure {
  readonly name: string
  readonly unit: string
  readonly target: { readonly component: string; readonly environment: string; readonly version: string }
  readonly verdict: string
  readonly reason: string
  readonly last: number | null
  readonly requests: number | null
}

interface Line {
  readonly at: number
  readonly text: string
}

const shortOf = (component: string): string => component.replace(/-service$/, '')

const figureOf = ({ unit, last }: Measure): string => {
  if (last === null) return 'nothing measured'
  if (unit === 'ratio') return `${Number((last * 100).toFixed(2))} %`
  if (unit === 'ms') return `${Math.round(last)} ms`
  return unit === 'bytes' ? `${Math.round(last / 1024 / 1024)} MB` : String(last)
}

/** Changes of a moment that are alike stand in one line: in lockstep all of them are. */
const trafficLines = (report: ReportRead): readonly Line[] => {
  const groups = new Map<string, { at: number; text: string; components: string[] }>()
  let last = ''
  for (const { at, kind, component, environment, canary } of report.traffic) {
    const text = wordsOf(kind, canary, environment)
    const key = text === last ? [...groups.keys()].at(-1)! : `${groups.size} ${text}`
    const group = groups.get(key) ?? { at, text, components: [] }
    group.components.push(shortOf(component))
    groups.set(key, group)
    last = text
  }
  return [...groups.values()].map(({ at, text, components }) => ({
    at,
    text: `${text}: ${[...new Set(components)].join(' ')}`,
  }))
}

const wordsOf = (kind: string, canary: number, environment: string): string => {
  if (kind === 'promoted') return `→ the new version takes over in ${environment}`
  return kind === 'taken-back'
    ? `↶ all requests back to the old version in ${environment}`
    : `→ ${canary} % in ${environment}`
}

const analysisLines = ({ analyses, cause }: ReportRead): readonly Line[] =>
  analyses.flatMap(({ passed, finishedAt: at, measures }) => {
    const targets = new Map<string, Measure[]>()
    for (const measure of measures) {
      const key = `${measure.target.environment}/${measure.target.component}`
      targets.set(key, [...(targets.get(key) ?? []), measure])
    }
    return [...targets.values()].map(own => ({
      at,
      text: verdictLine(own, passed, cause?.failure.message ?? ''),
    }))
  })

/** The measure that the release failed by stands for all that failed: what dies has no memory any more either. */
const verdictLine = (measures: readonly Measure[], passed: boolean, because: string): string => {
  const failed = passed ? [] : measures.filter(({ verdict }) => verdict === 'fail')
  const bad = failed.find(({ reason }) => because.includes(reason)) ?? failed[0]
  const { component, version } = measures[0]!.target
  const requests = Math.max(0, ...measures.map(measure => measure.requests ?? 0))
  const figures = measures.map(measure => `${measure.name} ${figureOf(measure)}`).join(', ')
  const mark = passed ? '✓' : bad === undefined ? '–' : '✗'
  const about = `  ${mark} ${shortOf(component).padEnd(13)}${version}  ${String(requests).padStart(4)} requests: `
  return about + (bad?.reason ?? figures)
}

/** Lines in the order of time, with the seconds since the first of them. */
export const verdictsOf = (report: ReportRead): readonly string[] => {
  const lines = [...trafficLines(report), ...analysisLines(report)].sort((a, b) => a.at - b.at)
  const first = lines[0]?.at ?? 0
  const drawn = lines.map(({ at, text }) => `  ${((at - first) / 1000).toFixed(1).padStart(5)} s  ${text}`)
  if (drawn.length === 0) drawn.push('  no request was divided')
  return report.cause === null
    ? drawn
    : [...drawn, '', `  ✗ ${report.cause.title}: ${report.cause.failure.message}`]
}
