import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { bundleDefinition, openBundle } from '../../../runner/load/bundle.ts'
import { evaluateBundle } from '../../../runner/load/evaluate.ts'
import {
  definition,
  diagnosticsOf,
  shown,
  type TemporaryProject,
  temporaryProject,
} from './temporary-project.ts'

// A busy machine is no failure: only a hang runs into this.
vi.setConfig({ testTimeout: 120_000 })

const WITH_STEP = `
import { readFileSync } from 'node:fs'
import { release } from 'release-as-code'
import { greeting } from './greeting.ts'
export default release('it', { version: '1.0.0', components: [] })
  .stage('only', s => s.step('greet', async () => greeting(readFileSync('/proc/self/comm', 'utf8')), { idempotent: true }))
`
const GREETING = `export const greeting = (name: string): string => \`hello \${name.trim()}\`\n`

/** Loads the definition in a fresh process and says which third-party packages that took. */
function loadElsewhere(project: TemporaryProject): { hash: string; packages: readonly string[] } {
  const script = fileURLToPath(new URL('./load-and-tell.ts', import.meta.url))
  const child = spawnSync(process.execPath, [script, project.definition], { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(child.stderr)
  return JSON.parse(child.stdout)
}

describe('a kept bundle', () => {
  test('is found again without esbuild and without the compiler', async () => {
    const project = await temporaryProject({ 'releases/it.ts': WITH_STEP, 'releases/greeting.ts': GREETING })
    await project.settled()
    const first = loadElsewhere(project)
    const second = loadElsewhere(project)
    expect(first.packages).toEqual(['esbuild', 'typescript'])
    expect(second).toEqual({ hash: first.hash, packages: [] })
  })

  test('is found again after its sources were written anew with the same contents', async () => {
    const project = await temporaryProject({ 'releases/it.ts': WITH_STEP, 'releases/greeting.ts': GREETING })
    await project.settled()
    loadElsewhere(project)
    project.write({ 'releases/it.ts': WITH_STEP, 'releases/greeting.ts': GREETING })
    await project.settled()
    expect(loadElsewhere(project).packages).toEqual([])
  })

  const changes: Record<string, (project: TemporaryProject) => void> = {
    'the definition': p => appendFileSync(p.definition, 'export const more = 1\n'),
    'what it imports': p => p.write({ 'releases/greeting.ts': GREETING.replace('hello', 'bye') }),
    'the package.json above it': p =>
      p.write({ 'package.json': '{ "name": "team", "type": "module", "sideEffects": false }' }),
    'a tsconfig.json where there was none': p => p.write({ 'tsconfig.json': '{}' }),
    'its own code': p => {
      const bundles = join(p.state, 'bundles')
      for (const name of readdirSync(bundles).filter(n => n.endsWith('.js')))
        appendFileSync(join(bundles, name), '//')
    },
    'its manifest': p => {
      const bundles = join(p.state, 'bundles')
      for (const name of readdirSync(bundles).filter(n => n.endsWith('.json')))
        writeFileSync(join(bundles, name), '{"for')
    },
    'its map': p => {
      const bundles = join(p.state, 'bundles')
      for (const name of readdirSync(bundles).filter(n => n.endsWith('.map'))) rmSync(join(bundles, name))
    },
  }
  test.each(Object.entries(changes))('is made anew after a change of %s', async (_, change) => {
    const project = await temporaryProject({ 'releases/it.ts': WITH_STEP, 'releases/greeting.ts': GREETING })
    await project.settled()
    loadElsewhere(project)
    change(project)
    await project.settled()
    expect(loadElsewhere(project).packages).toContain('esbuild')
    expect(loadElsewhere(project).packages).toEqual([])
  })

  test('notices a file of the same size and times in the place of the old one', async () => {
    const project = await temporaryProject({ 'releases/it.ts': WITH_STEP, 'releases/greeting.ts': GREETING })
    await project.settled()
    const before = await bundleDefinition(project)
    const path = join(project.root, 'releases/greeting.ts')
    writeFileSync(`${path}.new`, GREETING.replace('hello', 'howdy').replace('name: string', 'name:string'))
    spawnSync('touch', ['-r', path, `${path}.new`])
    renameSync(`${path}.new`, path)
    await project.settled()
    const after = await bundleDefinition(project)
    expect(after.code).toContain('howdy')
    expect(after.hash).not.toBe(before.hash)
  })

  test('is not vouched for while its sources may still have been changing', async () => {
    const project = await temporaryProject({ 'releases/it.ts': definition() })
    await bundleDefinition(project)
    project.write({ 'releases/it.ts': definition(`console.error('changed')`) })
    expect((await bundleDefinition(project)).code).toContain('changed')
  })

  test('makes the state folder keep itself out of the repository', async () => {
    const project = await temporaryProject({ 'releases/it.ts': definition() })
    await bundleDefinition(project)
    expect(readFileSync(join(project.state, '.gitignore'), 'utf8')).toBe('*\n')
    const files = readdirSync(join(project.state, 'bundles'))
    expect(files.filter(name => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('the hash of a bundle', () => {
  test('is the same for a checkout elsewhere and for other comments', async () => {
    const files = { 'releases/it.ts': WITH_STEP, 'releases/greeting.ts': GREETING }
    const one = await bundleDefinition(await temporaryProject(files))
    const commented = { ...files, 'releases/it.ts': `// A comment.\n\n${WITH_STEP}` }
    const other = await bundleDefinition(await temporaryProject(commented))
    expect(other.hash).toBe(one.hash)
    expect(one.code).not.toContain('/work/')
    expect(one.code).not.toContain('load [1]')
  })

  test('leaves positions true when only comments have changed', async () => {
    const project = await temporaryProject({ 'releases/it.ts': WITH_STEP, 'releases/greeting.ts': GREETING })
    const lineOf = async () => {
      const { definition: model, locate } = await evaluateBundle(await bundleDefinition(project), project)
      return locate(model.stages[0]!.at)?.line
    }
    expect(await lineOf()).toBe(6)
    project.write({ 'releases/it.ts': `// One more line.\n${WITH_STEP}` })
    expect(await lineOf()).toBe(7)
  })
})

describe('a bundle opened from a run', () => {
  test('runs when every source has gone, and knows where things stood', async () => {
    const project = await temporaryProject({ 'releases/it.ts': WITH_STEP, 'releases/greeting.ts': GREETING })
    const made = await bundleDefinition(project)
    const kept = join(project.root, 'run', basename(made.path))
    mkdirSync(join(project.root, 'run'))
    writeFileSync(kept, made.code)
    writeFileSync(`${kept}.map`, readFileSync(made.mapPath))
    rmSync(join(project.root, 'releases'), { recursive: true })
    rmSync(project.state, { recursive: true })

    const bundle = await openBundle(kept, made.hash)
    const { definition: model, locate } = await evaluateBundle(bundle, project)
    const [step] = model.stages[0]!.items
    if (step?.kind !== 'step') throw new Error('the step is missing')
    expect(await step.run({} as never)).toMatch(/^hello \w/)
    expect(locate(step.at)).toEqual({ file: 'releases/it.ts', line: 6, column: 25 })
  })

  test('is refused when it was changed or is gone', async () => {
    const project = await temporaryProject({ 'releases/it.ts': definition() })
    const { path, hash } = await bundleDefinition(project)
    appendFileSync(path, '\n')
    await expect(openBundle(path, hash)).rejects.toMatchObject({ code: 'bundle-changed', exitCode: 4 })
    rmSync(path)
    await expect(openBundle(path, hash)).rejects.toMatchObject({ code: 'bundle-missing', exitCode: 4 })
  })
})

describe('what goes into a bundle', () => {
  test('JSON, packages and the path aliases of an extended tsconfig do', async () => {
    const project = await temporaryProject({
      'tsconfig.json': `{ "extends": "./config/base", /* here */ }`,
      'config/base.json': `{ "compilerOptions": { "paths": { "#team/*": ["../parts/*"] }, }, } // trailing`,
      'parts/name.ts': `export const name: string = 'aliased'`,
      'data/list.json': '["a", "b"]',
      'node_modules/dep/package.json': '{ "name": "dep", "version": "1.0.0", "main": "main.cjs" }',
      'node_modules/dep/main.cjs': `module.exports = { from: require('node:path').basename('/x/dep') }`,
      'releases/it.ts': `
import { release } from 'release-as-code'
import dep from 'dep'
import { name } from '#team/name'
import list from '../data/list.json' with { type: 'json' }
export default release([name, dep.from, ...list].join('-'), { version: '1.0.0', components: [] })
`,
    })
    const bundle = await bundleDefinition(project)
    expect((await evaluateBundle(bundle, project)).definition.name).toBe('aliased-dep-a-b')
    expect(
      bundle.inputs
        .map(project.relative)
        .filter(name => !name.startsWith('..'))
        .sort(),
    ).toEqual(['data/list.json', 'node_modules/dep/main.cjs', 'parts/name.ts', 'releases/it.ts'])
  })

  test('the service of the bundler ends with the last bundle', async () => {
    const project = await temporaryProject({ 'releases/it.ts': definition() })
    await bundleDefinition(project)
    const services = () =>
      spawnSync('ps', ['--ppid', String(process.pid), '-o', 'args='], { encoding: 'utf8' })
        .stdout.split('\n')
        .filter(line => line.includes('--service='))
    await expect.poll(services).toEqual([])
  })
})

describe('what cannot be bundled', () => {
  test('all of it is said, with code frames', async () => {
    const project = await temporaryProject({
      'releases/it.ts': `import { gone } from './gone.ts'
import missing from 'no-such-package'
import { release } from 'release-as-code'
export default release('it', { version: '1.0.0', components: [missing, gone] })
`,
    })
    expect(shown(project, await diagnosticsOf(() => bundleDefinition(project)))).toMatchInlineSnapshot(`
      "error[unresolved-import]: Could not resolve "./gone.ts"
       --> releases/it.ts:1:22
        |
      1 | import { gone } from './gone.ts'
        |                      ^^^^^^^^^^^
        = hint: look for a misspelling, or install the package; a path of your own begins with ./ or ../

      error[unresolved-import]: Could not resolve "no-such-package"
       --> releases/it.ts:2:21
        |
      2 | import missing from 'no-such-package'
        |                     ^^^^^^^^^^^^^^^^^
        = hint: look for a misspelling, or install the package; a path of your own begins with ./ or ../
        = note: You can mark the path "no-such-package" as external to exclude it from the bundle, which will remove this error and leave the unresolved path in the bundle."
    `)
  })

  test('a syntax error', async () => {
    const project = await temporaryProject({ 'releases/it.ts': `const ünï = 'ö' 'ö'\nexport default ünï\n` })
    expect(shown(project, await diagnosticsOf(() => bundleDefinition(project)))).toMatchInlineSnapshot(`
      "error[syntax]: Expected ";" but found "'ö'"
       --> releases/it.ts:1:17
        |
      1 | const ünï = 'ö' 'ö'
        |                 ^^^"
    `)
  })

  test('a top-level await', async () => {
    const project = await temporaryProject({
      'releases/it.ts': definition(`const text = await Promise.resolve('x')`),
    })
    expect(shown(project, await diagnosticsOf(() => bundleDefinition(project)))).toMatchInlineSnapshot(`
      "error[top-level-await]: a definition cannot await anything at its top level
       --> releases/it.ts:2:14
        |
      2 | const text = await Promise.resolve('x')
        |              ^^^^^
        = hint: a definition is evaluated at once and waits for nothing: move the await into the function of a step"
    `)
  })
})

describe('a state folder that cannot be written', () => {
  test('because a file stands in its place costs nothing but the keeping', async () => {
    const project = await temporaryProject({ 'releases/it.ts': definition(), '.release': 'in the way' })
    const bundle = await bundleDefinition(project)
    expect(existsSync(bundle.path)).toBe(false)
    const { definition: model, locate } = await evaluateBundle(bundle, project)
    expect(locate(model.at)?.line).toBe(2)
  })
})
