/**
 * What the page's one script does: reads a chart's values where the pointer is, or the arrow keys are.
 *
 * Boundary: runs in a browser, and asks nothing of anybody: its data lies in the page. Without it the charts are the
 * same, and their figures stand in tables.
 */
import type { Chart } from './chart-svg.ts'
import { CHART } from './chart-svg.ts'

/** What the script reads of a chart: times of the axis, and each line's points as they read. */
export interface ReadableChart {
  readonly id: string
  readonly group: string
  readonly from: number
  readonly until: number
  readonly zero: number
  readonly steps: boolean
  readonly lines: readonly {
    readonly name: string
    readonly points: readonly (readonly [at: number, text: string])[]
  }[]
}

/** Points without a value read nothing. Lines of one name are one. */
export function readableChart(chart: Chart, group: string): ReadableChart {
  const byName = Map.groupBy(chart.lines, ({ name }) => name)
  return {
    id: chart.id,
    group,
    from: chart.from,
    until: chart.until,
    zero: chart.zero,
    steps: chart.lines.some(({ shape }) => shape === 'steps'),
    lines: [...byName].map(([name, lines]) => ({
      name,
      points: lines
        .flatMap(({ points }) => points)
        .filter(([, value]) => value !== null)
        .map(([at, , text]) => [at, text] as const)
        .toSorted(([a], [b]) => a - b),
    })),
  }
}

/** Plain JavaScript for every browser of the last years; `charts` is the element of their data. */
export const READER_SCRIPT = `'use strict'
const charts = JSON.parse(document.getElementById('charts').textContent)
const left = ${CHART.left}, right = ${CHART.right}, width = ${CHART.width}
const elapsed = ms => { const s = ms / 1000; return s < 60 ? s.toFixed(1) + 's' : Math.floor(s / 60) + ':' + String(Math.floor(s % 60)).padStart(2, '0') }
function nearest(points, at, steps) {
  let found = null
  for (const point of points) {
    if (steps ? point[0] <= at : found === null || Math.abs(point[0] - at) < Math.abs(found[0] - at)) found = point
  }
  return found
}
function read(group, at) {
  for (const chart of charts.filter(one => one.group === group)) {
    const svg = document.getElementById(chart.id), cursor = svg.querySelector('.cursor')
    const x = left + (right - left) * (at - chart.from) / (chart.until - chart.from)
    cursor.setAttribute('x1', x); cursor.setAttribute('x2', x); cursor.style.visibility = 'visible'
    const said = chart.lines.map(line => { const point = nearest(line.points, at, chart.steps); return point && line.name + ' ' + point[1] }).filter(Boolean)
    document.getElementById(chart.id + '-reading').textContent = elapsed(at - chart.zero) + ': ' + said.join(', ')
  }
}
for (const chart of charts) {
  const svg = document.getElementById(chart.id), span = chart.until - chart.from
  let at = chart.from
  const go = to => { at = Math.min(chart.until, Math.max(chart.from, to)); read(chart.group, at) }
  svg.tabIndex = 0
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect()
    go(chart.from + span * ((event.clientX - box.left) / box.width * width - left) / (right - left))
  })
  svg.addEventListener('keydown', event => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key]
    if (step !== undefined) { event.preventDefault(); go(at + step * span) }
  })
}
`
