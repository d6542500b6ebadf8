/**
 * One chart over time as SVG text: lines, a threshold, and the moments at which something was decided.
 *
 * Boundary: pure; knows no run. Drawn here and not in the browser, so that it is there without a script, in print, in a
 * mail's preview and for a screen reader. d3-scale finds round numbers for the axes; its colours are the page's.
 *
 *  H1. A gap in the data is a gap in the line. A single point is seen.
 *  H2. Nothing is told by colour alone: lines differ in their strokes, moments have their words.
 */
import { scaleLinear, scaleUtc } from 'd3-scale'
import { type Content, html, type Markup } from '../../src/plan/render/markup.ts'

/** Units of the picture, which the page scales to its column. */
export const CHART = { width: 380, height: 190, left: 50, right: 372, top: 30, bottom: 168 } as const

/** Milliseconds since 1970, the value, and how it reads; null: nothing was measured then. */
export type ChartPoint = readonly [at: number, value: number | null, text: string]

export interface ChartLine {
  readonly name: string
  /** new: the version that is released. old: the one beside it. copy: of requests that nobody waits for. limit: how far it may go. */
  readonly look: 'new' | 'old' | 'copy' | 'limit'
  /** linear: from point to point. steps: each value holds until the next. */
  readonly shape: 'linear' | 'steps'
  /** A line that has another's name goes on with it. */
  readonly points: readonly ChartPoint[]
}

export interface ChartThreshold {
  readonly from: number
  readonly until: number
  readonly value: number
  readonly text: string
}

export interface ChartMoment {
  readonly at: number
  readonly kind: 'shift' | 'pass' | 'breach' | 'back' | 'promoted' | 'approval'
  /** A word or two, shown where there is room. */
  readonly label: string
  /** The whole sentence. */
  readonly text: string
}

export interface Chart {
  readonly id: string
  readonly title: string
  readonly from: number
  readonly until: number
  /** What the axis of time counts from. */
  readonly zero: number
  readonly lines: readonly ChartLine[]
  readonly thresholds: readonly ChartThreshold[]
  readonly moments: readonly ChartMoment[]
  readonly format: (value: number) => string
  /** The axis of values; left out: what the values need. */
  readonly domain?: readonly [number, number]
  /** No value can be more than this: the axis ends there. */
  readonly most?: number
  /** What a screen reader says instead. */
  readonly description: string
}

interface Scales {
  readonly x: (at: number) => number
  readonly y: (value: number) => number
  readonly times: readonly number[]
  readonly values: readonly number[]
}

/** The chart as an `svg` element, labelled for those who do not see it. */
export function chartSvg(chart: Chart): Markup {
  const scales = scalesOf(chart)
  return html`<svg class="chart" id="${chart.id}" viewBox="0 0 ${CHART.width} ${CHART.height}" role="img" aria-label="${chart.title}: ${chart.description}">
${axes(chart, scales)}${chart.thresholds.map(threshold => thresholdLine(threshold, scales))}${moments(chart, scales)}${chart.lines.map(line => lineOf(line, scales))}<line class="cursor" x1="0" x2="0" y1="${CHART.top}" y2="${CHART.bottom}"/></svg>`
}

const round = (value: number): number => Math.round(value * 10) / 10

function scalesOf(chart: Chart): Scales {
  const until = Math.max(chart.until, chart.from + 1)
  const time = scaleUtc([chart.from - chart.zero, until - chart.zero], [CHART.left, CHART.right])
  const value = scaleLinear(chart.domain ?? extentOf(chart), [CHART.bottom, CHART.top])
  if (chart.domain === undefined) {
    const [low, high] = value.nice(4).domain() as [number, number]
    value.domain([low, Math.min(high, chart.most ?? high)])
  }
  return {
    x: at => round(time(at - chart.zero)),
    y: reading => round(value(reading)),
    times: time.ticks(5).map(tick => tick.getTime() + chart.zero),
    values: value.ticks(4),
  }
}

/** From nothing where the values are not all far from it, so that a small change does not look like a large one. */
function extentOf({ lines, thresholds }: Chart): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const take = (value: number | null): void => {
    if (value === null || !Number.isFinite(value)) return
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  for (const { points } of lines) for (const [, value] of points) take(value)
  for (const { value } of thresholds) take(value)
  if (low > high) return [0, 1]
  if (low >= 0 && low <= high * 0.75) low = 0
  const space = high === low ? Math.abs(high) * 0.1 || 1 : (high - low) * 0.08
  return [low === 0 ? 0 : low - space, high + space]
}

function axes(chart: Chart, { x, y, times, values }: Scales): Content {
  const { left, right, bottom, top } = CHART
  return [
    values.map(
      value =>
        html`<line class="grid" x1="${left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/><text class="axis end" x="${left - 5}" y="${y(value) + 3.5}">${chart.format(value)}</text>`,
    ),
    times.map(
      at =>
        html`<line class="grid" x1="${x(at)}" x2="${x(at)}" y1="${bottom}" y2="${bottom + 3}"/><text class="axis middle" x="${x(at)}" y="${bottom + 14}">${elapsedText(at - chart.zero)}</text>`,
    ),
    html`<path class="frame" d="M${left} ${top}V${bottom}H${right}"/>`,
  ]
}

function thresholdLine({ from, until, value, text }: ChartThreshold, { x, y }: Scales): Markup {
  const at = y(value)
  const above = at - 4 > CHART.top + 6
  return html`<line class="threshold" x1="${x(from)}" x2="${x(until)}" y1="${at}" y2="${at}"><title>${text}</title></line><text class="limit end" x="${CHART.right}" y="${above ? at - 4 : at + 11}">${text}</text>
`
}

/** Labels that would cover each other go to a second row, and where that is full too, only the line is drawn. */
function moments({ moments }: Chart, { x }: Scales): Content {
  const free: [number, number] = [0, 0]
  return moments.map(({ at, kind, label, text }) => {
    const place = x(at)
    const width = label.length * 5 + 4
    const start = Math.min(Math.max(place - width / 2, 0), CHART.width - width)
    const row = label === '' ? -1 : free.findIndex(end => end <= start)
    if (row >= 0) free[row] = start + width
    const words =
      row < 0
        ? null
        : html`<text class="label middle" x="${round(start + width / 2)}" y="${row === 0 ? 22 : 11}">${label}</text>`
    return html`<g class="moment ${kind}"><title>${text}</title><line x1="${place}" x2="${place}" y1="${CHART.top - 5}" y2="${CHART.bottom}"/>${words}</g>
`
  })
}

function lineOf({ name, look, shape, points }: ChartLine, { x, y }: Scales): Markup {
  const dots = points.map(([at, value, text], i) => {
    if (look === 'limit') return null
    const alone = shape === 'linear' && isAlone(points, i)
    if (value === null || !(alone || (shape === 'linear' && points.length <= 60))) return null
    return html`<circle cx="${x(at)}" cy="${y(value)}" r="${alone ? 3 : 1.8}"><title>${name}: ${text}</title></circle>`
  })
  return html`<g class="line ${look}"><path d="${pathOf(points, shape, { x, y })}"><title>${name}</title></path>${dots}</g>
`
}

/** No line leads to it or from it. */
const isAlone = (points: readonly ChartPoint[], i: number): boolean =>
  (points[i - 1]?.[1] ?? null) === null && (points[i + 1]?.[1] ?? null) === null

function pathOf(
  points: readonly ChartPoint[],
  shape: ChartLine['shape'],
  { x, y }: Pick<Scales, 'x' | 'y'>,
): string {
  let path = ''
  let pen = false
  for (const [at, value] of points) {
    if (value === null) pen = false
    else {
      const [left, top] = [x(at), y(value)]
      if (!pen) path += `M${left} ${top}`
      else path += shape === 'steps' ? `H${left}V${top}` : `L${left} ${top}`
      pen = true
    }
  }
  return path
}

/** Time since the beginning, short: `12s`, `3:20`, `1:02:00`, `2d 3:00:00`. */
export function elapsedText(millis: number): string {
  const seconds = Math.round(Math.abs(millis) / 100) / 10
  const sign = millis < 0 ? '−' : ''
  if (seconds < 60) return `${sign}${seconds}s`
  const whole = Math.round(seconds)
  const two = (n: number): string => String(n).padStart(2, '0')
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ]
  const clock = `${hours > 0 || days > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`
  return `${sign}${days > 0 ? `${days}d ` : ''}${clock}`
}

export const CHART_STYLE = `
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: .8rem; margin: .5rem 0 } svg.chart { display: block; width: 100%; height: auto; touch-action: pan-y; font: 10px system-ui, sans-serif }
svg.chart:focus-visible { outline: 2px solid var(--new) } svg.chart text { fill: var(--soft) } svg.chart text.end { text-anchor: end } svg.chart text.middle { text-anchor: middle }
svg.chart .grid { stroke: var(--line); stroke-width: .7 } svg.chart .frame { fill: none; stroke: var(--soft); stroke-width: .8 } svg.chart text.limit { fill: var(--bad) }
svg.chart .threshold { stroke: var(--bad); stroke-width: 1.2; stroke-dasharray: 5 3 } svg.chart .line path { fill: none; stroke-width: 1.8; stroke-linejoin: round } svg.chart .line.new path { stroke: var(--new) }
svg.chart .line.new circle { fill: var(--new) } svg.chart .line.old path { stroke: var(--old); stroke-dasharray: 2 2.5 } svg.chart .line.old circle { fill: var(--old) } svg.chart .line.copy path { stroke: var(--new); stroke-dasharray: 7 3 1.5 3 } svg.chart .line.limit path { stroke: var(--bad); stroke-width: 1.2; stroke-dasharray: 5 3 } svg.chart .moment line { stroke: var(--wait); stroke-width: .9 }
svg.chart .moment text { fill: var(--ink) } svg.chart .pass line { stroke: var(--good); stroke-dasharray: 1 2 } svg.chart .breach line { stroke: var(--bad); stroke-width: 1.6 } svg.chart .back line { stroke: var(--warn); stroke-width: 1.6 }
svg.chart .breach text { fill: var(--bad) } svg.chart .back text { fill: var(--warn) } svg.chart .pass text, svg.chart .promoted text { fill: var(--good) } svg.chart .promoted line { stroke: var(--good); stroke-width: 1.6 }
svg.chart .cursor { stroke: var(--ink); stroke-width: .7; visibility: hidden } .reading { min-height: 1.4em; font-size: .82rem; margin: .2rem 0 0; color: var(--soft); font-variant-numeric: tabular-nums }
.key { font-size: .85rem; color: var(--soft) } .key b { font-weight: 600 } .key .new { color: var(--new) } .key .old { color: var(--old) }
`
