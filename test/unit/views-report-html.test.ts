/** The report as a page, as far as text tells: what charts show, what tables say, and that nothing foreign is markup. */
import { describe, expect, test } from 'vitest'
import { chartGroups } from '../../runner/views/chart-data.ts'
import { elapsedText } from '../../runner/views/chart-svg.ts'
import { renderReportHtml } from '../../runner/views/report-html.ts'
import { renderReportMarkdown } from '../../runner/views/report-md.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { html, scriptJson } from '../../src/plan/render/markup.ts'
import { buildReport } from '../../src/run/build-report.ts'
import type { RunEvent } from '../../src/run/events.ts'
import type { Report, ReportMeasure, ReportTraffic } from '../../src/run/report.ts'
import { buildTimeline } from '../../src/run/timeline.ts'
import breached from '../fixtures/report/breached.json' with { type: 'json' }
import passed from '../fixtures/report/passed.json' with { type: 'json' }
import { reportSamples } from '../fixtures/report-samples.ts'
import { BEGIN, BOB, type Story, stories } from '../fixtures/view-plan.ts'

interface Recorded {
  readonly plan: Plan
  readonly events: readonly RunEvent[]
}

/** Two runs of one release as they were recorded: canaries in lockstep that were promoted, and that were taken back. */
const runs = { passed, breached } as unknown as Record<'passed' | 'breached', Recorded>
const reportOf = ({ plan, events }: Recorded): Report => buildReport(plan, events)
const pageOf = (run: Recorded): string => renderReportHtml(reportOf(run), buildTimeline(run.plan, run.events))

/** `5% 25%` of one component, in the order in which it got them. */
const sharesOf = (report: Report, component: string): string =>
  report.traffic
    .filter(moment => moment.component === component)
    .map(({ kind, canary }) => (kind === 'shifted' ? `${canary}%` : `${kind} ${canary}%`))
    .join(' ')

const place = { environment: 'production', component: 'back' }
const restart = {
  ...place,
  name: 'restart',
  problem: 'it did not answer',
  outcome: 'failed',
  detail: 'it did not start',
} as const

/** What a guard, and the rollback that it asked for, add to a report. */
const watched: Pick<Report, 'rollbacks' | 'guards'> = {
  rollbacks: [
    {
      number: 1,
      because: 'guard',
      strategy: 'immediate',
      plannedAt: BEGIN + 8000,
      finishedAt: BEGIN + 9000,
      validated: {
        ok: false,
        components: [
          {
            ...place,
            ok: false,
            runs: [{ slot: 0, version: '2.9.0', digest: 'cd34', healthy: false }],
            differs: ['slot 0 does not answer'],
          },
        ],
        recoveries: [restart],
      },
      breach: {
        ...place,
        version: '3.0.0',
        measure: 'error rate',
        unit: 'ratio',
        expected: 'at most 5%',
        threshold: 0.05,
        reason: 'error rate 40% is not at most 5%',
        firedAt: BEGIN + 7000,
        measurements: [[BEGIN + 7000, 0.4, 120]],
      },
    },
  ],
  guards: [
    {
      startedAt: BEGIN,
      who: BOB,
      until: BEGIN + 60_000,
      endedAt: BEGIN + 9000,
      outcome: 'rolled-back',
      reason: null,
      rounds: 4,
      breach: null,
      anomalies: [{ ...place, at: BEGIN + 5000, measure: 'latency p95', reason: 'latency p95 rises' }],
      recoveries: [{ ...restart, at: BEGIN + 6000 }],
    },
  ],
}

describe('what was measured', () => {
  test('of a canary that passed: each share, each analysis, each figure', () => {
    const report = reportOf(runs.passed)
    expect(sharesOf(report, 'back')).toBe('0% 5% 25% 50% 100% promoted 100%')
    expect(report.analyses.every(analysis => analysis.passed)).toBe(true)
    expect(report.analyses.at(-1)).toMatchObject({ node: 'announce/bake-2s', requests: 600 })
    const first = report.analyses[0]!.measures[0]!
    expect(first).toMatchObject({ name: 'error rate', expected: 'below 1%', verdict: 'pass', last: 0 })
    expect(first.requests).toBe(first.points.reduce((sum, [, , , requests]) => sum + (requests ?? 0), 0))
  })

  test('of a breach: what broke it stands where it was measured, and traffic was back once', () => {
    const report = reportOf(runs.breached)
    expect(sharesOf(report, 'back')).toBe('0% 5% 25% taken-back 0%')
    const broken = report.analyses.filter(({ passed }) => !passed)
    expect(broken.map(({ node }) => node)).toContain(report.cause!.node)
    expect(broken[0]!.measures[0]).toMatchObject({ verdict: 'fail', last: 1 })
  })

  test('an experiment that the old version won promotes nothing', () => {
    const { plan, events } = runs.passed
    const decided = 'production/back/canary/100/analyse'
    const nodes = plan.nodes.map(node =>
      node.operation.kind === 'promote' && node.component === 'back'
        ? { ...node, operation: { ...node.operation, decidedBy: decided } }
        : node,
    )
    const won = events.map(event =>
      event.type === 'node-succeeded' && event.node === decided
        ? { ...event, value: { ...(event.value as object), winner: 'stable' } }
        : event,
    ) as RunEvent[]
    expect(sharesOf(buildReport({ ...plan, nodes }, won), 'back')).toMatch(/100% promoted 0%$/)
  })

  test('comparisons that count together are said with their score, and what it came to', () => {
    const { plan, events } = runs.breached
    const { node: key } = reportOf(runs.breached).analyses[0]!
    const failed = reportOf(runs.breached).cause!.node
    const score = (verdict: string, least: number) => ({
      target: { ...place, side: 'canary', version: '2.0.0' },
      ...{ verdict, least, most: least, groups: [], reason: `the score is ${least} (${verdict})` },
    })
    const scored = events.map(event => {
      if (event.type === 'node-succeeded' && event.node === key)
        return { ...event, value: { ...(event.value as object), scores: [score('pass', 100)] } }
      if (event.type === 'node-failed' && event.node === failed)
        return { ...event, evidence: { ...(event.evidence as object), scores: [score('fail', 40)] } }
      return event
    }) as RunEvent[]
    const report = buildReport(plan, scored)
    expect(report.analyses.flatMap(({ scores = [] }) => scores.map(({ least }) => least))).toEqual([100, 40])
    const [lockstep] = chartGroups(report)
    expect(lockstep!.moments.find(({ kind }) => kind === 'breach')!.text).toContain('the score is 40 (fail)')
    const markdown = renderReportMarkdown(report)
    for (const said of [/passed in .*; scored 100$/m, /failed in .*; scored 40$/m])
      expect(markdown).toMatch(said)
    const text = 'back 2.0.0, canary: the score is 40 (fail).'
    expect(markdown).toContain(text)
    expect(pageOf({ plan, events: scored })).toContain(`<p>${text}</p>`)
  })

  test('requests of a series that lost points to its length are not guessed', () => {
    const { plan, events } = runs.passed
    const long = events.map(event => {
      if (event.type !== 'node-succeeded' || event.node !== 'announce/bake-2s') return event
      const value = event.value as { series: { points: unknown[]; requests?: number }[] }
      const series = value.series.map(({ requests: _, ...one }, i) => ({
        ...one,
        points: Array.from({ length: 200 }, (_, n) => [n, 0, null, 1]),
        ...(i === 0 && { requests: 1234 }),
      }))
      return { ...event, value: { ...value, series } }
    }) as unknown as RunEvent[]
    const { measures } = buildReport(plan, long).analyses.at(-1)!
    expect(measures.map(({ requests }) => requests)).toEqual([1234, null])
  })

  test('a value that is no evidence is no analysis', () => {
    const { plan, events } = runs.passed
    const strange = events.map(event =>
      event.type === 'node-succeeded' ? { ...event, value: { kind: 'something else' } } : event,
    )
    expect(buildReport(plan, strange).analyses).toEqual([])
  })

  test('stands in the Markdown report', () => {
    const markdown = renderReportMarkdown(reportOf(runs.breached))
    expect(markdown).toMatch(/\| production\/back +\| 25 % to the new version +\|/)
    expect(markdown).toMatch(
      /\| back 2\.0\.0, canary +\| error rate +\| below 1% +\| 100% +\| 2 +\| \*\*broken\*\* +\|/,
    )
  })
})

describe('the timeline', () => {
  const spansOf = (story: Story, node: string) =>
    buildTimeline(story.plan, story.events)
      .spans.filter(span => span.node.key === node && span.rollback === null)
      .map(({ kind, from, until, end }) => [kind, until === null ? null : until - from, end])

  test('holds attempts, pauses and waits', () => {
    const story = stories.retry()
    const key = 'staging/auth-service/verify'
    story.add(9000, { type: 'node-started', node: key, attempt: 2 }).pass(key)
    expect(spansOf(story, key)).toEqual([
      ['ran', 500, 'retried'],
      ['paused', 9000, null],
      ['ran', 1000, 'succeeded'],
    ])
    expect(spansOf(stories.success(), 'go-live/go-live')).toEqual([['waited', 120_001, 'succeeded']])
    expect(spansOf(stories.waiting(), 'go-live/go-live')).toEqual([['waited', null, null]])
  })

  test('a crash ends what ran when its runner was last heard of', () => {
    expect(spansOf(stories.resumed(), 'staging/auth-service/2')).toEqual([['ran', 0, 'cut-off']])
  })

  test('a rollback’s spans are its own', () => {
    const { plan, events } = stories.rolledBack()
    const undone = buildTimeline(plan, events).spans.filter(({ rollback }) => rollback === 1)
    expect(undone.map(({ node }) => node.key)).toEqual([
      'production/auth-service/1',
      'staging/auth-service/2',
      'staging/auth-service/1',
    ])
  })

  test('no span of a node overlaps another, wherever the journal ends', () => {
    for (const { plan, events } of [...Object.values(stories).map(make => make()), ...Object.values(runs)]) {
      for (let taken = 0; taken <= events.length; taken += 1) {
        const { spans } = buildTimeline(plan, events.slice(0, taken))
        for (const own of Map.groupBy(spans, ({ node, rollback }) => `${node.key} ${rollback}`).values())
          for (const [i, { from }] of own.entries())
            if (i > 0) expect(own[i - 1]!.until ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(from)
      }
    }
  })
})

describe('charts', () => {
  test('one group for a lockstep, one for a watch after it; thresholds and moments in each', () => {
    const [lockstep, bake] = chartGroups(reportOf(runs.passed)) as [
      ReturnType<typeof chartGroups>[number],
      ReturnType<typeof chartGroups>[number],
    ]
    expect(lockstep.name).toBe('production/lockstep')
    expect(lockstep.parts.map(({ name, charts }) => [name, charts.length])).toEqual([
      ['back', 3],
      ['front', 3],
    ])
    expect(bake.name).toBe('bake 2s (announce/bake-2s)')
    expect(bake.weights).toBeNull()
    const shifts = lockstep.weights!.moments.filter(({ kind }) => kind !== 'pass')
    expect(shifts.map(({ label }) => label)).toEqual(['approved', '5%', '25%', '50%', '100%', 'promoted'])
    const errors = lockstep.parts[0]!.charts[0]!.chart
    expect(errors.thresholds).toMatchObject([{ value: 0.01, text: 'below 1%' }])
    expect(errors.moments.filter(({ kind }) => kind === 'pass')).toHaveLength(4)
  })

  test('how far a measure may go from the one beside it is drawn, and ends where a share does', () => {
    const report = reportOf(runs.passed)
    const points = [
      [BEGIN, 0.01, 0.002, 10],
      [BEGIN + 1000, 0.01, 0.1, 10],
      [BEGIN + 2000, 0.01, null, 10],
      [BEGIN + 3000, 0.01, 0.98, 10],
    ] as const
    const [analysis] = report.analyses
    const linesOf = (margin: ReportMeasure['margin'], unit: ReportMeasure['unit'] = 'ratio') => {
      const measure = { ...analysis!.measures[0]!, threshold: null, points, unit, ...(margin && { margin }) }
      const [group] = chartGroups({ ...report, analyses: [{ ...analysis!, measures: [measure] }] })
      const { lines } = group!.parts[0]!.charts[0]!.chart
      return lines
        .filter(({ look }) => look === 'limit')
        .map(line => [line.name, line.points.map(([, value]) => value && Number(value.toFixed(4)))])
    }
    const margin = { tolerance: 0.1, floor: 0.005, around: null } as const
    expect(linesOf({ ...margin, direction: 'increase' })).toEqual([['at most', [0.007, 0.11, null, 1]]])
    expect(linesOf({ ...margin, direction: 'either', floor: 0 }, 'ms')).toEqual([
      ['at most', [0.0022, 0.11, null, 1.078]],
      ['at least', [0.0018, 0.09, null, 0.882]],
    ])
    expect(linesOf({ ...margin, direction: 'decrease', around: 0.5 })).toEqual([
      ['at least', [0.45, 0.45, 0.45, 0.45]],
    ])
    expect(linesOf(undefined)).toEqual([])
  })

  test('the shares of a baseline and of copies are drawn where there were any', () => {
    const report = reportOf(runs.passed)
    const linesOf = (more: Partial<ReportTraffic>) => {
      const traffic = report.traffic.filter(({ component }) => component === 'back')
      const changed = traffic.map(move => (move.kind === 'shifted' ? { ...move, ...more } : move))
      return chartGroups({ ...report, traffic: changed })[0]!.weights!.lines.map(({ name, look }) => [
        name,
        look,
      ])
    }
    expect(linesOf({})).toEqual([['back', 'new']])
    expect(linesOf({ baseline: 5, mirror: 10 })).toEqual([
      ['back', 'new'],
      ['back, the old version beside it', 'old'],
      ['back, copies', 'copy'],
    ])
  })

  test('a breach and what was taken back are marked', () => {
    const [lockstep] = chartGroups(reportOf(runs.breached))
    const marks = lockstep!.weights!.moments.map(({ kind }) => kind)
    expect(marks).toContain('breach')
    expect(marks.indexOf('back')).toBeGreaterThan(marks.indexOf('breach'))
    expect(lockstep!.moments.find(({ kind }) => kind === 'breach')!.text).toContain(
      'error rate 100% is not below 1%',
    )
  })

  test.each([
    [0, '0s'],
    [12_340, '12.3s'],
    [200_000, '3:20'],
    [3_720_000, '1:02:00'],
    [183_600_000, '2d 3:00:00'],
    [-1500, '−1.5s'],
  ])('%d ms reads %s', (millis, text) => expect(elapsedText(millis)).toBe(text))
})

describe('the page', () => {
  const all: readonly [string, string][] = [
    ...Object.entries(runs).map(([name, run]) => [name, pageOf(run)] as [string, string]),
    ...Object.entries(stories).map(([name, make]) => [name, pageOf(make())] as [string, string]),
    ...reportSamples.map(
      report =>
        [report.outcome, renderReportHtml(report, { from: 0, until: 0, spans: [] })] as [string, string],
    ),
  ]

  test.each(all)('is whole: %s', (_, page) => {
    const open: string[] = []
    // Every element that is opened is closed, in order.
    const body = page.replaceAll(/<(script|style)\b[^>]*>[\s\S]*?<\/\1>/g, '')
    expect(/undefined|NaN|\[object|Infinity/.exec(body)).toBeNull()
    for (const [, end, name, own] of body.matchAll(/<(\/?)([a-z]\w*)(?:"[^"]*"|[^">])*?(\/?)>/g)) {
      if (own === '/' || /^(meta|link|br)$/.test(name!)) continue
      if (end === '/') expect(open.pop()).toBe(name)
      else open.push(name!)
    }
    expect(open).toEqual([])
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
    // Nothing is fetched: no address in it is loaded by anything.
    expect(/(?:src|href)="(?!data:,)/.exec(page)).toBeNull()
  })

  test('says the cause before anything else, and holds the report as data', () => {
    const page = pageOf(runs.breached)
    const headings = [...page.matchAll(/<h[12]>([^<]*)/g)].map(([, text]) => text)
    expect(headings.slice(0, 3)).toEqual(['canaried 2.0.0 failed', 'Root cause', 'Rolled back'])
    const [, data] = /<script type="application\/json" id="report">([^<]*)</.exec(page)!
    expect(JSON.parse(data!)).toEqual(JSON.parse(JSON.stringify(reportOf(runs.breached))))
  })

  test('foreign text is text: in elements, attributes and scripts', () => {
    const evil = '</script><script>alert(1)</script>" onload="x" \u202e<b>\u0007'
    const { plan, events } = runs.breached
    const named: Plan = {
      ...plan,
      params: { [evil]: evil },
      nodes: plan.nodes.map(node => ({
        ...node,
        title: evil,
        ...(node.component !== undefined && { component: evil }),
      })),
    }
    const said = JSON.parse(
      JSON.stringify(events).replaceAll('error rate', JSON.stringify(evil).slice(1, -1)),
    )
    const page = renderReportHtml(buildReport(named, said), buildTimeline(named, said))
    const bare = page.replaceAll(/(<script type="application\/json"[^>]*>)[^<]*/g, '$1')
    expect(page.match(/<script/g)).toHaveLength(3)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    for (const forged of [/" onload=/, /<b>\S?\s*</, /[\u0000-\u0008\u202e]/]) {
      expect(forged.test(forged.source.startsWith('[') ? page : bare), forged.source).toBe(false)
    }
  })

  test('the template escapes all but itself', () => {
    expect(html`<i title="${'"<&'}">${['a', html`<b>${"'"}</b>`, null, 3]}</i>`.markup).toBe(
      '<i title="&quot;&lt;&amp;">a<b>&#39;</b>3</i>',
    )
    expect(scriptJson('</script>\u2028').markup).toBe('"\\u003c/script\\u003e\\u2028"')
  })

  test('what came after the release is said: the breach, what runs since, what the guard saw', () => {
    const page = renderReportHtml({ ...reportSamples[0]!, ...watched }, { from: 0, until: 0, spans: [] })
    for (const heading of ['Why the guard took it back', 'What runs since', 'After the release'])
      expect(page.includes(`<h2>${heading}</h2>`), heading).toBe(true)
    for (const text of [
      'error rate 40% is not at most 5%',
      '<td class="number">40%</td>',
      'After rollback 1 not all was as it should be:',
      '0: 2.9.0 (ill)',
      'no: slot 0 does not answer',
      '<code>restart</code> for back in production, since it did not answer: <span class="bad">failed</span>',
      '4 rounds, until 2024-03-15 08:00:09 UTC: took the release back',
      'unusual: back in production: latency p95 rises',
    ])
      expect(page.includes(text), text).toBe(true)
  })

  test('who went on is said', () => expect(pageOf(stories.resumed())).toContain(`${BOB} went on at`))
})
