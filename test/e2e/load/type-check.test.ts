import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { loadDefinition, openDefinition } from '../../../runner/load/load.ts'
import { checkTypes } from '../../../runner/load/type-check.ts'
import { planRelease } from '../../../runner/plan-release.ts'
import {
  definition,
  diagnosticsOf,
  shown,
  type TemporaryProject,
  temporaryProject,
} from './temporary-project.ts'

// A busy machine is no failure: only a hang runs into this.
vi.setConfig({ testTimeout: 120_000 })

const usesCompiler = (project: TemporaryProject): boolean => {
  const script = fileURLToPath(new URL('./load-and-tell.ts', import.meta.url))
  const child = spawnSync(process.execPath, [script, project.definition], { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(child.stderr)
  return JSON.parse(child.stdout).packages.includes('typescript')
}

const TEN_ERRORS = `import { release, service } from 'release-as-code'
import { readFileSync } from 'node:fs'
import type { Team } from './team.ts'

const name: string = 3
const unknown = missing
const team: Team = { lead: 'alice', size: 'three' }
const wide = '漢字' + (null).length
service({ name: 'auth' })
readFileSync(1, 2, 3, 4)
const list: readonly number[] = []
list.push(1)
function never(x: 'a' | 'b'): number {
  if (x === 'c') return 1
  return 2
}
const multi: { a: number } = {
  a: 1,
  b: 2,
}
export { name, unknown, team, wide, never, multi }
export default release('it', { version: '1.0.0', components: 'all' })
`

describe('the types of a definition', () => {
  test('ten errors are all found, with their places', async () => {
    const project = await temporaryProject({
      'releases/it.ts': TEN_ERRORS,
      'releases/team.ts': `export interface Team {\n  readonly lead: string\n  readonly size: number\n}\n`,
    })
    const found = (await checkTypes(project)).diagnostics
    expect(found.length).toBeGreaterThanOrEqual(10)
    expect(shown(project, found)).toMatchSnapshot()
  })

  test('are checked in all that the definition imports, and in no package', async () => {
    const project = await temporaryProject({
      'releases/it.ts': definition(
        `import { a } from './a.ts'`,
        `import { b } from 'dep'`,
        `export { a, b }`,
      ),
      'releases/a.ts': `export const a: number = 'no number'\n`,
      'node_modules/dep/package.json': '{ "name": "dep", "version": "1.0.0", "main": "dep.ts" }',
      'node_modules/dep/dep.ts': `export const b: number = 'no number'\n`,
    })
    expect((await checkTypes(project)).diagnostics.map(({ code, span }) => `${code} ${span?.file}`)).toEqual([
      'ts2322 releases/a.ts',
    ])
  })

  test('follow the options of the team, except where bundling decides', async () => {
    const project = await temporaryProject({
      'tsconfig.json': `{ "compilerOptions": { "strict": false, "noUnusedLocals": true, "rootDir": "./src", "outDir": "./out" } }`,
      'releases/it.ts': definition(`const unused = 1`, `export const sloppy: string = null`),
    })
    expect(
      (await checkTypes(project)).diagnostics.map(({ code, severity }) => `${severity} ${code}`),
    ).toEqual(['error ts6133'])
  })

  test('know node and the language outside of any node_modules', async () => {
    const project = await temporaryProject({
      'releases/it.ts': definition(
        `import { join } from 'node:path'`,
        `export const p: string = join('a', 'b')`,
      ),
    })
    expect((await checkTypes(project)).diagnostics).toEqual([])
  })

  test('of node are not read for a definition that does without them', async () => {
    const plain = await temporaryProject({ 'releases/it.ts': definition(`export const five: number = 5`) })
    const sound = await checkTypes(plain)
    expect(sound.diagnostics).toEqual([])
    expect(sound.files).toContain(plain.definition)
    expect(sound.files!.filter(file => file.includes('@types/node'))).toEqual([])
    const wrong = await temporaryProject({ 'releases/it.ts': definition(`export const five: number = '5'`) })
    expect((await checkTypes(wrong)).diagnostics.map(({ code }) => code)).toEqual(['ts2322'])
  })

  test.each([
    {
      what: 'a name of theirs in another file',
      own: `import { wait } from './other.ts'\nexport const w: Promise<void> = wait()`,
      other: `export const wait = async () => void setTimeout(() => {}, 1)\n`,
      codes: [],
    },
    {
      what: 'the signal that a step is given, by its own name',
      own: `import { look } from './other.ts'\nexport const l: boolean = look({ signal: AbortSignal.abort() })`,
      other: `export const look = ({ signal }: { signal: AbortSignal }): boolean => signal.gone\n`,
      codes: ['ts2339'],
    },
    {
      what: 'that signal, seen through the context of a step',
      own: `import { look } from './other.ts'\nexport const l = look`,
      other:
        `import type { StepContext } from 'release-as-code'\n` +
        `export const look = (context: StepContext): boolean => context.signal.gone\n`,
      codes: ['ts2339'],
    },
  ])('of node are read for $what', async ({ own, other, codes }) => {
    const project = await temporaryProject({
      'releases/it.ts': definition(...own.split('\n')),
      'releases/other.ts': other,
    })
    expect((await checkTypes(project)).diagnostics.map(({ code }) => code)).toEqual(codes)
  })
})

describe('a recorded check', () => {
  test('spares the compiler until something changes, also something that is only a type', async () => {
    const project = await temporaryProject({
      'releases/it.ts': definition(`import type { Size } from './size.ts'`, `export const size: Size = 1`),
      'releases/size.ts': `export type Size = number\n`,
    })
    await project.settled()
    expect(usesCompiler(project)).toBe(true)
    expect(usesCompiler(project)).toBe(false)
    project.write({ 'releases/size.ts': `export type Size = string\n` })
    await project.settled()
    expect((await checkTypes(project)).diagnostics.map(({ code }) => code)).toEqual(['ts2322'])
    expect(usesCompiler(project)).toBe(false)
    expect((await checkTypes(project)).diagnostics.map(({ code }) => code)).toEqual(['ts2322'])
  })

  test('is not kept while a module is missing, since a new file may mend it', async () => {
    const project = await temporaryProject({
      'releases/it.ts': definition(`import type { Size } from './size.ts'`, `export const size: Size = 1`),
    })
    await project.settled()
    expect((await checkTypes(project)).diagnostics.map(({ code }) => code)).toEqual(['ts2307'])
    expect(readdirSync(join(project.state, 'checks')).filter(name => !name.includes('tsconfig'))).toEqual([])
    project.write({ 'releases/size.ts': `export type Size = number\n` })
    expect((await checkTypes(project)).diagnostics).toEqual([])
  })
})

describe('loading', () => {
  test('reports type errors beside a definition that can be evaluated', async () => {
    const project = await temporaryProject({ 'releases/it.ts': definition(`export const n: number = 'x'`) })
    const loaded = await loadDefinition(project, { types: 'check' })
    expect(loaded.definition.name).toBe('it')
    expect(loaded.diagnostics.map(({ code }) => code)).toEqual(['ts2322'])
    expect((await loadDefinition(project, { types: 'skip' })).diagnostics).toEqual([])
  })

  test('hands the definition over, and what its types are found to be after it', async () => {
    const project = await temporaryProject({ 'releases/it.ts': definition(`export const n: number = 'x'`) })
    const { checked, definition: model } = await openDefinition(project, { types: 'check' })
    expect(model.name).toBe('it')
    const { diagnostics, files } = await checked
    expect(diagnostics.map(({ code }) => code)).toEqual(['ts2322'])
    expect(files).toContain(project.definition)
  })

  test('tells of the types first, and makes no plan of what is badly typed', async () => {
    const project = await temporaryProject({
      'releases/it.ts': `import { release } from 'release-as-code'
export const n: number = 'x'
export default release('it', { version: '1.0.0' }).stage('empty', s => s)
`,
    })
    const { plan, diagnostics } = await planRelease({ project, params: [], concurrency: null })
    expect(diagnostics.map(({ code }) => code)).toEqual(['ts2322', 'empty-stage'])
    expect(plan).toBeNull()
  })

  test('reports an impurity and type errors together', async () => {
    const project = await temporaryProject({
      'releases/it.ts': definition(`export const n: number = 'x'`, `export const at = Date.now()`),
    })
    const found = await diagnosticsOf(() => loadDefinition(project, { types: 'check' }))
    expect(found.map(({ code }) => code)).toEqual(['impure-definition', 'ts2322'])
  })

  test('says a syntax error once and a type error elsewhere too', async () => {
    const project = await temporaryProject({
      'releases/it.ts': definition(`import { a } from './a.ts'`, `export { a }`, `const x = = 1`),
      'releases/a.ts': `export const a: number = 'x'\n`,
    })
    const found = await diagnosticsOf(() => loadDefinition(project, { types: 'check' }))
    expect(found.map(({ code, span }) => `${code} ${span?.file}:${span?.line}`)).toEqual([
      'syntax releases/it.ts:4',
      'ts2322 releases/a.ts:1',
    ])
  })
})
