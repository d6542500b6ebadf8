/**
 * The report's page in a real browser: what is drawn, what is read out, how it fits, and that it asks nobody.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { renderReportHtml } from '../../runner/views/report-html.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { renderPlanHtml } from '../../src/plan/render/plan-html.ts'
import { buildReport } from '../../src/run/build-report.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { buildTimeline } from '../../src/run/timeline.ts'
import breached from '../fixtures/report/breached.json' with { type: 'json' }
import passed from '../fixtures/report/passed.json' with { type: 'json' }
import { chromiumMissing, startBrowser } from '../rig/browser.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })
const missing = chromiumMissing()
beforeEach(({ skip }) => skip(missing !== null, missing ?? ''))

const runs = { passed, breached } as unknown as Record<
  'passed' | 'breached',
  { readonly plan: Plan; readonly events: readonly RunEvent[] }
>
type Name = keyof typeof runs | 'plan'

let browser: Browser
let folder: string

beforeAll(async () => {
  if (missing !== null) return
  folder = await mkdtemp(join(tmpdir(), 'release-report-'))
  for (const [name, { plan, events }] of Object.entries(runs)) {
    const page = renderReportHtml(buildReport(plan, events), buildTimeline(plan, events))
    await writeFile(join(folder, `${name}.html`), page)
  }
  await writeFile(join(folder, 'plan.html'), renderPlanHtml(runs.passed.plan))
  browser = await startBrowser()
})

afterAll(async () => {
  if (missing !== null) return
  await browser.close()
  await rm(folder, { recursive: true })
})

/** Looks at a page; whatever it complains of or asks for is a failure. */
async function look<T>(
  name: Name,
  options: BrowserContextOptions,
  see: (page: Page) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext(options)
  const complaints: string[] = []
  const requests: string[] = []
  try {
    const page = await context.newPage()
    page.on('console', message => complaints.push(message.text()))
    page.on('pageerror', error => complaints.push(error.message))
    page.on('request', request => requests.push(request.url()))
    const address = pathToFileURL(join(folder, `${name}.html`)).href
    await page.goto(address)
    const seen = await see(page)
    expect(complaints).toEqual([])
    expect(requests.filter(url => url !== address && !url.startsWith('data:'))).toEqual([])
    return seen
  } finally {
    await context.close()
  }
}

const WIDE = { viewport: { width: 1200, height: 900 } }
const NARROW = { viewport: { width: 375, height: 800 } }

/** Boxes that take room, of what a selector finds. */
const drawn = (page: Page, selector: string): Promise<number> =>
  page.$$eval(
    selector,
    found =>
      found.filter(one => one.getBoundingClientRect().width + one.getBoundingClientRect().height > 0).length,
  )

describe('charts', () => {
  test.each(['passed', 'breached'] as const)('are drawn: lines, thresholds, marks (%s)', name =>
    look(name, WIDE, async page => {
      const charts = await drawn(page, 'svg.chart')
      expect(charts).toBe(name === 'passed' ? 9 : 7)
      expect(await drawn(page, 'svg.chart .line.new path')).toBeGreaterThanOrEqual(charts)
      expect(await drawn(page, 'svg.chart .line.old path')).toBeGreaterThanOrEqual(6)
      expect(await drawn(page, 'svg.chart .threshold')).toBe(name === 'passed' ? 8 : 6)
      expect(await drawn(page, 'svg.chart .moment.shift line')).toBeGreaterThanOrEqual(7)
      const labels = await page.$$eval('svg.chart .moment text', all => all.map(one => one.textContent))
      expect(labels).toEqual(
        expect.arrayContaining(name === 'passed' ? ['✓', '50%', 'promoted'] : ['25%', 'back']),
      )
      expect(await drawn(page, 'svg.chart .breach line')).toBe(name === 'passed' ? 0 : 7)
    }),
  )

  test('show what was measured where it was measured', () =>
    look('breached', WIDE, async page => {
      const [threshold, points] = await page.$eval('#g0c0m0', svg => [
        Number(svg.querySelector('.threshold')!.getAttribute('y1')),
        [...svg.querySelectorAll('.line.new circle')].map(one => Number(one.getAttribute('cy'))),
      ])
      // The healthy ones lie under the threshold of 1 %, the breach at the top.
      expect(points.slice(0, -1).every(y => y > threshold)).toBe(true)
      expect(points.at(-1)).toBeLessThan(40)
    }))

  test('do not need the script', () =>
    look('passed', { ...WIDE, javaScriptEnabled: false }, async page => {
      expect(await page.locator('svg.chart').count()).toBe(9)
      expect(await page.locator('svg.chart').first().boundingBox()).toMatchObject({
        width: expect.any(Number),
      })
    }))

  test('are read by pointer and by arrow keys, all of a group at one time', () =>
    look('passed', WIDE, async page => {
      const reading = (id: string) => page.locator(`#${id}-reading`).textContent()
      await page.locator('#g0c0m0').hover()
      expect(await reading('g0c0m0')).toMatch(/^\d+\.\ds: 2\.0\.0 [\d.]+%, beside it [\d.]+%$/)
      expect(await reading('g0c1m1')).toMatch(/^\d+\.\ds: 2\.0\.0 [\d.]+ms, beside it [\d.]+ms$/)
      expect(await reading('g0w')).toMatch(/back \d+%, front \d+%$/)
      expect(await reading('g1c0m0')).toBe('')
      await page.locator('#g1c0m0').focus()
      await page.keyboard.press('ArrowRight')
      expect(await reading('g1c0m0')).toMatch(/2\.0\.0 0%/)
    }))
})

describe('the page', () => {
  test.each(['passed', 'breached', 'plan'] as const)('fits a narrow screen (%s)', name =>
    look(name, NARROW, async page => {
      const [page_, screen] = await page.$eval('html', root => [root.scrollWidth, root.clientWidth])
      expect(page_).toBeLessThanOrEqual(screen!)
      const sizes = await page.$$eval('svg.chart', all => all.map(one => one.getBoundingClientRect().width))
      for (const size of sizes) expect(size).toBeGreaterThan(280)
    }),
  )

  test('is dark where the reader’s screen is', async () => {
    const ink = (colorScheme: 'light' | 'dark') =>
      look('breached', { ...WIDE, colorScheme }, page =>
        page.$eval('.line.new path', line => {
          const view = line.ownerDocument.defaultView!
          const { backgroundColor } = view.getComputedStyle(line.ownerDocument.body)
          return [backgroundColor, view.getComputedStyle(line).stroke]
        }),
      )
    const [light, dark] = [await ink('light'), await ink('dark')]
    expect(light[0]).toBe('rgb(255, 255, 255)')
    expect(dark[0]).toBe('rgb(16, 22, 30)')
    expect(dark[1]).not.toBe(light[1])
  })

  test('prints, with everything that is folded on the screen', () =>
    look('breached', WIDE, async page => {
      const hidden = page.locator('figure details table').first()
      expect(await hidden.isVisible()).toBe(false)
      await page.emulateMedia({ media: 'print' })
      expect(await hidden.isVisible()).toBe(true)
      const pdf = await page.pdf({ format: 'A4' })
      expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
      expect(pdf.length).toBeGreaterThan(50_000)
    }))

  test.each([
    ['light', 'passed'],
    ['dark', 'breached'],
    ['light', 'plan'],
    ['dark', 'plan'],
  ] as const)('can be read by everybody: axe-core finds nothing (%s, %s)', (colorScheme, name) =>
    look(name, { ...WIDE, colorScheme }, async page => {
      const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
      await page.evaluate(axe)
      const found = await page.evaluate(async () => {
        const { violations } = await (
          globalThis as unknown as {
            axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
          }
        ).axe.run()
        return violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html.slice(0, 200)}`)
      })
      expect(found).toEqual([])
    }),
  )

  test('every chart has its figures as a table, and its headings go down one at a time', () =>
    look('passed', WIDE, async page => {
      const figures = await page.$$eval('figure', all =>
        all.map(one => ({
          label: one.querySelector('svg')!.getAttribute('aria-label'),
          rows: one.querySelectorAll('tbody tr').length,
        })),
      )
      for (const { label, rows } of figures) {
        expect(label).toMatch(/\w+: .*\d/)
        if (!label!.startsWith('Share of requests')) expect(rows).toBeGreaterThan(0)
      }
      const levels = await page.$$eval('h1, h2, h3, h4', all => all.map(({ tagName }) => Number(tagName[1])))
      expect(levels[0]).toBe(1)
      for (const [i, level] of levels.entries())
        if (i > 0) expect(level - levels[i - 1]!).toBeLessThanOrEqual(1)
    }))
})
