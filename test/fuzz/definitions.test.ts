/** Definitions that are not quite right: findings, or a plan that keeps its promises, and nothing else. */
import { createHash } from 'node:crypto'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadDefinition } from '../../runner/load/load.ts'
import { findProject, type Project } from '../../runner/load/project.ts'
import { validate } from '../../runner/load/validate.ts'
import { compileRelease, type ResolvedRelease, resolveRelease } from '../../src/compile/compile.ts'
import type { ReleaseModel } from '../../src/definition/model.ts'
import { hasErrors } from '../../src/diagnostic.ts'
import {
  allAtOnce,
  app,
  command,
  coverage,
  environment,
  local,
  modelOf,
  param,
  release,
  rolling,
  secret,
  service,
  slack,
} from '../../src/index.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { renderText } from '../../src/plan/render/text.ts'
import { fuzz } from './fuzz.ts'
import { type Dice, damageText, NASTY } from './mutate.ts'

const sha256 = (pieces: Iterable<string>): string =>
  createHash('sha256')
    .update([...pieces].join(''))
    .digest('hex')

/** Compiles with facts in which every folder is there and nothing runs. */
const compileModel = async (model: ReleaseModel): Promise<Plan | null> => {
  const resolved = resolveRelease({ model, params: {}, locate: () => undefined })
  const { plan, diagnostics } = compileRelease(resolved, factsFor(resolved))
  for (const { code, message } of diagnostics) {
    expect(code).toMatch(/^[a-z][a-z0-9-]*$/)
    expect(message).not.toBe('')
  }
  expect(plan === null).toBe(hasErrors(diagnostics))
  if (plan !== null) await assertPlan(plan)
  return plan
}

const factsFor = (resolved: ResolvedRelease): Parameters<typeof compileRelease>[1] => {
  const live: Record<string, Record<string, null>> = Object.create(null)
  for (const { environment: of, component } of resolved.targets) {
    live[of] ??= Object.create(null)
    live[of]![component] = null
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

/** Values that are sound but for one in `rarity`. */
const valuesOf = (roll: Dice, rarity: number) => {
  let named = 0
  const mostly = <T>(sound: () => T, odd: readonly T[]): T =>
    roll.number(rarity) === 0 ? roll.pick(odd) : sound()
  return {
    name: () => mostly(() => `n${++named}`, [...NASTY, 'a', 'auth', 'staging', 'a/b', 'A']),
    text: () => mostly(() => 'node main.js', NASTY),
    version: () => mostly(() => '3.0.0', ['', 'x', '3', 'v3.0.0', '3.0.0+b', ...NASTY]),
    range: () => mostly(() => '^3.0.0', ['*', 'x', '', '<1', '>=1 <', ...NASTY]),
    count: () => mostly(() => 1 + roll.number(3), [0, -1, 0.5, 1e6, Number.NaN, Number.POSITIVE_INFINITY]),
    time: () =>
      mostly(() => '10m', ['0ms', '-1s', '1', '', '1e9d', '99999999999999d', `${'9'.repeat(400)}d`]) as never,
    amount: () =>
      mostly<number | string>(
        () => roll.pick([1, '25%']),
        [0, -1, 1.5, '0%', '101%', 'x', Number.NaN],
      ) as never,
  }
}

/** Every word of a stage and a release, taking anything. */
interface Written {
  readonly [word: string]: (...given: readonly unknown[]) => Written
}

/** A release made of the language's own words with values from all over; TypeScript would refuse many, Node does not. */
const anyRelease = (roll: Dice): unknown => {
  const values = valuesOf(roll, roll.pick([4, 25, 100]))
  const { name, text, count, time } = values
  const some = (most: number): readonly unknown[] => Array.from({ length: roll.number(most + 1) })
  const maybe = (part: () => object): object => (roll.number(4) === 0 ? part() : {})
  const version = param('version', { default: values.version() })
  const made: ReturnType<typeof service>[] = []
  for (const _ of some(5)) {
    const needs = made.filter(() => roll.number(3) === 0)
    const options = {
      critical: roll.number(2) === 0,
      needs: needs.map(need => (roll.number(3) === 0 ? need.range(values.range()) : need)),
      ...maybe(() => ({ group: 5 + count() })),
      ...maybe(() => ({ instances: count() })),
      ...maybe(() => ({ instances: { staging: count(), [name()]: count() } })),
      ...maybe(() => ({ version: values.version() })),
      ...maybe(() => ({ source: text() })),
      ...maybe(() => ({ start: roll.pick([text(), [text(), text()]]) })),
      ...maybe(() => ({ env: { [name()]: text(), KEY: secret(name()) } })),
      ...maybe(() => ({ health: { path: `/${name()}`, timeout: time() } })),
    }
    made.push((roll.number(4) === 0 ? app : service)(name(), options as never) as never)
  }
  const places = [
    environment('staging', { on: local({ cluster: name() }) }),
    environment(name(), { on: local(), protect: roll.number(2) === 0 }),
  ]
  const strategies = [
    () => rolling({ batch: values.amount(), maxUnavailable: values.amount() }),
    () => rolling(),
    () => allAtOnce(),
  ]
  let written = release(name(), {
    version: roll.pick([version, values.version()]),
    components: made as never,
    params: [version],
    ...maybe(() => ({ concurrency: count() })),
    ...maybe(() => ({ targetDate: roll.pick(['2026-11-21', text()]) })),
  }) as unknown as Written
  const item = (s: Written): Written =>
    roll.pick([
      () => s.gate!(name(), command(text()).passes(), { timeout: time(), retry: count() }),
      () =>
        s.gate!(name(), command('true').passes(), {
          required: false,
          retry: { limit: count(), delay: time() },
        }),
      () => s.gate!(name(), coverage('npm test').atLeast(count())),
      () =>
        s.step!(name(), () => 1, { idempotent: true, timeout: time(), undo: roll.pick(['none', () => {}]) }),
      () => s.approval!(name(), { from: { [name()]: count() }, expires: time() }),
      () => s.wait!(time()),
      () => s.notify!(slack(secret('S'), '#x'), { message: text() }),
      () => s.deploy!(made.slice(roll.number(made.length)), { to: places[0], with: roll.pick(strategies)() }),
      () => s.deploy!(made, { to: roll.pick(places) }),
      () => s.parallel!((p: Written) => item(item(p))),
      () => s.sequence!((q: Written) => item(q)),
    ])()
  const stages: string[] = []
  for (const _ of some(4)) {
    const options = {
      ...maybe(() => ({ after: stages.filter(() => roll.number(2) === 0) })),
      ...maybe(() => ({ after: [name()] })),
      ...maybe(() => ({ onFailure: 'stop' })),
    }
    const stage = name()
    written = written.stage!(stage, options, (s: Written) => some(4).reduce<Written>(inner => item(inner), s))
    stages.push(stage)
  }
  const policies = ['stop', 'rollback-all', 'continue-partial', 'rollback-dependents']
  return roll.number(2) === 0 ? written : written.onFailure!(roll.pick(policies))
}

test('every word with values from all over', async () => {
  const outcomes = await fuzz({ seeds: 1_000 }, async roll => {
    const plan = await compileModel(modelOf(anyRelease(roll))!)
    return plan === null ? 'refused' : 'planned'
  })
  expect(outcomes.refused).toBeGreaterThan(200)
  expect(outcomes.planned).toBeGreaterThan(100)
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
    const plan = await compileModel(definition)
    return plan === null ? 'refused' : 'planned'
  })
  expect(Object.keys(outcomes).length).toBeGreaterThan(4)
  expect(outcomes.planned).toBeGreaterThan(0)
})
