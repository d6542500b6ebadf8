/** Definitions that are not quite right: findings, or a plan that keeps its promises, and nothing else. */
import { createHash } from 'node:crypto'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { loadDefinition } from '../../runner/load/load.ts'
import { findProject, type Project } from '../../runner/load/project.ts'
import { validate } from '../../runner/load/validate.ts'
import { compileRelease, type ResolvedRelease, resolveRelease } from '../../src/compile/compile.ts'
import type { ReleaseModel } from '../../src/definition/model.ts'
import { hasErrors } from '../../src/diagnostic.ts'
import { modelOf } from '../../src/index.ts'
import type { LiveFact, Plan } from '../../src/plan/plan.ts'
import { renderText } from '../../src/plan/render/text.ts'
import { anyRelease } from './any-release.ts'
import { fuzz } from './fuzz.ts'
import { type Dice, damageText } from './mutate.ts'

// Inputs by the thousand: what hangs is found by the limit of each.
vi.setConfig({ testTimeout: 300_000 })

const sha256 = (pieces: Iterable<string>): string =>
  createHash('sha256')
    .update([...pieces].join(''))
    .digest('hex')

/** Compiles with facts in which every folder is there, and an old version runs or nothing does. */
const compileModel = async (model: ReleaseModel, roll: Dice): Promise<Plan | null> => {
  const resolved = resolveRelease({ model, params: {}, locate: () => undefined })
  const old = roll.number(2) === 0 ? null : { version: '2.0.0', digest: sha256('old') }
  const { plan, diagnostics } = compileRelease(resolved, factsFor(resolved, old))
  for (const { code, message } of diagnostics) {
    expect(code).toMatch(/^[a-z][a-z0-9-]*$/)
    expect(message).not.toBe('')
  }
  expect(plan === null).toBe(hasErrors(diagnostics))
  if (plan !== null) await assertPlan(plan)
  return plan
}

const factsFor = (resolved: ResolvedRelease, old: LiveFact | null): Parameters<typeof compileRelease>[1] => {
  const live: Record<string, Record<string, LiveFact | null>> = Object.create(null)
  for (const { environment: of, component } of resolved.targets) {
    live[of] ??= Object.create(null)
    live[of]![component] = old
  }
  const components = resolved.components.map(
    ({ name }) => [name, { source: 'services', digest: sha256(name), start: ['node', 'server.js'] }] as const,
  )
  return {
    bundle: sha256(''),
    components: new Map(components),
    live,
    approvers: null,
    diagnostics: [],
    sha256,
  }
}

/** The form, and P2: no node stands before one that it waits for. */
const assertPlan = async (plan: Plan): Promise<void> => {
  expect(await validate('plan', JSON.parse(JSON.stringify(plan)))).toEqual([])
  const seen = new Set<string>()
  for (const { key, needs, after } of plan.nodes) {
    for (const before of [...needs, ...after]) expect(seen.has(before), `${key} before ${before}`).toBe(true)
    expect(seen.has(key), key).toBe(false)
    seen.add(key)
  }
  renderText(plan, { color: false, width: 100 })
}

// ── models ──────────────────────────────────────────────────────────────────────────────────────

test('every word with values from all over', async () => {
  const kinds = new Set<string>()
  const outcomes = await fuzz({ seeds: 2_000 }, async roll => {
    const plan = await compileModel(modelOf(anyRelease(roll))!, roll)
    for (const { operation } of plan?.nodes ?? []) kinds.add(operation.kind)
    if (plan?.guard !== undefined) kinds.add('guard')
    return plan === null ? 'refused' : 'planned'
  })
  expect(outcomes.refused).toBeGreaterThan(200)
  expect(outcomes.planned).toBeGreaterThan(100)
  for (const kind of ['start', 'shift', 'analyse', 'promote', 'guard']) expect(kinds).toContain(kind)
})

// ── texts ───────────────────────────────────────────────────────────────────────────────────────

const text = `import { approvalOf } from './own'
import { command, environment, local, param, release, rolling, service } from 'release-as-code'

const version = param('version', { default: '3.0.0', help: 'what is released' })
const auth = service('auth', { critical: true, instances: 2 })
const order = service('order', { needs: [auth.range('^3.0.0')], start: 'node main.js' })
const staging = environment('staging', { on: local() })

export default release('phoenix', { version, components: [auth, order], params: [version] })
  .stage('preflight', s => s
    .gate('lint', command('npm run lint').passes(), { required: false, retry: 2 }))
  .stage('staging', { onFailure: 'stop' }, s => s
    .deploy([auth, order], { to: staging, with: rolling({ batch: 1 }) })
    .step('smoke', async ({ $ }) => { await $\`npm run smoke\` }, { idempotent: true })
    .approval('go live', { from: { lead: 1 }, expires: '3d' }))
  .onFailure('rollback-all')
`.replace(/^.*\n/, '')

let project: Project
let folder: string
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'fuzz-definitions-')))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'release.config.ts'), text)
  project = await findProject(undefined, { cwd: folder })
})
afterAll(() => rmSync(folder, { recursive: true }))

test('texts in which letters, words and lines are missing, doubled or others', async () => {
  const words = [
    '.stage(',
    ')',
    '=>',
    's',
    "'",
    '`',
    '{',
    '}',
    'await ',
    'auth',
    'undefined',
    'null',
    '[]',
    '{}',
    '0',
    ', ',
    ';',
    'Date.now()',
    'process.exit(3)',
  ]
  const outcomes = await fuzz({ seeds: 150 }, async roll => {
    writeFileSync(project.definition, damageText(text, words, roll))
    const { definition } = await loadDefinition(project, { types: 'skip' })
    const plan = await compileModel(definition, roll)
    return plan === null ? 'refused' : 'planned'
  })
  expect(Object.keys(outcomes).length).toBeGreaterThan(4)
  expect(outcomes.planned).toBeGreaterThan(0)
})
