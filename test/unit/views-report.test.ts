/** The report of a run, folded and as Markdown. */
import { describe, expect, test } from 'vitest'
import { text } from '../../runner/views/markdown.ts'
import { renderReportMarkdown } from '../../runner/views/report-md.ts'
import { buildReport } from '../../src/run/build-report.ts'
import type { RunEvent } from '../../src/run/events.ts'
import { eventSamples } from '../fixtures/event-samples.ts'
import { samplePlan } from '../fixtures/plan-samples.ts'
import { reportSamples } from '../fixtures/report-samples.ts'
import { BEGIN, BOB, type Story, stories, unhealthy } from '../fixtures/view-plan.ts'

const reportOf = ({ plan, events }: Story) => buildReport(plan, events)

describe('the fold', () => {
  test('of a success', () => {
    const report = reportOf(stories.success())
    expect(report).toMatchObject({ outcome: 'succeeded', cause: null, consequences: [], notRolledBack: [] })
    expect(report.duration).toBe(report.finishedAt! - report.startedAt)
    expect(report.irreversible).toEqual([
      { node: 'announce/mail', title: 'write to the customers', reason: 'a mail that was sent stays sent' },
    ])
    expect(report.gates).toMatchObject([
      { name: 'unit tests', passed: true, summary: '91.4 % of lines, at least 90 asked' },
      { name: 'dependency audit', passed: false, required: false, summary: '2 packages with known flaws' },
    ])
    expect(report.approvals.map(({ person, role, verdict }) => [person, role, verdict])).toEqual([
      ['alice@techcorp.example', 'release-manager', 'approved'],
      ['bob@techcorp.example', 'platform-owner', 'approved'],
    ])
  })

  test('of a failure: one cause, its consequences, what was taken back and what was not', () => {
    const report = reportOf(stories.rolledBack())
    expect(report.cause).toEqual({
      node: 'production/auth-service/2',
      title: 'auth-service: instance 2 of 2',
      failure: unhealthy,
      position: { file: 'releases/phoenix.ts', line: 49, column: 6 },
    })
    expect(report.consequences).toEqual([
      { node: 'production/auth-service/verify', outcome: 'skipped', because: 'production/auth-service/2' },
      { node: 'announce/mail', outcome: 'skipped', because: 'production/auth-service/2' },
    ])
    expect(report.rolledBack.map(({ undoes, outcome }) => [undoes, outcome])).toEqual([
      ['production/auth-service/1', 'succeeded'],
      ['staging/auth-service/2', 'succeeded'],
      ['staging/auth-service/1', 'succeeded'],
    ])
    expect(report.notRolledBack).toEqual([{ node: 'staging/smoke', reason: 'smoke mails cannot be unsent' }])
    expect(report.stages.map(({ outcome }) => outcome)).toEqual([
      'succeeded',
      'succeeded',
      'succeeded',
      'failed',
      'skipped',
    ])
  })

  test('of a rollback that failed: what it owed is not taken back', () => {
    const story = stories.rolledBack()
    const events = story.events.filter(
      event => !('node' in event && event.node === 'rollback/1/staging/auth-service/1'),
    )
    const report = buildReport(story.plan, [
      ...events.slice(0, -1),
      {
        type: 'node-failed',
        node: 'rollback/1/staging/auth-service/1',
        attempt: 1,
        at: story.at,
        failure: unhealthy,
      },
      events.at(-1)!,
    ])
    expect(report.cause?.node).toBe('production/auth-service/2')
    expect(report.notRolledBack).toContainEqual({
      node: 'staging/auth-service/1',
      reason: `taking it back failed: ${unhealthy.message}`,
    })
  })

  test('of a failure under a policy that undoes nothing: all that was done stays', () => {
    const story = stories.retry()
    story.start('staging/auth-service/verify', 2).fail('staging/auth-service/verify', unhealthy, 2)
    const report = reportOf(story.finish('failed', 'staging/auth-service/verify'))
    expect(report.notRolledBack.map(({ node }) => node)).toEqual([
      'staging/auth-service/1',
      'staging/auth-service/2',
    ])
    expect(report.stages[1]!.nodes[2]).toMatchObject({ outcome: 'failed', attempts: 2, failure: unhealthy })
  })

  test('of interruptions: a crash, a wait, a Ctrl-C', () => {
    expect(reportOf(stories.resumed()).interruptions).toMatchObject([
      { why: 'crashed', until: expect.any(Number), resumedBy: BOB },
    ])
    expect(reportOf(stories.waiting())).toMatchObject({
      outcome: 'waiting',
      interruptions: [{ why: 'waiting', until: null, resumedBy: null }],
    })
    expect(reportOf(stories.interrupted())).toMatchObject({
      outcome: 'interrupted',
      stops: [{ by: 'interrupt' }],
      interruptions: [{ why: 'interrupted' }],
    })
    const gone = stories.interrupted()
    expect(reportOf(gone.attach(5000, BOB)).interruptions).toMatchObject([
      { why: 'interrupted', until: gone.at, resumedBy: BOB },
    ])
  })

  test('of a run that is gone on with: the old cause is history', () => {
    const story = stories.rolledBack()
    const nodes = ['production/auth-service/2', 'production/auth-service/verify', 'announce/mail']
    story.attach(5000, BOB).add(0, { type: 'run-reopened', who: BOB, nodes })
    expect(reportOf(story)).toMatchObject({ outcome: 'running', finishedAt: null, cause: null })
    const report = reportOf(story.run(...nodes).finish('succeeded'))
    expect(report).toMatchObject({ outcome: 'succeeded', cause: null, consequences: [] })
    expect(report.stages[3]!.nodes[1]).toMatchObject({ outcome: 'succeeded', attempts: 2, duration: 1000 })
  })

  test('every node of the plan stands in it once, in plan order, after any event', () => {
    for (const make of Object.values(stories)) {
      const { plan, events } = make()
      for (let taken = 0; taken <= events.length; taken += 1) {
        const report = buildReport(plan, events.slice(0, taken))
        expect(report.stages.flatMap(stage => stage.nodes.map(({ key }) => key))).toEqual(
          plan.nodes.map(({ key }) => key),
        )
      }
    }
  })

  test('takes every kind of event in, in any order, also of nodes that it does not know', () => {
    const events = Object.values(eventSamples).flat() as RunEvent[]
    const strange = [...events, ...events.toReversed()].flatMap((event): RunEvent[] =>
      'node' in event ? [event, { ...event, node: 'no/such/node' }] : [event],
    )
    expect(buildReport(samplePlan(), strange).stages).toHaveLength(samplePlan().stages.length)
  })
})

describe('Markdown', () => {
  test('of a failure', () =>
    expect(renderReportMarkdown(reportOf(stories.rolledBack()))).toMatchInlineSnapshot(`
      "# phoenix 3.0.0 failed

      |            |                                                                    |
      | ---------- | ------------------------------------------------------------------ |
      | Run        | \`phoenix-3.0.0-1a2b\`                                               |
      | Started by | alice@techcorp.example                                             |
      | Started    | 2024-03-15 08:00:00 UTC                                            |
      | Finished   | 2024-03-15 08:02:13 UTC                                            |
      | Took       | 2 min 13 s                                                         |
      | Plan       | \`b1251c2ba740e430da57c2fc36c452b71c65321a5d683f0bc7634c2afac48c37\` |

      ## Root cause

      **auth-service: instance 2 of 2** failed (\`production/auth-service/2\`, asked for at \`releases/phoenix.ts:49:6\`):

      > auth-service: instance 2 was not healthy within 30 s

      What to do: Look at the instance’s output: release logs.

      \`\`\`text
      listening on 40123
      no database
      \`\`\`

      ## Rolled back

      | What                          | Node                        | Taken back | Took  |
      | ----------------------------- | --------------------------- | ---------- | ----- |
      | auth-service: instance 1 of 2 | \`production/auth-service/1\` | yes        | 1.0 s |
      | auth-service: instance 2 of 2 | \`staging/auth-service/2\`    | yes        | 1.0 s |
      | auth-service: instance 1 of 2 | \`staging/auth-service/1\`    | yes        | 1.0 s |

      ## Not rolled back

      - **smoke** (\`staging/smoke\`): smoke mails cannot be unsent

      ## Gates

      | Gate             | Verdict     | Figure                             | Required |
      | ---------------- | ----------- | ---------------------------------- | -------- |
      | unit tests       | passed      | 91.4 % of lines, at least 90 asked | yes      |
      | dependency audit | **warning** | 2 packages with known flaws        | no       |

      ## Approvals

      | Approval | Word     | Person                 | Role            | When                    | Key               |
      | -------- | -------- | ---------------------- | --------------- | ----------------------- | ----------------- |
      | go live  | approved | alice@techcorp.example | release-manager | 2024-03-15 08:01:06 UTC | \`SHA256:47DEQpj8\` |
      | go live  | approved | bob@techcorp.example   | platform-owner  | 2024-03-15 08:02:06 UTC | \`SHA256:47DEQpj8\` |

      ## Stages

      ### preflight: succeeded, 2.1 s

      | What             | Outcome   | Attempts | Started                 | Took  | Said                               |
      | ---------------- | --------- | -------- | ----------------------- | ----- | ---------------------------------- |
      | unit tests       | succeeded | 1        | 2024-03-15 08:00:00 UTC | 1.1 s | 91.4 % of lines, at least 90 asked |
      | dependency audit | warning   | 1        | 2024-03-15 08:00:00 UTC | 2.0 s | 2 packages with known flaws        |

      ### staging: succeeded, 4.3 s

      | What                          | Outcome   | Attempts | Started                 | Took  | Said |
      | ----------------------------- | --------- | -------- | ----------------------- | ----- | ---- |
      | auth-service: instance 1 of 2 | succeeded | 1        | 2024-03-15 08:00:02 UTC | 1.0 s |      |
      | auth-service: instance 2 of 2 | succeeded | 1        | 2024-03-15 08:00:03 UTC | 1.0 s |      |
      | auth-service: check what runs | succeeded | 1        | 2024-03-15 08:00:04 UTC | 1.0 s |      |
      | smoke                         | succeeded | 1        | 2024-03-15 08:00:05 UTC | 1.0 s |      |

      ### go-live: succeeded, 2 min

      | What    | Outcome   | Attempts | Started                 | Took  | Said                                                        |
      | ------- | --------- | -------- | ----------------------- | ----- | ----------------------------------------------------------- |
      | go live | succeeded | 0        | 2024-03-15 08:00:06 UTC | 2 min | approved by alice@techcorp.example and bob@techcorp.example |

      ### production: failed, 3.1 s

      | What                          | Outcome    | Attempts | Started                 | Took  | Said |
      | ----------------------------- | ---------- | -------- | ----------------------- | ----- | ---- |
      | auth-service: instance 1 of 2 | succeeded  | 1        | 2024-03-15 08:02:06 UTC | 1.0 s |      |
      | auth-service: instance 2 of 2 | **failed** | 1        | 2024-03-15 08:02:07 UTC | 2.0 s |      |
      | auth-service: check what runs | skipped    | 0        |                         |       |      |

      ### announce: skipped

      | What                   | Outcome | Attempts | Started | Took | Said |
      | ---------------------- | ------- | -------- | ------- | ---- | ---- |
      | write to the customers | skipped | 0        |         |      |      |

      ## What did not run

      - Skipped because \`production/auth-service/2\` failed: \`production/auth-service/verify\`, \`announce/mail\`
      "
    `))

  test('of a run that was killed and resumed', () => {
    const markdown = renderReportMarkdown(reportOf(stories.resumed()))
    expect(markdown.split('\n').slice(-2)[0]).toMatchInlineSnapshot(
      `"- 2024-03-15 08:00:03 UTC: last heard of a runner that did not end in order; bob@techcorp.example went on at 2024-03-15 09:00:03 UTC, after 1 h"`,
    )
  })

  test('every sample is text whose tables are whole', () => {
    for (const report of reportSamples) {
      const markdown = renderReportMarkdown(report)
      expect(markdown).not.toMatch(/undefined|NaN|\[object/)
      for (const table of markdown.matchAll(/(?:^\|.*\n)+/gm)) {
        const bars = table[0]
          .trimEnd()
          .split('\n')
          .map(row => row.replaceAll('\\|', '').split('|').length)
        expect(new Set(bars).size).toBe(1)
      }
    }
  })

  test('foreign text forges nothing', () => {
    const story = stories.retry()
    const { plan, events } = story.start('staging/auth-service/verify').fail('staging/auth-service/verify', {
      code: 'x',
      message: 'a | b\n# forged\n<script>alert(1)</script>',
      tail: '```\n# forged\n````\n',
    })
    const evil: RunEvent[] = events.map(event =>
      event.type === 'run-started' ? { ...event, who: '[x](http://evil) | **bold**' } : event,
    )
    const markdown = renderReportMarkdown(
      buildReport(plan, [...evil, { type: 'run-finished', at: BEGIN, outcome: 'failed', cause: null }]),
    )
    expect(markdown).toContain('\\[x\\](http://evil) \\| \\*\\*bold\\*\\*')
    expect(markdown).toContain('> \\# forged\n> &lt;script\\>')
    expect(markdown).toContain('`````text\n```\n# forged\n````\n`````')
    expect(text('line 1\nline 2')).toBe('line 1 line 2')
  })
})
