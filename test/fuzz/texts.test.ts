/** Texts that people write or sign: approvers, command lines, decisions, durations. All of them are read, or refused with a place. */
import { expect, test, vi } from 'vitest'
import { parseApprovers } from '../../src/compile/approvers.ts'
import { splitCommandLine } from '../../src/compile/command-line.ts'
import { parseDuration } from '../../src/compile/units.ts'
import { judgeDecision } from '../../src/run/approvals.ts'
import { decisionText, readDecision } from '../../src/run/decision.ts'
import type { Decision } from '../../src/run/ports.ts'
import { samplePlan } from '../fixtures/plan-samples.ts'
import { fuzz } from './fuzz.ts'
import { damageJson, damageText } from './mutate.ts'

// Inputs by the thousand: what hangs is found by the limit of each.
vi.setConfig({ testTimeout: 300_000 })

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE0l5q1oXHhG0L0s8Hq0sD0yQw8Q3n0dXw2bQf2qQnZk'
const approvers = `# who may say yes
alice@techcorp.example namespaces="release-as-code" ${KEY} roles=release-manager,platform-owner
bob@techcorp.example ${KEY.replace('E0l5', 'F1m6')} roles=platform-owner
`

test('approvers files', async () => {
  const words = [
    'roles=',
    'namespaces="',
    'cert-authority ',
    'valid-before="20300101" ',
    '*',
    '!',
    '"',
    ',',
    KEY,
    '\r\n',
    '\t',
  ]
  const outcomes = await fuzz({ seeds: 1_200 }, roll => {
    const text = damageText(approvers, words, roll)
    const { approvers: people, diagnostics } = parseApprovers(text, { file: 'approvers' })
    const lines = text.split(/\r?\n/)
    for (const { span, message, hint } of diagnostics) {
      expect(message).not.toBe('')
      expect(hint).not.toBe('')
      if (span === undefined) continue
      expect(span.line).toBeLessThanOrEqual(lines.length)
      expect(span.column).toBeLessThanOrEqual(lines[span.line - 1]!.length + 2)
    }
    for (const { keys, roles } of people) {
      expect(keys.length).toBeGreaterThan(0)
      expect(new Set(roles).size).toBe(roles.length)
    }
    return diagnostics.length === 0 ? 'read' : 'refused'
  })
  expect(Object.keys(outcomes).sort()).toEqual(['read', 'refused'])
})

test('command lines', async () => {
  const words = ['"', "'", '\\', ' ', '$(', '`', '&&', '|', '>', '*', '~', '#', 'A=1 ', '{a,b}', '\n', '\\\n']
  const outcomes = await fuzz({ seeds: 1_500 }, roll => {
    const line = damageText(`npm run "unit tests" -- --reporter='dot' src/a\\ b`, words, roll)
    const split = splitCommandLine(line)
    if ('argv' in split) {
      expect(split.argv.length).toBeGreaterThan(0)
      return 'split'
    }
    expect(split.error).not.toBe('')
    expect(split.offset).toBeGreaterThanOrEqual(0)
    expect(split.offset).toBeLessThanOrEqual(line.length)
    return 'refused'
  })
  expect(Object.keys(outcomes).sort()).toEqual(['refused', 'split'])
})

test('durations', async () => {
  await fuzz({ seeds: 300 }, roll => {
    const millis = parseDuration(damageText('30s', ['ms', 'm', 'h', 'd', '.', 'e9', '-', '1_000'], roll))
    if (millis !== null) expect(Number.isSafeInteger(millis) && millis >= 0).toBe(true)
  })
})

const decision: Decision = {
  format: 1,
  verdict: 'approve',
  run: 'phoenix-3.0.0-20261121-101530-1a2b',
  plan: 'a'.repeat(64),
  approval: 'go-live/go live',
  person: 'alice@techcorp.example',
  role: 'release-manager',
  reason: '',
  nonce: '0123456789abcdef0123456789abcdef',
  at: 1_700_000_000_000,
}

test('decisions that somebody signed', async () => {
  const plan = samplePlan()
  const outcomes = await fuzz({ seeds: 1_000 }, roll => {
    const statement =
      roll.number(2) === 0
        ? damageText(decisionText(decision), ['"', '{', '}', ',', '"approve"', '"reject"', 'null'], roll)
        : JSON.stringify(damageJson(decision, roll, 'any'))
    const read = readDecision(statement)
    if (!read.ok) {
      expect(read.reason).not.toBe('')
      return 'refused'
    }
    const judged = judgeDecision({
      decision: read.decision,
      verified: { ok: true, person: read.decision.person, key: null },
      plan,
      run: decision.run,
      approval: {
        key: decision.approval,
        operation: {
          kind: 'approval',
          name: 'go live',
          from: { 'release-manager': 1 },
          expires: null,
          self: false,
        },
        waiting: true,
        until: null,
      },
      given: [],
      nonces: new Set(),
      startedBy: 'bob@techcorp.example',
      now: decision.at + 1_000,
    })
    // The sample's plan has another hash: nothing that was signed for another plan may ever count.
    expect(judged.accept).toBe(false)
    return 'judged'
  })
  expect(Object.keys(outcomes).sort()).toEqual(['judged', 'refused'])
})
