/** Each view's text for runs as their journals tell them. */
import { describe, expect, test } from 'vitest'
import { renderFrame } from '../../runner/host/frame.ts'
import { blockersOf, createRunView, type RunView } from '../../runner/views/model.ts'
import { createNarrator, type NarratorOptions } from '../../runner/views/narrator.ts'
import { renderRunList, runRow } from '../../runner/views/run-list.ts'
import { renderStatus, renderSummary } from '../../runner/views/status.ts'
import { painterOf, widthOf } from '../../runner/views/terminal-text.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { eventSamples } from '../fixtures/event-samples.ts'
import { samplePlan } from '../fixtures/plan-samples.ts'
import { type Story, stories, viewPlan, widePlan } from '../fixtures/view-plan.ts'

const paint = painterOf({ color: false })

function tell(story: Story, options: Partial<NarratorOptions> = {}): string {
  const view = createRunView(story.plan)
  const narrator = createNarrator(view, { paint, names: 'key', detail: 'all', ...options })
  const lines: string[] = []
  view.subscribe(change => lines.push(...narrator.tell(change)))
  for (const event of story.events) view.apply(event)
  return [...lines, ...narrator.flush()].join('\n')
}

function viewOf(story: Story): RunView {
  const view = createRunView(story.plan)
  for (const event of story.events) view.apply(event)
  return view
}

const frame = (story: Story, size: { columns?: number; rows?: number } = {}): string =>
  renderFrame(viewOf(story), { columns: 100, rows: 24, ...size, now: story.at + 1000, paint }).join('\n')

const status = (story: Story): string =>
  renderStatus(viewOf(story).state, { paint, now: story.at + 1000, runner: 'gone' })

const summary = (story: Story): string =>
  renderSummary(viewOf(story).state, { paint, now: story.at + 1000, runner: 'gone' })

describe('lines that stay', () => {
  test('success', () =>
    expect(tell(stories.success())).toMatchInlineSnapshot(`
    "▸ phoenix 3.0.0 as phoenix-3.0.0-1a2b: 11 nodes in 5 stages, started by alice@techcorp.example
    ▸ preflight/unit-tests                  unit tests
    ▸ preflight/audit                       dependency audit
    ✓ preflight/unit-tests                  unit tests: 91.4 % of lines, at least 90 asked (1.1 s)
    ! preflight/audit                       dependency audit: 2 packages with known flaws (2.0 s)
    ▸ staging/auth-service/1                auth-service: instance 1 of 2
    ✓ staging/auth-service/1                auth-service: instance 1 of 2 (1.0 s)
    ▸ staging/auth-service/2                auth-service: instance 2 of 2
    ✓ staging/auth-service/2                auth-service: instance 2 of 2 (1.0 s)
    ▸ staging/auth-service/verify           auth-service: check what runs
    ✓ staging/auth-service/verify           auth-service: check what runs (1.0 s)
    ▸ staging/smoke                         smoke
    ✓ staging/smoke                         smoke (1.0 s)
    ◷ go-live/go-live                       go live: waits for 1 release-manager and 1 platform-owner until 2024-03-18 08:00:06 UTC
        release approve phoenix-3.0.0-1a2b 'go live' --as release-manager
        release approve phoenix-3.0.0-1a2b 'go live' --as platform-owner
    ✓ go-live/go-live                       go live: alice@techcorp.example approves as release-manager, signed with SHA256:47DEQpj8; still waits for 1 platform-owner
    ✓ go-live/go-live                       go live: bob@techcorp.example approves as platform-owner, signed with SHA256:47DEQpj8
    ✓ go-live/go-live                       go live: approved by alice@techcorp.example and bob@techcorp.example (2 min)
    ▸ production/auth-service/1             auth-service: instance 1 of 2
    ✓ production/auth-service/1             auth-service: instance 1 of 2 (1.0 s)
    ▸ production/auth-service/2             auth-service: instance 2 of 2
    ✓ production/auth-service/2             auth-service: instance 2 of 2 (1.0 s)
    ▸ production/auth-service/verify        auth-service: check what runs
    ✓ production/auth-service/verify        auth-service: check what runs (1.0 s)
    ▸ announce/mail                         write to the customers
    ✓ announce/mail                         write to the customers (1.0 s)
    ✓ phoenix-3.0.0-1a2b succeeded in 2 min 11 s"
  `))
  test('success, for people at a terminal', () =>
    expect(tell(stories.success(), { names: 'place', detail: 'ends' })).toMatchInlineSnapshot(`
      "▸ phoenix 3.0.0 as phoenix-3.0.0-1a2b: 11 nodes in 5 stages, started by alice@techcorp.example
      ✓ preflight · unit tests: 91.4 % of lines, at least 90 asked (1.1 s)
      ! preflight · dependency audit: 2 packages with known flaws (2.0 s)
      ✓ staging · auth-service: instance 1 of 2 (1.0 s)
      ✓ staging · auth-service: instance 2 of 2 (1.0 s)
      ✓ staging · auth-service: check what runs (1.0 s)
      ✓ staging · smoke (1.0 s)
      ◷ go-live · go live: waits for 1 release-manager and 1 platform-owner until 2024-03-18 08:00:06 UTC
          release approve phoenix-3.0.0-1a2b 'go live' --as release-manager
          release approve phoenix-3.0.0-1a2b 'go live' --as platform-owner
      ✓ go-live · go live: alice@techcorp.example approves as release-manager, signed with SHA256:47DEQpj8; still waits for 1 platform-owner
      ✓ go-live · go live: bob@techcorp.example approves as platform-owner, signed with SHA256:47DEQpj8
      ✓ go-live · go live: approved by alice@techcorp.example and bob@techcorp.example (2 min)
      ✓ production · auth-service: instance 1 of 2 (1.0 s)
      ✓ production · auth-service: instance 2 of 2 (1.0 s)
      ✓ production · auth-service: check what runs (1.0 s)
      ✓ announce · write to the customers (1.0 s)
      ✓ phoenix-3.0.0-1a2b succeeded in 2 min 11 s"
    `))
  test('failure and rollback', () =>
    expect(tell(stories.rolledBack(), { names: 'place', detail: 'ends' })).toMatchInlineSnapshot(`
      "▸ phoenix 3.0.0 as phoenix-3.0.0-1a2b: 11 nodes in 5 stages, started by alice@techcorp.example
      ✓ preflight · unit tests: 91.4 % of lines, at least 90 asked (1.1 s)
      ! preflight · dependency audit: 2 packages with known flaws (2.0 s)
      ✓ staging · auth-service: instance 1 of 2 (1.0 s)
      ✓ staging · auth-service: instance 2 of 2 (1.0 s)
      ✓ staging · auth-service: check what runs (1.0 s)
      ✓ staging · smoke (1.0 s)
      ◷ go-live · go live: waits for 1 release-manager and 1 platform-owner until 2024-03-18 08:00:06 UTC
          release approve phoenix-3.0.0-1a2b 'go live' --as release-manager
          release approve phoenix-3.0.0-1a2b 'go live' --as platform-owner
      ✓ go-live · go live: alice@techcorp.example approves as release-manager, signed with SHA256:47DEQpj8; still waits for 1 platform-owner
      ✓ go-live · go live: bob@techcorp.example approves as platform-owner, signed with SHA256:47DEQpj8
      ✓ go-live · go live: approved by alice@techcorp.example and bob@techcorp.example (2 min)
      ✓ production · auth-service: instance 1 of 2 (1.0 s)
      ✗ production · auth-service: instance 2 of 2 failed: the root cause (2.0 s)
          auth-service: instance 2 was not healthy within 30 s
          hint: Look at the instance’s output: release logs.
          │ listening on 40123
          │ no database
      ↶ rollback 1, because production · auth-service: instance 2 of 2 failed: 3 effects to take back, newest first
          ! staging · smoke stays: smoke mails cannot be unsent
      ↶ rollback 1 · production · auth-service: instance 1 of 2 taken back (1.0 s)
      ↶ rollback 1 · staging · auth-service: instance 2 of 2 taken back (1.0 s)
      ↶ rollback 1 · staging · auth-service: instance 1 of 2 taken back (1.0 s)
      ↶ rollback 1 ended: 3 of 3 taken back in 3.3 s
      – 2 nodes skipped, because production · auth-service: instance 2 of 2 failed: production/auth-service/verify and announce/mail
      ✗ phoenix-3.0.0-1a2b failed in 2 min 13 s"
    `))
  test('waiting for a person', () =>
    expect(tell(stories.waiting(), { names: 'place', detail: 'ends' })).toMatchInlineSnapshot(`
      "▸ phoenix 3.0.0 as phoenix-3.0.0-1a2b: 11 nodes in 5 stages, started by alice@techcorp.example
      ✓ preflight · unit tests: 91.4 % of lines, at least 90 asked (1.1 s)
      ! preflight · dependency audit: 2 packages with known flaws (2.0 s)
      ✓ staging · auth-service: instance 1 of 2 (1.0 s)
      ✓ staging · auth-service: instance 2 of 2 (1.0 s)
      ✓ staging · auth-service: check what runs (1.0 s)
      ✓ staging · smoke (1.0 s)
      ◷ go-live · go live: waits for 1 release-manager and 1 platform-owner until 2024-03-18 08:00:06 UTC
          release approve phoenix-3.0.0-1a2b 'go live' --as release-manager
          release approve phoenix-3.0.0-1a2b 'go live' --as platform-owner
      ✓ go-live · go live: bob@techcorp.example approves as platform-owner, signed with SHA256:47DEQpj8; still waits for 1 release-manager
      ! go-live · go live: the word of alice@techcorp.example does not count: who started the run does not count
      ◷ the runner leaves: the run only waits for go-live · go live; release resume phoenix-3.0.0-1a2b goes on"
    `))
  test('skipped by --only', () =>
    expect(tell(stories.only())).toMatchInlineSnapshot(`
    "▸ phoenix 3.0.0 as phoenix-3.0.0-1a2b: 11 nodes in 5 stages, only preflight and what guards it, started by alice@techcorp.example
    – 4 nodes skipped, left out by --only: staging/auth-service/1, staging/auth-service/2, staging/auth-service/verify and 1 more
    ▸ preflight/unit-tests                  unit tests
    ✓ preflight/unit-tests                  unit tests (1.0 s)"
  `))
  test('retry', () =>
    expect(tell(stories.retry(), { detail: 'ends' })).toMatchInlineSnapshot(`
    "▸ phoenix 3.0.0 as phoenix-3.0.0-1a2b: 11 nodes in 5 stages, started by alice@techcorp.example
    ✓ preflight/unit-tests                  unit tests: 91.4 % of lines, at least 90 asked (1.1 s)
    ! preflight/audit                       dependency audit: 2 packages with known flaws (2.0 s)
    ✓ staging/auth-service/1                auth-service: instance 1 of 2 (1.0 s)
    ✓ staging/auth-service/2                auth-service: instance 2 of 2 (1.0 s)
    ↻ staging/auth-service/verify           auth-service: check what runs: attempt 1 failed, instance 2 answers 503; again in 5.0 s"
  `))
  test('kill -9 and resume', () =>
    expect(tell(stories.resumed(), { detail: 'ends' })).toMatchInlineSnapshot(`
      "▸ phoenix 3.0.0 as phoenix-3.0.0-1a2b: 11 nodes in 5 stages, started by alice@techcorp.example
      ✓ preflight/unit-tests                  unit tests: 91.4 % of lines, at least 90 asked (1.1 s)
      ! preflight/audit                       dependency audit: 2 packages with known flaws (2.0 s)
      ✓ staging/auth-service/1                auth-service: instance 1 of 2 (1.0 s)
      ▸ bob@techcorp.example goes on with phoenix-3.0.0-1a2b on build-1 (pid 815)
      ✓ staging/auth-service/2                auth-service: instance 2 of 2: it was so already (1 h)"
    `))
  test('nobody can tell', () =>
    expect(tell(stories.uncertain(), { detail: 'ends' })).toMatchInlineSnapshot(`
    "▸ phoenix 3.0.0 as phoenix-3.0.0-1a2b: 11 nodes in 5 stages, started by alice@techcorp.example
    ✓ preflight/unit-tests                  unit tests: 91.4 % of lines, at least 90 asked (1.1 s)
    ! preflight/audit                       dependency audit: 2 packages with known flaws (2.0 s)
    ✓ staging/auth-service/1                auth-service: instance 1 of 2 (1.0 s)
    ✓ staging/auth-service/2                auth-service: instance 2 of 2 (1.0 s)
    ✓ staging/auth-service/verify           auth-service: check what runs (1.0 s)
    ▸ alice@techcorp.example goes on with phoenix-3.0.0-1a2b on build-1 (pid 4711)
    ? staging/smoke                         smoke: it was cut off, and nobody can tell whether it happened; say which:
        release resume phoenix-3.0.0-1a2b --rerun smoke
        release resume phoenix-3.0.0-1a2b --skip smoke
    ◷ the runner leaves: the run only waits for staging · smoke; release resume phoenix-3.0.0-1a2b goes on"
  `))
  test('Ctrl-C', () =>
    expect(tell(stories.interrupted(), { detail: 'ends' })).toMatchInlineSnapshot(`
    "▸ phoenix 3.0.0 as phoenix-3.0.0-1a2b: 11 nodes in 5 stages, started by alice@techcorp.example
    ✓ preflight/unit-tests                  unit tests: 91.4 % of lines, at least 90 asked (1.1 s)
    ! preflight/audit                       dependency audit: 2 packages with known flaws (2.0 s)
    ■ alice@techcorp.example interrupts: what runs comes to its end, nothing new starts; a second Ctrl-C stops that too
    ✓ staging/auth-service/1                auth-service: instance 1 of 2 (1.4 s)
    ◷ the runner leaves: it was interrupted; release resume phoenix-3.0.0-1a2b goes on"
  `))

  test('history is not told again', () => {
    const { plan, events } = stories.resumed()
    const view = createRunView(plan)
    const narrator = createNarrator(view, { paint, names: 'key', detail: 'all' })
    const lines: string[] = []
    view.subscribe(change => lines.push(...narrator.tell(change)))
    const resumed = events.findLastIndex(event => event.type === 'runner-attached')
    for (const [i, event] of events.entries()) view.apply(event, i < resumed ? 'history' : 'live')
    expect(lines.map(line => line.split(' ')[1])).toEqual(['bob@techcorp.example', 'staging/auth-service/2'])
  })
})

describe('the live part', () => {
  test('waiting for a person', () =>
    expect(frame(stories.waiting())).toMatchInlineSnapshot(`
    "phoenix 3.0.0 · 6 of 11 done · 1 min 8 s · phoenix-3.0.0-1a2b
    ◷ release approve phoenix-3.0.0-1a2b 'go live' --as release-manager
     ! preflight   2 of 2, 1 warning  2.1 s
     ✓ staging     4 of 4  4.3 s
     ▸ go-live     0 of 1  1 min 1 s
       ◷ go live  waits for 1 release-manager until 2024-03-18 08:00:06 UTC
     · production  3 nodes, waits for go-live
     · announce    1 node, waits for production"
  `))
  test('retry, and why the next waits', () =>
    expect(frame(stories.retry())).toMatchInlineSnapshot(`
    "phoenix 3.0.0 · 4 of 11 done · 6.0 s · phoenix-3.0.0-1a2b
     ! preflight   2 of 2, 1 warning  2.1 s
     ▸ staging     2 of 4  3.7 s
       ↻ auth-service: check what runs  attempt 1 of 3 failed: instance 2 answers 503; again in 4.0 s
       · smoke  waits for auth-service: check what runs
     · go-live     1 node, waits for staging
     · production  3 nodes, waits for go-live
     · announce    1 node, waits for production"
  `))
  test('failed', () =>
    expect(frame(stories.rolledBack())).toMatchInlineSnapshot(`
    "phoenix 3.0.0 · 11 of 11 done · 2 min 13 s · phoenix-3.0.0-1a2b
    ✗ root cause: production · auth-service: instance 2 of 2: auth-service: instance 2 was not healthy…
     ! preflight   2 of 2, 1 warning  2.1 s
     ✓ staging     4 of 4  4.3 s
     ✓ go-live     1 of 1  2 min
     ✗ production  1 of 3, 1 failed, 1 skipped  3.1 s
     – announce    0 of 1, 1 skipped
     ↶ rollback 1  3 of 3  3.3 s"
  `))
  test('nobody can tell', () =>
    expect(frame(stories.uncertain())).toMatchInlineSnapshot(`
    "phoenix 3.0.0 · 5 of 11 done · 1 min 7 s · phoenix-3.0.0-1a2b
    ? release resume phoenix-3.0.0-1a2b --rerun smoke
    ? release resume phoenix-3.0.0-1a2b --skip smoke
     ! preflight   2 of 2, 1 warning  2.1 s
     ▸ staging     3 of 4  1 min 4 s
       ? smoke  cut off, and nobody can tell whether it happened
     · go-live     1 node, waits for staging
     · production  3 nodes, waits for go-live
     · announce    1 node, waits for production"
  `))

  test('output, attempt and time of what runs', () => {
    const story = stories.retry()
    story.start('staging/auth-service/verify', 2)
    const view = viewOf(story)
    view.output('staging/auth-service/verify', 'asking 40123\nasking \x1b[31m40124')
    const lines = renderFrame(view, { columns: 100, rows: 24, now: story.at + 2500, paint })
    expect(lines.find(line => line.includes('check what runs'))).toMatchInlineSnapshot(
      `"   ⠴ auth-service: check what runs  attempt 2 of 3  3.1 s  │ asking 40124"`,
    )
  })

  test('small terminals show what matters most', () =>
    expect(frame(stories.uncertain(), { columns: 50, rows: 8 })).toMatchInlineSnapshot(`
      "phoenix 3.0.0 · 5 of 11 done · 1 min 7 s · phoen…
      ? release resume phoenix-3.0.0-1a2b --rerun smoke
      ? release resume phoenix-3.0.0-1a2b --skip smoke
       ▸ staging  3 of 4  1 min 4 s
         ? smoke  cut off, and nobody can tell whether…
       · 1 stage ended, 3 stages to come"
    `))

  test('fits every size', () => {
    const misfits: string[] = []
    for (const [name, make] of Object.entries(stories)) {
      const view = viewOf(make())
      for (let columns = 1; columns < 130; columns += 7) {
        for (let rows = 1; rows < 40; rows += 3) {
          const lines = renderFrame(view, { columns, rows, now: 0, paint: painterOf({ color: true }) })
          const fits =
            lines.length >= 1 &&
            lines.length <= Math.max(1, rows - 2) &&
            lines.every(line => widthOf(line) <= Math.max(1, columns - 1))
          if (!fits) misfits.push(`${name} in ${columns} x ${rows}`)
        }
      }
    }
    expect(misfits).toEqual([])
  })

  test('ten thousand active nodes are as many lines as the terminal has', () => {
    const view = createRunView(widePlan(10_000))
    for (const node of view.state.plan.nodes)
      view.apply({ type: 'node-started', node: node.key, attempt: 1, at: 5 })
    const lines = renderFrame(view, { columns: 100, rows: 24, now: 10, paint })
    expect(lines).toHaveLength(22)
    expect(lines[0]).toContain('0 of 10000 done · 10000 running')
    expect(lines.filter(line => line.includes('more'))).toHaveLength(10)
  })
})

describe('status and summary', () => {
  test('status while a person is waited for', () =>
    expect(status(stories.waiting())).toMatchInlineSnapshot(`
      "phoenix 3.0.0  phoenix-3.0.0-1a2b  waiting
      started by alice@techcorp.example at 2024-03-15 08:00:00 UTC, 1 min 8 s ago

      ! preflight   2 of 2, 1 warning  2.1 s
      ✓ staging     4 of 4             4.3 s
      ▸ go-live     0 of 1             1 min 1 s
      · production  0 of 3
      · announce    0 of 1

      ◷ go-live · go live  waits for 1 release-manager until 2024-03-18 08:00:06 UTC
      · production · auth-service: instance 1 of 2  waits for go-live · go live

      go-live · go live waits for 1 release-manager until 2024-03-18 08:00:06 UTC (given by bob@techcorp.example as platform-owner):
        release approve phoenix-3.0.0-1a2b 'go live' --as release-manager
        release resume phoenix-3.0.0-1a2b
      "
    `))
  test('status after a kill', () => {
    const story = stories.retry()
    expect(status(story)).toMatchInlineSnapshot(`
      "phoenix 3.0.0  phoenix-3.0.0-1a2b  interrupted: its runner is gone
      started by alice@techcorp.example at 2024-03-15 08:00:00 UTC, 6.0 s ago

      ! preflight   2 of 2, 1 warning  2.1 s
      ▸ staging     2 of 4             3.7 s
      · go-live     0 of 1
      · production  0 of 3
      · announce    0 of 1

      ↻ staging · auth-service: check what runs  attempt 1 failed, again at 2024-03-15 08:00:10 UTC: instance 2 answers 503
      · staging · smoke  waits for auth-service: check what runs

        release resume phoenix-3.0.0-1a2b
      "
    `)
  })
  test('summary of a success', () =>
    expect(summary(stories.success())).toMatchInlineSnapshot(`
      "! preflight · dependency audit: 2 packages with known flaws

      phoenix 3.0.0  phoenix-3.0.0-1a2b  succeeded after 2 min 11 s: 11 of 11 done, 1 warning

        release report phoenix-3.0.0-1a2b
      "
    `))
  test('summary of a failure', () =>
    expect(summary(stories.rolledBack())).toMatchInlineSnapshot(`
      "✗ production · auth-service: instance 2 of 2 failed: the root cause
        auth-service: instance 2 was not healthy within 30 s
        hint: Look at the instance’s output: release logs.
        │ listening on 40123
        │ no database
        asked for at releases/phoenix.ts:49:6
        all it printed: release logs phoenix-3.0.0-1a2b production/auth-service/2

      ↶ rollback 1, because production · auth-service: instance 2 of 2 failed: 3 of 3 taken back
        ! staging · smoke stays: smoke mails cannot be unsent

      ! preflight · dependency audit: 2 packages with known flaws

      phoenix 3.0.0  phoenix-3.0.0-1a2b  failed after 2 min 13 s: 8 of 11 done, 1 failed, 2 skipped, 1 warning

        release report phoenix-3.0.0-1a2b
      "
    `))
  test('summary of a run that waits', () =>
    expect(summary(stories.waiting())).toMatchInlineSnapshot(`
      "! preflight · dependency audit: 2 packages with known flaws

      phoenix 3.0.0  phoenix-3.0.0-1a2b  waiting after 1 min 8 s: 6 of 11 done, 1 warning, 5 to go

      go-live · go live waits for 1 release-manager until 2024-03-18 08:00:06 UTC (given by bob@techcorp.example as platform-owner):
        release approve phoenix-3.0.0-1a2b 'go live' --as release-manager
        release resume phoenix-3.0.0-1a2b
      "
    `))
  test('summary where nobody can tell', () =>
    expect(summary(stories.uncertain())).toMatchInlineSnapshot(`
      "! preflight · dependency audit: 2 packages with known flaws

      phoenix 3.0.0  phoenix-3.0.0-1a2b  waiting after 1 min 7 s: 5 of 11 done, 1 warning, 6 to go

      staging · smoke was cut off, and nobody can tell whether it happened. Look, and say which:
        release resume phoenix-3.0.0-1a2b --rerun smoke
        release resume phoenix-3.0.0-1a2b --skip smoke
      "
    `))
  test('summary of an interrupted run', () =>
    expect(summary(stories.interrupted())).toMatchInlineSnapshot(`
      "! preflight · dependency audit: 2 packages with known flaws

      phoenix 3.0.0  phoenix-3.0.0-1a2b  interrupted after 4.7 s: 3 of 11 done, 1 warning, 8 to go

        release resume phoenix-3.0.0-1a2b
      "
    `))

  test('list', () => {
    const rows = [stories.success(), stories.waiting(), stories.uncertain(), stories.retry()].map(
      ({ events }) => runRow(events, 'gone')!,
    )
    expect(renderRunList(rows, { paint, now: stories.retry().at })).toMatchInlineSnapshot(`
      "RUN                 RELEASE        STANDING                  STARTED                  TOOK        BY
      phoenix-3.0.0-1a2b  phoenix 3.0.0  succeeded                 2024-03-15 08:00:00 UTC  2 min 11 s  alice@techcorp.example
      phoenix-3.0.0-1a2b  phoenix 3.0.0  waiting: go-live/go-live  2024-03-15 08:00:00 UTC  5.0 s       alice@techcorp.example
      phoenix-3.0.0-1a2b  phoenix 3.0.0  waiting: staging/smoke    2024-03-15 08:00:00 UTC  5.0 s       alice@techcorp.example
      phoenix-3.0.0-1a2b  phoenix 3.0.0  interrupted               2024-03-15 08:00:00 UTC  5.0 s       alice@techcorp.example
      "
    `)
    expect(renderRunList([], { paint, now: 0 })).toMatchInlineSnapshot(`
      "There are no runs yet: release run begins one.
      "
    `)
    expect(runRow([], 'unknown')).toBeNull()
  })
})

describe('the model', () => {
  const counts = (view: RunView) => {
    const { total, pending, active, succeeded, failed, cancelled, skipped } = view.state.counts
    return { total, sum: pending + active + succeeded + failed + cancelled + skipped }
  }

  test('counts sum up after every event of every story', () => {
    for (const make of Object.values(stories)) {
      const { plan, events } = make()
      const view = createRunView(plan)
      for (const event of events) {
        view.apply(event)
        const { total, sum } = counts(view)
        expect(sum).toBe(total)
        for (const group of [...view.state.stages, ...view.state.rollbacks]) {
          const { pending, active, succeeded, failed, cancelled, skipped } = group.counts
          expect(pending + active + succeeded + failed + cancelled + skipped).toBe(group.counts.total)
          expect(active).toBe([...group.active].filter(node => !node.hidden).length)
        }
      }
    }
  })

  test('what can start is what has no open predecessor', () => {
    for (const make of Object.values(stories)) {
      const { plan, events } = make()
      const view = createRunView(plan)
      for (const event of events) {
        view.apply(event)
        const open = [...view.state.nodes.values()].filter(
          node =>
            !node.hidden &&
            node.status.type === 'pending' &&
            node.before.every(({ status }) =>
              ['succeeded', 'failed', 'cancelled', 'skipped'].includes(status.type),
            ),
        )
        expect([...view.state.ready].map(({ key }) => key).sort()).toEqual(open.map(({ key }) => key).sort())
      }
    }
  })

  test('a reopened run is pending again where it says so, and has no cause', () => {
    const story = stories.rolledBack()
    story.add(1000, {
      type: 'run-reopened',
      who: 'bob@techcorp.example',
      nodes: ['production/auth-service/2', 'production/auth-service/verify', 'announce/mail'],
    })
    const { state } = viewOf(story)
    expect(state.cause).toBeNull()
    expect([...state.ready].map(({ key }) => key)).toEqual(['production/auth-service/2'])
    expect(state.counts).toMatchObject({ pending: 3, failed: 0, skipped: 0 })
  })

  test('looks through joins for what holds a node up', () => {
    const view = createRunView(viewPlan)
    const first = view.state.nodes.get('staging/auth-service/1')!
    expect(blockersOf(first, 5).nodes.map(({ key }) => key)).toEqual([
      'preflight/unit-tests',
      'preflight/audit',
    ])
    expect(blockersOf(first, 1)).toMatchObject({ more: true })
  })

  test('takes every kind of event in, in any order, also of nodes that it does not know', () => {
    const view = createRunView(samplePlan())
    const narrator = createNarrator(view, { paint, names: 'key', detail: 'all' })
    view.subscribe(change => narrator.tell(change))
    const events = Object.values(eventSamples).flat() as RunEvent[]
    for (const event of [...events, ...events.toReversed()]) {
      view.apply(event)
      view.apply('node' in event ? { ...event, node: 'no/such/node' } : event)
      renderFrame(view, { columns: 80, rows: 24, now: event.at, paint })
      renderStatus(view.state, { paint, now: event.at, runner: 'alive' })
      renderSummary(view.state, { paint, now: event.at, runner: 'unknown' })
    }
    view.apply({ type: 'of-a-newer-version', at: 1 } as unknown as RunEvent)
    expect(counts(view).sum).toBe(counts(view).total)
  })
})
